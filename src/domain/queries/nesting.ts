// Nesting, read: groups in groups, whose members are effective members of the parent. An acyclic graph of at most 32 levels.

import { Prisma } from '../../database/database.ts';
import { groupList } from './group-lists.ts';

/** The groups at one end of the nestings whose other end is `k.id`. */
function groupsAt(end: 'child_group_id' | 'parent_group_id', otherEnd: 'child_group_id' | 'parent_group_id') {
  const listed = Prisma.raw(`n.${end}`);
  const given = Prisma.raw(`n.${otherEnd}`);
  return groupList({
    audience: 'administrators',
    from: ({
      tenantId,
    }) => Prisma.sql`from nestings n join groups g on g.tenant_id = ${tenantId} and g.id = ${listed}
      where n.tenant_id = ${tenantId} and ${given} = k.id and g.deleted_at is null`,
    total: ({ tenantId }) => Prisma.sql`(
      select count(*)::int from nestings n where n.tenant_id = ${tenantId} and ${given} = k.id)`,
  });
}

const nestedGroups = groupsAt('child_group_id', 'parent_group_id');
const parentGroups = groupsAt('parent_group_id', 'child_group_id');

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
