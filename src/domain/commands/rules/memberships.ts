// Adding users to one group and removing them from it, with the event of each.
import { Prisma } from '../../../database/database.ts';
import type { GroupId } from '../../../model/ids.ts';
import type { WriteContext } from '../../log/write-context.ts';
import { beginMemberships, endMemberships, type Membership } from '../../writes/edges.ts';

/** Adds users of the tenant to a group; returns those who were not members before, in the order asked. */
export async function addMembers(
  tx: WriteContext,
  groupId: GroupId,
  userIds: readonly string[],
): Promise<string[]> {
  if (userIds.length === 0) return [];
  const memberships = await beginMemberships(
    tx,
    Prisma.sql`select distinct ${groupId} as group_id, id as user_id from unnest(${[...userIds]}::text[]) u(id)`,
  );
  const added = inOrder(userIds, memberships);
  if (added.length > 0) tx.record({ type: 'group_membership.added', groupId, data: { userIds: added } });
  return added;
}

/** Removes users from a group; returns those who were members, in the order asked. */
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
  const removed = inOrder(userIds, memberships);
  if (removed.length > 0) {
    tx.record({ type: 'group_membership.removed', groupId, data: { userIds: removed, cause: 'REMOVED' } });
  }
  return removed;
}

/** Users of the memberships: each once, in the order asked. */
function inOrder(asked: readonly string[], memberships: readonly Membership[]): string[] {
  const found = new Set<string>(memberships.map(({ userId }) => userId));
  return [...new Set(asked)].filter((id) => found.has(id));
}
