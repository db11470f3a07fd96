// From a request to the face that answers it, and the last exit of errors.
import type { Logger } from 'pino';
import { isDirectoryError, refuse } from '../model/errors.ts';
import type { FastPath } from '../model/plain-request.ts';
import { RequestLog } from '../model/request-log.ts';
import { withLimitedBody } from './body.ts';
import { type CorsOrigins, corsHeaders, isPreflight, preflightResponse } from './cors.ts';
import type { Metrics } from './metrics.ts';
import { type Asked, GRAPHQL_PATH, problemResponse, REST_PATH } from './problem.ts';
import { REQUEST_ID_HEADER, requestIdOf } from './request-id.ts';

export type RouterOptions = {
  graphql: (request: Request, log: RequestLog) => Promise<Response>;
  rest: (request: Request, log: RequestLog) => Promise<Response>;
  /** The fast path of GraphQL; `graphql` answers the requests for which it returns null. */
  plainGraphQL: FastPath;
  /** Resolves while the database and the keys of tokens are there. */
  ready: () => Promise<unknown>;
  bodyBytes: number;
  restBodyBytes: number;
  /** Whose pages may read the answers. */
  corsOrigins: CorsOrigins;
  /** Segments of paths that may be logged. */
  words: ReadonlySet<string>;
  metrics: Metrics;
  logger: Logger;
};

export type Router = (request: Request) => Promise<Response>;

/** Answers every request; whatever fails below becomes a 500 that names the request and nothing else. */
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
      // Before anybody asks for a token, which a preflight never has.
      response = isPreflight(request)
        ? preflightResponse(request, options.corsOrigins)
        : await route(request, { ...options, ...asked, log });
    } catch (error) {
      response = unexpected(error, { ...asked, log });
    }
    const { status } = response;
    reportDone({ log, method, path, route: name ?? 'other', status, started }, options);
    const headers = new Headers(response.headers);
    const common = commonHeaders(options, log, request.headers.get('origin'));
    for (const [header, value] of Object.entries(common)) {
      if (header === 'vary') headers.append(header, value);
      else headers.set(header, value);
    }
    return new Response(response.body, { status, headers });
  };
}

/** Headers of every answer, refusals too, whichever way a request takes. */
export const commonHeaders = (
  { corsOrigins }: RouterOptions,
  { requestId }: RequestLog,
  origin: string | null | undefined,
): Record<string, string> => ({
  'x-content-type-options': 'nosniff',
  [REQUEST_ID_HEADER]: requestId,
  ...corsHeaders(corsOrigins, origin),
});

type Done = {
  log: RequestLog;
  method: string;
  path: string;
  status: number;
  started: number;
};

/** Counts and logs a request that has its answer. */
export function reportDone({ route, ...request }: Done & { route: string }, options: RouterOptions): void {
  const seconds = logDone(request, options);
  options.metrics.requestDone(route, request.status, seconds);
}

/** Writes the one line that a request has in the log; gives the seconds that it took. */
export function logDone({ log, path, started, ...request }: Done, { logger, words }: RouterOptions): number {
  const seconds = (performance.now() - started) / 1_000;
  const { level, message, fields } = log.line;
  logger[level]({ ...fields, ...request, path: withoutIds(path, words), seconds }, message);
  return seconds;
}

/** The constant segments of the routes here and of these paths; any other segment may be an id, an address or a token. */
export function routeWords(paths: readonly string[]): ReadonlySet<string> {
  const segments = [READY_PATH, ...Object.keys(ROUTES), ...paths].flatMap((path) => path.split('/'));
  return new Set(segments.filter((segment) => !/[:*]/.test(segment)));
}

const withoutIds = (path: string, words: ReadonlySet<string>): string =>
  path
    .split('/')
    .map((segment) => (words.has(segment) ? segment : '*'))
    .join('/');

/** The last exit of errors: logged whole, answered with nothing but the request's id. */
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

/** A route that is only read. */
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

/** Probes come every few seconds: why the server is not ready is logged when it changes, not with each of them. */
function readiness({ ready }: RouterOptions): Route {
  let logged: string | null = null;
  return read(async (_request, { log }) =>
    ready().then(
      () => {
        logged = null;
        return Response.json({ status: 'ready' });
      },
      (error) => {
        const known = isDirectoryError(error)
          ? error
          : refuse.unavailable('The database does not answer', error);
        if (known.message !== logged) log.noteError(known);
        logged = known.message;
        return Response.json(
          { status: 'unavailable', reason: known.message },
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
    message: 'Nothing answers here; GraphQL is at /graphql, the reference of REST at /docs',
  });
