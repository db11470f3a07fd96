// Thousands of requests generated from openapi.json, sound and broken: no answer is a 5xx, each has a status that its
// operation describes and a body that matches that status' schema (by ajv, which had no part in writing either).
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { openApiDocument } from '../../src/rest/openapi.ts';
import { createTenant, openAsAdmin } from '../support/directories.ts';
import { anything, damaged, type Kind, nearly, type Schema, valid } from '../support/openapi-arbitraries.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { seed } from '../support/seed.ts';
import { type Claims, SUPER_ADMIN, startApp, type TestApp } from '../support/server.ts';

/** At least this many requests. */
const REQUESTS = Number(process.env.REQUESTS ?? 1_500);

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
const described: Operation[] = Object.entries(document.paths as object).flatMap(([path, methods]) =>
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
/** An operation that takes nothing cannot be asked wrongly. */
const operations = described.filter(({ parameters, body }) => parameters.length > 0 || body !== null);

const ajv = new Ajv2020({ strict: false, allErrors: true });
formats.default(ajv);
ajv.addSchema(document, 'openapi.json');
const pointer = (...steps: string[]) =>
  steps.map((step) => encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/');

/** Ids that exist in each of the two tenants, so that requests get past the first check; kept in step by `learn`. */
const known: Record<Kind, string[]>[] = [];
/** Nestings that exist, as path parameters: two ids at random are hardly ever nested. */
let nestings: Record<string, unknown>[] = [];
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
    const directory = openAsAdmin(database.db, tenantId);
    const group: string[] = [];
    for (let at = 0; at < 10; at += 1) {
      const made = await createGroup(directory, {
        tenantId,
        name: `Group ${at}`,
        parentGroupId: group[at - 3],
      });
      group.push(made.group.id);
    }
    known.push({ tenant: [tenantId], partner: [partnerId], user: [...userIds], group });
  }
  callers = [
    SUPER_ADMIN,
    SUPER_ADMIN,
    { sub: 'usr_admin', role: 'tenant_admin', tenant_id: known[0]!.tenant[0] },
    { sub: 'client', tenant_id: known[0]!.tenant[0], scope: 'groups:read' },
    { sub: known[0]!.user[0], tenant_id: known[0]!.tenant[0] },
  ];
});
afterAll(() => database.close());

type Call = {
  operation: Operation;
  caller: number;
  /** The tenant that its ids are mostly of. */
  home: number;
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
    home: fc.constantFrom(0, 0, 0, 1),
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

/** Fewer deletions than anything else, for something to be left; most of those with a strategy are refused. */
const calls = fc.oneof(
  ...operations.map((operation) => ({
    weight: { adminDeleteGroup: 1, deleteGroup: 3 }[operation.name] ?? 4,
    arbitrary: callOf(operation),
  })),
);

/** Puts an id that exists in the place of each pick: of the call's tenant, now and then of the other. */
function picked<Value>(value: Value, home: number): Value {
  const text = JSON.stringify(value).replaceAll(/pick:(\w+):(\d+)/g, (_, kind: Kind, at) => {
    const pool = known[Number(at) % 12 === 11 ? 1 - home : home]![kind];
    return pool.length === 0 ? 'grp_none' : pool[Number(at) % pool.length]!;
  });
  return JSON.parse(text);
}

const urlText = (value: unknown) => encodeURIComponent(String(value).toWellFormed());

/** Keeps what exists in step, as far as answers tell: a pool of deleted groups would try nothing but 404. */
function learn({ name }: Operation, ids: Record<string, unknown>, answer: { status: number; text: string }) {
  if (answer.status === 201) {
    const { id, tenant_id = ids.tenant_id } = JSON.parse(answer.text).data;
    known.find(({ tenant }) => tenant[0] === tenant_id)?.group.push(id);
  }
  if (name === 'adminAddNestedGroups' && answer.status === 200) {
    for (const child_group_id of JSON.parse(answer.text).data.added)
      nestings.push({ ...ids, child_group_id });
  }
  if (/^(admin)?deleteGroup$/i.test(name) && answer.status === 204) {
    for (const pools of known) pools.group = pools.group.filter((id) => id !== ids.group_id);
    nestings = nestings.filter((ends) => !Object.values(ends).includes(ids.group_id));
  }
}

async function send({ operation, caller, home, path, query, header, body, type }: Call) {
  const removes = operation.name === 'adminRemoveNestedGroup' && caller < ADMINISTRATORS;
  const ids = (removes && nestings.pop()) || picked(path, home);
  const line = operation.path.replaceAll(/\{(.+?)\}/g, (_, name) => urlText(ids[name]));
  const search = Object.entries(picked(query, home)).map(([name, value]) => `${name}=${urlText(value)}`);
  const headers = new Headers({ authorization: `Bearer ${await server.tokenFor(callers[caller]!)}` });
  for (const [name, value] of Object.entries(header)) {
    if (/^[\x21-\x7e]+$/.test(String(value))) headers.set(name, String(value));
  }
  if (body !== undefined) headers.set('content-type', type);
  const text =
    typeof body === 'string' && body.startsWith('raw:')
      ? body.slice(4)
      : JSON.stringify(picked(body ?? null, home));
  const url = `http://coterie.test${line}${search.length ? `?${search.join('&')}` : ''}`;
  const response = await server.app.fetch(
    new Request(url, { method: operation.method, headers, ...(body !== undefined && { body: text }) }),
  );
  const answer = {
    what: `${operation.method} ${url}\n${text}`,
    status: response.status,
    text: await response.text(),
  };
  learn(operation, ids, answer);
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

test(`${REQUESTS} generated requests are answered as described`, { timeout: 240_000 }, async () => {
  const seen = new Map<string, number[]>(operations.map(({ name }) => [name, []]));
  const ask = async (call: Call) => {
    const answer = await send(call);
    seen.get(call.operation.name)!.push(answer.status);
    assertDescribed(call.operation, answer);
  };
  await fc.assert(fc.asyncProperty(calls, ask), { numRuns: REQUESTS, seed, endOnFailure: true });
  // What seldom succeeds, or is seldom refused, may not have done so by chance.
  const isMet = (statuses: number[]) =>
    statuses.some((status) => status < 300) && statuses.some((status) => status >= 400);
  for (const operation of operations) {
    for (const call of fc.sample(callOf(operation), { numRuns: 500, seed })) {
      if (isMet(seen.get(operation.name)!)) break;
      await ask(call);
    }
  }
  // Were the requests any good? Each operation was carried out at least once, and refused at least once.
  for (const [name, statuses] of seen) {
    expect(
      statuses.some((status) => status < 300),
      `${name} never succeeded: ${statuses}`,
    ).toBe(true);
    expect(
      statuses.some((status) => status >= 400),
      `${name} was never refused`,
    ).toBe(true);
  }
  console.info(`statuses: ${[...new Set([...seen.values()].flat())].toSorted().join(', ')}`);
});
