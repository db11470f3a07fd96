// Effective members of a group: users who are members of it or of a group nested in it, at any depth.

import { Prisma, type Sql } from '../../database/database.ts';
import { refuse } from '../../model/errors.ts';
import { MAX_IDS_PER_CALL } from '../../model/groups.ts';
import { isIdOf } from '../../model/ids.ts';
import type { MembershipType } from '../../model/members.ts';
import type { Page, PageArgs } from '../../model/page.ts';
import type { UserOrder } from '../../model/users.ts';
import type { Directory, Reader } from '../directory.ts';
import { BY_USER } from '../effective-membership/page-sql.ts';
import { effectiveCount, effectivePage } from '../effective-membership/pages.ts';
import { pastEffectivePage } from '../effective-membership/past-pages.ts';
import { loader } from '../loading/batching.ts';
import { list } from '../loading/list.ts';
import { matching, searchPatterns } from '../loading/search.ts';
import { type MemberRow, memberUserColumns, toMemberRow } from '../rows/members.ts';
import { personOrdering } from '../rows/users.ts';
import { effectiveGroupIds } from './visible-groups.ts';

type Filter = { search?: string | null | undefined; membershipType?: MembershipType | null | undefined };
type ListArgs = Filter & { orderBy?: UserOrder | null | undefined };
type MembersArgs = {
  search: string[] | null;
  membershipType: MembershipType | null;
  orderBy: UserOrder | null;
};

/**
 * The distinct members of the group `k.id` and of all groups nested in it, as (user_id, added_at of the direct membership
 * or null). `union`, not `union all`: a group nested by two paths is visited once, and the recursion ends on any graph.
 */
const effectiveUsers = ({ tenantId, tables }: Reader): Sql => Prisma.sql`(
  with recursive closure(id) as (
    select id from ${tables.groups} g where tenant_id = ${tenantId} and id = k.id and deleted_at is null
    union
    select n.child_group_id
    from closure join ${tables.nestings} n on n.tenant_id = ${tenantId} and n.parent_group_id = closure.id)
  select m.user_id, min(m.added_at) filter (where m.group_id = k.id) as added_at
  from closure join ${tables.memberships} m on m.tenant_id = ${tenantId} and m.group_id = closure.id
  group by m.user_id)`;

const OF_TYPE = {
  DIRECT: Prisma.sql` and e.added_at is not null`,
  INHERITED: Prisma.sql` and e.added_at is null`,
};
const ofType = (type: MembershipType | null | undefined): Sql => (type ? OF_TYPE[type] : Prisma.empty);

const effectiveMembers = list({
  audience: 'administrators',
  columns: () => Prisma.sql`${memberUserColumns}, e.added_at as "addedAt",
    case when e.added_at is null then 'INHERITED' else 'DIRECT' end as "membershipType"`,
  order: ({ orderBy }: MembersArgs) => personOrdering(orderBy, BY_USER.keys[0]!),
  toRow: toMemberRow,
  from: (reader, { search, membershipType }) => Prisma.sql`from ${effectiveUsers(reader)} e
    join ${reader.tables.users} u on u.tenant_id = ${reader.tenantId} and u.id = e.user_id
    where true${ofType(membershipType)}${matching(Prisma.sql`u.search_key`, search)}`,
  total: (reader, { search, membershipType }) =>
    search == null
      ? Prisma.sql`(select count(*)::int from ${effectiveUsers(reader)} e where true${ofType(membershipType)})`
      : null,
});

/** Rows that are skipped by way of the closure, each in each of its groups. Beyond, the statement reads all members. */
const MAX_MERGED_OFFSET = 1_000;

/** Effective members, each once, by user id by default: any other order reads all of them. Null for an end user. */
export async function listEffectiveMembers(
  directory: Directory,
  groupId: string,
  { page, ...args_ }: ListArgs & { page: PageArgs },
): Promise<Page<MemberRow> | null> {
  const args = argsOf(args_);
  if (isFiltered(args) || (args.orderBy && args.orderBy.field !== 'USER_ID'))
    return effectiveMembers.page(directory, groupId, args, page);
  if (directory.asOf !== null) return pastEffectivePage(directory, groupId, page);
  const merged =
    (page.offset ?? 0) <= MAX_MERGED_OFFSET ? await effectivePage(directory, groupId, page) : null;
  return merged ?? effectiveMembers.page(directory, groupId, args, page);
}

/** How many effective members there are. Null for an end user. */
export async function countEffectiveMembers(
  directory: Directory,
  groupId: string,
  filter: Filter = {},
): Promise<number | null> {
  const args = argsOf(filter);
  // Counts are cached for the present alone.
  return isFiltered(args) || directory.asOf !== null
    ? effectiveMembers.count(directory, groupId, args)
    : effectiveCount(directory, groupId);
}

const argsOf = ({ search, membershipType = null, orderBy = null }: ListArgs): MembersArgs => ({
  search: searchPatterns(search),
  membershipType,
  orderBy,
});

const isFiltered = ({ search, membershipType }: MembersArgs) => search !== null || membershipType !== null;

type Pair = { groupId: string; userId: string };

const membershipTests = loader({
  audience: 'self',
  keyOf: ({ groupId, userId }: Pair) => `${groupId}\n${userId}`,
  subjectOf: ({ userId }: Pair) => userId,
  idOf: ({ groupId }: Pair) => groupId,
  read: async (reader, pairs: readonly Pair[]) => {
    // The groups above a user are walked once, whatever is asked of it.
    const ofUsers = [...Map.groupBy(pairs, ({ userId }) => userId)];
    const groupIds = ofUsers.map(([, some]) => some.map(({ groupId }) => groupId).join(','));
    const rows = await reader.sql<Pair>(Prisma.sql`
      select k.id as "userId", e.id as "groupId"
      from unnest(${ofUsers.map(([id]) => id)}::text[], ${groupIds}::text[]) k(id, group_ids)
      cross join lateral ${effectiveGroupIds(reader)} e where e.id = any(string_to_array(k.group_ids, ','))`);
    const found = new Set(rows.map(({ groupId, userId }) => `${groupId} ${userId}`));
    return pairs.map(({ groupId, userId }) => found.has(`${groupId} ${userId}`));
  },
});

/**
 * Whether each user is an effective member of its group, in order; false for users and groups that the caller does not see.
 * Refused with LIMIT_EXCEEDED: more than 1,000 pairs.
 */
export async function checkMemberships(directory: Directory, pairs: readonly Pair[]): Promise<boolean[]> {
  const message = `At most ${MAX_IDS_PER_CALL} memberships can be checked at once`;
  if (pairs.length > MAX_IDS_PER_CALL) throw refuse.limit(MAX_IDS_PER_CALL, message);
  return Promise.all(pairs.map(({ groupId, userId }) => hasEffectiveMember(directory, groupId, userId)));
}

/** Whether the user is an effective member; false for users and groups that the caller does not see. */
export async function hasEffectiveMember(
  directory: Directory,
  groupId: string,
  userId: string,
): Promise<boolean> {
  if (!isIdOf('group', groupId) || !isIdOf('user', userId)) return false;
  return (await membershipTests(directory, { groupId, userId })) ?? false;
}
