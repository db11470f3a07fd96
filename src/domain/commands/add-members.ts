// Adds direct members to a group. Concurrent requests are batched into one statement, and so into one commit.

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

/**
 * Adds all users to a group, or none; users who are already members are returned as `unchanged`.
 * Refused: NOT_FOUND, FORBIDDEN, LIMIT_EXCEEDED, UNKNOWN_USERS.
 */
export async function addGroupMembers(directory: Directory, input: GroupMembersInput): Promise<Added> {
  const { groupId, userIds } = parseInput(groupMembersInput, input);
  assertBatchSize(userIds);
  if (!mayChange(directory)) {
    await requireGroup(directory, groupId);
    throw refuse.forbidden();
  }
  const outcome = await addInBatch(directory, groupId, userIds);
  if (!outcome) throw refuse.notFound(groupId);
  const { group, known, added } = outcome;
  const unknown = userIds.filter((id) => !known.has(id));
  if (unknown.length > 0) throw refuse.unknownUsers([...new Set(unknown)]);
  const unchanged = [...known].filter((id) => !added.has(id));
  return { group, added: [...added], unchanged };
}

/**
 * Adds users to a group if all are users of its tenant, else none; null if the group is not visible. Concurrent requests
 * share one statement, which is their transaction; within it each request succeeds or fails by itself.
 */
async function addInBatch(
  directory: Directory,
  groupId: GroupId,
  userIds: readonly string[],
): Promise<Outcome | null> {
  const addition = { groupId, userIds: [...new Set(userIds)], actor: actorOf(directory.caller) };
  try {
    const outcome = await skipLockedBatches(directory).load(addition);
    if (outcome?.known.size === addition.userIds.length) return outcome;
    return await waitingBatches(directory, groupId).load(addition);
  } finally {
    directory.forget();
  }
}

const sizeOf = ({ userIds }: Addition) => userIds.length;

/**
 * Batches that skip locked rows, so that no request waits for a lock that only another request of its batch needs; null
 * for a request whose group was skipped. One batch in flight per database and set of visible tenants: the commit
 * dominates the cost, and requests that arrive meanwhile share the next one.
 */
const skipLockedBatches = sharedBatches<Addition, Outcome | null>(
  (directory, items) =>
    inChunks(items, sizeOf, async (chunk): Promise<(Outcome | Error | null)[]> => {
      try {
        return await insertMembershipBatches(directory, chunk, 'skip locked');
      } catch (error) {
        // An error from the server means a rollback; after a lost connection the commit may have succeeded.
        return chunk.map(() => (isLostConnection(error) ? (databaseError(error) as Error) : null));
      }
    }),
  1,
);

/** Batches that wait for locks, one per group. After an error each request is retried by itself. */
const waitingBatches = sharedBatches<Addition, Outcome | null>((directory, items) => {
  const addAll = async (chunk: readonly Addition[]): Promise<(Outcome | Error | null)[]> => {
    try {
      return await insertMembershipBatches(directory, chunk, 'wait');
    } catch (error) {
      if (chunk.length > 1 && !isLostConnection(error)) {
        return (await Promise.all(chunk.map((item) => addAll([item])))).flat();
      }
      return chunk.map(() => databaseError(error) as Error);
    }
  };
  return inChunks(items, sizeOf, addAll);
});
