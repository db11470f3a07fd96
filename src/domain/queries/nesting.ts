// Nesting, read: groups in groups, whose members are effective members of the parent. An acyclic graph of at most 32 levels.

import { Prisma } from '../../database/database.ts';
import { groupList } from './group-lists.ts';

const nestedGroups = groupList({
  audience: 'administrators',
  from: ({
    tenantId,
  }) => Prisma.sql`from nestings n join groups g on g.tenant_id = ${tenantId} and g.id = n.child_group_id
    where n.tenant_id = ${tenantId} and n.parent_group_id = k.id and g.deleted_at is null`,
  total: ({ tenantId }) => Prisma.sql`(
    select count(*)::int from nestings n where n.tenant_id = ${tenantId} and n.parent_group_id = k.id)`,
});

const parentGroups = groupList({
  audience: 'administrators',
  from: ({
    tenantId,
  }) => Prisma.sql`from nestings n join groups g on g.tenant_id = ${tenantId} and g.id = n.parent_group_id
    where n.tenant_id = ${tenantId} and n.child_group_id = k.id and g.deleted_at is null`,
  total: ({ tenantId }) => Prisma.sql`(
    select count(*)::int from nestings n where n.tenant_id = ${tenantId} and n.child_group_id = k.id)`,
});

/** Groups nested directly in this one, by name. Null for an end user. */
export const listNestedGroups = nestedGroups.page;

/** All groups nested directly in this one, by name. Null for an end user. Refused with LIMIT_EXCEEDED above 10,000. */
export const listAllNestedGroups = nestedGroups.all;

/** How many groups are nested directly in this one. Null for an end user. */
export const countNestedGroups = nestedGroups.count;

/** Groups that this one is nested in directly, by name. Null for an end user. */
export const listParentGroups = parentGroups.page;

/** How many groups this one is nested in directly. Null for an end user. */
export const countParentGroups = parentGroups.count;
