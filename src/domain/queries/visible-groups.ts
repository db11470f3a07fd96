// The groups that an end user sees: those it is an effective member of.
import { Prisma, type Sql } from '../../database/database.ts';
import type { GroupId } from '../../model/ids.ts';
import { type Directory, endUser, type Reader } from '../directory.ts';
import { loader } from '../loading/batching.ts';

/** The groups that the user `k.id` is an effective member of, as (id). */
export const reachedGroups = (directory: Reader): Sql => Prisma.sql`(
  with recursive up(id) as (
    select m.group_id from memberships m where m.user_id = k.id and ${directory.scope(Prisma.sql`m.tenant_id`)}
    union
    select n.parent_group_id from up join nestings n on n.child_group_id = up.id
    where ${directory.scope(Prisma.sql`n.tenant_id`)})
  select id from up)`;

const reachedByUser = loader({
  audience: 'self',
  read: async (directory, userIds: readonly string[]) => {
    const rows = await directory.sql<{ bucket: number; id: GroupId }>(Prisma.sql`
    select k.o::int as bucket, e.id from unnest(${userIds}::text[]) with ordinality k(id, o)
    cross join lateral ${reachedGroups(directory)} e`);
    const reached = userIds.map(() => new Set<GroupId>());
    for (const { bucket, id } of rows) reached[bucket - 1]!.add(id);
    return reached;
  },
});

/** Ids of all groups that a plain user sees: those it is an effective member of. */
export async function visibleGroupIds(directory: Directory): Promise<ReadonlySet<string>> {
  const user = endUser(directory);
  return (user && (await reachedByUser(directory, user.userId))) ?? new Set();
}
