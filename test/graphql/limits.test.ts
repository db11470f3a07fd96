// Each limit, with the error that a client gets; and what may be asked just below it.
import { getIntrospectionQuery } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Database, Prisma } from '../../src/database/database.ts';
import { openDatabase } from '../../src/database/open.ts';
import { deepestBracket } from '../../src/graphql/server/limits.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { type Answer, SUPER_ADMIN, startApp, type TestApp } from '../support/server.ts';

let database: TestDatabase;
let servers: Record<Way, TestApp>;
let server: TestApp;
beforeAll(async () => {
  database = await openTestDatabase();
  servers = {
    'through a server': await startApp(database.db),
    'in process': await startApp(database.db, {}, { inProcess: true }),
  };
});
afterAll(() => database.close());

/** The fast path, and Yoga: every limit must be enforced on both. */
const WAYS = ['through a server', 'in process'] as const;
type Way = (typeof WAYS)[number];

const repeat = (count: number, text: (at: number) => string) =>
  Array.from({ length: count }, (_, at) => text(at)).join(' ');
const nested = (levels: number): string => (levels === 0 ? 'id' : `parent { ${nested(levels - 1)} }`);

const DEFAULTS = { tokens: 1_000, brackets: 60, depth: 12, aliases: 30, directives: 5 };
type Boundary = [
  what: string,
  limit: number,
  write: (count: number) => string,
  error: { message: string; extensions: object },
];

/** Each limit of a document: one that has so many of what it counts, and the whole error for one more than are allowed. */
function boundaries({ tokens, brackets, depth, aliases, directives }: typeof DEFAULTS): Boundary[] {
  const coded = (message: string) => ({ message, extensions: { code: 'LIMIT_EXCEEDED' } });
  const tooManyTokens = coded(`Syntax Error: Token limit of ${tokens} exceeded.`);
  const tooManyBrackets = {
    message: `The document nests brackets deeper than ${brackets}`,
    extensions: { code: 'LIMIT_EXCEEDED', limit: brackets },
  };
  const tooDeep = coded(`Syntax Error: Query depth limit of ${depth} exceeded, found ${depth + 1}.`);
  const tooManyAliases = coded(`Syntax Error: Aliases limit of ${aliases} exceeded, found ${aliases + 1}.`);
  const tooManyDirectives = coded(
    `Syntax Error: Directives limit of ${directives} exceeded, found ${directives + 1}.`,
  );
  const [group, directive] = ['group(id: "grp_none")', '... @include(if: true) { role }'];
  return [
    [
      'tokens',
      tokens,
      (count) => `{ nodes(ids: [${repeat(count - 12, () => '"x"')}]) { id } }`,
      tooManyTokens,
    ],
    [
      'brackets of selections',
      brackets,
      (count) => `${'{ ... '.repeat(count - 2)}{ viewer { role } ${'}'.repeat(count - 1)}`,
      tooManyBrackets,
    ],
    [
      'brackets of arguments and lists',
      brackets,
      (count) => `{ nodes(ids: ${'['.repeat(count - 2)}"grp_none"${']'.repeat(count - 2)}) { id } }`,
      tooManyBrackets,
    ],
    ['depth', depth, (count) => `{ ${group} { ${nested(count - 2)} } }`, tooDeep],
    [
      'depth by a named fragment',
      depth,
      (count) => `{ ${group} { ...A } } fragment A on Group { ${nested(count - 2)} }`,
      tooDeep,
    ],
    [
      'depth by inline fragments',
      depth,
      (count) => `{ ${group} { ... { ... on Node { ... on Group { ${nested(count - 2)} } } } } }`,
      tooDeep,
    ],
    [
      'depth by fragments in fragments',
      depth,
      (count) =>
        `{ node(id: "grp_none") { id ...A } } fragment C on Group { ${nested(count - 3)} }
        fragment A on Group { id ...B } fragment B on Group { parent { ... on Group { name ...C } } }`,
      tooDeep,
    ],
    ['aliases', aliases, (count) => `{ ${repeat(count, (at) => `a${at}: __typename`)} }`, tooManyAliases],
    [
      'aliases in fragments',
      aliases,
      (count) =>
        `{ a: viewer { ... { b: role } ...V } } fragment V on Viewer { ${repeat(count - 2, (at) => `c${at}: role`)} }`,
      tooManyAliases,
    ],
    [
      'directives',
      directives,
      (count) => `{ viewer { role ${repeat(count, () => directive)} } }`,
      tooManyDirectives,
    ],
    [
      'directives in fragments',
      directives,
      (count) =>
        `{ viewer { role ${directive} ...V } } fragment V on Viewer { ${repeat(count - 1, () => directive)} }`,
      tooManyDirectives,
    ],
  ];
}

/** Neither when it is new nor when it is known. */
async function expectAllowed({ ask }: TestApp, query: string): Promise<void> {
  for (let turn = 0; turn < 2; turn += 1) {
    const { body } = await ask(SUPER_ADMIN, query);
    // Lists in lists are well-formed, but no ids.
    const errors = query.includes('[[')
      ? [expect.objectContaining({ message: expect.stringMatching(/^ID cannot represent/) })]
      : undefined;
    expect(body.errors, query).toEqual(errors);
  }
}

async function expectRefused({ ask }: TestApp, query: string, error: object): Promise<void> {
  for (let turn = 0; turn < 2; turn += 1) {
    const { status, body } = await ask(SUPER_ADMIN, query);
    expect(status).toBeLessThan(500);
    expect(body.data ?? null).toBeNull();
    expect(body.errors?.map(({ message, extensions }) => ({ message, extensions }))).toEqual([error]);
  }
}

const PAGE = '{ edges { cursor } }';
const ids = (count: number) => Array.from({ length: count }, (_, at) => `grp_${at}`);
const entities = (count: number) => `[${ids(count).map((id) => `{ __typename: "Group", id: "${id}" }`)}]`;
const users = (count: number) => ids(count).map((id) => ({ id: `usr_${id}`, email: `${id}@example.com` }));
const fields = (names: string, query: (name: string) => string): [number, string][] =>
  names.split(' ').map((name) => [9, query(name)]);
const UPSERT_USERS =
  'mutation ($input: UpsertUsersInput!) { upsertUsers(input: $input) { ... on UpsertUsersPayload { users { id } } } }';

/** Operations with what they could return: one for each object, and for each list as many as it may have. */
const COSTS: [cost: number, query: string, variables?: object][] = [
  [1, '{ __typename }'],
  [1, '{ viewer { subject role mayChange } }'],
  [3, '{ viewer { tenant { partner { name } } } }'],
  [2, '{ a: viewer { role } b: viewer { role } }'],
  [21, `{ groups ${PAGE} }`],
  [8, `{ groups(first: 7) ${PAGE} }`],
  [8, `{ groups(last: 7) ${PAGE} }`],
  [8, `{ groups(first: null, last: 7) ${PAGE} }`],
  [1, `{ groups(first: 0) ${PAGE} }`],
  [1, `{ groups(first: -7) ${PAGE} }`],
  [1, '{ groups(first: 7) { totalCount pageInfo { hasNextPage } } }'],
  [1 + 7 * 2, '{ groups(first: 7) { edges { node { tenant { name } } } } }'],
  [1 + 7 * (1 + 1 + 5), `{ groups(first: 7) { edges { node { members(last: 5) ${PAGE} } } } }`],
  [8, `{ ...A } fragment A on Query { ...B } fragment B on Query { groups(first: 7) ${PAGE} }`],
  [
    16,
    `{ ...A ...B } fragment A on Query { a: groups(first: 7) ${PAGE} } fragment B on Query { b: groups(first: 7) ${PAGE} }`,
  ],
  [8, `{ tenants(first: 7) ${PAGE} }`],
  ...fields('users groups', (name) => `{ tenant(id: "tnt_x") { ${name}(first: 7) ${PAGE} } }`),
  ...fields(
    'members effectiveMembers nestedGroups parentGroups children',
    (name) => `{ group(id: "grp_x") { ${name}(last: 7) ${PAGE} } }`,
  ),
  ...fields('groups effectiveGroups', (name) => `{ user(id: "usr_x") { ${name}(first: 7) ${PAGE} } }`),
  [1 + 32, '{ group(id: "grp_x") { ancestors { id } } }'],
  [1 + 32 * 2, '{ group(id: "grp_x") { ancestors { parent { id } } } }'],
  [1, '{ node(id: "grp_x") { id } }'],
  [0, '{ nodes(ids: []) { id } }'],
  [3, `{ nodes(ids: ${JSON.stringify(ids(3))}) { id } }`],
  [3 * 9, `{ nodes(ids: ${JSON.stringify(ids(3))}) { ... on Group { members(first: 7) ${PAGE} } } }`],
  [3, `{ _entities(representations: ${entities(3)}) { ... on Group { id } } }`],
  [3 * 9, `{ _entities(representations: ${entities(3)}) { ... on Group { members(first: 7) ${PAGE} } } }`],
  [6, `query ($n: Int) { groups(first: $n) ${PAGE} }`, { n: 5 }],
  [21, `query ($n: Int) { groups(first: $n) ${PAGE} }`, { n: null }],
  [21, `query ($n: Int) { groups(first: $n) ${PAGE} }`, {}],
  [51, `query ($n: Int = 50) { groups(first: $n) ${PAGE} }`, {}],
  [6, `query ($n: Int = 50) { groups(first: $n) ${PAGE} }`, { n: 5 }],
  [6, `query ($n: Int, $m: Int) { groups(first: $n, last: $m) ${PAGE} }`, { m: 5 }],
  [4, 'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids: ids(4) }],
  [2, 'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids: ids(2) }],
  [1 + 3, UPSERT_USERS, { input: { tenantId: 'tnt_x', users: users(3) } }],
  [1 + 2, UPSERT_USERS, { input: { tenantId: 'tnt_x', users: users(2) } }],
  [1 + 1, UPSERT_USERS, { input: { tenantId: 'tnt_x', users: [] } }],
  // A payload's list costs by the ids that its input names, and not more than it can show.
  [
    1 + 1 + 0,
    'mutation { addGroupMembers(input: { groupId: "grp_x", userIds: [] }) { ... on AddGroupMembersPayload { group { id } users { id } } } }',
  ],
  [
    1 + 1 + 2 * 2,
    'mutation { addGroupMembers(input: { groupId: "grp_x", userIds: ["usr_a", "usr_b"] }) { ... on AddGroupMembersPayload { group { id } users { tenant { id } } } } }',
  ],
  [
    1 + 100,
    'mutation ($ids: [ID!]!) { removeGroupMembers(input: { groupId: "grp_x", userIds: $ids }) { ... on RemoveGroupMembersPayload { users { id } } } }',
    { ids: ids(150) },
  ],
  [
    1 + 1 + (1 + 3),
    `mutation { a: addGroupMembers(input: { groupId: "grp_x", userIds: ["usr_a"] }) { ...U }
      b: addGroupMembers(input: { groupId: "grp_x", userIds: ["usr_a", "usr_b", "usr_c"] }) { ...U } }
      fragment U on AddGroupMembersPayload { users { id } }`,
  ],
  [
    (1 + 100) * 2,
    `mutation { ...M } fragment M on Mutation {
      a: addGroupMembers(input: { groupId: "grp_x", userIds: ["usr_a"] }) { ... on AddGroupMembersPayload { users { id } } }
      b: addGroupMembers(input: { groupId: "grp_x", userIds: [] }) { ... on AddGroupMembersPayload { users { id } } } }`,
  ],
  [
    1 + 100,
    'mutation { setGroupMembers(input: { groupId: "grp_x", userIds: [] }) { ... on SetGroupMembersPayload { users { id } } } }',
  ],
  [
    1,
    'mutation { removeGroupMembers(input: { groupId: "grp_x", userIds: [] }) { ... on RemoveGroupMembersPayload { users { id } } } }',
  ],
  [
    1 + 1,
    'mutation { updateGroupMembers(input: { groupId: "grp_x", usersToRemove: ["usr_a"] }) { ... on UpdateGroupMembersPayload { users { id } } } }',
  ],
  [
    1 + 1 * 2,
    'mutation { addNestedGroups(input: { groupId: "grp_x", childGroupIds: ["grp_y"] }) { ... on AddNestedGroupsPayload { childGroups { parent { id } } } } }',
  ],
  [
    1 + 20 * 2,
    'mutation { deleteGroup(input: { id: "grp_x" }) { ... on DeleteGroupPayload { movedGroups { parent { id } } } } }',
  ],
  [
    1 + 20,
    'mutation { restoreGroup(input: { id: "grp_x" }) { ... on RestoreGroupPayload { notRestored { reason } } } }',
  ],
  [2, 'mutation { updateGroup(input: { id: "grp_x" }) { ... on ValidationError { fields { message } } } }'],
  [2, 'mutation { updateGroup(input: { id: "grp_x" }) { ... on CycleError { path { name } } } }'],
];

describe.each(WAYS)('%s', (way) => {
  beforeAll(() => {
    server = servers[way];
  });
  const start = (db: Database, variables: Record<string, string> = {}) =>
    startApp(db, variables, { inProcess: way === 'in process' });

  test('a document too deep for the parser is refused unparsed', async () => {
    const { status, body } = await server.ask(SUPER_ADMIN, '{a'.repeat(5_000));
    expect(status).toBeLessThan(500);
    expect(body.errors).toHaveLength(1);
    expect(body.errors?.[0]).toMatchObject({
      message: 'The document nests brackets deeper than 60',
      extensions: { code: 'LIMIT_EXCEEDED', limit: 60 },
    });
  });

  test.each(boundaries(DEFAULTS))(
    '%s: as many as are allowed, and one more',
    async (_what, limit, write, error) => {
      await expectAllowed(server, write(limit));
      await expectRefused(server, write(limit + 1), error);
    },
  );

  describe('configured', () => {
    const limits = { tokens: 79, brackets: 13, depth: 6, aliases: 7, directives: 3 };
    let small: TestApp;
    beforeAll(async () => {
      const variables = Object.entries({ ...limits, cost: 70 }).map(
        ([name, value]) => [`LIMIT_${name.toUpperCase()}`, String(value)] as const,
      );
      small = await start(database.db, Object.fromEntries(variables));
    });

    test.each(boundaries(limits))(
      '%s: as many as are allowed, and one more',
      async (_what, limit, write, error) => {
        await expectAllowed(small, write(limit));
        await expectRefused(small, write(limit + 1), error);
      },
    );

    test('cost: as much as is allowed, and one more', async () => {
      const { body } = await small.ask(SUPER_ADMIN, '{ groups(first: 69) { edges { node { id } } } }');
      expect([body.errors, body.extensions]).toEqual([undefined, { cost: { requested: 70, limit: 70 } }]);
      const above = await small.ask(SUPER_ADMIN, '{ groups(first: 70) { edges { node { id } } } }');
      expect(above.body.errors?.[0]?.extensions).toEqual({
        code: 'LIMIT_EXCEEDED',
        limit: 70,
        requested: 71,
      });
    });
  });

  test('cost: as much as is allowed, and one more', async () => {
    const query = (more = '') =>
      `query ($first: Int!) { groups(first: $first) { edges { node { members(first: 99) { edges { cursor } } } } } ${more} }`;
    const { body } = await server.ask(SUPER_ADMIN, query(), { first: 99 });
    expect([body.errors, body.extensions]).toEqual([
      undefined,
      { cost: { requested: 10_000, limit: 10_000 } },
    ]);
    for (const [text, first, requested] of [
      [query('viewer { role }'), 99, 10_001],
      [query(), 100, 10_101],
      [query(), 2_147_483_647, 1 + 2_147_483_647 * 101],
    ] as const) {
      const above = await server.ask(SUPER_ADMIN, text, { first });
      expect(above.status).toBeLessThan(500);
      expect(above.body).toEqual({
        errors: [
          {
            message: expect.stringContaining(`${requested}`),
            extensions: { code: 'LIMIT_EXCEEDED', limit: 10_000, requested },
          },
        ],
        extensions: { cost: { requested, limit: 10_000 } },
      });
    }
  });

  test.each(COSTS)('%i is the cost of %s with %j', async (requested, query, variables = {}) => {
    const { body } = await server.ask(SUPER_ADMIN, query, variables);
    expect(body.extensions).toEqual({ cost: { requested, limit: 10_000 } });
  });

  test('the cost follows from declared variables alone, whatever else was sent before', async () => {
    const query = `query Q($first: Int) { groups(first: $first) { edges { node { id
      nestedGroups(first: $first) { edges { node { members(first: $first) { edges { node { userId } } } } } } } } } }`;
    for (const variables of [
      { 'x:1,first': 100 },
      { x: 1, first: 100 },
      { first: 100, 'x:1,first': 1 },
      { first: 3, '],["first",100]': 1 },
      { first: 100 },
      { last: 100 },
    ] as { first?: number }[]) {
      const { first = 20 } = variables;
      const requested = 1 + first * (2 + first * (2 + first));
      const { body } = await server.ask(SUPER_ADMIN, query, variables);
      expect(body, JSON.stringify(variables)).toMatchObject(
        requested > 10_000
          ? { errors: [{ extensions: { code: 'LIMIT_EXCEEDED', requested } }] }
          : { extensions: { cost: { requested } } },
      );
    }
  });

  test('the cost is that of the operation that is run', async () => {
    const query = `query A { groups(first: 7) ${PAGE} } query B { groups(first: 9) ${PAGE} }`;
    for (const [operationName, requested] of [
      ['A', 8],
      ['B', 10],
    ]) {
      const body = JSON.stringify({ query, operationName });
      const response = await post(body, { 'content-type': 'application/json' });
      expect(await response.json()).toMatchObject({ extensions: { cost: { requested } } });
    }
  });

  test('the whole schema may be asked for, deep as its query is', async () => {
    const { body } = await server.ask(SUPER_ADMIN, getIntrospectionQuery());
    expect(body.errors).toBeUndefined();
    expect(body.data).toMatchObject({ __schema: { queryType: { name: 'Query' } } });
  });

  test('page sizes outside 0 to 100, and first with last, are refused by name', async () => {
    for (const [args, field] of [
      ['first: -1', 'first'],
      ['first: 101', 'first'],
      ['last: -1', 'last'],
      ['first: 1, last: 1', 'last'],
    ]) {
      const { body } = await server.ask(SUPER_ADMIN, `{ groups(${args}) { edges { node { id } } } }`);
      expect(body.errors?.[0]?.extensions).toMatchObject({
        code: 'VALIDATION_FAILED',
        fields: [{ path: [field] }],
      });
    }
  });

  test('more than 1,000 ids in a call are refused', async () => {
    const ids = Array.from({ length: 1_001 }, (_, at) => `usr_${at}`);
    const { body } = await server.ask(
      SUPER_ADMIN,
      `mutation ($ids: [ID!]!) { addGroupMembers(input: { groupId: "grp_x", userIds: $ids }) { __typename ... on LimitError { code limit } } }`,
      { ids },
    );
    expect(body.data).toEqual({
      addGroupMembers: { __typename: 'LimitError', code: 'LIMIT_EXCEEDED', limit: 1_000 },
    });
  });

  test('a body above 256 KiB answers 413', async () => {
    const { status, body } = await server.ask(
      SUPER_ADMIN,
      `{ viewer { subject } } #${'x'.repeat(256 * 1_024)}`,
    );
    expect(status).toBe(413);
    expect(body.errors?.[0]?.extensions).toMatchObject({ code: 'LIMIT_EXCEEDED', limit: 256 * 1_024 });
  });

  async function post(body: BodyInit, headers: Record<string, string>) {
    const authorization = `Bearer ${await server.tokenFor(SUPER_ADMIN)}`;
    return server.send(
      new Request(`${server.url}/graphql`, {
        method: 'POST',
        body,
        headers: { authorization, ...headers },
      }),
    );
  }

  test('batches and multipart bodies are refused', async () => {
    const query = { query: '{ viewer { subject } }' };
    const batch = await post(JSON.stringify([query, query]), { 'content-type': 'application/json' });
    expect(batch.status).toBe(400);
    const form = new FormData();
    form.set('operations', JSON.stringify(query));
    const multipart = await post(form, {});
    expect([400, 415]).toContain(multipart.status);
  });

  const CREATE = `mutation ($c: JSONObject) {
    createGroup(input: { tenantId: "tnt_x", name: "x", customAttributes: $c }) {
      ... on ValidationError { fields { path message } }
    }
  }`;

  test.each([
    ['50,000 levels deep', `{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`, 'must have at most 8 levels'],
    ['9 levels deep', `${'{"a":'.repeat(9)}1${'}'.repeat(9)}`, 'must have at most 8 levels'],
    ['too long', JSON.stringify({ a: 'x'.repeat(16 * 1_024) }), 'must have at most 16384 bytes as JSON'],
    ['with a NUL', JSON.stringify({ a: ['\0'] }), 'must not contain NUL or lone surrogates'],
    ['with half a character', '{"\\ud800":1}', 'must not contain NUL or lone surrogates'],
    ['with a number out of range', '{"a":[1e400]}', 'must not contain numbers beyond double precision'],
  ])('custom attributes %s are refused by name', async (_case, attributes, message) => {
    const response = await post(`{"query":${JSON.stringify(CREATE)},"variables":{"c":${attributes}}}`, {
      'content-type': 'application/json',
    });
    const { data } = (await response.json()) as Answer['body'];
    expect(data).toEqual({ createGroup: { fields: [{ path: ['customAttributes'], message }] } });
  });

  test('introspection cannot fan out', async () => {
    const fields = (levels: number): string =>
      levels === 0 ? 'name' : `fields { type { ${fields(levels - 1)} } }`;
    const { body } = await server.ask(SUPER_ADMIN, `{ __schema { types { ${fields(8)} } } }`);
    expect(body.errors?.[0]?.message).toBe('Maximum introspection depth exceeded');
  });

  test('an operation that takes too long ends with an error, not with a hanging request', async () => {
    const slow: Database = {
      ...database.db,
      sql: async (statement) => {
        await database.db.sql(Prisma.sql`select pg_sleep(1)`);
        return database.db.sql(statement);
      },
    };
    const { ask } = await start(slow, { TIMEOUT_OPERATION_MS: '100' });
    const { body } = await ask(SUPER_ADMIN, '{ groups { edges { node { id } } } }');
    const error = {
      message: 'The operation took longer than 100 ms',
      extensions: { code: 'TIMEOUT', limit: 100 },
    };
    expect(body).toMatchObject({ errors: [error], extensions: { cost: { requested: 21 } } });
    expect(body.data).toBeUndefined();
  });

  test('a statement that takes too long is UNAVAILABLE, and says so without details', async () => {
    const impatient = await openDatabase({ url: database.url, dataDir: '', timeouts: { statement: 50 } });
    const slow: Database = { ...impatient, sql: () => impatient.sql(Prisma.sql`select pg_sleep(5)`) };
    const { ask } = await start(slow);
    const { body } = await ask(SUPER_ADMIN, '{ groups { edges { node { id } } } }');
    expect(body.errors?.[0]?.extensions.code).toBe('UNAVAILABLE');
    expect(JSON.stringify(body)).not.toMatch(/pg_sleep|statement timeout/);
    await impatient.close();
  });

  test('unexpected faults are masked and carry the id of the request', async () => {
    const broken: Database = { ...database.db, sql: async () => Promise.reject(new Error('secret detail')) };
    const { ask } = await start(broken);
    const { body, headers } = await ask(
      SUPER_ADMIN,
      '{ groups { edges { node { id } } } }',
      {},
      { 'x-request-id': 'request-7' },
    );
    expect(headers.get('x-request-id')).toBe('request-7');
    expect(body.errors?.[0]).toMatchObject({
      message: 'Unexpected error',
      extensions: { requestId: 'request-7' },
    });
    expect(JSON.stringify(body)).not.toContain('secret');
  });
});

describe('brackets', () => {
  test.each<[number, string, string]>([
    [0, 'of nothing', ''],
    [1, 'side by side', '{ } ( ) [ ] { }'],
    [3, 'of each kind', '{ ( [ ] ) }'],
    [2, 'closed and opened again', '{ a { b } c { d } }'],
    [4, 'at the end', '{ { } { { {'],
    [1, 'in a string', '{ "{([" }'],
    [1, 'in a string with a quote', '{ "\\"{([" }'],
    [2, 'behind a string', '{ "a" { } }'],
    [2, 'behind an empty string', '{ "" { } }'],
    [2, 'behind a string that ends in a backslash', '{ "\\\\" { } }'],
    [2, 'behind a string that its line ends', '{ "{\n { } }'],
    [1, 'in a block string', '{ """ { \n { " { """ }'],
    [1, 'in a block string with quotes', '{ """ \\""" { """ }'],
    [2, 'behind a block string', '{ """a""" { } }'],
    [1, 'in a block string without an end', '{ """ { { {'],
    [1, 'in a comment', '{ # { {\n }'],
    [2, 'behind a comment that a carriage return ends', '{ # {{{\r { } }'],
    [1, 'in a comment with quotes', '{ # "\n }'],
    [2, 'behind a comment with quotes', '{ # """\n { } }'],
    [1, 'in a string with a number sign', '{ "#{" }'],
    [2, 'in all of them', '{ a(b: "((((", c: """[[ \\""" [[""") # {{{{\n { d } }'],
  ])('%i deep: %s', (depth, _where, document) => {
    expect(deepestBracket(document)).toBe(depth);
  });
});
