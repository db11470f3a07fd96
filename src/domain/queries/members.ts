// Direct members of a group, listed and counted.

import { Prisma } from '../../database/database.ts';
import type { OrderDirection } from '../../model/groups.ts';
import type { MemberOrderField } from '../../model/members.ts';
import type { Page, PageArgs } from '../../model/page.ts';
import type { Directory } from '../directory.ts';
import { loader } from '../loading/batching.ts';
import type { Ordering } from '../loading/keyset-page.ts';
import { list } from '../loading/list.ts';
import { matching, searchPattern } from '../loading/search.ts';
import { directMemberColumns, type MemberProjection, type MemberRow, toMemberRow } from '../rows/members.ts';

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
        keys: [{ column: Prisma.sql`m.added_at`, type: 'timestamptz' }, id],
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
  from: (directory, { search }) => Prisma.sql`from memberships m join users u on u.id = m.user_id
    where m.group_id = k.id and ${directory.scope(Prisma.sql`m.tenant_id`)}${matching(Prisma.sql`u.search_key`, search)}`,
});

/**
 * Direct members, by user id by default. Null for an end user. With the `membersVersion` of a group that the same request
 * read, a page cached at that version is returned without a statement.
 */
export async function listMembers(
  directory: Directory,
  { id, membersVersion = null }: { id: string; membersVersion?: string | null | undefined },
  { search, orderBy, projection, page }: ListArgs & { page: PageArgs },
): Promise<Page<MemberRow> | null> {
  return members.page(
    directory,
    id,
    { search: searchPattern(search), orderBy: orderBy ?? null, projection: projection ?? {} },
    page,
    membersVersion,
  );
}

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
  read: async (directory, ids: readonly string[]) => {
    const rows = await directory.sql<{ id: string; count: number }>(Prisma.sql`
    select g.id, g.member_count as count from groups g
    where g.id = any(${ids}::text[]) and ${directory.scope(Prisma.sql`g.tenant_id`)}`);
    const byId = new Map(rows.map(({ id, count }) => [id, count]));
    return ids.map((id) => byId.get(id) ?? 0);
  },
});
