// Pages of effective members without a filter, from what the groups are known to reach: their cost does not grow with
// the number of members. The page's own statement says whether that knowledge still held. A page is kept, and given again
// as long as nothing that it was made from has changed.

import { Prisma, type Sql } from '../../database/database.ts';
import { type Page, type PageArgs, type PageRequest, pageRequest } from '../../model/page.ts';
import type { Directory, Reader } from '../directory.ts';
import { loader } from '../loading/batching.ts';
import { boundedCache, rowsBytes } from '../loading/cache.ts';
import { cursorValues, type Ordering, rowsToRead, toPage } from '../loading/keyset-page.ts';
import { type MemberRow, memberUserColumns, type RawMember, toMemberRow } from '../rows/members.ts';
import { type ChangesSince, changesSince, currentSnapshot, MAX_CACHE_AGE_MS, noneOf } from './change-feed.ts';
import { loadClosures, type NestingClosure } from './closure.ts';

/** The order of effective members, as its cursors name it. */
export const BY_USER: Ordering = {
  tag: 'user',
  descending: false,
  keys: [{ column: Prisma.sql`e.user_id`, type: 'text', alias: 'userId' }],
};

/** Groups from which on users are walked in their order and probed, instead of merging a page of each group. */
const DENSE = 100;
/** Users that are walked for each row of a page before the groups are merged after all: most are no members then. */
const WALK = 40;
/** How often what a group reaches is read anew when nestings keep changing under the page's statement. */
const ATTEMPTS = 4;
/** After every id: the last code point there is. */
const END = '\u{10FFFF}';

type Key = { groupId: string; page: PageRequest };
/** When a page was read. */
type Moment = Pick<ChangesSince, 'nestingVersion' | 'userVersion' | 'snapshot'>;
type Row = RawMember & Moment & { bucket: number };
type Strategy = 'sparse' | 'dense';
type Bucket = { members: Row[]; reach: NestingClosure; moment: Moment };
type Found = Bucket | 'unsteady' | null;
type Kept = { page: Page<MemberRow>; reach: NestingClosure; moment: Moment };

const pageCache = boundedCache<Kept>(
  ({ page, reach }) => rowsBytes(page.rows) + reach.ids.length,
  MAX_CACHE_AGE_MS,
);

const nameOf = ({ groupId, page }: Key) => `${groupId}\n${JSON.stringify(page)}`;

const pages = loader({
  audience: 'administrators',
  keyOf: nameOf,
  read: async (directory, keys: readonly Key[]): Promise<(Page<MemberRow> | Error | null)[]> => {
    const known = await knownPages(directory, keys);
    const unknown = keys.filter((_, at) => !known[at]);
    const read = unknown.length === 0 ? [] : await readPages(directory, unknown);
    return known.map((page) => page ?? read.shift()!);
  },
});

/**
 * Effective members by user id; empty for a group that is not in sight. Null if nestings of its tenant changed under every
 * attempt: then only a statement that walks them itself can tell.
 */
export async function effectivePage(
  directory: Directory,
  groupId: string,
  page: PageArgs,
): Promise<Page<MemberRow> | null> {
  return pages(directory, { groupId, page: pageRequest(page) });
}

/** Pages that were kept and would be read the same now; null for others. */
async function knownPages(directory: Reader, keys: readonly Key[]): Promise<(Page<MemberRow> | null)[]> {
  const memory = pageCache(directory.db);
  const found = keys.map((key) => memory.get(nameOf(key)) ?? null);
  const asked = [...found.keys()].filter((at) => found[at]);
  const changes = await changesSince(
    directory,
    asked.map((at) => ({ groupId: keys[at]!.groupId, snapshot: found[at]!.moment.snapshot })),
  );
  const known: (Page<MemberRow> | null)[] = keys.map(() => null);
  asked.forEach((at, position) => {
    const { page, reach, moment } = found[at]!;
    const since = changes[position];
    if (!since || !noneOf(reach.ids, since)) return;
    const { nestingVersion, userVersion, snapshot } = since;
    if (nestingVersion !== moment.nestingVersion || userVersion !== moment.userVersion) return;
    memory.set(nameOf(keys[at]!), { page, reach, moment: { nestingVersion, userVersion, snapshot } });
    known[at] = page;
  });
  return known;
}

type Read = Page<MemberRow> | Error | null;

async function readPages(directory: Reader, keys: readonly Key[]): Promise<Read[]> {
  const memory = pageCache(directory.db);
  const results = new Array<Read>(keys.length);
  const alike = Map.groupBy(keys.keys(), (at) => JSON.stringify(keys[at]!.page));
  await Promise.all(
    [...alike.values()].map(async (members) => {
      const { page } = keys[members[0]!]!;
      try {
        const ids = members.map((member) => keys[member]!.groupId);
        const buckets = await loadBuckets(directory, ids, page);
        members.forEach((member, at) => {
          const key = keys[member]!;
          const bucket = buckets[at]!;
          if (bucket === 'unsteady') {
            results[member] = null;
            return;
          }
          const toRow = (raw: Row) => toMemberRow(raw, key.groupId);
          const made = toPage(toRow, BY_USER, page, bucket?.members ?? []);
          if (bucket) memory.set(nameOf(key), { page: made, reach: bucket.reach, moment: bucket.moment });
          results[member] = made;
        });
      } catch (error) {
        for (const member of members) results[member] = error as Error;
      }
    }),
  );
  return results;
}

/** Up to one row more than the page has, of each group; null for one that is not in sight. */
async function loadBuckets(directory: Reader, ids: string[], page: PageRequest): Promise<Found[]> {
  const buckets: Found[] = ids.map(() => null);
  const known: (NestingClosure | null)[] = ids.map(() => null);
  const merged = new Set<number>();
  let pending = [...ids.keys()];
  let outdated = pending;
  for (let attempt = 0; pending.length > 0; attempt += 1) {
    if (attempt === ATTEMPTS) {
      for (const at of pending) buckets[at] = 'unsteady';
      break;
    }
    const read = await loadClosures(
      directory,
      outdated.map((at) => ids[at]!),
      attempt > 0,
    );
    outdated.forEach((at, position) => {
      known[at] = read[position]!;
    });
    const visible = pending.flatMap((at) => {
      const reach = known[at];
      return reach ? [{ at, id: ids[at]!, reach }] : [];
    });
    const strategyOf = ({ at, reach }: (typeof visible)[number]): Strategy =>
      reach.size < DENSE || merged.has(at) || reach.sparse ? 'sparse' : 'dense';
    const byStrategy = Map.groupBy(visible, strategyOf);
    const short: number[] = [];
    outdated = [];
    await Promise.all(
      [...byStrategy].map(async ([strategy, groups]) => {
        const rows = await readRows(directory, strategy, groups, page);
        groups.forEach(({ at, reach }, position) => {
          const found = rows[position]!;
          // A group whose row is gone is no longer in sight.
          const [first] = found;
          if (!first) return;
          const members = found.filter((row) => row.userId !== null);
          const { nestingVersion, userVersion, snapshot } = first;
          if (nestingVersion !== reach.nestingVersion) outdated.push(at);
          else if (strategy === 'sparse' || members.length === rowsToRead(page)) {
            buckets[at] = { members, reach, moment: { nestingVersion, userVersion, snapshot } };
          } else {
            short.push(at);
            merged.add(at);
            // Behind a cursor there may only have been few users left.
            if (page.after === null && page.before === null) reach.sparse = true;
          }
        });
      }),
    );
    pending = [...outdated, ...short];
  }
  return buckets;
}

async function readRows(
  directory: Reader,
  strategy: Strategy,
  groups: { id: string; reach: NestingClosure }[],
  page: PageRequest,
): Promise<Row[][]> {
  const rows = await directory.sql<Row>(statement(directory, strategy, groups, page));
  const buckets = groups.map(() => [] as Row[]);
  for (const row of rows) buckets[row.bucket - 1]!.push(row);
  return buckets;
}

function statement(
  directory: Reader,
  strategy: Strategy,
  groups: { id: string; reach: NestingClosure }[],
  page: PageRequest,
): Sql {
  const [after = ''] = page.after === null ? [] : cursorValues(BY_USER, page.after, 'after');
  const [before = END] = page.before === null ? [] : cursorValues(BY_USER, page.before, 'before');
  const direction = Prisma.raw(page.backward ? 'desc' : 'asc');
  const size = rowsToRead(page);
  const users =
    strategy === 'sparse'
      ? Prisma.sql`
          select distinct m.user_id from unnest(string_to_array(k.ids, ',')) i(id) cross join lateral (
            select user_id from memberships
            where group_id = i.id and tenant_id = t.id and user_id > ${after} and user_id < ${before}
            order by user_id ${direction} limit ${size}) m
          order by m.user_id ${direction} limit ${size}`
      : Prisma.sql`
          select w.id as user_id from (
            select id from users where tenant_id = t.id and id > ${after} and id < ${before}
            order by id ${direction} limit ${size * WALK}) w
          cross join lateral (
            select from (select group_id from memberships where user_id = w.id and tenant_id = t.id offset 0) m
            where ((k.o, m.group_id) in (select o, id from reach)) is true limit 1) x
          order by w.id ${direction} limit ${size}`;
  return Prisma.sql`
    with k as materialized (
      select * from unnest(${groups.map(({ id }) => id)}::text[], ${groups.map(({ reach }) => reach.ids)}::text[])
        with ordinality k(id, ids, o)),
    reach as materialized (select k.o, i.id from k cross join unnest(string_to_array(k.ids, ',')) i(id))
    select k.o::int as bucket, t.nesting_version::text as "nestingVersion", t.user_version::text as "userVersion",
      ${currentSnapshot} as snapshot, r.*
    from k join groups g on g.id = k.id join tenants t on t.id = g.tenant_id
    left join lateral (
      select ${memberUserColumns}, d.added_at as "addedAt",
        case when d.user_id is null then 'INHERITED' else 'DIRECT' end as "membershipType"
      from (${users}) e join users u on u.id = e.user_id
      left join memberships d on d.group_id = k.id and d.user_id = e.user_id
      order by e.user_id ${direction}) r on true
    where g.deleted_at is null and ${directory.scope(Prisma.sql`g.tenant_id`)}`;
}
