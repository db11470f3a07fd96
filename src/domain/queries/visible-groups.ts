// The groups that an end user sees: those that it is an effective member of.
import { Prisma, type Sql } from '../../database/database.ts';
import type { GroupId } from '../../model/ids.ts';
import { type Directory, endUser, type Reader } from '../directory.ts';
import { loader } from '../loading/batching.ts';

/** The groups that the user `k.id` is an effective member of, as (id). `union` ends the recursion on any graph. */
export const effectiveGroupIds = ({ tenantId, tables }: Reader): Sql => Prisma.sql`(
  with recursive up(id) as (
    select m.group_id from ${tables.memberships} m where m.tenant_id = ${tenantId} and m.user_id = k.id
    union
    select n.parent_group_id from up join ${tables.nestings} n on n.tenant_id = ${tenantId} and n.child_group_id = up.id)
  select id from up)`;

const effectiveGroupIdsByUser = loader({
  audience: 'self',
  read: async (reader, userIds: readonly string[]) => {
    const rows = await reader.sql<{ ordinal: number; id: GroupId }>(Prisma.sql`
    select k.ordinal::int as ordinal, e.id from unnest(${userIds}::text[]) with ordinality k(id, ordinal)
    cross join lateral ${effectiveGroupIds(reader)} e`);
    const groupIds = userIds.map(() => new Set<GroupId>());
    for (const { ordinal, id } of rows) groupIds[ordinal - 1]!.add(id);
    return groupIds;
  },
});

/** Ids of the groups that an end user sees; none for other callers, who see whole tenants. */
export async function visibleGroupIds(directory: Directory): Promise<ReadonlySet<string>> {
  const user = endUser(directory);
  return (user && (await effectiveGroupIdsByUser(directory, user.userId))) ?? new Set();
}
