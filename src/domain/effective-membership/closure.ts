// What groups reach by nesting and how many effective members that gives: kept in memory, and believed only as long as
// the database says that nothing has changed. So a count stays exact under the writes of every process, and no write
// has a row to touch that writers of other groups touch too.
import { Prisma } from '../../database/database.ts';
import type { Seeing } from '../directory.ts';
import { kept } from '../loading/cache.ts';
import { areUntouched, changesSince, currentSnapshot, KEPT_FOR } from './change-feed.ts';
import { recount } from './count-deltas.ts';

export type Reach = {
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

const keptReaches = kept<Reach>(({ ids }) => ids.length, KEPT_FOR);

/**
 * Effective members of each group; 0 for one that is not in sight. One statement if nothing has changed; two if members
 * came or went below; one more if nestings changed, and one if all must be counted anew.
 */
export async function reachCounts(directory: Seeing, ids: readonly string[]): Promise<number[]> {
  const memory = keptReaches(directory.db);
  const counts = new Map<string, number>();
  // As they were when changes were asked for: others may keep something newer while the answer is on its way.
  const counted = new Map<string, Reach>();
  for (const id of ids) {
    const known = memory.get(id);
    if (known && known.count !== null) counted.set(id, known);
  }
  const keys = [...counted].map(([groupId, { snapshot }]) => ({ groupId, snapshot }));
  const changes = await changesSince(directory, keys);
  const found = [...counted].map(([id, known], at) => ({ id, known, since: changes[at]! }));
  // Nestings changed somewhere in the tenant, most likely not below this group: then its count still stands.
  const moved = found.filter(({ known, since }) => since && known.nestingVersion !== since.nestingVersion);
  const reread = await readReaches(
    directory,
    moved.map(({ id }) => id),
    false,
  );
  const outdated = new Map<string, Reach>();
  for (const { id, known, since } of found) {
    if (!since) {
      counts.set(id, 0);
      continue;
    }
    const { nestingVersion, snapshot } = since;
    const now = reread.get(id) ?? known;
    if (now.ids !== known.ids || now.nestingVersion !== nestingVersion || since.groupIds === null) continue;
    if (areUntouched(known.ids, since)) {
      counts.set(id, known.count!);
      memory.set(id, { ...known, nestingVersion, snapshot });
    } else outdated.set(id, { ...known, nestingVersion });
  }
  try {
    for (const [id, found] of await recount(directory, outdated)) {
      counts.set(id, found.count!);
      memory.set(id, found);
    }
  } catch (error) {
    // What could not be caught up with once would not be the next time either.
    for (const id of outdated.keys()) memory.delete(id);
    throw error;
  }
  const rest = ids.filter((id) => !counts.has(id));
  for (const [id, found] of await readReaches(directory, rest, true)) {
    memory.set(id, found);
    counts.set(id, found.count!);
  }
  return ids.map((id) => counts.get(id) ?? 0);
}

/**
 * What each group is known to reach, perhaps no longer, and perhaps out of sight by now; null for one that was not known
 * and is not in sight. `anew` reads them again.
 */
export async function reaches(
  directory: Seeing,
  ids: readonly string[],
  anew = false,
): Promise<(Reach | null)[]> {
  const memory = keptReaches(directory.db);
  const known = new Map(ids.map((id) => [id, memory.get(id)]));
  const read = await readReaches(directory, anew ? ids : ids.filter((id) => !known.get(id)), false);
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
async function readReaches(
  directory: Seeing,
  ids: readonly string[],
  counting: boolean,
): Promise<Map<string, Reach>> {
  if (ids.length === 0) return new Map();
  const rows = await directory.sql<Reach & { id: string }>(Prisma.sql`
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
