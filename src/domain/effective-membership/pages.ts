// Pages of effective members without a filter, now, read by way of cached closures: the cost does not grow with the number of
// members. The statement of a page returns the head of the log, which tells whether its closure was valid.

import { type Page, type PageArgs, type PageRequest, pageRequest } from '../../model/page.ts';
import type { Directory, Reader } from '../directory.ts';
import { loader } from '../loading/batching.ts';
import { rowsToRead, SortedPage } from '../loading/keyset-page.ts';
import { type MemberRow, type RawMember, toMemberRow } from '../rows/members.ts';
import { isSameHead, later, parseHead, readTail } from '../sharing/tail.ts';
import { isSameClosure, loadClosures, type NestingClosure } from './closure.ts';
import { loadCounts } from './counts.ts';
import { BY_USER, MAX_MERGED_GROUPS, memberPageStatement, type Strategy } from './page-sql.ts';

/** Attempts to read a page, each of which a change of the group may spoil. */
const MAX_ATTEMPTS = 4;

type Key = { groupId: string; page: PageRequest };
type Row = RawMember & { parentIndex: number; head: string };

const kindOf = ({ page }: Key) => JSON.stringify(page);

const effectivePages = loader({
  audience: 'administrators',
  keyOf: (key: Key) => `${key.groupId}\n${kindOf(key)}`,
  idOf: ({ groupId }) => groupId,
  kindOf,
  read: (reader, keys: readonly Key[]) => readPages(reader, keys),
});

/** How many effective members a group has; 0 for a group that is not visible. Null for an end user. */
export const effectiveCount = loader({
  audience: 'administrators',
  read: async (reader, ids: readonly string[]) => {
    const counts = await loadCounts(reader, ids, null);
    return ids.map((id) => counts.get(id)?.count ?? 0);
  },
});

/**
 * Effective members by user id, with their number if `withTotal`; empty for a group that is not visible. Null for an end user,
 * and if the group kept changing during every attempt: the caller then walks the nestings in the statement itself.
 */
export const effectivePage = (directory: Directory, groupId: string, args: PageArgs) =>
  effectivePages(directory, { groupId, page: pageRequest(args) });

/**
 * Pages with the same arguments; null after `MAX_ATTEMPTS`. A group is tried again if its closure was out of date, if it could be
 * counted at another head only, or if a walk did not fill the page: then by `merge`.
 */
async function readPages(reader: Reader, keys: readonly Key[]): Promise<(Page<MemberRow> | null)[]> {
  const { page } = keys[0]!;
  const pages = new Map<string, Page<MemberRow>>();
  const settle = (id: string, rows: Row[], total: number | undefined) =>
    pages.set(id, new SortedPage((raw: Row) => toMemberRow(raw, id), BY_USER, page, rows, total));
  const merged = new Set<string>();
  const outdated = new Set<string>();

  const readBy = async (
    strategy: Strategy,
    groups: readonly (readonly [string, NestingClosure])[],
  ): Promise<void> => {
    const rows = await reader.sql<Row>(memberPageStatement(reader, strategy, groups, page));
    const byGroup = Map.groupBy(rows, ({ parentIndex }) => groups[parentIndex - 1]![0]);
    // A group without a row is no longer visible.
    for (const [id] of groups) if (!byGroup.has(id)) settle(id, [], 0);
    if (!rows[0]) return;
    const head = parseHead(rows[0].head);
    const isOneHead = groups.every(([, closure]) => isSameHead(closure.head, head));
    const tail = isOneHead ? null : await readTail(reader, head);
    const filled = new Map<string, Row[]>();
    for (const [id, closure] of groups.filter(([id]) => byGroup.has(id))) {
      const isCurrent = isOneHead || (tail !== null && isSameClosure(tail, closure, closure.head, head));
      if (isCurrent) closure.head = later(closure.head, head);
      else outdated.add(id);
      const members = byGroup.get(id)!.filter(({ userId }) => userId !== null);
      const isFilled = strategy === 'merge' || members.length === rowsToRead(page);
      if (isCurrent && isFilled) filled.set(id, members);
      if (isFilled) continue;
      merged.add(id);
      // Past a cursor or an offset few users may be left, which says nothing about the closure.
      if (page.after === null && page.before === null && page.offset === 0) closure.sparse = true;
    }
    const counts = page.withTotal ? await loadCounts(reader, [...filled.keys()], head) : null;
    for (const [id, members] of filled) {
      const counted = counts?.get(id);
      if (!counts || (counted && isSameHead(counted.head, head))) settle(id, members, counted?.count);
    }
  };

  const ids = [...new Set(keys.map(({ groupId }) => groupId))];
  for (let attempt = 0, pending = ids; attempt < MAX_ATTEMPTS && pending.length > 0; attempt += 1) {
    const closures = await loadClosures(reader, pending, { outdated, counting: page.withTotal });
    outdated.clear();
    for (const id of pending) if (!closures.has(id)) settle(id, [], 0);
    const byStrategy = Map.groupBy(closures, ([id, { size, sparse }]) =>
      size < MAX_MERGED_GROUPS || sparse || merged.has(id) ? 'merge' : 'walk',
    );
    await Promise.all([...byStrategy].map(([strategy, groups]) => readBy(strategy, groups)));
    pending = ids.filter((id) => !pages.has(id));
  }
  return keys.map(({ groupId }) => pages.get(groupId) ?? null);
}
