// The stored case keys of groups and users: compared with their texts, and rewritten where the two differ.
import { nameKey, searchKey } from '../model/text.ts';
import { type Database, Prisma, type Query, type Sql } from './database.ts';
import { isSuffixed, plainKey, suffixedKey, suffixedKeySql, vacateNames } from './name-keys.ts';
import { awaitingLocks } from './transaction.ts';

/** Rows read, or rewritten, by one statement: well inside its timeout. */
const CHUNK = 5_000;

/**
 * The rules that this process makes keys by, as `tenants.key_rules` stores them and PostgreSQL compares them: a number, to be
 * raised with each change of `caseKey`, `nameKey` or `searchKey`; then the version of Unicode that Node.js brings.
 */
export const KEY_RULES: readonly number[] = [1, ...(process.versions.unicode ?? '0').split('.').map(Number)];

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

/** Rewrites the stale keys of a tenant's groups and users, whatever rules they follow; returns the number of rows. */
export async function rewriteStaleKeys(db: Database, tenantId: string): Promise<number> {
  const groups = await db.transaction(async (sql) => {
    await lockTenant(sql, tenantId);
    return rewriteGroups(sql, tenantId);
  });
  const users = await rewriteUsers(db, tenantId);
  await db.change(Prisma.sql`
    update tenants set key_rules = ${KEY_RULES}::int[] where id = ${tenantId} and key_rules <> ${KEY_RULES}::int[]`);
  return groups + users;
}

/**
 * Rewrites the keys of tenants whose rules are older than those of this process, and warns of siblings that now have the
 * same name. A tenant is marked last: a start that ends before that is made good by the next one. Tenants of newer rules are
 * left alone, so that two versions never rewrite each other's keys in turn.
 */
export async function refreshCaseKeys(db: Database, warn: (message: string) => void): Promise<void> {
  const tenants = await db.sql<{ id: string; isNewer: boolean }>(Prisma.sql`
    select id, key_rules > ${KEY_RULES}::int[] as "isNewer" from tenants where key_rules <> ${KEY_RULES}::int[] order by id`);
  for (const { id } of tenants.filter(({ isNewer }) => !isNewer)) {
    await awaitingLocks(() => refreshTenant(db, id, warn));
  }
  const newer = tenants.filter(({ isNewer }) => isNewer).length;
  if (newer > 0)
    warn(
      `A newer version or Node.js has written the keys for names and search of ${newer} tenants: until this server is ` +
        'as new, it may miss names with characters that it does not know. To stay with this version, stop the newer servers ' +
        'and run check-directory --repair',
    );
}

async function refreshTenant(db: Database, tenantId: string, warn: (message: string) => void): Promise<void> {
  const isOlder = await db.transaction(async (sql) => {
    // Another server may have refreshed the tenant while this one waited for its lock.
    if (!(await lockTenant(sql, tenantId))) return false;
    await rewriteGroups(sql, tenantId);
    return true;
  });
  if (!isOlder) return;
  await rewriteUsers(db, tenantId);
  warnOfClashes(await findClashes(db.sql, tenantId), warn);
  await db.change(Prisma.sql`
    update tenants set key_rules = ${KEY_RULES}::int[] where id = ${tenantId} and key_rules < ${KEY_RULES}::int[]`);
}

/** Locks the tenant, so that no name changes and no sibling comes; returns whether its rules are older than this process's. */
async function lockTenant(sql: Query, tenantId: string): Promise<boolean> {
  const [tenant] = await sql<{ isOlder: boolean }>(Prisma.sql`
    select key_rules < ${KEY_RULES}::int[] as "isOlder" from tenants where id = ${tenantId} for no key update`);
  return tenant?.isOlder ?? false;
}

/** Names in one message; `check-directory` lists all. */
const SHOWN = 20;

function warnOfClashes(clashes: string[], warn: (message: string) => void): void {
  if (clashes.length === 0) return;
  const more = clashes.length > SHOWN ? `; and ${clashes.length - SHOWN} more` : '';
  warn(
    `Names are compared by new rules of upper and lower case, by which siblings have the same name: ${clashes
      .slice(0, SHOWN)
      .join('; ')}${more}. They stay as they are; rename them (npm run check-directory lists them)`,
  );
}

/** Live siblings with the same name, ignoring case: a line for each name. */
export async function findClashes(sql: Query, tenantId: string | null): Promise<string[]> {
  const rows = await sql<{ clash: string }>(Prisma.sql`
    select string_agg(id, ', ' order by id) || ' share a name under ' || coalesce(parent_group_id, 'the root') as clash
    from groups where deleted_at is null${inTenant(tenantId)}
    group by tenant_id, parent_group_id, ${plainKey(Prisma.sql`name_key`)} having count(*) > 1 order by 1`);
  return rows.map(({ clash }) => clash);
}

/** Must run under the tenant's lock. */
async function rewriteGroups(sql: Query, tenantId: string): Promise<number> {
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

async function rewriteUsers(db: Database, tenantId: string): Promise<number> {
  let users = 0;
  for await (const stale of staleRows(db.sql, 'user', tenantId)) {
    if (stale.length > 0) users += (await db.change(updateUsers(tenantId, stale))).length;
  }
  return users;
}

const updateGroups = (tenantId: string, rows: Stale[]): Sql => Prisma.sql`
  with wanted as (
    select g.id, g.parent_group_id, g.deletion_id, w.name_key, w.search_key,
      row_number() over (partition by g.parent_group_id, g.deletion_id, w.name_key order by g.id) as place
    from groups g join unnest(${rows.map(({ id }) => id)}::text[], ${rows.map((row) => row.nameKey)}::text[],
      ${rows.map((row) => row.searchKey)}::text[]) w(id, name_key, search_key) on w.id = g.id
    where g.tenant_id = ${tenantId})
  update groups g set search_key = w.search_key, name_key = case
    when w.place > 1 or exists (${holder(Prisma.sql`w`, Prisma.sql`w.name_key`)})
    then ${suffixedKeySql(Prisma.sql`w.name_key`, Prisma.sql`g.id`)} else w.name_key end
  from wanted w where g.tenant_id = ${tenantId} and g.id = w.id`;

/** Who stores the plain key beside the row `group`: live ones of a live one, and of a deleted one those of the same deletion. */
const holder = (group: Sql, key: Sql): Sql => Prisma.sql`
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
            ${isSuffixed(Prisma.sql`g.name_key`)} and (g.deleted_at is not null
              or exists (${holder(Prisma.sql`g`, plainKey(Prisma.sql`g.name_key`))})) as clashes
            from groups g where g.id > ${after}${inTenant(tenantId)} order by g.id limit ${CHUNK}`
        : Prisma.sql`select id, email as first, display_name as second, null as "nameKey", search_key as "searchKey",
            false as clashes from users where id > ${after}${inTenant(tenantId)} order by id limit ${CHUNK}`,
    );
    yield rows.flatMap(({ clashes, id, first, second, ...stored }) => {
      const name = nameKey(first);
      const search = searchKey(first, second);
      const expected = clashes ? suffixedKey(name, id) : name;
      const stale = stored.searchKey !== search || (table === 'group' && stored.nameKey !== expected);
      return stale ? [{ id, first, second, nameKey: name, searchKey: search }] : [];
    });
    if (rows.length < CHUNK) return;
    after = rows.at(-1)!.id;
  }
}

const inTenant = (tenantId: string | null): Sql =>
  tenantId === null ? Prisma.empty : Prisma.sql` and tenant_id = ${tenantId}`;
