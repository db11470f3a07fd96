// The document's examples alone are a collection that works: sent in its order to the demo directory, each succeeds.
import { afterAll, beforeAll, expect, test } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { seedDemo } from '../../src/demo/demo.ts';
import { openApiDocument } from '../../src/rest/openapi.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { SUPER_ADMIN, startApp, type TestApp } from '../support/server.ts';

type Schema = Record<string, unknown> & { allOf?: Schema[]; $ref?: string };
type Parameter = { name: string; in: 'path' | 'query' | 'header'; schema: Schema; example?: unknown };
type Operation = {
  operationId: string;
  summary: string;
  parameters?: Parameter[];
  requestBody?: { content: Record<string, { example?: unknown }> };
};
type Document = {
  info: { version: string };
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, { properties: Record<string, Schema> }> };
};

const document = JSON.parse(JSON.stringify(openApiDocument())) as Document;
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
);

let database: TestDatabase;
let app: TestApp;
beforeAll(async () => {
  database = await openTestDatabase();
  await seedDemo(database.db);
  app = await startApp(database.db, {}, { inProcess: true });
});
afterAll(() => database.close());

/** The request that a tool makes of an operation's examples: every parameter filled in, optional ones too. */
function requestOf({ path, method, operation }: (typeof operations)[number]) {
  const { parameters = [], requestBody } = operation;
  const missing = parameters.filter(({ example }) => example === undefined).map(({ name }) => name);
  expect(missing, `${operation.operationId} has parameters without an example`).toEqual([]);
  const of = (place: Parameter['in']) =>
    parameters
      .filter((parameter) => parameter.in === place)
      .map(({ name, example }): [string, string] => [name, String(example)]);
  const filled = of('path').reduce(
    (url, [name, value]) => url.replace(`{${name}}`, encodeURIComponent(value)),
    path,
  );
  const body = requestBody?.content['application/json']?.example;
  expect(body !== undefined, `${operation.operationId} has a body and an example of it`).toBe(
    requestBody !== undefined,
  );
  const url = of('query').length > 0 ? `${filled}?${new URLSearchParams(of('query'))}` : filled;
  return { call: `${method} ${url}`, body, headers: Object.fromEntries(of('header')) };
}

test('sent in the order of the document, each succeeds, and lists are not empty', async () => {
  expect(operations).toHaveLength(23);
  for (const one of operations) {
    const { call, body, headers } = requestOf(one);
    const answer = await app.rest(SUPER_ADMIN, call, body, headers);
    const success = { GET: 200, PUT: 200, PATCH: 200, DELETE: 204 }[one.method];
    const expected = success ?? (one.operation.operationId.includes('reate') ? 201 : 200);
    expect(answer.status, `${call}\n${JSON.stringify(answer.body)}`).toBe(expected);
    if (Array.isArray(answer.body?.data)) expect(answer.body.data, call).not.toEqual([]);
  }
});

test('each has a summary of its own', () => {
  const summaries = operations.map(({ operation }) => operation.summary);
  expect(summaries.toSorted()).toEqual([...new Set(summaries)].toSorted());
});

test('the version is the package’s', () => {
  expect(document.info.version).toBe(packageJson.version);
});

test('every list, number and text that is taken has the bounds and the default that the server keeps', () => {
  const parameters = operations.flatMap(({ operation }) => operation.parameters ?? []);
  const bounds = (name: string) => [
    ...new Set(
      parameters
        .filter((parameter) => parameter.name === name)
        .map(({ schema: { minimum, maximum, default: fallback } }) =>
          JSON.stringify([minimum, maximum, fallback]),
        ),
    ),
  ];
  expect(bounds('page')).toEqual(['[1,1000000000,1]']);
  expect(bounds('per_page')).toEqual(['[1,100,20]']);
  expect(bounds('strategy')).toEqual(['[null,null,"BLOCK"]']);
  const { schemas } = document.components;
  const field = (schema: string, name: string) => schemas[schema]!.properties[name];
  for (const schema of ['GroupCreate', 'GroupUpdate']) {
    expect(field(schema, 'name')).toMatchObject({ minLength: 1, maxLength: 255 });
    expect(field(schema, 'description')).toMatchObject({ maxLength: 4_096 });
  }
  expect(field('GroupCreate', 'initial_members')).toMatchObject({ maxItems: 1_000 });
  expect(field('GroupMembershipUpdate', 'users_to_add')).toMatchObject({ maxItems: 1_000 });
  expect(field('GroupMembershipUpdate', 'users_to_remove')).toMatchObject({ maxItems: 1_000 });
  expect(field('UserIds', 'user_ids')).toMatchObject({ maxItems: 1_000 });
  expect(field('GroupIds', 'group_ids')).toMatchObject({ maxItems: 100 });
});
