// One answer to an operation, to the byte: by the fast path, by Yoga, by GET and by hash, compiled or not.
import { createHash } from 'node:crypto';
import {
  buildSchema,
  type ExecutionResult,
  execute,
  type GraphQLInputType,
  type GraphQLObjectType,
  type GraphQLSchema,
  getOperationAST,
  getVariableValues,
  parse,
  typeFromAST,
} from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { Prisma } from '../../src/database/database.ts';
import { openDirectory } from '../../src/domain/directory.ts';
import { schema } from '../../src/graphql/schema/schema.ts';
import { compilableFieldCount, queryCompiler } from '../../src/graphql/server/compiled-query.ts';
import { createGraphQLHandler } from '../../src/graphql/server/handler.ts';
import type { Caller } from '../../src/model/caller.ts';
import { OpenStreams } from '../../src/model/open-streams.ts';
import { RequestLog } from '../../src/model/request-log.ts';
import { plainUser, platform, tenantAdmin } from '../support/directories.ts';
import { documentsOfTests, recordedOperations, type SentOperation } from '../support/documents-of-tests.ts';
import { drawJson, operationGenerator, type Scalars } from '../support/generated-documents.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { randomFrom } from '../support/random.ts';
import { createRichDirectory, nothing, type RichDirectory } from '../support/rich-directory.ts';
import { seed } from '../support/seed.ts';

/** How many operations are drawn; a number of them that is given makes this thorough. */
const DRAWN = Number(process.env.DOCUMENTS ?? 40);
/** How often each path is asked: on the fast path, which alone compiles, until an operation is compiled. */
const TIMES: Record<string, number> = process.env.DOCUMENTS
  ? { fast: 7, yoga: 7, get: 7, persisted: 7 }
  : { fast: 4, yoga: 0, get: 1, persisted: 1 };
/** The operations of tests are many: the paths that do not compile differ in nothing that depends on the operation. */
const TIMES_OF_TESTS = process.env.DOCUMENTS ? TIMES : { fast: 4 };
const TIMEOUT = 60_000 + DRAWN * 1_000;
/** Operations that are asked at once. */
const MAX_IN_FLIGHT = 4;

/** What graphql-jit would have put into the source of a function as code. */
const CODE = '__MAGIC_DATE__33a9e76d_02e0_4128_8e92_3530ad3da74dglobalThis.broken=1';

let database: TestDatabase;
let directory: RichDirectory;
let callers: Record<string, Caller>;
let handler: ReturnType<typeof createGraphQLHandler>;
let scalars: Scalars;
beforeAll(async () => {
  database = await openTestDatabase();
  directory = await createRichDirectory(database.db);
  const { tenantId, groups, users } = directory;
  callers = {
    administrator: tenantAdmin(tenantId),
    member: plainUser(tenantId, users[0] as never),
    reader: platform(false),
  };
  handler = createGraphQLHandler({
    authenticate: async (authorization) => callers[authorization!]!,
    openDirectory: (caller) => openDirectory(database.db, caller),
    limits: readConfig({}).limits,
    trustedDocuments: null,
    developmentToken: null,
    streams: new OpenStreams(readConfig({}).limits),
  });
  const ids = [tenantId, ...users, ...Object.values(groups), nothing];
  scalars = {
    ID: [...ids, 'grp_x', '', 7],
    String: ['a', 'e', 'Team', 'Mid\\dle', 'none', '', CODE, '"\u2028\0', 'WyJuYW1lIiwiYSJd'],
    Int: [1, 1, 2, 3, 0, -1, 101],
    Boolean: [true, false],
    DateTime: ['2026-02-14T13:14:15.010Z', '2000-01-01T00:00:00Z', 'never'],
    JSONObject: [{}, { a: [1, { b: null }] }, { __proto__: null, a: CODE }],
    _Any: ids.map((id) => ({ __typename: { t: 'Tenant', u: 'User', g: 'Group' }[id[0] as 't'], id })),
  };
});
afterAll(() => database.close());

type Asked = SentOperation & { caller: keyof typeof callers };
type Way = (operation: Asked) => Promise<string>;

const URL_OF_GRAPHQL = 'http://coterie.test/graphql';

async function fetched({ caller }: Asked, params: object | null, search = ''): Promise<string> {
  const request = new Request(`${URL_OF_GRAPHQL}${search}`, {
    method: params ? 'POST' : 'GET',
    headers: { authorization: caller as string, ...(params && { 'content-type': 'application/json' }) },
    ...(params && { body: JSON.stringify(params) }),
  });
  const response = await handler.fetch(request, new RequestLog('r1'));
  return `${response.status} ${response.headers.get('content-type')} ${await response.text()}`;
}

let answeredFast = 0;
const yoga: Way = (asked) => fetched(asked, { query: asked.query, variables: asked.variables });
const disconnection = () => new AbortController().signal;

const ways: Record<string, Way> = {
  async fast(asked) {
    const body = JSON.stringify({ query: asked.query, variables: asked.variables });
    const plain = {
      body,
      authorization: asked.caller as string,
      accept: null,
      positions: null,
      log: new RequestLog('r1'),
      disconnection,
    };
    const answer = await handler.fastPath(plain);
    if (answer === null || answer instanceof Response) return yoga(asked);
    answeredFast += 1;
    return `200 ${answer.contentType} ${answer.body}`;
  },
  yoga,
  async get(asked) {
    // GET may not change anything.
    if (mayWrite(asked)) return yoga(asked);
    const { query, variables } = asked;
    return fetched(asked, null, `?${new URLSearchParams({ query, variables: JSON.stringify(variables) })}`);
  },
  async persisted(asked) {
    const { query, variables } = asked;
    const sha256Hash = createHash('sha256').update(query).digest('hex');
    const byHash = { variables, extensions: { persistedQuery: { version: 1, sha256Hash } } };
    const first = await fetched(asked, byHash);
    return first.includes('PERSISTED_QUERY_NOT_FOUND') ? fetched(asked, { query, ...byHash }) : first;
  },
};

/**
 * Asks by all ways, the fast path as often as it takes to be compiled, and expects the same text each time. The position is what
 * an answer holds at least: it is there each time or never, and rises as other requests read on in the log.
 */
async function expectOneAnswer(asked: Asked, times: Record<string, number>): Promise<void> {
  const expected = await ways.yoga!(asked);
  let before = positionsIn(expected);
  for (const [name, way] of Object.entries(ways)) {
    for (let time = 1; time <= (times[name] ?? 0); time += 1) {
      const answer = await way(asked);
      const message = `${name}, time ${time}: ${JSON.stringify(asked)}`;
      expect(withoutPositions(answer), message).toBe(withoutPositions(expected));
      const positions = positionsIn(answer);
      expect([...positions.keys()], message).toEqual([...before.keys()]);
      for (const [tenantId, position] of positions)
        expect(position, message).toBeGreaterThanOrEqual(before.get(tenantId)!);
      before = positions;
    }
  }
}

/** The last extension of an answer: `"position":"tnt_A=42, tnt_B=7"`. */
const POSITION = /"position":"((?:tnt_\w+=\d+(?:, )?)+)"(?=}}$)/;
const withoutPositions = (answer: string) => answer.replace(POSITION, '"position":"…"');
const positionsIn = (answer: string): Map<string, number> =>
  new Map(
    (POSITION.exec(answer)?.[1] ?? '')
      .split(', ')
      .filter((part) => part !== '')
      .map((part) => part.split('=') as [string, string])
      .map(([tenantId, position]) => [tenantId, Number(position)]),
  );

const mayWrite = ({ query }: SentOperation) => /\bmutation\b/.test(query);

async function expectOneAnswerEach(operations: readonly SentOperation[], times = TIMES): Promise<void> {
  const asked = operations.map((operation, at): Asked => {
    // Who may change nothing asks the same each time.
    const names = mayWrite(operation) ? ['reader', 'member'] : Object.keys(callers);
    return { ...operation, caller: names[at % names.length]! };
  });
  const waiting = asked.values();
  await Promise.all(
    Array.from({ length: MAX_IN_FLIGHT }, async () => {
      for (const each of waiting) await expectOneAnswer(each, times);
    }),
  );
}

describe('what is absent stays absent, however often it was sent:', () => {
  const ask = async (query: string, variables: object) => {
    const body = JSON.stringify({ query, variables });
    const plain = {
      body,
      authorization: 'administrator',
      accept: null,
      positions: null,
      log: new RequestLog('r1'),
      disconnection,
    };
    const answer = await handler.fastPath(plain);
    return JSON.parse((answer as { body: string }).body).data;
  };

  test('a variable inside the literal of a change', async () => {
    const { tenantId, groups } = directory;
    const create = `mutation ($input: CreateGroupInput!) {
      createGroup(input: $input) { ... on CreateGroupPayload { group { id } } } }`;
    const input = { tenantId, name: 'Kept', description: 'stays', parentGroupId: groups.top };
    const { group } = (await ask(create, { input })).createGroup;
    const update = `mutation M($id: ID!, $description: String, $parent: ID) {
      updateGroup(input: {id: $id, description: $description, parentGroupId: $parent}) {
        ... on UpdateGroupPayload { group { description parent { id } } } } }`;
    for (let time = 0; time < 7; time += 1) {
      const { updateGroup } = await ask(update, { id: group.id });
      expect(updateGroup.group).toEqual({ description: 'stays', parent: { id: groups.top } });
    }
    await database.db.sql(Prisma.sql`delete from groups where id = ${group.id}`);
  });

  test('one inside a filter, and inside a list', async () => {
    const filtered = `query ($search: String, $parent: ID) {
      groups(filter: {search: $search, parentGroupId: $parent}) { totalCount } }`;
    for (let time = 0; time < 7; time += 1) {
      expect(await ask(filtered, {})).toEqual({ groups: { totalCount: directory.byAge.length } });
    }
  });

  test('code in a text is a text', async () => {
    const query = `{ groups(filter: {search: ${JSON.stringify(CODE)}}) { totalCount } }`;
    for (let time = 0; time < 7; time += 1)
      expect(await ask(query, {})).toEqual({ groups: { totalCount: 0 } });
    const introspection = `{ __type(name: ${JSON.stringify(CODE)}) { name } }`;
    for (let time = 0; time < 7; time += 1) expect(await ask(introspection, {})).toEqual({ __type: null });
    expect(globalThis).not.toHaveProperty('broken');
  });
});

test('a document is compiled unless the compiler would answer otherwise', () => {
  const fieldsOf = (query: string) => {
    const document = parse(query);
    return compilableFieldCount(document, getOperationAST(document)!);
  };
  const part = (count: number) => Array.from({ length: count }, () => 'role').join(' ');
  expect(
    fieldsOf('{ viewer { role } tenants { edges { ...E } } } fragment E on TenantEdge { node { id } }'),
  ).toBe(6);
  expect(fieldsOf('query ($id: ID!) { node(id: $id) { __isNode: __typename ... on Group { id } } }')).toBe(3);
  expect(fieldsOf(`{ viewer { ${part(199)} } }`)).toBe(200);
  for (const query of [
    `{ viewer { ${part(200)} } }`,
    `{ a: viewer { ...V } b: viewer { ...V } } fragment V on Viewer { ${part(100)} }`,
    'mutation { removeNestedGroup(input: {groupId: "a", childGroupId: "b"}) { __typename } }',
    '{ viewer { role @skip(if: false) } }',
    '{ viewer { ... @include(if: true) { role } } }',
    '{ viewer { ...V @skip(if: true) } } fragment V on Viewer { role }',
    '{ viewer { ...V } } fragment V on Viewer { role @skip(if: true) }',
    '{ __schema { queryType { name } } }',
    '{ a_b: viewer { role } }',
    '{ __proto__: viewer { role } }',
    '{ __proto__: __typename }',
  ]) {
    expect(fieldsOf(query), query).toBeNull();
  }
});

test.each([
  [
    'paths whose names join to one text',
    '{ c_a: tenant(id: $T) { b: groups(first: 1) { totalCount edges { node { id } } } } a: tenant(id: $T) { b_c: groups(first: 3) { totalCount edges { node { name } } } } }',
  ],
  [
    'a name that is no property of a literal',
    '{ __proto__: viewer { role } viewer { __proto__: __typename role } }',
  ],
  [
    'a fragment that is skipped once',
    '{ viewer { ...V @skip(if: true) subject ...V } } fragment V on Viewer { role }',
  ],
  [
    'a fragment under two conditions',
    '{ a: viewer { ... @skip(if: true) { ...V } } b: viewer { ...V } } fragment V on Viewer { role }',
  ],
  ['the order of what was skipped first', '{ viewer { role @skip(if: true) subject role } }'],
  [
    'errors in a list',
    '{ groups { edges { node { a: members(first: 0) { totalCount } b: children(first: 101) { totalCount } } } } }',
  ],
])('%s: one answer', async (_, text) => {
  const query = text.replaceAll('$T', JSON.stringify(directory.tenantId));
  await expectOneAnswer({ query, variables: {}, caller: 'administrator' }, { fast: 5, get: 1, persisted: 1 });
});

test(`${DRAWN} operations drawn from the schema have one answer each`, { timeout: TIMEOUT }, async () => {
  const generate = operationGenerator(schema, randomFrom(seed), scalars);
  answeredFast = 0;
  const drawn = Array.from({ length: DRAWN }, generate);
  await expectOneAnswerEach(drawn);
  // If hardly one were well, or compiled, nothing would be compared.
  expect(answeredFast).toBeGreaterThan(DRAWN * 2);
  expect(drawn.filter(isCompiled).length).toBeGreaterThan(DRAWN / 5);
  expect(globalThis).not.toHaveProperty('broken');
});

test('the operations of all tests have one answer each', { timeout: TIMEOUT }, async () => {
  const draw = randomFrom(seed);
  const texts = await documentsOfTests(schema);
  expect(texts.length).toBeGreaterThan(100);
  const drawn = texts.map((query) => ({ query, variables: drawVariables(query, draw) }));
  const known = [directory.tenantId, ...directory.users, ...Object.values(directory.groups)];
  // Ids of another database stand for one of the same type in this.
  const recorded = new Set((await recordedOperations()).map((sent) => withIds(JSON.stringify(sent), known)));
  await expectOneAnswerEach([...drawn, ...[...recorded].map((sent) => JSON.parse(sent))], TIMES_OF_TESTS);
});

function isCompiled({ query }: SentOperation): boolean {
  const document = parse(query);
  return compilableFieldCount(document, getOperationAST(document)!) !== null;
}

function drawVariables(query: string, draw: (below: number) => number): object {
  const definitions = getOperationAST(parse(query))?.variableDefinitions ?? [];
  return Object.fromEntries(
    definitions.map(({ variable, type }) => [
      variable.name.value,
      drawJson(schema, typeFromAST(schema, type as never) as unknown as GraphQLInputType, draw, scalars),
    ]),
  );
}

function withIds(text: string, known: readonly string[]): string {
  return text.replaceAll(/(grp|usr|tnt)_\w{16}/g, (id, prefix: string) => {
    const alike = known.filter((each) => each.startsWith(prefix));
    return alike[id.charCodeAt(9) % alike.length]!;
  });
}

describe('by both executors, of a schema whose fields fail in every way,', () => {
  const failing = failingSchema();
  const compile = queryCompiler(failing);

  test('drawn operations have one answer, or the compiled one says that it has none', {
    timeout: TIMEOUT,
  }, async () => {
    const values: Scalars = { String: ['a', CODE, ''], Int: [0, 1, 2], ID: ['1', 2], Boolean: [true, false] };
    const generate = operationGenerator(failing, randomFrom(seed), values);
    const counts = { compiled: 0, failed: 0 };
    for (let drawn = 0; drawn < DRAWN * 3; drawn += 1) {
      const { query, variables } = generate();
      const document = parse(query);
      const operation = getOperationAST(document)!;
      if (compilableFieldCount(document, operation) === null) continue;
      const { coerced } = getVariableValues(failing, operation.variableDefinitions ?? [], variables);
      if (!coerced) continue;
      const compiled = compile(document, operation)!;
      const contextValue = {} as never;
      const expected = (await execute({
        schema: failing,
        document,
        variableValues: variables,
        contextValue,
      })) as ExecutionResult;
      const result = await compiled(contextValue, coerced);
      counts.compiled += 1;
      if (expected.errors) {
        counts.failed += 1;
        expect(result, query).toBeNull();
      } else expect(JSON.stringify(result), query).toBe(JSON.stringify(expected));
    }
    expect(counts.compiled - counts.failed).toBeGreaterThan(DRAWN / 10);
    expect(counts.failed).toBeGreaterThan(DRAWN / 10);
    expect(globalThis).not.toHaveProperty('broken');
  });
});

test('by both executors, a field that is selected on an interface has the arguments of each type', async () => {
  const shapes = buildSchema(`
    interface Shape { side(of: Int): String }
    type Square implements Shape { side(of: Int = 4, square: String = "square"): String }
    type Circle implements Shape { side(of: Int = 0): String }
    union Any = Square | Circle
    type Query { shapes: [Shape] any: [Any] }`);
  const objects = ['Square', 'Circle', 'Square', 'Circle'].map((__typename) => ({ __typename }));
  for (const name of ['Square', 'Circle']) {
    const { side } = (shapes.getType(name) as GraphQLObjectType).getFields();
    side!.resolve = (_source, inputs) => JSON.stringify([name, inputs]);
  }
  const { shapes: listed, any } = shapes.getQueryType()!.getFields();
  listed!.resolve = () => objects;
  any!.resolve = () => objects;
  for (const text of [
    '{ shapes { side } any { ...S } } fragment S on Shape { side more: side(of: 7) }',
    'query ($of: Int) { shapes { side(of: $of) } any { ... on Shape { side(of: $of) } } }',
    '{ shapes { ... on Square { side(of: 1) } ... on Circle { side(of: 2) } side2: side } }',
  ]) {
    const document = parse(text);
    const compiled = queryCompiler(shapes)(document, getOperationAST(document)!)!;
    for (const variableValues of [{}, { of: 5 }]) {
      const expected = await execute({ schema: shapes, document, variableValues });
      expect(JSON.stringify(await compiled({} as never, variableValues)), text).toBe(
        JSON.stringify(expected),
      );
    }
  }
});

/**
 * Its fields tell their arguments, give promises, lists of them, nothing, or errors, each sooner or later. None that must
 * not be null throws at once: in a list, graphql-js then leaves what other items reject later to nobody.
 */
function failingSchema(): GraphQLSchema {
  const failing = buildSchema(`
    input In { a: Int, b: [String!], c: In, d: String = "d", e: Int! = 5 }
    interface Named { name: String! self: Named }
    type Query implements Named {
      name: String!
      self: Named
      echo(in: In, list: [In], ids: [ID!], text: String = "t", number: Int! = 3, flag: Boolean): String
      throws: Query
      rejects: Query!
      missing: Query!
      some: [Query]
      all: [Query!]!
      broken: [Query!]
      other: Other!
      either: [Either!]
      plain: String
      plainList: [String]
    }
    type Other implements Named { name: String! self: Named deep: Query! count(of: Int): Int }
    union Either = Query | Other`);
  const later = <Value>(value: Value) => new Promise<Value>((resolve) => setImmediate(resolve, value));
  const refuse = () => {
    throw new Error('refused');
  };
  const query = () => ({ __typename: 'Query', plain: 'plain', plainList: ['a', null] });
  const other = () => ({ __typename: 'Other' });
  const resolvers: Record<
    string,
    Record<string, (source: unknown, args: Record<string, unknown>) => unknown>
  > = {
    Query: {
      name: () => 'name',
      self: () => query(),
      echo: (_source, args) => JSON.stringify(args),
      throws: refuse,
      rejects: () => later(null).then(refuse),
      missing: () => later(null),
      some: () => [query(), null, later(query())],
      all: async () => [query(), query()],
      broken: () => [query(), later(null)],
      other: () => later(other()),
      either: () => [query(), other()],
    },
    Other: {
      name: () => later('other'),
      self: other,
      deep: query,
      count: (_source, { of }) => (of === 2 ? refuse() : 7),
    },
  };
  for (const [type, fields] of Object.entries(resolvers)) {
    for (const [name, resolve] of Object.entries(fields)) {
      (failing.getType(type) as GraphQLObjectType).getFields()[name]!.resolve = resolve;
    }
  }
  return failing;
}
