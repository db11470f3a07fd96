// Previews over GraphQL: what is shown by either executor, and what an application is refused with.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { createTenant, openAsAdmin } from '../support/directories.ts';
import { createWorld } from '../support/group-worlds.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { type Claims, startApp, type TestApp } from '../support/server.ts';

let database: TestDatabase;
let servers: TestApp[];
beforeAll(async () => {
  database = await openTestDatabase();
  servers = [await startApp(database.db), await startApp(database.db, {}, { inProcess: true })];
});
afterAll(() => database.close());

const EFFECTS = `hash position effects {
  outcomes { index refusal { __typename code message changeIndex ... on NameTakenError { names } ... on CycleError { path { name } } }
    createdGroups { groupId createdBy name group { id } } updatedGroups { group { groupId group { name } } before after }
    movedGroups { group { name } from { name } to { groupId } } deletedGroups { groupId } restoredGroups { groupId }
    notRestored { reason } addedMembershipCount removedMembershipCount addedNestingCount removedNestingCount
    createdUserIds updatedUsers { userId before after } removedUserIds erasedUserIds }
  affectedGroups(first: 2) { totalCount pageInfo { hasNextPage endCursor } edges { cursor node {
    group { groupId name } joiningCount leavingCount joining(first: 1) { userId user { id } } leaving { userId } } } } }`;
const PREVIEW = `query ($changes: [ChangeInput!]!) { previewChanges(changes: $changes) { ${EFFECTS} } }`;
const APPLY = `mutation ($input: ApplyChangesInput!) { applyChanges(input: $input) {
  __typename ... on ApplyChangesPayload { ${EFFECTS} } ... on Error { code message changeIndex } } }`;

async function world() {
  const made = await createWorld(
    database.db,
    { Top: { nests: ['Mid'] }, Mid: { nests: ['Low'] }, Low: { members: [0] } },
    3,
  );
  const admin: Claims = { sub: 'usr_admin', role: 'tenant_admin', tenant_id: made.tenantId };
  return { ...made, admin };
}

test('a preview and its application, by each executor, and again once it is compiled', async () => {
  const { tenantId, users, ids, admin } = await world();
  const changes = [
    { addGroupMembers: { groupId: ids.Low, userIds: users } },
    { createGroup: { tenantId, name: 'top' } },
    { addNestedGroups: { groupId: ids.Low, childGroupIds: [ids.Top] } },
    { updateGroup: { id: ids.Mid, description: 'Middle', parentGroupId: ids.Top } },
  ];
  const answers = [];
  for (const server of servers)
    for (let run = 0; run < 5; run += 1)
      answers.push((await server.data(admin, PREVIEW, { changes })).previewChanges);
  for (const answer of answers) expect(answer).toEqual(answers[0]);
  const [{ effects, position, hash }] = answers;
  expect(position).toBe('0');
  expect(effects.outcomes.map(({ refusal }: { refusal: unknown }) => refusal)).toEqual([
    null,
    {
      __typename: 'NameTakenError',
      code: 'NAME_TAKEN',
      message: expect.any(String),
      changeIndex: null,
      names: ['Top'],
    },
    {
      __typename: 'CycleError',
      code: 'CYCLE',
      message: expect.any(String),
      changeIndex: null,
      path: ['Low', 'Top', 'Mid', 'Low'].map((name) => ({ name })),
    },
    null,
  ]);
  expect(effects.outcomes[3]).toMatchObject({
    updatedGroups: [{ before: { description: null }, after: { description: 'Middle' } }],
    movedGroups: [{ group: { name: 'Mid' }, from: null, to: { groupId: ids.Top } }],
  });
  expect(effects.affectedGroups).toMatchObject({ totalCount: 3, pageInfo: { hasNextPage: true } });
  expect(effects.affectedGroups.edges[0].node).toEqual({
    group: { groupId: ids.Low, name: 'Low' },
    joiningCount: 2,
    leavingCount: 0,
    joining: [{ userId: users[1], user: { id: users[1] } }],
    leaving: [],
  });
  const { applyChanges: refused } = await servers[0]!.data(admin, APPLY, {
    input: { changes, previewHash: hash },
  });
  expect(refused).toEqual({
    __typename: 'NameTakenError',
    code: 'NAME_TAKEN',
    message: expect.any(String),
    changeIndex: 1,
  });
  const valid = [changes[0], changes[3], { createGroup: { tenantId, name: 'New' } }];
  const { previewChanges: preview } = await servers[0]!.data(admin, PREVIEW, { changes: valid });
  const apply = async (previewHash: string) =>
    (await servers[1]!.data(admin, APPLY, { input: { changes: valid, previewHash } })).applyChanges;
  expect(await apply(hash)).toEqual({
    __typename: 'PreviewStaleError',
    code: 'PREVIEW_STALE',
    message: expect.any(String),
    changeIndex: null,
  });
  const applied = await apply(preview.hash);
  expect(applied).toMatchObject({ __typename: 'ApplyChangesPayload', position: '1', hash: preview.hash });
  const [created] = applied.effects.outcomes[2].createdGroups;
  expect(created).toEqual({
    groupId: created.group.id,
    createdBy: 2,
    name: 'New',
    group: { id: created.groupId },
  });
  expect(preview.effects.outcomes[2].createdGroups).toEqual([
    { groupId: null, createdBy: 2, name: 'New', group: null },
  ]);
});

test('pages of affected groups follow each other in both directions', async () => {
  const { users, ids, admin } = await world();
  const changes = [{ addGroupMembers: { groupId: ids.Low, userIds: users } }];
  const page = async (args: string) => {
    const { previewChanges } = await servers[0]!.data(
      admin,
      `query ($changes: [ChangeInput!]!) { previewChanges(changes: $changes) { effects { affectedGroups(${args}) {
        pageInfo { hasNextPage hasPreviousPage endCursor startCursor } edges { node { group { name } } } } } } }`,
      { changes },
    );
    const { edges, pageInfo } = previewChanges.effects.affectedGroups;
    return {
      names: edges.map((edge: { node: { group: { name: string } } }) => edge.node.group.name),
      ...pageInfo,
    };
  };
  const first = await page('first: 2');
  expect(first).toMatchObject({ names: ['Low', 'Mid'], hasNextPage: true, hasPreviousPage: false });
  const next = await page(`first: 2, after: "${first.endCursor}"`);
  expect(next).toMatchObject({ names: ['Top'], hasNextPage: false, hasPreviousPage: true });
  expect(await page(`last: 1, before: "${next.startCursor}"`)).toMatchObject({
    names: ['Mid'],
    hasNextPage: true,
    hasPreviousPage: true,
  });
});

test('a change with no input or with two is refused before anything runs', async () => {
  const { ids, admin } = await world();
  const group = { id: ids.Low };
  for (const change of [{}, { deleteGroup: group, restoreGroup: group }, { deleteGroup: null }])
    for (const server of servers) {
      const { body } = await server.ask(admin, PREVIEW, { changes: [change] });
      expect(body.errors?.[0]?.message).toMatch(/ChangeInput|must be non-null/);
      expect(body.data ?? null).toBeNull();
    }
});

test('costs grow with the changes: one preview of a hundred fits, two do not', async () => {
  const { ids, admin } = await world();
  const ask = (count: number, query: string) =>
    servers[0]!.ask(admin, query, { changes: Array(count).fill({ deleteGroup: { id: ids.Low } }) });
  const one = 'previewChanges(changes: $changes) { hash }';
  const declared = 'query ($changes: [ChangeInput!]!)';
  const { body } = await ask(100, `${declared} { ${one} }`);
  expect(body.extensions?.cost).toMatchObject({ requested: 6_000 });
  const { body: twice } = await ask(100, `${declared} { ${one} again: ${one} }`);
  expect(twice.errors?.[0]?.extensions).toMatchObject({ code: 'LIMIT_EXCEEDED' });
  const { body: many } = await ask(101, `${declared} { ${one} }`);
  expect(many.errors?.[0]?.extensions).toMatchObject({ code: 'LIMIT_EXCEEDED', limit: 100 });
});

test('who may only read is refused, and an end user finds nothing', async () => {
  const { tenantId, users, ids } = await world();
  const changes = [{ deleteGroup: { id: ids.Low } }];
  const codeFor = async (claims: Claims) =>
    (await servers[0]!.ask(claims, PREVIEW, { changes })).body.errors?.[0]?.extensions.code;
  expect(await codeFor({ sub: 'client', tenant_id: tenantId, scope: 'groups:read' })).toBe('FORBIDDEN');
  expect(await codeFor({ sub: users[0], tenant_id: tenantId })).toBe('NOT_FOUND');
  const { partnerId } = await createTenant(database.db);
  expect(await codeFor({ sub: 'usr_p', role: 'partner_admin', partner_id: partnerId })).toBe('NOT_FOUND');
});

test('what a change does to many groups is shown in part, and counted whole', async () => {
  const { tenantId } = await createTenant(database.db);
  const directory = openAsAdmin(database.db, tenantId);
  const { group: parent } = await createGroup(directory, { tenantId, name: 'Parent' });
  for (let at = 0; at < 25; at += 1)
    await createGroup(directory, { tenantId, name: `Child ${at}`, parentGroupId: parent.id });
  const admin = { sub: 'usr_admin', role: 'tenant_admin', tenant_id: tenantId };
  const ask = (first: string) =>
    servers[0]!.ask(
      admin,
      `query ($changes: [ChangeInput!]!) { previewChanges(changes: $changes) { effects { outcomes {
        movedGroupCount deletedGroupCount movedGroups${first} { group { group { members(first: 100) { edges { node { userId } } } } } } } } } }`,
      { changes: [{ deleteGroup: { id: parent.id, strategy: 'ORPHAN' } }] },
    );
  const shown = async (first: string) => {
    const { body } = await ask(first);
    const [outcome] = (body.data as unknown as Previewed).previewChanges.effects.outcomes;
    const cost = (body.extensions as { cost: { requested: number } }).cost.requested;
    return [outcome!.movedGroups.length, outcome!.movedGroupCount, outcome!.deletedGroupCount, cost];
  };
  const [few, , , small] = await shown('(first: 3)');
  const [some, moved, deleted, large] = await shown('');
  expect([few, some, moved, deleted]).toEqual([3, 20, 25, 1]);
  expect(large! - small!).toBeGreaterThan(17 * 100);
  expect((await ask('(first: 101)')).body.errors![0]!.extensions.code).toMatch(
    /VALIDATION_FAILED|LIMIT_EXCEEDED/,
  );
});

type Previewed = {
  previewChanges: {
    effects: { outcomes: { movedGroups: object[]; movedGroupCount: number; deletedGroupCount: number }[] };
  };
};
