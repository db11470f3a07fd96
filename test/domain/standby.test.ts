// Reads on a standby: only what is at or after the position that the primary has, and of its history.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Database, Prisma, type Sql } from '../../src/database/database.ts';
import { openPostgresql } from '../../src/database/postgresql.ts';
import { addGroupMembers } from '../../src/domain/commands/add-members.ts';
import { removeGroupMembers } from '../../src/domain/commands/change-members.ts';
import { openDirectory } from '../../src/domain/directory.ts';
import { countEffectiveMembers, listEffectiveMembers } from '../../src/domain/queries/effective-members.ts';
import { findGroup, listGroups } from '../../src/domain/queries/groups.ts';
import { listMembers } from '../../src/domain/queries/members.ts';
import { listNestedGroups } from '../../src/domain/queries/nesting.ts';
import type { GroupId, TenantId } from '../../src/model/ids.ts';
import { tenantAdmin } from '../support/directories.ts';
import { createWorld } from '../support/group-worlds.ts';
import { createDatabase, openTestDatabase, type TestDatabase } from '../support/postgresql.ts';

let primary: TestDatabase;
let copy: Database;
let drop: () => Promise<void>;
let tenantId: TenantId;
let ids: Record<'Team' | 'Nested' | 'Empty', GroupId>;
let users: string[];
/** What was sent to each. */
const sent = { primary: [] as string[], standby: [] as string[] };
let answer: (statement: Sql) => Promise<object[]>;
let db: Database;

beforeEach(async () => {
  primary = await openTestDatabase();
  const world = await createWorld(
    primary.db,
    { Team: { members: [0, 1], nests: ['Nested'] }, Nested: { members: [1, 2] }, Empty: {} },
    4,
  );
  ({ tenantId, ids, users } = world);
  await addGroupMembers(world.directory, { groupId: ids.Team, userIds: [users[2]!] });
  // A copy of the primary as it is: a standby that replays nothing more.
  await primary.db.close();
  const database = await createDatabase({ template: new URL(primary.url).pathname.slice(1) });
  drop = database.drop;
  copy = openPostgresql({ url: database.url });
  primary = { ...primary, db: openPostgresql({ url: primary.url }) };
});
afterEach(async () => {
  await copy.close();
  await drop();
  await primary.db.close();
});
beforeEach(() => {
  answer = (statement) => copy.sql(statement);
  const standby = async (statement: Sql) => {
    sent.standby.push(statement.text);
    return answer(statement) as never;
  };
  // A database of its own for each test, and so caches of its own.
  db = {
    ...primary.db,
    standby,
    sql: (statement) => {
      sent.primary.push(statement.text);
      return primary.db.sql(statement);
    },
  };
  sent.primary = [];
  sent.standby = [];
});

const open = () => openDirectory(db, tenantAdmin(tenantId));
const fromPrimary = () => sent.primary.filter((text) => !text.includes('from tenant_logs l left join'));

async function readAll() {
  const directory = open();
  const page = { first: 10, withTotal: true };
  return {
    group: await findGroup(directory, ids.Team),
    groups: (await listGroups(directory, { page })).rows.map(({ name }) => name),
    members: (await listMembers(directory, ids.Team, { page }))!.rows.map(({ userId }) => userId),
    nested: (await listNestedGroups(directory, ids.Empty, { page }))!.total,
    effective: (await listEffectiveMembers(directory, ids.Team, { page }))!.rows.map(({ userId }) => userId),
    count: await countEffectiveMembers(directory, ids.Team),
  };
}

test('a standby that has replayed all answers all but the position', async () => {
  const read = await readAll();
  expect(read).toMatchObject({
    group: { name: 'Team', memberCount: 3 },
    groups: ['Empty', 'Nested', 'Team'],
    members: users.slice(0, 3),
    nested: 0,
    effective: users.slice(0, 3),
    count: 3,
  });
  expect(fromPrimary()).toEqual([]);
  expect(sent.standby.length).toBeGreaterThan(4);
});

test('a standby that fails is not missed', async () => {
  answer = () => Promise.reject(new Error('canceling statement due to conflict with recovery'));
  expect((await readAll()).count).toBe(3);
  expect(fromPrimary().length).toBeGreaterThan(4);
});

test('a standby that lags is not believed, and one that is ahead of the request is', async () => {
  const administrator = open();
  await addGroupMembers(administrator, { groupId: ids.Team, userIds: [users[3]!] });
  expect(await readAll()).toMatchObject({ members: users, effective: users, count: 4 });
  expect(fromPrimary().length).toBeGreaterThan(4);
  await removeGroupMembers(administrator, { groupId: ids.Team, userIds: [users[3]!] });
  // It catches up, and goes on: what the request needs is in its history.
  const tables = ['memberships', 'membership_history', 'changes', 'tenant_logs'];
  for (const table of tables) {
    const rows = await primary.db.sql<{ rows: string }>(
      Prisma.raw(`select coalesce(jsonb_agg(to_jsonb(t)), '[]')::text as rows from ${table} t`),
    );
    await copy.sql(Prisma.raw(`delete from ${table}`));
    await copy.sql(
      Prisma.sql`insert into ${Prisma.raw(table)} select * from jsonb_populate_recordset(null::${Prisma.raw(table)}, ${rows[0]!.rows}::jsonb)`,
    );
  }
  await copy.sql(Prisma.sql`
    insert into changes select tenant_id, position + 1, 0, gen_random_uuid(), at, 'group.created', '', '', null, null, null, null, '{}'
    from tenant_logs`);
  await copy.sql(Prisma.sql`
    update tenant_logs set position = position + 1, change_id = (
      select change_id from changes c where c.position = tenant_logs.position + 1)`);
  sent.primary = [];
  expect(await readAll()).toMatchObject({ members: users.slice(0, 3), count: 3 });
  expect(fromPrimary()).toEqual([]);
  // The same position of another history is no reason to believe it, nor is a later one.
  await copy.sql(Prisma.raw(`update changes set change_id = gen_random_uuid()`));
  await copy.sql(Prisma.raw(`delete from memberships`));
  expect(await readAll()).toMatchObject({ members: users.slice(0, 3), count: 3 });
  await copy.sql(Prisma.sql`update tenant_logs set position = position - 1, change_id = gen_random_uuid()`);
  expect(await readAll()).toMatchObject({ members: users.slice(0, 3), count: 3 });
});
