// Pages of other origins: every answer says whether they may read it, and a preflight is answered before any token is asked for.
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../src/database/database.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { SUPER_ADMIN, startApp, type TestApp } from '../support/server.ts';

const APP = 'https://app.example.com';
const LISTED = 'http://localhost:3000';
const OTHER = 'https://other.example.com';
const EXPOSED = 'Allow, Coterie-Position, ETag, Location, Retry-After, WWW-Authenticate, X-Request-ID';

let database: TestDatabase;
let listed: TestApp;
let anyone: TestApp;
let nobody: TestApp;
let broken: TestApp;
let token: string;
beforeAll(async () => {
  database = await openTestDatabase();
  listed = await startApp(database.db, { CORS_ORIGINS: `${APP},${LISTED}` });
  anyone = await startApp(database.db, { CORS_ORIGINS: '*' });
  nobody = await startApp(database.db);
  const failing: Database = { ...database.db, sql: async () => Promise.reject(new Error('secret')) };
  broken = await startApp(failing, { CORS_ORIGINS: APP });
  token = `Bearer ${await listed.tokenFor(SUPER_ADMIN)}`;
});
afterAll(() => database.close());

type Call = { path: string; method?: string; headers?: Record<string, string>; body?: string };

const call = (app: TestApp, { path, ...init }: Call, origin: string | null) =>
  fetch(`${app.url}${path}`, {
    ...init,
    // The pages are large, and how they are encoded is the matter of another test.
    headers: { 'accept-encoding': 'identity', ...init.headers, ...(origin !== null && { origin }) },
    redirect: 'manual',
  });

const cors = (response: Response) =>
  Object.fromEntries(
    [...response.headers].filter(([name]) => name.startsWith('access-control-') || name === 'vary'),
  );

const JSON_POST = { method: 'POST', headers: { 'content-type': 'application/json' } };
const signedIn = () => ({ ...JSON_POST.headers, authorization: token });
const BIG = 'x'.repeat(256 * 1_024 + 1);

/** One request for each way out of the server, with the status it ends with. */
const CALLS: [what: string, status: number, call: () => Call][] = [
  [
    'the fast path',
    200,
    () => ({ path: '/graphql', ...JSON_POST, headers: signedIn(), body: '{"query":"{__typename}"}' }),
  ],
  [
    'the fast path, refused',
    401,
    () => ({
      path: '/graphql',
      method: 'POST',
      headers: { ...signedIn(), authorization: 'Bearer x' },
      body: '{"query":"{__typename}"}',
    }),
  ],
  ['a query by GET', 200, () => ({ path: '/graphql?query={__typename}', headers: { authorization: token } })],
  ['no token', 401, () => ({ path: '/graphql', ...JSON_POST, body: '{}' })],
  [
    'a syntax error',
    200,
    () => ({ path: '/graphql', ...JSON_POST, headers: signedIn(), body: '{"query":"{"}' }),
  ],
  ['no JSON', 400, () => ({ path: '/graphql', ...JSON_POST, headers: signedIn(), body: '{' })],
  ['a body too large', 413, () => ({ path: '/graphql', ...JSON_POST, headers: signedIn(), body: BIG })],
  [
    'an encoded body',
    415,
    () => ({
      path: '/graphql',
      ...JSON_POST,
      headers: { ...signedIn(), 'content-encoding': 'gzip' },
      body: 'x',
    }),
  ],
  ['another method', 405, () => ({ path: '/graphql', method: 'PUT', headers: { authorization: token } })],
  ['an unknown method', 405, () => ({ path: '/graphql', method: 'PROPFIND' })],
  ['a REST list', 200, () => ({ path: '/api/v1/admin/groups', headers: { authorization: token } })],
  ['REST without a token', 401, () => ({ path: '/api/v1/admin/groups' })],
  [
    'REST that finds nothing',
    404,
    () => ({ path: '/api/v1/admin/groups/grp_0000000000000000', headers: { authorization: token } }),
  ],
  [
    'REST that is not valid',
    422,
    () => ({ path: '/api/v1/admin/groups?page=0', headers: { authorization: token } }),
  ],
  [
    'an evaluation of access that is not valid',
    400,
    () => ({ path: '/access/v1/evaluation', ...JSON_POST, headers: signedIn(), body: '{}' }),
  ],
  ['where access is evaluated', 200, () => ({ path: '/.well-known/authzen-configuration' })],
  ['an ambiguous path', 404, () => ({ path: '/api/v1/%61dmin/groups' })],
  ['a path of nobody', 404, () => ({ path: '/nothing' })],
  ['the reference', 200, () => ({ path: '/docs' })],
  ['OpenAPI', 200, () => ({ path: '/openapi.json' })],
  ['GraphiQL', 200, () => ({ path: '/graphql', headers: { accept: 'text/html' } })],
  ['health', 200, () => ({ path: '/livez' })],
  ['readiness', 200, () => ({ path: '/readyz' })],
  ['metrics', 200, () => ({ path: '/metrics' })],
  ['the root', 302, () => ({ path: '/' })],
];

describe.each(CALLS)('%s (%i)', (_what, status, make) => {
  test('may be read by the origins that are listed, and by no other', async () => {
    for (const origin of [APP, LISTED]) {
      const response = await call(listed, make(), origin);
      expect(response.status).toBe(status);
      const { vary, ...others } = cors(response);
      expect(others).toEqual({
        'access-control-allow-origin': origin,
        'access-control-expose-headers': EXPOSED,
      });
      expect(vary!.split(', ')).toContain('Origin');
    }
    for (const origin of [OTHER, `${APP}.evil.example`, APP.toUpperCase(), 'null', null]) {
      const { vary, ...others } = cors(await call(listed, make(), origin));
      expect([origin, others]).toEqual([origin, {}]);
      expect(vary!.split(', ')).toContain('Origin');
    }
  });

  test('may be read by any origin, or by none, as it is configured', async () => {
    const { vary: _, ...any } = cors(await call(anyone, make(), OTHER));
    // The token of another server is none of this one.
    expect(any).toEqual({ 'access-control-allow-origin': '*', 'access-control-expose-headers': EXPOSED });
    const { vary: __, ...none } = cors(await call(nobody, make(), APP));
    expect(none).toEqual({});
  });

  test('has a preflight that needs no token', async () => {
    const { path } = make();
    const headers = {
      'access-control-request-method': 'PATCH',
      'access-control-request-headers': 'authorization,content-type,x-of-a-client',
    };
    const preflight = (app: TestApp, origin: string) =>
      call(app, { path, method: 'OPTIONS', headers }, origin);
    const allowed = await preflight(listed, APP);
    expect([allowed.status, await allowed.text()]).toEqual([204, '']);
    expect(cors(allowed)).toEqual({
      'access-control-allow-origin': APP,
      'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
      'access-control-allow-headers': 'authorization,content-type,x-of-a-client',
      'access-control-expose-headers': EXPOSED,
      'access-control-max-age': '7200',
      vary: 'Access-Control-Request-Headers, Origin',
    });
    const other = await preflight(listed, OTHER);
    expect([other.status, cors(other)]).toEqual([204, { vary: 'Origin' }]);
    const none = await preflight(nobody, APP);
    expect([none.status, cors(none)]).toEqual([204, {}]);
    const any = await preflight(anyone, OTHER);
    expect(cors(any)).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-allow-methods': /PATCH/,
    });
  });
});

test('a fault and a state of the database may be read too', async () => {
  const authorization = `Bearer ${await broken.tokenFor(SUPER_ADMIN)}`;
  const read = async (path: string) => {
    const response = await call(broken, { path, headers: { authorization } }, APP);
    return [response.status, cors(response)['access-control-allow-origin']];
  };
  expect(await read('/api/v1/admin/groups')).toEqual([500, APP]);
  expect(await read('/readyz')).toEqual([503, APP]);
});

test('OPTIONS of nobody’s page is what it was: not allowed, and for GraphQL after the token', async () => {
  expect(
    (
      await call(
        listed,
        { path: '/api/v1/admin/groups', method: 'OPTIONS', headers: { authorization: token } },
        APP,
      )
    ).status,
  ).toBe(405);
  expect((await call(listed, { path: '/graphql', method: 'OPTIONS' }, null)).status).toBe(401);
});

test('credentials are never allowed', async () => {
  for (const app of [listed, anyone]) {
    const response = await call(app, { path: '/livez', headers: { cookie: 'a=b' } }, APP);
    expect(response.headers.has('access-control-allow-credentials')).toBe(false);
  }
});

test.each(['/graphql', '/docs'])(
  'no page of another origin can read the token of development in %s',
  async (path) => {
    const page = async (origin: string | null) =>
      (await call(anyone, { path, headers: { accept: 'text/html' } }, origin)).text();
    expect(await page(null)).toMatch(/"ey[\w-]+\.|Bearer ey[\w-]+\./);
    for (const origin of [OTHER, 'null']) expect(await page(origin)).not.toMatch(/ey[\w-]{20,}\.ey/);
  },
);

describe('what breaks off before there is a request that can be answered', () => {
  /** What a connection is told that has sent this, and no more. */
  async function told(
    { url }: TestApp,
    sent: string,
  ): Promise<{ status: number; cors: Record<string, string> }> {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.write(sent);
    let text = '';
    for await (const chunk of socket.setEncoding('utf8')) text += chunk;
    const [line, ...lines] = text.split('\r\n\r\n')[0]!.split('\r\n');
    const headers = lines.map((each) => each.toLowerCase().split(': ') as [string, string]);
    return {
      status: Number(line!.split(' ')[1]),
      cors: Object.fromEntries(
        headers.filter(([name]) => name.startsWith('access-control-') || name === 'vary'),
      ),
    };
  }
  const EXPOSE = { 'access-control-expose-headers': EXPOSED.toLowerCase() };
  const HEAD = `POST /graphql HTTP/1.1\r\nhost: localhost\r\norigin: ${APP}\r\n`;
  const LARGE = `${HEAD}cookie: ${'x'.repeat(20_000)}\r\n\r\n`;
  const HALF = `${HEAD}content-type: application/json\r\nauthorization: Bearer x\r\ncontent-length: 9\r\n\r\n{`;
  const BAD_CHUNK = `${HEAD}transfer-encoding: chunked\r\n\r\nno chunk\r\n`;
  let impatient: TestApp;
  let impatientOfAnyone: TestApp;
  beforeAll(async () => {
    const timeouts = { TIMEOUT_REQUEST_MS: '400', TIMEOUT_HEADERS_MS: '300' };
    impatient = await startApp(database.db, { ...timeouts, CORS_ORIGINS: APP });
    impatientOfAnyone = await startApp(database.db, { ...timeouts, CORS_ORIGINS: '*' });
  });

  test.each([
    ['malformed', 400, `${HEAD}no header\r\n\r\n`],
    ['headers too large', 431, LARGE],
    ['headers that do not end', 408, HEAD],
    ['a body that does not end', 408, HALF],
    ['a malformed body', 400, BAD_CHUNK],
  ])('%s may be read by any origin where all may', async (_what, status, sent) => {
    expect(await told(impatientOfAnyone, sent)).toEqual({
      status,
      cors: { 'access-control-allow-origin': '*', ...EXPOSE },
    });
  });

  test.each([
    ['a body that does not end', 408, HALF, APP],
    ['a malformed body', 400, BAD_CHUNK, APP],
    ['a body that does not end, of another origin', 408, HALF.replace(APP, 'https://b.example'), null],
    // Its origin is not known: the headers were never read to their end.
    ['headers too large', 431, LARGE, null],
    ['headers that do not end', 408, HEAD, null],
  ])('%s may be read by a listed origin that is known', async (_what, status, sent, origin) => {
    const allowed = origin && { 'access-control-allow-origin': origin, ...EXPOSE };
    expect(await told(impatient, sent)).toEqual({ status, cors: { ...allowed, vary: 'origin' } });
  });

  test('a request that follows an answered one has no origin of that one', async () => {
    const answered = `GET /livez HTTP/1.1\r\nhost: localhost\r\norigin: ${APP}\r\n\r\n`;
    const socket = connect(Number(new URL(impatient.url).port), '127.0.0.1');
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
    });
    socket.write(answered);
    await expect.poll(() => text).toContain('alive');
    text = '';
    socket.write('nonsense\r\n\r\n');
    await once(socket, 'close');
    expect(text).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(text.toLowerCase()).not.toContain('access-control');
  });
});
