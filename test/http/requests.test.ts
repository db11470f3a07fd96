// The whole application as it is met over HTTP: health, masked faults, keys out of reach, bodies, and what is counted.
import { setTimeout as sleep } from 'node:timers/promises';
import { generateKeyPair, SignJWT } from 'jose';
import pino from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { createApp } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import { type Database, Prisma, type Sql } from '../../src/database/database.ts';
import { openDatabase } from '../../src/database/open.ts';
import { recorder } from '../support/log.ts';
import { countsIn, parseSamples } from '../support/metrics.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { SUPER_ADMIN, startApp, type TestApp } from '../support/server.ts';

let database: TestDatabase;
let server: TestApp;
let inProcess: TestApp;
beforeAll(async () => {
  database = await openTestDatabase();
  server = await startApp(database.db);
  inProcess = await startApp(database.db, {}, { inProcess: true });
});
afterAll(() => database.close());

/** A request without a body of its own making, as the caller who sees everything; null leaves a header out. */
async function send(
  app: TestApp,
  path: string,
  { headers = {}, ...init }: Omit<RequestInit, 'headers'> & { headers?: Record<string, string | null> } = {},
): Promise<Response> {
  const all = { authorization: `Bearer ${await app.tokenFor(SUPER_ADMIN)}`, ...headers };
  const given = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== null);
  return app.send(new Request(`${app.url}${path}`, { ...init, headers: given, redirect: 'manual' }));
}

const TENANTS = '{ tenants { totalCount } }';
const GROUPS = '{ groups { edges { node { id } } } }';
const post = (app: TestApp, body: BodyInit, headers: Record<string, string | null> = {}) =>
  send(app, '/graphql', {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json', ...headers },
  });

const ways = () => [server, inProcess];
/** What both ways answer alike: status, type and body. */
async function alike(ask: (app: TestApp) => Promise<Response>) {
  const [first, second] = await Promise.all(
    ways().map(async (app) => {
      const response = await ask(app);
      const text = await response.text();
      return { status: response.status, type: response.headers.get('content-type'), text };
    }),
  );
  expect(first).toEqual(second);
  return first!;
}

describe('health', () => {
  test('of a server whose database answers', async () => {
    for (const app of ways()) {
      const live = await send(app, '/livez', { headers: { authorization: null } });
      expect([live.status, await live.json()]).toEqual([200, { status: 'alive' }]);
      const ready = await send(app, '/readyz', { headers: { authorization: null } });
      expect([ready.status, await ready.json()]).toEqual([200, { status: 'ready' }]);
    }
  });

  test('of a server whose database is gone: it lives, and is not ready', async () => {
    const closed = await openDatabase({ url: database.url, dataDir: '' });
    const app = await startApp(closed);
    expect((await send(app, '/readyz')).status).toBe(200);
    await closed.close();
    const ready = await send(app, '/readyz');
    expect([ready.status, await ready.json()]).toEqual([
      503,
      { status: 'unavailable', reason: 'The database does not answer' },
    ]);
    expect((await send(app, '/livez')).status).toBe(200);
  });

  test('of a server whose database only reads: it lives, and is not ready', async () => {
    const reading: Database = { ...database.db, sql: async () => [{ readOnly: 'on' }] as never };
    const app = await startApp(reading);
    const ready = await send(app, '/readyz');
    expect([ready.status, ready.headers.get('retry-after'), await ready.json()]).toEqual([
      503,
      '1',
      { status: 'unavailable', reason: 'The database is read-only' },
    ]);
    expect((await send(app, '/livez')).status).toBe(200);
  });

  test('of a server that cannot have the keys of tokens: it is not ready, and the log says why, but never the token', async () => {
    const { logger, lines } = recorder();
    const issuer = { AUTH_ISSUER: 'https://id.example.com', AUTH_AUDIENCE: 'coterie' };
    const AUTH_JWKS_URL = 'http://127.0.0.1:1/jwks';
    const app = await startApp(database.db, { ...issuer, AUTH_JWKS_URL }, { logger });
    const reason = 'The keys that verify tokens cannot be reached; try again';
    const ready = await fetch(`${app.url}/readyz`);
    expect([ready.status, await ready.json()]).toEqual([503, { status: 'unavailable', reason }]);
    const authorization = 'Bearer eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl';
    const asked = await fetch(`${app.url}/api/v1/admin/groups/`, { headers: { authorization } });
    expect(asked.status).toBe(503);
    const err = { message: expect.any(String) };
    expect(lines).toMatchObject([
      { level: 40, msg: 'The keys that verify tokens cannot be refreshed', err },
      ...['/readyz', '/api/v1/admin/groups/'].map((path) => ({
        level: 40,
        path,
        status: 503,
        msg: reason,
        err,
      })),
    ]);
    expect(JSON.stringify(lines)).not.toContain('c2lnbmF0dXJl');
  });

  test('that changes is a warning, and not each probe', async () => {
    const { logger, lines } = recorder();
    let state = 'on';
    const failing: Database = {
      ...database.db,
      sql: async () => {
        if (state === 'gone') throw new Error('gone');
        return [{ readOnly: state }] as never;
      },
    };
    const app = await startApp(failing, {}, { logger });
    for (state of ['on', 'on', 'gone', 'gone', 'off', 'off', 'gone']) await send(app, '/readyz');
    const [readOnly, gone] = ['The database is read-only', 'The database does not answer'];
    expect(lines.map(({ level, status, msg }) => [level, status, msg])).toEqual([
      [40, 503, readOnly],
      [30, 503, 'request'],
      [40, 503, gone],
      [30, 503, 'request'],
      [30, 200, 'request'],
      [30, 200, 'request'],
      [40, 503, gone],
    ]);
  });

  test('is answered to HEAD without a body', async () => {
    for (const [path, status] of [
      ['/livez', 200],
      ['/readyz', 200],
      ['/nothing', 404],
    ] as const) {
      const response = await send(server, path, { method: 'HEAD' });
      expect([response.status, await response.text()]).toEqual([status, '']);
    }
  });
});

describe('the log', () => {
  test.each([
    ['through a server', false],
    ['in process', true],
  ])('%s has one line a request, with its caller and without ids of paths', async (_way, inProcess) => {
    const { logger, lines } = recorder();
    const broken: Database = {
      ...database.db,
      sql: async () => Promise.reject(new Error('secret')),
      transaction: async () => Promise.reject(new Error('secret')),
    };
    const app = await startApp(broken, {}, { inProcess, logger });
    const claims = { sub: 'usr_A', role: 'tenant_admin', tenant_id: 'tnt_A' };
    const failing = Array.from({ length: 10 }, (_, at) => `g${at}: group(id: "grp_${at}") { id }`);
    await app.ask(claims, `{ ${failing.join(' ')} }`);
    await app.rest(claims, 'GET /api/v1/tenants/tnt_A/groups/grp_A');
    const of = { level: 50, subject: 'usr_A', tenantId: 'tnt_A', err: { message: 'secret' } };
    expect(lines).toMatchObject([
      { ...of, method: 'POST', path: '/graphql', status: 200, errorCount: 10 },
      { ...of, method: 'GET', path: '/api/v1/tenants/*/groups/*', status: 500 },
    ]);
  });
});

test.each([
  ['/graphql', { accept: 'text/html' }],
  ['/docs', {}],
  ['/docs/swagger-ui-bundle.js', {}],
  ['/openapi.json', {}],
])('%s is a page that keeps its ETag', async (path, headers) => {
  const ask = async (encoding: string) => {
    const asked = { authorization: null, 'accept-encoding': encoding, ...headers };
    return (await send(server, path, { headers: asked })).headers.get('etag');
  };
  const plain = await ask('identity');
  expect(plain).toMatch(/^"[\w-]{43}"$/);
  const tag = plain!.slice(0, -1);
  // The reference is smaller than what is compressed.
  const encoded = path === '/docs' ? [plain, plain] : [`${tag}-br"`, `${tag}-gzip"`];
  expect([await ask('br'), await ask('gzip'), await ask('identity')]).toEqual([...encoded, plain]);
});

test('the log has of a path the words of routes, and nothing else', async () => {
  const { logger, lines } = recorder();
  const app = await startApp(database.db, {}, { logger });
  const paths = [
    '/',
    '/livez',
    '/readyz',
    '/metrics',
    '/graphql',
    '/docs',
    '/docs/swagger-ui-bundle.js',
    '/openapi.json',
    '/api/v1/admin/groups/',
    '/api/v1/admin/groups/grp_A/members',
    '/api/v1/admin/groups/grp_A/nested-groups/grp_B',
    '/api/v1/tenants/tnt_A/groups',
    '/access/v1/evaluation',
    '/access/v1/evaluations/alice',
    '/.well-known/authzen-configuration',
    '/alice',
    '/jane.doe',
    '/api/v1/alice/groups/jane.doe-1984',
    '/api/v1/admin/groups/{group_id}/members',
    '/api/v1/tenants/:tenant_id/groups',
    '/docs/*',
    '/constructor',
  ];
  for (const path of paths) await send(app, path);
  expect(lines.map(({ path }) => path)).toEqual([
    ...paths.slice(0, 9),
    '/api/v1/admin/groups/*/members',
    '/api/v1/admin/groups/*/nested-groups/*',
    '/api/v1/tenants/*/groups',
    '/access/v1/evaluation',
    '/access/v1/evaluations/*',
    '/.well-known/authzen-configuration',
    '/*',
    '/*',
    '/api/v1/*/groups/*',
    '/api/v1/admin/groups/*/members',
    '/api/v1/tenants/*/groups',
    '/docs/*',
    '/*',
  ]);
});

describe('the log of a fault of the database', () => {
  /** The lines of a request whose statements are in truth this one, which the real database refuses. */
  async function linesOf(statement: Sql, ask: (app: TestApp) => Promise<unknown>) {
    const { logger, lines } = recorder();
    const failing: Database = { ...database.db, sql: async () => database.db.sql(statement) };
    await ask(await startApp(failing, {}, { logger }));
    return lines;
  }
  const readGroups = (app: TestApp) => app.ask(SUPER_ADMIN, GROUPS);

  test('names the constraint, and not the row that broke it', async () => {
    await database.db.sql(Prisma.sql`insert into partners (id, name) values ('ptn_secret', 'Partner')`);
    const again = Prisma.sql`insert into partners (id, name) values ('ptn_secret', 'Partner')`;
    const [line, ...more] = await linesOf(again, readGroups);
    expect(more).toEqual([]);
    expect(line.err).toEqual({
      type: 'DatabaseError',
      message: 'duplicate key value violates unique constraint "partners_pkey"',
      code: '23505',
      severity: 'ERROR',
      schema: 'public',
      table: 'partners',
      constraint: 'partners_pkey',
      stack: expect.stringContaining('    at '),
    });
    expect(JSON.stringify(line)).not.toContain('ptn_secret');
  });

  test.each([
    ['22P02', Prisma.sql`select ${'my "secret" text'}::uuid`, 'invalid input syntax for type uuid: "…"'],
    ['22007', Prisma.sql`select ${'secret'}::date`, 'invalid input syntax for type date: "…"'],
    ['22003', Prisma.sql`select ${'99999999999'}::int4`, 'value "…" is out of range for type integer'],
  ])('says what a value of it broke (%s), and not the value', async (code, statement, message) => {
    const query = '{ a: groups { edges { node { id } } } tenants { totalCount } }';
    for (const lines of [
      await linesOf(statement, readGroups),
      await linesOf(statement, (app) => app.ask(SUPER_ADMIN, query)),
      await linesOf(statement, (app) => send(app, '/api/v1/admin/groups')),
    ]) {
      expect(lines).toMatchObject([{ level: 50, err: { code, message } }]);
      expect(JSON.stringify(lines)).not.toMatch(/secret|99999999999/);
    }
  });
});

describe('faults', () => {
  afterEach(() => void vi.unstubAllEnvs());
  const fault = () =>
    Object.assign(new Error('secret message', { cause: new Error('secret cause') }), {
      detail: 'secret detail',
    });

  describe.each(['development', 'production'])('in %s', (NODE_ENV) => {
    test.each([
      ['through a server', false],
      ['in process', true],
    ])('%s tell nothing but the request', async (_way, inProcess) => {
      vi.stubEnv('NODE_ENV', NODE_ENV);
      const lines: { level: number; requestId: string; err?: { message: string } }[] = [];
      const logger = pino({ level: 'error' }, { write: (line) => void lines.push(JSON.parse(line)) });
      const broken: Database = { ...database.db, sql: async () => Promise.reject(fault()) };
      const app = await startApp(broken, {}, { inProcess, logger });
      // More often than it takes to be compiled.
      for (let run = 0; run < 6; run += 1) {
        const { status, body } = await app.ask(SUPER_ADMIN, GROUPS, {}, { 'x-request-id': `run-${run}` });
        expect([status, body]).toEqual([
          200,
          {
            data: { groups: null },
            errors: [
              {
                message: 'Unexpected error',
                path: ['groups'],
                locations: [{ line: 1, column: 3 }],
                extensions: { code: 'INTERNAL_SERVER_ERROR', requestId: `run-${run}` },
              },
            ],
            extensions: { cost: { requested: 21, limit: 10_000 } },
          },
        ]);
        expect(lines.splice(0)).toMatchObject([
          { level: 50, requestId: `run-${run}`, err: { message: expect.stringContaining('secret message') } },
        ]);
      }
      const response = await send(app, '/api/v1/admin/groups', { headers: { 'x-request-id': 'rest' } });
      expect([response.status, await response.json()]).toEqual([500, { detail: 'Internal Server Error' }]);
      expect(response.headers.get('x-request-id')).toBe('rest');
      expect(lines).toMatchObject([
        { level: 50, requestId: 'rest', err: { message: expect.stringContaining('secret message') } },
      ]);
    });
  });
});

describe('with an identity provider', () => {
  const variables = {
    AUTH_ISSUER: 'https://id.example.com',
    AUTH_AUDIENCE: 'coterie',
    // Nobody listens there.
    AUTH_JWKS_URL: 'http://127.0.0.1:9/jwks',
  };
  let authorization: string;
  beforeAll(async () => {
    const { privateKey } = await generateKeyPair('ES256');
    const jwt = new SignJWT({ sub: 'usr_A', role: 'super_admin' })
      .setProtectedHeader({ alg: 'ES256', kid: 'one' })
      .setIssuer('https://id.example.com')
      .setAudience('coterie')
      .setExpirationTime('5m');
    authorization = `Bearer ${await jwt.sign(privateKey)}`;
  });

  test('whose keys cannot be had, callers are asked to come again: 503, not 401', async () => {
    for (const inProcess of [false, true]) {
      const lines: { level: number; requestId?: string; err?: { message: string } }[] = [];
      const logger = pino({ level: 'warn' }, { write: (line) => void lines.push(JSON.parse(line)) });
      const app = await startApp(database.db, variables, { inProcess, logger });
      const ask = (path: string, init: RequestInit = {}) =>
        app.send(
          new Request(`${app.url}${path}`, {
            ...init,
            headers: { authorization, 'content-type': 'application/json', 'x-request-id': 'one' },
          }),
        );
      const graphql = await ask('/graphql', { method: 'POST', body: JSON.stringify({ query: TENANTS }) });
      expect([graphql.status, graphql.headers.get('retry-after')]).toEqual([503, '1']);
      const { errors } = (await graphql.json()) as { errors: { extensions: object }[] };
      expect(errors.map(({ extensions }) => extensions)).toEqual([{ code: 'UNAVAILABLE' }]);
      expect(lines.splice(0)).toMatchObject([{ level: 40, requestId: 'one', err: {} }]);
      const rest = await ask('/api/v1/admin/groups');
      expect([rest.status, rest.headers.get('retry-after'), await rest.json()]).toEqual([
        503,
        '1',
        { detail: expect.any(String) },
      ]);
      expect(lines).toMatchObject([{ level: 40, requestId: 'one', err: {} }]);
    }
  });

  test('the server signs no tokens, and its pages hold none', async () => {
    const config = readConfig({ ...variables, DATA_DIR: server.dataDir });
    const app = await createApp({ config, database: database.db, logger: pino({ level: 'silent' }) });
    expect(app.signToken).toBeNull();
    const page = await app.fetch(new Request('http://x/graphql', { headers: { accept: 'text/html' } }));
    const html = await page.text();
    expect(html).toContain('Bearer …');
    expect(html).not.toMatch(/Bearer ey/);
  });
});

describe('/graphql', () => {
  test('gives a browser GraphiQL, with the token of a developer', async () => {
    const response = await send(inProcess, '/graphql', {
      headers: { authorization: null, accept: 'text/html,*/*' },
    });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(response.headers.get('cache-control')).toBe('no-store');
    const html = await response.text();
    expect(html).toContain('<title>Coterie</title>');
    const [, token] = /Bearer (ey[\w.-]+)/.exec(html)!;
    const asked = await send(inProcess, '/graphql?query={viewer{role}}', {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(await asked.json()).toMatchObject({ data: { viewer: { role: 'SUPER_ADMIN' } } });
  });

  test('gives a page only for GET without a query', async () => {
    for (const [path, init] of [
      ['/graphql?query={viewer{role}}', {}],
      ['/graphql', { method: 'POST', body: JSON.stringify({ query: '{viewer{role}}' }) }],
      ['/graphql', { headers: { accept: 'application/json' } }],
    ] as const) {
      const headers = { accept: 'text/html,application/json', 'content-type': 'application/json' };
      const response = await send(inProcess, path, {
        ...init,
        headers: { ...headers, ...('headers' in init && init.headers) },
      });
      expect(response.headers.get('content-type')).not.toMatch(/text\/html/);
    }
  });

  test('answers queries by GET, with variables and a name', async () => {
    const url = new URL('http://x/graphql');
    url.searchParams.set(
      'query',
      `query A { __typename } query B($id: ID!) { node(id: $id) { id } ${TENANTS.slice(1)}`,
    );
    url.searchParams.set('variables', '{"id":"grp_none"}');
    url.searchParams.set('operationName', 'B');
    const { status, text } = await alike((app) => send(app, `/graphql${url.search}`));
    expect([status, JSON.parse(text)]).toEqual([
      200,
      {
        data: { node: null, tenants: { totalCount: 0 } },
        extensions: { cost: { requested: 2, limit: 10_000 } },
      },
    ]);
  });

  test('changes nothing by GET', async () => {
    const mutation = encodeURIComponent('mutation { deleteGroup(input: { id: "grp_x" }) { __typename } }');
    for (const app of ways()) {
      const response = await send(app, `/graphql?query=${mutation}`);
      expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST']);
    }
  });

  test.each(['PUT', 'PATCH', 'DELETE'])('refuses %s', async (method) => {
    for (const app of ways()) {
      const response = await send(app, '/graphql', { method });
      expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, POST']);
    }
  });

  test.each([
    [null, 'application/json'],
    ['*/*', 'application/json'],
    ['application/json', 'application/json'],
    ['application/graphql-response+json', 'application/graphql-response+json'],
    ['application/graphql-response+json, application/json;q=0.9', 'application/graphql-response+json'],
    ['application/json, application/graphql-response+json', 'application/json'],
    ['text/plain', 'application/json'],
  ])('refuses who accepts %s as %s, by a token or none, and by GET', async (accept, type) => {
    const query = JSON.stringify({ query: TENANTS });
    for (const authorization of [null, 'Bearer x']) {
      for (const ask of [
        (app: TestApp) => post(app, query, { accept, authorization }),
        (app: TestApp) =>
          send(app, `/graphql?query=${encodeURIComponent(TENANTS)}`, { headers: { accept, authorization } }),
      ]) {
        expect(await alike(ask)).toMatchObject({ status: 401, type: `${type}; charset=utf-8` });
      }
    }
  });

  test.each([
    [413, 'x'.repeat(256 * 1_024 + 1), {}],
    [415, 'x', { 'content-encoding': 'gzip' }],
  ])('refuses with %i in the media type that is accepted', async (status, body, headers) => {
    const accept = 'application/graphql-response+json';
    const refused = await alike((app) => post(app, body, { ...headers, accept }));
    expect([refused.status, refused.type]).toEqual([status, `${accept}; charset=utf-8`]);
  });

  test('asks for a token before anything else', async () => {
    for (const [body, headers] of [
      ['{', {}],
      ['x'.repeat(1_000), { 'content-type': 'text/plain' }],
      [JSON.stringify({ query: '{' }), {}],
    ] as const) {
      const { status, text } = await alike((app) => post(app, body, { ...headers, authorization: null }));
      expect(status).toBe(401);
      expect(JSON.parse(text).errors[0].extensions).toEqual({ code: 'UNAUTHENTICATED' });
    }
  });
});

describe('a body', () => {
  const QUERY = JSON.stringify({ query: TENANTS });
  const ACCENT = JSON.stringify({ query: '{ groups(filter: { search: "é" }) { totalCount } }' });

  test.each<[string, string | null, number]>([
    [QUERY, 'application/json', 200],
    [QUERY, 'application/json; charset=utf-8', 200],
    [QUERY, 'application/json;charset="utf-8"', 200],
    [QUERY, 'application/jsonl', 415],
    [QUERY, 'text/plain', 415],
    ['query=%7B__typename%7D', 'application/x-www-form-urlencoded', 200],
    [QUERY, null, 415],
    [TENANTS, 'application/graphql', 200],
  ])('%s as %s is answered with %i', async (text, type, expected) => {
    const { status } = await alike((app) => post(app, Buffer.from(text), { 'content-type': type }));
    expect(status).toBe(expected);
  });

  test.each([
    ['application/json; charset=iso-8859-1', Buffer.from(ACCENT, 'latin1')],
    ['application/json; charset=iso-8859-1', Buffer.from(ACCENT)],
    ['application/json; charset=utf-16', Buffer.from(ACCENT, 'utf16le')],
    ['application/json; charset=utf-8', Buffer.from(ACCENT, 'latin1')],
    ['application/json', Buffer.from(ACCENT, 'latin1')],
    ['application/json', Buffer.from(`\ufeff${ACCENT}`)],
  ])('of %s that holds %s is answered alike, whichever way it takes', async (type, bytes) => {
    const { status } = await alike((app) => post(app, bytes, { 'content-type': type }));
    expect(status).toBeLessThan(500);
  });

  const GRAPHQL_BYTES = 256 * 1_024;
  const REST_BYTES = 1_024 * 1_024;

  test('of 256 KiB is read, and one byte more is not', async () => {
    const ofSize = (size: number) => QUERY.padEnd(size);
    const { status, text } = await alike((app) => post(app, ofSize(GRAPHQL_BYTES)));
    expect([status, JSON.parse(text).data]).toEqual([200, { tenants: { totalCount: 0 } }]);
    const above = await alike((app) => post(app, ofSize(GRAPHQL_BYTES + 1)));
    expect([above.status, JSON.parse(above.text)]).toEqual([
      413,
      {
        errors: [
          {
            message: `The body is larger than ${GRAPHQL_BYTES} bytes`,
            extensions: { code: 'LIMIT_EXCEEDED', limit: GRAPHQL_BYTES },
          },
        ],
      },
    ]);
  });

  test('of 1 MiB is read by REST, and one byte more is not', async () => {
    const create = (app: TestApp, size: number) =>
      send(app, '/api/v1/tenants/tnt_x/groups', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{}'.padEnd(size),
      });
    expect((await alike((app) => create(app, REST_BYTES))).status).toBe(422);
    const above = await alike((app) => create(app, REST_BYTES + 1));
    expect([above.status, JSON.parse(above.text)]).toEqual([
      413,
      { detail: `The body is larger than ${REST_BYTES} bytes` },
    ]);
  });

  test('has the limits of the configuration', async () => {
    const small = await startApp(database.db, { LIMIT_BODY_BYTES: '100', LIMIT_REST_BODY_BYTES: '50' });
    expect((await post(small, QUERY.padEnd(100))).status).toBe(200);
    expect((await post(small, QUERY.padEnd(101))).status).toBe(413);
    const create = (size: number) =>
      send(small, '/api/v1/tenants/tnt_x/groups', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{}'.padEnd(size),
      });
    expect((await create(50)).status).toBe(422);
    expect((await create(51)).status).toBe(413);
  });
});

describe('/metrics', () => {
  const samples = async (app: TestApp) => parseSamples(await (await send(app, '/metrics')).text());

  test('counts each request once, by where it went and what came of it', async () => {
    const app = await startApp(database.db);
    const query = JSON.stringify({ query: TENANTS });
    await post(app, query);
    await post(app, query);
    await post(app, JSON.stringify({ query: '{' }));
    await post(app, query, { authorization: null });
    await post(app, query, { authorization: 'Bearer bad' });
    await post(app, JSON.stringify({ query, other: 1 }));
    for (const path of ['/api/v1/admin/groups', '/api/v1/tenants/tnt_x/groups/grp_x', '/api/v1/nothing'])
      await send(app, path);
    for (const path of ['/access/v1/evaluation', '/access/v1/evaluations', '/access/v1/search/subject'])
      await send(app, path);
    await send(app, '/.well-known/authzen-configuration');
    await send(app, '/docs');
    await send(app, '/openapi.json');
    await send(app, '/');
    await send(app, '/wp-admin.php');
    await send(app, '/graphql/x');
    await send(app, '/livez');
    await send(app, '/readyz');
    expect(countsIn(await samples(app))).toEqual({
      '/graphql 200': 3,
      '/graphql 400': 1,
      '/graphql 401': 2,
      '/api/v1 200': 1,
      '/api/v1 404': 2,
      '/access/v1 405': 2,
      '/access/v1 404': 1,
      '/.well-known/authzen-configuration 200': 1,
      '/docs 200': 1,
      '/openapi.json 200': 1,
      '/ 302': 1,
      'other 404': 2,
      '/livez 200': 1,
      '/readyz 200': 1,
    });
    expect(countsIn(await samples(app))['/metrics 200']).toBe(1);
  });

  test('counts the statements that were sent', async () => {
    const app = await startApp(database.db);
    const sent = async () => (await samples(app)).get('coterie_statements_total')!;
    const before = await sent();
    let statements = 0;
    const stop = database.db.onStatement(() => {
      statements += 1;
    });
    await app.data(SUPER_ADMIN, TENANTS);
    await app.data(SUPER_ADMIN, GROUPS);
    await app.rest(SUPER_ADMIN, 'GET /api/v1/admin/groups');
    stop();
    expect(statements).toBeGreaterThanOrEqual(3);
    expect((await sent()) - before).toBe(statements);
    expect((await sent()) - before, 'reading them sends none').toBe(statements);
  });

  test('adds up the seconds that requests took', async () => {
    const slow: Database = {
      ...database.db,
      sql: async (statement) => {
        await sleep(60);
        return database.db.sql(statement);
      },
    };
    const app = await startApp(slow);
    const started = performance.now();
    await app.data(SUPER_ADMIN, TENANTS);
    await send(app, '/api/v1/admin/groups');
    const elapsed = (performance.now() - started) / 1_000;
    const all = await samples(app);
    for (const route of ['/graphql', '/api/v1']) {
      const seconds = all.get(`coterie_request_duration_seconds_sum{route="${route}",status="200"}`);
      expect(seconds).toBeGreaterThan(0.05);
      expect(seconds).toBeLessThan(elapsed);
    }
  });
});
