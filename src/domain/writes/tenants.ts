// Creates and renames tenants, for `createTenant`, `updateTenant` and the import.
import { KEY_RULES } from '../../database/case-keys.ts';
import { Prisma, type Query } from '../../database/database.ts';
import { searchKey } from '../../model/text.ts';
import type { WriteContext } from '../log/write-context.ts';
import type { TenantRow } from '../rows/tenants.ts';

/** Creates the tenant and its log, unless there is one with that id. Returns whether it did; null if there is no such partner. */
export async function insertTenant(
  query: Query,
  { id, partnerId, name, slug }: TenantRow,
): Promise<boolean | null> {
  const [partner] = await query(Prisma.sql`select id from partners where id = ${partnerId}`);
  if (!partner) return null;
  const created = await query(Prisma.sql`
    insert into tenants (id, partner_id, name, slug, search_key, key_rules)
    values (${id}, ${partnerId}, ${name}, ${slug}, ${searchKey(name, slug)}, ${KEY_RULES}::int[])
    on conflict (id) do nothing returning id`);
  await query(
    Prisma.sql`insert into tenant_logs (tenant_id) values (${id}) on conflict (tenant_id) do nothing`,
  );
  return created.length > 0;
}

/** Changes name and slug, and records it if one differs. */
export async function renameTenant(
  { query, record }: WriteContext,
  { id, name, slug }: TenantRow,
  before: TenantRow,
): Promise<void> {
  if (before.name === name && before.slug === slug) return;
  await query(Prisma.sql`
    update tenants set name = ${name}, slug = ${slug}, search_key = ${searchKey(name, slug)} where id = ${id}`);
  const data = { before: { name: before.name, slug: before.slug }, after: { name, slug } };
  record({ type: 'tenant.updated', data });
}
