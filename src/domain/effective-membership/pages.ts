// Pages of effective members without a filter, read by way of cached closures: the cost does not grow with the number of
// members. The statement of a page returns the head of the log, which tells whether its closure was valid. Pages are cached too.

import { type Page, type PageArgs, type PageRequest, pageRequest } from '../../model/page.ts';
import { type Directory, endUser, type Reader } from '../directory.ts';
import { loader } from '../loading/batching.ts';
import { rowsToRead, SortedPage, withRows } from '../loading/keyset-page.ts';
import { readerFor, readInGroups } from '../loading/routing.ts';
import type { Head } from '../log/changes.ts';
import { type MemberRow, type RawMember, toMemberRow } from '../rows/members.ts';
import { isSameAt, isSameHead, later, logCache, rowsBytes } from '../sharing/log-cache.ts';
import { parseHead, readTail } from '../sharing/tail.ts';
import { loadClosures } from './closure.ts';
import { effectiveCountAt, loadEffectiveCounts } from './counts.ts';
import { BY_USER, memberPageStatement } from './page-sql.ts';

/** Closures of more groups are read by `walk`: merging costs a probe for each group, and a walk soon meets enough members. */
const MAX_MERGED_GROUPS = 100;
/** Attempts to read a page, or a page and its total, while nestings keep changing. */
const MAX_ATTEMPTS = 4;

/** `attempt` tells repeated reads of one request apart. */
type Key = { groupId: string; page: PageRequest; attempt: number };
type Row = RawMember & { parentIndex: number; head: string };
/** A page and a head at which it is valid; without one, the group is not visible. */
type PageAt = { value: Page<MemberRow>; head: Head | null };

const pageCache = logCache<Page<MemberRow>>(({ rows }) => rowsBytes(rows));

const cacheKey = ({ groupId, page }: Pick<Key, 'groupId' | 'page'>) => `${groupId}\n${JSON.stringify(page)}`;

const pages = loader({
  audience: 'administrators',
  keyOf: (key: Key) => `${key.attempt} ${cacheKey(key)}`,
  idOf: ({ groupId }) => groupId,
  read: async (reader, keys: readonly Key[]): Promise<(PageAt | Error | null)[]> => {
    const isCached = keys.some((key) => pageCache.peek(reader, cacheKey(key)) !== undefined);
    const tail = isCached ? await readTail(reader) : null;
    const valid = keys.map((key) => (tail ? pageCache.get(reader, cacheKey(key), tail) : undefined));
    const missing = keys.filter((_, index) => !valid[index]);
    const samePage = (index: number) => JSON.stringify(missing[index]!.page);
    const read = await readInGroups(missing, samePage, (_page, some) => readPages(reader, some));
    return valid.map((entry) => entry ?? read.shift()!);
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
  return endUser(directory) ? null : (counted?.value.count ?? 0);
}

/**
 * Effective members by user id, with their number if `withTotal`; empty for a group that is not visible. Null for an end user,
 * and if the group kept changing during every attempt: the caller then walks the nestings in the statement itself.
 */
export async function effectivePage(
  directory: Directory,
  groupId: string,
  args: PageArgs,
): Promise<Page<MemberRow> | null> {
  const { withTotal, ...rest } = pageRequest(args);
  const page: PageRequest = { ...rest, withTotal: false };
  if (!withTotal) return (await pages(directory, { groupId, page, attempt: 0 }))?.value ?? null;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    const [found, counted] = await Promise.all([
      pages(directory, { groupId, page, attempt }),
      counts(directory, { groupId, attempt }),
    ]);
    if (!found) return null;
    const { value, head } = found;
    if (!head && !counted) return withRows(value, value.rows, 0);
    if (!head || !counted) continue;
    const total = isSameHead(head, counted.head)
      ? counted.value.count
      : await effectiveCountAt(await readerFor(directory, groupId), groupId, head);
    if (total !== null) return withRows(value, value.rows, total);
  }
  return null;
}

/**
 * Pages with the same arguments, each cached unless its group is not visible; null after `MAX_ATTEMPTS`. A group is tried again
 * if its closure was out of date, or if a walk did not fill the page: then by `merge`.
 */
async function readPages(reader: Reader, keys: readonly Key[]): Promise<(PageAt | null)[]> {
  const { page } = keys[0]!;
  const results = new Map<string, PageAt>();
  const pageOf = (id: string, rows: Row[]) =>
    new SortedPage((raw: Row) => toMemberRow(raw, id), BY_USER, page, rows);
  const hide = (id: string) => results.set(id, { value: pageOf(id, []), head: null });
  const merged = new Set<string>();
  const outdated = new Set<string>();
  let pending = [...new Set(keys.map(({ groupId }) => groupId))];
  for (let attempt = 0; attempt < MAX_ATTEMPTS && pending.length > 0; attempt += 1) {
    const closures = await loadClosures(reader, pending, outdated);
    pending.filter((id) => !closures.has(id)).forEach(hide);
    pending = [];
    outdated.clear();
    const byStrategy = Map.groupBy(closures, ([id, { value }]) =>
      value.size < MAX_MERGED_GROUPS || merged.has(id) || value.sparse ? 'merge' : 'walk',
    );
    await Promise.all(
      [...byStrategy].map(async ([strategy, groups]) => {
        const rows = await reader.sql<Row>(memberPageStatement(reader, strategy, groups, page));
        const head = rows[0] && parseHead(rows[0].head);
        const isOneHead = !head || groups.every(([, entry]) => isSameHead(entry.head, head));
        const tail = isOneHead ? null : await readTail(reader, head);
        const byGroup = Map.groupBy(rows, ({ parentIndex }) => parentIndex);
        for (const [index, [id, entry]] of groups.entries()) {
          const found = byGroup.get(index + 1);
          // A group without a row is no longer visible.
          if (!head || !found) {
            hide(id);
            continue;
          }
          const members = found.filter((row) => row.userId !== null);
          const isCurrent = isSameHead(entry.head, head) || (tail && isSameAt(tail, head, entry));
          const isFilled = strategy === 'merge' || members.length === rowsToRead(page);
          if (isCurrent) entry.head = later(entry.head, head);
          else outdated.add(id);
          if (isCurrent && isFilled) {
            const value = pageOf(id, members);
            const { ids } = entry.value;
            const sources = { members: ids, nestings: ids, users: value.rows.map(({ userId }) => userId) };
            const key = cacheKey({ groupId: id, page });
            results.set(id, pageCache.set(reader, key, { value, head, sources }));
          } else pending.push(id);
          if (isFilled) continue;
          merged.add(id);
          // Past a cursor few users may be left, which says nothing about the closure.
          if (page.after === null && page.before === null) entry.value.sparse = true;
        }
      }),
    );
  }
  return keys.map(({ groupId }) => results.get(groupId) ?? null);
}
