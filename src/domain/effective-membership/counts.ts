// How many effective members groups have: cached until the log has a change of them, and then updated by that change alone.

import { Prisma } from '../../database/database.ts';
import type { Reader } from '../directory.ts';
import type { Head } from '../log/changes.ts';
import { type Entry, earlier, isSameAt, later, logCache } from '../sharing/log-cache.ts';
import { holdsColumn, readTail, type Tail } from '../sharing/tail.ts';
import { type NestingClosure, readClosures } from './closure.ts';

/** Users whose memberships have changed since a count. With more, counting from scratch costs less. */
const MAX_USERS = 2_000;

type Count = { count: number; closure: NestingClosure };

const countCache = logCache<Count>(() => 0);

/**
 * Counts the effective members of each group; null for a group that is not visible. One statement if nothing changed or nothing
 * is cached; one more if direct members below changed, or nestings did.
 */
export async function loadEffectiveCounts(
  reader: Reader,
  ids: readonly string[],
): Promise<(Entry<Count> | null)[]> {
  const counts = new Map<string, Entry<Count>>();
  const cached = ids.filter((id) => countCache.peek(reader, id));
  const tail = cached.length > 0 ? await readTail(reader) : null;
  if (tail) {
    for (const id of cached) {
      const valid = countCache.get(reader, id, tail);
      if (valid) counts.set(id, valid);
    }
    const outdated = cached.filter((id) => !counts.has(id));
    // As it is now: other requests read the tail on.
    const { head } = tail;
    for (const [id, count] of await carryTo(reader, tail, head, outdated)) {
      counts.set(id, cacheCount(reader, id, count, head));
    }
  }
  const rest = ids.filter((id) => !counts.has(id));
  for (const [id, { entry, count }] of await readClosures(reader, rest, true)) {
    counts.set(id, cacheCount(reader, id, { count: count!, closure: entry.value }, entry.head));
  }
  return ids.map((id) => counts.get(id) ?? null);
}

/**
 * The count at the position of something else that was read, earlier or later than the cached count. Null if it is unknown:
 * nothing is cached, a nesting below the group changed, or too much did.
 */
export async function effectiveCountAt(reader: Reader, id: string, head: Head): Promise<number | null> {
  const entry = countCache.peek(reader, id);
  const tail = entry ? await readTail(reader, later(entry.head, head)) : null;
  return (tail && (await carryTo(reader, tail, head, [id])).get(id)?.count) ?? null;
}

const cacheCount = (reader: Reader, id: string, value: Count, head: Head): Entry<Count> =>
  countCache.set(reader, id, {
    value,
    head,
    sources: { members: value.closure.ids, nestings: value.closure.ids },
  });

/** Whether the group had the same groups nested below it at the position as at that of its count. */
const isSameClosure = (tail: Tail, { value, head }: Entry<Count>, other: Head) =>
  isSameAt(tail, other, { head, sources: { nestings: value.closure.ids } });

/**
 * Counts at the position, from cached ones at others of the same history: each user whose memberships in a closure have changed
 * is compared with the history, as it was at the one position and at the other. A count near the root of everything then costs
 * as much as the changes did, not as much as it has members; and what is committed meanwhile does not matter. Absent from the
 * result: counts whose closure or too much else changed, and all of them if the log has lost one of the positions.
 */
async function carryTo(
  reader: Reader,
  tail: Tail,
  head: Head,
  ids: readonly string[],
): Promise<Map<string, Count>> {
  const entries = ids.flatMap((id): [string, Entry<Count>][] => {
    const entry = countCache.peek(reader, id);
    return entry && isSameClosure(tail, entry, head) ? [[id, entry]] : [];
  });
  const counts = new Map<string, Count>();
  if (entries.length === 0) return counts;
  const cached = entries.map(([, entry]) => entry);
  const rows = await readDeltas(reader, tail, head, cached).catch((error) => {
    // Starting from scratch may succeed where following the changes did not.
    for (const [id] of entries) countCache.delete(reader, id);
    throw error;
  });
  for (const { ordinal, delta, holds } of rows) {
    const [id, { value }] = entries[ordinal - 1]!;
    if (holds && delta !== null) counts.set(id, { ...value, count: value.count + delta });
  }
  return counts;
}

function readDeltas(reader: Reader, tail: Tail, head: Head, entries: readonly Entry<Count>[]) {
  const { tenantId } = reader;
  const column = <Value>(of: (entry: Entry<Count>) => Value) => entries.map(of);
  const changed = (entry: Entry<Count>) =>
    tail.membersChanged(entry.value.closure.ids, earlier(entry.head, head)).join(',');
  const latest = entries.map((entry) => entry.head).reduce(later, head);
  const to = Prisma.sql`${head.position}::bigint`;
  return reader.sql<{ ordinal: number; holds: boolean; delta: number | null }>(Prisma.sql`
    with k as materialized (
      select *, least(since, ${to}) as earlier from unnest(${column(({ value }) => value.closure.ids)}::text[],
        ${column(changed)}::text[], ${column(({ head }) => head.position)}::bigint[])
        with ordinality k(ids, changed, since, ordinal)),
    reach as materialized (select k.ordinal, i.id from k cross join unnest(string_to_array(k.ids, ',')) i(id))
    select k.ordinal::int as ordinal, ${holdsColumn(reader, latest)} as holds,
      case when d.users <= ${MAX_USERS}::int then d.delta end as delta
    from k cross join lateral (
      select count(*)::int as users, coalesce(sum(x.is_member::int - x.was_member::int), 0)::int as delta
      from (
        select c.user_id from (
          select m.user_id from unnest(string_to_array(k.changed, ',')) g(id)
          join memberships m on m.tenant_id = ${tenantId} and m.group_id = g.id and m.since > k.earlier
          union
          select h.user_id from unnest(string_to_array(k.changed, ',')) g(id)
          join membership_history h on h.tenant_id = ${tenantId} and h.group_id = g.id and h.until > k.earlier) c
        limit ${MAX_USERS + 1}::int) u
      cross join lateral (
        select coalesce(bool_or(m.since <= ${to} and m.until > ${to}), false) as is_member,
          coalesce(bool_or(m.since <= k.since and m.until > k.since), false) as was_member
        from (
          select group_id, since, ${NEVER} as until from memberships where tenant_id = ${tenantId} and user_id = u.user_id
          union all
          select group_id, since, until from membership_history
          where tenant_id = ${tenantId} and user_id = u.user_id and until > k.earlier
          offset 0) m
        where ((k.ordinal, m.group_id) in (select ordinal, id from reach)) is true) x) d`);
}

/** The end of what has not ended: after every position. */
const NEVER = Prisma.sql`9223372036854775807::bigint`;
