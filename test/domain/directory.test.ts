// The directory as a caller sees it: which rows are in sight, who may change them, and what is cached for how long.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Database, Prisma } from '../../src/database/database.ts';
import { openPostgresql } from '../../src/database/postgresql.ts';
import {
  endUser,
  mayChange,
  NO_TENANT,
  openDirectory,
  perDatabase,
  perDirectory,
  Reader,
} from '../../src/domain/directory.ts';
import type { Caller } from '../../src/model/caller.ts';
import { refuse } from '../../src/model/errors.ts';
import {
  createTenant,
  partnerAdmin,
  platform,
  service,
  superAdmin,
  tenantAdmin,
  plainUser as userOf,
} from '../support/directories.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await openTestDatabase();
  db = database.db;
});
afterAll(() => database.close());

/** Two tenants of one partner, and one of another. */
async function createTenants() {
  const [first, second, foreign] = [
    await createTenant(db, 1),
    await createTenant(db),
    await createTenant(db),
  ];
  await db.sql(Prisma.sql`update tenants set partner_id = ${first.partnerId} where id = ${second.tenantId}`);
  return { first, second, foreign, partnerId: first.partnerId };
}

describe('sight', () => {
  test('holds the tenants of the caller, and names the tenant of who sees one', async () => {
    const { first, second, foreign, partnerId } = await createTenants();
    const tenants = [first.tenantId, second.tenantId, foreign.tenantId];
    const seenBy = async (reader: Reader) => {
      const rows = await reader.sql<{ id: string }>(Prisma.sql`
        select id from tenants where id = any(${tenants}::text[]) and ${reader.within(Prisma.sql`id`)}
        order by array_position(${tenants}::text[], id)`);
      return { tenants: rows.map(({ id }) => id), one: reader.tenantId };
    };
    const all = { tenants, one: NO_TENANT };
    const own = { tenants: tenants.slice(0, 2), one: NO_TENANT };
    const one = { tenants: tenants.slice(0, 1), one: first.tenantId };
    for (const [caller, expected] of [
      [superAdmin, all],
      [platform(false), all],
      [partnerAdmin(partnerId), own],
      [tenantAdmin(first.tenantId), one],
      [service(first.tenantId, false), one],
      [userOf(first.tenantId, first.userIds[0]!), one],
    ] as const) {
      const directory = openDirectory(db, caller);
      expect(await seenBy(directory), caller.role).toEqual(expected);
      expect(await seenBy(new Reader(db, directory.visibility)), caller.role).toEqual(expected);
    }
  });

  test('is with the right to change it for those who administer or write', async () => {
    const { first, partnerId } = await createTenants();
    const { tenantId } = first;
    const user = userOf(tenantId, first.userIds[0]!);
    for (const [caller, expected] of [
      [superAdmin, true],
      [platform(true), true],
      [platform(false), false],
      [partnerAdmin(partnerId), true],
      [tenantAdmin(tenantId), true],
      [service(tenantId, true), true],
      [service(tenantId, false), false],
      [user, false],
      // Whatever else its token says.
      [{ ...user, mayChange: true } as Caller, false],
    ] as const) {
      const directory = openDirectory(db, caller);
      expect(mayChange(directory)).toBe(expected);
      const changed = directory.transact(tenantId, async () => ({ isChanged: true }));
      const refusal = endUser(directory) ? refuse.notFound(tenantId) : refuse.forbidden();
      if (expected) expect(await changed).toMatchObject({ isChanged: true });
      else await expect(changed).rejects.toEqual(refusal);
      expect(endUser(directory)).toBe(caller.role === 'USER' ? caller : null);
    }
  });
});

describe('what is made once', () => {
  test('for a directory lasts until its next change, done or refused', async () => {
    let made = 0;
    const numberOf = perDirectory(() => {
      made += 1;
      return made;
    });
    const other = perDirectory(() => 'another');
    const [one, two] = [openDirectory(db, superAdmin), openDirectory(db, superAdmin)];
    expect([numberOf(one), numberOf(one), numberOf(two), other(one), numberOf(one)]).toEqual([
      1,
      1,
      2,
      'another',
      1,
    ]);
    const { tenantId } = (await createTenants()).first;
    expect(
      await one.transact(tenantId, async ({ query }) => ({ rows: await query(Prisma.sql`select 7 as n`) })),
    ).toEqual({ rows: [{ n: 7 }], position: 0 });
    expect([numberOf(one), numberOf(two)]).toEqual([3, 2]);
    const refusal = refuse.forbidden();
    await expect(one.transact(tenantId, () => Promise.reject(refusal))).rejects.toBe(refusal);
    expect([numberOf(one), numberOf(two)]).toEqual([4, 2]);
  });

  test('for a database lasts as long as the database', async () => {
    const makeFor = perDatabase(() => ({}));
    const another = { ...db };
    const made = makeFor(db);
    expect(makeFor(db)).toBe(made);
    expect(makeFor(another)).not.toBe(made);
    expect(makeFor(another)).toBe(makeFor(another));
  });
});

describe('faults of the database', () => {
  test('that pass are UNAVAILABLE, and others are as they are', async () => {
    const hasty = openPostgresql({ url: database.url, timeouts: { statement: 50 } });
    const directory = openDirectory(hasty, superAdmin);
    const slow = Prisma.sql`select pg_sleep(5)`;
    const wrong = Prisma.sql`select 1 / (random() * 0)::int as n`;
    await expect(directory.sql(slow)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const { tenantId } = (await createTenants()).first;
    await expect(directory.transact(tenantId, ({ query }) => query(slow))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
    // Not by the hasty one, which a busy machine may keep waiting.
    const patient = openDirectory(db, superAdmin);
    await expect(patient.sql(wrong)).rejects.toMatchObject({ code: '22012' });
    await expect(patient.transact(tenantId, ({ query }) => query(wrong))).rejects.toMatchObject({
      code: '22012',
    });
    await hasty.close();
  });

  test('undo a change whole', async () => {
    const { first } = await createTenants();
    const directory = openDirectory(db, superAdmin);
    const rename = Prisma.sql`update tenants set name = 'Renamed' where id = ${first.tenantId}`;
    const broken = directory.transact(first.tenantId, async ({ query }) => {
      await query(rename);
      throw refuse.forbidden();
    });
    await expect(broken).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(await db.sql(Prisma.sql`select name from tenants where id = ${first.tenantId}`)).toEqual([
      { name: 'Tenant' },
    ]);
  });
});
