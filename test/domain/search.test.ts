// Substring search: case-insensitive, literal, and served by its index on both databases.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Database, Prisma, type Sql } from '../../src/database/database.ts';
import { openDatabase } from '../../src/database/open.ts';
import { openDirectory } from '../../src/domain/directory.ts';
import { createGroup } from '../../src/domain/group-changes.ts';
import { countGroups, listGroups } from '../../src/domain/groups.ts';
import { countUsers, listUsers } from '../../src/domain/users.ts';
import type { TenantId } from '../../src/model/ids.ts';
import { createTenant, openAsAdmin, tenantAdmin } from '../support/directories.ts';
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
      insert into users (id, tenant_id, email, search_key)
      select 'usr_' || i, ${tenantId}, i || '@example.org', i || '@example.org' from generate_series(1, ${MANY}::int) i`);
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
  ])('finds %s', async (_case, search) => {
    expect(await found(search)).toEqual(['Zürich ÉQUIPE']);
  });

  test.each(['%', '_', 'richtig', "'; drop table groups; --"])('does not find %s', async (search) => {
    expect((await found(search)).filter((name) => name !== 'Zürich ÉQUIPE')).toEqual([]);
  });

  test('a blank text is no condition', async () => {
    const directory = openAsAdmin(db, tenantId);
    expect(await countGroups(directory, { filter: { search: '  ' } })).toBe(MANY + 2);
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
      expect(plan).toMatch(/(groups|users)_search_idx/);
      expect(plan).toMatch(/Index Cond: .*tenant_id = .* AND \(search_key ~~ /);
    }
  });
});
