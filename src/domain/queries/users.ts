// Users, mirrored from the identity provider: found, listed, and kept in step.
import { Prisma, type Query } from '../../database/database.ts';
import { conflict } from '../../database/errors.ts';
import { refuse } from '../../model/errors.ts';
import { isIdOf, type TenantId, type UserId } from '../../model/ids.ts';
import { readInput } from '../../model/input.ts';
import type { Page, PageArgs } from '../../model/page.ts';
import {
  type RemoveUsersInput,
  removeUsersInput,
  type UpsertUsersInput,
  upsertUsersInput,
} from '../../model/users.ts';
import { assertMayChange, change, type Directory, plainUser } from '../directory.ts';
import { loader } from '../loading/batching.ts';
import { list } from '../loading/list.ts';
import { matching, searchPattern } from '../loading/search.ts';
import { recordEvents } from '../log/events.ts';
import { lockGraph } from '../log/lock.ts';
import type { UserRow } from '../rows/rows.ts';
import { assertBatchSize, moveMemberships } from '../writes/edges.ts';
import { insertUsers, updateUsers } from '../writes/users.ts';
import { findTenant } from './tenants.ts';

const usersById = loader<string, UserRow | null>(async (directory, ids) => {
  const rows = await directory.sql<UserRow>(Prisma.sql`
    select u.id, u.tenant_id as "tenantId", u.email, u.display_name as "displayName" from users u
    where u.id = any(${ids}::text[]) and ${directory.scope(Prisma.sql`u.tenant_id`)}`);
  const byId = new Map<string, UserRow>(rows.map((row) => [row.id, row]));
  return ids.map((id) => byId.get(id) ?? null);
});

/** The user with that id, or null if it is not in sight; a plain user sees itself alone. */
export async function findUser(directory: Directory, id: string): Promise<UserRow | null> {
  const self = plainUser(directory);
  return isIdOf('user', id) && (!self || self.userId === id) ? usersById(directory).load(id) : null;
}

/** The users with these ids, in their order; null for each that is not in sight. One statement a batch. */
export async function findUsers(directory: Directory, ids: readonly string[]): Promise<(UserRow | null)[]> {
  return Promise.all(ids.map((id) => findUser(directory, id)));
}

const users = list<{ search: string | null }, UserRow>({
  columns: () => Prisma.sql`u.id, u.tenant_id as "tenantId", u.email, u.display_name as "displayName"`,
  toRow: ({ id, tenantId, email, displayName }: UserRow) => ({ id, tenantId, email, displayName }),
  order: () => ({
    tag: 'user',
    descending: false,
    keys: [{ column: Prisma.sql`u.id`, type: 'text', alias: 'id' }],
  }),
  from: (directory, { search }) => Prisma.sql`from users u
    where u.tenant_id = k.id and ${directory.scope(Prisma.sql`u.tenant_id`)}${matching(Prisma.sql`u.search_key`, search)}`,
});

type ListArgs = { tenantId: string; search?: string | null | undefined };

/** Users of a tenant, by id. Null for a plain user. */
export async function listUsers(
  directory: Directory,
  { tenantId, search, page }: ListArgs & { page: PageArgs },
): Promise<Page<UserRow> | null> {
  return plainUser(directory)
    ? null
    : users.page(directory, tenantId, { search: searchPattern(search) }, page);
}

/** How many users `listUsers` would list. Null for a plain user. */
export async function countUsers(
  directory: Directory,
  { tenantId, search }: ListArgs,
): Promise<number | null> {
  return plainUser(directory) ? null : users.count(directory, tenantId, { search: searchPattern(search) });
}

export type UpsertedUsers = { users: UserRow[]; created: string[]; updated: string[] };

/**
 * Creates the users that are new and updates those that differ; a display name that is absent stays. Refused: NOT_FOUND
 * (tenant), LIMIT_EXCEEDED, OTHER_TENANT for an id of another tenant in sight. New ids may be named only by callers who see
 * everything: to all others VALIDATION_FAILED, as an id that is free and one that is taken out of sight must not differ.
 */
export async function upsertUsers(directory: Directory, input: UpsertUsersInput): Promise<UpsertedUsers> {
  const { tenantId, users: wanted } = readInput(upsertUsersInput, input);
  assertBatchSize(wanted);
  await requireTenant(directory, tenantId);
  const ids = wanted.map((user) => user.id);
  return change(directory, async (sql) => {
    // One change of the tenant's users at a time: a removal between two statements would leave ids neither new nor known.
    await lockGraph(directory, sql, tenantId);
    const created = seesEverything(directory) ? await sql<{ id: string }>(insertUsers(tenantId, wanted)) : [];
    const updated = await sql<{ id: string }>(updateUsers(tenantId, wanted));
    const stored = await sql<UserRow>(Prisma.sql`
      select id, tenant_id as "tenantId", email, display_name as "displayName" from users
      where tenant_id = ${tenantId} and id = any(${ids}::text[])`);
    const byId = new Map<string, UserRow>(stored.map((row) => [row.id, row]));
    await assertAllStored(directory, sql, ids, byId);
    const among = (found: { id: string }[]) => ids.filter((id) => found.some((row) => row.id === id));
    return { users: ids.map((id) => byId.get(id)!), created: among(created), updated: among(updated) };
  });
}

/** Removes users from the mirror and ends their memberships. Refused: NOT_FOUND, LIMIT_EXCEEDED, UNKNOWN_USERS. */
export async function removeUsers(
  directory: Directory,
  input: RemoveUsersInput,
): Promise<{ removed: string[]; endedMembershipCount: number }> {
  const { tenantId, userIds } = readInput(removeUsersInput, input);
  assertBatchSize(userIds);
  await requireTenant(directory, tenantId);
  const ids = [...new Set(userIds)];
  return change(directory, async (sql) => {
    await lockGraph(directory, sql, tenantId);
    // Groups before users, as where members are added; theirs are counted anew below.
    await sql(Prisma.sql`
      select id from groups where tenant_id = ${tenantId} and id in (
        select group_id from memberships where tenant_id = ${tenantId} and user_id = any(${ids}::text[]))
      order by id for no key update`);
    const locked = await sql<{ id: UserId }>(Prisma.sql`
      select id from users where tenant_id = ${tenantId} and id = any(${ids}::text[]) order by id for update`);
    const known = new Set(locked.map((row) => row.id));
    const unknown = ids.filter((id) => !known.has(id));
    if (unknown.length > 0) throw refuse.unknownUsers(unknown);
    const ended = await moveMemberships(directory, sql, {
      tenantId,
      where: Prisma.sql`user_id = any(${ids}::text[])`,
      cause: 'USER_REMOVED',
    });
    // A user created under the same id is another one, to whom no restored group gives these back.
    await sql(Prisma.sql`
      update membership_history set user_removed = true
      where tenant_id = ${tenantId} and user_id = any(${ids}::text[]) and deletion_id is not null`);
    await sql(Prisma.sql`delete from users where tenant_id = ${tenantId} and id = any(${ids}::text[])`);
    const byGroup = Map.groupBy(ended, (membership) => membership.groupId);
    await recordEvents(
      directory,
      sql,
      [...byGroup].map(([groupId, memberships]) => ({
        type: 'group_membership.removed' as const,
        tenantId,
        groupId,
        data: { userIds: memberships.map((membership) => membership.userId), cause: 'USER_REMOVED' },
      })),
    );
    return { removed: ids, endedMembershipCount: ended.length };
  });
}

const seesEverything = ({ sight }: Directory): boolean => sight.kind === 'all';

async function requireTenant(directory: Directory, tenantId: TenantId): Promise<void> {
  const tenant = await findTenant(directory, tenantId);
  if (!tenant) throw refuse.notFound(tenantId);
  assertMayChange(directory);
}

async function assertAllStored(
  directory: Directory,
  sql: Query,
  ids: string[],
  stored: Map<string, UserRow>,
) {
  const missing = ids.filter((id) => !stored.has(id));
  if (missing.length === 0) return;
  const seen = await sql<{ id: string }>(Prisma.sql`
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
