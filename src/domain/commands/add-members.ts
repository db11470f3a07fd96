// Adding direct members: what several requests add at the same time shares one statement, and so one commit.

import { databaseError, isLostConnection } from '../../database/errors.ts';
import { refuse } from '../../model/errors.ts';
import type { GroupId } from '../../model/ids.ts';
import { parseInput } from '../../model/input.ts';
import { type GroupMembersInput, groupMembersInput } from '../../model/members.ts';
import { type Directory, mayChange } from '../directory.ts';
import { inChunks, sharedBatches } from '../loading/batching.ts';
import { actorOf } from '../log/write-context.ts';
import { requireGroup } from '../queries/groups.ts';
import type { GroupWithoutCounts } from '../rows/groups.ts';
import { type Addition, insertMembershipBatches, type Outcome } from '../writes/membership-batches.ts';
import { assertBatchSize } from './rules/targets.ts';

export type Added = { group: GroupWithoutCounts; added: string[]; unchanged: string[] };

/** Adds users to a group; those who are members already are `unchanged`. Refused: NOT_FOUND, LIMIT_EXCEEDED, UNKNOWN_USERS. */
export async function addGroupMembers(directory: Directory, input: GroupMembersInput): Promise<Added> {
  const { groupId, userIds } = parseInput(groupMembersInput, input);
  assertBatchSize(userIds);
  if (!mayChange(directory)) {
    await requireGroup(directory, groupId);
    throw refuse.forbidden();
  }
  const outcome = await addAtOnce(directory, groupId, userIds);
  if (!outcome) throw refuse.notFound(groupId);
  const { group, known, added } = outcome;
  const unknown = userIds.filter((id) => !known.has(id));
  if (unknown.length > 0) throw refuse.unknownUsers([...new Set(unknown)]);
  const unchanged = [...known].filter((id) => !added.has(id));
  return { group, added: [...added], unchanged };
}

/**
 * Adds users to a group, or nobody unless all are users of its tenant; null if the group is not in sight. Additions of
 * requests that wait at the same time share a statement, which is their transaction: each is whole, or fails, alone.
 */
async function addAtOnce(
  directory: Directory,
  groupId: GroupId,
  userIds: readonly string[],
): Promise<Outcome | null> {
  const addition = { groupId, userIds: [...new Set(userIds)], actor: actorOf(directory.caller) };
  try {
    const outcome = await skippingLocked(directory).load(addition);
    if (outcome?.known.size === addition.userIds.length) return outcome;
    return await waiting(directory, groupId).load(addition);
  } finally {
    directory.forget();
  }
}

const sizeOf = ({ userIds }: Addition) => userIds.length;

/**
 * Passes over what others hold locked, so that nobody waits for a change that only another addition meets. One at a
 * time: who comes meanwhile shares the next commit, and a commit costs more than all else.
 */
const skippingLocked = sharedBatches<Addition, Outcome | null>(
  (directory, items) =>
    inChunks(items, sizeOf, async (part): Promise<(Outcome | Error | null)[]> => {
      try {
        return await insertMembershipBatches(directory, part, 'skip locked');
      } catch (error) {
        // What the server refused was rolled back; behind a lost connection all may have been done.
        return part.map(() => (isLostConnection(error) ? (databaseError(error) as Error) : null));
      }
    }),
  1,
);

/** Waits for what is locked; its items are of one group. What fails together is tried alone. */
const waiting = sharedBatches<Addition, Outcome | null>((directory, items) => {
  const addAll = async (part: readonly Addition[]): Promise<(Outcome | Error | null)[]> => {
    try {
      return await insertMembershipBatches(directory, part, 'wait');
    } catch (error) {
      if (part.length > 1 && !isLostConnection(error)) {
        return (await Promise.all(part.map((item) => addAll([item])))).flat();
      }
      return part.map(() => databaseError(error) as Error);
    }
  };
  return inChunks(items, sizeOf, addAll);
});
