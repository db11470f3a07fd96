// Creates, updates and erases users, for `upsertUsers`, `eraseUsers` and the import, and records the changes.
import { Prisma, type Sql } from '../../database/database.ts';
import { searchKey } from '../../model/text.ts';
import type { WriteContext } from '../log/write-context.ts';
import { endUserVersions } from './versions.ts';

/** An omitted display name is left unchanged; null clears it. */
export type UserValues = { id: string; email: string; displayName?: string | null | undefined };
type Values = { email: string; displayName: string | null };

/** Creates those users whose ids are unused or of a removed user, and returns their ids. The tenant must have the ids. */
export async function createUsers(tx: WriteContext, users: readonly UserValues[]): Promise<string[]> {
  const { query, tenantId, position, at } = tx;
  const created = await query<{ id: string }>(Prisma.sql`
    insert into users as u (tenant_id, id, email, display_name, search_key, since, version_since, created_at,
      updated_at)
    select ${tenantId}, input.id, input.email, input.display_name, input.search_key, ${position}::bigint, ${position}::bigint,
      ${at}::timestamptz, ${at}::timestamptz
    from ${inputRows(users)} input
    on conflict (tenant_id, id) do update set email = excluded.email, display_name = excluded.display_name,
      search_key = excluded.search_key, since = excluded.since, until = null,
      version_since = excluded.version_since, created_at = excluded.created_at,
      updated_at = excluded.updated_at
    where u.until is not null returning u.id`);
  const ids = created.map(({ id }) => id);
  if (ids.length > 0) tx.record({ type: 'users.upserted', userIds: ids });
  return ids;
}

/** Updates the live users of the tenant that differ, and returns their ids. */
export async function updateUsers(tx: WriteContext, users: readonly UserValues[]): Promise<string[]> {
  const { query, tenantId, at, position } = tx;
  const differing = Prisma.sql`users u, ${inputRows(users)} input
    where u.tenant_id = ${tenantId} and u.id = input.id and u.until is null
      and (u.email, u.display_name) is distinct from (input.email, ${DISPLAY_NAME})`;
  const before = await query<Values & { id: string }>(Prisma.sql`
    select u.id, u.email, u.display_name as "displayName" from ${differing} order by u.id`);
  if (before.length === 0) return [];
  const values = new Map(users.map((user) => [user.id, user]));
  const changed = before.map(({ id, ...old }) => {
    const { email, displayName = old.displayName } = values.get(id)!;
    return { id, before: old, after: { email, displayName } };
  });
  const ids = changed.map(({ id }) => id);
  endUserVersions(tx, ids);
  await query(Prisma.sql`
    update users u set email = c.email, display_name = c.display_name, search_key = c.search_key, updated_at = ${at}::timestamptz,
      version_since = ${position}::bigint
    from unnest(${ids}::text[], ${changed.map(({ after }) => after.email)}::text[],
      ${changed.map(({ after }) => after.displayName)}::text[],
      ${changed.map(({ after }) => searchKey(after.email, after.displayName))}::text[]) c(id, email, display_name, search_key)
    where u.tenant_id = ${tenantId} and u.id = c.id`);
  tx.record({ type: 'users.upserted', userIds: ids, data: { users: changed } });
  return ids;
}

/** Blanks the personal data of removed users, in the history and in the log too. */
export async function blankUsers({ query, tenantId, at }: WriteContext, ids: readonly string[]) {
  await query(Prisma.sql`
    update users set email = '', display_name = null, search_key = '', updated_at = ${at}::timestamptz
    where tenant_id = ${tenantId} and id = any(${[...ids]}::text[])`);
  await query(Prisma.sql`
    update user_history set email = '', display_name = null, search_key = ''
    where tenant_id = ${tenantId} and id = any(${[...ids]}::text[])`);
  await query(Prisma.sql`
    update changes set data = jsonb_set(data, '{users}', (
      select jsonb_agg(case when u ->> 'id' = any(${[...ids]}::text[]) then jsonb_build_object('id', u -> 'id') else u end)
      from jsonb_array_elements(data -> 'users') u))
    where tenant_id = ${tenantId} and group_id is null and data ? 'users' and user_ids && ${[...ids]}::text[]`);
}

const DISPLAY_NAME = Prisma.sql`case when input.has_name then input.display_name else u.display_name end`;

const inputRows = (users: readonly UserValues[]): Sql => Prisma.sql`(
  select * from unnest(${users.map(({ id }) => id)}::text[], ${users.map(({ email }) => email)}::text[],
    ${users.map(({ displayName }) => displayName !== undefined)}::bool[],
    ${users.map(({ displayName }) => displayName ?? null)}::text[],
    ${users.map(({ email, displayName }) => searchKey(email, displayName))}::text[])
    input(id, email, has_name, display_name, search_key)
  order by id)`;
