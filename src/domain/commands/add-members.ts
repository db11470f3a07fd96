// Adds direct members to a group. Concurrent requests share one transaction, and so one commit and one position of the log.

import { Prisma } from '../../database/database.ts';
import { databaseError } from '../../database/errors.ts';
import { chunksOf } from '../../model/chunks.ts';
import { isDirectoryError, isTemporary, refuse } from '../../model/errors.ts';
import type { GroupId, TenantId } from '../../model/ids.ts';
import { parseInput } from '../../model/input.ts';
import { type GroupMembersInput, groupMembersInput } from '../../model/members.ts';
import { type Directory, mayChange, type Positioned, perDatabase, type Reader } from '../directory.ts';
import { readerFor } from '../loading/routing.ts';
import { actorOf, change, type WriteContext } from '../log/write-context.ts';
import { requireGroup } from '../queries/groups.ts';
import { type Group, groupColumns, groupsWithIds } from '../rows/groups.ts';
import { type Addition, insertMembers, recordAdded } from '../writes/memberships.ts';
import { assertBatchSize } from './rules/targets.ts';

export type Added = { group: Group; added: string[]; unchanged: string[] };

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
  const outcome = await addWithOthers(reader, addition);
  if (!outcome) throw refuse.notFound(groupId);
  const { group, unknown, added, position } = outcome;
  if (unknown.length > 0) throw refuse.unknownUsers(unknown);
  directory.committed(group.tenantId, position);
  const isAdded = new Set(added);
  const unchanged = addition.userIds.filter((id) => !isAdded.has(id));
  return { group, added, unchanged, position };
}

/** What became of an addition; null if its group is not live in the tenant. Nothing is added if users are `unknown`. */
type Outcome = ({ group: Group; unknown: string[]; added: string[] } & Positioned) | null;

/** An addition that waits for the lock. If its signal has aborted by then, it is not made. */
type Waiting = Addition &
  Omit<PromiseWithResolvers<Outcome>, 'promise'> & { signal: AbortSignal | undefined };

/** Ids of users that one transaction adds, unless one addition alone has more. */
const MAX_USERS = 1_000;

/** For each tenant, the additions that wait for the lock of its log. */
const queues = perDatabase(() => new Map<TenantId, Waiting[]>());

/**
 * Adds with all others that wait when the lock is granted, as one change. The longer another process holds the lock, the more
 * they become, and they need one commit.
 */
function addWithOthers(reader: Reader, addition: Omit<Waiting, 'resolve' | 'reject'>): Promise<Outcome> {
  const { promise, ...settle } = Promise.withResolvers<Outcome>();
  const waiting = { ...addition, ...settle };
  const queue = queues(reader.db).get(reader.tenantId);
  if (queue) queue.push(waiting);
  else addAll(reader, [waiting]).catch(settle.reject);
  return promise;
}

/** Settles all in the queue, and those who join it meanwhile. */
async function addAll(reader: Reader, queue: Waiting[]): Promise<void> {
  queues(reader.db).set(reader.tenantId, queue);
  while (queue.length > 0) {
    const waiting = queue.length;
    let taken: Waiting[] | undefined;
    // The same for each attempt of the transaction.
    const take = () => {
      taken ??= takeFrom(queue);
      return taken;
    };
    try {
      await addTogether(reader, queue[0]!, take);
    } catch (error) {
      // Those who came later have not waited as long.
      const failed = taken ?? queue.splice(0, waiting);
      let cause = error;
      for (const item of failed) {
        // What is temporary would be the same for each of them.
        if (failed.length === 1 || isDirectoryError(cause)) item.reject(cause);
        else
          await addTogether(reader, item, () => inTime([item])).catch((own) => {
            item.reject(own);
            // What became of its commit says nothing of the others.
            if (isTemporary(own)) cause = own;
          });
      }
    }
  }
  queues(reader.db).delete(reader.tenantId);
}

/** Takes out those who have waited longest, as far as they are in time. */
function takeFrom(queue: Waiting[]): Waiting[] {
  const [first = []] = chunksOf(queue.slice(0, MAX_USERS), ({ userIds }) => userIds.length, MAX_USERS);
  return inTime(queue.splice(0, first.length));
}

/** Rejects those whose time is up, and returns the others. */
function inTime(items: readonly Waiting[]): Waiting[] {
  for (const { signal, reject } of items) if (signal?.aborted) reject(databaseError(signal.reason));
  return items.filter(({ signal }) => !signal?.aborted);
}

/** Adds those that `take` returns once the lock is granted, each all of its users or none, and resolves them. */
async function addTogether(
  { db, tenantId }: Reader,
  { actor }: Addition,
  take: () => readonly Waiting[],
): Promise<void> {
  const changed = await change(db, { tenantId, actor }, async (tx) => {
    const items = take();
    const [targets, begun] = await Promise.all([readTargets(tx, items), insertMembers(tx, items)]);
    for (const { groupId } of begun) targets.groups.get(groupId)!.memberCount += 1;
    const found = items.map((item) => {
      const unknown = item.userIds.filter((id) => targets.unknown.has(id));
      return { item, unknown, group: targets.groups.get(item.groupId) };
    });
    const valid = found.filter(({ group, unknown }) => group && unknown.length === 0);
    return {
      found,
      addedOf: recordAdded(
        tx,
        valid.map(({ item }) => item),
        begun,
      ),
    };
  });
  if (!changed) for (const { resolve } of take()) resolve(null);
  else
    for (const { item, unknown, group } of changed.found) {
      const added = changed.addedOf.get(item) ?? [];
      item.resolve(group ? { group, unknown, added, position: changed.position } : null);
    }
}

/** The live groups of the items, and those ids of users that are no live ones. One statement: a batch waits for it. */
async function readTargets({ query, tenantId }: WriteContext, items: readonly Addition[]) {
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
