// Groups: found by id and listed by filter.

import { Prisma } from '../../database/database.ts';
import { refuse } from '../../model/errors.ts';
import { isIdOf } from '../../model/ids.ts';
import { type Page, type PageArgs, withRows } from '../../model/page.ts';
import { type Directory, endUser } from '../directory.ts';
import { finder } from '../loading/finders.ts';
import { list, NO_PARENT } from '../loading/list.ts';
import {
  type Group,
  type GroupProjection,
  type GroupSummary,
  groupColumns,
  groupOrdering,
  groupsWithIds,
  listColumns,
  redact,
  toListedGroup,
  type VisibleGroup,
} from '../rows/groups.ts';
import { type Conditions, conditionsOf, type FilterArgs, isHiddenFrom, meeting } from './group-filters.ts';
import { visibleGroupIds } from './visible-groups.ts';

const groupsById = finder<Group>('group', {
  audience: 'anyone',
  rows: ({ tenantId, tables }, ids) => Prisma.sql`
    select ${groupColumns} from ${groupsWithIds(tenantId, ids, tables.groups)} where g.deleted_at is null`,
});

/** The live group with that id, or null if the caller does not see it. Null without an id. */
export async function findGroup(directory: Directory, id: string | null | undefined) {
  if (id == null) return null;
  if (!endUser(directory)) return groupsById(directory, id);
  if (!isIdOf('group', id) || !(await visibleGroupIds(directory)).has(id)) return null;
  const group = await groupsById(directory, id);
  return group && redact(group);
}

/** The group. Refused with the same NOT_FOUND for hidden, deleted and never issued ids. */
export async function requireGroup(directory: Directory, id: string): Promise<Group | VisibleGroup> {
  const group = await findGroup(directory, id);
  if (!group) throw refuse.notFound(id);
  return group;
}

/** The group if it belongs to that tenant; otherwise refused like `requireGroup`. */
export async function requireGroupOf(
  directory: Directory,
  tenantId: string,
  id: string,
): Promise<Group | VisibleGroup> {
  const group = await requireGroup(directory, id);
  if (group.tenantId !== tenantId) throw refuse.notFound(id);
  return group;
}

type ListArgs = FilterArgs & { projection?: GroupProjection };
type GroupsArgs = Omit<ListArgs, 'filter'> & {
  conditions: Conditions | null;
  /** Ids of the only groups that the caller sees; absent if it sees whole tenants. */
  visible?: readonly string[];
};

const groups = list({
  audience: 'anyone',
  columns: (directory, { projection }: GroupsArgs) => listColumns(directory, projection ?? {}),
  toRow: toListedGroup,
  order: ({ orderBy }: GroupsArgs) => groupOrdering({ orderBy }),
  isFoundAtOnce: ({ conditions }) => conditions?.search != null,
  // Across the visible tenants, unless the filter names what one tenant alone has.
  idOf: (_parent, { conditions }) =>
    conditions?.tenantId ??
    conditions?.parentGroupId ??
    conditions?.underGroupId ??
    conditions?.memberUserId ??
    null,
  from: (reader, { conditions, visible }) => Prisma.sql`from ${reader.tables.groups} g
    where g.deleted_at is null and ${reader.within(Prisma.sql`g.tenant_id`)}
      ${visible ? Prisma.sql`and g.id = any(${visible}::text[])` : Prisma.empty}${meeting(reader, conditions)}`,
});

/**
 * Visible groups, by name by default. An end user sees those it is an effective member of; filters and orders on what it
 * does not see list nothing. Refused with VALIDATION_FAILED: invalid filters and page arguments.
 */
export async function listGroups(
  directory: Directory,
  args: Omit<ListArgs, 'projection'> & { page: PageArgs },
): Promise<Page<Group | VisibleGroup>>;
export async function listGroups(
  directory: Directory,
  args: ListArgs & { page: PageArgs },
): Promise<Page<Group | GroupSummary | VisibleGroup>>;
export async function listGroups(
  directory: Directory,
  { page, ...args }: ListArgs & { page: PageArgs },
): Promise<Page<Group | GroupSummary | VisibleGroup>> {
  const listed = await groups.page(directory, NO_PARENT, await visibleTo(directory, args), page);
  return endUser(directory) ? withRows(listed, listed.rows.map(redact)) : listed;
}

/** How many groups `listGroups` lists on all pages. The order counts too: by a hidden property it lists nothing. */
export async function countGroups(directory: Directory, args: Omit<ListArgs, 'projection'>): Promise<number> {
  // Neither the order nor the projection is part of what a count reads.
  const counted = { ...(await visibleTo(directory, args)), orderBy: null, projection: {} };
  return groups.count(directory, NO_PARENT, counted);
}

async function visibleTo(
  directory: Directory,
  { filter, orderBy = null, projection = {} }: ListArgs,
): Promise<GroupsArgs> {
  const conditions = conditionsOf(directory, filter);
  const args = { conditions, orderBy, projection };
  if (!endUser(directory)) return args;
  const isHidden = isHiddenFrom(directory, conditions, orderBy);
  return { ...args, projection: {}, visible: isHidden ? [] : [...(await visibleGroupIds(directory))] };
}
