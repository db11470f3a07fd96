// Pages of effective members without a filter, read by way of cached closures: the cost does not grow with the number of
// members. The statement of a page returns the head of the log, which tells whether its closure was valid. Pages are cached too.

import { type Page, type PageArgs, type PageRequest, pageRequest } from '../../model/page.ts';
import { type Directory, endUser, type Reader } from '../directory.ts';
import { loader } from '../loading/batching.ts';
import { withTotal as addTotal, rowsToRead, toPage } from '../loading/keyset-page.ts';
import { readerFor } from '../loading/routing.ts';
import type { Head } from '../log/changes.ts';
import { type MemberRow, type RawMember, toMemberRow } from '../rows/members.ts';
import { type Entry, logCache, rowsBytes } from '../sharing/log-cache.ts';
import { parseHead, readTail, type Tail } from '../sharing/tail.ts';
import { loadClosures, type NestingClosure } from './closure.ts';
import { effectiveCountAt, loadEffectiveCounts } from './counts.ts';
import { BY_USER, memberPageStatement, type Strategy } from './page-sql.ts';

/** Closures of more groups are read by `walk`: merging costs a probe for each group, and a walk soon meets enough members. */
const MAX_MERGED_GROUPS = 100;
/** Attempts to read a page, or a page and its total, while nestings keep changing. */
const MAX_ATTEMPTS = 4;

/** `attempt` tells repeated reads of one request apart. */
type Key = { groupId: string; page: PageRequest; attempt: number };
type Row = RawMember & { parentIndex: number; head: string };
/** The rows of a page, one more if another page follows. */
type PageRows = { rows: Row[]; closure: NestingClosure; head: Head };
type Found = Page<MemberRow>;
/** A page and the position that it is of; without one, the group is not visible. */
type Positioned = { page: Found; head: Head | null };

const pageCache = logCache<Found>(({ rows }) => rowsBytes(rows));

const cacheKey = ({ groupId, page }: Pick<Key, 'groupId' | 'page'>) => `${groupId}\n${JSON.stringify(page)}`;

const pages = loader({
  audience: 'administrators',
  keyOf: (key: Key) => `${key.attempt} ${cacheKey(key)}`,
  idOf: ({ groupId }) => groupId,
  read: async (reader, keys: readonly Key[]): Promise<(Positioned | Error | null)[]> => {
    const entries = keys.map((key) => pageCache.peek(reader, cacheKey(key)));
    const tail = entries.some((entry) => entry !== undefined) ? await readTail(reader) : null;
    const valid = keys.map((key) => (tail ? pageCache.get(reader, cacheKey(key), tail) : undefined));
    const missing = keys.filter((_, index) => !valid[index]);
    const read = missing.length === 0 ? [] : await readPages(reader, missing);
    return valid.map((entry) => (entry ? { page: entry.value, head: entry.head } : read.shift()!));
  },
});

const counts = loader({
  audience: 'administrators',
  keyOf: ({ groupId, attempt }: { groupId: string; attempt: number }) => `${attempt} ${groupId}`,
  idOf: ({ groupId }) => groupId,
  read: (reader, keys: readonly { groupId: string; attempt: number }[]) =>
    loadEffectiveCounts(
      reader,
      keys.map(({ groupId }) => groupId),
    ),
});

/** How many effective members a group has; 0 for a group that is not visible. Null for an end user. */
export async function effectiveCount(directory: Directory, groupId: string): Promise<number | null> {
  const counted = await counts(directory, { groupId, attempt: 0 });
  return endUser(directory) ? null : (counted?.count ?? 0);
}

/**
 * Effective members by user id, with their number if `withTotal`; empty for a group that is not visible. Null for an end user,
 * and if the group kept changing during every attempt: the caller then walks the nestings in the statement itself.
 */
export async function effectivePage(
  directory: Directory,
  groupId: string,
  args: PageArgs,
): Promise<Found | null> {
  const { withTotal, ...rest } = pageRequest(args);
  const page: PageRequest = { ...rest, withTotal: false };
  if (!withTotal) return (await pages(directory, { groupId, page, attempt: 0 }))?.page ?? null;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    const [found, counted] = await Promise.all([
      pages(directory, { groupId, page, attempt }),
      counts(directory, { groupId, attempt }),
    ]);
    if (!found) return null;
    if (found.head === null && counted === null) return addTotal(found.page, 0);
    if (found.head === null || counted === null) continue;
    const total = isSame(found.head, counted.head)
      ? counted.count
      : await effectiveCountAt(await readerFor(directory, groupId), groupId, found.head);
    if (total !== null) return addTotal(found.page, total);
  }
  return null;
}

const isSame = (one: Head, other: Head) => one.position === other.position && one.changeId === other.changeId;

/** Keys with the same page arguments share statements; an error is that of its keys alone. */
async function readPages(reader: Reader, keys: readonly Key[]): Promise<(Positioned | Error | null)[]> {
  const results = new Array<Positioned | Error | null>(keys.length).fill(null);
  const byPage = Map.groupBy(keys.keys(), (index) => JSON.stringify(keys[index]!.page));
  await Promise.all(
    [...byPage.values()].map(async (indexes) => {
      const { page } = keys[indexes[0]!]!;
      try {
        const ids = indexes.map((index) => keys[index]!.groupId);
        const found = await readPageRows(reader, ids, page);
        indexes.forEach((index, position) => {
          const pageRows = found[position]!;
          results[index] = pageRows === 'unsteady' ? null : storePage(reader, keys[index]!, pageRows);
        });
      } catch (error) {
        for (const index of indexes) results[index] = error as Error;
      }
    }),
  );
  return results;
}

/** Makes the page of its rows, and caches it unless its group is not visible. */
function storePage(reader: Reader, key: Key, found: PageRows | null): Positioned {
  const page = toPage((raw: Row) => toMemberRow(raw, key.groupId), BY_USER, key.page, found?.rows ?? []);
  if (!found) return { page, head: null };
  const { closure, head } = found;
  const sources = {
    members: closure.ids,
    nestings: closure.ids,
    users: page.rows.map(({ userId }) => userId),
  };
  pageCache.set(reader, cacheKey(key), { value: page, head, sources });
  return { page, head };
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
  const results = ids.map((): PageRows | 'unsteady' | null => 'unsteady');
  const merged = new Set<number>();
  const outdated = new Set<string>();
  let pending = [...ids.keys()];
  for (let attempt = 0; attempt < MAX_ATTEMPTS && pending.length > 0; attempt += 1) {
    const closures = await loadClosures(
      reader,
      pending.map((index) => ids[index]!),
      outdated,
    );
    outdated.clear();
    const groups = pending.flatMap((index) => {
      const entry = closures.get(ids[index]!);
      if (!entry) results[index] = null;
      return entry ? [{ index, id: ids[index]!, entry, closure: entry.value }] : [];
    });
    const strategyOf = ({ index, closure }: (typeof groups)[number]): Strategy =>
      closure.size < MAX_MERGED_GROUPS || merged.has(index) || closure.sparse ? 'merge' : 'walk';
    pending = [];
    await Promise.all(
      [...Map.groupBy(groups, strategyOf)].map(async ([strategy, alike]) => {
        const found = await readRows(reader, strategy, alike, page);
        const tail = await tailFor(reader, alike, found);
        alike.forEach(({ index, entry, closure }, position) => {
          const rows = found[position]!;
          const [first] = rows;
          // A group without a row is no longer visible.
          if (!first) results[index] = null;
          else {
            const head = parseHead(first.head);
            const members = rows.filter((row) => row.userId !== null);
            const isCurrent = isSame(entry.head, head) || (tail && isUnchanged(tail, entry, head));
            const isFilled = strategy === 'merge' || members.length === rowsToRead(page);
            if (isCurrent) entry.head = later(entry.head, head);
            else outdated.add(ids[index]!);
            if (isCurrent && isFilled) results[index] = { rows: members, closure, head };
            else pending.push(index);
            if (isFilled) return;
            merged.add(index);
            // Past a cursor few users may be left, which says nothing about the closure.
            if (page.after === null && page.before === null) closure.sparse = true;
          }
        });
      }),
    );
  }
  return results;
}

/** The tail of the log up to the head of the statement; null if all closures were read at that very head. */
async function tailFor(reader: Reader, groups: { entry: Entry<NestingClosure> }[], found: Row[][]) {
  const head = found.flat()[0]?.head;
  if (head === undefined || groups.every(({ entry }) => isSame(entry.head, parseHead(head)))) return null;
  return readTail(reader, parseHead(head));
}

const later = (one: Head, other: Head) => (other.position > one.position ? other : one);

/** Whether the closure is the same at the head of a statement. That is the earlier one if the log has lost its last changes. */
const isUnchanged = (tail: Tail, { head: read, sources }: Entry<NestingClosure>, head: Head) =>
  tail.holds(head) &&
  tail.holds(read) &&
  !tail.hasChanged(sources, head.position < read.position ? head : read);

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
