// Direct members of a group, listed and counted.

import { Prisma } from '../../database/database.ts';
import type { OrderDirection } from '../../model/groups.ts';
import type { MemberOrderField } from '../../model/members.ts';
import { type Page, type PageArgs, type PageRequest, pageRequest } from '../../model/page.ts';
import type { Directory } from '../directory.ts';
import { loader } from '../loading/batching.ts';
import type { Ordering } from '../loading/keyset-page.ts';
import { list } from '../loading/list.ts';
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
      : Prisma.sql`(select count(*)::int from memberships m
          join users u on u.tenant_id = ${tenantId} and u.id = m.user_id
          where m.tenant_id = ${tenantId} and m.group_id = k.id${matching(Prisma.sql`u.search_key`, search)})`,
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
  return memberPages(directory, { groupId, args, page: pageRequest(page) });
}

type Key = { groupId: string; args: ListArgs; page: PageRequest };

const keyOf = ({ groupId, args, page }: Key) => `${groupId}\n${JSON.stringify([args, page])}`;

/** Whether a change of users that are not on the page cannot change it. */
const isCacheable = ({ args }: Key) => args.search == null && args.orderBy?.field !== 'EMAIL';

const pageCache = logCache<Page<MemberRow>>(({ rows }) => rowsBytes(rows));

const memberPages = loader({
  audience: 'administrators',
  keyOf,
  idOf: ({ groupId }: Key) => groupId,
  read: async (reader, keys: readonly Key[]): Promise<(Page<MemberRow> | Error)[]> => {
    const isCached = keys.some((key) => pageCache.peek(reader, keyOf(key)) !== undefined);
    // A page that was read at a later position than its entry says becomes invalid too early, and never too late.
    const tail = (isCached ? null : lastTail(reader)) ?? (await readTail(reader));
    // As it was before the pages are read: other requests read the tail on meanwhile.
    const head = tail?.head;
    const pages = keys.map((key) => tail && pageCache.get(reader, keyOf(key), tail)?.value);
    const missing = [...pages.keys()].filter((index) => !pages[index]);
    const byKind = Map.groupBy(missing, (index) => JSON.stringify([keys[index]!.args, keys[index]!.page]));
    await Promise.all(
      [...byKind.values()].map(async (indexes) => {
        const { args, page } = keys[indexes[0]!]!;
        const groupIds = indexes.map((index) => keys[index]!.groupId);
        const read = await members.read(reader, groupIds, args, page);
        indexes.forEach((index, position) => {
          pages[index] = read[position]!;
          if (head && isCacheable(keys[index]!)) {
            const users = read[position]!.rows.map(({ userId }) => userId);
            const sources = { members: keys[index]!.groupId, users };
            pageCache.set(reader, keyOf(keys[index]!), { value: read[position]!, head, sources });
          }
        });
      }),
    );
    return pages.map((page) => page!);
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
    const byId = new Map(rows.map(({ id, count }) => [id, count]));
    return ids.map((id) => byId.get(id) ?? 0);
  },
});
