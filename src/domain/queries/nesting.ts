// Nesting, read: groups in groups, whose members are effective members of the parent. An acyclic graph of at most 32 levels.

import { Prisma } from '../../database/database.ts';
import { groupList } from './group-lists.ts';

/** The groups at one end of the nestings whose other end is `k.id`. */
function groupsAt(end: 'child_group_id' | 'parent_group_id', otherEnd: 'child_group_id' | 'parent_group_id') {
  const listed = Prisma.raw(`n.${end}`);
  const given = Prisma.raw(`n.${otherEnd}`);
  return groupList({
    audience: 'administrators',
    from: (reader) => Prisma.sql`from ${reader.tables.nestings} n
      join ${reader.tables.groups} g on g.tenant_id = ${reader.tenantId} and g.id = ${listed}
      where n.tenant_id = ${reader.tenantId} and ${given} = k.id and g.deleted_at is null`,
    total: ({ tenantId, tables }) => Prisma.sql`(
      select count(*)::int from ${tables.nestings} n where n.tenant_id = ${tenantId} and ${given} = k.id)`,
  });
}

/** Groups nested directly in a group, by name. Null for an end user. */
export const nestedGroups = groupsAt('child_group_id', 'parent_group_id');

/** Groups that a group is nested in directly, by name. Null for an end user. */
export const parentGroups = groupsAt('parent_group_id', 'child_group_id');
