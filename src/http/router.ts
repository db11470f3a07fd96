// From a request to the face that answers it, and the last exit of errors.
import type { Logger } from 'pino';
import { isDirectoryError } from '../model/errors.ts';
import { withLimitedBody } from './body.ts';
import { type CorsOrigins, corsHeaders, isPreflight, preflightResponse } from './cors.ts';
import type { Metrics } from './metrics.ts';
import { type Asked, GRAPHQL_PATH, problemResponse, REST_PATH } from './problem.ts';
import { REQUEST_ID_HEADER, requestIdOf } from './request-id.ts';

/** A POST of JSON to GraphQL, with its body as text. */
export type PlainRequest = {
  body: string;
  authorization: string | null;
  accept: string | null;
  requestId: string;
};

export type RouterOptions = {
  graphql: (request: Request, context: { requestId: string }) => Promise<Response>;
  rest: (request: Request, context: { requestId: string }) => Promise<Response>;
  /** The short way to GraphQL: an answer with status 200, or null, before anything is done, for what only `graphql` can answer. */
  plainGraphQL: (request: PlainRequest) => Promise<{ contentType: string; body: string } | Response | null>;
  /** Resolves while the database answers. */
  ready: () => Promise<unknown>;
  bodyBytes: number;
  restBodyBytes: number;
  /** Whose pages may read the answers. */
  corsOrigins: CorsOrigins;
  metrics: Metrics;
  logger: Logger;
};

export type Router = (request: Request) => Promise<Response>;

/** Answers every request; whatever fails below becomes a 500 that names the request and nothing else. */
export function createRouter(options: RouterOptions): Router {
  return async (request) => {
    const started = performance.now();
    const requestId = requestIdOf(request);
    const { method } = request;
    const { pathname: path } = new URL(request.url);
    const asked = { path, accept: request.headers.get('accept') };
    const name = Object.hasOwn(ROUTES, path) ? path : REST_PATH.exec(path)?.[1];
    const route = name === undefined ? notFound : (ROUTES[name] ?? rest);
    let response: Response;
    try {
      // Before anybody asks for a token, which a preflight never has.
      response = isPreflight(request)
        ? preflightResponse(request, options.corsOrigins)
        : await route(request, { ...options, ...asked, requestId });
    } catch (error) {
      response = unexpected(error, { ...asked, requestId }, options);
    }
    const { status } = response;
    reportDone({ requestId, method, path, route: name ?? 'other', status, started }, options);
    const headers = new Headers(response.headers);
    const common = commonHeaders(options, requestId, request.headers.get('origin'));
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
  requestId: string,
  origin: string | null | undefined,
): Record<string, string> => ({
  'x-content-type-options': 'nosniff',
  [REQUEST_ID_HEADER]: requestId,
  ...corsHeaders(corsOrigins, origin),
});

type Done = {
  requestId: string;
  method: string;
  path: string;
  route: string;
  status: number;
  started: number;
};

/** Counts and logs a request that has its answer. */
export function reportDone({ route, started, ...request }: Done, { metrics, logger }: RouterOptions): void {
  const seconds = (performance.now() - started) / 1_000;
  metrics.requestDone(route, request.status, seconds);
  logger.info({ ...request, seconds }, 'request');
}

/** The last exit of errors: logged whole, answered with nothing but the request's id. */
export function unexpected(
  error: unknown,
  { requestId, ...asked }: Asked & { requestId: string },
  { logger }: RouterOptions,
): Response {
  logger.error({ requestId, err: error }, 'unexpected error');
  return problemResponse(asked, {
    status: 500,
    code: 'INTERNAL_SERVER_ERROR',
    message: 'Unexpected error',
    details: { requestId },
  });
}

type Route = (request: Request, context: RouterOptions & Asked & { requestId: string }) => Promise<Response>;

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

const ROUTES: Record<string, Route> = {
  [GRAPHQL_PATH]: async (request, { graphql, bodyBytes, requestId, ...asked }) => {
    const limited = await withLimitedBody(request, bodyBytes, asked);
    return limited instanceof Response ? limited : graphql(limited, { requestId });
  },
  '/livez': read(async () => Response.json({ status: 'alive' })),
  '/readyz': read(async (_request, { ready, logger }) =>
    ready().then(
      () => Response.json({ status: 'ready' }),
      (error) => {
        logger.warn({ err: error }, 'not ready');
        const reason = isDirectoryError(error) ? error.message : 'The database does not answer';
        return Response.json(
          { status: 'unavailable', reason },
          { status: 503, headers: { 'retry-after': '1' } },
        );
      },
    ),
  ),
  '/metrics': read(async (_request, { metrics }) => metrics.response()),
  '/': read(async () => new Response(null, { status: 302, headers: { location: GRAPHQL_PATH } })),
};

const rest: Route = async (request, { rest, restBodyBytes, requestId, ...asked }) => {
  const limited = await withLimitedBody(request, restBodyBytes, asked);
  return limited instanceof Response ? limited : rest(limited, { requestId });
};

const notFound: Route = async (_request, asked) =>
  problemResponse(asked, {
    status: 404,
    code: 'NOT_FOUND',
    message: 'Nothing answers here; GraphQL is at /graphql, the reference of REST at /docs',
  });
