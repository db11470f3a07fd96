// `asOf`: the directory as it was, as GraphQL tells it.
import { type GraphQLObjectType, isObjectType } from 'graphql';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { addGroupMembers } from '../../src/domain/commands/add-members.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { deleteGroup } from '../../src/domain/commands/delete-group.ts';
import { addNestedGroups } from '../../src/domain/commands/nest-groups.ts';
import { eraseUsers } from '../../src/domain/commands/remove-users.ts';
import { updateGroup } from '../../src/domain/commands/update-group.ts';
import { schema } from '../../src/graphql/schema/schema.ts';
import { createTenant, openAsAdmin } from '../support/directories.ts';
import { positionOf } from '../support/group-worlds.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { type Claims, startApp, type TestApp } from '../support/server.ts';

let database: TestDatabase;
let server: TestApp;
beforeAll(async () => {
  database = await openTestDatabase();
  server = await startApp(database.db, { LIMIT_COST: '1000000' });
});
afterAll(() => database.close());

/** Fields of now that a snapshot has by another name, or that are not of then. */
const NOT_OF_THEN: Record<string, readonly string[]> = {
  Group: ['id', 'tenant', 'asOf', 'history', 'viewerCan'],
  User: ['id', 'tenant', 'asOf', 'history'],
  Tenant: ['id', 'name', 'slug', 'partner', 'asOf', 'changes', 'deletedGroups'],
  Member: ['id'],
};

test.each(Object.keys(NOT_OF_THEN))('a snapshot of a %s has its fields, with the same arguments', (name) => {
  const fieldsOf = (type: string) => {
    const named = schema.getType(type);
    if (!isObjectType(named)) throw new Error(`${type} is no object type`);
    const fields = Object.values(named.getFields());
    return new Map(fields.map((field) => [field.name, field.args.map((arg) => arg.name)]));
  };
  const [now, then] = [fieldsOf(name), fieldsOf(`${name}Snapshot`)];
  for (const field of NOT_OF_THEN[name]!) now.delete(field);
  expect([...now.keys()].filter((field) => !then.has(field))).toEqual([]);
  for (const [field, args] of now) expect([field, then.get(field)]).toEqual([field, args]);
  expect(then.has('id')).toBe(false);
  expect((schema.getType(`${name}Snapshot`) as GraphQLObjectType).getInterfaces()).toEqual([]);
});

/** Groups in each other, and what became of them. `then`: the position before. */
async function world(groupCount: number) {
  const { tenantId, userIds } = await createTenant(database.db, groupCount + 2);
  const directory = openAsAdmin(database.db, tenantId);
  const create = async (name: string, parentGroupId: string | null = null, members: string[] = []) =>
    (await createGroup(directory, { tenantId, name, parentGroupId, initialMemberIds: members })).group.id;
  const top = await create('Top');
  const groups: string[] = [];
  for (let at = 0; at < groupCount; at += 1) {
    const id = await create(`Group ${at}`, top, [userIds[at]!]);
    const below = await create(`Below ${at}`, id, [userIds[at + 1]!]);
    await addNestedGroups(directory, { groupId: id, childGroupIds: [below] });
    groups.push(id);
  }
  await addNestedGroups(directory, { groupId: top, childGroupIds: groups });
  const then = String(await positionOf(database.db, tenantId));
  for (const id of groups) await updateGroup(directory, { id, name: `New ${id}` });
  await addGroupMembers(directory, { groupId: top, userIds: [userIds.at(-1)!] });
  await deleteGroup(directory, { id: groups[0]!, strategy: 'CASCADE' });
  const claims: Claims = { sub: 'usr_admin', role: 'tenant_admin', tenant_id: tenantId };
  return { tenantId, users: userIds as string[], directory, top, groups, then, claims };
}

const EVERYTHING = `query ($id: ID!, $then: Position!, $user: ID!) { tenant(id: $id) { asOf(position: $then) {
  tenantId position at
  users(first: 5) { totalCount edges { node { userId email isErased groups { totalCount edges { node { name } } }
    effectiveGroups { totalCount edges { node { name } } } } } }
  groups(first: 100, filter: { search: "group" }) { totalCount pageInfo { hasNextPage } edges { cursor node {
    groupId name path type version memberCount nestedGroupCount effectiveMemberCount
    parent { name } ancestors { name }
    children { totalCount edges { node { name } } }
    nestedGroups { totalCount edges { node { name } } }
    parentGroups { totalCount edges { node { name } } }
    members { totalCount edges { node { userId addedAt user { email groups { totalCount } } } } }
    effectiveMembers { totalCount edges { node { userId membershipType email } } }
    direct: effectiveMembers(membershipType: DIRECT) { totalCount edges { node { userId } } }
    hasEffectiveMember(userId: $user)
    explainMembership(userId: $user) { isMember pathCount paths { steps { groupId name since group { name } } }
      lastLost { position } }
  } } } } } }`;

async function counted(claims: Claims, variables: Record<string, unknown>) {
  const statements: string[] = [];
  const stop = database.db.onStatement((statement) => statements.push(statement));
  const data = await server.data(claims, EVERYTHING, variables);
  stop();
  return { data, statements };
}

test('everything of then takes as many statements for 2 groups as for 30, and none tells of later', async () => {
  const [few, many] = [await world(2), await world(30)];
  const asked = [];
  for (const { claims, tenantId, then, users } of [few, many])
    asked.push(await counted(claims, { id: tenantId, then, user: users[1] }));
  const [first, second] = asked;
  expect(second!.statements.length).toBe(first!.statements.length);
  expect(first!.statements.length).toBeLessThanOrEqual(26);
  const { asOf } = second!.data.tenant;
  expect(asOf).toMatchObject({ tenantId: many.tenantId, position: many.then });
  expect(asOf.groups).toMatchObject({ totalCount: 30, pageInfo: { hasNextPage: false } });
  // But for the groups of steps as they are now.
  const ofThen = JSON.stringify(asOf).replaceAll(/"group":\{[^}]*\}/g, '');
  expect(ofThen.includes('New grp_')).toBe(false);
  const [node] = asOf.groups.edges.map((edge: { node: object }) => edge.node);
  expect(node).toMatchObject({
    groupId: many.groups[0],
    name: 'Group 0',
    path: 'Top',
    version: 1,
    memberCount: 1,
    nestedGroupCount: 1,
    effectiveMemberCount: 2,
    parent: { name: 'Top' },
    ancestors: [{ name: 'Top' }],
    children: { totalCount: 1, edges: [{ node: { name: 'Below 0' } }] },
    nestedGroups: { totalCount: 1 },
    parentGroups: { totalCount: 1, edges: [{ node: { name: 'Top' } }] },
    members: { totalCount: 1, edges: [{ node: { userId: many.users[0] } }] },
    effectiveMembers: { totalCount: 2 },
    direct: { totalCount: 1, edges: [{ node: { userId: many.users[0] } }] },
    hasEffectiveMember: true,
    explainMembership: {
      isMember: true,
      pathCount: '1',
      // Both groups are deleted by now.
      paths: [
        {
          steps: [
            { name: 'Below 0', group: null },
            { name: 'Group 0', group: null },
          ],
        },
      ],
      lastLost: null,
    },
  });
});

test('a group and a user lead to themselves, by a time as well; what there was not is null', async () => {
  const { claims, groups, users, then, top, tenantId } = await world(3);
  const text = `query ($tenant: ID!, $group: ID!, $user: ID!, $then: Position!) {
    group(id: $group) { name asOf(position: $then) { groupId name } first: asOf(position: "0") { name } }
    user(id: $user) { asOf(position: $then) { userId effectiveGroups { edges { node { name } } } } }
    tenant(id: $tenant) { asOf(position: $then) { at group(id: $group) { name } user(id: $user) { email }
      none: group(id: "grp_neverissued00000") { name } } } }`;
  const data = await server.data(claims, text, { tenant: tenantId, group: groups[1], user: users[1], then });
  const { at, ...of } = data.tenant.asOf;
  expect(data.group).toEqual({
    name: `New ${groups[1]}`,
    asOf: { groupId: groups[1], name: 'Group 1' },
    first: null,
  });
  expect(
    data.user.asOf.effectiveGroups.edges.map(({ node }: { node: { name: string } }) => node.name),
  ).toEqual(['Below 0', 'Group 0', 'Group 1', 'Top']);
  expect(of).toEqual({
    group: { name: 'Group 1' },
    user: { email: `${users[1]!.toLowerCase()}@example.org` },
    none: null,
  });
  const byTime = `query ($id: ID!, $at: DateTime!) { group(id: $id) { asOf(at: $at) { nestedGroupCount memberCount } } }`;
  expect((await server.data(claims, byTime, { id: top, at })).group.asOf).toEqual({
    nestedGroupCount: 3,
    memberCount: 0,
  });
});

test('an erased user shows as erased, and is found by no address', async () => {
  const { claims, directory, groups, users, then, tenantId } = await world(2);
  await eraseUsers(directory, { tenantId, userIds: [users[1]!] });
  const text = `query ($tenant: ID!, $group: ID!, $user: ID!, $then: Position!) { tenant(id: $tenant) { asOf(position: $then) {
    user(id: $user) { userId email displayName isErased } userByEmail(email: " ") { userId }
    group(id: $group) { members { edges { node { userId email displayName } } } } } } }`;
  const { tenant } = await server.data(claims, text, {
    tenant: tenantId,
    group: groups[1],
    user: users[1],
    then,
  });
  const blank = { userId: users[1], email: null, displayName: null };
  expect(tenant.asOf).toEqual({
    user: { ...blank, isErased: true },
    userByEmail: null,
    group: { members: { edges: [{ node: blank }] } },
  });
});

test('a moment that the history does not hold is refused with what it holds, and end users see no past', async () => {
  const { claims, tenantId, users, top } = await world(1);
  const text = `query ($id: ID!, $position: Position, $at: DateTime) { tenant(id: $id) { asOf(position: $position, at: $at) { at } } }`;
  const refusal = async (variables: object) => {
    const { status, body } = await server.ask(claims, text, { id: tenantId, ...variables });
    expect([status, body.data]).toEqual([200, { tenant: { asOf: null } }]);
    return body.errors![0]!.extensions;
  };
  for (const variables of [{ position: '999' }, { at: '1999-12-31T00:00:00Z' }])
    expect(await refusal(variables)).toMatchObject({ code: 'HISTORY_UNAVAILABLE', firstPosition: '0' });
  for (const variables of [{}, { position: '1', at: '2026-01-01T00:00:00Z' }, { at: '2999-12-31T00:00:00Z' }])
    expect(await refusal(variables)).toMatchObject({ code: 'VALIDATION_FAILED' });
  const self: Claims = { sub: users.at(-1)!, tenant_id: tenantId };
  const own = `query ($id: ID!) { viewer { user { asOf(position: "1") { userId } } } group(id: $id) { name asOf(position: "1") { name } } }`;
  expect(await server.data(self, own, { id: top })).toEqual({
    viewer: { user: { asOf: null } },
    group: { name: 'Top', asOf: null },
  });
});
