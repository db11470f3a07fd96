// The short way of plain operations answers as the long way does, compiled or not, and leaves to it what it cannot do.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { seedDemo } from '../../src/cli/demo.ts';
import { contentTypeFor } from '../../src/graphql/fast-path.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { SUPER_ADMIN, startApp, type TestApp } from '../support/server.ts';

let database: TestDatabase;
let short: TestApp;
let long: TestApp;
beforeAll(async () => {
  database = await openTestDatabase();
  await seedDemo(database.db);
  short = await startApp(database.db);
  long = await startApp(database.db, {}, { inProcess: true });
});
afterAll(() => database.close());

/** More often than an operation is run before it is compiled. */
const RUNS = 6;

const GROUPS = 'groups(first: 3, filter: { tenantId: "tnt_Northwind0000000" })';

test.each<[string, string, object]>([
  [
    'lists',
    `{ ${GROUPS} { totalCount edges { cursor node { id name type createdAt path memberCount } } pageInfo { hasNextPage endCursor } } }`,
    {},
  ],
  [
    'lists in lists',
    `{ ${GROUPS} { edges { node { members(first: 2) { totalCount edges { node { user { id } addedAt } } } effectiveMembers(last: 2) { edges { node { email membershipType } } } } } } }`,
    {},
  ],
  [
    'fragments, aliases and directives',
    `query ($yes: Boolean!) { a: ${GROUPS} { edges { node { ...G @include(if: $yes) } } } } fragment G on Group { id other: name description @skip(if: $yes) }`,
    { yes: true },
  ],
  [
    'interfaces',
    'query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id ... on Tenant { slug } ... on Group { name } } }',
    { ids: ['tnt_Northwind0000000', 'grp_north028ArchiveO', 'grp_none'] },
  ],
  [
    'entities',
    'query ($refs: [_Any!]!) { _entities(representations: $refs) { __typename ... on Group { id name } ... on User { email } } }',
    {
      refs: [
        { __typename: 'Group', id: 'grp_north028ArchiveO' },
        { __typename: 'Group', id: 'grp_none' },
        { __typename: 'User', id: 'usr_north00020000000' },
      ],
    },
  ],
  ['introspection', '{ __schema { queryType { name fields { name args { name defaultValue } } } } }', {}],
  ['errors of fields', '{ viewer { subject } groups(first: 0) { edges { node { id } } } }', {}],
  [
    'errors that null an object',
    '{ viewer { subject } group(id: "grp_north028ArchiveO") { id members(first: 1, last: 1) { totalCount } } }',
    {},
  ],
  [
    'typed errors',
    'mutation { deleteGroup(input: { id: "grp_north028ArchiveO" }) { __typename ... on Error { code message } ... on GroupNotEmptyError { counts { members } } } }',
    {},
  ],
  ['variables that do not fit', 'query ($id: ID!) { group(id: $id) { id } }', {}],
  ['an invalid operation', '{ nothing }', {}],
  ['a text that does not parse', '{ viewer {', {}],
])('%s', async (_what, query, variables) => {
  const expected = await long.ask(SUPER_ADMIN, query, variables);
  for (let run = 0; run < RUNS; run += 1) {
    const { status, body, headers } = await short.ask(SUPER_ADMIN, query, variables);
    expect({ status, body }, `run ${run}`).toEqual({ status: expected.status, body: expected.body });
    expect(headers.get('content-type')).toBe(expected.headers.get('content-type'));
    expect(headers.get('x-content-type-options')).toBe('nosniff');
  }
});

test('the cost counts each request with its own variables', async () => {
  const query = 'query ($first: Int) { groups(first: $first) { edges { node { id } } } }';
  for (const [first, requested] of [
    [5, 6],
    [50, 51],
    [5, 6],
  ]) {
    const { body } = await short.ask(SUPER_ADMIN, query, { first });
    expect(body.extensions).toMatchObject({ cost: { requested } });
  }
});

test('one of several operations is run by its name, whatever was run before', async () => {
  const query = 'query A { a: __typename } query B { b: __typename }';
  for (let run = 0; run < RUNS; run += 1) {
    for (const [operationName, data] of [
      ['A', { a: 'Query' }],
      ['B', { b: 'Query' }],
    ] as const) {
      const response = await fetch(`${short.url}/graphql`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          authorization: `Bearer ${await short.tokenFor(SUPER_ADMIN)}`,
        },
        body: JSON.stringify({ query, operationName }),
      });
      expect(((await response.json()) as { data: object }).data).toEqual(data);
    }
  }
});

test.each([
  [null, 'application/json'],
  ['*/*', 'application/json'],
  ['application/json, text/plain, */*', 'application/json'],
  ['application/graphql-response+json, application/json;q=0.9', 'application/graphql-response+json'],
  ['text/event-stream', null],
])('accept %s is answered with %s, as Yoga answers it', async (accept, type) => {
  expect(contentTypeFor(accept)).toBe(type && `${type}; charset=utf-8`);
  if (type === null) return;
  const { headers } = await long.ask(SUPER_ADMIN, '{ __typename }', {}, { ...(accept && { accept }) });
  expect(headers.get('content-type')).toBe(`${type}; charset=utf-8`);
});

test('without a token, or with one that does not hold, the answer is the same 401', async () => {
  for (const authorization of [undefined, 'Bearer nonsense']) {
    const answers = await Promise.all(
      [short, long].map(({ send, url }) =>
        send(
          new Request(`${url}/graphql`, {
            method: 'POST',
            headers: { 'content-type': 'application/json', ...(authorization && { authorization }) },
            body: '{"query":"{ viewer { subject } }"}',
          }),
        ),
      ),
    );
    const [first, second] = await Promise.all(
      answers.map(async (answer) => [
        answer.status,
        answer.headers.get('www-authenticate'),
        await answer.json(),
      ]),
    );
    expect(first).toEqual(second);
    expect(first?.[0]).toBe(401);
  }
});
