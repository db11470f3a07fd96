// Tenants and their partners, which end users do not see.

import { Prisma } from '../../database/database.ts';
import { refuse } from '../../model/errors.ts';
import { isIdOf } from '../../model/ids.ts';
import { EMPTY_PAGE, type Page, type PageArgs } from '../../model/page.ts';
import { type Directory, endUser } from '../directory.ts';
import { loader } from '../loading/batching.ts';
import { list, NO_PARENT } from '../loading/list.ts';
import { type PartnerRow, type TenantRow, tenantColumns } from '../rows/tenants.ts';
import { readTail } from '../sharing/tail.ts';

const tenantsById = loader({
  audience: 'administrators',
  idOf: () => null,
  read: async (reader, ids: readonly string[]): Promise<(TenantRow | null)[]> => {
    const rows = await reader.sql<TenantRow>(Prisma.sql`
      select ${tenantColumns} from tenants t
      where t.id = any(${ids}::text[]) and ${reader.within(Prisma.sql`t.id`)}`);
    const byId = new Map<string, TenantRow>(rows.map((row) => [row.id, row]));
    return ids.map((id) => byId.get(id) ?? null);
  },
});

/** The tenant with that id, or null if the caller does not see it. */
export async function findTenant(directory: Directory, id: string): Promise<TenantRow | null> {
  return isIdOf('tenant', id) ? tenantsById(directory, id) : null;
}

/**
 * Refused with NOT_FOUND unless the caller may see groups of that tenant. An end user's own tenant passes: the user sees
 * some of its groups, though not the tenant.
 */
export async function requireTenantOfGroups(directory: Directory, id: string): Promise<void> {
  const user = endUser(directory);
  const isVisible = user ? user.tenantId === id : (await findTenant(directory, id)) !== null;
  if (!isVisible) throw refuse.notFound(id);
}

/** The tenants with these ids, in order; null for each that the caller does not see. One statement for all. */
export async function findTenants(
  directory: Directory,
  ids: readonly string[],
): Promise<(TenantRow | null)[]> {
  return Promise.all(ids.map((id) => findTenant(directory, id)));
}

const partnersById = loader({
  audience: 'administrators',
  idOf: () => null,
  read: async (reader, ids: readonly string[]): Promise<(PartnerRow | null)[]> => {
    const rows = await reader.sql<PartnerRow>(Prisma.sql`
      select p.id, p.name from partners p
      where p.id = any(${ids}::text[]) and ${reader.withinPartner(Prisma.sql`p.id`)}`);
    const byId = new Map<string, PartnerRow>(rows.map((row) => [row.id, row]));
    return ids.map((id) => byId.get(id) ?? null);
  },
});

/** The partner with that id, or null if the caller sees none of its tenants. */
export async function findPartner(directory: Directory, id: string): Promise<PartnerRow | null> {
  return isIdOf('partner', id) ? partnersById(directory, id) : null;
}

const positions = loader({
  audience: 'administrators',
  read: async (reader, ids: readonly string[]): Promise<(number | null)[]> => {
    const tail = await readTail(reader);
    return ids.map((id) => (id === reader.tenantId ? (tail?.head.position ?? null) : null));
  },
});

/** The latest position of a tenant's log; null if the caller does not see it. */
export async function findPosition(directory: Directory, tenantId: string): Promise<number | null> {
  return positions(directory, tenantId);
}

const tenants = list({
  audience: 'administrators',
  columns: () => tenantColumns,
  toRow: ({ id, partnerId, name, slug }: TenantRow) => ({ id, partnerId, name, slug }),
  order: () => ({
    tag: 'name',
    descending: false,
    keys: [
      { column: Prisma.sql`t.name`, type: 'text', alias: 'name' },
      { column: Prisma.sql`t.id`, type: 'text', alias: 'id' },
    ],
  }),
  idOf: () => null,
  from: (reader) => Prisma.sql`from tenants t where ${reader.within(Prisma.sql`t.id`)}`,
});

/** Visible tenants, by name; none for an end user. */
export async function listTenants(
  directory: Directory,
  { page }: { page: PageArgs },
): Promise<Page<TenantRow>> {
  return (await tenants.page(directory, NO_PARENT, {}, page)) ?? EMPTY_PAGE;
}

/** How many tenants `listTenants` lists on all pages. */
export async function countTenants(directory: Directory): Promise<number> {
  return (await tenants.count(directory, NO_PARENT, {})) ?? 0;
}
