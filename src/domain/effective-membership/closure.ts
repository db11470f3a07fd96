// The nesting closure of a group: the group and all groups nested in it, at any depth. Cached until a nesting among them changes.

import { LRUCache } from 'lru-cache';
import { Prisma, type Sql } from '../../database/database.ts';
import { cacheUse } from '../../model/cache-use.ts';
import { perDatabase, type Reader } from '../directory.ts';
import type { Head } from '../log/changes.ts';
import { earlier, headColumn, noteHead, parseHead, type Tail } from '../sharing/tail.ts';

/** A number of effective members, and a head at which it is exact. */
export type Counted = { count: number; head: Head };

export type NestingClosure = {
  /** Ids of the group and of all groups nested in it, sorted, joined by commas: an SQL parameter that needs no quoting. */
  readonly ids: string;
  /** Number of ids. */
  readonly size: number;
  /** A head at which these are the groups. */
  head: Head;
  /** Whether a walk over the tenant's users met few members, so that pages merge the groups' members instead. */
  sparse?: boolean | undefined;
  counted?: Counted | undefined;
};

/** Bytes of all closures of a database: they fit into a small container's memory. */
const MAX_BYTES = 64_000_000;
/** Bytes of an entry besides its key and ids, as measured. */
const ENTRY_BYTES = 800;

const closures = perDatabase(
  () =>
    new LRUCache<string, NestingClosure>({
      maxSize: MAX_BYTES,
      sizeCalculation: ({ ids }, key) => ENTRY_BYTES + key.length + ids.length,
    }),
);

const use = cacheUse('closures');

const keyOf = ({ tenantId }: Reader, id: string) => `${tenantId} ${id}`;

/** The cached closure, valid or not. */
export const cachedClosure = (reader: Reader, id: string): NestingClosure | undefined =>
  closures(reader.db).get(keyOf(reader, id));

/** Whether the closure is the same at both heads, whichever is earlier. Not if the log has lost one of them. */
export const isSameClosure = (tail: Tail, { ids }: NestingClosure, one: Head, other: Head): boolean =>
  tail.holds(one) && tail.holds(other) && tail.changed('nestings', ids, earlier(one, other)).length === 0;

/**
 * The closure of each group; absent for groups that are not visible. Cached ones may be out of date: the statement that uses them
 * tells. Those of `outdated` are read; those that are read are counted, too, if `counting`.
 */
export async function loadClosures(
  reader: Reader,
  ids: readonly string[],
  { outdated, counting }: { outdated: ReadonlySet<string>; counting: boolean },
): Promise<Map<string, NestingClosure>> {
  const found = new Map<string, NestingClosure>();
  for (const id of ids) {
    const cached = outdated.has(id) ? undefined : cachedClosure(reader, id);
    if (cached) found.set(id, cached);
  }
  const missing = ids.filter((id) => !found.has(id));
  use.hits += found.size;
  use.misses += missing.length;
  for (const [id, closure] of await readClosures(reader, missing, counting)) found.set(id, closure);
  return found;
}

/** The group `k.id` and all groups nested in it, as (ids, size). `union`, never `union all`: a diamond is walked once. */
export const nestedBelow = ({ tenantId, tables }: Reader): Sql => Prisma.sql`(
  with recursive reach(id) as (
    select k.id collate "C"
    union
    select n.child_group_id from reach join ${tables.nestings} n on n.tenant_id = ${tenantId} and n.parent_group_id = reach.id)
  select string_agg(id, ',' order by id) as ids, count(*)::int as size from reach)`;

/**
 * Walks the nestings below the live groups and, with `counting`, counts distinct members, in one statement and so at one
 * position; caches the closures. The walk ends on any graph.
 */
export async function readClosures(
  reader: Reader,
  ids: readonly string[],
  counting: boolean,
): Promise<Map<string, NestingClosure>> {
  if (ids.length === 0) return new Map();
  const { tenantId } = reader;
  const rows = await reader.sql<{
    id: string;
    ids: string;
    size: number;
    head: string;
    count: number | null;
  }>(Prisma.sql`
    select g.id, r.ids, r.size, ${headColumn(reader)} as head,
      case when not ${counting}::boolean then null when r.size = 1 then g.member_count else (
        select count(*)::int from (
          select from unnest(string_to_array(r.ids, ',')) i(id)
          join memberships m on m.tenant_id = ${tenantId} and m.group_id = i.id group by m.user_id) u) end as count
    from unnest(${[...new Set(ids)]}::text[]) k(id)
    join groups g on g.tenant_id = ${tenantId} and g.id = k.id and g.deleted_at is null
    cross join lateral ${nestedBelow(reader)} r`);
  return new Map(
    rows.map(({ id, ids, size, head: text, count }) => {
      const head = parseHead(text);
      const before = cachedClosure(reader, id);
      // What is known of the same groups stays known: another request may have counted meanwhile.
      const { sparse, counted } = before?.ids === ids ? before : { sparse: false, counted: undefined };
      const closure = { ids, size, head, sparse, counted: count === null ? counted : { count, head } };
      noteHead(reader, head);
      closures(reader.db).set(keyOf(reader, id), closure);
      return [id, closure];
    }),
  );
}
