// A server's database: many that start at once, another time zone, lost connections, conflicts that are tried again.
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { type Database, Prisma } from '../../src/database/database.ts';
import { openDatabase } from '../../src/database/open.ts';
import type { UserId } from '../../src/model/ids.ts';
import { createTenant } from '../support/directories.ts';
import { createDatabase, openTestDatabase } from '../support/postgresql.ts';

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

test('a server in another time zone tells the same times, through SQL and through Prisma', async () => {
  const { url, drop } = await createDatabase({ settings: ["timezone = 'Asia/Tokyo'"] });
  const db = await openDatabase({ url, dataDir: '' });
  const before = Date.now() - 5_000;
  await db.sql(Prisma.sql`insert into partners (id, name) values ('prt_tokyo', 'Tokyo')`);
  const [bySql] = await db.sql<{ createdAt: Date }>(
    Prisma.sql`select created_at as "createdAt" from partners`,
  );
  const [byPrisma] = await db.prisma.partner.findMany();
  expect(byPrisma!.createdAt).toEqual(bySql!.createdAt);
  expect(bySql!.createdAt.getTime()).toBeGreaterThan(before);
  expect(bySql!.createdAt.getTime()).toBeLessThan(Date.now() + 5_000);
  await db.close();
  await drop();
});

describe('transactions', () => {
  const backend = async (sql: Database['sql']) =>
    (await sql<{ pid: number }>(Prisma.sql`select pg_backend_pid() as pid`))[0]!.pid;

  test('a connection that is lost between two statements ends the transaction, and nothing else', async () => {
    const { db, close } = await openTestDatabase({ poolSize: 2 });
    const lost = db.transaction(async (sql) => {
      const pid = await backend(sql);
      await db.sql(Prisma.sql`select pg_terminate_backend(${pid}::int)`);
      await sleep(200);
      await sql(Prisma.sql`select 1`);
    });
    await expect(lost).rejects.toThrow();
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
    await expect(silent).rejects.toThrow('rolled back');
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
    expect(runs).toBe(3);
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
