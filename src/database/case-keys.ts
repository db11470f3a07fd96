// The stored case keys of groups and users: compared with their texts, and rewritten where the two differ.
import { nameKey, searchKey } from '../model/text.ts';
import { type Database, Prisma, type Query, type Sql } from './database.ts';

/** Rows read, or rewritten, by one statement: well inside its timeout. */
const CHUNK = 5_000;

/**
 * Stands between the key of a name and its group's id where a sibling has the same key already: texts have no such character.
 * So a change of the rules for case keys keeps all groups and the unique index of siblings; `check-directory` names the clash.
 */
export const CLASH = Prisma.sql`chr(31)`;

type Keyed = { id: string; first: string; second: string | null; nameKey: string | null; searchKey: string };
type Stale = { id: string; first: string; second: string | null; nameKey: string; searchKey: string };
export type StaleKeys = { table: 'group' | 'user'; id: string };

/** Rows whose keys are not those of their texts, in one tenant or in all. */
export async function findStaleKeys(sql: Query, tenantId: string | null): Promise<StaleKeys[]> {
  const found: StaleKeys[] = [];
  for (const table of ['group', 'user'] as const) {
    for await (const stale of staleRows(sql, table, tenantId)) {
      found.push(...stale.map(({ id }) => ({ table, id })));
    }
  }
  return found;
}

/** Rewrites the stale keys of a tenant's groups and users; gives the number of rows. */
export async function rewriteStaleKeys(db: Database, tenantId: string): Promise<number> {
  const groups = await db.transaction((sql) => rewriteGroups(sql, tenantId));
  let users = 0;
  for await (const stale of staleRows(db.sql, 'user', tenantId)) {
    if (stale.length > 0) users += (await db.change(updateUsers(tenantId, stale))).length;
  }
  return groups + users;
}

/** Rewrites the keys that a migration marked as stale, tenant by tenant; gives the siblings that now have one name. */
export async function refreshCaseKeys(db: Database): Promise<string[]> {
  const marked = await db.sql<{ id: string }>(
    Prisma.sql`select id from tenants where stale_keys order by id`,
  );
  if (marked.length === 0) return [];
  for (const { id } of marked) {
    await rewriteStaleKeys(db, id);
    await db.change(Prisma.sql`update tenants set stale_keys = false where id = ${id}`);
  }
  return findClashes(db.sql, null);
}

/** Live siblings with the same name, ignoring case: a line for each name. */
export async function findClashes(sql: Query, tenantId: string | null): Promise<string[]> {
  const rows = await sql<{ clash: string }>(Prisma.sql`
    select string_agg(id, ', ' order by id) || ' share a name under ' || coalesce(parent_group_id, 'the root') as clash
    from groups where deleted_at is null${inTenant(tenantId)}
    group by tenant_id, parent_group_id, split_part(name_key, ${CLASH}, 1) having count(*) > 1 order by 1`);
  return rows.map(({ clash }) => clash);
}

/** Under the tenant's lock no name changes and no sibling comes. */
async function rewriteGroups(sql: Query, tenantId: string): Promise<number> {
  await sql(Prisma.sql`select id from tenants where id = ${tenantId} for no key update`);
  const stale: Stale[] = [];
  for await (const rows of staleRows(sql, 'group', tenantId)) stale.push(...rows);
  const chunks = Array.from({ length: Math.ceil(stale.length / CHUNK) }, (_, index) =>
    stale.slice(index * CHUNK, (index + 1) * CHUNK),
  );
  for (const chunk of chunks) {
    const ids = chunk.map(({ id }) => id);
    await sql(vacateNames(tenantId, ids));
  }
  for (const chunk of chunks) await sql(updateGroups(tenantId, chunk));
  return stale.length;
}

/** Frees the names of groups that are about to get others, so that names can change hands between siblings. */
export const vacateNames = (tenantId: string, ids: readonly string[]): Sql => Prisma.sql`
  update groups set name_key = ${CLASH} || id where tenant_id = ${tenantId} and id = any(${ids}::text[])`;

const updateGroups = (tenantId: string, rows: Stale[]): Sql => Prisma.sql`
  with wanted as (
    select g.id, g.parent_group_id, g.deletion_id, w.name_key, w.search_key,
      row_number() over (partition by g.parent_group_id, g.deletion_id, w.name_key order by g.id) as place
    from groups g join unnest(${rows.map(({ id }) => id)}::text[], ${rows.map((row) => row.nameKey)}::text[],
      ${rows.map((row) => row.searchKey)}::text[]) w(id, name_key, search_key) on w.id = g.id
    where g.tenant_id = ${tenantId})
  update groups g set search_key = w.search_key, name_key = case
    when w.place > 1 or exists (${sibling(Prisma.sql`w`, Prisma.sql`w.name_key`)})
    then w.name_key || ${CLASH} || g.id else w.name_key end
  from wanted w where g.tenant_id = ${tenantId} and g.id = w.id`;

/** Groups beside the row `group` that have the name: live ones of a live one, and of a deleted one those that went with it. */
const sibling = (group: Sql, key: Sql): Sql => Prisma.sql`
  select from groups s where s.name_key = ${key} and s.id <> g.id and s.tenant_id = g.tenant_id
    and s.parent_group_id is not distinct from ${group}.parent_group_id
    and s.deletion_id is not distinct from ${group}.deletion_id`;

/** Without a lock: users whose texts have changed meanwhile have got keys with them. */
const updateUsers = (tenantId: string, rows: Stale[]): Sql => Prisma.sql`
  with updated as (
    update users u set search_key = w.search_key
    from unnest(${rows.map(({ id }) => id)}::text[], ${rows.map((row) => row.first)}::text[],
      ${rows.map((row) => row.second)}::text[], ${rows.map((row) => row.searchKey)}::text[]) w(id, email, display_name, search_key)
    where u.tenant_id = ${tenantId} and u.id = w.id
      and (u.email, u.display_name) is not distinct from (w.email, w.display_name)
    returning u.id),
  seen as (update tenants set user_version = user_version + 1 where id = ${tenantId})
  select id from updated`;

async function* staleRows(
  sql: Query,
  table: 'group' | 'user',
  tenantId: string | null,
): AsyncGenerator<Stale[]> {
  for (let after = ''; ; ) {
    const rows = await sql<Keyed & { clashes: boolean }>(
      table === 'group'
        ? Prisma.sql`select g.id, g.name as first, g.description as second, g.name_key as "nameKey", g.search_key as "searchKey",
            g.name_key like '%' || ${CLASH} || '%'
              and exists (${sibling(Prisma.sql`g`, Prisma.sql`split_part(g.name_key, ${CLASH}, 1)`)}) as clashes
            from groups g where g.id > ${after}${inTenant(tenantId)} order by g.id limit ${CHUNK}`
        : Prisma.sql`select id, email as first, display_name as second, null as "nameKey", search_key as "searchKey",
            false as clashes from users where id > ${after}${inTenant(tenantId)} order by id limit ${CHUNK}`,
    );
    yield rows.flatMap(({ clashes, id, first, second, ...stored }) => {
      const name = nameKey(first);
      const search = searchKey(first, second);
      const expected = clashes ? `${name}\x1f${id}` : name;
      const stale = stored.searchKey !== search || (table === 'group' && stored.nameKey !== expected);
      return stale ? [{ id, first, second, nameKey: name, searchKey: search }] : [];
    });
    if (rows.length < CHUNK) return;
    after = rows.at(-1)!.id;
  }
}

const inTenant = (tenantId: string | null): Sql =>
  tenantId === null ? Prisma.empty : Prisma.sql` and tenant_id = ${tenantId}`;
