// The groups that a user is a direct or effective member of.

import { Prisma } from '../../database/database.ts';
import { groupList } from './group-lists.ts';
import { effectiveGroupIds } from './visible-groups.ts';

/** Groups that a user is an effective member of, by name. Null if an end user asks about another user. */
export const effectiveGroups = groupList({
  audience: 'self',
  from: (reader) => Prisma.sql`from ${effectiveGroupIds(reader)} e
    join ${reader.tables.groups} g on g.tenant_id = ${reader.tenantId} and g.id = e.id where g.deleted_at is null`,
  isFoundAtOnce: () => true,
});

/** Groups that a user is a direct member of, by name. Null if an end user asks about another user. */
export const directGroups = groupList({
  audience: 'self',
  from: (reader) => Prisma.sql`from ${reader.tables.memberships} m
    join ${reader.tables.groups} g on g.tenant_id = ${reader.tenantId} and g.id = m.group_id
    where m.tenant_id = ${reader.tenantId} and m.user_id = k.id and g.deleted_at is null`,
});
