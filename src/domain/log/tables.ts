// The tables of a tenant as they are, and as they were at a position of its log.
import { Prisma, type Sql } from '../../database/database.ts';
import type { TenantId } from '../../model/ids.ts';

/** What a statement names in place of a table: `from ${tables.groups} g where g.tenant_id = …`. */
export type Tables = {
  readonly groups: Sql;
  readonly users: Sql;
  readonly memberships: Sql;
  readonly nestings: Sql;
};

/** The columns of a group, and of a user, that its history has too. */
export const GROUP_COLUMNS = Prisma.sql`parent_group_id, name, name_key, search_key, description, type,
  custom_attributes, version,
  created_at, updated_at`;
export const USER_COLUMNS = Prisma.sql`email, display_name, search_key`;

/** The tables of the present. Rows of deleted groups and removed users are among them. */
export const PRESENT: Tables = {
  groups: Prisma.sql`groups`,
  users: Prisma.sql`users`,
  memberships: Prisma.sql`memberships`,
  nestings: Prisma.sql`nestings`,
};

/** After every position: the end of what has not ended. */
const NEVER = Prisma.sql`9223372036854775807::bigint`;

/**
 * What the tables held at a position: rows that began by then and have not ended since, and ended ones that held then.
 * `member_count` is null: it has no history. The conditions stand outside of the union, whose parts have none: so PostgreSQL
 * flattens it, and reads each part by its own indexes and in their order.
 */
export function tablesAt(tenantId: TenantId, position: number | Sql): Tables {
  const at = Prisma.sql`${position}::bigint`;
  const heldAt = (present: Sql, ended: Sql, isPresent = Prisma.empty) => Prisma.sql`(
    select * from (${present} union all ${ended}) v
    where v.tenant_id = ${tenantId} and v.began <= ${at} and v.ended > ${at}${isPresent})`;
  const membership = Prisma.sql`tenant_id, group_id, user_id, since, added_at, added_by, since as began`;
  const nesting = Prisma.sql`tenant_id, parent_group_id, child_group_id, since, created_at, created_by, since as began`;
  return {
    groups: heldAt(
      Prisma.sql`select tenant_id, id, ${GROUP_COLUMNS}, deleted_at, null::int as member_count, version_since as began,
        ${NEVER} as ended from groups`,
      Prisma.sql`select tenant_id, id, ${GROUP_COLUMNS}, null, null, since, until from group_history`,
      Prisma.sql` and v.deleted_at is null`,
    ),
    users: heldAt(
      Prisma.sql`select tenant_id, id, ${USER_COLUMNS}, since, until, version_since as began, ${NEVER} as ended from users`,
      Prisma.sql`select tenant_id, id, ${USER_COLUMNS}, created_since, null, since, until from user_history`,
      Prisma.sql` and v.until is null`,
    ),
    memberships: heldAt(
      Prisma.sql`select ${membership}, ${NEVER} as ended from memberships`,
      Prisma.sql`select ${membership}, until from membership_history`,
    ),
    nestings: heldAt(
      Prisma.sql`select ${nesting}, ${NEVER} as ended from nestings`,
      Prisma.sql`select ${nesting}, until from nesting_history`,
    ),
  };
}
