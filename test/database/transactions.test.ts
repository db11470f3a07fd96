// Transactions that are ended from outside, and what is known of one whose COMMIT failed.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Database, Prisma, type Query } from '../../src/database/database.ts';
import { isUndecided, UnknownOutcome } from '../../src/database/errors.ts';
import { openPglite } from '../../src/database/pglite.ts';
import { openPostgresql } from '../../src/database/postgresql.ts';
import { COMMIT, startCuttingProxy } from '../support/cutting-proxy.ts';
import { oneWaits, openTestDatabase, type TestDatabase, untilOneWaits } from '../support/postgresql.ts';
import { PATIENT } from '../support/timeouts.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await openTestDatabase();
  await database.db.sql(Prisma.sql`create table notes (text text)`);
  await database.db.sql(Prisma.sql`create table late_lock (id int)`);
});
afterAll(() => database.close());

const REASON = new Error('The time is up');
const insert = (text: string) => Prisma.sql`insert into notes values (${text})`;
const isStored = async (text: string, db: Pick<Database, 'sql'> = database.db) =>
  (await db.sql(Prisma.sql`select 1 from notes where text = ${text}`)).length > 0;
const backend = async (sql: Query) =>
  (await sql<{ pid: number }>(Prisma.sql`select pg_backend_pid() as pid`))[0]!.pid;

describe('a transaction whose signal aborts', () => {
  test('before it begins asks the database for nothing', async () => {
    // Port 9 (discard) of this machine: nothing listens there.
    const db = openPostgresql({ url: 'postgresql://postgres@127.0.0.1:9/none' });
    const begun = db.transaction((sql) => sql(insert('never')), { signal: AbortSignal.abort(REASON) });
    await expect(begun).rejects.toBe(REASON);
    await db.close();
  });

  test('while it waits for a free connection begins nothing, and the connection serves others', async () => {
    const db = openPostgresql({ url: database.url, poolSize: 1, timeouts: PATIENT });
    const controller = new AbortController();
    let runs = 0;
    let waiting: Promise<unknown> | undefined;
    const pid = await db.transaction(async (sql) => {
      waiting = db
        .transaction(async () => (runs += 1), { signal: controller.signal })
        .catch((error) => error);
      controller.abort(REASON);
      return backend(sql);
    });
    expect(await waiting).toBe(REASON);
    expect(runs).toBe(0);
    expect(await backend(db.sql)).toBe(pid);
    await db.close();
  });

  test('between two statements is rolled back before the next is sent, and its connection is closed', async () => {
    const db = openPostgresql({ url: database.url, poolSize: 1, timeouts: PATIENT });
    const controller = new AbortController();
    const sent: unknown[] = [];
    let pid = 0;
    const aborted = db.transaction(
      async (sql) => {
        pid = await backend(sql);
        await sql(insert('between'));
        controller.abort(REASON);
        db.onStatement((text) => sent.push(text));
        await sql(insert('after'));
      },
      { signal: controller.signal },
    );
    await expect(aborted).rejects.toBe(REASON);
    expect(sent).toEqual([]);
    expect([await isStored('between'), await isStored('after')]).toEqual([false, false]);
    // A cancel request that comes late must not hit another transaction.
    expect(await backend(db.sql)).not.toBe(pid);
    await db.close();
  });

  test('after its last statement is not committed', async () => {
    const controller = new AbortController();
    const aborted = database.db.transaction(
      async (sql) => {
        await sql(insert('last'));
        controller.abort(REASON);
      },
      { signal: controller.signal },
    );
    await expect(aborted).rejects.toBe(REASON);
    expect(await isStored('last')).toBe(false);
  });

  test('during a statement ends that statement in the database at once', async () => {
    const controller = new AbortController();
    const started = performance.now();
    const aborted = database.db.transaction(
      async (sql) => {
        await sql(insert('during'));
        setTimeout(() => controller.abort(REASON), 50);
        await sql(Prisma.sql`select pg_sleep(30)`);
      },
      { signal: controller.signal },
    );
    await expect(aborted).rejects.toBe(REASON);
    expect(performance.now() - started).toBeLessThan(15_000);
    const sleeping = Prisma.sql`select 1 from pg_stat_activity where query like '%pg_sleep(30)%' and pid <> pg_backend_pid()
      and datname = current_database() and state = 'active'`;
    expect(await database.db.sql(sleeping)).toEqual([]);
    expect(await isStored('during')).toBe(false);
  });

  test('is not tried again', async () => {
    const controller = new AbortController();
    let runs = 0;
    const aborted = database.db.transaction(
      async () => {
        runs += 1;
        controller.abort(REASON);
        throw Object.assign(new Error('conflict'), { code: '40001' });
      },
      { signal: controller.signal },
    );
    await expect(aborted).rejects.toBe(REASON);
    expect(runs).toBe(1);
  });

  test('once COMMIT is sent is stored', async () => {
    const controller = new AbortController();
    await database.db.sql(Prisma.sql`
      create function dawdle() returns trigger language plpgsql as $$ begin perform pg_sleep(0.5); return null; end $$`);
    await database.db.sql(Prisma.sql`
      create constraint trigger dawdle after insert on notes deferrable initially deferred
      for each row when (new.text = 'committing') execute function dawdle()`);
    const committed = database.db.transaction(
      async (sql) => {
        await sql(insert('committing'));
        setTimeout(() => controller.abort(REASON), 100);
        return 'committed';
      },
      { signal: controller.signal },
    );
    expect(await committed).toBe('committed');
    expect(await isStored('committing')).toBe(true);
  });

  test('is rolled back in the embedded database too', async () => {
    const db = await openPglite('memory://');
    await db.sql(Prisma.sql`create table notes (text text)`);
    const sent: string[] = [];
    for (const last of [false, true]) {
      const stop = db.onStatement((text) => sent.push(text));
      const controller = new AbortController();
      const aborted = db.transaction(
        async (sql) => {
          await sql(insert('embedded'));
          controller.abort(REASON);
          if (!last) await sql(insert('more'));
        },
        { signal: controller.signal },
      );
      await expect(aborted).rejects.toBe(REASON);
      stop();
    }
    expect(sent).toHaveLength(2);
    expect([await isStored('embedded', db), await isStored('more', db)]).toEqual([false, false]);
    await db.transaction((sql) => sql(insert('next')), { signal: new AbortController().signal });
    expect(await isStored('next', db)).toBe(true);
    await db.close();
  });
});

test('a statement whose answer does not come in time is ended in the database too', async () => {
  const db = openPostgresql({ url: database.url, timeouts: { ...PATIENT, query: 300 } });
  await database.db.transaction(async (sql) => {
    await sql(Prisma.sql`lock table notes`);
    await expect(db.transaction((other) => other(insert('unanswered')))).rejects.toThrow('read timeout');
    expect(await oneWaits(database.db)).toBe(false);
  });
  expect(await isStored('unanswered')).toBe(false);
  await db.close();
});

test('a COMMIT that the database refuses is a failure like any other, and the connection is used again', async () => {
  const db = openPostgresql({ url: database.url, poolSize: 1, timeouts: PATIENT });
  await db.sql(Prisma.sql`create table late (id int unique deferrable initially deferred)`);
  let pid = 0;
  const refused = db.transaction(async (sql) => {
    pid = await backend(sql);
    await sql(Prisma.sql`insert into late values (1), (1)`);
  });
  await expect(refused).rejects.toMatchObject({ code: '23505' });
  expect(await backend(db.sql)).toBe(pid);
  await db.close();
});

test('a connection that the server ends before COMMIT is sent leaves no doubt', async () => {
  const lost = database.db.transaction(async (sql) => {
    await sql(insert('ended'));
    const pid = await backend(sql);
    await database.db.sql(Prisma.sql`select pg_terminate_backend(${pid}::int, 30000)`);
    // Long enough for this process to learn of it.
    await sleep(100);
  });
  const error = await lost.catch((reason: unknown) => reason);
  expect(error).not.toBeInstanceOf(UnknownOutcome);
  expect(error).toMatchObject({ code: '57P01' });
  expect(await isStored('ended')).toBe(false);
});

describe('behind a connection that is cut', () => {
  test.each([
    ['a transaction at COMMIT', COMMIT, true],
    ['a transaction at its first statement', 'begin isolation level', false],
  ] as const)('%s: the outcome is unknown only if COMMIT was sent', async (_case, at, isUnknown) => {
    const proxy = await startCuttingProxy(database.url);
    const db = openPostgresql({ url: proxy.url, timeouts: PATIENT });
    proxy.cut = { at, when: 'after' };
    const lost = await db.transaction((sql) => sql(insert('cut'))).catch((error: unknown) => error);
    expect(lost instanceof UnknownOutcome).toBe(isUnknown);
    await db.close();
    await proxy.stop();
  });

  test('a statement that is its own transaction has an unknown outcome, once it was sent', async () => {
    const proxy = await startCuttingProxy(database.url);
    const db = openPostgresql({ url: proxy.url, timeouts: PATIENT });
    proxy.cut = { at: 'insert into notes', when: 'after' };
    await expect(db.change(insert('alone'))).rejects.toBeInstanceOf(UnknownOutcome);
    await proxy.stop();
    await expect(db.change(insert('alone'))).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await db.close();
  });
});

const coded = (code: string) => Object.assign(new Error('fault'), { code });
test.each([
  ...['40001', '40P01', '23503', '57014', '57P01', '25P02', '55P03'].map((code) => [
    code,
    coded(code),
    false,
  ]),
  ...['08006', '08P01', '53100', '58030', 'XX000'].map((code) => [code, coded(code), true]),
  ...['ECONNRESET', 'EPIPE', 'ETIMEDOUT'].map((code) => [code, coded(code), true]),
  ...['Query read timeout', 'Connection terminated unexpectedly'].map((text) => [
    text,
    new Error(text),
    true,
  ]),
  ...[
    'Client has encountered a connection error and is not queryable',
    'Client was closed and is not queryable',
  ].map((text) => [text, new Error(text), false]),
] as [string, Error, boolean][])('a COMMIT that ends in %s', (_case, error, undecided) => {
  expect(isUndecided(error)).toBe(undecided);
});

test('a lock that a cancelled transaction held is free before its caller is answered', async () => {
  const controller = new AbortController();
  await database.db.transaction(async (holder) => {
    await holder(Prisma.sql`lock table late_lock in access exclusive mode`);
    const cancelled = database.db.transaction(
      async (sql) => {
        await sql(Prisma.sql`lock table notes in access exclusive mode`);
        await sql(Prisma.sql`lock table late_lock in access exclusive mode`);
      },
      { signal: controller.signal },
    );
    await untilOneWaits(database);
    controller.abort(REASON);
    await expect(cancelled).rejects.toBe(REASON);
    await holder(Prisma.sql`lock table notes in access exclusive mode nowait`);
  });
});
