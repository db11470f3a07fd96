// The HTTP listener: checks the request's target, and serves plain GraphQL requests without a Request and a Response.
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { createServerAdapter, sendNodeResponse } from '@whatwg-node/server';
import { POSITION_HEADER } from '../model/plain-request.ts';
import { RequestLog } from '../model/request-log.ts';
import { encode, isCompressible } from './compression.ts';
import { GRAPHQL_PATH, type Problem, problemResponse } from './problem.ts';
import { REQUEST_ID_HEADER, requestIdFrom } from './request-id.ts';
import {
  commonHeaders,
  createRouter,
  logDone,
  type RouterOptions,
  reportDone,
  unexpected,
} from './router.ts';
import { isEventStream, sendStream } from './stream.ts';
import { AUTHORITY, isLoopback, isUnambiguous, pathOf, readTarget, type Target } from './target.ts';

export type ListenerOptions = RouterOptions & {
  /** Whether to refuse requests whose Host is not localhost or a loopback address. */
  loopbackOnly: boolean;
  /** Milliseconds after which a receiver that takes nothing of a stream is dropped. */
  drainMs: number;
};

/** Creates the listener for node:http. Plain GraphQL requests take the fast path and fall back to the router. */
export function createListener(options: ListenerOptions): RequestListener {
  const router = createRouter(options);
  const adapter = createServerAdapter(router);
  return (request, response) => {
    const started = performance.now();
    answer(request, response).catch((error: unknown) => {
      const log = logOf(request);
      log.noteError(error);
      const { method = '', url = '' } = request;
      logDone({ log, method, path: pathOf(url), status: 500, started }, options);
      // A response that has begun cannot be replaced: break the connection, so that the client sees it is incomplete.
      if (response.headersSent) return response.destroy();
      const headers = commonHeaders(options, log, request.headers.origin);
      return response.writeHead(500, { ...headers, 'content-length': 0 }).end();
    });
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const target = readTarget(request);
    const refusal = refusalOf(request, target, options);
    if (refusal) return refuse(request, response, refusal);
    // Handlers see the target in origin-form and one fixed Host.
    request.url = target!.url;
    request.headers.host = AUTHORITY;
    if (isPlain(request, options.bodyBytes)) return answerPlain(request, response);
    return send(request, response, options, await adapter.handleNodeRequestAndResponse(request, response));
  }

  async function answerPlain(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const started = performance.now();
    const body = await readBody(request).catch(() => null);
    // The client has disconnected.
    if (body === null) return;
    const log = logOf(request);
    const { authorization = null, accept = null } = request.headers;
    const disconnection = () => disconnectionOf(response);
    const positions = request.headers[POSITION_HEADER]?.toString() ?? null;
    const plain = { body: body.toString('utf8'), authorization, accept, positions, log, disconnection };
    const fast = await options
      .plainGraphQL(plain)
      .catch((error: unknown) => unexpected(error, { log, path: GRAPHQL_PATH, accept }));
    if (fast === null) {
      const full = toRequest(request, body, log.requestId, disconnection());
      return send(request, response, options, await router(full));
    }
    const headers = commonHeaders(options, log, request.headers.origin);
    if (fast instanceof Response) await send(request, response, options, withHeaders(fast, headers));
    else await write(request, response, { status: 200, headers, page: null, ...fast });
    const { status } = fast instanceof Response ? fast : { status: 200 };
    reportDone({ log, method: 'POST', path: GRAPHQL_PATH, route: GRAPHQL_PATH, status, started }, options);
  }

  /** Answers a request that is refused before routing. */
  async function refuse(request: IncomingMessage, response: ServerResponse, problem: Problem): Promise<void> {
    const started = performance.now();
    const path = pathOf(request.url ?? '');
    const log = logOf(request);
    const { accept, origin } = request.headers;
    const refused = problemResponse({ path, accept }, problem);
    await send(request, response, options, withHeaders(refused, commonHeaders(options, log, origin)));
    const { method = '' } = request;
    reportDone({ log, method, path, route: 'other', status: problem.status, started }, options);
  }
}

const logOf = ({ headers }: IncomingMessage) => new RequestLog(requestIdFrom(headers[REQUEST_ID_HEADER]));

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

const MALFORMED: Problem = {
  status: 400,
  code: 'BAD_REQUEST',
  message: 'The Host or the request target is malformed',
};
/** RFC 9110, section 15.5.20. Prevents DNS rebinding: a site whose name resolves to this machine would share our origin. */
const MISDIRECTED: Problem = {
  status: 421,
  code: 'MISDIRECTED_REQUEST',
  message: 'Without an AUTH_ISSUER this server answers to localhost and loopback addresses only',
};
/** A `Request` cannot be created for TRACE, and no route supports other methods. */
const UNKNOWN_METHOD: Problem = {
  status: 405,
  code: 'METHOD_NOT_ALLOWED',
  message: 'Method Not Allowed',
  headers: { allow: METHODS.join(', ') },
};
const AMBIGUOUS: Problem = { status: 404, code: 'NOT_FOUND', message: 'Not Found' };

function refusalOf(
  { method = '' }: IncomingMessage,
  target: Target | null,
  { loopbackOnly }: ListenerOptions,
): Problem | null {
  if (target === null) return MALFORMED;
  if (loopbackOnly && target.hostname !== null && !isLoopback(target.hostname)) return MISDIRECTED;
  if (!METHODS.includes(method)) return UNKNOWN_METHOD;
  // Preflights pass on every path, so that the page can read the error of its actual request.
  const allowed = method === 'OPTIONS' || target.path === GRAPHQL_PATH || isUnambiguous(target.path);
  return allowed ? null : AMBIGUOUS;
}

/** Whether this is a GraphQL POST with a token and a JSON body within the limit. The router handles all other requests. */
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

/** Reads the whole body; node:http bounds it by Content-Length. Rejects if the connection breaks. */
async function readBody(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    request.on('error', reject);
    request.on('close', () => reject(new Error('closed')));
  });
}

/** A signal that aborts if the connection closes before the response is complete. */
function disconnectionOf(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  const abort = () => {
    if (!response.writableFinished) controller.abort();
  };
  if (response.destroyed) abort();
  else response.once('close', abort);
  return controller.signal;
}

function toRequest(
  { headers, url }: IncomingMessage,
  body: Buffer,
  requestId: string,
  signal: AbortSignal,
): Request {
  const entries = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)] as [string, string]],
  );
  return new Request(`http://${AUTHORITY}${url}`, {
    method: 'POST',
    headers: [...entries.filter(([name]) => name !== REQUEST_ID_HEADER), [REQUEST_ID_HEADER, requestId]],
    body: new Uint8Array(body),
    signal,
  });
}

function withHeaders(response: Response, headers: Record<string, string>): Response {
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
  return response;
}

/** Vary of compressible responses of any size, and of the 304 in place of one (RFC 9110, section 15.4.5). */
const VARY = 'Accept-Encoding';

/** Sends a response: buffered and compressed if its type is compressible, otherwise streamed. */
async function send(
  request: IncomingMessage,
  response: ServerResponse,
  { drainMs }: ListenerOptions,
  answer: Response,
): Promise<void> {
  if (isEventStream(answer.headers)) return sendStream(response, answer, drainMs);
  const contentType = answer.headers.get('content-type') ?? '';
  if (answer.status === 304) answer.headers.append('vary', VARY);
  if (answer.body === null || !isCompressible(contentType)) {
    await sendNodeResponse(answer, response, request, true);
    return;
  }
  const { status, headers } = answer;
  const body = Buffer.from(await answer.arrayBuffer());
  const tag = headers.get('etag');
  const page = request.headers.authorization === undefined && tag?.startsWith('"') ? tag : null;
  await write(request, response, { status, headers: Object.fromEntries(headers), contentType, body, page });
}

type Written = {
  status: number;
  headers: Record<string, string>;
  contentType: string;
  body: string | Buffer;
  /** The entity tag of a page that is the same for all clients; null for any other response. */
  page: string | null;
};

async function write(request: IncomingMessage, response: ServerResponse, answer: Written): Promise<void> {
  const { body, headers } = await encode(answer.body, request.headers['accept-encoding'], answer.page);
  response.writeHead(answer.status, {
    ...answer.headers,
    ...headers,
    vary: [answer.headers.vary, VARY].filter(Boolean).join(', '),
    'content-type': answer.contentType,
    'content-length': Buffer.byteLength(body),
  });
  // node:http sends a string together with the headers; a buffer would be a second write.
  response.end(body);
}
