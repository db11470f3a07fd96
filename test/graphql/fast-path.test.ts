// The fast path answers plain operations exactly as Yoga does, compiled or not, and falls back to Yoga for anything else.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { seedDemo } from '../../src/demo/demo.ts';
import { contentTypeFor } from '../../src/graphql/server/fast-path.ts';
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
  [
    'entities of which some are none',
    'query ($refs: [_Any!]!) { _entities(representations: $refs) { __typename ... on Group { id name } } }',
    {
      refs: [
        { __typename: 'Group' },
        { __typename: 'Group', id: 'grp_north028ArchiveO' },
        { __typename: 'None', id: 'grp_none' },
      ],
    },
  ],
  ['introspection', '{ __schema { queryType { name fields { name args { name defaultValue } } } } }', {}],
  ['errors of fields', '{ viewer { subject } groups(first: 101) { edges { node { id } } } }', {}],
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

test.each<[string, [object, number][]]>([
  [
    'query ($first: Int, $last: Int) { groups(first: $first, last: $last) { edges { node { id } } } }',
    [
      [{ first: 5 }, 6],
      [{ first: 50 }, 51],
      [{ last: 5 }, 6],
      [{ last: 50 }, 51],
      [{}, 21],
      [{ first: null }, 21],
      [{ first: null, last: 7 }, 8],
    ],
  ],
  [
    'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }',
    [
      [{ ids: [] }, 0],
      [{ ids: ['grp_a'] }, 1],
      [{ ids: ['grp_a', 'grp_b', 'grp_c'] }, 3],
      [{ ids: 'grp_a' }, 1],
    ],
  ],
  [
    'mutation ($input: UpsertUsersInput!) { upsertUsers(input: $input) { ... on UpsertUsersPayload { users { id } } } }',
    [
      [{ input: { tenantId: 'tnt_none', users: [] } }, 2],
      [{ input: { tenantId: 'tnt_none', users: [{ id: 'usr_a', email: 'a@example.com' }] } }, 2],
      [
        {
          input: {
            tenantId: 'tnt_none',
            users: ['a', 'b', 'c'].map((id) => ({ id: `usr_${id}`, email: `${id}@example.com` })),
          },
        },
        4,
      ],
    ],
  ],
])('the cost counts each request with its own variables: %s', async (query, costs) => {
  for (let run = 0; run < 2; run += 1)
    for (const [variables, requested] of costs) {
      const { body } = await short.ask(SUPER_ADMIN, query, variables);
      expect(body.extensions, JSON.stringify(variables)).toEqual({ cost: { requested, limit: 10_000 } });
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

/** What the fast path and Yoga both answer to this body: the same status, type and text. */
async function alike(body: string, headers: Record<string, string> = {}) {
  const answers = [];
  for (const { send, url, tokenFor } of [long, short]) {
    const authorization = `Bearer ${await tokenFor(SUPER_ADMIN)}`;
    const response = await send(
      new Request(`${url}/graphql`, {
        method: 'POST',
        headers: { authorization, 'content-type': 'application/json', ...headers },
        body,
      }),
    );
    const { status } = response;
    answers.push({ status, type: response.headers.get('content-type'), text: await response.text() });
  }
  expect(answers[1]).toEqual(answers[0]);
  return answers[0]!;
}

test.each<[number, string]>([
  [200, '{"query":"{ __typename }"}'],
  [200, '{"query":"{ __typename }","variables":null,"operationName":null}'],
  [200, '{"query":"{ __typename }","variables":{},"extensions":{}}'],
  [200, '{"query":"query A { __typename }","operationName":"A"}'],
  [400, '{"query":"{ __typename }","query":"query B { b: __typename }"}'],
  [400, '{"query":"{ __typename }","other":1}'],
  [400, '{"query":"{ __typename }","variables":[]}'],
  [400, '{"query":"{ __typename }","variables":"{}"}'],
  [400, '{"query":"{ __typename }","operationName":7}'],
  [400, '{"query":"{ __typename }","operationName":["A"]}'],
  [400, '{"query":7}'],
  [400, '{"query":{"a":1}}'],
  [400, '{"query":null}'],
  [400, '{"query":""}'],
  [400, '{}'],
  [400, '[]'],
  [400, '[{"query":"{ __typename }"}]'],
  [400, 'null'],
  [400, '7'],
  [400, '"{ __typename }"'],
  [400, '{ __typename }'],
  [400, ''],
  [400, '{"query":"{ __typename }"'],
  [400, '{"query":"query A { a: __typename } query B { b: __typename }"}'],
  [400, '{"query":"query A { a: __typename }","operationName":"B"}'],
  [400, '{"query":"query A { a: __typename }","operationName":""}'],
  [400, '{"query":"fragment A on Query { __typename }"}'],
])('%i is the answer to %s, by the fast path or by Yoga', async (expected, body) => {
  const accept = 'application/graphql-response+json';
  for (let run = 0; run < RUNS; run += 1) expect((await alike(body, { accept })).status).toBe(expected);
  await alike(body);
});

const BOTH = { json: 'application/json', graphql: 'application/graphql-response+json' };
test.each<[string | null, keyof typeof BOTH | null]>([
  [null, 'json'],
  ['*/*', 'json'],
  ['application/*', 'json'],
  ['application/json', 'json'],
  ['APPLICATION/JSON', 'json'],
  [' application/json ;q=0.5', 'json'],
  ['application/json, text/plain, */*', 'json'],
  ['text/plain, */*', 'json'],
  ['text/plain, application/*', 'json'],
  ['text/plain, application/graphql-response+json', 'graphql'],
  ['application/graphql-response+json', 'graphql'],
  ['application/graphql-response+json, application/json;q=0.9', 'graphql'],
  ['application/json, application/graphql-response+json', 'json'],
  ['application/json; charset=utf-8', null],
  ['text/event-stream', null],
  ['text/html', null],
  ['application/jsonl', null],
  ['', null],
])('accept %s is answered with %s, as Yoga answers it', async (accept, name) => {
  const type = name && `${BOTH[name]}; charset=utf-8`;
  expect(contentTypeFor(accept)).toBe(type);
  const answered = await alike('{"query":"{ __typename }"}', accept === null ? {} : { accept });
  if (type !== null) expect(answered).toMatchObject({ status: 200, type });
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
