// Migrations: they apply on both databases, make what schema.prisma says, and are quick to find nothing to do.
import { expect, test } from 'vitest';
import { Prisma } from '../../src/database/database.ts';
import { applyMigrations, schemaDrift } from '../../src/database/migrate.ts';
import { openDatabase } from '../../src/database/open.ts';
import { openPglite } from '../../src/database/pglite.ts';
import { openPostgresql } from '../../src/database/postgresql.ts';
import { openTestDatabase } from '../support/postgresql.ts';

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

test('both databases serve arrays, JSON and timestamps alike', async () => {
  const { db, close } = await openTestDatabase();
  const embedded = await openDatabase({ dataDir: 'memory://' });
  const at = new Date('2026-01-02T03:04:05.678Z');
  const statement = Prisma.sql`select ${['a', 'b']}::text[] as list, ${JSON.stringify({ a: [1] })}::text::jsonb as json,
    ${at}::timestamptz as at, count(*)::int as n from unnest(${['x', 'y']}::text[])`;
  const expected = [{ list: ['a', 'b'], json: { a: [1] }, at, n: 2 }];
  expect(await db.sql(statement)).toEqual(expected);
  expect(await embedded.sql(statement)).toEqual(expected);
  await embedded.close();
  await close();
});
