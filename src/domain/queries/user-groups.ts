// The groups that a user is a direct or effective member of.

import { Prisma } from '../../database/database.ts';
import { groupList } from './group-lists.ts';
import { effectiveGroupIds } from './visible-groups.ts';

const effectiveGroups = groupList({
  audience: 'self',
  from: (reader) => Prisma.sql`from ${effectiveGroupIds(reader)} e
    join groups g on g.tenant_id = ${reader.tenantId} and g.id = e.id where g.deleted_at is null`,
});

const directGroups = groupList({
  audience: 'self',
  from: ({
    tenantId,
  }) => Prisma.sql`from memberships m join groups g on g.tenant_id = ${tenantId} and g.id = m.group_id
    where m.tenant_id = ${tenantId} and m.user_id = k.id and g.deleted_at is null`,
});

/** Groups that the user is an effective member of, by name. Null if an end user asks about another user. */
export const listEffectiveGroups = effectiveGroups.page;

/** How many groups the user is an effective member of. Null if an end user asks about another user. */
export const countEffectiveGroups = effectiveGroups.count;

/** Groups that the user is a direct member of, by name. Null if an end user asks about another user. */
export const listUserGroups = directGroups.page;

/** How many groups the user is a direct member of. Null if an end user asks about another user. */
export const countUserGroups = directGroups.count;
