// Direct members: listed, counted, added and removed.
import { Prisma, type Query } from '../../database/database.ts';
import { refuse } from '../../model/errors.ts';
import type { OrderDirection } from '../../model/groups.ts';
import { readInput } from '../../model/input.ts';
import {
  type GroupMembersInput,
  groupMembersInput,
  type MemberOrderField,
  type UpdateGroupMembersInput,
  updateGroupMembersInput,
} from '../../model/members.ts';
import type { Page, PageArgs } from '../../model/page.ts';
import { addAtOnce } from '../commands/add-members.ts';
import { requireGroup } from '../commands/rules/targets.ts';
import { assertMayChange, change, type Directory, mayChange, plainUser } from '../directory.ts';
import { loader } from '../loading/batching.ts';
import type { Ordering } from '../loading/keyset-page.ts';
import { list } from '../loading/list.ts';
import { matching, searchPattern } from '../loading/search.ts';
import { uncounted } from '../rows/groups.ts';
import { directMemberColumns, toMemberRow } from '../rows/members.ts';
import type { GroupRow, MemberExtras, MemberRow } from '../rows/rows.ts';
import { assertBatchSize, assertKnownUsers, endMemberships, insertMemberships } from '../writes/edges.ts';

export type MemberOrder = { field: MemberOrderField; direction: OrderDirection };
type ListArgs = {
  search?: string | null | undefined;
  orderBy?: MemberOrder | null | undefined;
  extras?: MemberExtras;
};

function memberOrdering({ orderBy }: { orderBy?: MemberOrder | null | undefined }): Ordering {
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

const members = list<ListArgs, MemberRow>({
  columns: (_directory, { extras = {} }) => directMemberColumns(extras),
  order: memberOrdering,
  toRow: toMemberRow,
  from: (directory, { search }) => Prisma.sql`from memberships m join users u on u.id = m.user_id
    where m.group_id = k.id and ${directory.scope(Prisma.sql`m.tenant_id`)}${matching(Prisma.sql`u.search_key`, search)}`,
});

/**
 * Direct members, by user id unless told otherwise. Null for a plain user. With a version that was read for the same
 * request, a page that was kept at that version is given as it is.
 */
export async function listMembers(
  directory: Directory,
  { id, membersVersion = null }: Pick<GroupRow, 'id' | 'membersVersion'>,
  { search, orderBy, extras, page }: ListArgs & { page: PageArgs },
): Promise<Page<MemberRow> | null> {
  if (plainUser(directory)) return null;
  return members.page(
    directory,
    id,
    { search: searchPattern(search), orderBy: orderBy ?? null, extras: extras ?? {} },
    page,
    membersVersion,
  );
}

/** All direct members by user id. Null for a plain user; refused with LIMIT_EXCEEDED above 10,000. */
export async function listAllMembers(
  directory: Directory,
  groupId: string,
): Promise<readonly MemberRow[] | null> {
  return plainUser(directory) ? null : members.whole(directory, groupId, { search: null, orderBy: null });
}

/** How many direct members there are. Null for a plain user. */
export async function countMembers(
  directory: Directory,
  groupId: string,
  { search }: { search?: string | null | undefined } = {},
): Promise<number | null> {
  if (plainUser(directory)) return null;
  const pattern = searchPattern(search);
  return pattern === null
    ? memberCounts(directory).load(groupId)
    : members.count(directory, groupId, { search: pattern });
}

const memberCounts = loader<string, number>(async (directory, ids) => {
  const rows = await directory.sql<{ id: string; count: number }>(Prisma.sql`
    select g.id, g.member_count as count from groups g
    where g.id = any(${ids}::text[]) and ${directory.scope(Prisma.sql`g.tenant_id`)}`);
  const byId = new Map(rows.map(({ id, count }) => [id, count]));
  return ids.map((id) => byId.get(id) ?? 0);
});

type Added = { group: GroupRow; added: string[]; unchanged: string[] };
type Removed = { group: GroupRow; removed: string[]; unchanged: string[] };

/** Adds users to a group; those who are members already are `unchanged`. Refused: NOT_FOUND, LIMIT_EXCEEDED, UNKNOWN_USERS. */
export async function addGroupMembers(directory: Directory, input: GroupMembersInput): Promise<Added> {
  const { groupId, userIds } = readInput(groupMembersInput, input);
  assertBatchSize(userIds);
  if (!mayChange(directory)) {
    await requireGroup(directory, groupId);
    throw refuse.forbidden();
  }
  const outcome = await addAtOnce(directory, groupId, userIds);
  if (!outcome) throw refuse.notFound(groupId);
  const { group, known, added } = outcome;
  const unknown = userIds.filter((id) => !known.has(id));
  if (unknown.length > 0) throw refuse.unknownUsers([...new Set(unknown)]);
  const unchanged = [...known].filter((id) => !added.has(id));
  return { group, added: [...added], unchanged };
}

/** Removes users from a group; those who are no members are `unchanged`. Refused: NOT_FOUND, LIMIT_EXCEEDED, UNKNOWN_USERS. */
export async function removeGroupMembers(directory: Directory, input: GroupMembersInput): Promise<Removed> {
  const { groupId, userIds } = readInput(groupMembersInput, input);
  const { group, removed, unchanged } = await changeMembers(directory, { groupId, add: [], remove: userIds });
  return { group, removed, unchanged };
}

/** Adds and removes in one step. Refused: as the two alone, and VALIDATION_FAILED for a user in both lists. */
export async function updateGroupMembers(
  directory: Directory,
  input: UpdateGroupMembersInput,
): Promise<Added & Removed> {
  const { groupId, usersToAdd, usersToRemove } = readInput(updateGroupMembersInput, input);
  return changeMembers(directory, { groupId, add: usersToAdd ?? [], remove: usersToRemove ?? [] });
}

type Changes = { groupId: GroupRow['id']; add: readonly string[]; remove: readonly string[] };

async function changeMembers(
  directory: Directory,
  { groupId, add, remove }: Changes,
): Promise<Added & Removed> {
  assertBatchSize(add, remove);
  const group = await requireGroup(directory, groupId);
  assertMayChange(directory);
  const { tenantId } = group;
  return change(directory, async (sql) => {
    await holdLiveGroup(sql, group);
    await assertKnownUsers(sql, tenantId, [...add, ...remove]);
    const added = await insertMemberships(directory, sql, { tenantId, groupId, userIds: add });
    const removed = await endMemberships(directory, sql, { tenantId, groupId, userIds: remove });
    const changed = new Set([...added, ...removed]);
    const unchanged = [...new Set([...add, ...remove])].filter((id) => !changed.has(id));
    return { group: uncounted(group), added, removed, unchanged };
  });
}

/**
 * Keeps the group from being deleted until the transaction ends; refused as not found if it already is. Not `for share`:
 * two who share the row would then wait for each other to count.
 */
async function holdLiveGroup(sql: Query, { id, tenantId }: GroupRow): Promise<void> {
  const [live] = await sql(Prisma.sql`
    select id from groups where tenant_id = ${tenantId} and id = ${id} and deleted_at is null for no key update`);
  if (!live) throw refuse.notFound(id);
}
