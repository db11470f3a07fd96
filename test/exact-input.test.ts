// Values that GraphQL, REST and an import keep to the digit, or refuse: by each way the same.
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Prisma } from '../src/database/database.ts';
import { importDirectory } from '../src/import/import-directory.ts';
import { readImportFile } from '../src/import/read-file.ts';
import { parseJson, parseNumber, RepeatedKey } from '../src/model/json.ts';
import { createTenant } from './support/directories.ts';
import { openTestDatabase, type TestDatabase } from './support/postgresql.ts';
import { SUPER_ADMIN, startApp, type TestApp } from './support/server.ts';

let database: TestDatabase;
let server: TestApp;
let inProcess: TestApp;
let tenant: Awaited<ReturnType<typeof createTenant>>;
let folder: string;
beforeAll(async () => {
  database = await openTestDatabase();
  server = await startApp(database.db);
  inProcess = await startApp(database.db, {}, { inProcess: true });
  tenant = await createTenant(database.db);
  folder = await mkdtemp(join(tmpdir(), 'coterie-exact-'));
});
afterAll(() => database.close());

let made = 0;
/** The attributes that are stored of a new group of that name; null if there is none. */
async function stored(name: string): Promise<string | null> {
  const [row] = await database.db.sql<{ text: string }>(
    Prisma.sql`select custom_attributes::text as text from groups where name = ${name}`,
  );
  return row?.text ?? null;
}

async function post(app: TestApp, path: string, body: string, type = 'application/json'): Promise<unknown> {
  const response = await app.send(
    new Request(`${app.url}${path}`, {
      method: 'POST',
      body,
      headers: {
        authorization: `Bearer ${await app.tokenFor(SUPER_ADMIN)}`,
        'content-type': type,
      },
    }),
  );
  return response.json();
}

const CREATE = `mutation ($name: String!, $c: JSONObject) {
  createGroup(input: {tenantId: "TENANT", name: $name, customAttributes: $c}) { __typename ... on ValidationError { fields { path } } } }`;

/** Each way to create a group with attributes, which are JSON text. */
const WAYS: Record<string, (name: string, attributes: string) => Promise<unknown>> = {
  'a variable': (name, attributes) =>
    post(
      server,
      '/graphql',
      `{"query": ${JSON.stringify(CREATE.replace('TENANT', tenant.tenantId))}, "variables": {"name": "${name}", "c": ${attributes}}}`,
    ),
  'a variable, read by Yoga': (name, attributes) =>
    post(
      inProcess,
      '/graphql',
      `{"query": ${JSON.stringify(CREATE.replace('TENANT', tenant.tenantId))}, "variables": {"name": "${name}", "c": ${attributes}}}`,
    ),
  'a form': (name, attributes) => {
    const query = CREATE.replace('TENANT', tenant.tenantId);
    const variables = `{"name": "${name}", "c": ${attributes}}`;
    const form = new URLSearchParams({ query, variables });
    return post(server, '/graphql', String(form), 'application/x-www-form-urlencoded');
  },
  'a literal': (name, attributes) => {
    const literal = attributes.replaceAll(/"(\w+)":/g, '$1:');
    const query = CREATE.replace('TENANT', tenant.tenantId)
      .replace(', $c: JSONObject', '')
      .replace('$c', literal);
    return post(server, '/graphql', JSON.stringify({ query, variables: { name } }));
  },
  REST: (name, attributes) =>
    post(
      server,
      `/api/v1/tenants/${tenant.tenantId}/groups`,
      `{"name": "${name}", "custom_attributes": ${attributes}}`,
    ),
  'an import': async (name, attributes) => {
    const { tenantId, partnerId } = tenant;
    const path = join(folder, `${name}.json`);
    await writeFile(
      path,
      `{"tenants": [{"id": "${tenantId}", "partnerId": "${partnerId}", "name": "Tenant", "slug": "t"}],
        "groups": [{"id": "grp_${name}", "tenantId": "${tenantId}", "name": "${name}", "customAttributes": ${attributes}}]}`,
    );
    return importDirectory(database.db, readImportFile(path));
  },
};

test.each([
  ['an integer beyond 2^53', '{"a": 9007199254740993}'],
  ['a negative one, deep within', '{"a": [{"b": -9007199254740993}]}'],
  ['the first that others read as', '{"a": 9007199254740992}'],
  ['a fraction of more digits than there are', '{"a": 0.1234567890123456789}'],
  ['an integer with such a fraction', '{"a": 4503599627370497.25}'],
  ['more than the largest', '{"a": 1e400}'],
  ['less than the smallest', '{"a": [1e-400]}'],
])('%s is refused by each way', async (_name, attributes) => {
  for (const [way, create] of Object.entries(WAYS)) {
    const name = `Refused${++made}`;
    const answer = JSON.stringify(await create(name, attributes));
    expect([way, answer]).toEqual([way, expect.stringMatching(/custom_?attributes/i)]);
    expect([way, await stored(name)]).toEqual([way, null]);
  }
});

test.each([
  [
    'the largest integers',
    '{"a": [9007199254740991, -9007199254740991]}',
    '{"a": [9007199254740991, -9007199254740991]}',
  ],
  [
    'fractions',
    '{"a": [0.1, 12345678901234.25, 1e-7, 0.30000000000000004]}',
    '{"a": [0.1, 12345678901234.25, 0.0000001, 0.30000000000000004]}',
  ],
  [
    'other ways to write a number',
    '{"a": [1.50, 1.5e2, 100E-2, 0.0000000000000000000]}',
    '{"a": [1.5, 150, 1, 0]}',
  ],
  [
    'names of properties that all objects have',
    '{"__proto__": {"x": 1}, "constructor": 2, "toString": null}',
    '{"toString": null, "__proto__": {"x": 1}, "constructor": 2}',
  ],
])('%s are kept by each way', async (_name, attributes, expected) => {
  for (const [way, create] of Object.entries(WAYS)) {
    const name = `Kept${++made}`;
    const answer = JSON.stringify(await create(name, attributes));
    expect([way, answer, await stored(name)]).toEqual([way, answer, expected]);
  }
});

describe('a key that is given twice', () => {
  test('is refused by each way, which says where', async () => {
    const told: Record<string, unknown> = {};
    for (const [way, create] of Object.entries(WAYS)) {
      const name = `Twice${++made}`;
      told[way] = await create(name, '{"x": [0, {"theKey": 1, "theKey": 2}]}');
      expect([way, await stored(name)]).toEqual([way, null]);
    }
    const { REST, 'a literal': literal, 'an import': imported, ...variables } = told;
    const message = 'variables.c.x.1.theKey is given twice';
    const fields = [{ path: ['variables', 'c', 'x', '1', 'theKey'], message: 'is given twice' }];
    for (const [way, answer] of Object.entries(variables))
      expect([way, answer]).toEqual([
        way,
        { errors: [{ message, extensions: { code: 'VALIDATION_FAILED', fields } }] },
      ]);
    const loc = ['body', 'custom_attributes', 'x', 1, 'theKey'];
    expect(REST).toEqual({ detail: [{ loc, msg: 'is given twice', type: 'value_error' }] });
    expect(literal).toMatchObject({ errors: [{ message: expect.stringContaining('theKey') }] });
    expect(JSON.stringify(imported)).toContain('duplicate key theKey');
  });

  test('is refused with its status, wherever it stands in the body', async () => {
    for (const [path, body, status, place] of [
      ['/graphql', '{"query": "{ __typename }", "query": "{ viewer { role } }"}', 400, '"query"'],
      ['/api/v1/admin/groups/', '{"name": "A", "tenant_id": "tnt_A", "name": "B"}', 422, '"body","name"'],
    ] as const) {
      for (const app of [server, inProcess]) {
        const response = await app.send(
          new Request(`${app.url}${path}`, {
            method: 'POST',
            body,
            headers: {
              authorization: `Bearer ${await app.tokenFor(SUPER_ADMIN)}`,
              'content-type': 'application/json',
            },
          }),
        );
        expect([response.status, await response.text()]).toEqual([status, expect.stringContaining(place)]);
      }
    }
  });

  test.each([
    ['{"a": 1, "a": 1}', ['a']],
    ['{"a": 1, "\\u0061": 2}', ['a']],
    ['{"a\\"": 1, "a\\"" : 2}', ['a"']],
    ['{"\\\\": 1, "\\\\"\n:2}', ['\\']],
    ['{"__proto__": 1, "__proto__": 2}', ['__proto__']],
    ['{"": 1, "": 2}', ['']],
    ['[[], {"a": ["a", "a", {"b": {}, "c": "b", "b": 0}]}]', [1, 'a', 2, 'b']],
    ['{"a": 12345678901234567890, "b": 1, "a": 2}', ['a']],
  ])('is found in %s', (text, path) => {
    expect(() => parseJson(text)).toThrow(RepeatedKey);
    expect(() => parseJson(text)).toThrow(expect.objectContaining({ path }));
  });

  test.each([
    '{"a": "a", "b": "a:", "c": [":", "a", "a"]}',
    '{"a": {"a": {"a": 1}}, "b": {"a": 1}}',
    '[{"a": 1}, {"a": 2}]',
    '{"a": "\\"a\\":", "A": "\\\\"}',
    '{"a": "{\\"b\\":1,\\"b\\":2}"}',
    '"a"',
    '[]',
    'null',
  ])('is not found in %s', (text) => {
    expect(parseJson(text)).toEqual(JSON.parse(text));
  });

  test('is looked for in a moment, however the text is written', () => {
    for (const text of [
      `["${'\\\\'.repeat(250_000)}"]`,
      `["${'\\"'.repeat(250_000)}"]`,
      `${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`,
      `{${Array.from({ length: 50_000 }, (_, at) => `"${at}":${at}`).join()}}`,
      `["a"${' '.repeat(500_000)}]`,
      `[${'"a"   ,'.repeat(60_000)}1]`,
    ]) {
      const startedAt = performance.now();
      parseJson(text);
      expect(performance.now() - startedAt, text.slice(0, 20)).toBeLessThan(1_000);
    }
  });
});

test('a literal may hold no enum values, which JSON does not have', async () => {
  for (const literal of ['{a: RED}', '{a: [1, RED]}', '{a: {b: RED}}']) {
    const query = CREATE.replace('TENANT', tenant.tenantId)
      .replace(', $c: JSONObject', '')
      .replace('$c', literal);
    const answer = await post(server, '/graphql', JSON.stringify({ query, variables: { name: 'Red' } }));
    expect(answer).toMatchObject({ errors: [{ message: expect.stringContaining('enum value RED') }] });
    expect(await stored('Red')).toBeNull();
  }
});

test('numbers are read as JSON is, or are none', () => {
  for (const text of [
    '0',
    '-0',
    '-1.5',
    '1e21',
    '1.7976931348623157e308',
    '5e-324',
    '123456789012345678e-5',
    '0e999',
  ]) {
    expect(parseNumber(text), text).toSatisfy(
      (number) => Object.is(number, JSON.parse(text)) || Number.isNaN(number),
    );
  }
  expect(['1e21', '5e-324', '0e999', '-0', '1.0'].map(parseNumber)).toEqual([1e21, 5e-324, 0, -0, 1]);
  expect(['1e309', '1e-324', '9007199254740993', '0.1000000000000000055'].map(parseNumber)).toEqual([
    NaN,
    NaN,
    NaN,
    NaN,
  ]);
  // Digits inside a text are none of a number.
  expect(parseJson('{"a": "9007199254740993", "b": [1e5, "1e400"]}')).toEqual({
    a: '9007199254740993',
    b: [100000, '1e400'],
  });
  expect(() => parseJson('{"a": 9007199254740993')).toThrow(SyntaxError);
});

describe('a number that is written to keep the server busy', () => {
  const zeros = `1${'0'.repeat(250_000)}`;
  test.each([
    ['zeros in the middle', `${zeros}1`],
    ['a long fraction', `0.${zeros}1`],
    ['a long exponent', `1e${zeros}`],
    ['many long numbers', `[${Array.from({ length: 600 }, () => `1${'0'.repeat(390)}1`).join()}]`],
  ])('%s is refused in a moment', (_name, text) => {
    const startedAt = performance.now();
    const read = JSON.stringify(parseJson(`{"n":${text}}`));
    // Quadratic, one of them took half a minute.
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    expect(read).toMatch(/^\{"n":(null|\[null(,null)*\])\}$/);
  });

  test('deep inside brackets is a fault of the text', () => {
    const deep = `${'['.repeat(20_000)}1234567890123456${']'.repeat(20_000)}`;
    expect(() => parseJson(deep)).toThrow(SyntaxError);
  });
});
