// Incremental maintenance of counts: applies the events since a count was taken, instead of counting all members again. A
// count near the root of everything then costs as much as the writes changed, not as much as it has members.

import { Prisma } from '../../database/database.ts';
import type { Reader } from '../directory.ts';
import { changesMembers, eventsSince, MAX_EVENTS } from './change-feed.ts';
import type { NestingClosure } from './closure.ts';
import { currentSnapshot, isOfThisRun, notNewer, parseSnapshot, wasVisible } from './pg-snapshot.ts';

/** Mentions of users in events, and memberships of these users. With more, counting from scratch costs less. */
const MAX_USERS = 2_000;
const MAX_MEMBERSHIPS = 20_000;

/** Changes in a tenant since a snapshot, and the direct memberships that the users in these events have now. */
type Changes = Pick<NestingClosure, 'nestingVersion' | 'snapshot'> & {
  ids: string[];
  /** Null above the limits. */
  events: readonly Event[] | null;
  memberships: readonly { userId: string; groupId: string }[];
};
/** `userIds` is null for events that do not name the users who were added or removed. */
type Event = { type: string; groupId: string; transactionId: string; userIds: readonly string[] | null };

/**
 * Updates the count of each closure to the current snapshot, by one statement. Absent from the result: groups that are not
 * visible, closures whose nestings changed, and those with too many events or with one that names no users (a group that
 * was restored or repaired).
 */
export async function applyCountDeltas(
  reader: Reader,
  counted: ReadonlyMap<string, NestingClosure>,
): Promise<Map<string, NestingClosure>> {
  const updated = new Map<string, NestingClosure>();
  if (counted.size === 0) return updated;
  for (const { ids, nestingVersion, snapshot, events, memberships } of await readDeltas(reader, counted)) {
    if (!events || memberships.length > MAX_MEMBERSHIPS) continue;
    for (const id of ids) {
      const before = counted.get(id)!;
      const delta = before.nestingVersion === nestingVersion ? countDelta(before, events, memberships) : null;
      if (delta !== null) updated.set(id, { ...before, snapshot, count: before.count! + delta });
    }
  }
  return updated;
}

/** The change of a count; null if an event names no users. Events that the count's snapshot saw are skipped. */
function countDelta(
  { ids, snapshot }: NestingClosure,
  events: readonly Event[],
  memberships: Changes['memberships'],
): number | null {
  const closure = new Set(ids.split(','));
  const counted = parseSnapshot(snapshot);
  /** For each user in the events: `more` memberships in the closure than at the count, and how many it has `now`. */
  const users = new Map<string, { more: number; now: number }>();
  for (const { type, groupId, transactionId, userIds } of events) {
    if (!closure.has(groupId) || wasVisible(transactionId, counted)) continue;
    if (!userIds) return null;
    for (const userId of userIds) {
      const user = users.get(userId) ?? { more: 0, now: 0 };
      user.more += type === 'group_membership.added' ? 1 : -1;
      users.set(userId, user);
    }
  }
  for (const { userId, groupId } of memberships) {
    const user = closure.has(groupId) && users.get(userId);
    if (user) user.now += 1;
  }
  let delta = 0;
  for (const { more, now } of users.values()) delta += Number(now > 0) - Number(now - more > 0);
  return delta;
}

/** Sums up sizes first, so that what exceeds the limits is never read. */
function readDeltas(reader: Reader, counted: ReadonlyMap<string, NestingClosure>): Promise<Changes[]> {
  const snapshots = [...counted.values()].map(({ snapshot }) => snapshot);
  const older = notNewer(snapshots);
  const events = eventsSince(Prisma.sql`k.tenant_id`, Prisma.sql`k.snapshot`);
  return reader.sql<Changes>(Prisma.sql`
    with k as (
      select g.tenant_id, k.snapshot, t.nesting_version, array_agg(k.id) as ids
      from unnest(${[...counted.keys()]}::text[], ${snapshots.map((snapshot) => older.get(snapshot))}::text[]) k(id, snapshot)
      join groups g on g.id = k.id join tenants t on t.id = g.tenant_id
      where g.deleted_at is null and ${reader.scope(Prisma.sql`g.tenant_id`)}
      group by g.tenant_id, k.snapshot, t.nesting_version),
    log as materialized (
      select k.*, e.events from k
      cross join lateral (
        select count(*) <= ${MAX_EVENTS}::int and ${isOfThisRun(Prisma.sql`k.snapshot`)}
          and coalesce(sum(jsonb_array_length(e.data -> 'userIds')), 0) <= ${MAX_USERS}::int as few from ${events} e) size
      cross join lateral (
        select case when size.few then coalesce(jsonb_agg(jsonb_build_object('type', e.event_type, 'groupId', e.group_id,
          'transactionId', e.transaction_id::text, 'userIds', e.data -> 'userIds')), '[]') end as events
        from ${events} e where size.few and ${changesMembers(Prisma.sql`e.event_type`)}) e)
    select log.ids, log.nesting_version::text as "nestingVersion", ${currentSnapshot} as snapshot, log.events, m.memberships
    from log cross join lateral (
      select coalesce(jsonb_agg(jsonb_build_object('userId', m.user_id, 'groupId', m.group_id)), '[]') as memberships
      from (
        select m.user_id, m.group_id from (
          select distinct u.id from jsonb_array_elements(log.events) e(event)
          cross join jsonb_array_elements_text(nullif(e.event -> 'userIds', 'null')) u(id)) u
        cross join lateral (
          select user_id, group_id from memberships where user_id = u.id and tenant_id = log.tenant_id offset 0) m
        limit ${MAX_MEMBERSHIPS + 1}::int) m) m`);
}
