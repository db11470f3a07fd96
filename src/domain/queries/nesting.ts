// Nesting, read: groups in groups, whose members are effective members of the parent. An acyclic graph of at most 32 levels.

import { Prisma } from '../../database/database.ts';
import type { Page, PageArgs } from '../../model/page.ts';
import type { Directory } from '../directory.ts';
import { list } from '../loading/list.ts';
import {
  type Group,
  type GroupProjection,
  type GroupSummary,
  groupOrdering,
  listColumns,
  toListedGroup,
} from '../rows/groups.ts';

const nestedGroups = list({
  audience: 'administrators',
  columns: listColumns,
  toRow: toListedGroup,
  order: () => groupOrdering({}),
  from: ({
    tenantId,
  }) => Prisma.sql`from nestings n join groups g on g.tenant_id = ${tenantId} and g.id = n.child_group_id
    where n.tenant_id = ${tenantId} and n.parent_group_id = k.id and g.deleted_at is null`,
  total: ({ tenantId }) => Prisma.sql`(
    select count(*)::int from nestings n where n.tenant_id = ${tenantId} and n.parent_group_id = k.id)`,
});

const parentGroups = list({
  audience: 'administrators',
  columns: listColumns,
  toRow: toListedGroup,
  order: () => groupOrdering({}),
  from: ({
    tenantId,
  }) => Prisma.sql`from nestings n join groups g on g.tenant_id = ${tenantId} and g.id = n.parent_group_id
    where n.tenant_id = ${tenantId} and n.child_group_id = k.id and g.deleted_at is null`,
  total: ({ tenantId }) => Prisma.sql`(
    select count(*)::int from nestings n where n.tenant_id = ${tenantId} and n.child_group_id = k.id)`,
});

type ListArgs = { page: PageArgs; projection?: GroupProjection };
type GroupPage = Promise<Page<Group | GroupSummary> | null>;

/** Groups nested directly in this one, by name. Null for an end user. */
export async function listNestedGroups(
  directory: Directory,
  id: string,
  { page, projection = {} }: ListArgs,
): GroupPage {
  return nestedGroups.page(directory, id, projection, page);
}

/** All groups nested directly in this one, by name. Null for an end user. Refused with LIMIT_EXCEEDED above 10,000. */
export async function listAllNestedGroups(
  directory: Directory,
  id: string,
): Promise<readonly (Group | GroupSummary)[] | null> {
  return nestedGroups.all(directory, id, {});
}

/** How many groups are nested directly in this one. Null for an end user. */
export async function countNestedGroups(directory: Directory, id: string): Promise<number | null> {
  return nestedGroups.count(directory, id, {});
}

/** Groups that this one is nested in directly, by name. Null for an end user. */
export async function listParentGroups(
  directory: Directory,
  id: string,
  { page, projection = {} }: ListArgs,
): GroupPage {
  return parentGroups.page(directory, id, projection, page);
}

/** How many groups this one is nested in directly. Null for an end user. */
export async function countParentGroups(directory: Directory, id: string): Promise<number | null> {
  return parentGroups.count(directory, id, {});
}
