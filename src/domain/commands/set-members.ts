// Makes users the only direct members of a group: adds those who are missing and removes the others.

import { Prisma } from '../../database/database.ts';
import { refuse } from '../../model/errors.ts';
import { parseInput } from '../../model/input.ts';
import { MAX_SET_MEMBERS, type SetGroupMembersInput, setGroupMembersInput } from '../../model/members.ts';
import type { Directory } from '../directory.ts';
import type { WriteContext } from '../log/write-context.ts';
import type { Group } from '../rows/groups.ts';
import { requireLiveGroup } from '../writes/groups.ts';
import { addMembers, removeMembers } from '../writes/memberships.ts';
import type { Removed } from './change-members.ts';
import { assertKnownUsers, requireGroupToChange } from './rules/targets.ts';

export type SetMembers = Omit<Removed, 'unchanged'> & { added: string[] };

/**
 * Sets the direct members of a group; memberships that stay are left as they are. With `expectedPosition` only if no membership
 * of the group has begun or ended after that position.
 * Refused: NOT_FOUND, FORBIDDEN, LIMIT_EXCEEDED (more than 10,000 users), UNKNOWN_USERS, VERSION_CONFLICT.
 */
export async function setGroupMembers(
  directory: Directory,
  input: SetGroupMembersInput,
): Promise<SetMembers> {
  const { groupId, userIds, expectedPosition } = parseInput(setGroupMembersInput, input);
  const message = `A group can be set to at most ${MAX_SET_MEMBERS} members at once; this call names ${userIds.length}`;
  if (userIds.length > MAX_SET_MEMBERS) throw refuse.limit(MAX_SET_MEMBERS, message);
  const { tenantId } = await requireGroupToChange(directory, groupId);
  return directory.transact(tenantId, async (tx) => {
    const group = await requireLiveGroup(tx, groupId);
    if (expectedPosition != null) await assertUnchangedSince(tx, group, expectedPosition);
    await assertKnownUsers(tx, userIds);
    const wanted = new Set<string>(userIds);
    const members = await tx.query<{ userId: string }>(Prisma.sql`
      select user_id as "userId" from memberships where tenant_id = ${tenantId} and group_id = ${groupId} order by user_id`);
    const present = new Set(members.map(({ userId }) => userId));
    const added = await addMembers(tx, {
      groupId,
      userIds: [...wanted].filter((id) => !present.has(id)),
      actor: tx.actor,
    });
    const removed = await removeMembers(
      tx,
      groupId,
      [...present].filter((id) => !wanted.has(id)),
    );
    return { group: { ...group, memberCount: wanted.size }, added, removed };
  });
}

/** Refused with VERSION_CONFLICT if a membership of the group began or ended after the position, or the log does not reach it. */
async function assertUnchangedSince(
  { query, tenantId, position }: WriteContext,
  group: Group,
  since: number,
) {
  const [row] = await query<{ hasChanged: boolean }>(Prisma.sql`
    select exists (select from memberships
        where tenant_id = ${tenantId} and group_id = ${group.id} and since > ${since}::bigint)
      or exists (select from membership_history
        where tenant_id = ${tenantId} and group_id = ${group.id} and until > ${since}::bigint) as "hasChanged"`);
  if (row!.hasChanged || since >= position)
    throw refuse.versionConflict(
      group.version,
      `The members of the group have changed since position ${since}`,
    );
}
