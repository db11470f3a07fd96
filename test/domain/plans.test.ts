// Plans that hold for every tenant: statements are prepared once, for an average tenant, and run for the largest too.
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Prisma } from '../../src/database/database.ts';
import { findGroup } from '../../src/domain/groups.ts';
import { createTenant, openAsAdmin } from '../support/directories.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.close());

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
  const statements: string[] = [];
  const stop = db.onStatement((text) => statements.push(text));
  expect(await findGroup(openAsAdmin(db, tenantId), 'grp_plan5000')).toMatchObject({ name: 'Group 5000' });
  stop();
  expect(statements.length).toBe(1);
  const client = new pg.Client(database.url);
  await client.connect();
  const { rows } = await client.query<{ 'QUERY PLAN': string }>(`explain (generic_plan) ${statements[0]}`);
  await client.end();
  expect(rows.map((row) => row['QUERY PLAN']).join('\n')).toContain('using groups_pkey on groups');
});
