// Direct members of a group, listed and counted.

import { Prisma } from '../../database/database.ts';
import type { OrderDirection } from '../../model/groups.ts';
import type { MemberOrderField } from '../../model/members.ts';
import type { Page, PageArgs } from '../../model/page.ts';
import type { UserOrder } from '../../model/users.ts';
import type { Directory } from '../directory.ts';
import type { Ordering } from '../loading/keyset-page.ts';
import { list } from '../loading/list.ts';
import { matching, searchPatterns } from '../loading/search.ts';
import { directMemberColumns, type MemberProjection, type MemberRow, toMemberRow } from '../rows/members.ts';
import { personOrdering } from '../rows/users.ts';

export type MemberOrder = { field: MemberOrderField; direction: OrderDirection };
type ListArgs = {
  search?: string | null | undefined;
  orderBy?: MemberOrder | null | undefined;
  projection?: MemberProjection;
};

const BY_ID = { column: Prisma.sql`m.user_id`, type: 'text', alias: 'userId' } as const;
const memberOrdering = ({ orderBy }: MembersArgs): Ordering => {
  if (orderBy?.field !== 'ADDED_AT') return personOrdering(orderBy as UserOrder | null, BY_ID);
  const keys = [{ column: Prisma.sql`m.since`, type: 'bigint' } as const, BY_ID];
  return { tag: 'added', descending: orderBy.direction === 'DESC', keys };
};

type MembersArgs = Omit<ListArgs, 'search'> & { search: string[] | null };

const members = list({
  audience: 'administrators',
  columns: (_directory, { projection = {} }: MembersArgs) => directMemberColumns(projection),
  order: memberOrdering,
  toRow: toMemberRow,
  from: ({ tenantId, tables }, { search }) => Prisma.sql`from ${tables.memberships} m
    join ${tables.users} u on u.tenant_id = ${tenantId} and u.id = m.user_id
    where m.tenant_id = ${tenantId} and m.group_id = k.id${matching(Prisma.sql`u.search_key`, search)}`,
  total: ({ tenantId, asOf }, { search }) =>
    search == null && asOf === null
      ? Prisma.sql`coalesce((select member_count from groups where tenant_id = ${tenantId} and id = k.id
          and deleted_at is null), 0)`
      : null,
});

/** Direct members, by user id by default. Null for an end user. */
export async function listMembers(
  directory: Directory,
  groupId: string,
  { search, orderBy, projection, page }: ListArgs & { page: PageArgs },
): Promise<Page<MemberRow> | null> {
  const args = { search: searchPatterns(search), orderBy: orderBy ?? null, projection: projection ?? {} };
  return members.page(directory, groupId, args, page);
}

/** All direct members, by user id. Null for an end user. Refused with LIMIT_EXCEEDED above 10,000. */
export const listAllMembers = (directory: Directory, groupId: string) =>
  members.all(directory, groupId, { search: null, orderBy: null });

/** How many direct members there are; 0 for a group that the caller does not see. Null for an end user. */
export async function countMembers(
  directory: Directory,
  groupId: string,
  { search }: { search?: string | null | undefined } = {},
): Promise<number | null> {
  return members.count(directory, groupId, { search: searchPatterns(search) });
}
