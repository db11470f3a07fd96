// Apollo Client in a scripted session: it pages forward, changes things, and its cache follows from the payloads; lists
// that none of them selects are evicted, and asked for again.

import { createHash } from 'node:crypto';
import { type ApolloCache, ApolloClient, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { relayStylePagination } from '@apollo/client/utilities';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { printPossibleTypes } from '../../src/graphql/schema/print.ts';
import { type Listening, startListening, type Tenant } from './listening.ts';
import { ADD_MEMBERS, CREATE, DELETE, GROUP, GROUPS, MOVE, NEST, RENAME, USER } from './session.ts';

let listening: Listening;
let tenant: Tenant;
let client: ApolloClient;

beforeAll(async () => {
  listening = await startListening();
});
afterAll(() => listening.stop());
beforeEach(async () => {
  tenant = await listening.newTenant();
  client = new ApolloClient({
    link: new PersistedQueryLink({
      sha256: (text) => createHash('sha256').update(text).digest('hex'),
    }).concat(new HttpLink({ uri: listening.url, headers: tenant.headers })),
    cache: new InMemoryCache({
      possibleTypes: JSON.parse(printPossibleTypes()),
      typePolicies: { Group: { fields: { children: relayStylePagination() } } },
    }),
  });
});
afterEach(() => client.stop());

// biome-ignore lint/suspicious/noExplicitAny: the shapes are those of session.ts.
type Untyped = any;

const cached = (query: string, variables: object): Untyped => {
  const data = client.readQuery<Untyped>({ query: gql(query), variables: variables as never });
  return data && (data.group ?? data.user);
};

/** Runs a mutation and asserts that it was the only thing sent. */
async function change(mutation: string, input: object, update?: Update): Promise<Untyped> {
  const before = tenant.requests.length;
  const { data, error } = await client.mutate<Untyped>({
    mutation: gql(mutation),
    variables: { input } as never,
    ...(update && { update }),
  });
  expect(error).toBeUndefined();
  // The hash alone is tried first; the text follows the first time.
  expect(tenant.requests.length - before).toBeLessThanOrEqual(2);
  const [result] = Object.values(data) as Untyped[];
  expect(result.code, result.message).toBeUndefined();
  return result;
}

type Update = (cache: ApolloCache) => void;

const childNames = (group: Untyped) => group.children.edges.map(({ node }: Untyped) => node.name);

/** Fetches the team with all its children, and gives what the cache then says of it. */
async function openTeam() {
  const variables = { id: tenant.team, first: 100 };
  await client.query<Untyped>({ query: gql(GROUP), variables });
  return () => cached(GROUP, variables);
}

test('pages forward, one list in the cache, by persisted queries', async () => {
  const variables = { id: tenant.team, first: 4 };
  // A text that no other test has the server remember.
  const query = GROUP.replace('query Group(', 'query PagedGroup(');
  const { data } = await client.query<Untyped>({ query: gql(query), variables });
  const page = client.watchQuery<Untyped>({ query: gql(query), variables });
  const subscription = page.subscribe(() => {});
  expect(childNames(data.group)).toEqual(['Part 0', 'Part 1', 'Part 2', 'Part 3']);
  await page.fetchMore({ variables: { after: data.group.children.pageInfo.endCursor } });
  const merged = cached(query, variables);
  expect(childNames(merged)).toEqual(['Part 0', 'Part 1', 'Part 2', 'Part 3', 'Part 4', 'Part 5']);
  expect(merged.children.pageInfo.hasNextPage).toBe(false);
  subscription.unsubscribe();
  // Twice with the text, once by its hash alone: the second page was found by it.
  expect(tenant.requests.filter((query) => query === undefined).length).toBe(2);
  expect(tenant.requests.length).toBe(3);
});

test('renames: every list that holds the group shows it', async () => {
  const team = await openTeam();
  await change(RENAME, { id: tenant.parts[0], name: 'First part' });
  expect(childNames(team())).toContain('First part');
});

test('adds a member: counts of the group, and groups of the user', async () => {
  const team = await openTeam();
  const newcomer = tenant.userIds[11]!;
  await client.query({ query: gql(USER), variables: { id: newcomer } });
  await change(ADD_MEMBERS, { groupId: tenant.team, userIds: [newcomer] });
  expect(team()).toMatchObject({
    memberCount: 6,
    effectiveMemberCount: 12,
  });
  expect(cached(USER, { id: newcomer }).groups).toMatchObject({
    totalCount: 1,
    edges: [{ node: { name: 'Team' } }],
  });
});

test('moves a group: both parents', async () => {
  const team = await openTeam();
  const [, moved] = tenant.parts;
  const result = await change(MOVE, { id: moved, parentGroupId: tenant.everyone });
  expect(result.previousParent).toMatchObject({ id: tenant.team, children: { totalCount: 5 } });
  expect(result.group.parent).toMatchObject({ id: tenant.everyone, children: { totalCount: 1 } });
  expect(team().children.totalCount).toBe(5);
});

test('nests a group: the counts of one end, the parents of the other', async () => {
  const { childGroups } = await change(NEST, {
    groupId: tenant.everyone,
    childGroupIds: [tenant.parts[2]],
  });
  expect(childGroups).toMatchObject([{ id: tenant.parts[2], parentGroups: { totalCount: 2 } }]);
});

test('deletes a group: its parent from the payload, itself by its id', async () => {
  const team = await openTeam();
  const result = await change(DELETE, { id: tenant.parts[1], strategy: 'CASCADE' });
  for (const id of result.deletedGroupIds) client.cache.evict({ id: `Group:${id}` });
  const group = team();
  expect(group).toMatchObject({ nestedGroupCount: 5, children: { totalCount: 5 } });
  expect(childNames(group)).toEqual(['Part 0', 'Part 2', 'Part 3', 'Part 4', 'Part 5']);
});

/** A screen that shows the children of the team, and what it shows. */
async function watchParts() {
  const options = { query: gql(GROUPS), variables: { filter: { parentGroupId: tenant.team } } };
  const screen = client.watchQuery<Untyped>(options);
  const shown: Untyped[] = [];
  const subscription = screen.subscribe(({ data }) => data && shown.push(data));
  await expect.poll(() => shown.length).toBe(1);
  const now = () => {
    const { totalCount, edges } = shown.at(-1).groups;
    return [totalCount, ...edges.map(({ node }: Untyped) => node.name)];
  };
  return { now, stop: () => subscription.unsubscribe() };
}

test('a list that no payload selects stays as it was; a screen whose list is evicted asks again', async () => {
  const { tenantId, team, parts } = tenant;
  const { now, stop } = await watchParts();
  const before = [6, 'Part 0', 'Part 1', 'Part 2', 'Part 3', 'Part 4', 'Part 5'];
  expect(now()).toEqual(before);
  const evictLists: Update = (cache) => cache.evict({ id: 'ROOT_QUERY', fieldName: 'groups' });
  await change(CREATE, { tenantId, parentGroupId: team, name: 'New part' });
  expect(now()).toEqual(before);
  await change(RENAME, { id: parts[0], name: 'Part 9' }, evictLists);
  await expect.poll(now).toEqual([7, 'New part', 'Part 1', 'Part 2', 'Part 3', 'Part 4', 'Part 5', 'Part 9']);
  await change(DELETE, { id: parts[1], strategy: 'CASCADE' }, (cache) => {
    cache.evict({ id: `Group:${parts[1]}` });
    evictLists(cache);
  });
  await expect.poll(now).toEqual([6, 'New part', 'Part 2', 'Part 3', 'Part 4', 'Part 5', 'Part 9']);
  stop();
});

test('what is counted through nesting is stale, until what is on the screen is asked for again', async () => {
  const options = { query: gql(GROUP), variables: { id: tenant.team, first: 100 } };
  const shown: number[] = [];
  const subscription = client.watchQuery<Untyped>(options).subscribe(({ data }) => {
    if (data) shown.push(data.group.effectiveMemberCount);
  });
  await expect.poll(() => shown.at(-1)).toBe(11);
  const { parts, userIds } = tenant;
  await change(ADD_MEMBERS, { groupId: parts[0], userIds: [userIds[11]] });
  expect(shown.at(-1)).toBe(11);
  await client.mutate({
    mutation: gql(RENAME),
    variables: { input: { id: parts[0], name: 'First part' } } as never,
    refetchQueries: 'active',
  });
  await expect.poll(() => shown.at(-1)).toBe(12);
  subscription.unsubscribe();
});

test('without the possible types, what is asked of every error is dropped', async () => {
  // In development Apollo Client says so.
  vi.spyOn(console, 'warn').mockImplementation(() => {});
  const renamed = (possibleTypes: Record<string, string[]>) => {
    client.cache = new InMemoryCache({ possibleTypes });
    return client.mutate<Untyped>({
      mutation: gql(RENAME),
      variables: { input: { id: tenant.parts[0], name: 'Part 1' } } as never,
    });
  };
  const taken = { __typename: 'NameTakenError', code: 'NAME_TAKEN' };
  expect((await renamed(JSON.parse(printPossibleTypes()))).data.updateGroup).toMatchObject(taken);
  expect((await renamed({})).data.updateGroup).toEqual({ __typename: 'NameTakenError' });
});
