// Creates and updates users, for the platform's sync and for administrators.

import { Prisma } from '../../database/database.ts';
import { conflict } from '../../database/errors.ts';
import { refuse } from '../../model/errors.ts';
import { parseInput } from '../../model/input.ts';
import { type UpsertUsersInput, upsertUsersInput } from '../../model/users.ts';
import type { Directory } from '../directory.ts';
import type { WriteContext } from '../log/write-context.ts';
import { type UserRow, userColumns } from '../rows/users.ts';
import { insertUsers, updateUsers } from '../writes/users.ts';
import { assertBatchSize, requireTenantToChange } from './rules/targets.ts';

export type UpsertedUsers = { users: UserRow[]; created: string[]; updated: string[] };

/**
 * Creates new users and updates those that differ, all or none; an omitted display name is left unchanged.
 * Refused: NOT_FOUND (tenant), FORBIDDEN, LIMIT_EXCEEDED, OTHER_TENANT (an id of another visible tenant), VALIDATION_FAILED
 * (a new id, unless the caller sees all tenants: the answer must not tell a free id from one in a hidden tenant).
 */
export async function upsertUsers(directory: Directory, input: UpsertUsersInput): Promise<UpsertedUsers> {
  const { tenantId, users } = parseInput(upsertUsersInput, input);
  assertBatchSize(users);
  await requireTenantToChange(directory, tenantId);
  const ids = users.map((user) => user.id);
  return directory.transact(tenantId, async (tx) => {
    const { query } = tx;
    const created = seesAllTenants(directory)
      ? await query<{ id: string }>(insertUsers(tenantId, users))
      : [];
    const updated = await query<{ id: string }>(updateUsers(tenantId, users));
    const stored = await query<UserRow>(Prisma.sql`
      select ${userColumns} from users u
      where u.tenant_id = ${tenantId} and u.id = any(${ids}::text[])`);
    const byId = new Map<string, UserRow>(stored.map((row) => [row.id, row]));
    await assertAllStored(directory, tx, ids, byId);
    const inOrder = (rows: { id: string }[]) => ids.filter((id) => rows.some((row) => row.id === id));
    return { users: ids.map((id) => byId.get(id)!), created: inOrder(created), updated: inOrder(updated) };
  });
}

const seesAllTenants = ({ visibility }: Directory): boolean => visibility.kind === 'all';

/** Refuses ids that are not stored in the tenant after the upsert. */
async function assertAllStored(
  directory: Directory,
  { query }: WriteContext,
  ids: string[],
  stored: Map<string, UserRow>,
) {
  const missing = ids.filter((id) => !stored.has(id));
  if (missing.length === 0) return;
  const [elsewhere] = await query<{ id: string }>(Prisma.sql`
    select id from users where id = any(${missing}::text[]) and ${directory.scope(Prisma.sql`tenant_id`)}`);
  if (elsewhere) throw refuse.otherTenant(elsewhere.id);
  // The id was in another tenant at the insert, and has been removed there since.
  if (seesAllTenants(directory)) throw conflict('A user was removed concurrently');
  throw refuse.validation(
    missing.map((id) => ({
      path: ['users', String(ids.indexOf(id)), 'id'],
      message: "is not a user of this tenant; only the platform's sync can create users",
    })),
  );
}
