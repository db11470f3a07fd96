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

/**
 * What the tables held at a position: rows that began by then and have not ended since, and ended ones that held then.
 * PostgreSQL moves conditions into both parts of a union, so each is read by its own indexes. `member_count` is null: it has no
 * history.
 */
export function tablesAt(tenantId: TenantId, position: number): Tables {
  const at = Prisma.sql`${position}::bigint`;
  const held = Prisma.sql`tenant_id = ${tenantId} and since <= ${at} and until > ${at}`;
  return {
    groups: Prisma.sql`(
      select tenant_id, id, ${GROUP_COLUMNS}, null::timestamptz as deleted_at, null::int as member_count
      from groups where tenant_id = ${tenantId} and version_since <= ${at} and deleted_at is null
      union all
      select tenant_id, id, ${GROUP_COLUMNS}, null, null from group_history where ${held})`,
    users: Prisma.sql`(
      select tenant_id, id, ${USER_COLUMNS}, since, null::bigint as until
      from users where tenant_id = ${tenantId} and version_since <= ${at} and until is null
      union all
      select tenant_id, id, ${USER_COLUMNS}, created_since, null from user_history where ${held})`,
    memberships: Prisma.sql`(
      select tenant_id, group_id, user_id, since, added_at, added_by
      from memberships where tenant_id = ${tenantId} and since <= ${at}
      union all
      select tenant_id, group_id, user_id, since, added_at, added_by from membership_history where ${held})`,
    nestings: Prisma.sql`(
      select tenant_id, parent_group_id, child_group_id, since, created_at, created_by
      from nestings where tenant_id = ${tenantId} and since <= ${at}
      union all
      select tenant_id, parent_group_id, child_group_id, since, created_at, created_by from nesting_history where ${held})`,
  };
}
