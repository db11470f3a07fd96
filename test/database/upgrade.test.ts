// Upgrades: what migrations leave to the next start is done once, by whichever server; databases of earlier texts open too.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runBackfills } from '../../src/database/backfills.ts';
import { KEY_RULES } from '../../src/database/case-keys.ts';
import { type Database, Prisma } from '../../src/database/database.ts';
import { MIGRATIONS_DIR } from '../../src/database/migrate.ts';
import { openDatabase } from '../../src/database/open.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { deleteGroup } from '../../src/domain/commands/delete-group.ts';
import { addNestedGroups } from '../../src/domain/commands/nest-groups.ts';
import { removeUsers } from '../../src/domain/commands/remove-users.ts';
import { updateGroup } from '../../src/domain/commands/update-group.ts';
import { checkDirectory } from '../../src/domain/integrity/check.ts';
import { createWorld } from '../support/group-worlds.ts';
import { openTestDatabase, type TestDatabase, untilOneWaits } from '../support/postgresql.ts';

let database: TestDatabase;
let db: Database;
beforeEach(async () => {
  database = await openTestDatabase();
  db = database.db;
});
afterEach(() => database.close());

/** Runs a script of several statements. */
async function run(script: string): Promise<void> {
  const client = new pg.Client(database.url);
  await client.connect();
  await client.query(script);
  await client.end();
}
const open = (lock = 20) =>
  openDatabase({ url: database.url, dataDir: '', timeouts: { lock } }).then((opened) => opened.close());

/** Takes the latest migrations back, so that they are pending. */
const UNDO_LAST = `
  alter table tenants drop column key_rules, add column stale_keys boolean not null default false;
  drop table backfills;
  delete from _prisma_migrations where migration_name >= '20261126200000';`;
const UNDO_ORPHAN = `
  alter table nestings drop column stands_for;
  alter table nesting_history drop column stands_for;
  alter table groups drop column moved_by, drop column moved_children;
  alter table membership_history drop column user_removed;
  delete from _prisma_migrations where migration_name like '%undo_of_orphan';`;

/** Deletions of all kinds, and users who were removed since. */
async function deletions() {
  const world = await createWorld(
    db,
    {
      Root: {},
      Above: { nests: ['Team'] },
      Team: { parent: 'Root', members: [0], nests: ['Below', 'Other'] },
      Child: { parent: 'Team', members: [0, 1] },
      Twice: { parent: 'Team' },
      Below: {},
      Other: { members: [1, 0] },
      Later: { members: [0] },
    },
    2,
  );
  const { directory, tenantId, ids, users } = world;
  await deleteGroup(directory, { id: ids.Team, strategy: 'ORPHAN' });
  await deleteGroup(directory, { id: ids.Other, strategy: 'CASCADE' });
  // Filed anew since, and moved up by another deletion.
  const { group } = await createGroup(directory, { tenantId, name: 'Second', parentGroupId: ids.Root });
  await updateGroup(directory, { id: ids.Twice, parentGroupId: group.id });
  await deleteGroup(directory, { id: group.id, strategy: 'ORPHAN' });
  await removeUsers(directory, { tenantId, userIds: [users[1]!] });
  const known = async () => ({
    groups: await db.sql(Prisma.sql`
      select name, moved_by, array(select unnest(moved_children) order by 1) as children, member_count from groups order by id`),
    nestings: await db.sql(
      Prisma.sql`select parent_group_id, child_group_id, stands_for from nestings order by 1, 2`,
    ),
    members: await db.sql(Prisma.sql`
      select group_id, user_id, user_removed from membership_history where deletion_id is not null order by 1, 2`),
  });
  return { ...world, known };
}
const pending = () => db.sql(Prisma.sql`select name from backfills`);

test('migrations change no rows of tables: that is left to the next start, in chunks', () => {
  const scripts = readdirSync(MIGRATIONS_DIR, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => readFileSync(join(MIGRATIONS_DIR, name, 'migration.sql'), 'utf8'));
  expect(
    scripts.flatMap((script) => script.match(/^\s*(update|delete|insert|merge|with)\b.*/gim) ?? []),
  ).toEqual([
    `INSERT INTO "backfills" ("name") VALUES ('member_counts');`,
    `INSERT INTO "backfills" ("name") VALUES ('undo_of_orphan');`,
  ]);
});

test('deletions before the migration are known as if they had been made after it', async () => {
  const { known } = await deletions();
  const before = await known();
  await run(UNDO_LAST + UNDO_ORPHAN);
  await Promise.all([open(), open()]);
  expect(await known()).toEqual(before);
  expect(await pending()).toEqual([]);
  expect(await checkDirectory(db)).toEqual([]);
  // What a restore can no longer ask for is left out.
  await run(`insert into backfills values ('undo_of_orphan');
    update nestings set stands_for = null; update groups set moved_by = null, moved_children = null;
    update membership_history set user_removed = false, ended_at = ended_at - interval '31 days';
    update groups set deleted_at = deleted_at - interval '31 days' where deleted_at is not null;
    update group_events set occurred_at = occurred_at - interval '31 days'`);
  await runBackfills(db);
  const { groups, nestings, members } = await known();
  expect(groups.filter((row) => 'moved_by' in row && row.moved_by !== null)).toEqual([]);
  expect(nestings.filter((row) => 'stands_for' in row && row.stands_for !== null)).toEqual([]);
  expect(members.filter((row) => 'user_removed' in row && row.user_removed)).toEqual([]);
});

test('a backfill that ended early runs again, and leaves what it has done as it is', async () => {
  const { known } = await deletions();
  const before = await known();
  await run(`insert into backfills values ('undo_of_orphan'), ('member_counts'), ('of_a_newer_version');
    update nestings set stands_for = null where child_group_id like '%Below';
    update groups set moved_by = null, member_count = 7 where name in ('Child', 'Below');
    update groups set moved_children = moved_children[1:1] where moved_children is not null`);
  await runBackfills(db);
  expect(await known()).toEqual(before);
  expect(await pending()).toEqual([{ name: 'of_a_newer_version' }]);
});

test('a start changes nothing once another one has done it', async () => {
  const { directory, ids, known } = await deletions();
  // Somebody asks for a nesting that stood for the deletion, on a server that has started before.
  await addNestedGroups(directory, { groupId: ids.Above, childGroupIds: [ids.Below] });
  const before = await known();
  await run(`insert into backfills values ('undo_of_orphan')`);
  let opening: Promise<void> | undefined;
  await db.transaction(async (sql) => {
    await sql(Prisma.sql`delete from backfills where name = 'undo_of_orphan'`);
    opening = open(50);
    await untilOneWaits(database);
    await new Promise((resolve) => setTimeout(resolve, 200));
  });
  await opening;
  expect(await known()).toEqual(before);
});

test('a database that applied earlier texts of the migrations opens, and is backfilled no second time', async () => {
  const { directory, ids, known } = await deletions();
  await addNestedGroups(directory, { groupId: ids.Above, childGroupIds: [ids.Below] });
  const before = await known();
  await run(`${UNDO_LAST}
    update _prisma_migrations set checksum = 'b19fc70e61bc7291972a47bf6cd44fb579dc959c6f7a1e4dab8a5008a1063e0e'
    where migration_name like '%undo_of_orphan';
    update _prisma_migrations set checksum = repeat('0', 64) where migration_name < '20261126'`);
  await open();
  expect([await known(), await pending()]).toEqual([before, []]);
  expect(await db.sql(Prisma.sql`select distinct key_rules from tenants`)).toEqual([
    { key_rules: KEY_RULES },
  ]);
  const [index] = await db.sql(
    Prisma.sql`select to_regclass('group_events_tenant_id_transaction_id_idx') is not null as there`,
  );
  expect(index).toEqual({ there: true });
});
