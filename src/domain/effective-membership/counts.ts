// How many effective members groups have: cached until the log has a change of them, and then updated by that change alone.

import { Prisma } from '../../database/database.ts';
import type { Reader } from '../directory.ts';
import type { Head } from '../log/changes.ts';
import { earlier, holdsColumn, later, readTail, type Tail } from '../sharing/tail.ts';
import { type Counted, cachedClosure, isSameClosure, type NestingClosure, readClosures } from './closure.ts';

/** Users whose memberships have changed since a count. With more, counting from scratch costs less. */
const MAX_USERS = 2_000;

/** A closure, and its count as it was found: other requests may replace it meanwhile. */
type CountedClosure = { closure: NestingClosure; counted: Counted };

/**
 * Counts the effective members of each group, now or at the head of something else that was read; absent for a group that is not
 * visible. One statement if nothing changed or nothing is cached; one more if direct members below changed, or nestings did.
 * A group that had to be counted from scratch may be counted at a later head.
 */
export async function loadCounts(
  reader: Reader,
  ids: readonly string[],
  at: Head | null,
): Promise<Map<string, Counted>> {
  const cached = new Map<string, CountedClosure>();
  for (const id of ids) {
    const closure = cachedClosure(reader, id);
    if (closure?.counted) cached.set(id, { closure, counted: closure.counted });
  }
  const heads = [...cached.values()].map(({ counted }) => counted.head);
  const tail = cached.size > 0 ? await readTail(reader, at && heads.reduce(later, at)) : null;
  const counts = tail ? await carryTo(reader, tail, at ?? tail.head, cached) : new Map<string, Counted>();
  const rest = ids.filter((id) => !counts.has(id));
  for (const [id, { counted }] of await readClosures(reader, rest, true)) counts.set(id, counted!);
  return counts;
}

/**
 * Counts at the head, from cached ones at others of the same history: each user whose memberships in a closure have changed
 * is compared with the history, as it was at the one position and at the other. A count near the root of everything then costs
 * as much as the changes did, not as much as it has members; and what is committed meanwhile does not matter. Absent from the
 * result: counts whose closure or too much else changed, and all of them if the log has lost one of the positions.
 */
async function carryTo(
  reader: Reader,
  tail: Tail,
  head: Head,
  cached: ReadonlyMap<string, CountedClosure>,
): Promise<Map<string, Counted>> {
  const counts = new Map<string, Counted>();
  const changed: Changed[] = [];
  for (const [id, { closure, counted }] of cached) {
    if (!isSameClosure(tail, closure, counted.head, head)) continue;
    const groupIds = tail.changed('members', closure.ids, earlier(counted.head, head));
    if (groupIds.length === 0) counts.set(id, { count: counted.count, head });
    else changed.push({ id, closure, counted, groupIds: groupIds.join(',') });
  }
  if (changed.length > 0) {
    const rows = await readDeltas(reader, head, changed).catch((error) => {
      // Starting from scratch may succeed where following the changes did not.
      for (const { closure, counted } of changed)
        if (closure.counted === counted) closure.counted = undefined;
      throw error;
    });
    for (const { ordinal, count } of rows)
      if (count !== null) counts.set(changed[ordinal - 1]!.id, { count, head });
  }
  for (const [id, counted] of counts) {
    const { closure } = cached.get(id)!;
    if (!closure.counted || later(closure.counted.head, head) === head) closure.counted = counted;
  }
  return counts;
}

/** A counted closure, and those of its groups whose members have changed since. */
type Changed = CountedClosure & { id: string; groupIds: string };

/** The count of each closure at the head; null if the log has lost a position, or too many users changed. */
function readDeltas(reader: Reader, head: Head, changed: readonly Changed[]) {
  const { tenantId } = reader;
  const latest = changed.map(({ counted }) => counted.head).reduce(later, head);
  const to = Prisma.sql`${head.position}::bigint`;
  return reader.sql<{ ordinal: number; count: number | null }>(Prisma.sql`
    with k as materialized (
      select *, least(since, ${to}) as earlier
      from unnest(${changed.map(({ closure }) => closure.ids)}::text[], ${changed.map(({ groupIds }) => groupIds)}::text[],
        ${changed.map(({ counted }) => counted.head.position)}::bigint[],
        ${changed.map(({ counted }) => counted.count)}::int[]) with ordinality k(ids, changed, since, count, ordinal)),
    reach as materialized (select k.ordinal, i.id from k cross join unnest(string_to_array(k.ids, ',')) i(id))
    select k.ordinal::int as ordinal,
      case when d.users <= ${MAX_USERS}::int and ${holdsColumn(reader, latest)} then k.count + d.delta end as count
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
