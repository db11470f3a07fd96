// GraphQL over HTTP: every audit of the specification's own suite, against the application; and what it answers to `@defer`.
import { serverAudits } from 'graphql-http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { SUPER_ADMIN, startApp, type TestApp } from '../support/server.ts';

let database: TestDatabase;
let server: TestApp;
beforeAll(async () => {
  database = await openTestDatabase();
  server = await startApp(database.db);
});
afterAll(() => database.close());

/** The audits know no tokens, and without one nothing is answered: each of their requests is given one. */
async function fetchSignedIn(url: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  headers.set('authorization', `Bearer ${await server.tokenFor(SUPER_ADMIN)}`);
  return server.app.fetch(new Request(url, { ...init, headers }));
}

const audits = serverAudits({ url: 'http://coterie.test/graphql', fetchFn: fetchSignedIn });

test('the suite has its 61 audits', () => {
  expect(audits.length).toBe(61);
});

test.each(audits.map((audit) => [audit.id, audit.name, audit] as const))(
  '%s %s',
  async (_id, _name, audit) => {
    const result = await audit.fn();
    expect(result.status, 'reason' in result ? result.reason : '').toBe('ok');
  },
);

test.each([null, 7, true, { a: 1 }, ['{ __typename }']])(
  'a query that is %j is answered with 400',
  async (query) => {
    const response = await fetchSignedIn('http://coterie.test/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/graphql-response+json' },
      body: JSON.stringify({ query }),
    });
    expect(response.status).toBe(400);
  },
);

// graphql 16 has no incremental delivery: a document that asks for it is refused whole, not answered in one piece,
// so that a client learns it at once instead of waiting for parts that never come.
test.each([
  ['@defer', '{ viewer { ... @defer { subject } } }'],
  ['@stream', '{ tenants { edges @stream(initialCount: 1) { cursor } } }'],
])('%s is refused by name', async (directive, query) => {
  const { status, body } = await server.ask(
    SUPER_ADMIN,
    query,
    {},
    { accept: 'multipart/mixed, application/json' },
  );
  expect(status).toBe(200);
  expect(body.data).toBeUndefined();
  expect(body.errors?.map(({ message }) => message)).toEqual([`Unknown directive "${directive}".`]);
});
