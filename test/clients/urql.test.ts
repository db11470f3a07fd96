// urql with its normalised cache in a scripted session: the same changes, and nothing asked for again.
import { Client, fetchExchange } from '@urql/core';
import { cacheExchange } from '@urql/exchange-graphcache';
import { relayPagination } from '@urql/exchange-graphcache/extras';
import { introspectionFromSchema } from 'graphql';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { schema } from '../../src/graphql/schema.ts';
import { type Listening, startListening, type Tenant } from './listening.ts';
import { ADD_MEMBERS, DELETE, GROUP, MOVE, NEST, RENAME, USER } from './session.ts';

// biome-ignore lint/suspicious/noExplicitAny: the shapes are those of session.ts.
type Untyped = any;

let listening: Listening;
let tenant: Tenant;
let client: Client;
let warnings: string[];

beforeAll(async () => {
  listening = await startListening();
});
beforeEach(async () => {
  tenant = await listening.newTenant();
  warnings = [];
  client = new Client({
    url: listening.url,
    preferGetMethod: false,
    fetchOptions: { headers: tenant.headers },
    exchanges: [
      cacheExchange({
        // With the schema it knows abstract types, and warns of what has an id but no key.
        schema: introspectionFromSchema(schema) as never,
        resolvers: { Group: { children: relayPagination() } },
        updates: {
          Mutation: {
            deleteGroup({ deleteGroup }: Untyped, _args, cache) {
              for (const id of deleteGroup.deletedGroupIds ?? [])
                cache.invalidate({ __typename: 'Group', id });
            },
          },
        },
        keys: KEYLESS,
        logger: (_severity, message) => warnings.push(message),
      }),
      fetchExchange,
    ],
  });
});
// Of whatever a test asks: nothing that has no key was said to need one.
afterEach(() => expect(warnings).toEqual([]));
afterAll(() => listening.stop());

/** What is part of another object and has no identity of its own. */
const KEYLESS = Object.fromEntries(
  [
    'AddGroupMembersPayload',
    'AddNestedGroupsPayload',
    'DeleteGroupPayload',
    'UpdateGroupPayload',
    'GroupConnection',
    'GroupEdge',
    'PageInfo',
  ].map((type) => [type, () => null]),
);

async function change(mutation: string, input: object): Promise<Untyped> {
  const before = tenant.requests.length;
  const { data, error } = await client.mutation<Untyped>(mutation, { input });
  expect(error).toBeUndefined();
  const [result] = Object.values(data) as Untyped[];
  expect(result.code, result.message).toBeUndefined();
  expect(tenant.requests.length - before).toBe(1);
  return result;
}

/** What the cache answers by itself; null if it would have to ask. */
async function cached(query: string, variables: object): Promise<Untyped> {
  const before = tenant.requests.length;
  const { data } = await client.query<Untyped>(query, variables, { requestPolicy: 'cache-only' });
  expect(tenant.requests.length).toBe(before);
  return data && (data.group ?? data.user);
}

const childNames = (group: Untyped) => group.children.edges.map(({ node }: Untyped) => node.name);
const page = (after?: string) => ({ id: tenant.team, first: 4, ...(after && { after }) });
test('pages forward: the pages are one list in the cache', async () => {
  const { data } = await client.query<Untyped>(GROUP, page());
  const end = data.group.children.pageInfo.endCursor;
  await client.query<Untyped>(GROUP, page(end));
  const merged = await cached(GROUP, page(end));
  expect(childNames(merged)).toEqual(['Part 0', 'Part 1', 'Part 2', 'Part 3', 'Part 4', 'Part 5']);
  expect(tenant.requests.length).toBe(2);
});

test('renames: every list that holds the group shows it', async () => {
  await client.query(GROUP, page());
  await change(RENAME, { id: tenant.parts[0], name: 'First part' });
  expect(childNames(await cached(GROUP, page()))).toContain('First part');
});

test('adds a member: counts of the group, and groups of the user', async () => {
  const newcomer = tenant.userIds[11]!;
  await client.query(GROUP, page());
  await client.query(USER, { id: newcomer });
  await change(ADD_MEMBERS, { groupId: tenant.team, userIds: [newcomer] });
  expect(await cached(GROUP, page())).toMatchObject({ memberCount: 6, effectiveMemberCount: 12 });
  expect((await cached(USER, { id: newcomer })).groups).toMatchObject({
    totalCount: 1,
    edges: [{ node: { name: 'Team' } }],
  });
});

test('nests a group: the counts of one end, the parents of the other', async () => {
  await client.query(GROUP, { id: tenant.everyone, first: 4 });
  await change(NEST, { groupId: tenant.everyone, childGroupIds: [tenant.parts[2]] });
  expect(await cached(GROUP, { id: tenant.everyone, first: 4 })).toMatchObject({ nestedGroupCount: 2 });
});

test('moves a group: both parents', async () => {
  const { previousParent, group } = await change(MOVE, {
    id: tenant.parts[1],
    parentGroupId: tenant.everyone,
  });
  expect(previousParent).toMatchObject({ id: tenant.team, children: { totalCount: 5 } });
  expect(group.parent).toMatchObject({ id: tenant.everyone, children: { totalCount: 1 } });
});

test('deletes a group: gone from the cache, and its parent from the payload', async () => {
  await client.query(GROUP, page());
  await client.query(GROUP, { id: tenant.parts[4], first: 4 });
  const { parent } = await change(DELETE, { id: tenant.parts[4], strategy: 'CASCADE' });
  expect(parent).toMatchObject({ id: tenant.team, nestedGroupCount: 5, children: { totalCount: 5 } });
  expect(await cached(GROUP, { id: tenant.parts[4], first: 4 })).toBeNull();
});
