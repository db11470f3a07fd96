// Adds direct members to a group. Concurrent requests share one transaction, and so one commit and one position of the log.

import { Prisma, type Query } from '../../database/database.ts';
import { databaseError, UnknownOutcome } from '../../database/errors.ts';
import { isDirectoryError, refuse } from '../../model/errors.ts';
import type { GroupId, TenantId } from '../../model/ids.ts';
import { parseInput } from '../../model/input.ts';
import { type GroupMembersInput, groupMembersInput } from '../../model/members.ts';
import { type Directory, mayChange, type Positioned, type Reader } from '../directory.ts';
import { inChunks } from '../loading/batching.ts';
import { readerFor } from '../loading/routing.ts';
import { actorOf, changeTenant } from '../log/write-context.ts';
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
import { assertBatchSize } from './rules/targets.ts';

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
 * next one. After an error that is not temporary, each request is tried by itself.
 */
const additions = sharedBatches<Request, Outcome | null>((reader, items) => {
  const addAll = async (chunk: readonly Request[]): Promise<(Outcome | Error | null)[]> => {
    try {
      return await addTogether(reader, chunk);
    } catch (cause) {
      const error = databaseError(cause) as Error;
      // What is temporary would be the same for each of them.
      if (chunk.length === 1 || isDirectoryError(error)) return chunk.map(() => error);
      const outcomes: (Outcome | Error | null)[] = [];
      for (const item of chunk) outcomes.push(...(await addAll([item])));
      return outcomes;
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
  const taken = (next: number) => {
    position = next;
  };
  const add = (query: Query) => {
    const changing = changeTenant({ query, tenantId, actor, taken }, async (tx) => {
      const { groups, unknown } = await reading;
      const found = items.map((item) => {
        const group = groups.get(item.groupId);
        return group ? { item, group, unknown: item.userIds.filter((id) => unknown.has(id)) } : null;
      });
      const valid = found.filter((each) => each !== null && each.unknown.length === 0);
      const added = await addMembers(
        tx,
        valid.map((each) => each!.item),
      );
      const addedOf = new Map(valid.map((each, index) => [each!.item, added[index]!]));
      return { found, addedOf };
    });
    // Sent right behind the lock of the log: it waits with it, and reads what is there after it.
    const reading = readTargets(query, tenantId, items);
    reading.catch(() => {});
    return changing;
  };
  const changed = await db.transaction(add, { turn: tenantId }).catch((error: unknown) => {
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

/** The live groups of the items, and those ids of users that are no live ones. One statement: a batch waits for it. */
async function readTargets(query: Query, tenantId: TenantId, items: readonly Addition[]) {
  const groupIds = items.map(({ groupId }) => groupId);
  const userIds = [...new Set(items.flatMap((item) => item.userIds))];
  const rows = await query<Group & { unknown: string[] | null }>(Prisma.sql`
    select ${groupColumns}, case when row_number() over () = 1 then array(
      select r.id from unnest(${userIds}::text[]) r(id)
      where not exists (select from users u where u.tenant_id = ${tenantId} and u.id = r.id and u.until is null)) end as unknown
    from ${groupsWithIds(tenantId, groupIds)} where g.deleted_at is null`);
  const groups = new Map<GroupId, Group>(rows.map(({ unknown, ...group }) => [group.id, group]));
  return { groups, unknown: new Set(rows.flatMap(({ unknown }) => unknown ?? [])) };
}
