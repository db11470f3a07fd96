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
import { nestedGroups } from '../../src/domain/queries/nesting.ts';
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
/** Whether the copy is told to say that it is a standby. */
let isStandby: boolean;
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
  isStandby = true;
  answer = ask;
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

/** Asks the copy, in whose place a server that replays would be. */
const ask = ({ text, values }: Sql) =>
  copy.sql<object>({ text: text.replace('pg_is_in_recovery()', String(isStandby)), values } as Sql);

const open = () => openDirectory(db, tenantAdmin(tenantId));
const fromPrimary = () => sent.primary.filter((text) => !text.includes('from tenant_logs l left join'));

async function readAll() {
  const directory = open();
  const page = { first: 10, withTotal: true };
  return {
    group: await findGroup(directory, ids.Team),
    groups: (await listGroups(directory, { page })).rows.map(({ name }) => name),
    members: (await listMembers(directory, ids.Team, { page }))!.rows.map(({ userId }) => userId),
    nested: (await nestedGroups.page(directory, ids.Empty, { page }))!.total,
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

test('a standby that was promoted is not believed, whatever it has', async () => {
  // By SQL alone: its log is still that of the primary.
  await copy.sql(Prisma.raw('delete from memberships'));
  isStandby = false;
  expect(await readAll()).toMatchObject({ members: users.slice(0, 3), count: 3 });
});

/** Brings the copy to where the primary is. */
async function replay() {
  for (const table of ['memberships', 'membership_history', 'groups', 'changes', 'tenant_logs']) {
    const rows = await primary.db.sql<{ rows: string }>(
      Prisma.raw(`select coalesce(jsonb_agg(to_jsonb(t)), '[]')::text as rows from ${table} t`),
    );
    await copy.sql(Prisma.raw(`alter table ${table} disable trigger all`));
    await copy.sql(Prisma.raw(`delete from ${table}`));
    const name = Prisma.raw(table);
    await copy.sql(
      Prisma.sql`insert into ${name} select * from jsonb_populate_recordset(null::${name}, ${rows[0]!.rows}::jsonb)`,
    );
  }
}

test('a standby that lags is not believed, and one that is ahead of the request is', async () => {
  const administrator = openDirectory(primary.db, tenantAdmin(tenantId));
  // The position at which the standby stays is one that the process knows.
  await findGroup(open(), ids.Team);
  await addGroupMembers(administrator, { groupId: ids.Team, userIds: [users[3]!] });
  expect(await readAll()).toMatchObject({ members: users, effective: users, count: 4 });
  expect(fromPrimary().length).toBeGreaterThan(4);
  // Between the request's look at the primary and its statement the primary goes on, and the standby with it.
  const change = removeGroupMembers(administrator, { groupId: ids.Team, userIds: [users[3]!] }).then(replay);
  answer = async (statement) => {
    await change;
    return ask(statement);
  };
  sent.primary = [];
  expect((await listMembers(open(), ids.Team, { page: { first: 10 } }))!.rows).toHaveLength(3);
  expect(fromPrimary()).toEqual([]);
});

test('what a standby has beyond the history that it shares with the primary is not believed', async () => {
  await copy.sql(Prisma.raw('delete from memberships'));
  await copy.sql(Prisma.sql`
    insert into changes (tenant_id, position, ordinal, change_id, at, type, actor_id, actor_type, data)
    select tenant_id, position + 1, 0, gen_random_uuid(), at, 'group.created', '', '', '{}' from tenant_logs`);
  await copy.sql(Prisma.sql`
    update tenant_logs set position = position + 1, change_id = (
      select change_id from changes c where c.position = tenant_logs.position + 1)`);
  expect(await readAll()).toMatchObject({ members: users.slice(0, 3), count: 3 });
  // The same position of another history.
  await copy.sql(Prisma.sql`update tenant_logs set position = position - 1`);
  expect(await readAll()).toMatchObject({ members: users.slice(0, 3), count: 3 });
});
