// Adds members to groups and removes them, and records the changes.
import { Prisma } from '../../database/database.ts';
import type { GroupId } from '../../model/ids.ts';
import type { Actor } from '../log/changes.ts';
import type { WriteContext } from '../log/write-context.ts';
import { beginMemberships, endMemberships, type Membership } from './edges.ts';

/** Users to add to a group, and who adds them. */
export type Addition = { groupId: GroupId; userIds: readonly string[]; actor: Actor };

/** Adds live users of the tenant to a live group; returns those who were not members before. */
export async function addMembers(tx: WriteContext, addition: Addition): Promise<string[]> {
  return recordAdded(tx, [addition], await insertMembers(tx, [addition])).get(addition)!;
}

/**
 * Inserts the users of each addition, all or none: none where the group or one of the users is not live. Returns the memberships
 * that are new, for `recordAdded`, which needs the valid additions alone.
 */
export async function insertMembers(tx: WriteContext, additions: readonly Addition[]): Promise<Membership[]> {
  const rows = additions.flatMap(({ groupId, userIds, actor }, item) =>
    userIds.map((userId) => ({ item, groupId, userId, actor })),
  );
  if (rows.length === 0) return [];
  return beginMemberships(
    tx,
    Prisma.sql`
      with a as materialized (
        select a.*, u.id is not null as is_known
        from unnest(${rows.map(({ item }) => item)}::int[], ${rows.map(({ groupId }) => groupId)}::text[],
          ${rows.map(({ userId }) => userId)}::text[], ${rows.map(({ actor }) => actor.id)}::text[])
          a(item, group_id, user_id, added_by)
        left join users u on u.tenant_id = ${tx.tenantId} and u.id = a.user_id and u.until is null)
      select distinct on (a.group_id, a.user_id) a.group_id, a.user_id, a.added_by
      from a join groups g on g.tenant_id = ${tx.tenantId} and g.id = a.group_id and g.deleted_at is null
      where a.item not in (select item from a where not is_known)
      order by a.group_id, a.user_id, a.item`,
  );
}

/** Records valid additions: for each, in its order, those who are new. A membership that two request is the first one's. */
export function recordAdded<A extends Addition>(
  tx: WriteContext,
  additions: readonly A[],
  begun: readonly Membership[],
): Map<A, string[]> {
  const isNew = new Set(begun.map(pairKey));
  const addedOf = new Map<A, string[]>();
  for (const addition of additions) {
    const { groupId, actor } = addition;
    // Deleted, so that a second addition of the same membership finds it present.
    const userIds = addition.userIds.filter((userId) => isNew.delete(pairKey({ groupId, userId })));
    if (userIds.length > 0) tx.record({ type: 'group_membership.added', groupId, userIds, actor });
    addedOf.set(addition, userIds);
  }
  return addedOf;
}

const pairKey = ({ groupId, userId }: { groupId: string; userId: string }) => `${groupId} ${userId}`;

/** Removes users from a group; returns those who were members before, in the order of `userIds`. */
export async function removeMembers(
  tx: WriteContext,
  groupId: GroupId,
  userIds: readonly string[],
): Promise<string[]> {
  if (userIds.length === 0) return [];
  const memberships = await endMemberships(tx, {
    where: Prisma.sql`group_id = ${groupId} and user_id = any(${[...userIds]}::text[])`,
    cause: 'REMOVED',
  });
  const members = new Set<string>(memberships.map(({ userId }) => userId));
  const removed = [...new Set(userIds)].filter((id) => members.has(id));
  if (removed.length > 0)
    tx.record({ type: 'group_membership.removed', groupId, userIds: removed, cause: 'REMOVED' });
  return removed;
}
