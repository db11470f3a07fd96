// The listener, the router and the limit of bodies, without GraphQL, REST or a database behind them.
import { once } from 'node:events';
import { Agent, type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { withLimitedBody } from '../../src/http/body.ts';
import { createLogger } from '../../src/http/logger.ts';
import { createMetrics } from '../../src/http/metrics.ts';
import { createListener, type ListenerOptions } from '../../src/http/plain.ts';
import { createRouter, type RouterOptions, routeWords } from '../../src/http/router.ts';
import { type Listening, listen } from '../../src/http/server.ts';
import { refuse } from '../../src/model/errors.ts';
import type { PlainRequest } from '../../src/model/plain-request.ts';
import { requestCounts, samplesOf } from '../support/metrics.ts';

const TIMEOUTS = { request: 15_000, headers: 10_000 };
const BODY = 100;
const REST_BODY = 200;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

type Line = { level: number; msg: string; err?: { message: string } } & Record<string, unknown>;

/** Routes that say who was asked and with what; with the lines that are logged. */
function options(parts: Partial<ListenerOptions> = {}): ListenerOptions & { lines: Line[] } {
  const lines: Line[] = [];
  const echo =
    (by: string): RouterOptions['graphql'] =>
    async (request, context) => {
      const { method, url, headers } = request;
      return Response.json({
        by,
        method,
        url,
        ...context,
        headers: Object.fromEntries(headers),
        body: await request.text(),
      });
    };
  return {
    graphql: echo('graphql'),
    rest: echo('rest'),
    plainGraphQL: async (plain) => ({
      contentType: 'application/json; charset=utf-8',
      body: JSON.stringify({ by: 'plain', ...plain }),
    }),
    ready: async () => 'yes',
    bodyBytes: BODY,
    restBodyBytes: REST_BODY,
    corsOrigins: [],
    words: routeWords([
      '/api/v1/tenants/:tenant_id/groups',
      '/api/v1/admin/groups/:group_id/members',
      '/docs/swagger-ui-bundle.js',
    ]),
    loopbackOnly: false,
    drainMs: 10_000,
    metrics: createMetrics(),
    logger: createLogger(
      { level: 'info', base: null },
      { write: (line) => void lines.push(JSON.parse(line)) },
    ),
    lines,
    ...parts,
  };
}

const servers: Listening[] = [];
afterEach(async () => {
  for (const { server, stop } of servers.splice(0)) {
    const stopped = stop();
    server.closeAllConnections();
    await stopped;
  }
});

async function serve(parts: ListenerOptions): Promise<Listening> {
  const server = await listen(createListener(parts), { host: '127.0.0.1', port: 0, timeouts: TIMEOUTS });
  servers.push(server);
  return server;
}

type Sent = {
  method?: string;
  path?: string;
  headers?: OutgoingHttpHeaders;
  /** Parts are sent one after the other, each in a packet of its own. */
  body?: string | Buffer | Buffer[];
};
type Received = { status: number; headers: IncomingHttpHeaders; text: string };

/** Sends exactly these headers, which `fetch` would complete. */
async function send(
  { url }: Listening,
  { method = 'POST', path = '/graphql', headers = {}, body }: Sent,
): Promise<Received> {
  const parts = body === undefined ? [] : Array.isArray(body) ? body : [Buffer.from(body)];
  const sent = request(`${url}${path}`, { method, headers, agent: new Agent({ keepAlive: false }) });
  sent.setNoDelay(true);
  for (const [index, part] of parts.entries()) {
    if (index > 0) await sleep(20);
    sent.write(part);
  }
  sent.end();
  const [response] = await once(sent, 'response');
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  return { status: response.statusCode, headers: response.headers, text };
}

const JSON_POST = { authorization: 'Bearer x', 'content-type': 'application/json' };
const json = ({ text }: Received) => JSON.parse(text);

describe('a server', () => {
  test('has the timeouts of the configuration', async () => {
    const listening = await listen(() => {}, {
      host: '127.0.0.1',
      port: 0,
      timeouts: { request: 7_001, headers: 3_001 },
    });
    servers.push(listening);
    expect(listening.server.requestTimeout).toBe(7_001);
    expect(listening.server.headersTimeout).toBe(3_001);
  });

  test('ends connections whose headers do not come, in the configured time', async () => {
    const listening = await listen(createListener(options()), {
      host: '127.0.0.1',
      port: 0,
      timeouts: { request: 500, headers: 200 },
    });
    servers.push(listening);
    for (const sent of ['', 'GET /livez HTTP/1.1\r\nhost: x\r\n']) {
      const started = performance.now();
      const socket = connect(Number(new URL(listening.url).port), '127.0.0.1');
      socket.write(sent);
      let text = '';
      for await (const chunk of socket.setEncoding('utf8')) text += chunk;
      expect(text).toMatch(/^HTTP\/1\.1 408 /);
      expect(performance.now() - started).toBeGreaterThan(150);
      // Node's own check would come after half a minute.
      expect(performance.now() - started).toBeLessThan(5_000);
    }
  });

  test('says where it listens, with brackets around an IPv6 address', async () => {
    for (const [host, url] of [
      ['127.0.0.1', /^http:\/\/127\.0\.0\.1:(\d+)$/],
      ['::1', /^http:\/\/\[::1\]:(\d+)$/],
    ] as const) {
      const listening = await listen(() => {}, { host, port: 0, timeouts: TIMEOUTS }).catch(
        ({ code }: NodeJS.ErrnoException) => code,
      );
      // A machine without IPv6 has no such address.
      if (listening === 'EADDRNOTAVAIL' || listening === 'EAFNOSUPPORT') continue;
      servers.push(listening as Listening);
      const [, port] = url.exec((listening as Listening).url) ?? [];
      expect((listening as Listening).server.address()).toMatchObject({ address: host, port: Number(port) });
    }
  });

  test('listens on the port that it is given, and refuses one that is taken', async () => {
    const first = await serve(options());
    const port = Number(new URL(first.url).port);
    const second = listen(() => {}, { host: '127.0.0.1', port, timeouts: TIMEOUTS });
    await expect(second).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });

  test('stops when its open requests are answered, whoever keeps a connection', async () => {
    let finish!: () => void;
    const held = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const server = await serve(
      options({
        rest: async () => {
          await held;
          return new Response('answered');
        },
      }),
    );
    servers.length = 0;
    const agent = new Agent({ keepAlive: true });
    const open = request(`${server.url}/api/v1`, { agent }).end();
    await once(open, 'socket');
    await new Promise((resolve) => server.server.getConnections(resolve));
    while ((await connections(server)) === 0) await sleep(5);
    let stopped = false;
    const stop = server.stop().then(() => {
      stopped = true;
    });
    await expect(fetch(`${server.url}/livez`)).rejects.toThrow();
    await sleep(120);
    expect(stopped).toBe(false);
    finish();
    const [response] = await once(open, 'response');
    let text = '';
    for await (const chunk of response) text += chunk;
    expect(text).toBe('answered');
    await stop;
    const looked = vi.spyOn(server.server, 'closeIdleConnections');
    await sleep(120);
    expect(looked, 'nothing goes on once it has stopped').not.toHaveBeenCalled();
    agent.destroy();
  });
  const connections = ({ server }: Listening) =>
    new Promise<number>((resolve) => server.getConnections((_error, count) => resolve(count)));
});

describe('a plain request', () => {
  test.each<[string, OutgoingHttpHeaders]>([
    ['JSON', {}],
    ['JSON in UTF-8', { 'content-type': 'application/json; charset=utf-8' }],
    ['JSON in UTF-8, in other letters', { 'content-type': 'application/json;charset=UTF-8' }],
  ])('is %s', async (_what, headers) => {
    const server = await serve(options());
    const answer = await send(server, {
      headers: { ...JSON_POST, 'content-length': 5, ...headers },
      body: 'é é',
    });
    expect([answer.status, json(answer)]).toEqual([
      200,
      {
        by: 'plain',
        body: 'é é',
        authorization: 'Bearer x',
        accept: null,
        positions: null,
        log: { requestId: expect.stringMatching(UUID) },
      },
    ]);
  });

  test('hands on what it accepts, the positions that it has seen, and its id', async () => {
    const server = await serve(options());
    const seen = { 'coterie-position': 'tnt_A=42' };
    const headers = {
      ...JSON_POST,
      'content-length': 2,
      accept: 'text/html',
      'x-request-id': 'one',
      ...seen,
    };
    expect(json(await send(server, { headers, body: '{}' }))).toEqual({
      by: 'plain',
      body: '{}',
      authorization: 'Bearer x',
      accept: 'text/html',
      positions: 'tnt_A=42',
      log: { requestId: 'one' },
    });
  });

  test('is answered with its type, length and id, and may not be sniffed', async () => {
    const server = await serve(options());
    const body = 'x'.repeat(BODY - 2);
    const headers = { ...JSON_POST, 'content-length': BODY, 'x-request-id': 'one' };
    const answer = await send(server, { headers, body: `é${body}` });
    expect(answer.headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'content-length': String(Buffer.byteLength(answer.text)),
      'x-request-id': 'one',
      'x-content-type-options': 'nosniff',
    });
    expect(json(answer)).toMatchObject({ by: 'plain', body: `é${body}` });
  });

  test('may come in parts, also of a character', async () => {
    const server = await serve(options());
    const bytes = Buffer.from('{"é":1}');
    const body = [bytes.subarray(0, 3), bytes.subarray(3, 4), bytes.subarray(4)];
    const answer = await send(server, { headers: { ...JSON_POST, 'content-length': bytes.length }, body });
    expect(json(answer)).toMatchObject({ by: 'plain', body: '{"é":1}' });
  });

  test.each<[string, Sent]>([
    ['another method', { method: 'PUT' }],
    ['parameters', { path: '/graphql?a=1' }],
    ['no token', { headers: { authorization: undefined } }],
    ['another type', { headers: { 'content-type': 'text/plain' } }],
    ['a type that only starts like JSON', { headers: { 'content-type': 'application/jsonl' } }],
    ['a type that only ends like JSON', { headers: { 'content-type': 'x-application/json' } }],
    ['no type', { headers: { 'content-type': undefined } }],
    ['another charset', { headers: { 'content-type': 'application/json; charset=iso-8859-1' } }],
    ['more than a charset', { headers: { 'content-type': 'application/json; charset=utf-8; a=b' } }],
    ['an encoding that is none', { headers: { 'content-encoding': 'identity' } }],
    ['no length', { headers: { 'content-length': undefined, 'transfer-encoding': 'chunked' } }],
  ])('is not one with %s: the router has it', async (_what, { method, path, headers = {} }) => {
    const server = await serve(options());
    const all = Object.entries({ ...JSON_POST, 'content-length': 2, ...headers });
    const given = Object.fromEntries(all.filter(([, value]) => value !== undefined)) as OutgoingHttpHeaders;
    const sent = { headers: given, body: '{}', ...(method && { method }), ...(path && { path }) };
    expect(json(await send(server, sent))).toMatchObject({ by: 'graphql', body: '{}' });
  });

  test('that has no plain answer is the router’s, as it came', async () => {
    const parts = options({ plainGraphQL: async () => null });
    const server = await serve(parts);
    const headers = {
      ...JSON_POST,
      'content-length': 4,
      accept: 'a/b',
      'x-request-id': 'one',
      'x-other': 'two',
    };
    const answer = await send(server, { headers, body: '{é' + '}' });
    expect(json(answer)).toMatchObject({
      by: 'graphql',
      method: 'POST',
      url: 'http://localhost/graphql',
      requestId: 'one',
      headers: { ...JSON_POST, accept: 'a/b', 'x-request-id': 'one', 'x-other': 'two' },
      body: '{é}',
    });
    expect(answer.headers).toMatchObject({
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(answer.text)),
      'x-request-id': 'one',
      'x-content-type-options': 'nosniff',
    });
    expect(await requestCounts(parts.metrics), 'counted once').toEqual({ '/graphql 200': 1 });
  });

  test('needs no host, as of HTTP/1.0, to get to the router', async () => {
    const server = await serve(options({ plainGraphQL: async () => null }));
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    socket.write(
      'POST /graphql HTTP/1.0\r\nauthorization: Bearer x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}',
    );
    let text = '';
    for await (const chunk of socket.setEncoding('utf8')) text += chunk;
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    expect(text).toContain('"by":"graphql"');
  });

  test('keeps the id that was made for it on the way to the router', async () => {
    const asked: string[] = [];
    const server = await serve(
      options({
        plainGraphQL: async ({ log }) => {
          asked.push(log.requestId);
          return null;
        },
      }),
    );
    const answer = await send(server, {
      headers: { ...JSON_POST, 'content-length': 2, 'x-request-id': 'not good' },
      body: '{}',
    });
    expect(asked).toEqual([expect.stringMatching(UUID)]);
    expect([answer.headers['x-request-id'], json(answer).requestId]).toEqual([asked[0], asked[0]]);
  });

  test('that is refused gets the refusal, with its id', async () => {
    const parts = options({
      plainGraphQL: async () =>
        Response.json({ no: 'é' }, { status: 401, headers: { 'www-authenticate': 'Bearer' } }),
    });
    const server = await serve(parts);
    const headers = { ...JSON_POST, 'content-length': 2, 'x-request-id': 'one' };
    const answer = await send(server, { headers, body: '{}' });
    expect([answer.status, answer.text]).toEqual([401, '{"no":"é"}']);
    expect(answer.headers).toMatchObject({
      'www-authenticate': 'Bearer',
      'content-length': '11',
      'x-request-id': 'one',
      'x-content-type-options': 'nosniff',
    });
    expect(await requestCounts(parts.metrics)).toEqual({ '/graphql 401': 1 });
    expect(parts.lines).toMatchObject([
      { requestId: 'one', method: 'POST', path: '/graphql', status: 401, msg: 'request' },
    ]);
  });

  test('that fails is masked', async () => {
    const parts = options({ plainGraphQL: async () => Promise.reject(new Error('secret')) });
    const server = await serve(parts);
    const headers = { ...JSON_POST, 'content-length': 2, 'x-request-id': 'one' };
    const answer = await send(server, { headers, body: '{}' });
    expect([answer.status, json(answer)]).toEqual([500, MASKED]);
    expect(answer.headers['x-request-id']).toBe('one');
    expect(await requestCounts(parts.metrics)).toEqual({ '/graphql 500': 1 });
    expect(parts.lines).toMatchObject([
      { level: 50, requestId: 'one', status: 500, err: { message: 'secret' } },
    ]);
  });

  test('whose sender goes away is neither answered nor counted', async () => {
    const asked: PlainRequest[] = [];
    const parts = options({
      plainGraphQL: async (plain) => {
        asked.push(plain);
        return null;
      },
    });
    const server = await serve(parts);
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    const arrived = once(server.server, 'request');
    socket.write(
      'POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: Bearer x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{',
    );
    const [incoming] = await arrived;
    socket.destroy();
    await new Promise((resolve) => incoming.once('close', resolve));
    expect(json(await send(server, { method: 'GET', path: '/livez' }))).toEqual({ status: 'alive' });
    expect(asked).toEqual([]);
    expect(await requestCounts(parts.metrics)).toEqual({ '/livez 200': 1 });
  });
});

const MASKED = {
  errors: [{ message: 'Unexpected error', extensions: { code: 'INTERNAL_SERVER_ERROR', requestId: 'one' } }],
};

const ask = (parts: RouterOptions, path: string, init: RequestInit = {}) =>
  createRouter(parts)(new Request(`http://coterie.test${path}`, init));

describe('the router', () => {
  test.each<[string, string, number, object | null]>([
    ['/graphql', '/graphql', 200, { by: 'graphql' }],
    ['/graphql?query={a}', '/graphql', 200, { by: 'graphql' }],
    ['/api/v1', '/api/v1', 200, { by: 'rest' }],
    ['/api/v1/', '/api/v1', 200, { by: 'rest' }],
    ['/api/v1/tenants/tnt_A/groups?page=1', '/api/v1', 200, { by: 'rest' }],
    ['/access/v1/evaluation', '/access/v1', 200, { by: 'rest' }],
    ['/.well-known/authzen-configuration', '/.well-known/authzen-configuration', 200, { by: 'rest' }],
    ['/docs', '/docs', 200, { by: 'rest' }],
    ['/docs/ui.css', '/docs', 200, { by: 'rest' }],
    ['/openapi.json', '/openapi.json', 200, { by: 'rest' }],
    ['/livez', '/livez', 200, { status: 'alive' }],
    ['/readyz', '/readyz', 200, { status: 'ready' }],
    ['/', '/', 302, null],
  ])('%s is counted as %s and answered with %i', async (path, route, status, body) => {
    const parts = options();
    const response = await ask(parts, path);
    expect(response.status).toBe(status);
    const text = await response.text();
    expect(text === '' ? null : JSON.parse(text)).toEqual(body && expect.objectContaining(body));
    expect(await requestCounts(parts.metrics)).toEqual({ [`${route} ${status}`]: 1 });
  });

  test('leads from the root to GraphQL', async () => {
    expect((await ask(options(), '/')).headers.get('location')).toBe('/graphql');
  });

  test.each([
    '/nothing',
    '/graphql/',
    '/graphqlx',
    '/livez/',
    '/metrics/x',
    '/api',
    '/api/v10',
    '/api/v2',
    '/docsx',
    '/openapi.jsonx',
    '/x/api/v1',
    '/x/docs',
    '/access',
    '/access/v1x',
    '/.well-known/',
    '/xwell-known/authzen-configuration',
    '/constructor',
    '/__proto__',
    '/toString',
  ])('has nothing at %s', async (path) => {
    const parts = options();
    const response = await ask(parts, path);
    expect(response.status).toBe(404);
    const { errors } = (await response.json()) as { errors: { message: string; extensions: object }[] };
    expect(errors).toHaveLength(1);
    expect(errors[0]!.extensions).toEqual({ code: 'NOT_FOUND' });
    expect(errors[0]!.message).toContain('/graphql');
    expect(errors[0]!.message).toContain('/docs');
    expect(await requestCounts(parts.metrics)).toEqual({ 'other 404': 1 });
  });

  test('adds the id and the rule against sniffing to what an answer has', async () => {
    const response = await ask(
      options({
        rest: async () =>
          new Response('x', { status: 201, headers: { etag: '"1"', 'x-request-id': 'of another' } }),
      }),
      '/api/v1',
      { headers: { 'x-request-id': 'one' } },
    );
    expect(response.status).toBe(201);
    expect(Object.fromEntries(response.headers)).toEqual({
      'content-type': 'text/plain;charset=UTF-8',
      etag: '"1"',
      'x-content-type-options': 'nosniff',
      'x-request-id': 'one',
    });
    expect(await response.text()).toBe('x');
  });

  test.each([
    ['/graphql', 'graphql'],
    ['/api/v1', 'rest'],
  ])('masks what fails at %s, and logs it whole', async (path, name) => {
    const failing = async () => Promise.reject(new Error('secret', { cause: new Error('more') }));
    const parts = options({ [name]: failing });
    const response = await ask(parts, path, { headers: { 'x-request-id': 'one' } });
    expect(response.status).toBe(500);
    expect(await response.json()).toEqual(path === '/api/v1' ? { detail: 'Unexpected error' } : MASKED);
    expect(response.headers.get('x-request-id')).toBe('one');
    expect(parts.lines).toMatchObject([
      {
        level: 50,
        requestId: 'one',
        method: 'GET',
        path,
        status: 500,
        err: { message: expect.stringContaining('secret') },
      },
    ]);
    expect(await requestCounts(parts.metrics)).toEqual({ [`${path} 500`]: 1 });
  });

  test.each([
    ['/api/v1/tenants/tnt_Northwind/groups/grp_A', '/api/v1/tenants/*/groups/*'],
    ['/api/v1/admin/groups/%67rp_A/members/usr_A', '/api/v1/admin/groups/*/members/*'],
    ['/nothing/eyJhbGciOiJFUzI1NiJ9.e30.c2ln', '/*/*'],
    ['/docs/swagger-ui-bundle.js', '/docs/swagger-ui-bundle.js'],
  ])('logs %s as %s', async (path, logged) => {
    const parts = options();
    await ask(parts, path);
    expect(parts.lines).toMatchObject([{ path: logged }]);
  });

  test('writes one line a request, with who asked, the first error whole and others by name', async () => {
    const caller = { subject: 'usr_A', role: 'USER', userId: 'usr_A', tenantId: 'tnt_A' };
    const parts = options({
      graphql: async (_request, log) => {
        log.noteCaller(caller as never);
        log.noteError(refuse.unavailable('Busy', new Error('driver')));
        log.noteError(refuse.notFound('grp_A'));
        for (let at = 0; at < 100; at += 1) log.noteError(new Error(at % 2 === 0 ? 'one' : 'two'));
        return Response.json({});
      },
    });
    await ask(parts, '/graphql', { headers: { 'x-request-id': 'r' } });
    expect(parts.lines).toEqual([
      {
        level: 50,
        time: expect.any(Number),
        msg: 'unexpected error',
        requestId: 'r',
        subject: 'usr_A',
        tenantId: 'tnt_A',
        method: 'GET',
        path: '/graphql',
        status: 200,
        seconds: expect.any(Number),
        err: { type: 'Error', message: 'one', stack: expect.stringContaining('server.test.ts') },
        errorCount: 101,
        otherErrors: ['driver', 'two'],
      },
    ]);
  });

  test('says that it is not ready while the database does not answer, and that it lives', async () => {
    const parts = options({ ready: async () => Promise.reject(new Error('secret')) });
    const ready = await ask(parts, '/readyz');
    expect(ready.status).toBe(503);
    expect(await ready.json()).toEqual({ status: 'unavailable', reason: 'The database does not answer' });
    expect((await ask(parts, '/livez')).status).toBe(200);
    expect(parts.lines).toMatchObject([
      { level: 40, path: '/readyz', status: 503, err: { message: 'secret' } },
      { path: '/livez', status: 200 },
    ]);
  });
});

describe('the id of a request', () => {
  test.each(['a', 'A-z_0.9:-', 'x'.repeat(128), '00000000-0000-4000-8000-000000000000'])(
    '%s is kept',
    async (id) => {
      const response = await ask(options(), '/livez', { headers: { 'x-request-id': id } });
      expect(response.headers.get('x-request-id')).toBe(id);
    },
  );

  test.each([
    ['too long', 'x'.repeat(129)],
    ['empty', ''],
    ['with a space', 'a b'],
    ['with a tab', 'a\tb'],
    ['with a comma', 'a,b'],
    ['with a slash', 'a/b'],
    ['with quotes', 'a"b'],
    ['with brackets', '<b>'],
    ['with a brace', '{a}'],
    ['with a letter beyond ASCII', 'é'],
    ['with an escape of a terminal', 'a%1b[31m'],
  ])('%s is replaced', async (_how, id) => {
    const parts = options();
    const ids = [];
    for (const path of ['/livez', '/graphql']) {
      const response = await ask(parts, path, { headers: { 'x-request-id': id } });
      ids.push(response.headers.get('x-request-id'));
    }
    for (const made of ids) expect(made).toMatch(UUID);
    expect(ids[0], 'each has its own').not.toBe(ids[1]);
    expect(parts.lines.map(({ requestId }) => requestId)).toEqual(ids);
  });

  test('that is given twice is replaced, whichever way a request takes', async () => {
    const server = await serve(options());
    for (const path of ['/graphql', '/livez']) {
      const headers = { ...JSON_POST, 'content-length': 2, 'x-request-id': ['one', 'two'] };
      const answer = await send(server, { path, headers, body: '{}' });
      expect(answer.headers['x-request-id']).toMatch(UUID);
    }
  });
});

describe('a body', () => {
  const URL = 'http://coterie.test/graphql';
  const ASKED = { path: '/graphql', accept: null };
  const post = (body: BodyInit | null, init: RequestInit = {}) =>
    new Request(URL, { method: 'POST', body, duplex: 'half', ...init } as RequestInit);

  const streamOf = (parts: string[]) =>
    new ReadableStream({
      start(controller) {
        for (const part of parts) controller.enqueue(Buffer.from(part));
        controller.close();
      },
    });

  test('that is not there is left alone', async () => {
    const request = new Request(URL);
    expect(await withLimitedBody(request, 1, ASKED)).toBe(request);
  });

  test('of the limit is handed on with everything around it', async () => {
    const controller = new AbortController();
    const given = post('1234567890', { headers: { 'x-other': 'one' }, signal: controller.signal });
    const limited = (await withLimitedBody(given, 10, ASKED)) as Request;
    expect(limited).toBeInstanceOf(Request);
    expect([limited.method, limited.url, limited.headers.get('x-other')]).toEqual(['POST', URL, 'one']);
    expect(await limited.text()).toBe('1234567890');
    controller.abort();
    expect(limited.signal.aborted).toBe(true);
  });

  test('in parts is put together', async () => {
    const parts = ['12', '345', '67890'];
    const limited = (await withLimitedBody(post(streamOf(parts)), 10, ASKED)) as Request;
    expect(await limited.text()).toBe('1234567890');
  });

  test.each<[string, () => Request]>([
    ['one byte above it', () => post('12345678901')],
    ['one byte above it in parts', () => post(streamOf(['12345678', '901']))],
    ['one byte above it in characters of several', () => post('ééééé1')],
    ['announced to be above it', () => post('1', { headers: { 'content-length': '11' } })],
  ])('%s is refused', async (_what, request) => {
    const refused = (await withLimitedBody(request(), 10, ASKED)) as Response;
    expect([refused.status, refused.headers.get('connection')]).toEqual([413, 'close']);
    const message = 'The body is larger than 10 bytes';
    expect(await refused.json()).toEqual({
      errors: [{ message, extensions: { code: 'LIMIT_EXCEEDED', limit: 10 } }],
    });
  });

  test('is refused in the form of the API that was asked', async () => {
    const asked = { path: '/api/v1/admin/groups', accept: null };
    const refused = await withLimitedBody(post('12345678901'), 10, asked);
    expect(await (refused as Response).json()).toEqual({ detail: 'The body is larger than 10 bytes' });
  });

  test.each([
    [
      'gzip',
      '/graphql',
      { errors: [{ message: expect.any(String), extensions: { code: 'UNSUPPORTED_MEDIA_TYPE' } }] },
    ],
    ['br', '/api/v1/admin/groups', { detail: expect.any(String) }],
    ['identity, gzip', '/graphql', { errors: [expect.any(Object)] }],
    ['x-unknown', '/graphql', { errors: [expect.any(Object)] }],
  ])('encoded as %s is refused at %s, and nothing of it is read or told', async (encoding, path, body) => {
    const server = await serve(options());
    const headers = { ...JSON_POST, 'content-encoding': encoding, 'content-length': 6 };
    const refused = await send(server, { path, headers, body: 'secret' });
    expect([refused.status, json(refused), refused.headers['accept-encoding']]).toEqual([
      415,
      body,
      'identity',
    ]);
    expect(refused.text).not.toContain('secret');
  });

  test('that breaks off is no fault of the server', async () => {
    const body = new ReadableStream({ pull: (controller) => controller.error(new Error('aborted')) });
    expect(((await withLimitedBody(post(body), 10, ASKED)) as Response).status).toBe(400);
  });

  test('that was announced too large is not read', async () => {
    let read = 0;
    const body = new ReadableStream({ pull: () => void read++ }, { highWaterMark: 0 });
    await withLimitedBody(post(body, { headers: { 'content-length': '11' } }), 10, ASKED);
    expect(read).toBe(0);
  });

  test('that does not end is read no further than eight times the limit', async () => {
    let read = 0;
    const chunk = new Uint8Array(10);
    const body = new ReadableStream(
      {
        pull(controller) {
          read += 1;
          controller.enqueue(chunk);
        },
      },
      { highWaterMark: 0 },
    );
    expect(((await withLimitedBody(post(body), 10, ASKED)) as Response).status).toBe(413);
    expect(read).toBe(9);
  });

  test.each([
    [
      '/graphql',
      BODY,
      {
        errors: [
          {
            message: 'The body is larger than 100 bytes',
            extensions: { code: 'LIMIT_EXCEEDED', limit: BODY },
          },
        ],
      },
    ],
    ['/api/v1/admin/groups', REST_BODY, { detail: 'The body is larger than 200 bytes' }],
  ])('has the limit of %s, whichever way it takes', async (path, limit, refusal) => {
    const server = await serve(options());
    for (const length of [{ 'content-length': limit + 1 }, { 'transfer-encoding': 'chunked' }]) {
      const headers = { ...JSON_POST, ...length };
      const refused = await send(server, { path, headers, body: 'x'.repeat(limit + 1) });
      expect([refused.status, json(refused), refused.headers.connection]).toEqual([413, refusal, 'close']);
    }
    for (const length of [{ 'content-length': limit }, { 'transfer-encoding': 'chunked' }]) {
      const headers = { ...JSON_POST, ...length };
      const taken = await send(server, { path, headers, body: 'x'.repeat(limit) });
      expect(taken.status).toBe(200);
      expect(json(taken).body).toBe('x'.repeat(limit));
    }
  });
});

describe('metrics', () => {
  test('count requests by route and status, and put their seconds into buckets', async () => {
    const metrics = createMetrics();
    metrics.requestDone('/graphql', 200, 0.0009);
    metrics.requestDone('/graphql', 200, 0.2);
    metrics.requestDone('/graphql', 400, 20);
    metrics.requestDone('/api/v1', 200, 0.003);
    expect(await requestCounts(metrics)).toEqual({ '/graphql 200': 2, '/graphql 400': 1, '/api/v1 200': 1 });
    const samples = await samplesOf(metrics);
    const name = 'coterie_request_duration_seconds';
    expect(samples.get(`${name}_sum{route="/graphql",status="200"}`)).toBeCloseTo(0.2009, 10);
    expect(samples.get(`${name}_sum{route="/graphql",status="400"}`)).toBe(20);
    const buckets = [...samples]
      .map(([sample, value]) => [
        /_bucket\{le="(.+?)",route="\/graphql",status="200"\}/.exec(sample)?.[1],
        value,
      ])
      .filter(([limit]) => limit !== undefined);
    expect(buckets).toEqual([
      ['0.001', 1],
      ['0.0025', 1],
      ['0.005', 1],
      ['0.01', 1],
      ['0.025', 1],
      ['0.05', 1],
      ['0.1', 1],
      ['0.25', 2],
      ['0.5', 2],
      ['1', 2],
      ['2.5', 2],
      ['5', 2],
      ['10', 2],
      ['+Inf', 2],
    ]);
  });

  test('count statements', async () => {
    const metrics = createMetrics();
    const statements = async () => (await samplesOf(metrics)).get('coterie_statements_total');
    expect(await statements()).toBe(0);
    for (let sent = 0; sent < 3; sent += 1) metrics.statementSent();
    expect(await statements()).toBe(3);
  });

  test('are text of Prometheus, with those of the process, and each application has its own', async () => {
    const [metrics, other] = [createMetrics(), createMetrics()];
    metrics.requestDone('/graphql', 200, 1);
    expect(await requestCounts(other)).toEqual({});
    const response = await ask(options({ metrics }), '/metrics');
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    const text = await response.text();
    expect(text).toContain('# TYPE coterie_request_duration_seconds histogram');
    expect(text).toContain('# TYPE coterie_statements_total counter');
    expect(text).toContain('process_cpu_seconds_total');
    expect(await requestCounts(metrics)).toEqual({ '/graphql 200': 1, '/metrics 200': 1 });
  });

  test('measure the time until the answer, in seconds', async () => {
    const started = performance.now();
    const parts = options({
      rest: async () => {
        await sleep(60);
        return new Response('');
      },
      plainGraphQL: async () => {
        await sleep(60);
        return { contentType: 'text/plain', body: '' };
      },
    });
    const server = await serve(parts);
    await send(server, { headers: { ...JSON_POST, 'content-length': 2 }, body: '{}' });
    await send(server, { method: 'GET', path: '/api/v1' });
    const elapsed = (performance.now() - started) / 1_000;
    const samples = await samplesOf(parts.metrics);
    for (const route of ['/graphql', '/api/v1']) {
      const seconds = samples.get(`coterie_request_duration_seconds_sum{route="${route}",status="200"}`);
      expect(seconds).toBeGreaterThan(0.05);
      expect(seconds).toBeLessThan(elapsed);
    }
    expect(parts.lines.map(({ path }) => path)).toEqual(['/graphql', '/api/v1']);
    for (const { seconds } of parts.lines) {
      expect(seconds).toBeGreaterThan(0.05);
      expect(seconds).toBeLessThan(elapsed);
    }
  });
});
