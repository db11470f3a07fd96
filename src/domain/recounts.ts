// Carrying counts of effective members forward: by the events of the groups whose members changed since, instead of by
// all members anew. So a count near the root of everything costs no more after a write than the write changed.
import { Prisma } from '../database/database.ts';
import { changesMembers, eventsSince, MAX_EVENTS } from './changes-since.ts';
import type { Seeing } from './directory.ts';
import type { Reach } from './reach.ts';

/** Changes and users in them that are followed for one count; beyond, counting anew is no slower. */
const MAX_CHANGES = 500;
const MAX_USERS = 2_000;

type Row = Pick<Reach, 'nestingVersion' | 'snapshot'> & { id: string; delta: number };

/**
 * What each group reaches with its count as it is now, from how it was counted, in one statement and so one snapshot.
 * Absent: groups not in sight; those under which nestings changed; and those with more changes than are followed, or with
 * a group that was restored or repaired: those events do not name its members.
 */
export async function recount(
  directory: Seeing,
  counted: ReadonlyMap<string, Reach>,
): Promise<Map<string, Reach>> {
  if (counted.size === 0) return new Map();
  const known = [...counted.values()];
  // `edges`: memberships of the users that events name, as they are now and as they were when the group was counted.
  const rows = await directory.sql<Row>(Prisma.sql`
    with k as materialized (
      select k.*, g.tenant_id, t.nesting_version from unnest(${[...counted.keys()]}::text[],
        ${known.map(({ ids }) => ids)}::text[], ${known.map(({ snapshot }) => snapshot)}::text[])
        with ordinality k(id, ids, snapshot, o)
      join groups g on g.id = k.id join tenants t on t.id = g.tenant_id
      where g.deleted_at is null and ${directory.scope(Prisma.sql`g.tenant_id`)}),
    reach as materialized (
      select k.o, k.tenant_id, r.id from k cross join unnest(string_to_array(k.ids, ',')) r(id)),
    log as materialized (
      select s.tenant_id, s.snapshot, e.group_id, e.event_type, e.data -> 'userIds' as users
      from (select distinct tenant_id, snapshot from k) s
      cross join lateral ${eventsSince(Prisma.sql`s.tenant_id`, Prisma.sql`s.snapshot`)} e),
    events as materialized (
      select k.o, r.id, log.users, case log.event_type when 'group_membership.added' then 1 else -1 end as sign
      from k join log using (tenant_id, snapshot) join reach r on r.o = k.o and r.id = log.group_id
      where ${changesMembers(Prisma.sql`log.event_type`)}),
    told as materialized (
      select k.o from k left join events e using (o)
      where (select count(*) from log where log.tenant_id = k.tenant_id and log.snapshot = k.snapshot) <= ${MAX_EVENTS}::int
      group by k.o having count(e.id) <= ${MAX_CHANGES}::int
        and count(e.id) = count(e.users) and coalesce(sum(jsonb_array_length(e.users)), 0) <= ${MAX_USERS}::int),
    net as materialized (
      select e.o, e.id as group_id, u.id as user_id, sum(e.sign) as n
      from told join events e using (o) cross join jsonb_array_elements_text(e.users) u(id)
      group by e.o, e.id, u.id having sum(e.sign) <> 0),
    edges as (
      select r.o, m.user_id, 1 as now, case when net.n is null then 1 else 0 end as before
      from (select distinct o, user_id from net) u join memberships m on m.user_id = u.user_id
      join reach r on r.o = u.o and r.id = m.group_id and r.tenant_id = m.tenant_id
      left join net on net.o = r.o and net.group_id = m.group_id and net.user_id = m.user_id
      union all
      select o, user_id, 0, 1 from net where n < 0),
    deltas as (
      select o, sum(delta)::int as delta
      from (select o, max(now) - max(before) as delta from edges group by o, user_id) u group by o)
    select k.id, k.nesting_version::text as "nestingVersion", pg_current_snapshot()::text as snapshot,
      coalesce(deltas.delta, 0) as delta
    from k join told using (o) left join deltas using (o)`);
  const recounted = new Map<string, Reach>();
  for (const { id, delta, nestingVersion, snapshot } of rows) {
    const before = counted.get(id)!;
    if (nestingVersion !== before.nestingVersion) continue;
    recounted.set(id, { ...before, snapshot, count: before.count! + delta });
  }
  return recounted;
}
