// Compression of answers, as a client meets it: when it is asked for, by whom, and that nothing but the bytes differs.
import { once } from 'node:events';
import { type IncomingHttpHeaders, request } from 'node:http';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createMetrics } from '../../src/http/metrics.ts';
import { createListener } from '../../src/http/plain.ts';
import { routeWords } from '../../src/http/router.ts';
import { type Listening, listen } from '../../src/http/server.ts';

/** What REST answers: its type and text are those of the path. */
const ANSWERS: Record<string, [type: string, text: string, headers?: Record<string, string>]> = {
  '/api/v1/small': ['application/json', 'x'.repeat(1_024)],
  '/api/v1/large': ['application/json', JSON.stringify({ é: 'x'.repeat(1_024) })],
  '/api/v1/varies': ['application/json', 'x'.repeat(1_025), { vary: 'Accept', etag: 'W/"1"' }],
  '/api/v1/unchanged': ['application/json', '', { etag: 'W/"1"' }],
  '/api/v1/image': ['image/png', 'x'.repeat(2_000)],
  '/api/v1/events': ['text/event-stream', 'data: x\n\n'.repeat(500)],
};
/** Pages have a strong tag; each time they are asked for, these have another text, as no page has. */
let versions = 0;
const PAGE = /^\/docs\/(page|weak)-(.+)$/;
const PLAIN = JSON.stringify({ data: 'é'.repeat(1_000) });

let server: Listening;
beforeAll(async () => {
  const listener = createListener({
    graphql: async () => Response.json({}),
    rest: async (request) => {
      const { pathname } = new URL(request.url);
      const [, kind, name] = PAGE.exec(pathname) ?? [];
      versions += 1;
      if (kind) {
        const etag = kind === 'weak' ? `W/"${name}"` : `"${name}"`;
        const headers = { etag, 'content-type': 'text/html' };
        return new Response(`version ${versions}`.padEnd(2_000), { headers });
      }
      const [type, text, headers = {}] = ANSWERS[pathname]!;
      if (pathname === '/api/v1/unchanged') return new Response(null, { status: 304, headers });
      return new Response(text, { headers: { ...headers, 'content-type': type } });
    },
    plainGraphQL: async () => ({ contentType: 'application/graphql-response+json', body: PLAIN }),
    ready: async () => 'yes',
    bodyBytes: 100,
    restBodyBytes: 100,
    corsOrigins: ['https://a.example'],
    words: routeWords([]),
    loopbackOnly: true,
    drainMs: 10_000,
    metrics: createMetrics(),
    logger: pino({ level: 'silent' }),
  });
  server = await listen(listener, {
    host: '127.0.0.1',
    port: 0,
    timeouts: { request: 15_000, headers: 10_000 },
  });
});
afterAll(async () => {
  const stopped = server.stop();
  server.server.closeAllConnections();
  await stopped;
});

type Received = { status: number; headers: IncomingHttpHeaders; bytes: Buffer };

/** Fetches without undoing any encoding. */
async function get(
  path: string,
  accepted?: string,
  method = 'GET',
  authorization?: string,
): Promise<Received> {
  const plain = path === '/graphql';
  const sent = request(`${server.url}${path}`, {
    method: plain ? 'POST' : method,
    headers: {
      ...(accepted !== undefined && { 'accept-encoding': accepted }),
      ...(authorization && { authorization }),
      ...(plain && { authorization: 'Bearer x', 'content-type': 'application/json', 'content-length': 2 }),
    },
  });
  sent.end(plain ? '{}' : undefined);
  const [response] = await once(sent, 'response');
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return { status: response.statusCode, headers: response.headers, bytes: Buffer.concat(chunks) };
}

const DECODERS: Record<string, (bytes: Buffer) => Buffer> = { br: brotliDecompressSync, gzip: gunzipSync };
const textOf = ({ headers, bytes }: Received) =>
  (DECODERS[headers['content-encoding'] ?? '']?.(bytes) ?? bytes).toString();

describe.each([
  ['/graphql', PLAIN],
  ['/api/v1/large', ANSWERS['/api/v1/large']![1]],
])('%s', (path, text) => {
  test.each<[string | undefined, string | undefined]>([
    [undefined, undefined],
    ['', undefined],
    ['identity', undefined],
    ['deflate, zstd', undefined],
    ['gzip', 'gzip'],
    ['GZIP', 'gzip'],
    ['br', 'br'],
    ['gzip, deflate, br', 'br'],
    ['*', 'br'],
    ['gzip;q=0.5, br;q=0.4', 'gzip'],
    ['gzip;q=0, br;q=0', undefined],
    ['br;q=0, *;q=0.1', 'gzip'],
    ['*;q=0', undefined],
    ['gzip;q=0, *;q=0', undefined],
    ['garbage;;=,,', undefined],
  ])('asked for as %j is encoded as %s', async (accepted, encoding) => {
    const answer = await get(path, accepted);
    expect([answer.status, answer.headers['content-encoding']]).toEqual([200, encoding]);
    expect(textOf(answer)).toBe(text);
    expect(answer.headers['content-length']).toBe(String(answer.bytes.length));
    expect(answer.headers.vary).toBe('Origin, Accept-Encoding');
    if (encoding) expect(answer.bytes.length).toBeLessThan(Buffer.byteLength(text));
  });
});

test.each([
  ['/api/v1/small', 'Origin, Accept-Encoding'],
  ['/livez', 'Origin, Accept-Encoding'],
  ['/api/v1/image', 'Origin'],
  ['/api/v1/events', 'Origin'],
])('%s is sent as it is', async (path, vary) => {
  const answer = await get(path, 'br, gzip');
  expect([answer.headers['content-encoding'], answer.headers.vary]).toEqual([undefined, vary]);
  if (path in ANSWERS) expect(textOf(answer)).toBe(ANSWERS[path]![1]);
});

test('what an answer varies by, and a weak ETag, stay', async () => {
  const { headers } = await get('/api/v1/varies', 'br');
  expect([headers['content-encoding'], headers.vary, headers.etag]).toEqual([
    'br',
    'Accept, Origin, Accept-Encoding',
    'W/"1"',
  ]);
});

test('304 varies as the answer that it stands for, and has nothing of a body', async () => {
  const { status, headers, bytes } = await get('/api/v1/unchanged', 'br');
  expect([status, headers.vary, headers.etag, bytes.length]).toEqual([
    304,
    'Origin, Accept-Encoding',
    'W/"1"',
    0,
  ]);
  expect(Object.keys(headers).filter((name) => name.startsWith('content-'))).toEqual([]);
});

test('a HEAD has the headers of the GET, and no body', async () => {
  const [head, got] = [await get('/api/v1/large', 'br', 'HEAD'), await get('/api/v1/large', 'br')];
  expect(head.bytes.length).toBe(0);
  for (const name of ['content-encoding', 'content-length', 'vary'])
    expect(head.headers[name]).toBe(got.headers[name]);
});

describe('a page, which has a strong ETag,', () => {
  test('is compressed once for each encoding, and has an ETag for each', async () => {
    const [br, gzip, plain] = [
      await get('/docs/page-a', 'br'),
      await get('/docs/page-a', 'gzip'),
      await get('/docs/page-a'),
    ];
    expect([br, gzip, plain].map(({ headers }) => headers.etag)).toEqual(['"a-br"', '"a-gzip"', '"a"']);
    expect(textOf(await get('/docs/page-a', 'br'))).toBe(textOf(br));
    expect(textOf(await get('/docs/page-a', 'gzip'))).toBe(textOf(gzip));
    expect(new Set([br, gzip, plain, await get('/docs/page-b', 'br')].map(textOf)).size).toBe(4);
  });

  test('is compressed once by those who ask at once', async () => {
    const answers = await Promise.all(Array.from({ length: 5 }, () => get('/docs/page-c', 'br')));
    expect(new Set(answers.map(textOf)).size).toBe(1);
  });

  test.each([
    ['to a bearer', '/docs/page-d', 'Bearer x'],
    ['with a weak ETag', '/docs/weak-e', undefined],
  ])('but no answer %s is put by', async (_which, path, authorization) => {
    const ask = () => get(path, 'br', 'GET', authorization);
    const [first, second] = [await ask(), await ask()];
    expect(first.headers['content-encoding']).toBe('br');
    expect(textOf(first)).not.toBe(textOf(second));
  });
});
