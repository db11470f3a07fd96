// What groups reach by nesting and how many effective members that gives: kept in memory, and believed only as long as
// the database says that nothing has changed. So a count stays exact under the writes of every process, and no write
// has a row to touch that others touch too: each group has a version of its memberships, each tenant one of its nestings.
import { LRUCache } from 'lru-cache';
import { Prisma } from '../database/database.ts';
import { perDatabase, type Seeing } from './directory.ts';
import { recount } from './recounts.ts';

export type Reach = {
  /** Ids of the group and all it reaches, sorted, joined by commas: as a parameter it needs no quoting. */
  readonly ids: string;
  readonly size: number;
  /** The tenant's version of nestings that this was read at. */
  readonly nestingVersion: string;
  /** The groups' versions of memberships, in the order of `ids`. */
  readonly versions: string;
  /** Their sum; versions only rise, so it changes with any of them. */
  readonly signature: string;
  /** Effective members at that signature; null if never counted. */
  readonly count: number | null;
};

/** Ids that are kept in all: some 20 MB with their versions. */
const MAX_IDS = 500_000;

const keptReaches = perDatabase(
  () => new LRUCache<string, Reach>({ maxSize: MAX_IDS, sizeCalculation: ({ size }) => size }),
);

/**
 * Effective members of each group; 0 for one that is not in sight. One statement if nothing has changed; two if members
 * came or went below; up to four if nestings changed.
 */
export async function reachCounts(directory: Seeing, ids: readonly string[]): Promise<number[]> {
  const kept = keptReaches(directory.db);
  const counts = new Map<string, number>();
  // As they were when their versions were asked for: others may keep something newer while the answer is on its way.
  const counted = new Map<string, Reach>();
  for (const id of ids) {
    const known = kept.get(id);
    if (known && known.count !== null) counted.set(id, known);
  }
  const moved: string[] = [];
  const outdated = new Map<string, Reach>();
  const current = await versions(directory, counted);
  for (const [id, known] of counted) {
    const found = current.get(id);
    if (!found) counts.set(id, 0);
    else if (known.nestingVersion !== found.nestingVersion) moved.push(id);
    else if (known.signature === found.signature) counts.set(id, known.count!);
    else outdated.set(id, known);
  }
  // Nestings changed somewhere in the tenant, most likely not below this group: then its count still stands.
  for (const [id, found] of await readReaches(directory, moved, false)) {
    const known = counted.get(id)!;
    if (known.ids !== found.ids) continue;
    const { nestingVersion } = found;
    if (known.signature !== found.signature) outdated.set(id, { ...known, nestingVersion });
    else {
      counts.set(id, known.count!);
      kept.set(id, { ...known, nestingVersion });
    }
  }
  for (const [id, found] of await recount(directory, outdated)) {
    counts.set(id, found.count!);
    kept.set(id, found);
  }
  const rest = ids.filter((id) => !counts.has(id));
  for (const [id, found] of await readReaches(directory, rest, true)) {
    kept.set(id, found);
    counts.set(id, found.count!);
  }
  return ids.map((id) => counts.get(id) ?? 0);
}

/** What each group is known to reach, perhaps no longer; null for one that is not in sight. `anew` reads them again. */
export async function reaches(
  directory: Seeing,
  ids: readonly string[],
  anew = false,
): Promise<(Reach | null)[]> {
  const kept = keptReaches(directory.db);
  const unknown = anew ? [...ids] : ids.filter((id) => !kept.get(id));
  const read = await readReaches(directory, unknown, false);
  for (const [id, found] of read) {
    const known = kept.get(id);
    const same = known?.ids === found.ids && known.signature === found.signature;
    kept.set(id, { ...found, count: same ? known.count : null });
  }
  return ids.map((id) => read.get(id) ?? (unknown.includes(id) ? null : (kept.get(id) ?? null)));
}

type Versions = Pick<Reach, 'nestingVersion' | 'signature'>;

/** The versions as they are now of what each group was known to reach; none for groups that are not in sight. */
async function versions(
  directory: Seeing,
  known: ReadonlyMap<string, Reach>,
): Promise<Map<string, Versions>> {
  if (known.size === 0) return new Map();
  const rows = await directory.sql<Versions & { id: string }>(Prisma.sql`
    select k.id, t.nesting_version::text as "nestingVersion",
      (select sum(v.membership_version)::text from groups v where v.id = any(string_to_array(k.ids, ','))) as signature
    from unnest(${[...known.keys()]}::text[], ${[...known.values()].map(({ ids }) => ids)}::text[]) k(id, ids)
    join groups g on g.id = k.id join tenants t on t.id = g.tenant_id
    where g.deleted_at is null and ${directory.scope(Prisma.sql`g.tenant_id`)}`);
  return new Map(rows.map((row) => [row.id, row]));
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
    select g.id, t.nesting_version::text as "nestingVersion", r.ids, r.size, r.versions, r.signature,
      case when not ${counting}::boolean then null when r.size = 1 then g.member_count else (
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
      select string_agg(v.id, ',' order by v.id) as ids, count(*)::int as size,
        string_agg(v.membership_version::text, ',' order by v.id) as versions, sum(v.membership_version)::text as signature
      from reach join groups v on v.id = reach.id) r
    where g.deleted_at is null and ${directory.scope(Prisma.sql`g.tenant_id`)}`);
  return new Map(rows.map(({ id, ...reach }) => [id, reach]));
}
