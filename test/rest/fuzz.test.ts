// Thousands of requests generated from openapi.json, sound and broken: no answer is a 5xx, each has a status that its
// operation describes and a body that matches that status' schema (by ajv, which had no part in writing either).
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openApiDocument } from '../../src/rest/openapi.ts';
import { createTenant } from '../support/directories.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { type Claims, SUPER_ADMIN, startApp, type TestApp } from '../support/server.ts';

const REQUESTS = 2_500;

type Schema = {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  pattern?: string;
  minLength?: number;
  minimum?: number;
  maximum?: number;
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  allOf?: Schema[];
  anyOf?: Schema[];
  additionalProperties?: Schema;
};
type Parameter = { name: string; in: 'path' | 'query' | 'header'; required: boolean; schema: Schema };
type Responses = Record<string, { content?: Record<string, { schema: Schema }> }>;
type Operation = {
  name: string;
  method: string;
  path: string;
  parameters: Parameter[];
  body: Schema | null;
  responses: Responses;
};

// biome-ignore lint/suspicious/noExplicitAny: a document to be looked into.
const document = JSON.parse(JSON.stringify(openApiDocument())) as any;
const operations: Operation[] = Object.entries(document.paths as object).flatMap(([path, methods]) =>
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  Object.entries(methods as Record<string, any>).map(([method, operation]) => ({
    name: operation.operationId,
    method: method.toUpperCase(),
    path,
    parameters: operation.parameters ?? [],
    body: operation.requestBody?.content['application/json'].schema ?? null,
    responses: operation.responses,
  })),
);

const ajv = new Ajv2020({ strict: false, allErrors: true });
formats.default(ajv);
ajv.addSchema(document, 'openapi.json');
const pointer = (...steps: string[]) =>
  steps.map((step) => encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/');

/** Ids that exist, so that requests get past the first check; filled by what is created on the way. */
const known = {
  group: [] as string[],
  user: [] as string[],
  tenant: [] as string[],
  partner: [] as string[],
};
/** Nestings that were made, as path parameters: two ids at random are hardly ever nested. */
const nestings: Record<string, unknown>[] = [];
const PREFIXES: Record<string, keyof typeof known> = {
  grp: 'group',
  usr: 'user',
  tnt: 'tenant',
  prt: 'partner',
};

let database: TestDatabase;
let server: TestApp;
let callers: Claims[];
/** The first of the callers may change everything. */
const ADMINISTRATORS = 2;
beforeAll(async () => {
  database = await openTestDatabase();
  server = await startApp(database.db);
  for (let tenant = 0; tenant < 2; tenant += 1) {
    const { tenantId, partnerId, userIds } = await createTenant(database.db, 6);
    known.tenant.push(tenantId);
    known.partner.push(partnerId);
    known.user.push(...userIds);
  }
  callers = [
    SUPER_ADMIN,
    SUPER_ADMIN,
    { sub: 'usr_admin', role: 'tenant_admin', tenant_id: known.tenant[0] },
    { sub: 'client', tenant_id: known.tenant[0], scope: 'groups:read' },
    { sub: known.user[0], tenant_id: known.tenant[0] },
  ];
});
afterAll(() => database.close());

const awkward = fc.constantFrom(
  ' ',
  '%',
  '%00',
  'null',
  '-1',
  '1e3',
  '0x1',
  '\u0000',
  '\u{1f600}',
  '\ud800',
  "'",
  '$&',
);
const anything = fc.oneof(
  awkward,
  fc.string({ maxLength: 20 }),
  fc.string({ unit: 'binary', maxLength: 10 }),
  fc.string({ minLength: 250, maxLength: 300 }),
);

/** An id of the kind that the pattern names: one that exists (picked when it is sent), or one of the right form. */
const idOf = (pattern: string) => {
  const kind = PREFIXES[/^\^([a-z]{3})_/.exec(pattern)?.[1] ?? ''];
  const wellFormed = fc.stringMatching(new RegExp(pattern));
  if (!kind) return wellFormed;
  const existing = fc.nat({ max: 50 }).map((at) => `pick:${kind}:${at}`);
  return fc.oneof({ weight: 8, arbitrary: existing }, { weight: 1, arbitrary: wellFormed });
};

/** Values that the schema describes. */
function valid(schema: Schema): fc.Arbitrary<unknown> {
  if (schema.$ref) return valid(document.components.schemas[schema.$ref.split('/').at(-1)!]);
  if (schema.allOf) {
    const parts = schema.allOf.map((part) =>
      part.$ref || part.type || part.properties ? valid(part) : null,
    );
    const real = parts.filter((part) => part !== null);
    return real.length === 1
      ? real[0]!
      : fc.tuple(...real).map((values) => Object.assign({}, ...(values as object[])));
  }
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map(valid));
  if (schema.enum) return fc.constantFrom(...schema.enum);
  const types = [schema.type].flat();
  return fc.oneof(
    ...types.map((type): fc.Arbitrary<unknown> => {
      switch (type) {
        case 'null':
          return fc.constant(null);
        case 'string':
          if (schema.pattern) return idOf(schema.pattern);
          return fc.oneof(
            fc.string({ minLength: schema.minLength ?? 0, maxLength: 30 }),
            fc.constantFrom('Alpha', 'Beta'),
          );
        case 'integer':
          return fc.integer({ min: schema.minimum ?? 0, max: Math.min(schema.maximum ?? 100, 100) });
        case 'array':
          return fc.array(valid(schema.items!), { maxLength: 4 });
        case 'object':
          return schema.properties
            ? fc.record(
                Object.fromEntries(
                  Object.entries(schema.properties).map(([name, field]) => [name, valid(field)]),
                ),
                { requiredKeys: schema.required ?? [] },
              )
            : fc.dictionary(fc.string({ maxLength: 5 }), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 4 });
        default:
          return fc.jsonValue();
      }
    }),
  );
}

/** Mostly what the schema describes, now and then something else. */
const nearly = (schema: Schema, else_: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 9, arbitrary: valid(schema) }, { weight: 1, arbitrary: else_ });

/** A body of the schema with one field replaced by anything. */
const damaged = (schema: Schema) =>
  fc.tuple(valid(schema), fc.nat(), fc.jsonValue({ maxDepth: 2 })).map(([body, at, value]) => {
    const fields = Object.keys(body as object);
    return fields.length === 0 ? value : { ...(body as object), [fields[at % fields.length]!]: value };
  });

type Call = {
  operation: Operation;
  caller: number;
  path: Record<string, unknown>;
  query: Record<string, unknown>;
  header: Record<string, unknown>;
  body: unknown;
  type: string;
};

const callOf = (operation: Operation): fc.Arbitrary<Call> => {
  const at = (place: Parameter['in'], broken: fc.Arbitrary<unknown>) => {
    const own = operation.parameters.filter((parameter) => parameter.in === place);
    return fc.record(Object.fromEntries(own.map(({ name, schema }) => [name, nearly(schema, broken)])), {
      requiredKeys: own.filter((parameter) => parameter.required).map((parameter) => parameter.name),
    });
  };
  // What a path cannot hold is not sent: an empty step or dots would make another path of it.
  const step = anything.filter((text) => text.isWellFormed() && !/^\.*$/.test(text));
  const body =
    operation.body === null
      ? fc.constant(undefined)
      : fc.oneof(
          { weight: 8, arbitrary: valid(operation.body) },
          { weight: 3, arbitrary: damaged(operation.body) },
          { weight: 1, arbitrary: fc.jsonValue() },
          { weight: 1, arbitrary: fc.string().map((text) => `raw:${text}`) },
        );
  return fc.record({
    operation: fc.constant(operation),
    caller: fc.nat({ max: 4 }),
    path: at('path', step),
    query: at('query', anything),
    header: at('header', fc.constantFrom('W/"1"', 'x', '"0"', '"1"', '*')),
    body,
    type: fc.oneof(
      { weight: 12, arbitrary: fc.constant('application/json') },
      { weight: 1, arbitrary: fc.constantFrom('text/plain', 'multipart/form-data', 'application/json; a=b') },
    ),
  });
};

/** Puts an id that exists in the place of each pick. */
function picked<Value>(value: Value): Value {
  const text = JSON.stringify(value).replaceAll(/pick:(\w+):(\d+)/g, (_, kind: keyof typeof known, at) => {
    const pool = known[kind];
    return pool.length === 0 ? 'grp_none' : pool[Number(at) % pool.length]!;
  });
  return JSON.parse(text);
}

const urlText = (value: unknown) => encodeURIComponent(String(value).toWellFormed());

async function send({ operation, caller, path, query, header, body, type }: Call) {
  const removes = operation.name === 'adminRemoveNestedGroup' && caller < ADMINISTRATORS;
  const ids = (removes && nestings.pop()) || picked(path);
  const line = operation.path.replaceAll(/\{(.+?)\}/g, (_, name) => urlText(ids[name]));
  const search = Object.entries(picked(query)).map(([name, value]) => `${name}=${urlText(value)}`);
  const headers = new Headers({ authorization: `Bearer ${await server.tokenFor(callers[caller]!)}` });
  for (const [name, value] of Object.entries(header)) {
    if (/^[\x21-\x7e]+$/.test(String(value))) headers.set(name, String(value));
  }
  if (body !== undefined) headers.set('content-type', type);
  const text =
    typeof body === 'string' && body.startsWith('raw:')
      ? body.slice(4)
      : JSON.stringify(picked(body ?? null));
  const url = `http://coterie.test${line}${search.length ? `?${search.join('&')}` : ''}`;
  const response = await server.app.fetch(
    new Request(url, { method: operation.method, headers, ...(body !== undefined && { body: text }) }),
  );
  const answer = {
    what: `${operation.method} ${url}\n${text}`,
    status: response.status,
    text: await response.text(),
  };
  if (operation.name === 'adminAddNestedGroups' && answer.status === 200) {
    for (const child_group_id of JSON.parse(answer.text).data.added)
      nestings.push({ ...ids, child_group_id });
  }
  return answer;
}

function assertDescribed({ path, method, responses }: Operation, answer: Awaited<ReturnType<typeof send>>) {
  const { what, status, text } = answer;
  expect(status, `${what}\n${status} ${text}`).toBeLessThan(500);
  const described = responses[status];
  expect(described, `${what}\n${status} is not described: ${text}`).toBeDefined();
  if (!described!.content) {
    expect(text, what).toBe('');
    return;
  }
  const at = pointer(
    'paths',
    path,
    method.toLowerCase(),
    'responses',
    String(status),
    'content',
    'application/json',
    'schema',
  );
  const matches = ajv.getSchema(`openapi.json#/${at}`)!;
  expect(matches(JSON.parse(text)), `${what}\n${status} ${text}\n${ajv.errorsText(matches.errors)}`).toBe(
    true,
  );
}

test(`${REQUESTS} generated requests are answered as described`, { timeout: 120_000 }, async () => {
  const seen = new Map<string, Set<number>>(operations.map(({ name }) => [name, new Set()]));
  let sent = 0;
  await fc.assert(
    fc.asyncProperty(fc.oneof(...operations.map(callOf)), async (call) => {
      const answer = await send(call);
      sent += 1;
      seen.get(call.operation.name)!.add(answer.status);
      assertDescribed(call.operation, answer);
      if (answer.status === 201) known.group.push(JSON.parse(answer.text).data.id);
    }),
    { numRuns: REQUESTS, endOnFailure: true },
  );
  expect(sent).toBe(REQUESTS);
  // Were the requests any good? Each operation was carried out at least once, and refused at least once.
  for (const [name, statuses] of seen) {
    expect(
      [...statuses].some((status) => status < 300),
      `${name} never succeeded: ${[...statuses]}`,
    ).toBe(true);
    expect(
      [...statuses].some((status) => status >= 400),
      `${name} was never refused`,
    ).toBe(true);
  }
  console.info(
    `statuses: ${[...new Set([...seen.values()].flatMap((each) => [...each]))].toSorted().join(', ')}`,
  );
});
