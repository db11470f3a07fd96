// Locking a group's row.
import { Prisma, type Query } from '../../database/database.ts';
import { refuse } from '../../model/errors.ts';
import type { GroupId, TenantId } from '../../model/ids.ts';
import { type GroupRow, groupColumns } from '../rows/groups.ts';

/** The live group's row, locked against deletion and other updates; refused as not found if it is gone. */
export async function lockGroup(sql: Query, tenantId: TenantId, id: GroupId): Promise<GroupRow> {
  const [row] = await sql<GroupRow>(Prisma.sql`
    select ${groupColumns} from groups g where g.tenant_id = ${tenantId} and g.id = ${id} and g.deleted_at is null
    for no key update`);
  if (!row) throw refuse.notFound(id);
  return row;
}
