// Creates and updates users, for the platform's sync and for administrators.

import { Prisma } from '../../database/database.ts';
import { refuse } from '../../model/errors.ts';
import { parseInput } from '../../model/input.ts';
import { type UpsertUsersInput, upsertUsersInput } from '../../model/users.ts';
import type { Directory, Positioned } from '../directory.ts';
import type { WriteContext } from '../log/write-context.ts';
import { type UserRow, userColumns } from '../rows/users.ts';
import { claimIds } from '../writes/ids.ts';
import { createUsers, type UserValues, updateUsers } from '../writes/users.ts';
import { assertBatchSize, requireTenant, seenElsewhere } from './rules/targets.ts';

export type UpsertedUsers = Positioned & { users: UserRow[]; created: string[]; updated: string[] };

/**
 * Creates new users and updates those that differ, all or none; an omitted display name is left unchanged.
 * Refused: NOT_FOUND (tenant), FORBIDDEN, LIMIT_EXCEEDED, OTHER_TENANT (an id of another visible tenant), VALIDATION_FAILED
 * (a new id, unless the caller sees all tenants: the answer must not tell a free id from one in a hidden tenant).
 */
export async function upsertUsers(directory: Directory, input: UpsertUsersInput): Promise<UpsertedUsers> {
  const { tenantId, users } = parseInput(upsertUsersInput, input);
  assertBatchSize(users);
  await requireTenant(directory, tenantId);
  const ids = users.map((user) => user.id);
  return directory.transact(tenantId, async (tx) => {
    const created = seesAllTenants(directory) ? await create(tx, users) : [];
    const updated = await updateUsers(tx, users);
    const stored = await tx.query<UserRow>(Prisma.sql`
      select ${userColumns} from users u
      where u.tenant_id = ${tenantId} and u.id = any(${ids}::text[]) and u.until is null`);
    const byId = new Map<string, UserRow>(stored.map((row) => [row.id, row]));
    await assertAllStored(directory, tx, ids, byId);
    const inOrder = (some: readonly string[]) => ids.filter((id) => some.includes(id));
    return { users: ids.map((id) => byId.get(id)!), created: inOrder(created), updated: inOrder(updated) };
  });
}

const seesAllTenants = ({ visibility }: Directory): boolean => visibility.kind === 'all';

async function create(tx: WriteContext, users: readonly UserValues[]): Promise<string[]> {
  const others = await claimIds(
    tx,
    users.map(({ id }) => id),
  );
  return createUsers(
    tx,
    users.filter(({ id }) => !others.has(id)),
  );
}

/** Refuses ids that are no live users of the tenant after the upsert. */
async function assertAllStored(
  directory: Directory,
  tx: WriteContext,
  ids: string[],
  stored: Map<string, UserRow>,
) {
  const missing = ids.filter((id) => !stored.has(id));
  if (missing.length === 0) return;
  const [elsewhere] = await seenElsewhere(directory, tx, missing);
  if (elsewhere) throw refuse.otherTenant(elsewhere.id);
  throw refuse.validation(
    missing.map((id) => ({
      path: ['users', String(ids.indexOf(id)), 'id'],
      message: "is not a user of this tenant; only the platform's sync can create users",
    })),
  );
}
