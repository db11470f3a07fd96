// Migrations: they apply on both databases, make what schema.prisma says, and are quick to find nothing to do.
import { readdir } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Database, Prisma, type Sql } from '../../src/database/database.ts';
import { applyMigrations, MIGRATIONS_DIR, schemaDrift } from '../../src/database/migrate.ts';
import { openDatabase } from '../../src/database/open.ts';
import { openPglite } from '../../src/database/pglite.ts';
import { openPostgresql } from '../../src/database/postgresql.ts';
import { createDatabase, openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { TEMPLATE } from '../support/template.ts';

test('migrations and schema.prisma agree: run `npm run migrate -- create NAME` after a change of the schema', {
  timeout: 120_000,
}, async () => {
  const shadow = await openPglite('memory://');
  expect(await schemaDrift(shadow)).toBe('');
  await shadow.close();
});

test('a migrated server has nothing left to apply', async () => {
  const { url, close } = await openTestDatabase();
  const database = openPostgresql({ url });
  expect(await applyMigrations(database)).toEqual([]);
  await database.close();
  await close();
});

test('an empty database is given every migration, in order and once', async () => {
  const names = (await readdir(MIGRATIONS_DIR, { withFileTypes: true }))
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .toSorted();
  const { url, drop } = await createDatabase();
  const database = openPostgresql({ url });
  expect(await applyMigrations(database)).toEqual(names);
  expect(await applyMigrations(database)).toEqual([]);
  const applied = await database.sql<{ name: string }>(
    Prisma.sql`select migration_name as name from _prisma_migrations order by started_at, name`,
  );
  expect(applied.map(({ name }) => name)).toEqual(names);
  await database.close();
  await drop();
});

test('a migration that fails is reported, and the start given up', async () => {
  const { url, drop } = await createDatabase({ template: TEMPLATE });
  const database = openPostgresql({ url });
  const [last] = await database.sql<{ name: string }>(
    Prisma.sql`select max(migration_name) as name from _prisma_migrations`,
  );
  const { name } = last!;
  // Its script meets what it made before, and fails.
  await database.sql(Prisma.sql`delete from _prisma_migrations where migration_name = ${name}`);
  await expect(applyMigrations(database)).rejects.toThrow(name);
  const [failed] = await database.sql(Prisma.sql`
    select migration_name as name, finished_at as finished from _prisma_migrations where migration_name = ${name}`);
  expect(failed).toEqual({ name, finished: null });
  await expect(openDatabase({ url, dataDir: '' })).rejects.toThrow(name);
  // What was opened for that start is closed: what is left is this test's own.
  const others = () =>
    database.sql(Prisma.sql`
      select application_name from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'`);
  await expect.poll(others).toEqual([]);
  await database.close();
  await drop();
});

describe('both databases', () => {
  let server: TestDatabase;
  let embedded: Database;
  beforeAll(async () => {
    server = await openTestDatabase();
    embedded = await openDatabase({ dataDir: 'memory://' });
  });
  afterAll(async () => {
    await embedded.close();
    await server.close();
  });
  const both = () => [server.db, embedded];

  test('say what they are', () => {
    expect(both().map(({ kind }) => kind)).toEqual(['postgresql', 'pglite']);
  });

  test('serve arrays, JSON and timestamps alike', async () => {
    const at = new Date('2026-01-02T03:04:05.678Z');
    const statement = Prisma.sql`select ${['a', 'b']}::text[] as list, ${JSON.stringify({ a: [1] })}::text::jsonb as json,
    ${at}::timestamptz as at, count(*)::int as n from unnest(${['x', 'y']}::text[])`;
    const expected = [{ list: ['a', 'b'], json: { a: [1] }, at, n: 2 }];
    for (const { sql, change, transaction } of both()) {
      expect(await sql(statement)).toEqual(expected);
      expect(await change(statement)).toEqual(expected);
      expect(await transaction((inside) => inside(statement))).toEqual(expected);
    }
  });

  test('refuse with the same codes, and roll back what stands beside it', async () => {
    const partner = (id: string) => Prisma.sql`insert into partners (id, name) values (${id}, 'Partner')`;
    const tenant = (id: string, partnerId: string) =>
      Prisma.sql`insert into tenants (id, partner_id, name, slug) values (${id}, ${partnerId}, 'Tenant', ${id})`;
    const refused: [Sql, string][] = [
      [partner('prt_alike'), '23505'],
      [tenant('tnt_alike', 'prt_none'), '23503'],
      [Prisma.sql`insert into partners (id, name) values ('prt_null', null)`, '23502'],
      [Prisma.sql`select ${'x'}::text::int`, '22P02'],
      [Prisma.sql`select 1 / 0`, '22012'],
      [Prisma.sql`select nothing`, '42703'],
    ];
    for (const db of both()) {
      await db.sql(partner('prt_alike'));
      for (const [statement, code] of refused) {
        const failing = db.transaction(async (sql) => {
          await sql(partner('prt_beside'));
          await sql(statement);
        });
        await expect(failing, code).rejects.toMatchObject({ code });
        await expect(db.sql(statement), code).rejects.toMatchObject({ code });
        await expect(db.change(statement), code).rejects.toMatchObject({ code });
      }
      const thrown = db.transaction(async (sql) => {
        await sql(partner('prt_beside'));
        throw new Error('of the work itself');
      });
      await expect(thrown).rejects.toThrow('of the work itself');
      expect(await db.sql(Prisma.sql`select id from partners where id <> 'prt_alike'`)).toEqual([]);
      expect(await db.transaction(async (sql) => [await sql(partner('prt_done')), 'result'])).toEqual([
        [],
        'result',
      ]);
      expect(await db.sql(Prisma.sql`select id from partners order by id`)).toEqual([
        { id: 'prt_alike' },
        { id: 'prt_done' },
      ]);
    }
  });

  test.each([
    ['40001', 5],
    ['40P01', 5],
    ['23505', 1],
    ['57014', 1],
  ])('run what ends in %s %i times at most, as a transaction and as a statement', async (code, most) => {
    for (const db of both()) {
      // A sequence counts what is rolled back too.
      const name = `runs_${code.toLowerCase()}`;
      await db.sql(Prisma.sql`create sequence ${Prisma.raw(name)}`);
      await db.sql(
        Prisma.raw(`create function ${name}(fails int) returns int language plpgsql as $$
      declare run int := nextval('${name}');
      begin if run <= fails then raise sqlstate '${code}'; end if; return run; end $$`),
      );
      const run = (fails: number) => Prisma.raw(`select ${name}(${fails}) as run`);
      const again = () => db.sql(Prisma.raw(`alter sequence ${name} restart`));
      const runs = async () =>
        (await db.sql<{ n: number }>(Prisma.raw(`select last_value::int as n from ${name}`)))[0]!.n;
      for (const attempt of [db.change, (statement: Sql) => db.transaction((sql) => sql(statement))]) {
        await again();
        expect(await attempt(run(most - 1))).toEqual([{ run: most }]);
        await again();
        await expect(attempt(run(9))).rejects.toMatchObject({ code });
        expect(await runs()).toBe(most);
      }
      // What is only read, or begins nothing, is not run again.
      await again();
      await expect(db.sql(run(1))).rejects.toMatchObject({ code });
      expect(await runs()).toBe(1);
    }
  });

  test('tell of each statement until nobody listens', async () => {
    for (const db of both()) {
      const heard: string[] = [];
      const stop = db.onStatement((text) => heard.push(text));
      await db.sql(Prisma.sql`select ${1}::int as one`);
      await db.change(Prisma.sql`select ${2}::int as two`);
      await db.transaction((sql) => sql(Prisma.sql`select ${3}::int as three`));
      expect(heard).toEqual(['select $1::int as one', 'select $1::int as two', 'select $1::int as three']);
      stop();
      await db.sql(Prisma.sql`select 4`);
      expect(heard).toHaveLength(3);
    }
  });

  test('are searched by trigrams, and are of one time zone', async () => {
    for (const db of both()) {
      const extensions = await db.sql(Prisma.sql`
      select extname as name from pg_extension where extname in ('pg_trgm', 'btree_gin') order by extname`);
      expect(extensions).toEqual([{ name: 'btree_gin' }, { name: 'pg_trgm' }]);
      const [shown] = await db.sql<{ zone: string }>(Prisma.sql`
      select to_char(timestamptz '2026-01-02 03:04:05Z', 'HH24:MI') as zone`);
      expect(shown).toEqual({ zone: '03:04' });
    }
  });
});
