// Pages of effective members without a filter as of a position. What was never changes, and is asked for too rarely to be cached.
import { Prisma } from '../../database/database.ts';
import { type Page, type PageArgs, type PageRequest, pageRequest } from '../../model/page.ts';
import type { Directory, Reader } from '../directory.ts';
import { loader } from '../loading/batching.ts';
import { rowsToRead, SortedPage } from '../loading/keyset-page.ts';
import { type MemberRow, type RawMember, toMemberRow } from '../rows/members.ts';
import { nestedBelow } from './closure.ts';
import { BY_USER, MAX_MERGED_GROUPS, memberPageStatement, type Strategy } from './page-sql.ts';

type Key = { groupId: string; page: PageRequest };
type Closure = { id: string; ids: string; size: number };

const kindOf = ({ page }: Key) => JSON.stringify(page);

const pastPages = loader({
  audience: 'administrators',
  keyOf: (key: Key) => `${key.groupId}\n${kindOf(key)}`,
  idOf: ({ groupId }) => groupId,
  kindOf,
  read: (reader, keys: readonly Key[]) => readPages(reader, keys),
});

/** Effective members by user id; empty for a group that did not exist. Without a total. Null for an end user. */
export const pastEffectivePage = (directory: Directory, groupId: string, args: PageArgs) =>
  pastPages(directory, { groupId, page: { ...pageRequest(args), withTotal: false } });

/** Pages with the same arguments: one statement for the closures, one for each strategy, and one for walks without success. */
async function readPages(reader: Reader, keys: readonly Key[]): Promise<Page<MemberRow>[]> {
  const { page } = keys[0]!;
  const ids = keys.map(({ groupId }) => groupId);
  const closures = await reader.sql<Closure>(Prisma.sql`
    select k.id, r.ids, r.size from unnest(${ids}::text[]) k(id) cross join lateral ${nestedBelow(reader)} r`);
  const members = new Map<string, RawMember[]>();
  const readBy = async (strategy: Strategy, some: readonly Closure[]): Promise<void> => {
    if (some.length === 0) return;
    const groups = some.map(({ id, ids }) => [id, { ids }] as const);
    const rows = await reader.sql<RawMember & { parentIndex: number }>(
      memberPageStatement(reader, strategy, groups, page),
    );
    for (const { id } of some) members.set(id, []);
    for (const row of rows) if (row.userId !== null) members.get(some[row.parentIndex - 1]!.id)!.push(row);
  };
  const isSmall = ({ size }: Closure) => size < MAX_MERGED_GROUPS;
  const large = closures.filter((closure) => !isSmall(closure));
  await Promise.all([readBy('merge', closures.filter(isSmall)), readBy('walk', large)]);
  await readBy(
    'merge',
    large.filter(({ id }) => members.get(id)!.length < rowsToRead(page)),
  );
  return ids.map((id) => {
    const toRow = (raw: RawMember) => toMemberRow(raw, id);
    return new SortedPage(toRow, BY_USER, page, members.get(id) ?? []);
  });
}
