// Each limit, with the error that a client gets; and what may be asked just below it.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Database, Prisma } from '../../src/database/database.ts';
import { openDatabase } from '../../src/database/open.ts';
import { deepestBracket } from '../../src/graphql/limits.ts';
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

/** The short way of plain operations, and the long one: no guard may be on one of them alone. */
const WAYS = ['through a server', 'in process'] as const;
type Way = (typeof WAYS)[number];

const repeat = (count: number, text: (at: number) => string) =>
  Array.from({ length: count }, (_, at) => text(at)).join(' ');
const nested = (levels: number): string => (levels === 0 ? 'id' : `parent { ${nested(levels - 1)} }`);

describe.each(WAYS)('%s', (way) => {
  beforeAll(() => {
    server = servers[way];
  });
  const start = (db: Database, variables: Record<string, string> = {}) =>
    startApp(db, variables, { inProcess: way === 'in process' });

  test.each([
    ['tokens', `{ ${repeat(400, () => 'viewer { subject }')} }`, /Token limit of 1000/],
    ['bracket depth', '{a'.repeat(5_000), /brackets deeper than 60/],
    ['depth', `{ groups { edges { node { ${nested(10)} } } } }`, /depth limit of 12/],
    ['aliases', `{ ${repeat(31, (at) => `a${at}: __typename`)} }`, /Aliases limit of 30/],
    [
      'directives',
      `{ viewer ${repeat(6, () => '@include(if: true)')} { subject } }`,
      /Directives limit of 5/,
    ],
    [
      'cost',
      '{ groups(first: 100) { edges { node { members(first: 100) { edges { node { email } } } } } } }',
      /could return \d+ objects/,
    ],
  ])('%s', async (_limit, query, message) => {
    const { status, body } = await server.ask(SUPER_ADMIN, query);
    expect(status).toBeLessThan(500);
    expect(body.data ?? null).toBeNull();
    expect(body.errors?.[0]?.message).toMatch(message);
    expect(body.errors?.[0]?.extensions.code).toBe('LIMIT_EXCEEDED');
  });

  test('the cost of every operation is told', async () => {
    const { body } = await server.ask(SUPER_ADMIN, '{ groups(first: 50) { edges { node { id } } } }');
    expect(body.extensions).toEqual({ cost: { requested: 51, limit: 10_000 } });
  });

  test('page sizes outside 1 to 100, and first with last, are refused by name', async () => {
    for (const [args, field] of [
      ['first: 0', 'first'],
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
    ['with a NUL', JSON.stringify({ a: ['\0'] }), 'must not contain NUL or half characters'],
    ['with half a character', '{"\\ud800":1}', 'must not contain NUL or half characters'],
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
    expect(body.errors?.[0]).toMatchObject({
      message: 'The operation took longer than 100 ms',
      extensions: { code: 'TIMEOUT' },
    });
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

test('brackets in strings and comments do not count', () => {
  expect(deepestBracket('{ a(b: "((((", c: """[[ \\""" [[""") # {{{{\n { d } }')).toBe(2);
});
