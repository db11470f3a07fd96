// Positions on both APIs: what an answer tells of the logs that it read, and that a client which sends it back reads no older.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Prisma } from '../src/database/database.ts';
import { openDatabase } from '../src/database/open.ts';
import { createWorld } from './support/group-worlds.ts';
import { openTestDatabase, type TestDatabase } from './support/postgresql.ts';
import { SUPER_ADMIN, startApp, type TestApp } from './support/server.ts';
import { PATIENT } from './support/timeouts.ts';

let database: TestDatabase;
let others: { close(): Promise<void> }[] = [];
/** Two servers over one database, and the second one's Yoga alone. */
let one: TestApp;
let other: TestApp;
let yoga: TestApp;

beforeAll(async () => {
  database = await openTestDatabase();
  const second = await openDatabase({ url: database.url, dataDir: '', timeouts: PATIENT });
  const third = await openDatabase({ url: database.url, dataDir: '', timeouts: PATIENT });
  others = [second, third];
  [one, other, yoga] = [
    await startApp(database.db),
    await startApp(second),
    await startApp(third, {}, { inProcess: true }),
  ];
});
afterAll(async () => {
  for (const each of others) await each.close();
  await database.close();
});

const HEADER = 'coterie-position';
const ADD = `mutation ($groupId: ID!, $userIds: [ID!]!) {
  addGroupMembers(input: { groupId: $groupId, userIds: $userIds }) {
    ... on AddGroupMembersPayload { position added } ... on Error { code } } }`;
const READ = 'query ($id: ID!) { group(id: $id) { name effectiveMemberCount } }';

async function world() {
  const { tenantId, partnerId, ids, users } = await createWorld(database.db, { Team: {}, Other: {} }, 3);
  const admin = { sub: 'usr_administrator', role: 'tenant_admin', tenant_id: tenantId };
  const partner = { sub: 'usr_partner', role: 'partner_admin', partner_id: partnerId };
  return { tenantId, ids, users, admin, partner };
}

test('a change tells its position in its payload, its extensions and its header, and the next one the next', async () => {
  const { tenantId, ids, users, admin } = await world();
  for (const [at, app] of [one, other, yoga].entries()) {
    const position = String(at + 1);
    const { headers, body } = await app.ask(admin, ADD, { groupId: ids.Team, userIds: [users[at]] });
    expect(body.data).toEqual({ addGroupMembers: { position, added: [users[at]] } });
    expect(body.extensions).toMatchObject({ position: `${tenantId}=${position}` });
    expect(headers.get(HEADER)).toBe(`${tenantId}=${position}`);
  }
  // Without effect it takes none.
  const again = await one.ask(admin, ADD, { groupId: ids.Team, userIds: [users[0]] });
  expect(again.body.data).toEqual({ addGroupMembers: { position: '3', added: [] } });
  const answer = await one.rest(admin, `POST /api/v1/admin/groups/${ids.Team}/members`, { user_ids: users });
  expect([answer.status, answer.headers.get(HEADER)]).toEqual([200, `${tenantId}=3`]);
});

test('a read tells a position that it holds, on each path, and whoever asks', async () => {
  const { tenantId, ids, users, admin, partner } = await world();
  await one.data(admin, ADD, { groupId: ids.Team, userIds: [users[0]] });
  const user = { sub: users[0]!, tenant_id: tenantId };
  for (const app of [one, other, yoga]) {
    for (const caller of [admin, partner, SUPER_ADMIN, user]) {
      // How much its tenant changes is not told to an end user.
      const told = caller === user ? undefined : `${tenantId}=1`;
      const { headers, body } = await app.ask(caller, 'query ($id: ID!) { group(id: $id) { name } }', {
        id: ids.Team,
      });
      expect(body.data).toEqual({ group: { name: 'Team' } });
      expect([headers.get(HEADER) ?? undefined, body.extensions?.position]).toEqual([told, told]);
    }
    const list = await app.rest(admin, `GET /api/v1/tenants/${tenantId}/groups`);
    expect([list.status, list.headers.get(HEADER)]).toEqual([200, `${tenantId}=1`]);
  }
  const { body } = await one.ask(admin, 'query ($id: ID!) { tenant(id: $id) { position } }', {
    id: tenantId,
  });
  expect(body.data).toEqual({ tenant: { position: '1' } });
});

test('what reads no tenant tells no position', async () => {
  const { headers, body } = await one.ask(SUPER_ADMIN, '{ __typename }');
  expect([headers.get(HEADER), body.extensions]).toEqual([null, { cost: expect.anything() }]);
});

test('a client that sends a position waits for it, and is told if it is not reached', async () => {
  const { tenantId, ids, users, admin } = await world();
  await other.data(admin, READ, { id: ids.Team });
  for (const app of [other, yoga]) {
    // Stored while the request waits.
    const later = app.ask(
      admin,
      READ,
      { id: ids.Team },
      { [HEADER]: `${tenantId}=${app === other ? 1 : 2}` },
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    await one.data(admin, ADD, { groupId: ids.Team, userIds: [users[app === other ? 0 : 1]] });
    expect((await later).body.data).toEqual({
      group: { name: 'Team', effectiveMemberCount: app === other ? 1 : 2 },
    });
    const never = await app.ask(admin, READ, { id: ids.Team }, { [HEADER]: `${tenantId}=9` });
    expect(never.status).toBe(503);
    expect(never.body.errors).toEqual([
      expect.objectContaining({
        message: `The log of ${tenantId} has not reached the requested position 9`,
      }),
    ]);
  }
  const rest = await other.rest(admin, `GET /api/v1/tenants/${tenantId}/groups`, undefined, {
    [HEADER]: `${tenantId}=9`,
  });
  expect(rest.status).toBe(503);
});

test('positions of hidden tenants, known or not, decide nothing', async () => {
  const { ids, admin } = await world();
  const hidden = await world();
  const none = 'tnt_neverIssued000000';
  const { body } = await one.ask(
    admin,
    READ,
    { id: ids.Team },
    { [HEADER]: `${hidden.tenantId}=99, ${none}=5` },
  );
  expect(body.data).toEqual({ group: { name: 'Team', effectiveMemberCount: 0 } });
  // They are not told either.
  const asked = await one.ask(admin, READ, { id: hidden.ids.Team });
  expect(asked.headers.get(HEADER)).not.toContain(hidden.tenantId);
});

test.each([
  '',
  'x',
  'tnt_A',
  'tnt_A=',
  'tnt_A=01',
  'tnt_A=1e2',
  'tnt_A=-1',
  'tnt_A=1=2',
  'grp_A=1',
  'tnt_A=9007199254740993',
])('positions that are none are refused: %j', async (text) => {
  const { admin, tenantId } = await world();
  for (const app of [one, yoga]) {
    const { status, body } = await app.ask(admin, '{ __typename }', {}, { [HEADER]: text });
    expect([status, body.errors?.[0]?.extensions.code]).toEqual([400, 'VALIDATION_FAILED']);
  }
  const rest = await one.rest(admin, `GET /api/v1/tenants/${tenantId}/groups`, undefined, { [HEADER]: text });
  expect(rest.status).toBe(422);
});

test('a position that was lost is not told as one that is held', async () => {
  const { tenantId, ids, users, admin } = await world();
  await one.data(admin, ADD, { groupId: ids.Team, userIds: [users[0]] });
  await one.data(admin, ADD, { groupId: ids.Team, userIds: [users[1]] });
  // As after the failover to a standby that had not replayed the second change.
  const { db } = database;
  await db.sql(Prisma.sql`delete from memberships where tenant_id = ${tenantId} and user_id = ${users[1]}`);
  await db.sql(
    Prisma.sql`update groups set member_count = 1 where tenant_id = ${tenantId} and id = ${ids.Team}`,
  );
  await db.sql(Prisma.sql`delete from changes where tenant_id = ${tenantId} and position = 2`);
  await db.sql(Prisma.sql`
    update tenant_logs set position = 1, change_id = (
      select change_id from changes where tenant_id = ${tenantId} and position = 1) where tenant_id = ${tenantId}`);
  const read = await one.ask(admin, READ, { id: ids.Team });
  expect(read.body.data).toEqual({ group: { name: 'Team', effectiveMemberCount: 1 } });
  const next = await one.ask(admin, READ, { id: ids.Team });
  expect(next.headers.get(HEADER)).toBe(`${tenantId}=1`);
  // Nobody is told that it is reached because this process had stored it.
  const lost = await one.ask(admin, READ, { id: ids.Team }, { [HEADER]: `${tenantId}=2` });
  expect(lost.status).toBe(503);
});
