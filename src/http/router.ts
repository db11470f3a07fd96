// Routes requests to the APIs and probes, and answers every unexpected error.
import type { Logger } from 'pino';
import { isDirectoryError, refuse } from '../model/errors.ts';
import { type FastPath, POSITION_HEADER } from '../model/plain-request.ts';
import { RequestLog } from '../model/request-log.ts';
import { withLimitedBody } from './body.ts';
import { type CorsOrigins, corsHeaders, isPreflight, preflightResponse } from './cors.ts';
import type { Metrics } from './metrics.ts';
import { type Asked, GRAPHQL_PATH, problemResponse, REST_PATH } from './problem.ts';
import { REQUEST_ID_HEADER, requestIdOf } from './request-id.ts';
import { isEventStream, withEnd } from './stream.ts';

export type RouterOptions = {
  graphql: (request: Request, log: RequestLog) => Promise<Response>;
  rest: (request: Request, log: RequestLog) => Promise<Response>;
  /** The fast path of GraphQL; `graphql` answers the requests for which it returns null. */
  plainGraphQL: FastPath;
  /** Resolves if the database and the token keys are available. */
  ready: () => Promise<unknown>;
  bodyBytes: number;
  restBodyBytes: number;
  /** Origins that may read responses. */
  corsOrigins: CorsOrigins;
  /** Path segments that may be logged. */
  words: ReadonlySet<string>;
  metrics: Metrics;
  logger: Logger;
};

export type Router = (request: Request) => Promise<Response>;

/** Creates the router. Any error that a route throws becomes a 500 that contains only the request id. */
export function createRouter(options: RouterOptions): Router {
  const routes: Record<string, Route> = { ...ROUTES, [READY_PATH]: readiness(options) };
  return async (request) => {
    const started = performance.now();
    const log = new RequestLog(requestIdOf(request));
    const { method } = request;
    const { pathname: path } = new URL(request.url);
    const asked = { path, accept: request.headers.get('accept') };
    const name = Object.hasOwn(routes, path) ? path : REST_PATH.exec(path)?.[1];
    const route = name === undefined ? notFound : (routes[name] ?? rest);
    let response: Response;
    try {
      // Preflights have no token, so they are answered before authentication.
      response = isPreflight(request)
        ? preflightResponse(request, options.corsOrigins)
        : await route(request, { ...options, ...asked, log });
    } catch (error) {
      response = unexpected(error, { ...asked, log });
    }
    const { status } = response;
    const done = { log, method, path, status, started };
    let body: ReadableStream | null = response.body;
    if (body && isEventStream(response.headers))
      body = reportStream(body, { ...done, route: name ?? 'other' }, options);
    else reportDone({ ...done, route: name ?? 'other' }, options);
    const headers = new Headers(response.headers);
    const common = commonHeaders(options, log, request.headers.get('origin'));
    for (const [header, value] of Object.entries(common)) {
      if (header === 'vary') headers.append(header, value);
      else headers.set(header, value);
    }
    // Proxies such as nginx would collect events otherwise.
    if (isEventStream(headers)) headers.set('x-accel-buffering', 'no');
    return new Response(body, { status, headers });
  };
}

/** Headers of every response, errors included, on the fast path and in the router. */
export const commonHeaders = (
  { corsOrigins }: RouterOptions,
  { requestId, positions }: RequestLog,
  origin: string | null | undefined,
): Record<string, string> => ({
  'x-content-type-options': 'nosniff',
  [REQUEST_ID_HEADER]: requestId,
  ...(positions !== null && { [POSITION_HEADER]: positions }),
  ...corsHeaders(corsOrigins, origin),
});

type Done = {
  log: RequestLog;
  method: string;
  path: string;
  status: number;
  started: number;
};

/** Counts and logs an answered request. */
export function reportDone({ route, ...request }: Done & { route: string }, options: RouterOptions): void {
  const seconds = logDone(request, options);
  options.metrics.requestDone(route, request.status, seconds);
}

/** Counts a stream as answered and as open; its log line is written when it ends. */
function reportStream(
  body: ReadableStream,
  { route, ...request }: Done & { route: string },
  options: RouterOptions,
): ReadableStream {
  const { metrics } = options;
  metrics.requestDone(route, request.status, (performance.now() - request.started) / 1_000);
  const closed = metrics.streamOpened(route);
  return withEnd(body, (error) => {
    if (error !== undefined) request.log.noteError(error);
    closed();
    logDone(request, options);
  });
}

/** Writes the request's log line; returns its duration in seconds. */
export function logDone({ log, path, started, ...request }: Done, { logger, words }: RouterOptions): number {
  const seconds = (performance.now() - started) / 1_000;
  const { level, message, fields } = log.line;
  logger[level]({ ...fields, ...request, path: withoutIds(path, words), seconds }, message);
  return seconds;
}

/** The constant segments of all routes. Any other segment may be an id, an address or a token, and is masked in logs. */
export function routeWords(paths: readonly string[]): ReadonlySet<string> {
  const segments = [READY_PATH, ...Object.keys(ROUTES), ...paths].flatMap((path) => path.split('/'));
  return new Set(segments.filter((segment) => !/[:*]/.test(segment)));
}

const withoutIds = (path: string, words: ReadonlySet<string>): string =>
  path
    .split('/')
    .map((segment) => (words.has(segment) ? segment : '*'))
    .join('/');

/** Logs an unexpected error in full and answers 500 with only the request's id. */
export function unexpected(error: unknown, { log, ...asked }: Asked & { log: RequestLog }): Response {
  log.noteError(error);
  return problemResponse(asked, {
    status: 500,
    code: 'INTERNAL_SERVER_ERROR',
    message: 'Unexpected error',
    details: { requestId: log.requestId },
  });
}

type Route = (request: Request, context: RouterOptions & Asked & { log: RequestLog }) => Promise<Response>;

/** A route that accepts only GET and HEAD. */
const read =
  (answer: Route): Route =>
  async (request, context) => {
    if (request.method === 'GET' || request.method === 'HEAD') return answer(request, context);
    return problemResponse(context, {
      status: 405,
      code: 'METHOD_NOT_ALLOWED',
      message: 'Method Not Allowed',
      headers: { allow: 'GET, HEAD' },
    });
  };

const READY_PATH = '/readyz';

/** The readiness probe. Probes come every few seconds, so a reason is logged only when it changes. */
function readiness({ ready }: RouterOptions): Route {
  let logged: string | null = null;
  return read(async (_request, { log }) =>
    ready().then(
      () => {
        logged = null;
        return Response.json({ status: 'ready' });
      },
      (error) => {
        const refusal = isDirectoryError(error)
          ? error
          : refuse.unavailable('The database does not answer', error);
        if (refusal.message !== logged) log.noteError(refusal);
        logged = refusal.message;
        return Response.json(
          { status: 'unavailable', reason: refusal.message },
          { status: 503, headers: { 'retry-after': '1' } },
        );
      },
    ),
  );
}

const ROUTES: Record<string, Route> = {
  [GRAPHQL_PATH]: async (request, { graphql, bodyBytes, log, ...asked }) => {
    const limited = await withLimitedBody(request, bodyBytes, asked);
    return limited instanceof Response ? limited : graphql(limited, log);
  },
  '/livez': read(async () => Response.json({ status: 'alive' })),
  '/metrics': read(async (_request, { metrics }) => metrics.response()),
  '/': read(async () => new Response(null, { status: 302, headers: { location: GRAPHQL_PATH } })),
};

const rest: Route = async (request, { rest, restBodyBytes, log, ...asked }) => {
  const limited = await withLimitedBody(request, restBodyBytes, asked);
  return limited instanceof Response ? limited : rest(limited, log);
};

const notFound: Route = async (_request, asked) =>
  problemResponse(asked, {
    status: 404,
    code: 'NOT_FOUND',
    message: 'Not Found: GraphQL is at /graphql, the REST reference at /docs',
  });
