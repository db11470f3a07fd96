// Creating and updating users, as the platform's sync and administrators tell of them.

import { Prisma } from '../../database/database.ts';
import { conflict } from '../../database/errors.ts';
import { refuse } from '../../model/errors.ts';
import { parseInput } from '../../model/input.ts';
import { type UpsertUsersInput, upsertUsersInput } from '../../model/users.ts';
import type { Directory } from '../directory.ts';
import type { WriteContext } from '../log/write-context.ts';
import type { UserRow } from '../rows/users.ts';
import { insertUsers, updateUsers } from '../writes/users.ts';
import { assertBatchSize, requireTenantToChange } from './rules/targets.ts';

export type UpsertedUsers = { users: UserRow[]; created: string[]; updated: string[] };

/**
 * Creates the users that are new and updates those that differ; a display name that is absent stays. Refused: NOT_FOUND
 * (tenant), LIMIT_EXCEEDED, OTHER_TENANT for an id of another tenant in sight. New ids may be named only by callers who see
 * everything: to all others VALIDATION_FAILED, as an id that is free and one that is taken out of sight must not differ.
 */
export async function upsertUsers(directory: Directory, input: UpsertUsersInput): Promise<UpsertedUsers> {
  const { tenantId, users: wanted } = parseInput(upsertUsersInput, input);
  assertBatchSize(wanted);
  await requireTenantToChange(directory, tenantId);
  const ids = wanted.map((user) => user.id);
  return directory.transact(tenantId, async (tx) => {
    const { query } = tx;
    const created = seesEverything(directory)
      ? await query<{ id: string }>(insertUsers(tenantId, wanted))
      : [];
    const updated = await query<{ id: string }>(updateUsers(tenantId, wanted));
    const stored = await query<UserRow>(Prisma.sql`
      select id, tenant_id as "tenantId", email, display_name as "displayName" from users
      where tenant_id = ${tenantId} and id = any(${ids}::text[])`);
    const byId = new Map<string, UserRow>(stored.map((row) => [row.id, row]));
    await assertAllStored(directory, tx, ids, byId);
    const among = (found: { id: string }[]) => ids.filter((id) => found.some((row) => row.id === id));
    return { users: ids.map((id) => byId.get(id)!), created: among(created), updated: among(updated) };
  });
}

const seesEverything = ({ visibility }: Directory): boolean => visibility.kind === 'all';

async function assertAllStored(
  directory: Directory,
  { query }: WriteContext,
  ids: string[],
  stored: Map<string, UserRow>,
) {
  const missing = ids.filter((id) => !stored.has(id));
  if (missing.length === 0) return;
  const seen = await query<{ id: string }>(Prisma.sql`
    select id from users where id = any(${missing}::text[]) and ${directory.scope(Prisma.sql`tenant_id`)}`);
  const [first] = seen;
  if (first) throw refuse.otherTenant(first.id);
  // Another tenant's when it was inserted, and removed there since.
  if (seesEverything(directory)) throw conflict('A user was removed meanwhile');
  throw refuse.validation(
    missing.map((id) => ({
      path: ['users', String(ids.indexOf(id)), 'id'],
      message: "is not a user of this tenant, and new ones are named by the platform's sync alone",
    })),
  );
}
