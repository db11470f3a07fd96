// What has changed since a snapshot of the database. By it, what is kept in memory is believed as long as nothing that it
// was made from has changed: at a cost that grows with what has changed meanwhile, and not with what is kept.
import { Prisma, type Sql } from '../../database/database.ts';
import type { Reader } from '../directory.ts';
import { batchAcrossRequests } from '../loading/batching.ts';

/** Events of a tenant that are followed; who has more to catch up with reads anew. */
export const MAX_EVENTS = 2_000;

/** Snapshots that one statement looks up events for. */
const MAX_SNAPSHOTS = 8;

/** Milliseconds for which anything is believed without being asked for: events committed before that may be deleted. */
export const MAX_CACHE_AGE_MS = 3_600_000;

export type ChangesSince = {
  /** The snapshot up to which these are the changes. */
  readonly snapshot: string;
  /** The tenant's version of nestings, and of users. */
  readonly nestingVersion: string;
  readonly userVersion: string;
  /**
   * Groups of the tenant whose direct members may have changed; null if nobody can tell, after a restart of the server or
   * more than `MAX_EVENTS` events.
   */
  readonly groupIds: readonly string[] | null;
};

type Key = { groupId: string; snapshot: string };

/** What has changed in each group's tenant since a snapshot, or some time before it; null for groups not in sight. */
export async function changesSince(
  directory: Reader,
  keys: readonly Key[],
): Promise<(ChangesSince | null)[]> {
  if (keys.length === 0) return [];
  const read = await readTogether(directory, keys);
  return read.map((changes) => {
    if (changes instanceof Error) throw changes;
    return changes;
  });
}

const readTogether = batchAcrossRequests<Key, ChangesSince | null>(
  async (directory, keys) => {
    const older = notNewer(keys.map(({ snapshot }) => snapshot));
    const rows = await directory.sql<ChangesSince & { position: number }>(Prisma.sql`
      with k as materialized (
        select k.position, k.snapshot, t.id as tenant_id, t.nesting_version, t.user_version
        from unnest(${keys.map(({ groupId }) => groupId)}::text[],
          ${keys.map(({ snapshot }) => older.get(snapshot))}::text[]) with ordinality k(id, snapshot, position)
        join groups g on g.id = k.id join tenants t on t.id = g.tenant_id
        where g.deleted_at is null and ${directory.scope(Prisma.sql`g.tenant_id`)})
      select k.position::int, ${currentSnapshot} as snapshot, k.nesting_version::text as "nestingVersion",
        k.user_version::text as "userVersion", changed.ids as "groupIds"
      from k join (
        select s.tenant_id, s.snapshot,
          case when count(e.group_id) <= ${MAX_EVENTS}::int and ${isOfThisRun(Prisma.sql`s.snapshot`)} then coalesce(
            array_agg(distinct e.group_id) filter (where ${changesMembers(Prisma.sql`e.event_type`)}), '{}') end as ids
        from (select distinct tenant_id, snapshot from k) s
        left join lateral ${eventsSince(Prisma.sql`s.tenant_id`, Prisma.sql`s.snapshot`)} e on true
        group by s.tenant_id, s.snapshot) changed using (tenant_id, snapshot)`);
    const byPosition = new Map(rows.map(({ position, ...changes }) => [position, changes]));
    return keys.map((_, at) => byPosition.get(at + 1) ?? null);
  },
  ({ groupId, snapshot }) => `${groupId} ${snapshot}`,
);

/** Whether nobody has come to or gone from groups that are given by their ids, joined by commas. */
export function noneOf(ids: string, { groupIds }: ChangesSince): boolean {
  if (groupIds === null) return false;
  if (groupIds.length === 0) return true;
  const changed = new Set(groupIds);
  return !ids.split(',').some((id) => changed.has(id));
}

/** Predicate for types of events after which a group in sight may have other direct members; a deleted one is in no reach. */
export const changesMembers = (eventType: Sql): Sql => Prisma.sql`${eventType} in
  ('group_membership.added', 'group_membership.removed', 'group.restored', 'group.repaired')`;

const startOfRun = Prisma.sql`extract(epoch from pg_postmaster_start_time())::text`;

/**
 * The snapshot of the statement that this stands in, as text: the server's start, a space, and a `pg_snapshot`. A server
 * that takes over from another, or from an older state of its own, has its own start, and may give transactions again.
 */
export const currentSnapshot: Sql = Prisma.sql`${startOfRun} || ' ' || pg_current_snapshot()::text`;

/** Predicate that holds for a snapshot that the running server made. */
export const isOfThisRun = (snapshot: Sql): Sql =>
  Prisma.sql`split_part(${snapshot}, ' ', 1) = ${startOfRun}`;

/**
 * The tenant's events that are visible now and were not in a snapshot (a column of text), as rows of `group_events`, up
 * to one more than `MAX_EVENTS`. Each bears the transaction that wrote it: those not visible in a snapshot are from its
 * xmax on, or in its list of what was in progress (PostgreSQL, Transaction ID and Snapshot Information Functions).
 * `between` one and the same, as the planner takes a transaction for an average one, which after an import is the whole log.
 */
export const eventsSince = (tenantId: Sql, snapshot: Sql): Sql => Prisma.sql`(
  select e.* from group_events e
  where e.tenant_id = ${tenantId} and e.transaction_id >= pg_snapshot_xmax(split_part(${snapshot}, ' ', 2)::pg_snapshot)
    and e.transaction_id < pg_snapshot_xmax(pg_current_snapshot())
  union all
  select e.* from pg_snapshot_xip(split_part(${snapshot}, ' ', 2)::pg_snapshot) was_open(id)
  join group_events e on e.tenant_id = ${tenantId} and e.transaction_id between was_open.id and was_open.id
  limit ${MAX_EVENTS + 1}::int)`;

type Snapshot = { run: number; xmax: number; open: ReadonlySet<string> };

export function parseSnapshot(text: string): Snapshot {
  const [run, snapshot = ''] = text.split(' ');
  const [, xmax, open] = snapshot.split(':');
  return { run: Number(run), xmax: Number(xmax), open: new Set(open ? open.split(',') : []) };
}

/** Whether what a transaction wrote, which is visible now, was visible then. */
export const wasVisible = (transactionId: string, { xmax, open }: Snapshot): boolean =>
  Number(transactionId) < xmax && !open.has(transactionId);

/**
 * For each snapshot one of at most `MAX_SNAPSHOTS` among them that is not newer, and so held nothing that it did not: what
 * has changed since that one includes what has changed since.
 */
export function notNewer(snapshots: readonly string[]): Map<string, string> {
  const parsed = [...new Set(snapshots)].map((text) => ({ text, ...parseSnapshot(text) }));
  parsed.sort((a, b) => a.run - b.run || a.xmax - b.xmax || b.open.size - a.open.size);
  const step = Math.ceil(parsed.length / MAX_SNAPSHOTS);
  return new Map(parsed.map(({ text }, at) => [text, parsed[at - (at % step)]!.text]));
}
