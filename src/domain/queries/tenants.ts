// Tenants and their partners, which end users do not see.

import { Prisma } from '../../database/database.ts';
import { refuse } from '../../model/errors.ts';
import { EMPTY_PAGE, type PageArgs } from '../../model/page.ts';
import { type Directory, endUser } from '../directory.ts';
import { loader } from '../loading/batching.ts';
import { finder } from '../loading/finders.ts';
import { list, NO_PARENT } from '../loading/list.ts';
import { matching, searchPatterns } from '../loading/search.ts';
import { type PartnerRow, type TenantRow, tenantColumns } from '../rows/tenants.ts';
import { readTail } from '../sharing/tail.ts';

/** The tenant with that id, or null if the caller does not see it. */
export const findTenant = finder<TenantRow>('tenant', {
  audience: 'administrators',
  idOf: () => null,
  rows: (reader, ids) => Prisma.sql`
    select ${tenantColumns} from tenants t
    where t.id = any(${ids}::text[]) and ${reader.within(Prisma.sql`t.id`)}`,
});

/**
 * Refused with NOT_FOUND unless the caller may see groups of that tenant. An end user's own tenant passes: the user sees
 * some of its groups, though not the tenant.
 */
export async function requireTenantOfGroups(directory: Directory, id: string): Promise<void> {
  const user = endUser(directory);
  const isVisible = user ? user.tenantId === id : (await findTenant(directory, id)) !== null;
  if (!isVisible) throw refuse.notFound(id);
}

/** The partner with that id, or null if the caller sees none of its tenants. */
export const findPartner = finder<PartnerRow>('partner', {
  audience: 'administrators',
  idOf: () => null,
  isPrimary: true,
  rows: (reader, ids) => Prisma.sql`
    select p.id, p.name from partners p
    where p.id = any(${ids}::text[]) and (${reader.visibility.kind === 'all'}::boolean
      or p.id = ${reader.visibility.kind === 'partner' ? reader.visibility.partnerId : null}
      or p.id in (select t.partner_id from tenants t where ${reader.within(Prisma.sql`t.id`)}))`,
});

/** The latest position of a tenant's log; null if the caller does not see it. */
export const findPosition = loader({
  audience: 'administrators',
  read: async (reader, ids: readonly string[]): Promise<(number | null)[]> => {
    const tail = await readTail(reader);
    return ids.map((id) => (id === reader.tenantId ? (tail?.head.position ?? null) : null));
  },
});

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
  from: (reader, { search }: { search: string[] | null }) =>
    Prisma.sql`from tenants t where ${reader.within(Prisma.sql`t.id`)}${matching(Prisma.sql`t.search_key`, search)}`,
});

type Filter = { search?: string | null | undefined };

/** Visible tenants, by name; none for an end user. */
export async function listTenants(directory: Directory, { search, page }: Filter & { page: PageArgs }) {
  return (await tenants.page(directory, NO_PARENT, { search: searchPatterns(search) }, page)) ?? EMPTY_PAGE;
}

/** How many tenants `listTenants` lists on all pages. */
export async function countTenants(directory: Directory, { search }: Filter = {}): Promise<number> {
  return (await tenants.count(directory, NO_PARENT, { search: searchPatterns(search) })) ?? 0;
}
