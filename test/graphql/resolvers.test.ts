// What the resolvers promise beyond the domain: lazy pages and counts, absent and null told apart, errors typed, entities batched.
import { type ExecutionResult, execute, parse, validate } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Database, Prisma } from '../../src/database/database.ts';
import { openDatabase } from '../../src/database/open.ts';
import { openDirectory } from '../../src/domain/directory.ts';
import { schema } from '../../src/graphql/schema/schema.ts';
import type { Caller } from '../../src/model/caller.ts';
import type { TenantId, UserId } from '../../src/model/ids.ts';
import { superAdmin } from '../support/directories.ts';

const tenantId = 'tnt_resolvers' as TenantId;
const admin: Caller = {
  subject: 'admin',
  role: 'TENANT_ADMIN',
  visibility: { kind: 'tenant', tenantId },
  mayChange: true,
};
const plainUser: Caller = { subject: 'usr_1', role: 'USER', userId: 'usr_1' as UserId, tenantId };

// biome-ignore lint/suspicious/noExplicitAny: each test says the shape of its answer by what it expects.
type Data = any;

let database: Database;
let statements: string[] = [];

/** Runs a document as the caller; `statements` then holds what the database was sent. */
async function run(source: string, variableValues: Record<string, unknown> = {}, caller: Caller = admin) {
  const document = parse(source);
  expect(validate(schema, document)).toEqual([]);
  statements = [];
  const contextValue = { directory: openDirectory(database, caller) };
  return (await execute({ schema, document, contextValue, variableValues })) as ExecutionResult<Data>;
}

async function createGroup(input: object): Promise<string> {
  const { data, errors } = await run(
    `mutation ($input: CreateGroupInput!) { createGroup(input: $input) { ... on CreateGroupPayload { group { id } } } }`,
    { input: { tenantId, ...input } },
  );
  expect(errors).toBeUndefined();
  return data.createGroup.group.id;
}

let root: string;
let child: string;

beforeAll(async () => {
  database = await openDatabase({ url: undefined, dataDir: 'memory://' });
  database.onStatement((text) => statements.push(text));
  await database.sql(Prisma.sql`insert into partners (id, name) values ('prt_resolvers', 'Partner')`);
  await database.sql(Prisma.sql`
    insert into tenants (id, partner_id, name, slug) values (${tenantId}, 'prt_resolvers', 'Tenant', 'tenant')`);
  await database.sql(Prisma.sql`insert into tenant_logs (tenant_id) values (${tenantId})`);
  const users = ['usr_1', 'usr_2'].map((id) => ({ id, email: `${id}@example.org` }));
  const input = { tenantId, users };
  await run(
    'mutation ($input: UpsertUsersInput!) { upsertUsers(input: $input) { __typename } }',
    { input },
    superAdmin,
  );
  root = await createGroup({ name: 'Root', description: 'First', initialMemberIds: ['usr_1'] });
  child = await createGroup({ name: 'Child', parentGroupId: root, initialMemberIds: ['usr_2'] });
});
afterAll(() => database.close());

describe('connections', () => {
  test('totalCount alone counts without listing, edges alone list without counting', async () => {
    expect((await run('{ groups { totalCount } }')).data.groups).toEqual({ totalCount: 2 });
    expect(statements.length).toBe(1);
    expect(statements[0]).toContain('count(*)');

    const listed = await run(
      '{ groups { ...Rows } } fragment Rows on GroupConnection { edges { node { name } } }',
    );
    expect(listed.data.groups.edges.map((edge: Data) => edge.node.name)).toEqual(['Child', 'Root']);
    expect(statements.length).toBe(1);
    expect(statements[0]).not.toContain('count(*)');
  });

  test('edges, pageInfo and the count are one statement', async () => {
    const { data } = await run(
      '{ groups(first: 1) { totalCount pageInfo { hasNextPage endCursor } edges { cursor } } }',
    );
    expect(data.groups.totalCount).toBe(2);
    expect(data.groups.pageInfo).toEqual({ hasNextPage: true, endCursor: data.groups.edges[0].cursor });
    expect(statements.length).toBe(1);
  });

  test.each([
    ['first: -1', 'first'],
    ['first: 101', 'first'],
    ['last: -1', 'last'],
    ['first: 1, last: 1', 'last'],
  ])('%s is refused, naming the argument, even if no row is selected', async (args, named) => {
    const { data, errors } = await run(`{ groups(${args}) { totalCount } }`);
    expect(data).toEqual({ groups: null });
    expect(errors?.map((error) => error.originalError)).toMatchObject([
      { code: 'VALIDATION_FAILED', details: { fields: [{ path: [named] }] } },
    ]);
    expect(statements).toEqual([]);
  });

  test.each(['first', 'last'])('%s: 0 has no rows, and its total', async (argument) => {
    const { data, errors } = await run(
      `{ groups(${argument}: 0) { totalCount edges { cursor } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }`,
    );
    expect(errors).toBeUndefined();
    const more = { hasNextPage: argument === 'first', hasPreviousPage: argument === 'last' };
    expect(data.groups).toEqual({
      totalCount: 2,
      edges: [],
      pageInfo: { ...more, startCursor: null, endCursor: null },
    });
  });

  test('are null where hidden, whatever is selected below', async () => {
    const { data, errors } = await run(
      `{ groups { edges { node { name version members { totalCount } children { pageInfo { hasNextPage } }
         nestedGroups { __typename } effectiveMembers { edges { cursor } } } } } }`,
      {},
      plainUser,
    );
    expect(errors).toBeUndefined();
    expect(data.groups.edges.map((edge: Data) => edge.node)).toEqual([
      {
        name: 'Root',
        version: null,
        members: null,
        children: null,
        nestedGroups: null,
        effectiveMembers: null,
      },
    ]);
  });
});

describe('absent and null', () => {
  const names = (result: ExecutionResult<Data>) =>
    result.data.groups.edges.map((edge: Data) => edge.node.name);

  test('are told apart in a filter, as literal and as variable', async () => {
    const byVariable =
      'query ($parent: ID) { groups(filter: { parentGroupId: $parent }) { edges { node { name } } } }';
    expect(
      names(await run('{ groups(filter: { parentGroupId: null }) { edges { node { name } } } }')),
    ).toEqual(['Root']);
    expect(names(await run(byVariable, { parent: null }))).toEqual(['Root']);
    expect(names(await run(byVariable, { parent: root }))).toEqual(['Child']);
    expect(names(await run(byVariable))).toEqual(['Child', 'Root']);
  });

  test('are told apart in an update', async () => {
    const update = `mutation ($input: UpdateGroupInput!) { updateGroup(input: $input) {
      ... on UpdateGroupPayload { group { name description parent { id } } } ... on ValidationError { fields { path } } } }`;
    const changed = async (input: object) => (await run(update, { input })).data.updateGroup;
    expect((await changed({ id: root, name: 'Top' })).group).toEqual({
      name: 'Top',
      description: 'First',
      parent: null,
    });
    expect((await changed({ id: root, name: 'Root', description: null })).group.description).toBeNull();
    expect((await changed({ id: child, description: 'd' })).group.parent).toEqual({ id: root });
    expect((await changed({ id: child, parentGroupId: null })).group.parent).toBeNull();
    expect((await changed({ id: child, parentGroupId: root })).group.parent).toEqual({ id: root });
    expect(await changed({ id: root, name: null })).toEqual({ fields: [{ path: ['name'] }] });
  });
});

describe('refusals', () => {
  test('are typed errors with code, message and details', async () => {
    const { data } = await run(
      `mutation ($input: DeleteGroupInput!) { deleteGroup(input: $input) { __typename ... on Error { code message }
         ... on GroupNotEmptyError { counts { members children nestedGroups } } } }`,
      { input: { id: root } },
    );
    expect(data.deleteGroup).toMatchObject({
      __typename: 'GroupNotEmptyError',
      code: 'GROUP_NOT_EMPTY',
      counts: { members: 1, children: 1, nestedGroups: 0 },
    });
  });

  test('of a caller who may not change are top-level errors', async () => {
    const { data, errors } = await run(
      'mutation ($input: DeleteGroupInput!) { deleteGroup(input: $input) { __typename } }',
      { input: { id: root } },
      plainUser,
    );
    expect(data).toEqual({ deleteGroup: null });
    expect(errors?.map((error) => error.originalError)).toMatchObject([{ code: 'FORBIDDEN' }]);
  });
});

describe('entities', () => {
  const entities =
    'query ($refs: [_Any!]!) { _entities(representations: $refs) { __typename ... on Group { id } ... on User { id } } }';

  test('keep their order, are null where unknown or of another type, one statement a type', async () => {
    const refs = [
      { __typename: 'User', id: 'usr_2' },
      { __typename: 'Group', id: root },
      { __typename: 'Group', id: 'usr_1' },
      { __typename: 'Group', id: 'grp_unknown' },
      { __typename: 'User', id: 'usr_1' },
    ];
    const { data, errors } = await run(entities, { refs });
    expect(errors).toBeUndefined();
    expect(data._entities).toEqual([refs[0], refs[1], null, null, refs[4]]);
    expect(statements.length).toBe(2);
  });

  test('of no declared type are refused', async () => {
    const { errors } = await run(entities, { refs: [{ __typename: 'Viewer', id: 'admin' }] });
    expect(errors?.[0]?.originalError).toMatchObject({ code: 'VALIDATION_FAILED' });
  });

  test('nodes keep their order and are null for what is no id', async () => {
    const { data } = await run('query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }', {
      ids: [child, 'nonsense', 'usr_1', 'prt_resolvers', tenantId, child],
    });
    expect(data.nodes.map((node: Data) => node?.id ?? null)).toEqual([
      child,
      null,
      'usr_1',
      null,
      tenantId,
      child,
    ]);
    expect(statements.length).toBe(3);
  });
});
