// Users, mirrored from the identity provider: found by id and listed by tenant.

import { Prisma } from '../../database/database.ts';
import { isIdOf } from '../../model/ids.ts';
import type { Page, PageArgs } from '../../model/page.ts';
import { caseKey, isStorable, searchKey } from '../../model/text.ts';
import type { UserOrder } from '../../model/users.ts';
import type { Directory } from '../directory.ts';
import { loader } from '../loading/batching.ts';
import { finder } from '../loading/finders.ts';
import { list } from '../loading/list.ts';
import { escapePattern, matching, searchPatterns } from '../loading/search.ts';
import { personOrdering, type UserRow, userColumns } from '../rows/users.ts';

/** The user with that id, or null if the caller does not see it; an end user sees only itself. */
export const findUser = finder<UserRow>('user', {
  audience: 'self',
  rows: ({ tenantId, tables }, ids) => Prisma.sql`
    select ${userColumns} from ${tables.users} u
    where u.tenant_id = ${tenantId} and u.id = any(${ids}::text[]) and u.until is null`,
});

type UsersArgs = {
  search: string[] | null;
  notInGroupId: string | null;
  orderBy: UserOrder | null;
};

const users = list({
  audience: 'administrators',
  columns: () => userColumns,
  toRow: ({ id, tenantId, email, displayName }: UserRow) => ({ id, tenantId, email, displayName }),
  order: ({ orderBy }: UsersArgs) =>
    personOrdering(orderBy, { column: Prisma.sql`u.id`, type: 'text', alias: 'id' }),
  isFoundAtOnce: ({ search }) => search !== null,
  from: ({ tenantId, tables }, { search, notInGroupId }) => Prisma.sql`from ${tables.users} u
    where u.tenant_id = ${tenantId} and u.tenant_id = k.id and u.until is null${matching(Prisma.sql`u.search_key`, search)}${
      notInGroupId === null
        ? Prisma.empty
        : Prisma.sql` and not exists (select from ${tables.memberships} m
            where m.tenant_id = ${tenantId} and m.group_id = ${notInGroupId} and m.user_id = u.id)`
    }`,
});

type Filter = {
  tenantId: string;
  search?: string | null | undefined;
  notInGroupId?: string | null | undefined;
};
type ListArgs = Filter & { orderBy?: UserOrder | null | undefined; page: PageArgs };

const argsOf = ({ search, notInGroupId }: Filter, orderBy: UserOrder | null = null): UsersArgs => ({
  search: searchPatterns(search),
  notInGroupId: notInGroupId ?? null,
  orderBy,
});

/** Users of a tenant, by id by default; with `notInGroupId` those who are no direct members of it. Null for an end user. */
export async function listUsers(
  directory: Directory,
  { orderBy = null, page, ...filter }: ListArgs,
): Promise<Page<UserRow> | null> {
  return users.page(directory, filter.tenantId, argsOf(filter, orderBy), page);
}

/** How many users `listUsers` lists on all pages. Null for an end user. */
export async function countUsers(directory: Directory, filter: Filter): Promise<number | null> {
  return users.count(directory, filter.tenantId, argsOf(filter));
}

const usersByEmail = loader({
  audience: 'administrators',
  keyOf: ({ tenantId, key }: { tenantId: string; key: string }) => `${tenantId} ${key}`,
  idOf: ({ tenantId }) => tenantId,
  read: async ({ sql, tenantId, tables }, keys) => {
    // The index of the search key finds what begins with the address; the address alone has no index.
    const rows = await sql<UserRow & { ordinal: number }>(Prisma.sql`
      select k.ordinal::int as ordinal, ${userColumns}
      from unnest(${keys.map(({ key }) => key)}::text[], ${keys.map(({ key }) => `${escapePattern(key)}%`)}::text[])
        with ordinality k(key, pattern, ordinal)
      cross join lateral (select * from ${tables.users} u where u.tenant_id = ${tenantId} and u.until is null
        and u.search_key like k.pattern and split_part(u.search_key, chr(10), 1) = k.key) u
      order by u.id`);
    return keys.map((_, index) => rows.filter(({ ordinal }) => ordinal === index + 1));
  },
});

/** The user of the tenant with that email address, ignoring case; the first by id of several. Null for an end user. */
export async function findUserByEmail(
  directory: Directory,
  { tenantId, email }: { tenantId: string; email: string },
): Promise<UserRow | null> {
  const key = searchKey(email.trim());
  // Nobody has no address: an erased user has lost its own.
  if (!isIdOf('tenant', tenantId) || !isStorable(email) || key === '') return null;
  const found = await usersByEmail(directory, { tenantId, key });
  // The search key has no accents, which tell addresses apart.
  const user = found?.find((each) => caseKey(each.email) === caseKey(email.trim()));
  return user
    ? { id: user.id, tenantId: user.tenantId, email: user.email, displayName: user.displayName }
    : null;
}
