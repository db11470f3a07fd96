// Apollo Client in a scripted session: it pages forward, changes things, and its cache follows from the payloads alone.

import { createHash } from 'node:crypto';
import { ApolloClient, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { relayStylePagination } from '@apollo/client/utilities';
import { printSchema } from 'graphql';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { schema } from '../../src/graphql/schema.ts';
import { type Listening, startListening } from './listening.ts';
import { ADD_MEMBERS, DELETE, GROUP, MOVE, NEST, RENAME, USER } from './session.ts';

let listening: Listening;
let client: ApolloClient;

beforeAll(async () => {
  listening = await startListening();
  client = new ApolloClient({
    link: new PersistedQueryLink({
      sha256: (text) => createHash('sha256').update(text).digest('hex'),
    }).concat(new HttpLink({ uri: listening.url, headers: listening.headers })),
    cache: new InMemoryCache({
      possibleTypes: possibleTypes(),
      typePolicies: { Group: { fields: { children: relayStylePagination() } } },
    }),
  });
});
afterAll(async () => {
  client.stop();
  await listening.stop();
});

/** Which types are a Node and which an Error, as a frontend's build takes it from the schema. */
function possibleTypes(): Record<string, string[]> {
  const abstract = [...printSchema(schema).matchAll(/^(?:interface|union) (\w+)/gm)].map(([, name]) => name!);
  return Object.fromEntries(
    abstract.map((name) => [
      name,
      schema.getPossibleTypes(schema.getType(name) as never).map((type) => type.name),
    ]),
  );
}

// biome-ignore lint/suspicious/noExplicitAny: the shapes are those of session.ts.
type Untyped = any;

const cached = (query: string, variables: object): Untyped => {
  const data = client.readQuery<Untyped>({ query: gql(query), variables: variables as never });
  return data && (data.group ?? data.user);
};

/** Runs a mutation and asserts that it was the only thing sent. */
async function change(mutation: string, input: object): Promise<Untyped> {
  const before = listening.requests.length;
  const { data, error } = await client.mutate<Untyped>({
    mutation: gql(mutation),
    variables: { input } as never,
  });
  expect(error).toBeUndefined();
  // The hash alone is tried first; the text follows the first time.
  expect(listening.requests.length - before).toBeLessThanOrEqual(2);
  const [result] = Object.values(data) as Untyped[];
  expect(result.code, result.message).toBeUndefined();
  return result;
}

const childNames = (group: Untyped) => group.children.edges.map(({ node }: Untyped) => node.name);

test('pages forward, one list in the cache, by persisted queries', async () => {
  const variables = { id: listening.team, first: 4 };
  const { data } = await client.query<Untyped>({ query: gql(GROUP), variables });
  const page = client.watchQuery<Untyped>({ query: gql(GROUP), variables });
  const subscription = page.subscribe(() => {});
  expect(childNames(data.group)).toEqual(['Part 0', 'Part 1', 'Part 2', 'Part 3']);
  await page.fetchMore({ variables: { after: data.group.children.pageInfo.endCursor } });
  const merged = cached(GROUP, variables);
  expect(childNames(merged)).toEqual(['Part 0', 'Part 1', 'Part 2', 'Part 3', 'Part 4', 'Part 5']);
  expect(merged.children.pageInfo.hasNextPage).toBe(false);
  subscription.unsubscribe();
  // Twice with the text, once by its hash alone: the second page was found by it.
  expect(listening.requests.filter((query) => query === undefined).length).toBe(2);
  expect(listening.requests.length).toBe(3);
});

test('renames: every list that holds the group shows it', async () => {
  await change(RENAME, { id: listening.parts[0], name: 'First part' });
  expect(childNames(cached(GROUP, { id: listening.team, first: 4 }))).toContain('First part');
});

test('adds a member: counts of the group, and groups of the user', async () => {
  const newcomer = listening.userIds[11]!;
  await client.query({ query: gql(USER), variables: { id: newcomer } });
  await change(ADD_MEMBERS, { groupId: listening.team, userIds: [newcomer] });
  expect(cached(GROUP, { id: listening.team, first: 4 })).toMatchObject({
    memberCount: 6,
    effectiveMemberCount: 12,
  });
  expect(cached(USER, { id: newcomer }).groups).toMatchObject({
    totalCount: 1,
    edges: [{ node: { name: 'Team' } }],
  });
});

test('moves a group: both parents', async () => {
  const [, moved] = listening.parts;
  const result = await change(MOVE, { id: moved, parentGroupId: listening.everyone });
  expect(result.previousParent).toMatchObject({ id: listening.team, children: { totalCount: 5 } });
  expect(result.group.parent).toMatchObject({ id: listening.everyone, children: { totalCount: 1 } });
  expect(cached(GROUP, { id: listening.team, first: 4 }).children.totalCount).toBe(5);
});

test('nests a group: the counts of one end, the parents of the other', async () => {
  const { childGroups } = await change(NEST, {
    groupId: listening.everyone,
    childGroupIds: [listening.parts[2]],
  });
  expect(childGroups).toMatchObject([{ id: listening.parts[2], parentGroups: { totalCount: 2 } }]);
});

test('deletes a group: its parent from the payload, itself by its id', async () => {
  const result = await change(DELETE, { id: listening.parts[4], strategy: 'CASCADE' });
  for (const id of result.deletedGroupIds) client.cache.evict({ id: `Group:${id}` });
  const group = cached(GROUP, { id: listening.team, first: 4 });
  expect(group).toMatchObject({ nestedGroupCount: 5, children: { totalCount: 4 } });
  expect(childNames(group)).not.toContain('Part 4');
});
