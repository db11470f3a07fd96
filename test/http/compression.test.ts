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
  '/api/v1/varies': ['application/json', 'x'.repeat(1_025), { vary: 'Accept', etag: '"1"' }],
  '/api/v1/huge': ['text/html; charset=utf-8', '<p>'.repeat(1_000_000)],
  '/api/v1/huge-too': ['text/html; charset=utf-8', '<b>'.repeat(1_000_000)],
  '/api/v1/image': ['image/png', 'x'.repeat(2_000)],
  '/api/v1/events': ['text/event-stream', 'data: x\n\n'.repeat(500)],
};
const PLAIN = JSON.stringify({ data: 'é'.repeat(1_000) });

let server: Listening;
beforeAll(async () => {
  const listener = createListener({
    graphql: async () => Response.json({}),
    rest: async (request) => {
      const [type, text, headers = {}] = ANSWERS[new URL(request.url).pathname]!;
      return new Response(text, { headers: { ...headers, 'content-type': type } });
    },
    plainGraphQL: async () => ({ contentType: 'application/graphql-response+json', body: PLAIN }),
    ready: async () => 'yes',
    bodyBytes: 100,
    restBodyBytes: 100,
    corsOrigins: ['https://a.example'],
    words: routeWords([]),
    loopbackOnly: true,
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
async function get(path: string, accepted?: string, method = 'GET'): Promise<Received> {
  const plain = path === '/graphql';
  const sent = request(`${server.url}${path}`, {
    method: plain ? 'POST' : method,
    headers: {
      ...(accepted !== undefined && { 'accept-encoding': accepted }),
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

test.each(['/api/v1/small', '/api/v1/image', '/api/v1/events', '/livez'])(
  '%s is sent as it is',
  async (path) => {
    const answer = await get(path, 'br, gzip');
    expect([answer.headers['content-encoding'], answer.headers.vary]).toEqual([undefined, 'Origin']);
    if (path in ANSWERS) expect(textOf(answer)).toBe(ANSWERS[path]![1]);
  },
);

test('what an answer varies by, and its ETag, stay', async () => {
  const { headers } = await get('/api/v1/varies', 'br');
  expect([headers['content-encoding'], headers.vary, headers.etag]).toEqual([
    'br',
    'Accept, Origin, Accept-Encoding',
    '"1"',
  ]);
});

test('a HEAD has the headers of the GET, and no body', async () => {
  const [head, got] = [await get('/api/v1/large', 'br', 'HEAD'), await get('/api/v1/large', 'br')];
  expect(head.bytes.length).toBe(0);
  for (const name of ['content-encoding', 'content-length', 'vary'])
    expect(head.headers[name]).toBe(got.headers[name]);
});

test('pages that are asked for again are the same, each in its encoding', async () => {
  for (const accepted of ['br', 'gzip', 'br', 'gzip']) {
    for (const path of ['/api/v1/huge', '/api/v1/huge-too']) {
      const answer = await get(path, accepted);
      expect(answer.headers['content-encoding']).toBe(accepted);
      expect(textOf(answer) === ANSWERS[path]![1], path).toBe(true);
    }
  }
});
