// One statement a batch: how many a query needs depends on what it selects, never on how many rows it meets.
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
let claims: Claims;
let groupIds: string[];
let userIds: string[];

/** 50 groups, first by name; each is filed under and nested in a last one, and holds one of its own. */
beforeAll(async () => {
  database = await openTestDatabase();
  server = await startApp(database.db, { LIMIT_COST: '1000000' });
  const tenant = await createTenant(database.db, 61);
  const { tenantId } = tenant;
  userIds = tenant.userIds;
  claims = { sub: 'usr_admin', role: 'tenant_admin', tenant_id: tenantId };
  const directory = openAsAdmin(database.db, tenantId);
  const create = async (name: string, parentGroupId: string | null, initialMemberIds: string[]) =>
    (await createGroup(directory, { tenantId, name, parentGroupId, initialMemberIds })).group.id;
  const last = await create('Last', null, []);
  groupIds = [];
  for (let at = 0; at < 50; at += 1) {
    const number = String(at).padStart(2, '0');
    const id = await create(`Group ${number}`, last, [userIds[at]!, userIds[at + 5]!, userIds[at + 10]!]);
    const below = await create(`Part ${number}`, id, [userIds[at + 2]!]);
    await addNestedGroups(directory, { groupId: id, childGroupIds: [below] });
    groupIds.push(id);
  }
  // A user who was in many groups is in none.
  for (const groupId of groupIds.slice(0, 20)) {
    const membership = { groupId, userIds: [userIds[60]!] };
    await addGroupMembers(directory, membership);
    await removeGroupMembers(directory, membership);
  }
  await addNestedGroups(directory, { groupId: last, childGroupIds: groupIds });
  // From its first answer on a server knows a position of the log.
  await server.data(claims, '{ groups(first: 1) { totalCount } }');
});
afterAll(() => database.close());

/** The data, and the statements that it took. */
async function counted(text: string, variables: object, app = server) {
  const statements: string[] = [];
  const stop = database.db.onStatement((statement) => statements.push(statement));
  const data = await app.data(claims, text, variables as Record<string, unknown>);
  stop();
  return { data, statements };
}

const EVERYTHING = `query ($first: Int!) {
  groups(first: $first) {
    totalCount
    edges { node {
      id path memberCount effectiveMemberCount nestedGroupCount
      tenant { name partner { name } }
      parent { name }
      ancestors { name }
      members(first: 5) { totalCount edges { node { email user { email tenant { name } } } } }
      nestedGroups(first: 5) { totalCount edges { node {
        name memberCount members(first: 5) { totalCount edges { node { email } } }
      } } }
      parentGroups(first: 5) { totalCount edges { node { name } } }
      children(first: 5) { totalCount edges { node { name } } }
      effectiveMembers(first: 5) { totalCount edges { node { email membershipType user {
        groups(first: 5) { totalCount edges { node { name } } }
        effectiveGroups(first: 5) { totalCount edges { node { name } } }
      } } } }
      hasEffectiveMember(userId: "usr_nobody")
    } }
  }
}`;

/** A server that knows nothing yet of what groups reach. */
const fresh = () => startApp({ ...database.db }, { LIMIT_COST: '1000000' });

test('a query that walks every edge takes as many statements for 2 groups as for 50', async () => {
  const cold = [
    await counted(EVERYTHING, { first: 2 }, await fresh()),
    await counted(EVERYTHING, { first: 50 }, await fresh()),
  ];
  // Asked again, what groups reach is known, and only looked after.
  await counted(EVERYTHING, { first: 50 });
  const warm = [await counted(EVERYTHING, { first: 2 }), await counted(EVERYTHING, { first: 50 })];
  for (const [few, many] of [cold, warm]) {
    expect(few!.data.groups.edges).toHaveLength(2);
    expect(many!.data.groups.edges).toHaveLength(50);
    expect(many!.statements.length).toBe(few!.statements.length);
    // One for the page, one for its total, and at most two for each list, count and lookup below.
    expect(few!.statements.length).toBeLessThanOrEqual(26);
  }
});

test('the answers of a batch are those of each group alone', async () => {
  const { data } = await counted(EVERYTHING, { first: 50 });
  for (const at of [0, 1, 25, 49]) {
    const selection = EVERYTHING.slice(EVERYTHING.indexOf('{\n      id') + 1, EVERYTHING.lastIndexOf('} }'));
    const { group } = await server.data(claims, `query ($id: ID!) { group(id: $id) {${selection}} }`, {
      id: groupIds[at],
    });
    expect(data.groups.edges[at].node).toEqual(group);
  }
});

test('aliases of one field take a statement for each of their arguments, for all parents', async () => {
  const members = `two: members(first: 2) { edges { node { userId } } } again: members(first: 2) { totalCount }
    last: members(last: 1) { edges { node { userId } } } found: members(search: "example") { edges { node { userId } } }`;
  const { data, statements } = await counted(`query ($id: ID!) { group(id: $id) { ${members} } }`, {
    id: groupIds[7],
  });
  expect(data.group.two.edges).toHaveLength(2);
  expect(data.group.found.edges).toHaveLength(3);
  expect(data.group.last.edges).toEqual(data.group.found.edges.slice(-1));
  // The group, and pages by three different arguments; the total is the group's.
  expect(statements).toHaveLength(4);
  const many = await counted(`{ groups(first: 50) { edges { node { ${members} } } } }`, {});
  expect(many.data.groups.edges).toHaveLength(50);
  expect(many.statements).toHaveLength(4);
});

test('nodes and entities of 50 groups take one statement, and what hangs off them one more', async () => {
  const ids = { ids: groupIds };
  const nodes =
    'query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Group { name memberCount parentGroups { totalCount } } } }';
  expect((await counted(nodes, ids)).statements).toHaveLength(2);
  const representations = groupIds.map((id) => ({ __typename: 'Group', id }));
  const entities =
    'query ($representations: [_Any!]!) { _entities(representations: $representations) { ... on Group { name memberCount parentGroups { totalCount } } } }';
  expect((await counted(entities, { representations })).statements).toHaveLength(2);
});

/**
 * How many statements a query of one group takes in a server that knows nothing yet, and when it is asked again. The first answer
 * takes one more than those: which position of the log it is of. From then on that is known.
 */
test.each<[string, number, number]>([
  ['effectiveMemberCount', 2, 2],
  ['effectiveMembers { totalCount }', 2, 2],
  ['effectiveMembers { edges { node { userId } } }', 3, 2],
  ['effectiveMembers { totalCount edges { node { userId } } }', 3, 2],
  ['effectiveMembers { pageInfo { hasNextPage } edges { node { email user { displayName } } } }', 3, 2],
  ['effectiveMembers(membershipType: DIRECT) { edges { node { userId addedAt } } }', 2, 2],
  ['effectiveMembers(search: "example") { totalCount edges { node { userId } } }', 2, 2],
  [
    'one: effectiveMembers(first: 1) { totalCount } two: effectiveMembers(first: 2) { totalCount } effectiveMemberCount',
    2,
    2,
  ],
  ['hasEffectiveMember', 2, 2],
  ['me: hasEffectiveMember you: hasEffectiveMember(userId: "usr_you")', 2, 2],
  ['members { totalCount edges { node { userId } } } memberCount', 2, 2],
])('of one group, { %s } takes %i statements, and then %i', async (selection, cold, warm) => {
  const text = `query ($id: ID!) { group(id: $id) { ${selection} } }`;
  const app = await fresh();
  const first = await counted(text, { id: groupIds[3] }, app);
  const again = await counted(text, { id: groupIds[3] }, app);
  expect(again.data).toEqual(first.data);
  expect([first.statements.length, again.statements.length]).toEqual([cold + 1, warm]);
});

test('the groups of a user take one statement for a list with its total', async () => {
  const edges = 'totalCount edges { node { name nestedGroupCount memberCount } }';
  const { data, statements } = await counted(
    `query ($id: ID!) { user(id: $id) { groups { ${edges} } effectiveGroups { ${edges} } } }`,
    { id: userIds[12] },
  );
  expect(data.user.groups).toEqual({
    totalCount: 4,
    edges: [
      { node: { name: 'Group 02', nestedGroupCount: 1, memberCount: 3 } },
      { node: { name: 'Group 07', nestedGroupCount: 1, memberCount: 3 } },
      { node: { name: 'Group 12', nestedGroupCount: 1, memberCount: 3 } },
      { node: { name: 'Part 10', nestedGroupCount: 0, memberCount: 1 } },
    ],
  });
  const names = (list: { edges: { node: { name: string } }[] }) => list.edges.map(({ node }) => node.name);
  expect(names(data.user.effectiveGroups)).toEqual([
    'Group 02',
    'Group 07',
    'Group 10',
    'Group 12',
    'Last',
    'Part 10',
  ]);
  expect(statements).toHaveLength(3);
});

test('a preview takes as many statements for a change of one user as of 50, and as many more for each change', async () => {
  const preview = async (...changes: object[]) => {
    const { data, statements } = await counted(
      `query ($changes: [ChangeInput!]!) { previewChanges(changes: $changes) { effects {
        outcomes { refusal { code } addedMembershipCount } affectedGroups { edges { node { joiningCount } } } } } }`,
      { changes },
    );
    return { effects: data.previewChanges.effects, count: statements.length };
  };
  const add = (at: number, ids: string[]) => ({ addGroupMembers: { groupId: groupIds[at]!, userIds: ids } });
  const one = await preview(add(0, userIds.slice(3, 4)));
  const many = await preview(add(0, userIds.slice(20, 60)));
  expect(one.effects.affectedGroups.edges).toHaveLength(1);
  expect(many.effects.outcomes[0].addedMembershipCount).toBe(40);
  // The lock, the savepoint, the group's row with unknown users, the insertion and the counts, the release; who joins, not compiled, and names.
  expect([one.count, many.count]).toEqual([9, 9]);
  const two = await preview(add(0, userIds.slice(3, 4)), add(1, userIds.slice(3, 4)));
  expect(two.count).toBe(one.count + 5);
});

test('explanations of 50 groups take as many statements as that of one, also of memberships that were lost', async () => {
  const text = `query ($first: Int!, $user: ID!, $lost: ID!) { groups(first: $first) { edges { node {
    explained: explainMembership(userId: $user) { isMember pathCount paths { steps { group { name } name since addedBy } } }
    other: explainMembership(userId: $lost) { isMember pathCount lastLost { at by cause group { name } } }
  } } } }`;
  const variables = { user: userIds[10], lost: userIds[60] };
  const one = await counted(text, { first: 1, ...variables });
  const many = await counted(text, { first: 50, ...variables });
  const explained = many.data.groups.edges.map(
    ({ node }: { node: { explained: { isMember: boolean } } }) => node.explained.isMember,
  );
  expect(explained.filter(Boolean)).toHaveLength(4);
  const lost = many.data.groups.edges.filter(
    ({ node }: { node: { other: { lastLost: object | null } } }) => node.other.lastLost,
  );
  expect(lost).toHaveLength(20);
  expect(many.statements).toHaveLength(one.statements.length);
});

test('what screens show of 50 groups takes as many statements as of 2', async () => {
  const text = `query ($first: Int!, $not: ID!) { groups(first: $first, filter: { isEmpty: false }, orderBy: { field: UPDATED_AT }) {
    edges { node {
      viewerCan { update }
      children(filter: { search: "part" }, orderBy: { field: CREATED_AT }) { totalCount edges { node { name } } }
      effectiveMembers(first: 5, orderBy: { field: DISPLAY_NAME }) { edges { node { id inheritedThrough { name } } } }
      tenant { users(first: 3, notInGroupId: $not, orderBy: { field: DISPLAY_NAME }) { totalCount edges { node { email } } }
        userByEmail(email: "nobody@example.org") { id } deletedGroups { totalCount edges { node { membershipCount } } } }
    } }
  } }`;
  const counts: number[] = [];
  for (const first of [2, 50]) {
    const { data, statements } = await counted(text, { first, not: groupIds[0] });
    expect(data.groups.edges).toHaveLength(first);
    counts.push(statements.length);
  }
  expect(counts[1]).toBe(counts[0]);
  expect(counts[0]).toBeLessThanOrEqual(10);
});

test('histories of 50 groups take one statement, and the groups that their changes name one more', async () => {
  const text = `query ($first: Int!) { groups(first: $first) { edges { node {
    history(first: 3, types: [MEMBERS_ADDED, GROUPS_NESTED]) { totalCount edges { node {
      position actor { subject type } ... on GroupChange { group { name } } ... on UsersChange { userIds }
    } } }
  } } } }`;
  for (const first of [2, 50]) {
    const { data, statements } = await counted(text, { first });
    expect(data.groups.edges).toHaveLength(first);
    expect(data.groups.edges[0].node.history.edges).toHaveLength(3);
    expect(statements).toHaveLength(3);
  }
});

test('a page of the log takes one statement, and one more for the cursor that it follows', async () => {
  const text = `query ($after: String) { groups(first: 1) { edges { node { tenant {
    changes(first: 5, after: $after) { edges { cursor node { at ... on GroupChange { groupId } } } }
  } } } } }`;
  const { data, statements } = await counted(text, {});
  const { edges } = data.groups.edges[0].node.tenant.changes;
  expect(edges).toHaveLength(5);
  expect(statements).toHaveLength(3);
  expect((await counted(text, { after: edges[2].cursor })).statements).toHaveLength(4);
});
