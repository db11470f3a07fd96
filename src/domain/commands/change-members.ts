// Removes direct members of a group, or adds and removes them in one transaction.

import { parseInput } from '../../model/input.ts';
import {
  type GroupMembersInput,
  groupMembersInput,
  type UpdateGroupMembersInput,
  updateGroupMembersInput,
} from '../../model/members.ts';
import type { Directory, Positioned } from '../directory.ts';
import type { Group } from '../rows/groups.ts';
import { requireLiveGroup } from '../writes/groups.ts';
import { addMembers, removeMembers } from '../writes/memberships.ts';
import type { Added } from './add-members.ts';
import { assertBatchSize, assertKnownUsers, requireGroupToChange } from './rules/targets.ts';

export type Removed = Positioned & { group: Group; removed: string[]; unchanged: string[] };

/**
 * Removes users from a group; users who are not members are returned as `unchanged`.
 * Refused: NOT_FOUND, FORBIDDEN, LIMIT_EXCEEDED, UNKNOWN_USERS.
 */
export async function removeGroupMembers(directory: Directory, input: GroupMembersInput): Promise<Removed> {
  const { groupId, userIds } = parseInput(groupMembersInput, input);
  const changed = await changeMembers(directory, { groupId, add: [], remove: userIds });
  const { group, removed, unchanged, position } = changed;
  return { group, removed, unchanged, position };
}

/**
 * Adds and removes users in one transaction.
 * Refused: NOT_FOUND, FORBIDDEN, LIMIT_EXCEEDED, UNKNOWN_USERS, VALIDATION_FAILED (a user in both lists).
 */
export async function updateGroupMembers(
  directory: Directory,
  input: UpdateGroupMembersInput,
): Promise<Added & Removed> {
  const { groupId, usersToAdd, usersToRemove } = parseInput(updateGroupMembersInput, input);
  return changeMembers(directory, { groupId, add: usersToAdd ?? [], remove: usersToRemove ?? [] });
}

type Changes = { groupId: Group['id']; add: readonly string[]; remove: readonly string[] };

async function changeMembers(
  directory: Directory,
  { groupId, add, remove }: Changes,
): Promise<Added & Removed> {
  assertBatchSize(add, remove);
  const { tenantId } = await requireGroupToChange(directory, groupId);
  return directory.transact(tenantId, async (tx) => {
    const group = await requireLiveGroup(tx, groupId);
    await assertKnownUsers(tx, [...add, ...remove]);
    const added = await addMembers(tx, { groupId, userIds: [...new Set(add)], actor: tx.actor });
    const removed = await removeMembers(tx, groupId, remove);
    const changed = new Set([...added, ...removed]);
    const unchanged = [...new Set([...add, ...remove])].filter((id) => !changed.has(id));
    const memberCount = group.memberCount + added.length - removed.length;
    return { group: { ...group, memberCount }, added, removed, unchanged };
  });
}
