// Finds and rewrites stored case keys of groups and users (`name_key`, `search_key`) that no longer match their texts.
import { nameKey, searchKey } from '../model/text.ts';
import { type Database, Prisma, type Query, type Sql } from './database.ts';
import { isSuffixed, plainKey, suffixedKey, suffixedKeySql, vacateNames } from './name-keys.ts';
import { awaitingLocks } from './transaction.ts';

/** Rows per statement: few enough to stay well inside the statement timeout. */
const CHUNK = 5_000;

/**
 * The version of the rules by which this process computes keys. `tenants.key_rules` stores it for each tenant, and PostgreSQL
 * compares it element by element. First a number, to be increased with each change of `caseKey`, `nameKey` or `searchKey`; then
 * the version of Unicode in Node.js.
 */
export const KEY_RULES: readonly number[] = [2, ...(process.versions.unicode ?? '0').split('.').map(Number)];

/** The texts of a row and its stored keys: name and description of a group, email and display name of a user. */
type Keyed = { id: string; first: string; second: string | null; nameKey: string | null; searchKey: string };
/** A row whose stored keys are stale, with the keys that its texts have now. */
type Stale = { id: string; first: string; second: string | null; nameKey: string; searchKey: string };
export type StaleKeys = { table: 'group' | 'user'; id: string };

/** Finds rows whose stored keys do not match their texts, in one tenant or in all. */
export async function findStaleKeys(sql: Query, tenantId: string | null): Promise<StaleKeys[]> {
  const staleKeys: StaleKeys[] = [];
  const tenants = await sql<{ id: string }>(Prisma.sql`
    select id from tenants where ${tenantId}::text is null or id = ${tenantId} order by id`);
  for (const tenant of tenants) {
    for (const table of ['group', 'user'] as const) {
      for await (const stale of staleRows(sql, table, tenant.id)) {
        for (const { id } of stale) staleKeys.push({ table, id });
      }
    }
  }
  return staleKeys;
}

/** Rewrites the stale keys of a tenant, whichever version of the rules wrote them; returns the number of rows rewritten. */
export async function rewriteStaleKeys(db: Database, tenantId: string): Promise<number> {
  const groups = await db.transaction(async (sql) => {
    await lockTenant(sql, tenantId);
    return rewriteGroups(sql, tenantId);
  });
  const users = await rewriteUsers(db, tenantId);
  await rewriteHistory(db, tenantId);
  await rewriteTenant(db, tenantId);
  await db.change(Prisma.sql`
    update tenants set key_rules = ${KEY_RULES}::int[] where id = ${tenantId} and key_rules <> ${KEY_RULES}::int[]`);
  return groups + users;
}

/**
 * Rewrites the keys of tenants with older rules than this process, and warns of siblings whose names are now equal. A tenant's
 * rules are updated last, so that an interrupted refresh runs again at the next start. Tenants with newer rules are skipped:
 * otherwise two versions would rewrite each other's keys in turn.
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
      `The keys for names and search of ${newer} tenants were written by a newer version of this server or of Node.js. ` +
        'Until this server is upgraded, it may miss names with characters that it does not know. To keep this version, ' +
        'stop the newer servers and run check-directory --repair',
    );
}

async function refreshTenant(db: Database, tenantId: string, warn: (message: string) => void): Promise<void> {
  const isOlder = await db.transaction(async (sql) => {
    // Another server may have refreshed the tenant while this one waited for the lock.
    if (!(await lockTenant(sql, tenantId))) return false;
    await rewriteGroups(sql, tenantId);
    return true;
  });
  if (!isOlder) return;
  await rewriteUsers(db, tenantId);
  await rewriteHistory(db, tenantId);
  await rewriteTenant(db, tenantId);
  warnOfClashes(await findClashes(db.sql, tenantId), warn);
  await db.change(Prisma.sql`
    update tenants set key_rules = ${KEY_RULES}::int[] where id = ${tenantId} and key_rules < ${KEY_RULES}::int[]`);
}

/** Locks the tenant's log, as each change does. Returns whether the tenant's rules are older than those of this process. */
async function lockTenant(sql: Query, tenantId: string): Promise<boolean> {
  await sql(Prisma.sql`select tenant_id from tenant_logs where tenant_id = ${tenantId} for no key update`);
  const [tenant] = await sql<{ isOlder: boolean }>(Prisma.sql`
    select key_rules < ${KEY_RULES}::int[] as "isOlder" from tenants where id = ${tenantId}`);
  return tenant?.isOlder ?? false;
}

/** Maximum clashes in one message; `check-directory` lists all. */
const MAX_SHOWN = 20;

function warnOfClashes(clashes: string[], warn: (message: string) => void): void {
  if (clashes.length === 0) return;
  const more = clashes.length > MAX_SHOWN ? `; and ${clashes.length - MAX_SHOWN} more` : '';
  warn(
    `Names are now compared by new rules for upper and lower case, and these siblings have equal names: ${clashes
      .slice(0, MAX_SHOWN)
      .join('; ')}${more}. Their names were left unchanged; rename them (npm run check-directory lists them)`,
  );
}

/** Describes live siblings with equal names, ignoring case: one line for each name. */
export async function findClashes(sql: Query, tenantId: string | null): Promise<string[]> {
  const rows = await sql<{ clash: string }>(Prisma.sql`
    select string_agg(id, ', ' order by id) || ' share a name under ' || coalesce(parent_group_id, 'the root') as clash
    from groups where deleted_at is null${inTenant(tenantId)}
    group by tenant_id, parent_group_id, ${plainKey(Prisma.sql`name_key`)} having count(*) > 1 order by 1`);
  return rows.map(({ clash }) => clash);
}

/** Rewrites the stale keys of a tenant's groups. The caller must hold the tenant's lock. */
async function rewriteGroups(sql: Query, tenantId: string): Promise<number> {
  const stale: Stale[] = [];
  for await (const rows of staleRows(sql, 'group', tenantId)) for (const row of rows) stale.push(row);
  const chunks = Array.from({ length: Math.ceil(stale.length / CHUNK) }, (_, index) =>
    stale.slice(index * CHUNK, (index + 1) * CHUNK),
  );
  // First give every group a temporary key, so that new keys cannot collide with old ones of other groups.
  for (const chunk of chunks) {
    const ids = chunk.map(({ id }) => id);
    await sql(vacateNames(tenantId, ids));
  }
  for (const chunk of chunks) await sql(updateGroups(tenantId, chunk));
  return stale.length;
}

/** Rewrites the stale keys of a tenant's users, one transaction per chunk, without a lock. */
async function rewriteUsers(db: Database, tenantId: string): Promise<number> {
  let users = 0;
  for await (const stale of staleRows(db.sql, 'user', tenantId)) {
    if (stale.length > 0) users += (await db.change(updateUsers(tenantId, stale))).length;
  }
  return users;
}

/** Stores the search key of the tenant itself, unless it was renamed since it was read: that has stored its key. */
async function rewriteTenant(db: Database, tenantId: string): Promise<void> {
  const [tenant] = await db.sql<{ name: string; slug: string }>(Prisma.sql`
    select name, slug from tenants where id = ${tenantId}`);
  if (!tenant) return;
  const { name, slug } = tenant;
  await db.change(Prisma.sql`
    update tenants set search_key = ${searchKey(name, slug)}
    where id = ${tenantId} and name = ${name} and slug = ${slug} and search_key <> ${searchKey(name, slug)}`);
}

/** Rewrites the stale search keys of what groups and users were, so that the past is searched as the present is. */
async function rewriteHistory(db: Database, tenantId: string): Promise<void> {
  for (const [table, texts] of HISTORIES) {
    for (let after = { id: '', since: 0 }; ; ) {
      const rows = await db.sql<Version>(Prisma.sql`
        select id, since::float8 as since, ${texts}, search_key as "searchKey" from ${table}
        where tenant_id = ${tenantId} and (id, since) > (${after.id}, ${after.since}::bigint)
        order by id, since limit ${CHUNK}`);
      const stale = rows
        .map((row) => ({ ...row, renewed: searchKey(row.first, row.second) }))
        .filter(({ renewed, searchKey: stored }) => renewed !== stored);
      if (stale.length > 0)
        await db.change(Prisma.sql`
          update ${table} h set search_key = k.search_key
          from unnest(${stale.map(({ id }) => id)}::text[], ${stale.map(({ since }) => since)}::bigint[],
            ${stale.map(({ renewed }) => renewed)}::text[]) k(id, since, search_key)
          where h.tenant_id = ${tenantId} and h.id = k.id and h.since = k.since`);
      if (rows.length < CHUNK) break;
      after = rows.at(-1)!;
    }
  }
}

type Version = { id: string; since: number; first: string; second: string | null; searchKey: string };
const HISTORIES = [
  [Prisma.sql`group_history`, Prisma.sql`name as first, description as second`],
  [Prisma.sql`user_history`, Prisma.sql`email as first, display_name as second`],
] as const;

/** Stores new keys. A group gets the suffixed key if a sibling stores the plain one, or is earlier in this statement. */
const updateGroups = (tenantId: string, rows: Stale[]): Sql => Prisma.sql`
  with renewed as (
    select g.id, g.parent_group_id, g.deletion_id, k.name_key, k.search_key,
      row_number() over (partition by g.parent_group_id, g.deletion_id, k.name_key order by g.id) as rank
    from groups g join unnest(${rows.map(({ id }) => id)}::text[], ${rows.map((row) => row.nameKey)}::text[],
      ${rows.map((row) => row.searchKey)}::text[]) k(id, name_key, search_key) on k.id = g.id
    where g.tenant_id = ${tenantId})
  update groups g set search_key = r.search_key, name_key = case
    when r.rank > 1 or exists (${holder(tenantId, Prisma.sql`r`, Prisma.sql`r.name_key`)})
    then ${suffixedKeySql(Prisma.sql`r.name_key`, Prisma.sql`g.id`)} else r.name_key end
  from renewed r where g.tenant_id = ${tenantId} and g.id = r.id`;

/**
 * Subquery: another group that stores `key` as a sibling of `group`. Siblings of a live group are live; siblings of a deleted
 * group were deleted with it.
 */
const holder = (tenantId: string, group: Sql, key: Sql): Sql => Prisma.sql`
  select from groups s where s.tenant_id = ${tenantId} and s.name_key = ${key} and s.id <> g.id
    and s.parent_group_id is not distinct from ${group}.parent_group_id
    and s.deletion_id is not distinct from ${group}.deletion_id`;

/** Stores new keys, except for users whose texts have changed since they were read: that change has stored their keys. */
const updateUsers = (tenantId: string, rows: Stale[]): Sql => Prisma.sql`
  update users u set search_key = k.search_key
  from unnest(${rows.map(({ id }) => id)}::text[], ${rows.map((row) => row.first)}::text[],
    ${rows.map((row) => row.second)}::text[], ${rows.map((row) => row.searchKey)}::text[])
    k(id, email, display_name, search_key)
  where u.tenant_id = ${tenantId} and u.id = k.id
    and (u.email, u.display_name) is not distinct from (k.email, k.display_name)
  returning u.id`;

/** Yields the stale rows of each chunk of a table, in the order of ids. */
async function* staleRows(sql: Query, table: 'group' | 'user', tenantId: string): AsyncGenerator<Stale[]> {
  for (let after = ''; ; ) {
    const rows = await sql<Keyed & { clashes: boolean }>(
      table === 'group'
        ? Prisma.sql`select g.id, g.name as first, g.description as second, g.name_key as "nameKey", g.search_key as "searchKey",
            ${isSuffixed(Prisma.sql`g.name_key`)} and (g.deleted_at is not null
              or exists (${holder(tenantId, Prisma.sql`g`, plainKey(Prisma.sql`g.name_key`))})) as clashes
            from groups g where g.tenant_id = ${tenantId} and g.id > ${after} order by g.id limit ${CHUNK}`
        : Prisma.sql`select id, email as first, display_name as second, null as "nameKey", search_key as "searchKey",
            false as clashes from users where tenant_id = ${tenantId} and id > ${after} order by id limit ${CHUNK}`,
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
