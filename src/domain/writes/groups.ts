// Locking a group's row, and its own fields as events hold and columns store them.
import { Prisma, type Sql } from '../../database/database.ts';
import { refuse } from '../../model/errors.ts';
import type { GroupId } from '../../model/ids.ts';
import type { JsonObject } from '../../model/json.ts';
import type { WriteContext } from '../log/write-context.ts';
import { type Group, groupColumns } from '../rows/groups.ts';

/**
 * Locks a live group against deletion and other updates, and returns its row; `for update` also blocks new members.
 * Refused with NOT_FOUND if the group is deleted or not in the tenant.
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

/** The fields of a group that events record. */
export const groupFields = ({ name, description, type, parentGroupId, customAttributes }: Group) => ({
  name,
  description,
  type,
  parentGroupId,
  customAttributes,
});

/** A JSON object as a jsonb parameter; SQL null if there is none. */
export const jsonb = (value: JsonObject | null | undefined): Sql =>
  Prisma.sql`${value == null ? null : JSON.stringify(value)}::text::jsonb`;
