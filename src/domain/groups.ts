// Groups: found by id, listed by filter, created and updated.
import DataLoader from 'dataloader';
import type { z } from 'zod';
import { Prisma } from '../database/database.ts';
import {
  type CreateGroupInput,
  createGroupInput,
  type GroupFilter,
  type GroupOrder,
  groupFilter,
  type JsonObject,
  nameKey,
  searchKey,
  type UpdateGroupInput,
  updateGroupInput,
} from '../model/groups.ts';
import { isIdOf, newId } from '../model/ids.ts';
import { readInput } from '../model/input.ts';
import type { Page, PageArgs } from '../model/page.ts';
import { withRows } from './cursors.ts';
import { assertMayChange, change, type Directory, perDirectory, plainUser } from './directory.ts';
import { visibleGroupIds } from './effective-members.ts';
import { recordEvent } from './events.ts';
import { lockGraph } from './graph-lock.ts';
import {
  groupColumns,
  groupOrdering,
  listColumns,
  lockGroup,
  redact,
  toGroupRow,
  uncounted,
} from './group-rows.ts';
import { assertHierarchyFits } from './hierarchy.ts';
import { list, NO_PARENT } from './lists.ts';
import { assertBatchSize, insertMemberships } from './memberships.ts';
import type { GroupExtras, GroupRow } from './rows.ts';
import { matching, searchPattern } from './search.ts';
import { assertNameFree } from './sibling-names.ts';
import { assertExpectedVersion, requireGroup } from './targets.ts';

const groupsById = perDirectory(
  (directory) =>
    new DataLoader<string, GroupRow | null>(async (ids) => {
      const user = plainUser(directory);
      const visible = user ? new Set<string>(await visibleGroupIds(directory)) : null;
      const asked = visible ? ids.filter((id) => visible.has(id)) : ids;
      const rows = await directory.sql<GroupRow>(Prisma.sql`
        select ${groupColumns} from groups g
        where g.id = any(${asked}::text[]) and g.deleted_at is null and ${directory.scope(Prisma.sql`g.tenant_id`)}`);
      const byId = new Map<string, GroupRow>(rows.map((row) => [row.id, user ? redact(row) : row]));
      return ids.map((id) => byId.get(id) ?? null);
    }),
);

/** The live group with that id, or null if it is not in sight. */
export async function findGroup(directory: Directory, id: string): Promise<GroupRow | null> {
  return isIdOf('group', id) ? groupsById(directory).load(id) : null;
}

/** The live groups with these ids, in their order; null for each that is not in sight. One statement a batch. */
export async function findGroups(directory: Directory, ids: readonly string[]): Promise<(GroupRow | null)[]> {
  return Promise.all(ids.map((id) => findGroup(directory, id)));
}

type ListArgs = {
  filter?: GroupFilter | null | undefined;
  orderBy?: GroupOrder | null | undefined;
  extras?: GroupExtras;
};
type Filter = Omit<ReadFilter, 'search'> & { search: string | null };

type GroupsArgs = {
  filter: Filter;
  orderBy?: GroupOrder | null | undefined;
  extras?: GroupExtras;
  visible?: readonly string[];
};

const groups = list<GroupsArgs, GroupRow>({
  columns: (directory, { extras }) => listColumns(directory, extras ?? {}),
  toRow: toGroupRow,
  order: groupOrdering,
  from(directory, { filter, visible }) {
    const { search, tenantId, partnerId, type, parentGroupId, memberUserId } = filter;
    const searched = visible ? Prisma.sql`g.name_key` : Prisma.sql`g.search_key`;
    return Prisma.sql`from groups g where g.deleted_at is null and ${directory.scope(Prisma.sql`g.tenant_id`)}
      ${visible ? Prisma.sql`and g.id = any(${visible}::text[])` : Prisma.empty}
      ${tenantId ? Prisma.sql`and g.tenant_id = ${tenantId}` : Prisma.empty}
      ${partnerId ? Prisma.sql`and g.tenant_id in (select id from tenants where partner_id = ${partnerId})` : Prisma.empty}
      ${type ? Prisma.sql`and g.type = ${type}::"GroupType"` : Prisma.empty}
      ${parentGroupId === undefined ? Prisma.empty : parentGroupId === null ? Prisma.sql`and g.parent_group_id is null` : Prisma.sql`and g.parent_group_id = ${parentGroupId}`}
      ${memberUserId ? Prisma.sql`and exists (select 1 from memberships m where m.user_id = ${memberUserId} and m.group_id = g.id)` : Prisma.empty}
      ${matching(searched, search)}`;
  },
});

/** Groups in sight; a plain user sees those it is an effective member of, and can filter them by name and type alone. */
export async function listGroups(
  directory: Directory,
  { filter, orderBy, extras, page }: ListArgs & { page: PageArgs },
): Promise<Page<GroupRow>> {
  const args = await visibleTo(directory, {
    filter: filterOf(filter),
    orderBy: orderBy ?? null,
    extras: extras ?? {},
  });
  const found = await groups.page(directory, NO_PARENT, args, page);
  return plainUser(directory) ? withRows(found, found.rows.map(redact)) : found;
}

/** How many groups `listGroups` would list. */
export async function countGroups(
  directory: Directory,
  { filter }: Pick<ListArgs, 'filter'>,
): Promise<number> {
  return groups.count(directory, NO_PARENT, await visibleTo(directory, { filter: filterOf(filter) }));
}

function filterOf(filter: GroupFilter | null | undefined): Filter {
  if (filter == null) return NO_FILTER;
  const { search, ...rest }: ReadFilter = readInput(groupFilter, filter);
  return { ...rest, search: searchPattern(search) };
}

type ReadFilter = z.output<typeof groupFilter>;
const NO_FILTER: Filter = { search: null };

async function visibleTo(directory: Directory, args: Omit<GroupsArgs, 'visible'>): Promise<GroupsArgs> {
  const user = plainUser(directory);
  if (!user) return args;
  const { filter } = args;
  // Filing, description and other people's memberships are hidden from a plain user, so nothing may be learnt by filtering on them.
  const hidden =
    filter.parentGroupId !== undefined ||
    filter.partnerId != null ||
    (filter.tenantId != null && filter.tenantId !== user.tenantId) ||
    (filter.memberUserId != null && filter.memberUserId !== user.userId) ||
    args.orderBy?.field === 'CREATED_AT';
  return { ...args, extras: {}, visible: hidden ? [] : await visibleGroupIds(directory) };
}

/**
 * Creates a group, filed under `parentGroupId` or as a root, with its first members.
 * Refused: NOT_FOUND or OTHER_TENANT (parent), LIMIT_EXCEEDED (depth, ids), NAME_TAKEN, UNKNOWN_USERS.
 */
export async function createGroup(
  directory: Directory,
  input: CreateGroupInput,
): Promise<{ group: GroupRow }> {
  const { tenantId, name, description, type, parentGroupId, initialMemberIds, customAttributes } = readInput(
    createGroupInput,
    input,
  );
  assertBatchSize(initialMemberIds ?? []);
  const id = newId('group');
  const group = await change(directory, async (sql) => {
    await lockGraph(directory, sql, tenantId);
    if (parentGroupId) await assertHierarchyFits(directory, sql, { tenantId, groupId: null, parentGroupId });
    await assertNameFree(sql, { tenantId, parentGroupId: parentGroupId ?? null, name });
    const [row] = await sql<GroupRow>(Prisma.sql`
      insert into groups as g (id, tenant_id, parent_group_id, name, name_key, search_key, description, type, custom_attributes)
      values (${id}, ${tenantId}, ${parentGroupId ?? null}, ${name}, ${nameKey(name)}, ${searchKey(name, description)},
        ${description ?? null}, ${type ?? 'SECURITY'}::"GroupType", ${jsonb(customAttributes)})
      returning ${groupColumns}`);
    await recordEvent(directory, sql, {
      type: 'group.created',
      tenantId,
      groupId: id,
      data: eventData(row!),
    });
    if (initialMemberIds?.length)
      await insertMemberships(directory, sql, { tenantId, groupId: id, userIds: initialMemberIds });
    return uncounted(row!);
  });
  return { group };
}

/**
 * Changes the fields that are given; an update that changes nothing leaves the version as it is. `previousParentId` is
 * what a moved group was filed under.
 * Refused: NOT_FOUND, VERSION_CONFLICT, OTHER_TENANT, CYCLE, LIMIT_EXCEEDED (depth), NAME_TAKEN.
 */
export async function updateGroup(
  directory: Directory,
  input: UpdateGroupInput,
): Promise<{ group: GroupRow; previousParentId: string | null }> {
  const { id, expectedVersion, ...wanted } = readInput(updateGroupInput, input);
  const { tenantId } = await requireGroup(directory, id);
  assertMayChange(directory);
  return change(directory, async (sql) => {
    await lockGraph(directory, sql, tenantId);
    const before = await lockGroup(sql, tenantId, id);
    assertExpectedVersion(before, expectedVersion);
    const given = Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined));
    const after = { ...before, ...given } as GroupRow;
    const { parentGroupId } = after;
    if (parentGroupId && parentGroupId !== before.parentGroupId) {
      await assertHierarchyFits(directory, sql, { tenantId, groupId: id, parentGroupId });
    }
    if (nameKey(after.name) !== nameKey(before.name) || parentGroupId !== before.parentGroupId) {
      await assertNameFree(sql, { tenantId, parentGroupId, name: after.name, exceptId: id });
    }
    const changed = changedFields(before, after);
    const previousParentId = parentGroupId === before.parentGroupId ? null : before.parentGroupId;
    if (changed.length === 0) return { group: before, previousParentId };
    const [row] = await sql<GroupRow>(Prisma.sql`
      update groups as g set name = ${after.name}, name_key = ${nameKey(after.name)}, description = ${after.description},
        search_key = ${searchKey(after.name, after.description)}, parent_group_id = ${parentGroupId},
        custom_attributes = ${jsonb(after.customAttributes)}, version = g.version + 1, updated_at = now()
      where g.tenant_id = ${tenantId} and g.id = ${id} returning ${groupColumns}`);
    await recordEvent(directory, sql, {
      type: 'group.updated',
      tenantId,
      groupId: id,
      data: { changed, before: eventData(before), after: eventData(row!) },
    });
    return { group: row!, previousParentId };
  });
}

const CHANGEABLE = ['name', 'description', 'parentGroupId', 'customAttributes'] as const;

function changedFields(before: GroupRow, after: GroupRow): string[] {
  return CHANGEABLE.filter((field) => !sameJson(before[field], after[field]));
}

/** Equality of JSON values; the order of an object's keys does not count, as in jsonb. */
function sameJson(left: unknown, right: unknown): boolean {
  return JSON.stringify(left, sortKeys) === JSON.stringify(right, sortKeys);
}

function sortKeys(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

const eventData = ({ name, description, type, parentGroupId, customAttributes }: GroupRow) => ({
  name,
  description,
  type,
  parentGroupId,
  customAttributes,
});

const jsonb = (value: JsonObject | null | undefined) =>
  Prisma.sql`${value == null ? null : JSON.stringify(value)}::text::jsonb`;
