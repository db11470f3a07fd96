// Rows of users: their type and columns.
import { Prisma, type Sql } from '../../database/database.ts';
import type { TenantId, UserId } from '../../model/ids.ts';
import type { UserOrder } from '../../model/users.ts';
import type { Ordering } from '../loading/keyset-page.ts';

export type UserRow = { id: UserId; tenantId: TenantId; email: string; displayName: string | null };

/** Columns of a `UserRow` under the alias `u`. */
export const userColumns: Sql = Prisma.sql`u.id, u.tenant_id as "tenantId", u.email, u.display_name as "displayName"`;

/** The keys by which lists of people are sorted, under the alias `u`: by name, those without one by their email address. */
const PERSON_KEYS = {
  USER_ID: null,
  EMAIL: { column: Prisma.sql`u.search_key`, type: 'text' },
  DISPLAY_NAME: {
    column: Prisma.sql`coalesce(nullif(split_part(u.search_key, chr(10), 2), ''), u.search_key)`,
    type: 'text',
  },
} as const;

/** The sort order of a list of people, by id by default; `id` is the key that is unique within it. */
export function personOrdering(
  orderBy: UserOrder | null | undefined,
  id: Ordering['keys'][number],
): Ordering {
  const field = orderBy?.field ?? 'USER_ID';
  const key = PERSON_KEYS[field];
  const tag = { USER_ID: 'user', EMAIL: 'email', DISPLAY_NAME: 'name' }[field];
  return { tag, descending: orderBy?.direction === 'DESC', keys: key ? [key, id] : [id] };
}
