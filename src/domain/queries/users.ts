// Users, mirrored from the identity provider: found by id and listed by tenant.

import { Prisma } from '../../database/database.ts';
import type { Page, PageArgs } from '../../model/page.ts';
import type { Directory } from '../directory.ts';
import { finder } from '../loading/finders.ts';
import { list } from '../loading/list.ts';
import { matching, searchPattern } from '../loading/search.ts';
import { type UserRow, userColumns } from '../rows/users.ts';

/** The user with that id, or null if the caller does not see it; an end user sees only itself. */
export const findUser = finder<UserRow>('user', {
  audience: 'self',
  rows: ({ tenantId, tables }, ids) => Prisma.sql`
    select ${userColumns} from ${tables.users} u
    where u.tenant_id = ${tenantId} and u.id = any(${ids}::text[]) and u.until is null`,
});

const users = list({
  audience: 'administrators',
  columns: () => userColumns,
  toRow: ({ id, tenantId, email, displayName }: UserRow) => ({ id, tenantId, email, displayName }),
  order: () => ({
    tag: 'user',
    descending: false,
    keys: [{ column: Prisma.sql`u.id`, type: 'text', alias: 'id' }],
  }),
  isFoundAtOnce: ({ search }: { search: string | null }) => search !== null,
  from: ({ tenantId, tables }, { search }: { search: string | null }) => Prisma.sql`from ${tables.users} u
    where u.tenant_id = ${tenantId} and u.tenant_id = k.id and u.until is null${matching(Prisma.sql`u.search_key`, search)}`,
});

type ListArgs = { tenantId: string; search?: string | null | undefined };

/** Users of a tenant, by id. Null for an end user. */
export async function listUsers(
  directory: Directory,
  { tenantId, search, page }: ListArgs & { page: PageArgs },
): Promise<Page<UserRow> | null> {
  return users.page(directory, tenantId, { search: searchPattern(search) }, page);
}

/** How many users `listUsers` lists on all pages. Null for an end user. */
export async function countUsers(
  directory: Directory,
  { tenantId, search }: ListArgs,
): Promise<number | null> {
  return users.count(directory, tenantId, { search: searchPattern(search) });
}
