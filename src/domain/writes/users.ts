// The statements that create and update users: of `upsertUsers` and of the import alike.
import { Prisma, type Sql } from '../../database/database.ts';
import type { TenantId } from '../../model/ids.ts';
import { searchKey } from '../../model/text.ts';
import { bumpUserVersion } from './derived-columns.ts';

/** A display name that is absent leaves the stored one as it is; null clears it. */
export type UserValues = { id: string; email: string; displayName?: string | null | undefined };

/** Inserts the users whose ids are free; returns their ids. */
export const insertUsers = (tenantId: TenantId, users: readonly UserValues[]): Sql => Prisma.sql`
  insert into users (id, tenant_id, email, display_name, search_key)
  select w.id, ${tenantId}, w.email, w.display_name, w.search_key from ${rows(users)} w
  on conflict (id) do nothing returning id`;

/** Updates the users of the tenant that differ; returns their ids. */
export const updateUsers = (tenantId: TenantId, users: readonly UserValues[]): Sql => Prisma.sql`
  with updated as (
    update users u set email = w.email, display_name = ${NAME}, updated_at = now(),
      search_key = case when w.named then w.search_key else w.search_key || coalesce(substring(u.search_key from chr(10) || '.*'), '') end
    from ${rows(users)} w where u.id = w.id and u.tenant_id = ${tenantId}
      and (u.email, u.display_name) is distinct from (w.email, ${NAME}) returning u.id),
  ${bumpUserVersion(tenantId)}
  select id from updated`;

const NAME = Prisma.sql`case when w.named then w.display_name else u.display_name end`;

/** In the order of their ids, so that writers of the same users do not wait for each other in a circle. */
const rows = (users: readonly UserValues[]): Sql => Prisma.sql`(
  select * from unnest(${users.map(({ id }) => id)}::text[], ${users.map(({ email }) => email)}::text[],
    ${users.map(({ displayName }) => displayName !== undefined)}::bool[],
    ${users.map(({ displayName }) => displayName ?? null)}::text[],
    ${users.map(({ email, displayName }) => searchKey(email, displayName))}::text[]) w(id, email, named, display_name, search_key)
  order by id)`;
