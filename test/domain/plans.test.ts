// Plans that hold for every tenant: statements are prepared once, for an average tenant, and run for the largest too.

import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runBackfills } from '../../src/database/backfills.ts';
import { Prisma } from '../../src/database/database.ts';
import { dropSuffixes } from '../../src/database/name-keys.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { deleteGroup } from '../../src/domain/commands/delete-group.ts';
import { assertNameFree } from '../../src/domain/commands/rules/placement.ts';
import { countEffectiveMembers } from '../../src/domain/queries/effective-members.ts';
import { findGroup } from '../../src/domain/queries/groups.ts';
import { changeUnlocked, createTenant, openAsAdmin } from '../support/directories.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.close());

/** The plan for any values of the one statement that this reads by, or the one with that text. */
async function planOf(read: () => Promise<unknown>, having = ''): Promise<string> {
  const statements = new Set<string>();
  const stop = database.db.onStatement((text) => text.includes(having) && statements.add(text));
  await read();
  stop();
  expect(statements.size).toBe(1);
  const client = new pg.Client(database.url);
  await client.connect();
  const { rows } = await client.query<{ 'QUERY PLAN': string }>(
    `explain (generic_plan) ${[...statements][0]}`,
  );
  await client.end();
  return rows.map((row) => row['QUERY PLAN']).join('\n');
}

test('groups are found by their ids, not by reading their tenant', async () => {
  const { db } = database;
  const { tenantId, partnerId } = await createTenant(db);
  // One tenant with nearly all groups among many with a few: the average one has few.
  await db.sql(Prisma.sql`
    insert into tenants (id, partner_id, name, slug)
    select 'tnt_small' || n, ${partnerId}, 'Small', 'small' || n from generate_series(1, 200) n`);
  await db.sql(Prisma.sql`
    insert into groups (id, tenant_id, name, name_key, search_key)
    select 'grp_plan' || n, case when n <= 1000 then 'tnt_small' || (n % 200 + 1) else ${tenantId} end,
      'Group ' || n, 'group ' || n, 'group ' || n from generate_series(1, 20000) n`);
  await db.sql(Prisma.sql`analyze groups, tenants`);
  const plan = await planOf(() => findGroup(openAsAdmin(db, tenantId), 'grp_plan5000'));
  expect(plan).toContain('using groups_pkey on groups');
});

test('what has changed is found by its transactions, not by reading the log of its tenant', async () => {
  const { db } = database;
  const { tenantId } = await createTenant(db);
  const admin = openAsAdmin(db, tenantId);
  const { group } = await createGroup(admin, { tenantId, name: 'Group' });
  await db.sql(Prisma.sql`
    insert into group_events (event_type, tenant_id, group_id, actor_id, actor_type, data)
    select 'group.updated', ${tenantId}, ${group.id}, 'test', 'user', '{}' from generate_series(1, 20000)`);
  await db.sql(Prisma.sql`analyze group_events`);
  await countEffectiveMembers(openAsAdmin(db, tenantId), group.id);
  const plan = await planOf(() => countEffectiveMembers(openAsAdmin(db, tenantId), group.id));
  const scans = plan.split('\n').filter((line) => line.includes(' on group_events'));
  expect(scans).toHaveLength(2);
  for (const scan of scans) expect(scan).toContain('group_events_tenant_id_transaction_id_idx');
  expect(plan).toMatch(/Index Cond: .*transaction_id >= .* AND \(transaction_id <= /);
  expect(plan).toMatch(/Index Cond: .*transaction_id >= .* AND \(transaction_id < /);
});

test('names of siblings are compared by a range of their unique index, not by reading all siblings', async () => {
  const { db } = database;
  const { tenantId } = await createTenant(db);
  const admin = openAsAdmin(db, tenantId);
  await db.sql(Prisma.sql`
    insert into groups (id, tenant_id, name, name_key, search_key)
    select 'grp_sibling' || n, ${tenantId}, 'Sibling ' || n, 'sibling ' || n, 'sibling ' || n from generate_series(1, 20000) n`);
  const { group } = await createGroup(admin, { tenantId, name: 'Parent' });
  const id = group.id;
  for (let index = 0; index < 20; index += 1)
    await createGroup(admin, { tenantId, name: `Child ${index}`, parentGroupId: id });
  await db.sql(Prisma.sql`analyze groups`);
  const place = { parentGroupId: null, name: 'Sibling 5' };
  const plans = [
    await planOf(() => changeUnlocked(db, tenantId, (tx) => assertNameFree(tx, place)).catch(() => {})),
    await planOf(() => dropSuffixes(db.sql, tenantId, [place])),
    await planOf(() => deleteGroup(admin, { id, strategy: 'ORPHAN' }), 'taken'),
  ];
  for (const plan of plans) {
    const scans = plan.split('\n').filter((line) => line.includes('groups_live_sibling_name_key')).length;
    const ranges = plan.match(/Index Cond: .*name_key >= .*name_key < /g)?.length;
    expect({ plan, scans: scans > 0, ranges }).toEqual({ plan, scans: true, ranges: scans });
    expect(plan).not.toContain('Seq Scan on groups');
  }
});

test('a backfill reads a table once, page by page', async () => {
  const { db } = database;
  for (const table of ['group_events', 'membership_history']) {
    await db.sql(Prisma.sql`insert into backfills (name) values ('undo_of_orphan')`);
    await db.sql(Prisma.sql`
      insert into membership_history (tenant_id, group_id, user_id, added_at, added_by, ended_at, ended_by, cause)
      values ('', '', '', now(), '', now(), '', '')`);
    await db.sql(Prisma.sql`
      insert into group_events (event_type, tenant_id, group_id, actor_id, actor_type, data) values ('', '', '', '', '', '{}')`);
    const plan = await planOf(
      () => runBackfills(db),
      `${table === 'group_events' ? 'from' : 'update'} ${table}`,
    );
    expect(plan).toContain(`Tid Range Scan on ${table}`);
    expect(plan).not.toMatch(/Seq Scan on (?!users)/);
  }
});
