// How many effective members groups have: cached until the log has a change of them, and then updated by that change alone.

import { Prisma } from '../../database/database.ts';
import type { Reader } from '../directory.ts';
import type { Head } from '../log/changes.ts';
import { type Entry, logCache } from '../log/log-cache.ts';
import { headColumn, parseHead, readTail, type Tail } from '../log/tail.ts';
import { cacheClosure, type NestingClosure, readClosures } from './closure.ts';

/** Users whose memberships have changed since a count. With more, counting from scratch costs less. */
const MAX_USERS = 2_000;

type Count = { count: number; closure: NestingClosure };

const countCache = logCache<Count>(() => 0);

/** A count of effective members, and the position that it is of. */
export type Counted = { count: number; head: Head };

/**
 * Counts the effective members of each group; null for a group that is not visible. One statement if nothing changed; two if
 * direct members below changed, or if a count starts from scratch.
 */
export async function loadEffectiveCounts(
  reader: Reader,
  ids: readonly string[],
): Promise<(Counted | null)[]> {
  const tail = await readTail(reader);
  if (!tail) return ids.map(() => null);
  const counts = new Map<string, Counted>();
  const outdated = new Map<string, Entry<Count>>();
  for (const id of ids) {
    const entry = countCache.get(reader, id, tail);
    if (entry) counts.set(id, counted(entry));
    const before = entry ? undefined : countCache.peek(reader, id);
    if (before && tail.holds(before.head) && !hasNestingChanged(tail, before)) outdated.set(id, before);
  }
  for (const [id, entry] of await applyDeltas(reader, tail, outdated)) {
    counts.set(id, counted(countCache.set(reader, id, entry)));
  }
  const rest = ids.filter((id) => !counts.has(id));
  for (const [id, { closure, head, count }] of await readClosures(reader, rest, true)) {
    cacheClosure(reader, id, closure, head);
    counts.set(id, counted(cacheCount(reader, id, { count: count!, closure }, head)));
  }
  return ids.map((id) => counts.get(id) ?? null);
}

/** The cached count of a group, if it is valid at the head of the tail; else null. */
export const validCount = (reader: Reader, id: string, tail: Tail): number | null =>
  countCache.get(reader, id, tail)?.value.count ?? null;

const counted = ({ value, head }: Entry<Count>): Counted => ({ count: value.count, head });

const cacheCount = (reader: Reader, id: string, value: Count, head: Head): Entry<Count> =>
  countCache.set(reader, id, entryOf(value, head));

const entryOf = (value: Count, head: Head): Entry<Count> => ({
  value,
  head,
  sources: { members: value.closure.ids, nestings: value.closure.ids },
});

const hasNestingChanged = (tail: Tail, { value, head }: Entry<Count>) =>
  tail.hasChanged({ nestings: value.closure.ids }, head);

/**
 * Updates counts by the users whose memberships in their closures have changed: each is compared with the history, as it was
 * at the count and as it is now. A count near the root of everything then costs as much as the changes did, not as much as it
 * has members. Absent from the result: counts with too many changes, and those whose nestings changed meanwhile.
 */
async function applyDeltas(
  reader: Reader,
  tail: Tail,
  outdated: ReadonlyMap<string, Entry<Count>>,
): Promise<Map<string, Entry<Count>>> {
  const updated = new Map<string, Entry<Count>>();
  if (outdated.size === 0) return updated;
  const rows = await readDeltas(reader, tail, [...outdated.values()]);
  const head = parseHead(rows[0]!.head);
  const now = tail.holds(head) ? tail : await readTail(reader, head);
  const ids = [...outdated.keys()];
  for (const { ordinal, delta } of rows) {
    const id = ids[ordinal - 1]!;
    const entry = outdated.get(id)!;
    const isOfThisHistory = now?.holds(head) && now.holds(entry.head) && !hasNestingChanged(now, entry);
    if (delta === null || !isOfThisHistory) continue;
    const { count, closure } = entry.value;
    updated.set(id, entryOf({ count: count + delta, closure }, head));
  }
  return updated;
}

function readDeltas(reader: Reader, tail: Tail, entries: readonly Entry<Count>[]) {
  const { tenantId } = reader;
  const column = <Value>(of: (entry: Entry<Count>) => Value) => entries.map(of);
  return reader.sql<{ ordinal: number; head: string; delta: number | null }>(Prisma.sql`
    with k as materialized (
      select * from unnest(${column(({ value }) => value.closure.ids)}::text[],
        ${column(({ value, head }) => tail.membersChanged(value.closure.ids, head).join(','))}::text[],
        ${column(({ head }) => head.position)}::bigint[]) with ordinality k(ids, changed, since, ordinal)),
    reach as materialized (select k.ordinal, i.id from k cross join unnest(string_to_array(k.ids, ',')) i(id))
    select k.ordinal::int as ordinal, ${headColumn(reader)} as head,
      case when d.users <= ${MAX_USERS}::int then d.delta end as delta
    from k cross join lateral (
      select count(*)::int as users, coalesce(sum(x.is_member::int - x.was_member::int), 0)::int as delta
      from (
        select c.user_id from (
          select m.user_id from unnest(string_to_array(k.changed, ',')) g(id)
          join memberships m on m.tenant_id = ${tenantId} and m.group_id = g.id and m.since > k.since
          union
          select h.user_id from unnest(string_to_array(k.changed, ',')) g(id)
          join membership_history h on h.tenant_id = ${tenantId} and h.group_id = g.id and h.until > k.since) c
        limit ${MAX_USERS + 1}::int) u
      cross join lateral (
        select coalesce(bool_or(m.until is null), false) as is_member,
          coalesce(bool_or(m.since <= k.since), false) as was_member
        from (
          select group_id, since, null::bigint as until from memberships where tenant_id = ${tenantId} and user_id = u.user_id
          union all
          select group_id, since, until from membership_history
          where tenant_id = ${tenantId} and user_id = u.user_id and until > k.since
          offset 0) m
        where ((k.ordinal, m.group_id) in (select ordinal, id from reach)) is true) x) d`);
}
