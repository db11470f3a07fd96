// Behind PgBouncer in transaction mode, also one that knows no prepared statements (before 1.21). Skipped if it is not installed.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Database, Prisma } from '../../src/database/database.ts';
import { openDatabase } from '../../src/database/open.ts';
import { openPostgresql } from '../../src/database/postgresql.ts';
import { createTenant } from '../support/directories.ts';
import { PGBOUNCER, startPgBouncer } from '../support/pgbouncer.ts';
import {
  createDatabase,
  oneWaits,
  openTestDatabase,
  type TestDatabase,
  untilOneWaits,
} from '../support/postgresql.ts';
import { SUPER_ADMIN, startApp } from '../support/server.ts';
import { PATIENT } from '../support/timeouts.ts';

describe.skipIf(PGBOUNCER === null)('behind PgBouncer in transaction mode', () => {
  let database: TestDatabase;
  let pooler: Awaited<ReturnType<typeof startPgBouncer>>;
  let db: Database;
  beforeAll(async () => {
    database = await openTestDatabase();
    pooler = await startPgBouncer(database.url, 'timezone=UTC');
    db = await openDatabase({ url: pooler.url, dataDir: '', namedStatements: false, timeouts: PATIENT });
  });
  afterAll(async () => {
    await db?.close();
    await pooler?.stop();
    await database?.close();
  });

  test('unnamed statements find their connection, whichever it is', async () => {
    const texts = Array.from({ length: 300 }, (_, at) => ({ at, name: `c${at % 7}` }));
    const rows = await Promise.all(
      texts.map(({ at, name }) => db.sql(Prisma.sql`select ${at}::int as ${Prisma.raw(name)}`)),
    );
    expect(rows.map(([row]) => Object.values(row!)[0])).toEqual(texts.map(({ at }) => at));
  });

  test('changes and reads are answered', async () => {
    const { tenantId } = await createTenant(db);
    const app = await startApp(db);
    const create = `mutation ($input: CreateGroupInput!) {
      createGroup(input: $input) { ... on CreateGroupPayload { group { name effectiveMemberCount } } } }`;
    const names = Array.from({ length: 20 }, (_, at) => `Group ${at}`);
    const created = await Promise.all(
      names.map((name) => app.data(SUPER_ADMIN, create, { input: { tenantId, name } })),
    );
    expect(created.map(({ createGroup }) => createGroup.group)).toEqual(
      names.map((name) => ({ name, effectiveMemberCount: 0 })),
    );
    const query = `{ tenant(id: "${tenantId}") { groups { totalCount } } }`;
    expect(await app.data(SUPER_ADMIN, query)).toEqual({ tenant: { groups: { totalCount: 20 } } });
  });

  test('a transaction that is ended is cancelled on its server, and no other is', async () => {
    const others = Array.from({ length: 3 }, () => db.sql(Prisma.sql`select pg_sleep(1)::text as slept`));
    const controller = new AbortController();
    const reason = new Error('The time is up');
    await database.db.transaction(async (sql) => {
      await sql(Prisma.sql`lock table partners in access exclusive mode`);
      const ended = db.transaction(
        (inside) => inside(Prisma.sql`insert into partners (id, name) values ('prt_ended', 'Ended')`),
        { signal: controller.signal },
      );
      await untilOneWaits(database);
      controller.abort(reason);
      await expect(ended).rejects.toBe(reason);
    });
    await Promise.all(others);
    expect(await db.sql(Prisma.sql`select 1 from partners where id = 'prt_ended'`)).toEqual([]);
  });

  test('a statement whose answer does not come in time is cancelled on its server', async () => {
    const hasty = openPostgresql({
      url: pooler.url,
      namedStatements: false,
      timeouts: { ...PATIENT, query: 500 },
    });
    await database.db.transaction(async (sql) => {
      await sql(Prisma.sql`lock table partners in access exclusive mode`);
      const late = hasty.transaction((inside) => inside(Prisma.sql`select 1 from partners`));
      await expect(late).rejects.toThrow('read timeout');
      await expect.poll(() => oneWaits(database.db)).toBe(false);
    });
    await hasty.close();
  });

  test('a session that PgBouncer does not set up as the code needs it is refused, with what is wrong', async () => {
    const { url, drop } = await createDatabase({ settings: ["timezone = 'Asia/Tokyo'"] });
    const careless = await startPgBouncer(url);
    const other = openPostgresql({ url: careless.url, namedStatements: false });
    await expect(other.sql(Prisma.sql`select 1`)).rejects.toThrow('TimeZone is Asia/Tokyo, and must be UTC');
    await other.close();
    await careless.stop();
    await drop();
  });
});
