// urql with its normalised cache in a scripted session: the same changes; lists that none of their payloads selects are
// invalidated, and asked for again.
import { Client, fetchExchange } from '@urql/core';
import { type Cache, cacheExchange } from '@urql/exchange-graphcache';
import { relayPagination } from '@urql/exchange-graphcache/extras';
import { introspectionFromSchema } from 'graphql';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { schema } from '../../src/graphql/schema/schema.ts';
import { type Listening, startListening, type Tenant } from './listening.ts';
import { ADD_MEMBERS, CREATE, DELETE, GROUP, GROUPS, MOVE, NEST, RENAME, USER } from './session.ts';

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
            createGroup: (_result, _args, cache) => invalidateLists(cache),
            deleteGroup({ deleteGroup }: Untyped, _args, cache) {
              for (const id of deleteGroup.deletedGroupIds ?? [])
                cache.invalidate({ __typename: 'Group', id });
              invalidateLists(cache);
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

/** Every page of every list of groups, whatever its arguments. */
function invalidateLists(cache: Cache): void {
  for (const { fieldName, arguments: args } of cache.inspectFields('Query'))
    if (fieldName === 'groups') cache.invalidate('Query', fieldName, args);
}

/** What is part of another object and has no identity of its own. */
const KEYLESS = Object.fromEntries(
  [
    'AddGroupMembersPayload',
    'AddNestedGroupsPayload',
    'CreateGroupPayload',
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

test('lists that no payload selects are invalidated: a screen that shows one asks again', async () => {
  const { tenantId, team, parts } = tenant;
  const shown: unknown[][] = [];
  const { unsubscribe } = client
    .query<Untyped>(GROUPS, { filter: { parentGroupId: team } })
    .subscribe(({ data }) => {
      const { totalCount, edges } = data.groups;
      shown.push([totalCount, ...edges.map(({ node }: Untyped) => node.name)]);
    });
  await expect
    .poll(() => shown.at(-1))
    .toEqual([6, 'Part 0', 'Part 1', 'Part 2', 'Part 3', 'Part 4', 'Part 5']);
  await client.mutation(CREATE, { input: { tenantId, parentGroupId: team, name: 'New part' } });
  await expect
    .poll(() => shown.at(-1))
    .toEqual([7, 'New part', 'Part 0', 'Part 1', 'Part 2', 'Part 3', 'Part 4', 'Part 5']);
  await client.mutation(DELETE, { input: { id: parts[0], strategy: 'CASCADE' } });
  await expect
    .poll(() => shown.at(-1))
    .toEqual([6, 'New part', 'Part 1', 'Part 2', 'Part 3', 'Part 4', 'Part 5']);
  unsubscribe();
});

test('what is counted through nesting is stale, until the network is asked beside the cache', async () => {
  await client.query(GROUP, page());
  await change(ADD_MEMBERS, { groupId: tenant.parts[0], userIds: [tenant.userIds[11]!] });
  expect(await cached(GROUP, page())).toMatchObject({ effectiveMemberCount: 11 });
  const { data } = await client.query<Untyped>(GROUP, page(), { requestPolicy: 'cache-and-network' });
  expect(data.group.effectiveMemberCount).toBe(12);
});
