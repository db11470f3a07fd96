// Direct members of a group, listed and counted.

import { Prisma } from '../../database/database.ts';
import type { OrderDirection } from '../../model/groups.ts';
import type { MemberOrderField } from '../../model/members.ts';
import { type Page, type PageArgs, type PageRequest, pageRequest } from '../../model/page.ts';
import type { Directory } from '../directory.ts';
import { loader } from '../loading/batching.ts';
import type { Ordering } from '../loading/keyset-page.ts';
import { list } from '../loading/list.ts';
import { inOrder, readerFor } from '../loading/routing.ts';
import { matching, searchPattern } from '../loading/search.ts';
import { groupsWithIds } from '../rows/groups.ts';
import { directMemberColumns, type MemberProjection, type MemberRow, toMemberRow } from '../rows/members.ts';
import { logCache, rowsBytes } from '../sharing/log-cache.ts';
import { lastTail, readTail } from '../sharing/tail.ts';

export type MemberOrder = { field: MemberOrderField; direction: OrderDirection };
type ListArgs = {
  search?: string | null | undefined;
  orderBy?: MemberOrder | null | undefined;
  projection?: MemberProjection;
};

function memberOrdering({ orderBy }: ListArgs): Ordering {
  const descending = orderBy?.direction === 'DESC';
  const id = { column: Prisma.sql`m.user_id`, type: 'text' as const, alias: 'userId' };
  switch (orderBy?.field) {
    case 'EMAIL':
      return { tag: 'email', descending, keys: [{ column: Prisma.sql`u.search_key`, type: 'text' }, id] };
    case 'ADDED_AT':
      return {
        tag: 'added',
        descending,
        keys: [{ column: Prisma.sql`m.since`, type: 'bigint' }, id],
      };
    default:
      return { tag: 'user', descending, keys: [id] };
  }
}

const members = list({
  audience: 'administrators',
  columns: (_directory, { projection = {} }: ListArgs) => directMemberColumns(projection),
  order: memberOrdering,
  toRow: toMemberRow,
  from: ({ tenantId }, { search }) => Prisma.sql`from memberships m
    join users u on u.tenant_id = ${tenantId} and u.id = m.user_id
    where m.tenant_id = ${tenantId} and m.group_id = k.id${matching(Prisma.sql`u.search_key`, search)}`,
  total: ({ tenantId }, { search }) =>
    search == null
      ? Prisma.sql`coalesce((select member_count from groups where tenant_id = ${tenantId} and id = k.id
          and deleted_at is null), 0)`
      : null,
});

/**
 * Direct members, by user id by default. Null for an end user. Pages are cached as long as neither the group's members nor the
 * users that they show change.
 */
export async function listMembers(
  directory: Directory,
  groupId: string,
  { search, orderBy, projection, page }: ListArgs & { page: PageArgs },
): Promise<Page<MemberRow> | null> {
  const args = { search: searchPattern(search), orderBy: orderBy ?? null, projection: projection ?? {} };
  const key = { groupId, args, page: pageRequest(page) };
  const cached = await cachedPages(directory, key);
  if (!cached || cached.page) return cached?.page ?? null;
  const found = await members.page(directory, groupId, args, page);
  if (found && cached.head && isCacheable(args)) {
    const sources = { members: groupId, users: found.rows.map(({ userId }) => userId) };
    const reader = await readerFor(directory, groupId);
    pageCache.set(reader, keyOf(key), { value: found, head: cached.head, sources });
  }
  return found;
}

type Key = { groupId: string; args: ListArgs; page: PageRequest };

const keyOf = ({ groupId, args, page }: Key) => `${groupId}\n${JSON.stringify([args, page])}`;

/** Whether a change of users that are not on the page cannot change it. */
const isCacheable = ({ search, orderBy }: ListArgs) => search == null && orderBy?.field !== 'EMAIL';

const pageCache = logCache<Page<MemberRow>>(({ rows }) => rowsBytes(rows));

/** The page if it is cached and valid, and a position that is no later than what is read after it. */
const cachedPages = loader({
  audience: 'administrators',
  keyOf,
  idOf: ({ groupId }: Key) => groupId,
  read: async (reader, keys: readonly Key[]) => {
    const isCached = keys.some((key) => pageCache.peek(reader, keyOf(key)) !== undefined);
    // A page that is read at a later position than its entry says becomes invalid too early, and never too late.
    const tail = (isCached ? null : lastTail(reader)) ?? (await readTail(reader));
    // As it is now: other requests read the tail on while pages are read.
    const head = tail?.head ?? null;
    return keys.map((key) => ({
      page: (tail && pageCache.get(reader, keyOf(key), tail)?.value) ?? null,
      head,
    }));
  },
});

/** All direct members, by user id. Null for an end user. Refused with LIMIT_EXCEEDED above 10,000. */
export async function listAllMembers(
  directory: Directory,
  groupId: string,
): Promise<readonly MemberRow[] | null> {
  return members.all(directory, groupId, { search: null, orderBy: null });
}

/** How many direct members there are; 0 for a group that the caller does not see. Null for an end user. */
export async function countMembers(
  directory: Directory,
  groupId: string,
  { search }: { search?: string | null | undefined } = {},
): Promise<number | null> {
  const pattern = searchPattern(search);
  return pattern === null
    ? memberCounts(directory, groupId)
    : members.count(directory, groupId, { search: pattern });
}

const memberCounts = loader({
  audience: 'administrators',
  read: async ({ sql, tenantId }, ids: readonly string[]) => {
    const rows = await sql<{ id: string; count: number }>(Prisma.sql`
      select g.id, g.member_count as count from ${groupsWithIds(tenantId, ids)}`);
    return inOrder(ids, rows).map((row) => row?.count ?? 0);
  },
});
