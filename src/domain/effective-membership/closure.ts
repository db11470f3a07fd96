// What groups reach by nesting and how many effective members that gives: kept in memory, and believed only as long as
// the database says that nothing has changed. So a count stays exact under the writes of every process, and no write
// has a row to touch that writers of other groups touch too.
import { Prisma } from '../../database/database.ts';
import type { Reader } from '../directory.ts';
import { boundedCache } from '../loading/cache.ts';
import { currentSnapshot, MAX_CACHE_AGE_MS } from './change-feed.ts';

export type NestingClosure = {
  /** Ids of the group and all it reaches, sorted, joined by commas: as a parameter it needs no quoting. */
  readonly ids: string;
  readonly size: number;
  /** The tenant's version of nestings at which these are what it reaches. */
  readonly nestingVersion: string;
  /** Their distinct members in `snapshot`; null if never counted. */
  readonly count: number | null;
  readonly snapshot: string;
  /** Whether a walk over the tenant's users was found to meet few members. */
  sparse?: boolean;
};

export const closureCache = boundedCache<NestingClosure>(({ ids }) => ids.length, MAX_CACHE_AGE_MS);

/**
 * What each group is known to reach, perhaps no longer, and perhaps out of sight by now; null for one that was not known
 * and is not in sight. `anew` reads them again.
 */
export async function loadClosures(
  directory: Reader,
  ids: readonly string[],
  anew = false,
): Promise<(NestingClosure | null)[]> {
  const memory = closureCache(directory.db);
  const known = new Map(ids.map((id) => [id, memory.get(id)]));
  const read = await readClosures(directory, anew ? ids : ids.filter((id) => !known.get(id)), false);
  for (const [id, found] of read) {
    const before = memory.get(id);
    const { nestingVersion } = found;
    // The count is no younger for it.
    if (before?.ids === found.ids) memory.set(id, { ...before, nestingVersion }, { noUpdateTTL: true });
    else memory.set(id, found);
  }
  return ids.map((id) => read.get(id) ?? (anew ? null : (known.get(id) ?? null)));
}

/**
 * Walks the nestings below the groups in sight, and counts on request, all in one statement and so in one snapshot.
 * `union`, never `union all`: a diamond is walked once, and the walk ends on any graph.
 */
export async function readClosures(
  directory: Reader,
  ids: readonly string[],
  counting: boolean,
): Promise<Map<string, NestingClosure>> {
  if (ids.length === 0) return new Map();
  const rows = await directory.sql<NestingClosure & { id: string }>(Prisma.sql`
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
    where g.deleted_at is null and ${directory.scope(Prisma.sql`g.tenant_id`)}`);
  return new Map(rows.map(({ id, ...reach }) => [id, reach]));
}
