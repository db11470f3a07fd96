// The nesting closure of a group: the group and all groups nested in it, at any depth. Cached with its member count.
import { Prisma } from '../../database/database.ts';
import type { Reader } from '../directory.ts';
import { boundedCache } from '../loading/cache.ts';
import { MAX_CACHE_AGE_MS } from './change-feed.ts';
import { currentSnapshot } from './pg-snapshot.ts';

export type NestingClosure = {
  /** Ids of the group and of all groups nested in it, sorted, joined by commas: an SQL parameter that needs no quoting. */
  readonly ids: string;
  /** Number of ids. */
  readonly size: number;
  /** The tenant's version of nestings that the closure is valid at. */
  readonly nestingVersion: string;
  /** Distinct members of these groups in `snapshot`; null if not counted yet. */
  readonly count: number | null;
  readonly snapshot: string;
  /** Whether a walk over the tenant's users met few members, so that pages merge the groups' members instead. */
  sparse?: boolean;
};

export const closureCache = boundedCache<NestingClosure>(({ ids }) => ids.length, MAX_CACHE_AGE_MS);

/**
 * The closure of each group, from the cache unless `fresh`. A cached closure may be out of date, and its group no longer
 * visible: the caller compares `nestingVersion`. Null for groups that are neither cached nor visible.
 */
export async function loadClosures(
  reader: Reader,
  ids: readonly string[],
  fresh = false,
): Promise<(NestingClosure | null)[]> {
  const cache = closureCache(reader.db);
  const cached = new Map(ids.map((id) => [id, cache.get(id)]));
  const read = await readClosures(reader, fresh ? ids : ids.filter((id) => !cached.get(id)), false);
  for (const [id, closure] of read) {
    const before = cache.get(id);
    const { nestingVersion } = closure;
    if (before?.ids === closure.ids) {
      // Only the version is newer: the entry keeps its count, its age, and that it is sparse.
      const refreshed = { ...before, nestingVersion };
      cache.set(id, refreshed, { noUpdateTTL: true });
      read.set(id, refreshed);
    } else cache.set(id, closure);
  }
  return ids.map((id) => read.get(id) ?? (fresh ? null : (cached.get(id) ?? null)));
}

/**
 * Walks the nestings below the visible groups and, with `counting`, counts members, in one statement and so in one
 * snapshot. `union`, never `union all`: a diamond is walked once, and the walk ends on any graph.
 */
export async function readClosures(
  reader: Reader,
  ids: readonly string[],
  counting: boolean,
): Promise<Map<string, NestingClosure>> {
  if (ids.length === 0) return new Map();
  const rows = await reader.sql<NestingClosure & { id: string }>(Prisma.sql`
    select g.id, t.nesting_version::text as "nestingVersion", r.ids, r.size,
      ${currentSnapshot} as snapshot, case when not ${counting}::boolean then null when r.size = 1 then g.member_count else (
        select count(*)::int from (
          select from unnest(string_to_array(r.ids, ',')) i(id) join memberships m on m.group_id = i.id
          where m.tenant_id = g.tenant_id group by m.user_id) u) end as count
    from unnest(${[...new Set(ids)]}::text[]) k(id)
    join groups g on g.id = k.id join tenants t on t.id = g.tenant_id
    cross join lateral (
      with recursive reach(id) as (
        select k.id collate "C"
        union
        select n.child_group_id from reach join nestings n on n.parent_group_id = reach.id
        where n.tenant_id = g.tenant_id)
      select string_agg(id, ',' order by id) as ids, count(*)::int as size from reach) r
    where g.deleted_at is null and ${reader.scope(Prisma.sql`g.tenant_id`)}`);
  return new Map(rows.map(({ id, ...closure }) => [id, closure]));
}
