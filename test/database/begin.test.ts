// Statements that a transaction sends without awaiting answers: none is stored if BEGIN fails, or another one does.

import pg from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { Prisma } from '../../src/database/database.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.close());

test('nothing is stored without a transaction', async () => {
  const { query } = pg.Client.prototype as unknown as { query: (...args: unknown[]) => Promise<unknown> };
  const sent: string[] = [];
  vi.spyOn(pg.Client.prototype as never as { query: typeof query }, 'query').mockImplementation(function (
    this: unknown,
    ...args: unknown[]
  ) {
    const [statement] = args as [string | { text: string }];
    const text = typeof statement === 'string' ? statement : statement.text;
    sent.push(text.trim().split(/\s+/)[0]!);
    // As if an operator cancelled just this statement: the session stays, and no transaction is open.
    return query.call(this, text.startsWith('begin') ? 'begin isolation level none' : statement);
  });
  const insert = Prisma.sql`insert into partners (id, name) values ('prt_outside', 'Partner')`;
  const changing = database.db.transaction(async (sql) => {
    await sql(Prisma.sql`select 1`);
    await sql(insert);
  });
  await expect(changing).rejects.toMatchObject({ code: '42601' });
  expect(sent).not.toContain('insert');
  vi.restoreAllMocks();
  expect(await database.db.sql(Prisma.sql`select id from partners`)).toEqual([]);
});

test('a statement whose answer nobody awaits fails the transaction with its own error', async () => {
  const insert = Prisma.sql`insert into partners (id, name) values ('prt_unawaited', 'Partner')`;
  const changing = database.db.transaction(async (sql) => {
    await sql(insert);
    sql(Prisma.sql`select 1 / 0`).catch(() => {});
    return 'done';
  });
  await expect(changing).rejects.toMatchObject({ code: '22012' });
  expect(await database.db.sql(Prisma.sql`select id from partners`)).toEqual([]);
});
