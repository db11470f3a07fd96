// Substring search: case-insensitive, literal, and served by its index on both databases.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Database, Prisma, type Sql } from '../../src/database/database.ts';
import { openDatabase } from '../../src/database/open.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { upsertUsers } from '../../src/domain/commands/upsert-users.ts';
import { openDirectory } from '../../src/domain/directory.ts';
import { countGroups, listGroups } from '../../src/domain/queries/groups.ts';
import { countUsers, listUsers } from '../../src/domain/queries/users.ts';
import type { TenantId, UserId } from '../../src/model/ids.ts';
import { createTenant, openAsAdmin, superAdmin, tenantAdmin } from '../support/directories.ts';
import { openTestDatabase } from '../support/postgresql.ts';

/** Enough rows that reading them all costs more than the index does. */
const MANY = 20_000;

describe.each([
  ['PostgreSQL', () => openTestDatabase()],
  [
    'PGlite',
    async () => {
      const db = await openDatabase({ dataDir: 'memory://' });
      return { db, close: () => db.close() };
    },
  ],
])('on %s', (_name, open) => {
  let db: Database;
  let close: () => Promise<void>;
  let tenantId: TenantId;

  beforeAll(async () => {
    ({ db, close } = await open());
    ({ tenantId } = await createTenant(db));
    await db.sql(Prisma.sql`
      insert into groups (id, tenant_id, name, name_key, search_key)
      select 'grp_' || i, ${tenantId}, 'Filler ' || i, 'filler ' || i, 'filler ' || i from generate_series(1, ${MANY}::int) i`);
    await db.sql(Prisma.sql`
      insert into users (id, tenant_id, email, search_key, since)
      select 'usr_' || i, ${tenantId}, i || '@example.org', i || '@example.org', 0 from generate_series(1, ${MANY}::int) i`);
    await db.sql(
      Prisma.sql`update users set search_key = '1@example.org' || chr(10) || 'zoë quark' where id = 'usr_1'`,
    );
    const directory = openAsAdmin(db, tenantId);
    await createGroup(directory, {
      tenantId,
      name: 'Zürich ÉQUIPE',
      description: 'Handles 100%_sure\\things',
    });
    await createGroup(directory, { tenantId, name: 'Plain' });
    await createGroup(directory, { tenantId, name: 'Alpha Qx', description: 'Yq first\nsecond' });
    await upsertUsers(openDirectory(db, superAdmin), {
      tenantId,
      users: [
        { id: 'usr_search_a' as UserId, email: 'Ann_B%C@Example.COM', displayName: "Ânn  O'Hara\\Q" },
        { id: 'usr_search_b' as UserId, email: 'annxbyc@example.com', displayName: null },
      ],
    });
    // Also empties the pending list of the indexes, which a bulk load fills.
    await db.sql(Prisma.sql`vacuum analyze groups`);
    await db.sql(Prisma.sql`vacuum analyze users`);
  });
  afterAll(() => close());

  const found = async (search: string) => {
    const page = await listGroups(openAsAdmin(db, tenantId), { filter: { search }, page: { first: 5 } });
    return page.rows.map((row) => row.name);
  };

  test.each([
    ['another case', 'zÜRICH équipe'],
    ['a part of the name', 'ich é'],
    ['a part of the description', 'handles 100'],
    ['wildcards, taken literally', '100%_sure'],
    ['a backslash', 'sure\\th'],
    ['decomposed letters', 'zu\u0308rich'],
    ['an accent less', 'equipe zurich'],
    ['an accent more', 'zürîch'],
  ])('finds %s', async (_case, search) => {
    expect(await found(search)).toEqual(['Zürich ÉQUIPE']);
  });

  test.each(['%', '_', 'richtig', "'; drop table groups; --"])('does not find %s', async (search) => {
    expect((await found(search)).filter((name) => name !== 'Zürich ÉQUIPE')).toEqual([]);
  });

  test.each([
    ['a name alone', 'alpha qx'],
    ['a description alone', 'YQ FIRST'],
    ['two words in their order', 'alpha q'],
    ['blanks around, which are no part of it', '  yq first '],
    ['the end of a name', 'Qx'],
    ['another line of a description', 'second'],
    ['the end of a name and the start of its description', 'qx yq'],
    ['words that stand apart', 'alpha first'],
    ['words in another order', 'qx alpha'],
    ['a description and then a name', 'second alpha'],
    ['a blank more', 'alpha  qx'],
  ])('finds by %s', async (_case, search) => {
    expect(await found(search)).toEqual(['Alpha Qx']);
    expect(await countGroups(openAsAdmin(db, tenantId), { filter: { search } })).toBe(1);
  });

  test.each([
    ['the end of a name and the start of its description', 'qxyq'],
    ['an underscore in place of a letter', 'alph_ qx'],
    ['a percent sign in place of letters', 'al%qx'],
    ['a word too many', 'alpha qx third'],
    ['its id', 'grp_'],
  ])('does not find by %s', async (_case, search) => {
    expect(await found(search)).toEqual([]);
    expect(await countGroups(openAsAdmin(db, tenantId), { filter: { search } })).toBe(0);
  });

  test('finds by one letter and by two', async () => {
    const directory = openAsAdmin(db, tenantId);
    expect(await found('z')).toEqual(['Zürich ÉQUIPE']);
    expect(await found('QX')).toEqual(['Alpha Qx']);
    expect(await countGroups(directory, { filter: { search: 'éq' } })).toBe(1);
    expect(await countUsers(directory, { tenantId, search: 'Y' })).toBe(1);
  });

  test.each([
    ['an email', 'ann_b%c@example.com', ['usr_search_a']],
    ['an email in part, in another case', 'NN_B', ['usr_search_a']],
    ['a display name', "ânn  o'hara", ['usr_search_a']],
    ['a backslash', 'hara\\q', ['usr_search_a']],
    ['what two have', '@EXAMPLE.COM', ['usr_search_a', 'usr_search_b']],
    ['an email and a display name at once', 'example.comânn', []],
    ['the same with a blank between', 'example.com ânn', ['usr_search_a', 'usr_search_b']],
    ['a display name without its accents and blanks, the other way round', "o'hara ann", ['usr_search_a']],
    ['an id', 'usr_search', []],
  ])('finds users by %s', async (_case, search, ids) => {
    const directory = openAsAdmin(db, tenantId);
    const page = await listUsers(directory, { tenantId, search, page: {} });
    expect(page!.rows.map((row) => row.id)).toEqual(ids);
    expect(await countUsers(directory, { tenantId, search })).toBe(ids.length);
  });

  test.each(['', '  ', null, undefined])('%j is no condition', async (search) => {
    const directory = openAsAdmin(db, tenantId);
    expect(await countGroups(directory, { filter: { search } })).toBe(MANY + 3);
    expect(await countUsers(directory, { tenantId, search })).toBe(MANY + 2);
  });

  test('a text may have 255 characters; longer ones and such that cannot be stored are refused', async () => {
    const directory = openAsAdmin(db, tenantId);
    expect(await countUsers(directory, { tenantId, search: 'x'.repeat(255) })).toBe(0);
    for (const search of ['x'.repeat(256), 'a\0', '\ud800']) {
      const refused = { code: 'VALIDATION_FAILED' };
      await expect(countUsers(directory, { tenantId, search })).rejects.toMatchObject(refused);
      await expect(listUsers(directory, { tenantId, search, page: {} })).rejects.toMatchObject(refused);
      await expect(countGroups(directory, { filter: { search } })).rejects.toMatchObject(refused);
    }
  });

  test('is served by an index that holds the tenant too', async () => {
    const sent: Sql[] = [];
    const listening: Database = {
      ...db,
      sql: (statement) => {
        sent.push(statement);
        return db.sql(statement);
      },
    };
    const directory = openDirectory(listening, tenantAdmin(tenantId));
    expect(await countGroups(directory, { filter: { search: 'équipe' } })).toBe(1);
    await listGroups(directory, { filter: { search: 'équipe' }, page: {} });
    expect(await countUsers(directory, { tenantId, search: 'quark' })).toBe(1);
    await listUsers(directory, { tenantId, search: 'quark', page: {} });
    expect(sent).toHaveLength(4);
    for (const statement of sent) {
      const rows = await db.sql<{ 'QUERY PLAN': string }>(Prisma.sql`explain ${statement}`);
      const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
      expect(plan).toMatch(/(groups|users)(_\d_tenant_id)?_search(_key)?_idx/);
      expect(plan).toMatch(/Index Cond: .*tenant_id = .* AND \(search_key ~~ /);
    }
  });
});
