// Why a user is an effective member, as GraphQL says it to each kind of caller.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { addGroupMembers } from '../../src/domain/commands/add-members.ts';
import { removeGroupMembers } from '../../src/domain/commands/change-members.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { addNestedGroups } from '../../src/domain/commands/nest-groups.ts';
import { createTenant, openAsAdmin } from '../support/directories.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { type Claims, startApp, type TestApp } from '../support/server.ts';

let database: TestDatabase;
let server: TestApp;
beforeAll(async () => {
  database = await openTestDatabase();
  server = await startApp(database.db);
});
afterAll(() => database.close());

const WHY = `query ($id: ID!, $userId: ID, $maxPaths: Int) { group(id: $id) { explainMembership(userId: $userId, maxPaths: $maxPaths) {
  isMember membershipType pathCount paths { steps { group { id name } since sinceAt addedBy } }
  lastLost { position at by cause group { groupId name } nestedGroup { groupId name } } } } }`;

/** A user in a group that is nested in another one, of which it is a direct member too. */
async function world() {
  const { tenantId, userIds } = await createTenant(database.db, 2);
  const directory = () => openAsAdmin(database.db, tenantId);
  const create = async (name: string) =>
    (await createGroup(directory(), { tenantId, name })).group.id as string;
  const [top, low] = [await create('Top'), await create('Low')];
  await addNestedGroups(directory(), { groupId: top, childGroupIds: [low] });
  const [user, other] = userIds as string[] as [string, string];
  for (const groupId of [low, top]) await addGroupMembers(directory(), { groupId, userIds: [user] });
  const admin: Claims = { sub: 'usr_admin', role: 'tenant_admin', tenant_id: tenantId };
  const self: Claims = { sub: user, tenant_id: tenantId };
  const why = async (claims: Claims, variables: object) =>
    (await server.data(claims, WHY, { id: top, ...variables })).group.explainMembership;
  return { top, low, user, other, admin, self, why, directory };
}

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

test('an administrator is told each path, since when and by whom', async () => {
  const { top, low, user, admin, why } = await world();
  const step = (id: string, name: string, since: string) => ({
    group: { id, name },
    since,
    sinceAt: TIME,
    addedBy: 'usr_administrator',
  });
  const explanation = {
    isMember: true,
    membershipType: 'DIRECT',
    pathCount: '2',
    paths: [{ steps: [step(top, 'Top', '5')] }, { steps: [step(low, 'Low', '4'), step(top, 'Top', '3')] }],
    lastLost: null,
  };
  expect(await why(admin, { userId: user })).toEqual(explanation);
  expect(await why(admin, { userId: user, maxPaths: 1 })).toEqual({
    ...explanation,
    paths: explanation.paths.slice(0, 1),
  });
});

test('an end user is told about itself, without positions and authors, and nothing about others', async () => {
  const { top, low, user, other, self, why } = await world();
  const step = (id: string, name: string) => ({
    group: { id, name },
    since: null,
    sinceAt: TIME,
    addedBy: null,
  });
  const own = {
    isMember: true,
    membershipType: 'DIRECT',
    pathCount: '2',
    paths: [{ steps: [step(top, 'Top')] }, { steps: [step(low, 'Low'), step(top, 'Top')] }],
    lastLost: null,
  };
  expect(await why(self, {})).toEqual(own);
  expect(await why(self, { userId: user })).toEqual(own);
  expect(await why(self, { userId: other })).toBeNull();
});

test('what took a membership away names the group, to whom sees it', async () => {
  const { top, low, user, admin, self, why, directory } = await world();
  await removeGroupMembers(directory(), { groupId: top, userIds: [user] });
  await addGroupMembers(directory(), { groupId: top, userIds: [user] });
  expect((await why(admin, { userId: user })).lastLost).toBeNull();
  await removeGroupMembers(directory(), { groupId: low, userIds: [user] });
  await removeGroupMembers(directory(), { groupId: top, userIds: [user] });
  expect(await why(admin, { userId: user })).toEqual({
    isMember: false,
    membershipType: null,
    pathCount: '0',
    paths: [],
    lastLost: {
      position: '9',
      at: TIME,
      by: 'usr_administrator',
      cause: 'REMOVED',
      group: { groupId: top, name: 'Top' },
      nestedGroup: null,
    },
  });
  // It sees a group again, and what it lost there, but not the group that it lost below it.
  await addGroupMembers(directory(), { groupId: top, userIds: [user] });
  expect((await why(self, {})).lastLost).toEqual({
    position: null,
    at: TIME,
    by: null,
    cause: 'REMOVED',
    group: { groupId: top, name: 'Top' },
    nestedGroup: null,
  });
});

test('a number of paths that is not from 1 to 100 is refused, and each that is listed costs', async () => {
  const { top, admin } = await world();
  for (const maxPaths of [0, 101]) {
    const { body } = await server.ask(admin, WHY, { id: top, maxPaths });
    expect(body.errors).toEqual([
      expect.objectContaining({
        extensions: {
          code: 'VALIDATION_FAILED',
          fields: [{ path: ['maxPaths'], message: 'must be between 1 and 100' }],
        },
      }),
    ]);
  }
  const many = `{ groups(first: 10) { edges { node { explainMembership(maxPaths: 100) { paths { steps { group { id } } } } } } } }`;
  const { body } = await server.ask(admin, many);
  expect(body.errors?.[0]?.extensions).toMatchObject({ code: 'LIMIT_EXCEEDED' });
});
