// Adds direct members to a group. Concurrent requests share one transaction, and so one commit and one position of the log.

import { Prisma } from '../../database/database.ts';
import { databaseError, isLostConnection, UnknownOutcome } from '../../database/errors.ts';
import { isDirectoryError, refuse } from '../../model/errors.ts';
import type { GroupId } from '../../model/ids.ts';
import { parseInput } from '../../model/input.ts';
import { type GroupMembersInput, groupMembersInput } from '../../model/members.ts';
import { type Directory, mayChange, type Positioned, type Reader } from '../directory.ts';
import { inChunks } from '../loading/batching.ts';
import { readerFor } from '../loading/routing.ts';
import { actorOf, changeTenant, type WriteContext } from '../log/write-context.ts';
import { requireGroup } from '../queries/groups.ts';
import {
  type Group,
  type GroupWithoutCounts,
  groupColumns,
  groupsWithIds,
  withoutCounts,
} from '../rows/groups.ts';
import { sharedBatches } from '../sharing/shared-batches.ts';
import { type Addition, addMembers } from '../writes/memberships.ts';
import { assertBatchSize, knownUsers } from './rules/targets.ts';

export type Added = { group: GroupWithoutCounts; added: string[]; unchanged: string[] };

/**
 * Adds all users to a group, or none; users who are already members are returned as `unchanged`.
 * Refused: NOT_FOUND, FORBIDDEN, LIMIT_EXCEEDED, UNKNOWN_USERS.
 */
export async function addGroupMembers(
  directory: Directory,
  input: GroupMembersInput,
): Promise<Added & Positioned> {
  const { groupId, userIds } = parseInput(groupMembersInput, input);
  assertBatchSize(userIds);
  if (!mayChange(directory)) {
    await requireGroup(directory, groupId);
    throw refuse.forbidden();
  }
  const reader = await readerFor(directory, groupId);
  const { caller, signal } = directory;
  const addition = { groupId, userIds: [...new Set(userIds)], actor: actorOf(caller), signal };
  const outcome = await additions(reader).load(addition);
  if (!outcome) throw refuse.notFound(groupId);
  const { group, unknown, added, position } = outcome;
  if (unknown.length > 0) throw refuse.unknownUsers(unknown);
  directory.committed(group.tenantId, position);
  const isAdded = new Set(added);
  const unchanged = addition.userIds.filter((id) => !isAdded.has(id));
  return { group, added, unchanged, position };
}

/** An addition, and the signal that takes it out of a batch that has not begun. */
type Request = Addition & { signal: AbortSignal | undefined };

/** What became of an addition. Nothing is added if users are `unknown` in the tenant. */
type Outcome = { group: GroupWithoutCounts; unknown: string[]; added: string[] } & Positioned;

const sizeOf = ({ userIds }: Request) => userIds.length;

/**
 * One batch in flight per tenant: the tenant's lock lets no more of them work, and requests that arrive meanwhile share the
 * next one. After an error each request is tried by itself; after a lost connection the commit may have succeeded.
 */
const additions = sharedBatches<Request, Outcome | null>((reader, items) => {
  const addAll = async (chunk: readonly Request[]): Promise<(Outcome | Error | null)[]> => {
    try {
      return await addTogether(reader, chunk);
    } catch (error) {
      if (chunk.length > 1 && !isLostConnection(error) && !isDirectoryError(error)) {
        return (await Promise.all(chunk.map((item) => addAll([item])))).flat();
      }
      return chunk.map(() => databaseError(error) as Error);
    }
  };
  const addThoseInTime = async (chunk: readonly Request[]): Promise<(Outcome | Error | null)[]> => {
    const inTime = chunk.filter(({ signal }) => !signal?.aborted);
    const outcomes = inTime.length > 0 ? await addAll(inTime) : [];
    const outcomeOf = new Map(inTime.map((item, index) => [item, outcomes[index]!]));
    return chunk.map((item) =>
      outcomeOf.has(item) ? outcomeOf.get(item)! : (databaseError(item.signal!.reason) as Error),
    );
  };
  return inChunks(items, sizeOf, addThoseInTime);
}, 1);

/** Each item by itself: all of its users or none. Null for an item whose group is not live in the tenant. */
async function addTogether(
  { db, tenantId }: Reader,
  items: readonly Addition[],
): Promise<(Outcome | null)[]> {
  const { actor } = items[0]!;
  let position: number | undefined;
  const adding = db.transaction((query) =>
    changeTenant({ query, tenantId, actor }, async (tx) => {
      position = tx.position;
      const groups = await liveGroups(
        tx,
        items.map(({ groupId }) => groupId),
      );
      const known = await knownUsers(
        tx,
        items.flatMap(({ userIds }) => userIds),
      );
      const found = items.map((item) => {
        const group = groups.get(item.groupId);
        const unknown = item.userIds.filter((id) => !known.has(id));
        return group ? { item, group, unknown } : null;
      });
      const valid = found.filter((each) => each !== null && each.unknown.length === 0);
      const added = await addMembers(
        tx,
        valid.map((each) => each!.item),
      );
      const addedOf = new Map(valid.map((each, index) => [each!.item, added[index]!]));
      return { found, addedOf };
    }),
  );
  const changed = await adding.catch((error: unknown) => {
    throw error instanceof UnknownOutcome ? databaseError(error, position) : error;
  });
  if (!changed) return items.map(() => null);
  const { found, addedOf } = changed;
  return found.map(
    (each) =>
      each && {
        group: withoutCounts(each.group),
        unknown: each.unknown,
        added: addedOf.get(each.item) ?? [],
        position: changed.position,
      },
  );
}

async function liveGroups({ query, tenantId }: WriteContext, ids: readonly GroupId[]) {
  const rows = await query<Group>(Prisma.sql`
    select ${groupColumns} from ${groupsWithIds(tenantId, ids)} where g.deleted_at is null`);
  return new Map(rows.map((group) => [group.id, group]));
}
