// The groups that a user is a direct or effective member of.

import { Prisma } from '../../database/database.ts';
import type { Page, PageArgs } from '../../model/page.ts';
import { type Directory, endUser } from '../directory.ts';
import { withRows } from '../loading/keyset-page.ts';
import { list } from '../loading/list.ts';
import {
  type Group,
  type GroupProjection,
  type GroupSummary,
  groupOrdering,
  listColumns,
  redact,
  toListedGroup,
  type VisibleGroup,
} from '../rows/groups.ts';
import { effectiveGroupIds } from './visible-groups.ts';

const effectiveGroups = list({
  audience: 'self',
  columns: listColumns,
  toRow: toListedGroup,
  order: () => groupOrdering({}),
  from: (reader) => Prisma.sql`from ${effectiveGroupIds(reader)} e
    join groups g on g.tenant_id = ${reader.tenantId} and g.id = e.id where g.deleted_at is null`,
});

const directGroups = list({
  audience: 'self',
  columns: listColumns,
  toRow: toListedGroup,
  order: () => groupOrdering({}),
  from: ({
    tenantId,
  }) => Prisma.sql`from memberships m join groups g on g.tenant_id = ${tenantId} and g.id = m.group_id
    where m.tenant_id = ${tenantId} and m.user_id = k.id and g.deleted_at is null`,
});

type GroupList = typeof effectiveGroups;

/** Groups that the user is an effective member of, by name. Null if an end user asks about another user. */
export async function listEffectiveGroups(
  directory: Directory,
  userId: string,
  args: { page: PageArgs; projection?: GroupProjection },
) {
  return pageOfUser(effectiveGroups, directory, userId, args);
}

/** How many groups the user is an effective member of. Null if an end user asks about another user. */
export async function countEffectiveGroups(directory: Directory, userId: string): Promise<number | null> {
  return effectiveGroups.count(directory, userId, {});
}

/** Groups that the user is a direct member of, by name. Null if an end user asks about another user. */
export async function listUserGroups(
  directory: Directory,
  userId: string,
  args: { page: PageArgs; projection?: GroupProjection },
) {
  return pageOfUser(directGroups, directory, userId, args);
}

/** How many groups the user is a direct member of. Null if an end user asks about another user. */
export async function countUserGroups(directory: Directory, userId: string): Promise<number | null> {
  return directGroups.count(directory, userId, {});
}

async function pageOfUser(
  groups: GroupList,
  directory: Directory,
  userId: string,
  { page: pageArgs, projection = {} }: { page: PageArgs; projection?: GroupProjection },
): Promise<Page<Group | GroupSummary | VisibleGroup> | null> {
  const page = await groups.page(directory, userId, projection, pageArgs);
  return page && endUser(directory) ? withRows(page, page.rows.map(redact)) : page;
}
