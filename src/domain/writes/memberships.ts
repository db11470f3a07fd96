// Adds members to one group and removes them, and records the event of each change.
import { Prisma } from '../../database/database.ts';
import type { GroupId } from '../../model/ids.ts';
import type { WriteContext } from '../log/write-context.ts';
import { beginMemberships, endMemberships, type Membership } from './edges.ts';

/** Adds users of the tenant to a group; returns those who were not members before, in the order of `userIds`. */
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
  const added = usersInOrder(userIds, memberships);
  if (added.length > 0) tx.record({ type: 'group_membership.added', groupId, data: { userIds: added } });
  return added;
}

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
  if (removed.length > 0) {
    tx.record({ type: 'group_membership.removed', groupId, data: { userIds: removed, cause: 'REMOVED' } });
  }
  return removed;
}

/** The distinct users of the memberships, in the order of `userIds`. */
function usersInOrder(userIds: readonly string[], memberships: readonly Membership[]): string[] {
  const members = new Set<string>(memberships.map(({ userId }) => userId));
  return [...new Set(userIds)].filter((id) => members.has(id));
}
