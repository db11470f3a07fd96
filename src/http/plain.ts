// Plain requests to GraphQL: what node:http gives is read and answered as it is, without a Request and a Response.
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { createServerAdapter } from '@whatwg-node/server';
import { REQUEST_ID_HEADER, requestIdFrom } from './request-id.ts';
import { createRouter, GRAPHQL_PATH, type RouterOptions, reportDone, unexpected } from './router.ts';

/** Every answer carries them. */
const HEADERS = { 'x-content-type-options': 'nosniff' };

/** The router for a server: plain requests take the short way, and the router's where that has no answer. */
export function createListener(options: RouterOptions): RequestListener {
  const router = createRouter(options);
  const adapter = createServerAdapter(router);
  return (request, response) => {
    if (isPlain(request, options.bodyBytes)) void answer(request, response);
    else void adapter(request, response);
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const started = performance.now();
    const body = await readBody(request).catch(() => null);
    // Its sender is gone: there is nobody to answer.
    if (body === null) return;
    const requestId = requestIdFrom(request.headers[REQUEST_ID_HEADER]);
    const { authorization = null, accept = null } = request.headers;
    const plain = { body: body.toString('utf8'), authorization, accept, requestId };
    const found = await options
      .plainGraphQL(plain)
      .catch((error: unknown) => unexpected(error, requestId, options));
    if (found === null) return send(response, await router(toRequest(request, body, requestId)));
    if (found instanceof Response) {
      found.headers.set(REQUEST_ID_HEADER, requestId);
      await send(response, found);
    } else {
      response.writeHead(200, {
        ...HEADERS,
        'content-type': found.contentType,
        'content-length': Buffer.byteLength(found.body),
        [REQUEST_ID_HEADER]: requestId,
      });
      // As text, which node:http sends together with the headers: a buffer would be a second write.
      response.end(found.body);
    }
    const { status } = found instanceof Response ? found : { status: 200 };
    reportDone(
      { requestId, method: 'POST', path: GRAPHQL_PATH, route: GRAPHQL_PATH, status, started },
      options,
    );
  }
}

/** Bearers of a token who announce a JSON body within the limit; everything else is the router's, also to refuse. */
function isPlain({ method, url, headers }: IncomingMessage, bodyBytes: number): boolean {
  return (
    method === 'POST' &&
    url === GRAPHQL_PATH &&
    headers.authorization !== undefined &&
    /^application\/json(?:; ?charset=utf-8)?$/i.test(headers['content-type'] ?? '') &&
    headers['content-encoding'] === undefined &&
    headers['content-length'] !== undefined &&
    Number(headers['content-length']) <= bodyBytes
  );
}

/** The whole body; node:http lets no more come than was announced. Rejects when the connection breaks. */
async function readBody(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    request.on('error', reject);
    request.on('close', () => reject(new Error('closed')));
  });
}

function toRequest({ headers, url }: IncomingMessage, body: Buffer, requestId: string): Request {
  const given = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)] as [string, string]],
  );
  return new Request(`http://${headers.host ?? 'localhost'}${url}`, {
    method: 'POST',
    headers: [...given.filter(([name]) => name !== REQUEST_ID_HEADER), [REQUEST_ID_HEADER, requestId]],
    body: new Uint8Array(body),
  });
}

async function send(response: ServerResponse, answer: Response): Promise<void> {
  const bytes = Buffer.from(await answer.arrayBuffer());
  response.writeHead(answer.status, {
    ...HEADERS,
    ...Object.fromEntries(answer.headers),
    'content-length': bytes.length,
  });
  response.end(bytes);
}
