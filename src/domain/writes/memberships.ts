// Adds members to groups and removes them, and records the changes.
import { Prisma } from '../../database/database.ts';
import type { GroupId } from '../../model/ids.ts';
import type { Actor } from '../log/changes.ts';
import type { WriteContext } from '../log/write-context.ts';
import { beginMemberships, endMemberships, type Membership } from './edges.ts';

/** Live users of the tenant to add to a live group, and who adds them. */
export type Addition = { groupId: GroupId; userIds: readonly string[]; actor: Actor };

/** For each addition, the users who were not members before, in its order. A membership that two request is the first one's. */
export async function addMembers(tx: WriteContext, additions: readonly Addition[]): Promise<string[][]> {
  const pairs = new Map<string, { groupId: GroupId; userId: string; actor: Actor }>();
  for (const { groupId, userIds, actor } of additions) {
    for (const userId of userIds) {
      const key = pairKey({ groupId, userId });
      if (!pairs.has(key)) pairs.set(key, { groupId, userId, actor });
    }
  }
  if (pairs.size === 0) return additions.map(() => []);
  const rows = [...pairs.values()];
  const begun = await beginMemberships(
    tx,
    Prisma.sql`select * from unnest(${rows.map(({ groupId }) => groupId)}::text[], ${rows.map(({ userId }) => userId)}::text[],
      ${rows.map(({ actor }) => actor.id)}::text[]) m(group_id, user_id, added_by)`,
  );
  const isNew = new Set(begun.map(pairKey));
  return additions.map(({ groupId, userIds, actor }) => {
    // Deleted, so that a second addition of the same membership finds it present.
    const added = userIds.filter((userId) => isNew.delete(pairKey({ groupId, userId })));
    if (added.length > 0) tx.record({ type: 'group_membership.added', groupId, userIds: added, actor });
    return added;
  });
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
  const removed = usersInOrder(userIds, memberships);
  if (removed.length > 0)
    tx.record({ type: 'group_membership.removed', groupId, userIds: removed, cause: 'REMOVED' });
  return removed;
}

/** The distinct users of the memberships, in the order of `userIds`. */
function usersInOrder(userIds: readonly string[], memberships: readonly Membership[]): string[] {
  const members = new Set<string>(memberships.map(({ userId }) => userId));
  return [...new Set(userIds)].filter((id) => members.has(id));
}
