// A server's database: many that start at once, another time zone, lost connections, conflicts that are tried again.
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, test, vi } from 'vitest';
import { Client } from '../../src/database/client.ts';
import { type Database, Prisma } from '../../src/database/database.ts';
import { databaseError } from '../../src/database/errors.ts';
import { openDatabase } from '../../src/database/open.ts';
import { DEFAULT_TIMEOUTS, openPostgresql } from '../../src/database/postgresql.ts';
import { assertReady } from '../../src/database/ready.ts';
import { openDirectory, Reader } from '../../src/domain/directory.ts';
import type { UserId } from '../../src/model/ids.ts';
import { startCuttingProxy } from '../support/cutting-proxy.ts';
import { createTenant, superAdmin } from '../support/directories.ts';
import { createDatabase, openTestDatabase } from '../support/postgresql.ts';
import { TEMPLATE } from '../support/template.ts';

test('servers that start at once on an empty database wait for each other, and leave no lock behind', async () => {
  // A lock timeout of the requests' size must not end the wait.
  const { url, drop } = await createDatabase();
  const opened = await Promise.allSettled([1, 2, 3].map(() => openDatabase({ url, dataDir: '' })));
  const databases = opened.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  expect(opened.map((each) => (each.status === 'rejected' ? String(each.reason) : 'open'))).toEqual([
    'open',
    'open',
    'open',
  ]);
  const applied = await databases[0]!.sql(Prisma.sql`select migration_name from _prisma_migrations`);
  const names = applied.map((row) => (row as { migration_name: string }).migration_name);
  expect(new Set(names).size).toBe(names.length);
  // Other tests' databases on the server may be migrating; and a lock goes a moment after its connection was closed.
  const locks = () =>
    databases[0]!.sql(Prisma.sql`
      select 1 from pg_locks l join pg_database d on d.oid = l.database
      where l.locktype = 'advisory' and d.datname = current_database()`);
  await expect.poll(locks).toEqual([]);
  await Promise.all(databases.map((each) => each.close()));
  await drop();
});

/** Settings that a database may prefer, each of which would change what is stored or read. */
const ODD = [
  "datestyle = 'SQL, DMY'",
  "timezone = 'Asia/Tokyo'",
  'standard_conforming_strings = off',
  "client_encoding = 'LATIN1'",
];

describe('a session', () => {
  test('is as the code needs it, whatever database and URL prefer', async () => {
    const { url, drop } = await createDatabase({ template: TEMPLATE, settings: ODD });
    for (const own of ['', '?options=-c+DateStyle=German+-c%20TimeZone=Asia/Tokyo&application_name=a']) {
      const db = openPostgresql({ url: `${url}${own}` });
      const id = `prt_odd${own.length}`;
      await db.sql(Prisma.sql`insert into partners (id, name) values (${id}, 'Łódź')`);
      const [row] = await db.sql<{ name: string; createdAt: Date; nulls: (string | null)[] }>(Prisma.sql`
        select name, created_at as "createdAt", ${[null, 'null']}::text[] as nulls from partners where id = ${id}`);
      expect(row).toMatchObject({ name: 'Łódź', nulls: [null, 'null'] });
      expect(Math.abs(row!.createdAt.getTime() - Date.now())).toBeLessThan(60_000);
      const others = await db.sql(Prisma.sql`
        select current_setting('standard_conforming_strings') as strings, current_setting('application_name') as name`);
      expect(others).toEqual([{ strings: 'on', name: own ? 'a' : '' }]);
      await db.close();
    }
    await drop();
  });

  test.each<[string, { encoding?: string; settings?: string[] }, string]>([
    ['another encoding', { encoding: 'LATIN1' }, 'server_encoding is LATIN1, and must be UTF8'],
    [
      'foreign keys that are not kept',
      { settings: ['session_replication_role = replica'] },
      'session_replication_role is replica, and must be origin',
    ],
    [
      'lists and searches that lose something',
      { settings: ['array_nulls = off', 'transform_null_equals = on', 'gin_fuzzy_search_limit = 7'] },
      'array_nulls is off, and must be on; transform_null_equals is on, and must be off; gin_fuzzy_search_limit is 7, and must be 0',
    ],
  ])('of a database with %s ends the start, before anything is changed', async (_case, made, fault) => {
    const { url, drop } = await createDatabase(made);
    await expect(openDatabase({ url, dataDir: '' })).rejects.toThrow(
      `The database has wrong settings: ${fault}`,
    );
    const client = new Client(url);
    await client.connect();
    expect((await client.query("select 1 from pg_tables where schemaname = 'public'")).rows).toEqual([]);
    await client.end();
    await drop();
  });

  test('that opens later and does not fit is a fault that passes', async () => {
    const { db, url, set, close } = await openTestDatabase({ poolSize: 1 });
    await set('session_replication_role = replica');
    const later = openPostgresql({ url });
    await expect(new Reader(later, { kind: 'all' }).sql(Prisma.sql`select 1`)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      cause: { code: '08001' },
    });
    expect(await db.sql(Prisma.sql`select 1 as one`)).toEqual([{ one: 1 }]);
    await later.close();
    await close();
  });
});

test('a database that only reads is unavailable for changes and not ready, and is asked anew when it writes again', async () => {
  const { db, url, set, close } = await openTestDatabase();
  await assertReady(db);
  await set('default_transaction_read_only = on');
  const reading = openPostgresql({ url, poolSize: 1 });
  const directory = openDirectory(reading, superAdmin);
  const { tenantId } = await createTenant(db);
  const write = Prisma.sql`insert into partners (id, name) values ('prt_written', 'Written')`;
  const refused = { code: 'UNAVAILABLE', cause: { code: '25006' } };
  await expect(directory.transact(tenantId, ({ query }) => query(write))).rejects.toMatchObject(refused);
  await expect(assertReady(reading)).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: 'The database is read-only',
  });
  await expect(directory.transact(tenantId, ({ query }) => query(write))).rejects.toMatchObject(refused);
  await set('default_transaction_read_only = off');
  // The failed change dropped its connection; the next one opens another.
  const written = await directory.transact(tenantId, async ({ query }) => ({ rows: await query(write) }));
  // Nothing was recorded, so the log has no new position.
  expect(written).toEqual({ rows: [], position: 0 });
  await assertReady(reading);
  await reading.close();
  await close();
});

describe('transactions', () => {
  const backend = async (sql: Database['sql']) =>
    (await sql<{ pid: number }>(Prisma.sql`select pg_backend_pid() as pid`))[0]!.pid;

  test('a connection that is lost between two statements ends the transaction, and nothing else', async () => {
    const { db, close } = await openTestDatabase({ poolSize: 2 });
    const lost = db.transaction(async (sql) => {
      const pid = await backend(sql);
      await db.sql(Prisma.sql`select pg_terminate_backend(${pid}::int, 30000)`);
      await sql(Prisma.sql`select 1`);
    });
    expect(databaseError(await lost.catch((error) => error))).toMatchObject({ code: 'UNAVAILABLE' });
    // The pool of two still has two that work.
    expect(await Promise.all([backend(db.sql), backend(db.sql)])).toHaveLength(2);
    await close();
  });

  test('a refused statement rolls all back, and the connection is used again', async () => {
    const { db, close } = await openTestDatabase({ poolSize: 1 });
    const pid = await backend(db.sql);
    const refused = db.transaction(async (sql) => {
      await sql(Prisma.sql`insert into partners (id, name) values ('prt_gone', 'Gone')`);
      await sql(
        Prisma.sql`insert into tenants (id, partner_id, name, slug) values ('tnt_gone', 'prt_none', '', '')`,
      );
    });
    await expect(refused).rejects.toMatchObject({ code: '23503' });
    expect(await db.sql(Prisma.sql`select 1 from partners where id = 'prt_gone'`)).toEqual([]);
    expect(await backend(db.sql)).toBe(pid);
    await close();
  });

  test('a failed statement that was caught is not mistaken for a commit', async () => {
    const { db, close } = await openTestDatabase();
    const silent = db.transaction(async (sql) => {
      await sql(Prisma.sql`insert into partners (id, name) values ('prt_half', 'Half')`);
      await sql(Prisma.sql`select 1 / 0`).catch(() => {});
    });
    await expect(silent).rejects.toThrow('division by zero');
    expect(await db.sql(Prisma.sql`select 1 from partners where id = 'prt_half'`)).toEqual([]);
    await close();
  });

  test('a deadlock is tried again, and both sides end well', async () => {
    const { db, close } = await openTestDatabase({ poolSize: 4 });
    const { userIds } = await createTenant(db, 2);
    const [first, second] = [userIds[0]!, userIds[1]!];
    let runs = 0;
    const holds = new Map([first, second].map((id) => [id, Promise.withResolvers<void>()]));
    const rename = (mine: UserId, theirs: UserId) =>
      db.transaction(async (sql) => {
        runs += 1;
        await sql(Prisma.sql`update users set display_name = 'Renamed' where id = ${mine}`);
        holds.get(mine)!.resolve();
        // Each holds its own row before it asks for the other's.
        await holds.get(theirs)!.promise;
        await sql(Prisma.sql`update users set display_name = 'Renamed' where id = ${theirs}`);
      });
    await Promise.all([rename(first, second), rename(second, first)]);
    // Once more, unless the two met again.
    expect(runs).toBeGreaterThanOrEqual(3);
    await close();
  });
});

describe('a connection', () => {
  const show = async (db: Database, name: string) =>
    (await db.sql<{ value: string }>(Prisma.sql`select current_setting(${name}) as value`))[0]!.value;

  test('has the timeouts that it is given, or five seconds, two for locks, and UTC', async () => {
    expect(DEFAULT_TIMEOUTS).toEqual({ connect: 2_000, statement: 5_000, lock: 2_000, query: 6_000 });
    const { url, close } = await openTestDatabase();
    const names = ['statement_timeout', 'lock_timeout', 'TimeZone'];
    for (const [timeouts, shown] of [
      [undefined, ['5s', '2s', 'UTC']],
      [{ statement: 1_234, lock: 321 }, ['1234ms', '321ms', 'UTC']],
    ] as const) {
      const db = await openDatabase({ url, dataDir: '', timeouts });
      expect(await Promise.all(names.map((name) => show(db, name)))).toEqual(shown);
      await db.close();
    }
    await close();
  });

  test('ends a statement, a wait for a lock, for an answer and for a free connection in its time', async () => {
    const { url, close } = await openTestDatabase();
    const sleeps = Prisma.sql`select pg_sleep(20)`;
    const opened: Database[] = [];
    const withTimeouts = (timeouts: object, poolSize = 1) => {
      const db = openPostgresql({ url, poolSize, timeouts });
      opened.push(db);
      return db;
    };
    await expect(withTimeouts({ statement: 50 }).sql(sleeps)).rejects.toMatchObject({ code: '57014' });
    await expect(withTimeouts({ query: 50 }).sql(sleeps)).rejects.toThrow('Query read timeout');
    const lock = Prisma.sql`lock table partners in access exclusive mode`;
    const locking = withTimeouts({ lock: 50 }, 2);
    const waits = locking.transaction(async (sql) => {
      await sql(lock);
      await locking.transaction((other) => other(lock));
    });
    await expect(waits).rejects.toMatchObject({ code: '55P03' });
    const connecting = withTimeouts({ connect: 700 });
    const inside = connecting.transaction(async () => connecting.sql(Prisma.sql`select 1`));
    await expect(inside).rejects.toThrow('timeout exceeded when trying to connect');
    // Each is free again.
    for (const db of [locking, connecting]) {
      expect(await db.sql(Prisma.sql`select 1 as one`)).toEqual([{ one: 1 }]);
    }
    // Through the directory all are one refusal.
    const directory = new Reader(withTimeouts({ statement: 50 }), { kind: 'all' });
    await expect(directory.sql(sleeps)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      cause: { code: '57014' },
    });
    await Promise.all(opened.map((db) => db.close()));
    await close();
  });

  test('is one of ten, or of as many as are meant', async () => {
    const { url, close } = await openTestDatabase();
    for (const [poolSize, most] of [
      [undefined, 10],
      [3, 3],
    ]) {
      const db = openPostgresql({ url, poolSize });
      const pids = await Promise.all(
        Array.from({ length: 12 }, () =>
          db.sql<{ pid: number }>(Prisma.sql`select pg_backend_pid() as pid, pg_sleep(0.2)::text as slept`),
        ),
      );
      expect(new Set(pids.map(([row]) => row!.pid)).size).toBe(most);
      await db.close();
    }
    await close();
  });

  test('keeps statements prepared under the name of their text, also inside transactions', async () => {
    const { db, close } = await openTestDatabase({ poolSize: 1 });
    const statement = (n: number) => Prisma.sql`select ${n}::int as prepared`;
    await db.sql(statement(1));
    await db.change(statement(2));
    await db.transaction((sql) => sql(statement(3)));
    const prepared = await db.sql(Prisma.sql`
      select name, (generic_plans + custom_plans)::int as runs from pg_prepared_statements
      where statement = 'select $1::int as prepared'`);
    expect(prepared).toEqual([{ name: expect.stringMatching(/^c_.{16}$/), runs: 3 }]);
    await close();
  });

  test('keeps none prepared, if statements have no names', async () => {
    const { url, close } = await openTestDatabase();
    const db = openPostgresql({ url, poolSize: 1, namedStatements: false });
    const statement = (n: number) => Prisma.sql`select ${n}::int as unnamed`;
    for (const n of [1, 2]) expect(await db.sql(statement(n))).toEqual([{ unnamed: n }]);
    expect(await db.transaction((sql) => sql(statement(3)))).toEqual([{ unnamed: 3 }]);
    expect(await db.sql(Prisma.sql`select name from pg_prepared_statements`)).toEqual([]);
    await db.close();
    await close();
  });

  test('of a transaction reads what is committed, whatever the server would rather have', async () => {
    const { url, drop } = await createDatabase({
      settings: ["default_transaction_isolation = 'serializable'"],
    });
    const db = openPostgresql({ url });
    const level = Prisma.sql`select current_setting('transaction_isolation') as level`;
    expect(await db.sql(level)).toEqual([{ level: 'serializable' }]);
    expect(await db.transaction((sql) => sql(level))).toEqual([{ level: 'read committed' }]);
    await db.close();
    await drop();
  });

  test('is closed with the database, more than once without harm', async () => {
    const { url, close } = await openTestDatabase();
    const db = openPostgresql({ url });
    await db.sql(Prisma.sql`select 1`);
    await db.close();
    await db.close();
    await expect(db.sql(Prisma.sql`select 1`)).rejects.toThrow('after calling end');
    await close();
  });

  test('that nobody uses may break: the next statement has another', async () => {
    const { db, url, close } = await openTestDatabase({ poolSize: 1 });
    const pid = Prisma.sql`select pg_backend_pid() as pid`;
    const [before] = await db.sql<{ pid: number }>(pid);
    const other = openPostgresql({ url });
    await other.sql(Prisma.sql`select pg_terminate_backend(${before!.pid}::int)`);
    const after = async () => (await db.sql<{ pid: number }>(pid).catch(() => []))[0]?.pid ?? before!.pid;
    await expect.poll(after).not.toBe(before!.pid);
    await other.close();
    await close();
  });

  test('may break in the moment in which the next one takes it', async () => {
    const { url, close } = await openTestDatabase();
    const proxy = await startCuttingProxy(url);
    const db = openPostgresql({ url: proxy.url, poolSize: 1 });
    const one = Prisma.sql`select 1 as one`;
    for (const next of [() => db.transaction((sql) => sql(one)), () => db.sql(one), () => db.change(one)]) {
      proxy.cut = { at: 'the last answer', when: 'with the answer' };
      const last = db.sql(Prisma.sql`select 'the last answer' as text`);
      const waiting = next();
      expect(await last).toEqual([{ text: 'the last answer' }]);
      await waiting.catch((error) => expect(databaseError(error)).toMatchObject({ code: 'UNAVAILABLE' }));
      proxy.cut = null;
      await vi.waitFor(async () => expect(await db.sql(one)).toEqual([{ one: 1 }]));
    }
    await db.close();
    await proxy.stop();
    await close();
  });

  test('whose answer did not come in time is not used again', async () => {
    const { url, close } = await openTestDatabase();
    const db = openPostgresql({ url, poolSize: 1, timeouts: { query: 700 } });
    const pids: number[] = [];
    const lost = db.transaction(async (sql) => {
      pids.push((await sql<{ pid: number }>(Prisma.sql`select pg_backend_pid() as pid`))[0]!.pid);
      await sql(Prisma.sql`select pg_sleep(20)`);
    });
    await expect(lost).rejects.toThrow('Query read timeout');
    const [next] = await db.sql<{ pid: number }>(Prisma.sql`select pg_backend_pid() as pid`);
    expect(pids).toHaveLength(1);
    expect(pids).not.toContain(next!.pid);
    await db.close();
    await close();
  });
});

test('a server out of reach ends the start', async () => {
  // Port 9 (discard) of this machine: nothing listens there.
  const url = 'postgresql://postgres@127.0.0.1:9/none';
  await expect(openDatabase({ url, dataDir: '' })).rejects.toThrow('ECONNREFUSED');
});

test('a server that accepts and then says nothing ends the start, after a timeout', async () => {
  const silent = createServer();
  await once(silent.listen(0, '127.0.0.1'), 'listening');
  const { port } = silent.address() as AddressInfo;
  const url = `postgresql://postgres@127.0.0.1:${port}/none`;
  await expect(openDatabase({ url, dataDir: '', timeouts: { connect: 50 } })).rejects.toThrow('timeout');
  silent.close();
});
