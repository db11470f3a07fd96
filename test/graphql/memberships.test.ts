// Members one by one, in question and as a whole: member nodes, checkMemberships and setGroupMembers.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addGroupMembers } from '../../src/domain/commands/add-members.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { addNestedGroups } from '../../src/domain/commands/nest-groups.ts';
import { setGroupMembers } from '../../src/domain/commands/set-members.ts';
import { checkDirectory } from '../../src/domain/integrity/check.ts';
import { newId } from '../../src/model/ids.ts';
import { createTenant, openAsAdmin } from '../support/directories.ts';
import { refusal } from '../support/group-worlds.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { type Claims, SUPER_ADMIN, startApp, type TestApp } from '../support/server.ts';

let database: TestDatabase;
let server: TestApp;
beforeAll(async () => {
  database = await openTestDatabase();
  server = await startApp(database.db);
});
afterAll(() => database.close());

async function world() {
  const { db } = database;
  const { tenantId, userIds } = await createTenant(db, 4);
  const directory = openAsAdmin(db, tenantId);
  const create = async (name: string, initialMemberIds: string[] = []) =>
    (await createGroup(directory, { tenantId, name, initialMemberIds })).group.id;
  const [a, b, c, d] = userIds as [(typeof userIds)[0], ...[string, string, string]];
  const low = await create('Low', [a, b]);
  const top = await create('Top', [c]);
  await addNestedGroups(directory, { groupId: top, childGroupIds: [low] });
  return { tenantId, directory, low, top, a: a as string, b, c, d };
}

describe('a member', () => {
  const NODE = `query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id ... on Member {
    userId membershipType addedAt inheritedThrough { id name } } } }`;

  test('is a node with the id of the pair, the same by every way that leads to it', async () => {
    const { tenantId, directory, low, top, a, c, d } = await world();
    const admin = { sub: 'usr_admin', role: 'tenant_admin', tenant_id: tenantId };
    const lists = `query ($id: ID!) { group(id: $id) {
      members { edges { node { id } } } effectiveMembers { edges { node { id membershipType inheritedThrough { name } } } } } }`;
    const { group } = await server.data(admin, lists, { id: top });
    expect(group.members.edges).toEqual([{ node: { id: `${top}.${c}` } }]);
    const members = group.effectiveMembers.edges.map(({ node }: { node: object }) => node);
    expect(members).toHaveLength(3);
    expect(members).toContainEqual({
      id: `${top}.${a}`,
      membershipType: 'INHERITED',
      inheritedThrough: { name: 'Low' },
    });
    expect(members).toContainEqual({ id: `${top}.${c}`, membershipType: 'DIRECT', inheritedThrough: null });
    const ids = [`${top}.${a}`, `${low}.${a}`, `${top}.${d}`, `${top}.${newId('user')}`];
    const nodes = (await server.data(admin, NODE, { ids })).nodes;
    expect(nodes).toEqual([
      {
        __typename: 'Member',
        id: ids[0],
        userId: a,
        membershipType: 'INHERITED',
        addedAt: null,
        inheritedThrough: { id: low, name: 'Low' },
      },
      {
        __typename: 'Member',
        id: ids[1],
        userId: a,
        membershipType: 'DIRECT',
        addedAt: expect.any(String),
        inheritedThrough: null,
      },
      null,
      null,
    ]);
    // Of two ways the shorter one is told, whatever the names and ids.
    const { group: middle } = await createGroup(directory, {
      tenantId,
      name: 'Middle',
      initialMemberIds: [a],
    });
    const { group: lower } = await createGroup(directory, { tenantId, name: 'Lower' });
    await addNestedGroups(directory, { groupId: lower.id, childGroupIds: [middle.id] });
    await addNestedGroups(directory, { groupId: top, childGroupIds: [lower.id] });
    const [again] = (await server.data(admin, NODE, { ids: [ids[0]] })).nodes;
    expect(again.inheritedThrough.id).toBe(low);
  });

  test('is hidden from whom its group or its user is', async () => {
    const { tenantId, top, a, c } = await world();
    const foreign = await world();
    const ids = [`${top}.${a}`, `${top}.${c}`, `${foreign.top}.${foreign.a}`, `${top}.${foreign.a}`];
    const seen = async (claims: Claims) =>
      (await server.data(claims, NODE, { ids })).nodes.map((node: { id: string } | null) => node?.id ?? null);
    expect(await seen({ sub: 'usr_admin', role: 'tenant_admin', tenant_id: tenantId })).toEqual([
      ids[0],
      ids[1],
      null,
      null,
    ]);
    expect(await seen({ sub: a, tenant_id: tenantId })).toEqual([ids[0], null, null, null]);
    expect(await seen(SUPER_ADMIN)).toEqual([ids[0], ids[1], ids[2], null]);
    const odd = { ids: [`${top}.`, `.${a}`, `${a}.${top}`, `${top}.${a}.x`, '.', `${top}.usr_`] };
    expect((await server.data(SUPER_ADMIN, NODE, odd)).nodes).toEqual([null, null, null, null, null, null]);
  });
});

describe('checkMemberships', () => {
  const check = async (claims: Claims, pairs: [string, string][]) => {
    const checks = pairs.map(([groupId, userId]) => ({ groupId, userId }));
    const text = 'query ($checks: [MembershipCheck!]!) { checkMemberships(checks: $checks) }';
    return (await server.ask(claims, text, { checks })).body;
  };

  test('answers in order, with false for what is hidden, never issued or no id', async () => {
    const { tenantId, low, top, a, c, d } = await world();
    const foreign = await world();
    const pairs: [string, string][] = [
      [top, a],
      [low, c],
      [top, c],
      [top, d],
      [foreign.top, foreign.a],
      [top, foreign.a],
      [newId('group'), a],
      ['x', 'a\0'],
      [top, a],
    ];
    const admin = { sub: 'usr_admin', role: 'tenant_admin', tenant_id: tenantId };
    const mine = [true, false, true, false, false, false, false, false, true];
    expect((await check(admin, pairs)).data).toEqual({ checkMemberships: mine });
    expect((await check(SUPER_ADMIN, pairs)).data).toEqual({ checkMemberships: mine.with(4, true) });
    // An end user is told of itself alone.
    const user = { sub: a, tenant_id: tenantId };
    expect((await check(user, pairs)).data).toEqual({
      checkMemberships: pairs.map(([group, id], at) => id === a && group === top && at !== 6),
    });
    expect((await check(admin, [])).data).toEqual({ checkMemberships: [] });
  });

  test('of 1,000 pairs takes one statement, and no more are taken', async () => {
    const { tenantId, top, a, b, c, d } = await world();
    const admin = { sub: 'usr_admin', role: 'tenant_admin', tenant_id: tenantId };
    const users = [a, b, c, d];
    const pairs = Array.from({ length: 1_000 }, (_, at): [string, string] => [
      at % 8 < 4 ? top : newId('group'),
      users[at % 4]!,
    ]);
    const statements: string[] = [];
    const stop = database.db.onStatement((text) => statements.push(text));
    const { data, extensions } = await check(admin, pairs);
    stop();
    expect((data!.checkMemberships as unknown as boolean[]).filter(Boolean)).toHaveLength(375);
    expect(extensions).toMatchObject({ cost: { requested: 1_000 } });
    expect(statements.length).toBeLessThanOrEqual(2);
    const { errors } = await check(admin, [...pairs, pairs[0]!]);
    expect(errors![0]!.extensions).toMatchObject({ code: 'LIMIT_EXCEEDED', limit: 1_000 });
  });
});

describe('setGroupMembers', () => {
  test('adds who is missing, removes the others, and leaves the rest as it was', async () => {
    const { tenantId, directory, low, a, b, c, d } = await world();
    const { added, removed, group, position } = await setGroupMembers(directory, {
      groupId: low,
      userIds: [d, b, c, d],
    });
    expect([added.toSorted(), removed, group.memberCount]).toEqual([[c, d].toSorted(), [a], 3]);
    const again = await setGroupMembers(directory, { groupId: low, userIds: [b, c, d] });
    expect(again).toMatchObject({ added: [], removed: [], position });
    const none = await setGroupMembers(directory, { groupId: low, userIds: [] });
    expect([none.removed.toSorted(), none.group.memberCount]).toEqual([[b, c, d].toSorted(), 0]);
    expect(await checkDirectory(database.db, tenantId)).toEqual([]);
  });

  test('is refused if members have changed since the expected position, and for that alone', async () => {
    const { directory, low, top, a, b, c, d } = await world();
    const { position } = await setGroupMembers(directory, { groupId: low, userIds: [a] });
    // A change of another group is none of its members.
    await addGroupMembers(directory, { groupId: top, userIds: [d] });
    const second = await setGroupMembers(directory, {
      groupId: low,
      userIds: [a, b],
      expectedPosition: position,
    });
    for (const expectedPosition of [position, second.position + 1, 10 ** 12])
      expect(
        await refusal(setGroupMembers(directory, { groupId: low, userIds: [c], expectedPosition })),
      ).toMatchObject({ code: 'VERSION_CONFLICT', details: { currentVersion: 1 } });
    const third = { groupId: low, userIds: [c], expectedPosition: second.position };
    expect((await setGroupMembers(directory, third)).removed.toSorted()).toEqual([a, b].toSorted());
  });

  test('takes 10,000 users, and no one who is not of the tenant', async () => {
    const { directory, low, a } = await world();
    const foreign = await world();
    const many = Array.from({ length: 10_000 }, () => newId('user'));
    expect(await refusal(setGroupMembers(directory, { groupId: low, userIds: many }))).toMatchObject({
      code: 'UNKNOWN_USERS',
    });
    expect(await refusal(setGroupMembers(directory, { groupId: low, userIds: [...many, a] }))).toMatchObject({
      code: 'LIMIT_EXCEEDED',
      details: { limit: 10_000 },
    });
    expect(await refusal(setGroupMembers(directory, { groupId: low, userIds: [foreign.a] }))).toMatchObject({
      code: 'UNKNOWN_USERS',
      details: { userIds: [foreign.a] },
    });
    expect(await refusal(setGroupMembers(directory, { groupId: foreign.low, userIds: [] }))).toMatchObject({
      code: 'NOT_FOUND',
    });
  });
});
