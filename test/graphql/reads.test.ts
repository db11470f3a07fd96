// Every field of every type, whole: a rich directory read through each query, by every way that leads to an object.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Prisma } from '../../src/database/database.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { newId } from '../../src/model/ids.ts';
import { createTenant, openAsAdmin } from '../support/directories.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import {
  addedAt,
  createdAt,
  createRichDirectory,
  nothing,
  type RichDirectory,
  updatedAt,
} from '../support/rich-directory.ts';
import { type Claims, SUPER_ADMIN, startApp, type TestApp } from '../support/server.ts';

let database: TestDatabase;
let server: TestApp;
let rich: RichDirectory;
let admin: Claims;
/** Another tenant, which the administrator does not see. */
let hidden: { tenantId: string; userId: string; groupId: string; partnerId: string };
beforeAll(async () => {
  database = await openTestDatabase();
  server = await startApp(database.db);
  rich = await createRichDirectory(database.db);
  admin = { sub: 'usr_admin', role: 'tenant_admin', tenant_id: rich.tenantId };
  const { tenantId, partnerId, userIds } = await createTenant(database.db, 1);
  const { group } = await createGroup(openAsAdmin(database.db, tenantId), { tenantId, name: 'Hidden' });
  hidden = { tenantId, partnerId, userId: userIds[0]!, groupId: group.id };
});
afterAll(() => database.close());

// biome-ignore lint/suspicious/noExplicitAny: each test says the shape of its answer by what it expects.
type Data = any;
const ask = (query: string, variables: object = {}, claims = admin): Promise<Data> =>
  server.data(claims, query, variables);

const rows = (connection: Data) => connection.edges.map(({ node }: Data) => node);
const names = (connection: Data): string[] => rows(connection).map(({ name }: Data) => name);
const page = (selection: string) => `{ totalCount edges { node { ${selection} } } }`;
const listed = (...nodes: unknown[]) => ({
  totalCount: nodes.length,
  edges: nodes.map((node) => ({ node })),
});

const PARTNER = 'partner { __typename id name }';
const TENANT = `__typename id name slug ${PARTNER}`;
const USER = `__typename id email displayName tenant { ${TENANT} }`;
const MEMBER = `__typename userId email displayName membershipType addedAt user { ${USER} }`;
const GROUP = `__typename id name type description customAttributes version createdAt updatedAt
  path memberCount nestedGroupCount effectiveMemberCount tenant { ${TENANT} } parent { id name } ancestors { id name }
  children ${page('id name')} members ${page('userId')} nestedGroups ${page('id name')} parentGroups ${page('id name')}`;

const tenant = () => ({
  __typename: 'Tenant',
  id: rich.tenantId,
  name: 'Northwind',
  slug: rich.slug,
  partner: { __typename: 'Partner', id: rich.partnerId, name: 'Meridian' },
});
const user = (at: number) => ({ __typename: 'User', ...rich.people[at]!, tenant: tenant() });
const member = (at: number, membershipType: string, since: string | null) => {
  const { id: userId, email, displayName } = rich.people[at]!;
  return { __typename: 'Member', userId, email, displayName, membershipType, addedAt: since, user: user(at) };
};
const brief = (name: string, id: string) => ({ id, name });
const team = () => {
  const { groups, users } = rich;
  const above = [brief('Top / of', groups.top), brief('Mid\\dle', groups.middle)];
  return {
    __typename: 'Group',
    id: groups.team,
    name: 'Team',
    type: 'DISTRIBUTION',
    description: 'Builds the product',
    customAttributes: { cost: [1, { a: null }] },
    version: 3,
    createdAt: createdAt(0),
    updatedAt: updatedAt(0),
    path: 'Top \\/ of/Mid\\\\dle',
    memberCount: 2,
    nestedGroupCount: 2,
    effectiveMemberCount: 4,
    tenant: tenant(),
    parent: above[1],
    ancestors: above,
    children: listed(brief('Alpha', groups.alpha), brief('beta', groups.beta)),
    members: listed({ userId: users[0] }, { userId: users[2] }),
    nestedGroups: listed(brief('Inner A', groups.innerA), brief('inner b', groups.innerB)),
    parentGroups: listed(brief('Outer A', groups.outerA), brief('outer b', groups.outerB)),
  };
};
const onGroup = `... on Group { ${GROUP} }`;

/** Each way to a group: what of the directory it starts from, the field, and where the group stands in its answer. */
const WAYS: Record<
  string,
  [from: (rich: RichDirectory) => string, field: string, read: (data: Data) => unknown]
> = {
  'Query.group': [({ groups }) => groups.team, `group(id: $id) { ${GROUP} }`, ({ group }) => group],
  'Query.node': [({ groups }) => groups.team, `node(id: $id) { ${onGroup} }`, ({ node }) => node],
  'Query.nodes': [({ groups }) => groups.team, `nodes(ids: [$id]) { ${onGroup} }`, ({ nodes }) => nodes[0]],
  'Query.groups': [
    ({ tenantId }) => tenantId,
    `groups(filter: { tenantId: $id, search: "product" }) ${page(GROUP)}`,
    ({ groups }) => rows(groups)[0],
  ],
  'Tenant.groups': [
    ({ tenantId }) => tenantId,
    `tenant(id: $id) { groups(filter: { type: DISTRIBUTION }) ${page(GROUP)} }`,
    ({ tenant }) => rows(tenant.groups)[0],
  ],
  'Group.children': [
    ({ groups }) => groups.middle,
    `group(id: $id) { children ${page(GROUP)} }`,
    ({ group }) => rows(group.children)[0],
  ],
  'Group.parent': [
    ({ groups }) => groups.alpha,
    `group(id: $id) { parent { ${GROUP} } }`,
    ({ group }) => group.parent,
  ],
  'Group.ancestors': [
    ({ groups }) => groups.alpha,
    `group(id: $id) { ancestors { ${GROUP} } }`,
    ({ group }) => group.ancestors[2],
  ],
  'Group.nestedGroups': [
    ({ groups }) => groups.outerA,
    `group(id: $id) { nestedGroups ${page(GROUP)} }`,
    ({ group }) => rows(group.nestedGroups)[0],
  ],
  'Group.parentGroups': [
    ({ groups }) => groups.innerA,
    `group(id: $id) { parentGroups ${page(GROUP)} }`,
    ({ group }) => rows(group.parentGroups)[0],
  ],
  'User.groups': [
    ({ users }) => users[0],
    `user(id: $id) { groups ${page(GROUP)} }`,
    ({ user }) => rows(user.groups)[0],
  ],
  'User.effectiveGroups': [
    ({ users }) => users[0],
    `user(id: $id) { effectiveGroups ${page(GROUP)} }`,
    ({ user }) => rows(user.effectiveGroups)[2],
  ],
};

describe('a group is the same, whole, by each way that leads to it', () => {
  test.each(Object.entries(WAYS))('%s', async (_way, [from, field, read]) => {
    expect(read(await ask(`query ($id: ID!) { ${field} }`, { id: from(rich) }))).toEqual(team());
  });

  test('Query._entities', async () => {
    const query = `query ($refs: [_Any!]!) { _entities(representations: $refs) { ${onGroup} } }`;
    const refs = [{ __typename: 'Group', id: rich.groups.team }];
    expect((await ask(query, { refs }))._entities).toEqual([team()]);
  });

  test.each([
    'name',
    'type',
    'description',
    'customAttributes',
    'version',
    'createdAt',
    'updatedAt',
    'path',
    'memberCount',
    'nestedGroupCount',
    'effectiveMemberCount',
    'parent { id name }',
    'ancestors { id name }',
    `children ${page('id name')}`,
    `members ${page('userId')}`,
    `nestedGroups ${page('id name')}`,
    `parentGroups ${page('id name')}`,
    `tenant { ${TENANT} }`,
  ])('and in a list where %s is all that is asked for', async (selection) => {
    const { groups } = await ask(
      `{ groups(filter: { search: "product" }) { edges { node { ${selection} } } } }`,
    );
    const field = selection.split(' ')[0] as keyof ReturnType<typeof team>;
    expect(groups).toEqual({ edges: [{ node: { [field]: team()[field] } }] });
  });

  test('a root without anything has nulls and empty lists', async () => {
    const { group } = await ask(`query ($id: ID!) { group(id: $id) { ${GROUP} } }`, {
      id: rich.groups.outerB,
    });
    expect(group).toEqual({
      ...team(),
      id: rich.groups.outerB,
      name: 'outer b',
      type: 'SECURITY',
      description: null,
      customAttributes: null,
      version: 10,
      createdAt: createdAt(7),
      updatedAt: updatedAt(7),
      path: null,
      memberCount: 0,
      nestedGroupCount: 1,
      parent: null,
      ancestors: [],
      children: listed(),
      members: listed(),
      nestedGroups: listed(brief('Team', rich.groups.team)),
      parentGroups: listed(),
    });
  });
});

test('a user is the same, whole, by each way that leads to it', async () => {
  const data = await ask(
    `query ($id: ID!, $tenant: ID!, $team: ID!, $refs: [_Any!]!) {
      user(id: $id) { ${USER} } node(id: $id) { ... on User { ${USER} } }
      tenant(id: $tenant) { users(search: "Ångström") ${page(USER)} }
      group(id: $team) { members(first: 1) { edges { node { user { ${USER} } } } }
        effectiveMembers(first: 1) { edges { node { user { ${USER} } } } } }
      _entities(representations: $refs) { ... on User { ${USER} } } }`,
    {
      id: rich.users[0],
      tenant: rich.tenantId,
      team: rich.groups.team,
      refs: [{ __typename: 'User', id: rich.users[0] }],
    },
  );
  const edges = [{ node: { user: user(0) } }];
  expect(data).toEqual({
    user: user(0),
    node: user(0),
    tenant: { users: listed(user(0)) },
    group: { members: { edges }, effectiveMembers: { edges } },
    _entities: [user(0)],
  });
  const { viewer } = await ask(`{ viewer { user { ${USER} } } }`, {}, { ...admin, sub: rich.users[0] });
  expect(viewer).toEqual({ user: user(0) });
});

test('a user has its direct and its effective groups, by name ignoring case', async () => {
  const { direct, nowhere } = await ask(
    `query ($id: ID!, $other: ID!) {
      direct: user(id: $id) { groups ${page('name')} effectiveGroups ${page('name')} }
      nowhere: user(id: $other) { groups ${page('name')} effectiveGroups ${page('name')} } }`,
    { id: rich.users[2], other: rich.users[4] },
  );
  expect(direct.groups).toEqual(listed({ name: 'Inner A' }, { name: 'Team' }));
  expect(direct.effectiveGroups).toEqual(
    listed({ name: 'Inner A' }, { name: 'Outer A' }, { name: 'outer b' }, { name: 'Team' }),
  );
  expect(nowhere).toEqual({ groups: listed(), effectiveGroups: listed() });
});

test('a tenant is the same, whole, by each way that leads to it', async () => {
  const data = await ask(
    `query ($id: ID!, $team: ID!, $refs: [_Any!]!) {
      tenant(id: $id) { ${TENANT} } node(id: $id) { ... on Tenant { ${TENANT} } } tenants ${page(TENANT)}
      group(id: $team) { tenant { ${TENANT} } } viewer { tenant { ${TENANT} } }
      _entities(representations: $refs) { ... on Tenant { ${TENANT} } } }`,
    { id: rich.tenantId, team: rich.groups.team, refs: [{ __typename: 'Tenant', id: rich.tenantId }] },
  );
  expect(data).toEqual({
    tenant: tenant(),
    node: tenant(),
    tenants: listed(tenant()),
    group: { tenant: tenant() },
    viewer: { tenant: tenant() },
    _entities: [tenant()],
  });
});

describe('members', () => {
  const inTeam = async (field: string, variables: object = {}) =>
    (
      await ask(`query ($team: ID!) { group(id: $team) { list: ${field} ${page(MEMBER)} } }`, {
        team: rich.groups.team,
        ...variables,
      })
    ).group.list;

  test('are whole, direct ones with the time of being added, inherited ones without', async () => {
    expect(await inTeam('members')).toEqual(
      listed(member(0, 'DIRECT', addedAt(1)), member(2, 'DIRECT', addedAt(0))),
    );
    expect(await inTeam('effectiveMembers')).toEqual(
      listed(
        member(0, 'DIRECT', addedAt(1)),
        member(1, 'INHERITED', null),
        member(2, 'DIRECT', addedAt(0)),
        member(3, 'INHERITED', null),
      ),
    );
    expect(await inTeam('effectiveMembers(membershipType: DIRECT)')).toEqual(
      listed(member(0, 'DIRECT', addedAt(1)), member(2, 'DIRECT', addedAt(0))),
    );
    expect(await inTeam('effectiveMembers(membershipType: INHERITED)')).toEqual(
      listed(member(1, 'INHERITED', null), member(3, 'INHERITED', null)),
    );
  });

  test.each(['userId', 'email', 'displayName', 'membershipType', 'addedAt', `user { ${USER} }`])(
    'are the same where %s is all that is asked for',
    async (selection) => {
      const { group } = await ask(
        `query ($team: ID!) { group(id: $team) { members { edges { node { ${selection} } } }
          effectiveMembers { edges { node { ${selection} } } } } }`,
        { team: rich.groups.team },
      );
      const field = selection.split(' ')[0] as keyof ReturnType<typeof member>;
      const direct = [member(0, 'DIRECT', addedAt(1)), member(2, 'DIRECT', addedAt(0))];
      const inherited = [member(1, 'INHERITED', null), member(3, 'INHERITED', null)];
      const all = [direct[0]!, inherited[0]!, direct[1]!, inherited[1]!];
      const only = (members: typeof all) => members.map((each) => ({ [field]: each[field] }));
      expect(rows(group.members)).toEqual(only(direct));
      expect(rows(group.effectiveMembers)).toEqual(only(all));
    },
  );

  test('are found by part of the email address or display name, and counted so', async () => {
    const [zoe, adam] = [member(0, 'DIRECT', addedAt(1)), member(2, 'DIRECT', addedAt(0))];
    expect(await inTeam('members(search: "ADAM")')).toEqual(listed(adam));
    expect(await inTeam('members(search: "ång")')).toEqual(listed(zoe));
    expect(await inTeam('members(search: "mona")')).toEqual(listed());
    expect(await inTeam('effectiveMembers(search: "MONA a")')).toEqual(listed(member(1, 'INHERITED', null)));
    expect(await inTeam('effectiveMembers(search: "o", membershipType: DIRECT)')).toEqual(listed(zoe, adam));
  });

  test.each([
    ['', [0, 2]],
    ['(orderBy: { field: USER_ID })', [0, 2]],
    ['(orderBy: { field: USER_ID, direction: DESC })', [2, 0]],
    ['(orderBy: { field: EMAIL })', [2, 0]],
    ['(orderBy: { field: EMAIL, direction: ASC })', [2, 0]],
    ['(orderBy: { field: EMAIL, direction: DESC })', [0, 2]],
    ['(orderBy: { field: ADDED_AT, direction: ASC })', [2, 0]],
    ['(orderBy: { field: ADDED_AT, direction: DESC })', [0, 2]],
  ])('members%s are in that order', async (args, order) => {
    const { edges } = await inTeam(`members${args}`);
    expect(edges.map(({ node }: Data) => node.userId)).toEqual(order.map((at) => rich.users[at]));
  });

  test('whether somebody is one is told for users who are, are not, and are unknown', async () => {
    const { group } = await ask(
      `query ($team: ID!, $direct: ID!, $inherited: ID!, $none: ID!, $hidden: ID!) { group(id: $team) {
        direct: hasEffectiveMember(userId: $direct) inherited: hasEffectiveMember(userId: $inherited)
        none: hasEffectiveMember(userId: $none) hidden: hasEffectiveMember(userId: $hidden)
        noId: hasEffectiveMember(userId: "nobody") self: hasEffectiveMember } }`,
      {
        team: rich.groups.team,
        direct: rich.users[0],
        inherited: rich.users[3],
        none: rich.users[4],
        hidden: hidden.userId,
      },
      { ...admin, sub: rich.users[1] },
    );
    const no = { none: false, hidden: false, noId: false };
    expect(group).toEqual({ direct: true, inherited: true, ...no, self: true });
  });
});

describe('groups', () => {
  const ALL = [
    'Alpha',
    'beta',
    'Deep',
    'Inner A',
    'inner b',
    'Mid\\dle',
    'Outer A',
    'outer b',
    'Team',
    'Top / of',
  ];
  const list = async (args: string, claims = admin) =>
    (await ask(`{ groups(${args}) ${page('name')} }`, {}, claims)).groups;

  test.each([
    ['{}', ALL],
    ['{ search: "  INNER " }', ['Inner A', 'inner b']],
    ['{ search: "the prod" }', ['Team']],
    ['{ search: "%" }', []],
    ['{ search: "/ o" }', ['Top / of']],
    ['{ search: "\\\\" }', ['Mid\\dle']],
    ['{ type: DISTRIBUTION }', ['Team']],
    ['{ type: SECURITY }', ALL.filter((name) => name !== 'Team')],
    ['{ parentGroupId: "team" }', ['Alpha', 'beta']],
    ['{ parentGroupId: null }', ['Deep', 'Inner A', 'inner b', 'Outer A', 'outer b', 'Top / of']],
    ['{ memberUserId: "u2" }', ['Inner A', 'Team']],
    ['{ memberUserId: "u4" }', []],
    ['{ memberUserId: "u2", type: SECURITY, search: "inner" }', ['Inner A']],
    ['{ tenantId: "tenant" }', ALL],
    ['{ tenantId: "hidden" }', []],
    ['{ partnerId: "partner" }', ALL],
    ['{ partnerId: "hidden partner" }', []],
  ])('are those of filter %s, counted alike', async (filter, expected) => {
    const ids: Record<string, string> = {
      team: rich.groups.team,
      u2: rich.users[2],
      u4: rich.users[4],
      tenant: rich.tenantId,
      hidden: hidden.tenantId,
      partner: rich.partnerId,
      'hidden partner': hidden.partnerId,
    };
    const filled = filter.replaceAll(/"([^"]*)"/g, (quoted, name) => (ids[name] ? `"${ids[name]}"` : quoted));
    const found = await list(`filter: ${filled}`);
    expect(found).toEqual(listed(...expected.map((name) => ({ name }))));
  });

  test('of several tenants are told apart by tenant and by partner', async () => {
    for (const filter of [`tenantId: "${hidden.tenantId}"`, `partnerId: "${hidden.partnerId}"`]) {
      expect(await list(`filter: { ${filter} }`, SUPER_ADMIN)).toEqual(listed({ name: 'Hidden' }));
    }
    const both = `partnerId: "${hidden.partnerId}", tenantId: "${rich.tenantId}"`;
    expect(await list(`filter: { ${both} }`, SUPER_ADMIN)).toEqual(listed());
  });

  const byAge = () => {
    const nameOf = new Map<string, string>([
      ...Object.entries({ top: 'Top / of', middle: 'Mid\\dle', team: 'Team', beta: 'beta', alpha: 'Alpha' }),
      ...Object.entries({
        outerA: 'Outer A',
        outerB: 'outer b',
        innerA: 'Inner A',
        innerB: 'inner b',
        deep: 'Deep',
      }),
    ]);
    const keyOf = new Map(Object.entries(rich.groups).map(([key, id]) => [id, key]));
    return rich.byAge.map((id) => nameOf.get(keyOf.get(id)!)!);
  };

  test.each<[string, () => string[]]>([
    ['first: 100', () => ALL],
    ['orderBy: { field: NAME }', () => ALL],
    ['orderBy: { field: NAME, direction: DESC }', () => ALL.toReversed()],
    ['orderBy: { field: CREATED_AT }', byAge],
    ['orderBy: { field: CREATED_AT, direction: ASC }', byAge],
    ['orderBy: { field: CREATED_AT, direction: DESC }', () => byAge().toReversed()],
  ])('(%s) are in that order, of the tenant too', async (args, order) => {
    expect(names(await list(args))).toEqual(order());
    const { tenant } = await ask(`query ($id: ID!) { tenant(id: $id) { groups(${args}) ${page('name')} } }`, {
      id: rich.tenantId,
    });
    expect(names(tenant.groups)).toEqual(order());
  });

  test('of a tenant can be filtered, but not by another tenant', async () => {
    const query = `query ($id: ID!, $filter: GroupFilter) { tenant(id: $id) { groups(filter: $filter) ${page('name')} } }`;
    const of = (filter: object | null) => server.ask(SUPER_ADMIN, query, { id: rich.tenantId, filter });
    const all = listed(...ALL.map((name) => ({ name })));
    expect((await of(null)).body.data).toEqual({ tenant: { groups: all } });
    expect((await of({ tenantId: rich.tenantId })).body.data).toEqual({ tenant: { groups: all } });
    expect((await of({ search: 'outer' })).body.data).toEqual({
      tenant: { groups: listed({ name: 'Outer A' }, { name: 'outer b' }) },
    });
    const { status, body } = await of({ tenantId: hidden.tenantId });
    const message = 'must be omitted or the id of the tenant';
    expect([status, body.data, body.errors]).toEqual([
      200,
      { tenant: { groups: null } },
      [
        {
          message: `filter.tenantId ${message}`,
          path: ['tenant', 'groups'],
          locations: [{ line: 1, column: 60 }],
          extensions: {
            code: 'VALIDATION_FAILED',
            fields: [{ path: ['filter', 'tenantId'], message }],
          },
        },
      ],
    ]);
  });
});

test('users of a tenant are listed by id, found by text, and counted alike', async () => {
  const users = async (args: string) =>
    (await ask(`query ($id: ID!) { tenant(id: $id) { users${args} ${page('id')} } }`, { id: rich.tenantId }))
      .tenant.users;
  expect(await users('')).toEqual(listed(...rich.users.map((id) => ({ id }))));
  expect(await users('(search: "BO")')).toEqual(listed({ id: rich.users[3] }));
  expect(await users('(search: "yar")')).toEqual(listed({ id: rich.users[4] }));
  expect(await users('(search: "nobody")')).toEqual(listed());
});

test('tenants are listed by name, then id, for those who see several', async () => {
  const partnerId = newId('partner');
  const ids = [newId('tenant'), newId('tenant'), newId('tenant')].toSorted();
  const { db } = database;
  await db.sql(Prisma.sql`insert into partners (id, name) values (${partnerId}, 'Lighthouse')`);
  for (const [id, name] of [
    [ids[1]!, 'Same'],
    [ids[0]!, 'Zebra'],
    [ids[2]!, 'Same'],
  ] as const) {
    await db.sql(
      Prisma.sql`insert into tenants (id, partner_id, name, slug) values (${id}, ${partnerId}, ${name}, ${id})`,
    );
  }
  const claims = { sub: 'usr_p', role: 'partner_admin', partner_id: partnerId };
  const { tenants } = await ask(`{ tenants ${page('id name slug partner { id name }')} }`, {}, claims);
  const partner = { id: partnerId, name: 'Lighthouse' };
  expect(tenants).toEqual(
    listed(
      { id: ids[1], name: 'Same', slug: ids[1], partner },
      { id: ids[2], name: 'Same', slug: ids[2], partner },
      { id: ids[0], name: 'Zebra', slug: ids[0], partner },
    ),
  );
});

describe('what is hidden, unknown or no id of its kind', () => {
  test('is null by each query, without an error', async () => {
    const { body } = await server.ask(
      admin,
      `query ($group: ID!, $user: ID!, $tenant: ID!, $own: ID!, $nothing: ID!) {
        group(id: $group) { id } user(id: $user) { id } tenant(id: $tenant) { id } node(id: $group) { id }
        unknown: group(id: $nothing) { id } wrongKind: group(id: $own) { id } wrongUser: user(id: $nothing) { id }
        wrongTenant: tenant(id: $own) { id } noId: node(id: "") { id } }`,
      {
        group: hidden.groupId,
        user: hidden.userId,
        tenant: hidden.tenantId,
        own: rich.users[0],
        nothing,
      },
    );
    expect(body.errors).toBeUndefined();
    expect(new Set(Object.values(body.data!))).toEqual(new Set([null]));
  });

  test('is null among nodes, each of which stands at the place of its id', async () => {
    const { groups, users, tenantId, partnerId } = rich;
    const { nodes } = await ask(
      'query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id ... on Group { name } ... on User { email } ... on Tenant { slug } } }',
      {
        ids: [
          users[3],
          hidden.groupId,
          groups.alpha,
          'nonsense',
          tenantId,
          nothing,
          partnerId,
          hidden.userId,
          groups.deep,
          hidden.tenantId,
          users[0],
          groups.alpha,
        ],
      },
    );
    const alpha = { __typename: 'Group', id: groups.alpha, name: 'Alpha' };
    expect(nodes).toEqual([
      { __typename: 'User', id: users[3], email: 'bo@example.org' },
      null,
      alpha,
      null,
      { __typename: 'Tenant', id: tenantId, slug: rich.slug },
      null,
      null,
      null,
      { __typename: 'Group', id: groups.deep, name: 'Deep' },
      null,
      { __typename: 'User', id: users[0], email: 'Zoe@example.org' },
      alpha,
    ]);
  });

  test('is null among entities, each of which stands at the place of its reference', async () => {
    const { groups, users, tenantId } = rich;
    const ref = (__typename: string, id: string) => ({ __typename, id });
    const refs = [
      ref('Tenant', tenantId),
      ref('Group', users[0]),
      ref('Group', groups.deep),
      ref('User', groups.deep),
      ref('Group', hidden.groupId),
      ref('User', users[1]),
      ref('Tenant', 'nonsense'),
      ref('Group', groups.top),
    ];
    const { _entities } = await ask(
      'query ($refs: [_Any!]!) { _entities(representations: $refs) { __typename ... on Group { id } ... on User { id } ... on Tenant { id } } }',
      { refs },
    );
    expect(_entities).toEqual([refs[0], null, refs[2], null, null, refs[5], null, refs[7]]);
  });

  test('a thousand ids are answered, one more is refused with the bound', async () => {
    const query = 'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }';
    const ids = Array.from({ length: 1_000 }, () => rich.groups.top as string);
    expect((await ask(query, { ids })).nodes).toEqual(ids.map((id) => ({ id })));
    const { body } = await server.ask(admin, query, { ids: [...ids, nothing] });
    expect([body.data, body.errors]).toEqual([
      null,
      [
        {
          message: 'At most 1000 ids can be given at once',
          path: ['nodes'],
          locations: [{ line: 1, column: 24 }],
          extensions: { code: 'LIMIT_EXCEEDED', limit: 1_000 },
        },
      ],
    ]);
    const entities = 'query ($refs: [_Any!]!) { _entities(representations: $refs) { __typename } }';
    const refs = ids.map((id) => ({ __typename: 'Group', id }));
    expect((await ask(entities, { refs }))._entities).toEqual(ids.map(() => ({ __typename: 'Group' })));
    const more = await server.ask(admin, entities, { refs: [...refs, refs[0]] });
    expect([more.body.data, more.body.errors]).toEqual([
      null,
      [
        {
          message: 'At most 1000 representations can be given at once',
          path: ['_entities'],
          locations: [{ line: 1, column: 27 }],
          extensions: { code: 'LIMIT_EXCEEDED', limit: 1_000 },
        },
      ],
    ]);
  });
});

describe('the viewer', () => {
  const VIEWER = `{ viewer { subject role mayChange user { id email } tenant { id slug } partner { id name } } }`;
  const none = { user: null, tenant: null, partner: null };
  const own = () => ({ id: rich.tenantId, slug: rich.slug });
  const zoe = () => ({ id: rich.users[0], email: 'Zoe@example.org' });

  test.each<[string, () => Claims, () => object]>([
    [
      'a super administrator',
      () => SUPER_ADMIN,
      () => ({ subject: 'usr_root', role: 'SUPER_ADMIN', mayChange: true, ...none }),
    ],
    [
      'the platform that reads',
      () => ({ sub: 'app', platform_token: true, scope: 'admin:read' }),
      () => ({ subject: 'app', role: 'PLATFORM', mayChange: false, ...none }),
    ],
    [
      'the platform that writes',
      () => ({ sub: 'app', platform_token: true, scope: 'other admin:write' }),
      () => ({ subject: 'app', role: 'PLATFORM', mayChange: true, ...none }),
    ],
    [
      'a partner administrator',
      () => ({ sub: rich.users[0], role: 'partner_admin', partner_id: rich.partnerId }),
      () => ({
        subject: rich.users[0],
        role: 'PARTNER_ADMIN',
        mayChange: true,
        user: zoe(),
        tenant: null,
        partner: { id: rich.partnerId, name: 'Meridian' },
      }),
    ],
    [
      'a tenant administrator',
      () => ({ sub: rich.users[0], role: 'tenant_admin', tenant_id: rich.tenantId }),
      () => ({
        subject: rich.users[0],
        role: 'TENANT_ADMIN',
        mayChange: true,
        user: zoe(),
        tenant: own(),
        partner: null,
      }),
    ],
    [
      'a service that reads',
      () => ({ sub: 'client', tenant_id: rich.tenantId, scope: 'groups:read' }),
      () => ({ subject: 'client', role: 'SERVICE', mayChange: false, ...none, tenant: own() }),
    ],
    [
      'a service that writes',
      () => ({ sub: 'client', tenant_id: rich.tenantId, scope: 'groups:write' }),
      () => ({ subject: 'client', role: 'SERVICE', mayChange: true, ...none, tenant: own() }),
    ],
    [
      'an end user',
      () => ({ sub: rich.users[0], tenant_id: rich.tenantId }),
      () => ({ subject: rich.users[0], role: 'USER', mayChange: false, ...none, user: zoe() }),
    ],
    [
      'an end user whom the directory does not know',
      () => ({ sub: 'usr_unknown', tenant_id: rich.tenantId }),
      () => ({ subject: 'usr_unknown', role: 'USER', mayChange: false, ...none }),
    ],
    [
      'an administrator of a tenant that is not there',
      () => ({ sub: 'usr_admin', role: 'tenant_admin', tenant_id: 'tnt_nowhere' }),
      () => ({ subject: 'usr_admin', role: 'TENANT_ADMIN', mayChange: true, ...none }),
    ],
  ])('is %s', async (_who, claims, expected) => {
    expect((await ask(VIEWER, {}, claims())).viewer).toEqual(expected());
  });
});

test('what is selected by fragments is read as what is selected by name', async () => {
  const by = (selection: string, fragments = '') =>
    ask(`query ($id: ID!) { tenant(id: $id) { groups { ${selection} } } } ${fragments}`, {
      id: rich.tenantId,
    });
  const fields = 'name description updatedAt nestedGroupCount members { edges { node { displayName } } }';
  const { tenant: plain } = await by(`edges { node { ${fields} } }`);
  expect(plain.groups.edges.map(({ node }: Data) => node.description)).toContain('Builds the product');
  for (const [selection, fragments] of [
    [`edges { node { ... { ${fields} } } }`],
    [`edges { node { ... on Group { ... on Node { ... on Group { ${fields} } } } } }`],
    [
      `... on GroupConnection { edges { ... { node { ...Fields } } } }`,
      `fragment Fields on Group { ${fields} }`,
    ],
  ] as const) {
    expect(await by(selection, fragments), selection).toEqual({ tenant: plain });
  }
});

test('the cursors of a page are those of its first and last edge', async () => {
  const { tenant: found } = await ask(
    'query ($id: ID!) { tenant(id: $id) { groups(first: 3) { edges { cursor } pageInfo { startCursor endCursor } } } }',
    { id: rich.tenantId },
  );
  const cursors = found.groups.edges.map(({ cursor }: Data) => cursor);
  expect(new Set(cursors).size).toBe(3);
  expect(found.groups.pageInfo).toEqual({ startCursor: cursors[0], endCursor: cursors[2] });
  const { tenant: none } = await ask(
    'query ($id: ID!) { tenant(id: $id) { groups(first: 0) { pageInfo { startCursor endCursor } } } }',
    { id: rich.tenantId },
  );
  expect(none.groups.pageInfo).toEqual({ startCursor: null, endCursor: null });
});

test('a deletion tells the parent, or null of a root; a restoration what could not come back', async () => {
  const change = async (name: string, input: object, selection: string) => {
    const type = `${name[0]!.toUpperCase()}${name.slice(1)}`;
    const data = await ask(
      `mutation ($input: ${type}Input!) { ${name}(input: $input) { ... on ${type}Payload { ${selection} } } }`,
      { input },
    );
    return data[name];
  };
  const create = async (name: string, parentGroupId: string | null = null) =>
    (await change('createGroup', { tenantId: rich.tenantId, name, parentGroupId }, 'group { id }')).group.id;
  const root = await create('Root to delete');
  const child = await create('Child to delete', root);
  expect(await change('deleteGroup', { id: child }, 'parent { id }')).toEqual({ parent: { id: root } });
  expect(await change('deleteGroup', { id: root }, 'parent { id }')).toEqual({ parent: null });
  expect(await change('restoreGroup', { id: child }, 'notRestored { kind objectId reason }')).toEqual({
    notRestored: [
      {
        kind: 'PARENT',
        objectId: root,
        reason: 'The parent group is deleted; the group was restored as a root',
      },
    ],
  });
  await change('deleteGroup', { id: child }, 'deletedGroupIds');
});

describe('a cursor that is none of the list is refused, even if only the total is asked for:', () => {
  const below = (parent: string, id: () => string) => (connection: string) =>
    `{ ${parent}(id: "${id()}") { ${connection} } }`;
  const [ofQuery, ofGroup, ofUser, ofTenant] = [
    (connection: string) => `{ ${connection} }`,
    below('group', () => rich.groups.middle),
    below('user', () => rich.users[0]),
    below('tenant', () => rich.tenantId),
  ];
  test.each<[string, (connection: string) => string]>([
    ['groups', ofQuery],
    ['tenants', ofQuery],
    ...['members', 'effectiveMembers', 'nestedGroups', 'parentGroups', 'children'].map(
      (name) => [name, ofGroup] as [string, typeof ofGroup],
    ),
    ...['groups', 'effectiveGroups'].map((name) => [name, ofUser] as [string, typeof ofUser]),
    ...['groups', 'users'].map((name) => [name, ofTenant] as [string, typeof ofTenant]),
  ])('%s', async (name, below) => {
    for (const [end, selection] of [
      ['after', 'totalCount'],
      ['before', 'totalCount'],
      ['after', '__typename'],
      ['after', 'edges { cursor }'],
    ]) {
      const { body } = await server.ask(admin, below(`${name}(${end}: "garbage") { ${selection} }`));
      expect(body.errors, `${end} ${selection}`).toMatchObject([
        { message: `${end} is not a cursor of this list in this order` },
      ]);
    }
    const first = await ask(below(`${name}(first: 1) { totalCount edges { cursor } }`));
    const find = (found: Data): Data => found[name] ?? find(Object.values(found)[0]);
    const { totalCount, edges } = find(first);
    if (edges.length === 0) return;
    const counted = await ask(below(`${name}(after: "${edges[0].cursor}") { totalCount }`));
    expect(find(counted)).toEqual({ totalCount });
  });
});
