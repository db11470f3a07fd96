// Tenants and their partners. Plain users see neither.

import { Prisma } from '../../database/database.ts';
import { refuse } from '../../model/errors.ts';
import { isIdOf } from '../../model/ids.ts';
import { EMPTY_PAGE, type Page, type PageArgs } from '../../model/page.ts';
import { type Directory, endUser } from '../directory.ts';
import { loader } from '../loading/batching.ts';
import { list, NO_PARENT } from '../loading/list.ts';
import type { PartnerRow, TenantRow } from '../rows/tenants.ts';

const tenantsById = loader({
  audience: 'administrators',
  read: async (directory, ids: readonly string[]): Promise<(TenantRow | null)[]> => {
    const rows = await directory.sql<TenantRow>(Prisma.sql`
    select t.id, t.partner_id as "partnerId", t.name, t.slug from tenants t
    where t.id = any(${ids}::text[]) and ${directory.scope(Prisma.sql`t.id`)}`);
    const byId = new Map<string, TenantRow>(rows.map((row) => [row.id, row]));
    return ids.map((id) => byId.get(id) ?? null);
  },
});

/** The tenant with that id, or null if it is not in sight. */
export async function findTenant(directory: Directory, id: string): Promise<TenantRow | null> {
  return isIdOf('tenant', id) ? tenantsById(directory, id) : null;
}

/**
 * Refuses as not found a tenant whose groups are out of sight. A plain user does not see its tenant, but some of
 * that tenant's groups, so its own passes.
 */
export async function requireTenantOfGroups(directory: Directory, id: string): Promise<void> {
  const user = endUser(directory);
  const found = user ? user.tenantId === id : (await findTenant(directory, id)) !== null;
  if (!found) throw refuse.notFound(id);
}

/** The tenants with these ids, in their order; null for each that is not in sight. One statement a batch. */
export async function findTenants(
  directory: Directory,
  ids: readonly string[],
): Promise<(TenantRow | null)[]> {
  return Promise.all(ids.map((id) => findTenant(directory, id)));
}

const partnersById = loader({
  audience: 'administrators',
  read: async (directory, ids: readonly string[]): Promise<(PartnerRow | null)[]> => {
    const rows = await directory.sql<PartnerRow>(Prisma.sql`
    select p.id, p.name from partners p
    where p.id = any(${ids}::text[]) and ${directory.scopePartner(Prisma.sql`p.id`)}`);
    const byId = new Map<string, PartnerRow>(rows.map((row) => [row.id, row]));
    return ids.map((id) => byId.get(id) ?? null);
  },
});

/** The partner with that id, or null if none of its tenants is in sight. */
export async function findPartner(directory: Directory, id: string): Promise<PartnerRow | null> {
  return isIdOf('partner', id) ? partnersById(directory, id) : null;
}

const tenants = list({
  audience: 'administrators',
  columns: () => Prisma.sql`t.id, t.partner_id as "partnerId", t.name, t.slug`,
  toRow: ({ id, partnerId, name, slug }: TenantRow) => ({ id, partnerId, name, slug }),
  order: () => ({
    tag: 'name',
    descending: false,
    keys: [
      { column: Prisma.sql`t.name`, type: 'text', alias: 'name' },
      { column: Prisma.sql`t.id`, type: 'text', alias: 'id' },
    ],
  }),
  from: (directory) => Prisma.sql`from tenants t where ${directory.within(Prisma.sql`t.id`)}`,
});

/** Tenants in sight, by name; none for an end user. */
export async function listTenants(
  directory: Directory,
  { page }: { page: PageArgs },
): Promise<Page<TenantRow>> {
  return (await tenants.page(directory, NO_PARENT, {}, page)) ?? EMPTY_PAGE;
}

/** How many tenants `listTenants` would list. */
export async function countTenants(directory: Directory): Promise<number> {
  return (await tenants.count(directory, NO_PARENT, {})) ?? 0;
}
