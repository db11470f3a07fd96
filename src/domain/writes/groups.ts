// Locking a group's row.
import { Prisma } from '../../database/database.ts';
import { refuse } from '../../model/errors.ts';
import type { GroupId } from '../../model/ids.ts';
import type { WriteContext } from '../log/write-context.ts';
import { type Group, groupColumns } from '../rows/groups.ts';

/**
 * The live group's row, locked against deletion and other updates; `for update` also keeps members from being added.
 * Refused with NOT_FOUND if it is gone.
 */
export async function lockGroup(
  { query, tenantId }: WriteContext,
  id: GroupId,
  strength: 'for no key update' | 'for update' = 'for no key update',
): Promise<Group> {
  const [row] = await query<Group>(Prisma.sql`
    select ${groupColumns} from groups g where g.tenant_id = ${tenantId} and g.id = ${id} and g.deleted_at is null
    ${Prisma.raw(strength)}`);
  if (!row) throw refuse.notFound(id);
  return row;
}
