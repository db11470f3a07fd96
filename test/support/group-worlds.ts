// A tenant whose groups are described by name, written by SQL, and read back by name: to compare a directory whole.
import { expect, vi } from 'vitest';
import { type Database, Prisma, type Sql } from '../../src/database/database.ts';
import type { GroupId, TenantId } from '../../src/model/ids.ts';
import { nameKey } from '../../src/model/text.ts';
import { createTenant, openAsAdmin } from './directories.ts';
import { oneWaits } from './postgresql.ts';

/** `members` are numbers of users, `parent` and `nests` keys of groups; `name` is given where it is not the key. */
export type GroupSpec = { name?: string; parent?: string; members?: number[]; nests?: string[] };

/** The version that every group of a world begins at, and who made all of it. */
export const FIRST_VERSION = 3;
export const MAKER = 'usr_maker';

/**
 * Makes the groups an hour ago. Ids sort as the keys do in "C"; keys are letters and digits. A group's name is its key
 * unless it says otherwise.
 */
export async function createWorld<Key extends string>(
  db: Database,
  specs: Record<Key, GroupSpec>,
  userCount = 0,
) {
  const { tenantId, partnerId, userIds } = await createTenant(db, userCount);
  const users: string[] = userIds.toSorted();
  const keys = Object.keys(specs) as Key[];
  const ids = Object.fromEntries(keys.map((key) => [key, `grp_${tenantId.slice(4)}_${key}`])) as Record<
    Key,
    GroupId
  >;
  const id = (key: string) => ids[key as Key];
  const column = <Value>(value: (spec: GroupSpec, key: Key) => Value) =>
    keys.map((key) => value(specs[key], key));
  const names = column((spec, key) => spec.name ?? key);
  const parents = column(({ parent }) => (parent === undefined ? null : id(parent)));
  const counts = column(({ members }) => members?.length ?? 0);
  await db.sql(Prisma.sql`
    insert into groups (id, tenant_id, parent_group_id, name, name_key, search_key, version, member_count, created_at, updated_at)
    select id, ${tenantId}, parent, name, key, key, ${FIRST_VERSION}, members,
      now() - interval '1 hour', now() - interval '1 hour'
    from unnest(${column((_spec, key) => id(key))}::text[], ${parents}::text[], ${names}::text[], ${names.map(nameKey)}::text[],
      ${counts}::int[]) g(id, parent, name, key, members)`);
  const members = keys.flatMap((key) =>
    (specs[key].members ?? []).map((at) => [id(key), users[at]!] as const),
  );
  await db.sql(Prisma.sql`
    insert into memberships (tenant_id, group_id, user_id, added_by, added_at)
    select ${tenantId}, group_id, user_id, ${MAKER}, now() - interval '1 hour'
    from unnest(${members.map(([group]) => group)}::text[], ${members.map(([, user]) => user)}::text[]) m(group_id, user_id)`);
  const nests = keys.flatMap((key) => (specs[key].nests ?? []).map((child) => [id(key), id(child)] as const));
  await db.sql(Prisma.sql`
    insert into nestings (tenant_id, parent_group_id, child_group_id, created_by, created_at)
    select ${tenantId}, parent, child, ${MAKER}, now() - interval '1 hour'
    from unnest(${nests.map(([parent]) => parent)}::text[], ${nests.map(([, child]) => child)}::text[]) n(parent, child)`);
  return { tenantId, partnerId, users, ids, directory: openAsAdmin(db, tenantId) };
}

/** Keys of a chain from the top, and what each is: filed under the one before it, or nested in it. */
export function chain(
  prefix: string,
  length: number,
  relation: 'parent' | 'nests',
): Record<string, GroupSpec> {
  const key = (level: number) => `${prefix}${String(level).padStart(2, '0')}`;
  return Object.fromEntries(
    Array.from({ length }, (_, at) => {
      const level = at + 1;
      if (relation === 'parent') return [key(level), level > 1 ? { parent: key(level - 1) } : {}];
      return [key(level), level < length ? { nests: [key(level + 1)] } : {}];
    }),
  );
}

export type GroupState = {
  parent: string | null;
  version: number;
  /** Whether `updated_at` moved since the world was made. */
  touched: boolean;
  deleted: boolean;
  members: number;
};

type Named = { name: string } & GroupState;

/** Every group of the tenant by its name: names must be unique for it. */
export async function groupsOf(db: Database, tenantId: TenantId): Promise<Record<string, GroupState>> {
  const rows = await db.sql<Named>(Prisma.sql`
    select g.name, p.name as parent, g.version, g.updated_at > g.created_at as touched,
      g.deleted_at is not null as deleted, g.member_count as members
    from groups g left join groups p on p.id = g.parent_group_id where g.tenant_id = ${tenantId}`);
  return Object.fromEntries(rows.map(({ name, ...state }) => [name, state]));
}

/** Current edges, as `Group: user by adder` and `Parent > Child by maker`, sorted. */
export async function edgesOf(db: Database, tenantId: TenantId): Promise<string[]> {
  const rows = await db.sql<{ edge: string }>(Prisma.sql`
    select g.name || ': ' || m.user_id || ' by ' || m.added_by as edge
    from memberships m join groups g on g.id = m.group_id where m.tenant_id = ${tenantId}
    union all
    select p.name || ' > ' || c.name || ' by ' || n.created_by
    from nestings n join groups p on p.id = n.parent_group_id join groups c on c.id = n.child_group_id
    where n.tenant_id = ${tenantId}`);
  return rows.map(({ edge }) => edge).sort();
}

/** Ended edges: what they joined, who made and who ended them, why, and whether a deletion did. */
export async function endedOf(db: Database, tenantId: TenantId): Promise<string[]> {
  const rows = await db.sql<{ edge: string }>(Prisma.sql`
    select g.name || ': ' || h.user_id || ' by ' || h.added_by || ' until ' || h.ended_by || ' ' || h.cause
      || case when h.deletion_id is null then '' else ' deletion' end
      || case when h.since < h.until then '' else ' NO INTERVAL' end as edge
    from membership_history h join groups g on g.id = h.group_id where h.tenant_id = ${tenantId}
    union all
    select p.name || ' > ' || c.name || ' by ' || h.created_by || ' until ' || h.ended_by || ' ' || h.cause
      || case when h.deletion_id is null then '' else ' deletion' end
      || case when h.since < h.until then '' else ' NO INTERVAL' end
    from nesting_history h join groups p on p.id = h.parent_group_id join groups c on c.id = h.child_group_id
    where h.tenant_id = ${tenantId}`);
  return rows.map(({ edge }) => edge).sort();
}

/** What was written down, oldest first; events of one change by type and group. */
export function eventsOf(db: Database, tenantId: TenantId) {
  return db.sql<{ type: string; group: string; actor: string; data: Record<string, unknown> }>(Prisma.sql`
    select c.type, g.name as group, c.actor_type || ' ' || c.actor_id as actor, c.data || jsonb_strip_nulls(jsonb_build_object(
      'userIds', c.user_ids, 'groupIds', c.group_ids, 'cause', c.cause)) as data
    from changes c join groups g on g.tenant_id = c.tenant_id and g.id = c.group_id
    where c.tenant_id = ${tenantId} order by c.position, c.type, g.name`);
}

/** The position of the tenant's log. */
export async function positionOf(db: Database, tenantId: TenantId): Promise<number> {
  const [row] = await db.sql<{ position: number }>(
    Prisma.sql`select position::int as position from tenant_logs where tenant_id = ${tenantId}`,
  );
  return row!.position;
}

/**
 * What becomes of `work`, which must come to wait for the locks of a transaction that changes something: it goes on when
 * that is committed.
 */
export async function behind(db: Database, changes: Sql[], work: () => Promise<unknown>): Promise<unknown> {
  let outcome: Promise<unknown> = Promise.resolve();
  await db.transaction(async (sql) => {
    for (const statement of changes) await sql(statement);
    let ended = false;
    outcome = refusal(work()).finally(() => {
      ended = true;
    });
    await vi.waitUntil(async () => ended || (await oneWaits(db)), { timeout: 30_000, interval: 5 });
    expect(ended).toBe(false);
  });
  return outcome;
}

/** The first statement of each change of a tenant's graph. */
export const holdGraph = (tenantId: TenantId) =>
  Prisma.sql`select position from tenant_logs where tenant_id = ${tenantId} for no key update`;
export const markDeleted = (id: string) => Prisma.sql`
  update groups set deleted_at = now(), deletion_id = 'del_other' where id = ${id}`;

/** A refusal whole; `done` for what is not refused. */
export const refusal = (work: Promise<unknown>) =>
  work.then(
    () => 'done',
    ({ code, message, details }) => ({ code, message, details }),
  );

export const FORBIDDEN = { code: 'FORBIDDEN', message: 'You may see this, but not change it', details: {} };
export const notFound = (id: string, message = `${id} was not found`) => ({
  code: 'NOT_FOUND',
  message,
  details: { id },
});
export const invalid = (...fields: [path: string, message: string][]) => ({
  code: 'VALIDATION_FAILED',
  message: fields.map(([path, message]) => `${path} ${message}`).join('; '),
  details: { fields: fields.map(([path, message]) => ({ path: path.split('.'), message })) },
});

export const unknownUsers = (...userIds: string[]) => ({
  code: 'UNKNOWN_USERS',
  message: `Not users of the group's tenant: ${userIds.slice(0, 100).join(', ')}`,
  details: { userIds },
});
