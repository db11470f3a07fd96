// The nesting closure of a group: the group and all groups nested in it, at any depth. Cached until a nesting among them changes.
import { Prisma } from '../../database/database.ts';
import type { Reader } from '../directory.ts';
import { type Entry, logCache } from '../sharing/log-cache.ts';
import { headColumn, lastTail, parseHead } from '../sharing/tail.ts';

export type NestingClosure = {
  /** Ids of the group and of all groups nested in it, sorted, joined by commas: an SQL parameter that needs no quoting. */
  readonly ids: string;
  /** Number of ids. */
  readonly size: number;
  /** Whether a walk over the tenant's users met few members, so that pages merge the groups' members instead. */
  sparse?: boolean;
};

export const closureCache = logCache<NestingClosure>(() => 0);

/**
 * The closure of each group; absent for groups that are not visible. Cached ones may be out of date: the statement that uses them
 * tells. Those of `outdated` are read.
 */
export async function loadClosures(
  reader: Reader,
  ids: readonly string[],
  outdated: ReadonlySet<string>,
): Promise<Map<string, Entry<NestingClosure>>> {
  const closures = new Map<string, Entry<NestingClosure>>();
  for (const id of ids) {
    const cached = outdated.has(id) ? undefined : cachedClosure(reader, id);
    if (cached) closures.set(id, cached);
  }
  const missing = ids.filter((id) => !closures.has(id));
  for (const [id, { entry }] of await readClosures(reader, missing, false)) closures.set(id, entry);
  return closures;
}

/** The cached closure, unless the tail of the log tells already that it is out of date. */
function cachedClosure(reader: Reader, id: string): Entry<NestingClosure> | undefined {
  const tail = lastTail(reader);
  const entry = closureCache.peek(reader, id);
  return tail && entry && entry.head.position <= tail.head.position
    ? closureCache.get(reader, id, tail)
    : entry;
}

type Closure = { entry: Entry<NestingClosure>; count: number | null };

/**
 * Walks the nestings below the live groups and, with `counting`, counts distinct members, in one statement and so at one
 * position; caches the closures. `union`, never `union all`: a diamond is walked once, and the walk ends on any graph.
 */
export async function readClosures(
  reader: Reader,
  ids: readonly string[],
  counting: boolean,
): Promise<Map<string, Closure>> {
  if (ids.length === 0) return new Map();
  const { tenantId } = reader;
  const rows = await reader.sql<
    NestingClosure & { id: string; head: string; count: number | null }
  >(Prisma.sql`
    select g.id, r.ids, r.size, ${headColumn(reader)} as head,
      case when not ${counting}::boolean then null when r.size = 1 then g.member_count else (
        select count(*)::int from (
          select from unnest(string_to_array(r.ids, ',')) i(id)
          join memberships m on m.tenant_id = ${tenantId} and m.group_id = i.id group by m.user_id) u) end as count
    from unnest(${[...new Set(ids)]}::text[]) k(id)
    join groups g on g.tenant_id = ${tenantId} and g.id = k.id and g.deleted_at is null
    cross join lateral (
      with recursive reach(id) as (
        select k.id collate "C"
        union
        select n.child_group_id from reach join nestings n on n.tenant_id = ${tenantId} and n.parent_group_id = reach.id)
      select string_agg(id, ',' order by id) as ids, count(*)::int as size from reach) r`);
  return new Map(
    rows.map(({ id, ids, size, head, count }) => {
      const entry = { value: { ids, size }, head: parseHead(head), sources: { nestings: ids } };
      return [id, { entry: closureCache.set(reader, id, entry), count }];
    }),
  );
}
