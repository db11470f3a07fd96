// What has changed in a tenant since a snapshot: cache entries are revalidated against it before use. The cost grows with
// the number of changes since, not with the size of the entries.

import { Prisma, type Sql } from '../../database/database.ts';
import type { Reader } from '../directory.ts';
import { batchAcrossRequests } from '../loading/batching.ts';
import { currentSnapshot, isOfThisRun, notNewer } from './pg-snapshot.ts';

/** Events read since a snapshot. With more, reading from scratch costs less than following them. */
export const MAX_EVENTS = 2_000;

/** Milliseconds that an unused cache entry lives. Events older than this may be deleted. */
export const MAX_CACHE_AGE_MS = 3_600_000;

export type ChangesSince = {
  /** The snapshot that these changes lead up to. */
  readonly snapshot: string;
  /** The tenant's versions of nestings and of users. */
  readonly nestingVersion: string;
  readonly userVersion: string;
  /**
   * Groups of the tenant whose direct members may have changed; null if unknown: after a restart of the server, or more than
   * `MAX_EVENTS` events.
   */
  readonly groupIds: readonly string[] | null;
};

type Key = { groupId: string; snapshot: string };

/** Changes in each group's tenant since its snapshot, or since an earlier one; null for groups that are not visible. */
export async function changesSince(
  directory: Reader,
  keys: readonly Key[],
): Promise<(ChangesSince | null)[]> {
  if (keys.length === 0) return [];
  const read = await readChanges(directory, keys);
  return read.map((changes) => {
    if (changes instanceof Error) throw changes;
    return changes;
  });
}

const readChanges = batchAcrossRequests<Key, ChangesSince | null>(
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
    return keys.map((_, index) => byPosition.get(index + 1) ?? null);
  },
  ({ groupId, snapshot }) => `${groupId} ${snapshot}`,
);

/** Whether no direct member was added to or removed from any of the groups; `ids` are joined by commas. */
export function noneOf(ids: string, { groupIds }: ChangesSince): boolean {
  if (groupIds === null) return false;
  if (groupIds.length === 0) return true;
  const changed = new Set(groupIds);
  return !ids.split(',').some((id) => changed.has(id));
}

/** Predicate for types of events that change a live group's direct members. A deleted group is in no closure. */
export const changesMembers = (eventType: Sql): Sql => Prisma.sql`${eventType} in
  ('group_membership.added', 'group_membership.removed', 'group.restored', 'group.repaired')`;

/**
 * The tenant's events that are visible now and were not visible in a snapshot (a column of text): rows of `group_events`,
 * at most `MAX_EVENTS` + 1. Transactions that a snapshot does not see start at its xmax, or are in its list of those in
 * progress. `between x and x` instead of `= x`: the planner would estimate `=` by the average events of a transaction, which
 * one import skews, and scan the log.
 */
export const eventsSince = (tenantId: Sql, snapshot: Sql): Sql => Prisma.sql`(
  select e.* from group_events e
  where e.tenant_id = ${tenantId} and e.transaction_id >= pg_snapshot_xmax(split_part(${snapshot}, ' ', 2)::pg_snapshot)
    and e.transaction_id < pg_snapshot_xmax(pg_current_snapshot())
  union all
  select e.* from pg_snapshot_xip(split_part(${snapshot}, ' ', 2)::pg_snapshot) was_open(id)
  join group_events e on e.tenant_id = ${tenantId} and e.transaction_id between was_open.id and was_open.id
  limit ${MAX_EVENTS + 1}::int)`;
