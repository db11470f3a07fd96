// From a request to the face that answers it, and the last exit of errors.
import type { Logger } from 'pino';
import { isDirectoryError } from '../model/errors.ts';
import { withLimitedBody } from './body.ts';
import type { Metrics } from './metrics.ts';
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
  metrics: Metrics;
  logger: Logger;
};

export type Router = (request: Request) => Promise<Response>;

export const GRAPHQL_PATH = '/graphql';

/** Answers every request; whatever fails below becomes a 500 that names the request and nothing else. */
export function createRouter(options: RouterOptions): Router {
  return async (request) => {
    const started = performance.now();
    const requestId = requestIdOf(request);
    const { pathname: path } = new URL(request.url);
    const name = Object.hasOwn(ROUTES, path) ? path : REST.exec(path)?.[1];
    const route = name === undefined ? undefined : (ROUTES[name] ?? rest);
    let response: Response;
    try {
      response = await (route ?? notFound)(request, { ...options, requestId });
    } catch (error) {
      response = unexpected(error, requestId, options);
    }
    const { status } = response;
    const { method } = request;
    reportDone({ requestId, method, path, route: name ?? 'other', status, started }, options);
    const headers = new Headers(response.headers);
    headers.set(REQUEST_ID_HEADER, requestId);
    headers.set('x-content-type-options', 'nosniff');
    return new Response(response.body, { status, headers });
  };
}

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
export function unexpected(error: unknown, requestId: string, { logger }: RouterOptions): Response {
  logger.error({ requestId, err: error }, 'unexpected error');
  return problem(500, 'INTERNAL_SERVER_ERROR', 'Unexpected error', { requestId });
}

type Route = (request: Request, context: RouterOptions & { requestId: string }) => Promise<Response>;

const ROUTES: Record<string, Route> = {
  [GRAPHQL_PATH]: async (request, { graphql, bodyBytes, requestId }) => {
    const limited = await withLimitedBody(request, bodyBytes);
    return limited instanceof Response ? limited : graphql(limited, { requestId });
  },
  '/livez': async () => Response.json({ status: 'alive' }),
  '/readyz': async (_request, { ready, logger }) =>
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
  '/metrics': async (_request, { metrics }) => metrics.response(),
  '/': async () => new Response(null, { status: 302, headers: { location: GRAPHQL_PATH } }),
};

/** What the REST face answers, and under which name it is counted: not by path, which holds ids. */
const REST = /^(\/api\/v1|\/docs|\/openapi\.json)(?:\/|$)/;

const rest: Route = async (request, { rest, restBodyBytes, requestId }) => {
  const limited = await withLimitedBody(request, restBodyBytes, (message) => ({ detail: message }));
  return limited instanceof Response ? limited : rest(limited, { requestId });
};

const notFound: Route = async () =>
  problem(404, 'NOT_FOUND', 'Nothing answers here; GraphQL is at /graphql, the reference of REST at /docs');

function problem(status: number, code: string, message: string, more: object = {}): Response {
  return Response.json({ errors: [{ message, extensions: { code, ...more } }] }, { status });
}
