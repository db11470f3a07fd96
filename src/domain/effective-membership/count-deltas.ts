// Carrying counts of effective members forward: by the events of the groups whose members changed since, instead of by
// all members anew. So a count near the root of everything costs no more after a write than the write changed.
import { Prisma } from '../../database/database.ts';
import type { Reader } from '../directory.ts';
import {
  changesMembers,
  currentSnapshot,
  eventsSince,
  isOfThisRun,
  MAX_EVENTS,
  notNewer,
  parseSnapshot,
  wasVisible,
} from './change-feed.ts';
import type { NestingClosure } from './closure.ts';

/** Users that are followed, as often as events name them, and their memberships; beyond, members are counted anew. */
const MAX_USERS = 2_000;
const MAX_MEMBERSHIPS = 20_000;

/** What has changed since a snapshot in the tenant of some groups, and what the users of it are direct members of now. */
type Changes = Pick<NestingClosure, 'nestingVersion' | 'snapshot'> & {
  ids: string[];
  /** Null if there is more than is followed. */
  events: readonly Event[] | null;
  memberships: readonly { userId: string; groupId: string }[];
};
/** Without users, an event does not tell who came or went. */
type Event = { type: string; groupId: string; transactionId: string; userIds: readonly string[] | null };

/**
 * What each group reaches with its count as it is now, from how it was counted, in one statement and so one snapshot.
 * Absent: groups not in sight; those under which nestings changed; and those with more changes than are followed, or with
 * a group that was restored or repaired: those events do not name its members.
 */
export async function applyCountDeltas(
  directory: Reader,
  counted: ReadonlyMap<string, NestingClosure>,
): Promise<Map<string, NestingClosure>> {
  const recounted = new Map<string, NestingClosure>();
  if (counted.size === 0) return recounted;
  for (const { ids, nestingVersion, snapshot, events, memberships } of await readChanges(
    directory,
    counted,
  )) {
    if (!events || memberships.length > MAX_MEMBERSHIPS) continue;
    for (const id of ids) {
      const before = counted.get(id)!;
      const change =
        before.nestingVersion === nestingVersion ? difference(before, events, memberships) : null;
      if (change !== null) recounted.set(id, { ...before, snapshot, count: before.count! + change });
    }
  }
  return recounted;
}

/** By how much a count has changed; null if an event does not say. Of the events, some may have been counted already. */
function difference(
  { ids, snapshot }: NestingClosure,
  events: readonly Event[],
  memberships: Changes['memberships'],
): number | null {
  const reached = new Set(ids.split(','));
  const then = parseSnapshot(snapshot);
  /** For each user that came or went: in how many more of the groups it is now, and in how many it is. */
  const users = new Map<string, { more: number; now: number }>();
  for (const { type, groupId, transactionId, userIds } of events) {
    if (!reached.has(groupId) || wasVisible(transactionId, then)) continue;
    if (!userIds) return null;
    for (const userId of userIds) {
      const user = users.get(userId) ?? { more: 0, now: 0 };
      user.more += type === 'group_membership.added' ? 1 : -1;
      users.set(userId, user);
    }
  }
  for (const { userId, groupId } of memberships) {
    const user = reached.has(groupId) && users.get(userId);
    if (user) user.now += 1;
  }
  let change = 0;
  for (const { more, now } of users.values()) change += Number(now > 0) - Number(now - more > 0);
  return change;
}

/** Sizes are summed up first, and what is too much is not read. */
function readChanges(directory: Reader, counted: ReadonlyMap<string, NestingClosure>): Promise<Changes[]> {
  const snapshots = [...counted.values()].map(({ snapshot }) => snapshot);
  const older = notNewer(snapshots);
  const events = eventsSince(Prisma.sql`k.tenant_id`, Prisma.sql`k.snapshot`);
  return directory.sql<Changes>(Prisma.sql`
    with k as (
      select g.tenant_id, k.snapshot, t.nesting_version, array_agg(k.id) as ids
      from unnest(${[...counted.keys()]}::text[], ${snapshots.map((each) => older.get(each))}::text[]) k(id, snapshot)
      join groups g on g.id = k.id join tenants t on t.id = g.tenant_id
      where g.deleted_at is null and ${directory.scope(Prisma.sql`g.tenant_id`)}
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
