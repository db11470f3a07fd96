// Pages of effective members without a filter, read by way of cached closures: the cost does not grow with the number of
// members. The statement of a page returns the version that tells whether its closure was valid. Pages are cached too.

import { type Page, type PageArgs, type PageRequest, pageRequest } from '../../model/page.ts';
import type { Directory, Reader } from '../directory.ts';
import { loader } from '../loading/batching.ts';
import { boundedCache, rowsBytes } from '../loading/cache.ts';
import { rowsToRead, toPage } from '../loading/keyset-page.ts';
import { type MemberRow, type RawMember, toMemberRow } from '../rows/members.ts';
import { type ChangesSince, changesSince, MAX_CACHE_AGE_MS, noneOf } from './change-feed.ts';
import { loadClosures, type NestingClosure } from './closure.ts';
import { BY_USER, memberPageStatement, type Strategy } from './page-sql.ts';

/** Closures of more groups are read by `walk`: merging costs a probe for each group, and a walk soon meets enough members. */
const MAX_MERGED_GROUPS = 100;
/** Attempts to read a page while nestings keep changing under its statement. */
const MAX_ATTEMPTS = 4;

type Key = { groupId: string; page: PageRequest };
/** The version that a page is valid at. */
type Version = Pick<ChangesSince, 'nestingVersion' | 'userVersion' | 'snapshot'>;
type Row = RawMember & Version & { parentIndex: number };
/** The rows of a page, one more if another page follows. */
type PageRows = { rows: Row[]; closure: NestingClosure; version: Version };
type Entry = { page: Page<MemberRow>; closure: NestingClosure; version: Version };

const pageCache = boundedCache<Entry>(
  ({ page, closure }) => rowsBytes(page.rows) + closure.ids.length,
  MAX_CACHE_AGE_MS,
);

const cacheKey = ({ groupId, page }: Key) => `${groupId}\n${JSON.stringify(page)}`;

const pages = loader({
  audience: 'administrators',
  keyOf: cacheKey,
  read: async (reader, keys: readonly Key[]): Promise<(Page<MemberRow> | Error | null)[]> => {
    const cached = await validPages(reader, keys);
    const missing = keys.filter((_, index) => !cached[index]);
    const read = missing.length === 0 ? [] : await readPages(reader, missing);
    return cached.map((page) => page ?? read.shift()!);
  },
});

/**
 * Effective members by user id; empty for a group that is not visible. Null if nestings of its tenant changed during every
 * attempt: the caller then walks the nestings in the statement itself.
 */
export async function effectivePage(
  directory: Directory,
  groupId: string,
  page: PageArgs,
): Promise<Page<MemberRow> | null> {
  return pages(directory, { groupId, page: pageRequest(page) });
}

/** Cached pages that are still valid; null for the others. */
async function validPages(reader: Reader, keys: readonly Key[]): Promise<(Page<MemberRow> | null)[]> {
  const cache = pageCache(reader.db);
  const entries = keys.flatMap((key, index) => {
    const entry = cache.get(cacheKey(key));
    return entry ? [{ key, index, entry }] : [];
  });
  const changes = await changesSince(
    reader,
    entries.map(({ key, entry }) => ({ groupId: key.groupId, snapshot: entry.version.snapshot })),
  );
  const valid: (Page<MemberRow> | null)[] = keys.map(() => null);
  entries.forEach(({ key, index, entry: { page, closure, version } }, position) => {
    const since = changes[position];
    if (!since || !noneOf(closure.ids, since)) return;
    const { nestingVersion, userVersion, snapshot } = since;
    if (nestingVersion !== version.nestingVersion || userVersion !== version.userVersion) return;
    cache.set(cacheKey(key), { page, closure, version: { nestingVersion, userVersion, snapshot } });
    valid[index] = page;
  });
  return valid;
}

/** Keys with the same page arguments share statements; an error is that of its keys alone. */
async function readPages(reader: Reader, keys: readonly Key[]): Promise<(Page<MemberRow> | Error | null)[]> {
  const cache = pageCache(reader.db);
  const results = new Array<Page<MemberRow> | Error | null>(keys.length);
  const byPage = Map.groupBy(keys.keys(), (index) => JSON.stringify(keys[index]!.page));
  await Promise.all(
    [...byPage.values()].map(async (indexes) => {
      const { page } = keys[indexes[0]!]!;
      try {
        const ids = indexes.map((index) => keys[index]!.groupId);
        const found = await readPageRows(reader, ids, page);
        indexes.forEach((index, position) => {
          const key = keys[index]!;
          const pageRows = found[position]!;
          if (pageRows === 'unsteady') {
            results[index] = null;
            return;
          }
          const toRow = (raw: Row) => toMemberRow(raw, key.groupId);
          const read = toPage(toRow, BY_USER, page, pageRows?.rows ?? []);
          if (pageRows) {
            const { closure, version } = pageRows;
            cache.set(cacheKey(key), { page: read, closure, version });
          }
          results[index] = read;
        });
      } catch (error) {
        for (const index of indexes) results[index] = error as Error;
      }
    }),
  );
  return results;
}

/**
 * The rows of one page for each group; null for a group that is not visible, `unsteady` after `MAX_ATTEMPTS`. A group is
 * tried again if its closure was out of date, or if a walk did not fill the page: then by `merge`.
 */
async function readPageRows(
  reader: Reader,
  ids: string[],
  page: PageRequest,
): Promise<(PageRows | 'unsteady' | null)[]> {
  const results: (PageRows | 'unsteady' | null)[] = ids.map(() => null);
  const closures: (NestingClosure | null)[] = ids.map(() => null);
  const merged = new Set<number>();
  let pending = [...ids.keys()];
  let outdated = pending;
  for (let attempt = 0; pending.length > 0; attempt += 1) {
    if (attempt === MAX_ATTEMPTS) {
      for (const index of pending) results[index] = 'unsteady';
      break;
    }
    const loaded = await loadClosures(
      reader,
      outdated.map((index) => ids[index]!),
      attempt > 0,
    );
    outdated.forEach((index, position) => {
      closures[index] = loaded[position]!;
    });
    const groups = pending.flatMap((index) => {
      const closure = closures[index];
      return closure ? [{ index, id: ids[index]!, closure }] : [];
    });
    const strategyOf = ({ index, closure }: (typeof groups)[number]): Strategy =>
      closure.size < MAX_MERGED_GROUPS || merged.has(index) || closure.sparse ? 'merge' : 'walk';
    const short: number[] = [];
    outdated = [];
    await Promise.all(
      [...Map.groupBy(groups, strategyOf)].map(async ([strategy, alike]) => {
        const found = await readRows(reader, strategy, alike, page);
        alike.forEach(({ index, closure }, position) => {
          const rows = found[position]!;
          // A group without a row is no longer visible.
          const [first] = rows;
          if (!first) return;
          const members = rows.filter((row) => row.userId !== null);
          const { nestingVersion, userVersion, snapshot } = first;
          if (nestingVersion !== closure.nestingVersion) outdated.push(index);
          else if (strategy === 'merge' || members.length === rowsToRead(page)) {
            results[index] = { rows: members, closure, version: { nestingVersion, userVersion, snapshot } };
          } else {
            short.push(index);
            merged.add(index);
            // Past a cursor few users may be left, which says nothing about the closure.
            if (page.after === null && page.before === null) closure.sparse = true;
          }
        });
      }),
    );
    pending = [...outdated, ...short];
  }
  return results;
}

async function readRows(
  reader: Reader,
  strategy: Strategy,
  groups: { id: string; closure: NestingClosure }[],
  page: PageRequest,
): Promise<Row[][]> {
  const rows = await reader.sql<Row>(memberPageStatement(reader, strategy, groups, page));
  const byGroup = groups.map(() => [] as Row[]);
  for (const row of rows) byGroup[row.parentIndex - 1]!.push(row);
  return byGroup;
}
