// Statements that create and update users, shared by `upsertUsers` and the import.
import { Prisma, type Sql } from '../../database/database.ts';
import type { TenantId } from '../../model/ids.ts';
import { searchKey } from '../../model/text.ts';
import { bumpUserVersion } from './derived-columns.ts';

/** An omitted display name is left unchanged; null clears it. */
export type UserValues = { id: string; email: string; displayName?: string | null | undefined };

/** Inserts the users whose ids are unused, and returns their ids. */
export const insertUsers = (tenantId: TenantId, users: readonly UserValues[]): Sql => Prisma.sql`
  insert into users (id, tenant_id, email, display_name, search_key)
  select input.id, ${tenantId}, input.email, input.display_name, input.search_key from ${inputRows(users)} input
  on conflict (id) do nothing returning id`;

/** Updates the users of the tenant that differ, and returns their ids. */
export const updateUsers = (tenantId: TenantId, users: readonly UserValues[]): Sql => Prisma.sql`
  with updated as (
    update users u set email = input.email, display_name = ${DISPLAY_NAME}, updated_at = now(),
      search_key = case when input.has_name then input.search_key
        else input.search_key || coalesce(substring(u.search_key from chr(10) || '.*'), '') end
    from ${inputRows(users)} input where u.id = input.id and u.tenant_id = ${tenantId}
      and (u.email, u.display_name) is distinct from (input.email, ${DISPLAY_NAME}) returning u.id),
  ${bumpUserVersion(tenantId)}
  select id from updated`;

const DISPLAY_NAME = Prisma.sql`case when input.has_name then input.display_name else u.display_name end`;

/** Ordered by id, so that concurrent statements lock users in the same order and cannot deadlock. */
const inputRows = (users: readonly UserValues[]): Sql => Prisma.sql`(
  select * from unnest(${users.map(({ id }) => id)}::text[], ${users.map(({ email }) => email)}::text[],
    ${users.map(({ displayName }) => displayName !== undefined)}::bool[],
    ${users.map(({ displayName }) => displayName ?? null)}::text[],
    ${users.map(({ email, displayName }) => searchKey(email, displayName))}::text[])
    input(id, email, has_name, display_name, search_key)
  order by id)`;
