// What a request may be addressed to, written byte by byte: Hosts, request targets and methods, and that the server outlives each.
import { connect } from 'node:net';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createMetrics } from '../../src/http/metrics.ts';
import { createListener, type ListenerOptions } from '../../src/http/plain.ts';
import { routeWords } from '../../src/http/router.ts';
import { type Listening, listen } from '../../src/http/server.ts';

const options = (parts: Partial<ListenerOptions> = {}): ListenerOptions => ({
  graphql: async (request) => Response.json({ by: 'graphql', url: request.url }),
  rest: async (request) => Response.json({ by: 'rest', url: request.url }),
  plainGraphQL: async () => ({ contentType: 'application/json', body: '{"by":"plain"}' }),
  ready: async () => 'yes',
  bodyBytes: 100,
  restBodyBytes: 100,
  corsOrigins: [],
  words: routeWords([]),
  loopbackOnly: false,
  drainMs: 10_000,
  metrics: createMetrics(),
  logger: pino({ level: 'silent' }),
  ...parts,
});

const TIMEOUTS = { request: 15_000, headers: 10_000 };
const serve = (parts: Partial<ListenerOptions> = {}) =>
  listen(createListener(options(parts)), { host: '127.0.0.1', port: 0, timeouts: TIMEOUTS });

let server: Listening;
let development: Listening;
beforeAll(async () => {
  server = await serve();
  development = await serve({ loopbackOnly: true });
});
afterAll(async () => {
  for (const { server: open, stop } of [server, development]) {
    const stopped = stop();
    open.closeAllConnections();
    await stopped;
  }
});

type Answer = { status: number; headers: string; body: string };

/** Sends these bytes on a connection of their own, and reads until the server closes it. */
async function exchange({ url }: Listening, bytes: string): Promise<Answer> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.end(Buffer.from(bytes, 'latin1'));
  let text = '';
  for await (const chunk of socket.setEncoding('utf8')) text += chunk;
  const [head = '', body = ''] = text.split(/\r\n\r\n(.*)/s);
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]), headers: head.toLowerCase(), body };
}

const request = (
  target: string,
  { method = 'GET', host = 'localhost', lines = [] as string[], body = '' } = {},
) => [`${method} ${target} HTTP/1.1`, `Host: ${host}`, ...lines, 'Connection: close', '', body].join('\r\n');

const PLAIN = ['Authorization: Bearer x', 'Content-Type: application/json', 'Content-Length: 1'];

const MALFORMED = [
  '256.1.1.1',
  '1.2.3',
  '0x7f.1',
  '127.0.0.1.',
  'foo|bar',
  'a@b',
  'x/metrics?',
  'x?',
  'x#',
  'x\\y',
  'a b',
  '%6cocalhost',
  'h\xf6st',
  'x:y',
  'x:65536',
  'x:1:2',
  ':80',
  '',
  '.x',
  'a..b',
  '[::1',
  '[::1]x',
  '[127.0.0.1]',
  '[::g]',
  '::1',
  '<script>',
  '"',
  `${'a'.repeat(250)}.com`,
];
const GOOD = [
  'x',
  'localhost:4000',
  'a_b.c-d.example.',
  '127.0.0.1',
  '[::1]:4000',
  '[fe80::1]',
  'x:',
  '1password.com',
  'a1',
];

describe('a Host', () => {
  test.each(MALFORMED)('%j is answered with 400, whoever is asked, and nobody is', async (host) => {
    for (const bytes of [
      request('/livez', { host }),
      request('/graphql', { host, method: 'POST', lines: PLAIN, body: 'x' }),
      request('/api/v1/admin/groups/', { host }),
      request('http://localhost/livez', { host }),
    ]) {
      const { status, body } = await exchange(server, bytes);
      expect(status).toBe(400);
      expect(body).not.toMatch(/ {4}at |node:/);
    }
    expect((await exchange(server, request('/livez'))).status, 'the server lives').toBe(200);
  });

  test.each(GOOD)('%j is taken, and leads nowhere else', async (host) => {
    for (const [bytes, by] of [
      [request('/graphql', { host, method: 'POST', lines: PLAIN, body: 'x' }), { by: 'plain' }],
      [request('/graphql', { host }), { by: 'graphql', url: 'http://localhost/graphql' }],
      [request('/api/v1/x?y', { host }), { by: 'rest', url: 'http://localhost/api/v1/x?y' }],
    ] as const) {
      const { status, body } = await exchange(server, bytes);
      expect([status, JSON.parse(body)]).toEqual([200, by]);
    }
  });

  test('that is given twice is refused, and HTTP/1.0 needs none', async () => {
    const twice = request('/livez', { lines: ['Host: other'] });
    expect((await exchange(server, twice)).status).toBe(400);
    for (const listening of [server, development]) {
      expect((await exchange(listening, 'GET /livez HTTP/1.0\r\n\r\n')).status).toBe(200);
    }
  });

  test('is told of in the form of the API, with the id of the request', async () => {
    const lines = ['X-Request-ID: one', 'Accept: application/graphql-response+json'];
    const graphql = await exchange(server, request('/graphql', { host: 'a@b', lines }));
    expect(graphql.headers).toContain('content-type: application/graphql-response+json; charset=utf-8');
    expect(graphql.headers).toContain('x-request-id: one');
    expect(JSON.parse(graphql.body)).toEqual({
      errors: [{ message: expect.any(String), extensions: { code: 'BAD_REQUEST' } }],
    });
  });
});

describe('in development', () => {
  test.each([
    'localhost',
    'LocalHost:4000',
    'localhost.',
    'app.localhost',
    '127.0.0.1:4000',
    '127.9.9.9',
    '[::1]:4000',
    '[0:0:0:0:0:0:0:1]',
  ])('%s is answered', async (host) => {
    expect((await exchange(development, request('/livez', { host }))).status).toBe(200);
  });

  test.each([
    'evil.example',
    'localhost.evil.example',
    'notlocalhost',
    '127.0.0.1.evil.example',
    '128.0.0.1',
    '0.0.0.0',
    '10.0.0.1',
    '[::2]',
    '[::]',
  ])('%s, which another site can have resolve to this machine, is not', async (host) => {
    for (const bytes of [
      request('/graphql', { host, lines: ['Accept: text/html'] }),
      request('/graphql', { host, method: 'POST', lines: PLAIN, body: 'x' }),
      request('/docs', { host }),
      request(`http://${host}/docs`),
    ]) {
      expect((await exchange(development, bytes)).status).toBe(421);
    }
  });

  test('the authority of an absolute target counts, and not the Host', async () => {
    const absolute = request('http://127.0.0.1/livez', { host: 'evil.example' });
    expect((await exchange(development, absolute)).status).toBe(200);
  });
});

describe('a target', () => {
  test.each([
    ['http://localhost:4000/livez', '{"status":"alive"}'],
    ['HTTPS://other.example/livez', '{"status":"alive"}'],
    ['http://localhost/api/v1/x?y=http://z/', '{"by":"rest","url":"http://localhost/api/v1/x?y=http://z/"}'],
    ['http://x/graphql?query={a}', '{"by":"graphql","url":"http://localhost/graphql?query={a}"}'],
  ])('may be absolute: %s', async (target, body) => {
    expect(await exchange(server, request(target))).toMatchObject({ status: 200, body });
  });

  test('that is absolute may have no path, and takes the short way as others do', async () => {
    for (const target of ['http://x', 'http://x?y']) {
      expect((await exchange(server, request(target))).status).toBe(302);
    }
    const plain = request('http://x/graphql', { method: 'POST', lines: PLAIN, body: 'x' });
    expect((await exchange(server, plain)).body).toBe('{"by":"plain"}');
  });

  test.each([
    'http:///livez',
    'http://a@b/livez',
    'http://256.1.1.1/livez',
    'ftp://x/livez',
    '/livez#x',
    '/livez?a#x',
  ])('%s is malformed', async (target) => {
    expect((await exchange(server, request(target))).status).toBe(400);
  });

  test.each([
    '/graphql/%2e%2e/metrics',
    '/graphql/%2E./metrics',
    '/graphql/../metrics',
    '/./metrics',
    '/graphql\\..\\metrics',
    '/graphql/..\\metrics',
    '\\metrics',
    '/%6detrics',
    '/%4dETRICS',
    '/metric%73',
    '/li%76ez',
    '/%61pi/v1/admin/groups/',
    '/api/v1/%61dmin/groups/',
    '/api/v1/x/..%2fadmin/groups/../x',
    '/api/v1/admin/groups/grp%5fx',
    '/api/v1/x%2dy',
    '/api/v1/x%7Ey',
    '/api/v1/x%30',
    '//metrics',
    '/metrics/',
    '/metrics;x',
    '/metrics%00',
    '/metrics%2f',
    '/metri\xa9s',
    '*metrics',
  ])('%s is no other path', async (target) => {
    const { status, body } = await exchange(server, request(target));
    // What is no target at all, node refuses by itself.
    expect([400, 404]).toContain(status);
    expect(body).not.toContain('coterie_');
    expect(body).not.toContain('"by"');
  });

  test.each(['/api/v1/a%20b', '/api/v1/a%2fb', '/api/v1/%C3%A9', '/api/v1/a%25b', '/graphql?a=%2e%2e/'])(
    '%s needs its escapes, and is taken',
    async (target) => {
      expect((await exchange(server, request(target))).status).toBe(200);
    },
  );

  test('that is refused is told of in the form of the API', async () => {
    const { body } = await exchange(server, request('/api/v1/%61dmin'));
    expect(JSON.parse(body)).toEqual({ detail: 'Not Found' });
  });
});

describe('a method', () => {
  test.each(['TRACE', 'PROPFIND', 'MKCOL', 'PURGE', 'QUERY'])('%s is nobody’s', async (method) => {
    for (const target of ['/graphql', '/livez', '/api/v1/admin/groups/', '/nothing']) {
      for (const body of ['', 'x']) {
        const lines = [...PLAIN.slice(0, 2), `Content-Length: ${body.length}`];
        const { status, headers } = await exchange(server, request(target, { method, lines, body }));
        expect([target, status]).toEqual([target, 405]);
        expect(headers).toContain('allow: get, head, post, put, patch, delete, options');
      }
    }
  });

  test.each(['POST', 'PUT', 'DELETE', 'OPTIONS'])('%s is not for what is only read', async (method) => {
    for (const target of ['/livez', '/readyz', '/metrics', '/']) {
      const { status, headers } = await exchange(server, request(target, { method }));
      expect([target, status]).toEqual([target, 405]);
      expect(headers).toContain('allow: get, head\r\n');
    }
  });

  test('OPTIONS may ask about no resource at all, and CONNECT is no way to one', async () => {
    expect((await exchange(server, request('*', { method: 'OPTIONS' }))).status).toBe(405);
    await exchange(server, request('localhost:80', { method: 'CONNECT' })).catch(() => null);
    expect((await exchange(server, request('/livez'))).status).toBe(200);
  });
});

describe('an answer that cannot be made', () => {
  test.each(['development', 'production'])('says nothing, in %s, and the server goes on', async () => {
    const lines: string[] = [];
    const failing = await serve({
      logger: pino({ level: 'error' }, { write: (line) => void lines.push(line) }),
      // No header can have this value: the answer fails when it is written.
      plainGraphQL: async () => ({ contentType: 'a\nb', body: '' }),
      rest: () => {
        throw new Error('secret');
      },
    });
    const plain = request('/graphql', { method: 'POST', lines: PLAIN, body: 'x' });
    expect(await exchange(failing, plain)).toMatchObject({ status: 500, body: '' });
    const rest = await exchange(failing, request('/api/v1'));
    expect([rest.status, JSON.parse(rest.body)]).toEqual([500, { detail: 'Unexpected error' }]);
    expect(lines.length).toBe(2);
    expect((await exchange(failing, request('/livez'))).status).toBe(200);
    await failing.stop();
  });
});
