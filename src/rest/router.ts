// The REST API: authenticates, validates, runs the operation for the caller and responds in the reference's format.
import type { MiddlewareHandler } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { methodNotAllowed } from 'hono/method-not-allowed';
import { timeout } from 'hono/timeout';
import type { Directory, DirectoryOpener } from '../domain/directory.ts';
import { beginRequest } from '../domain/queries/positions.ts';
import type { Authenticate } from '../model/caller.ts';
import { Deadline } from '../model/deadline.ts';
import { type DirectoryError, isDirectoryError, isTemporary, refuse } from '../model/errors.ts';
import type { OpenStreams } from '../model/open-streams.ts';
import { POSITION_HEADER } from '../model/plain-request.ts';
import { printPositions } from '../model/positions.ts';
import type { RequestLog } from '../model/request-log.ts';
import { badRequests } from './access-evaluation.ts';
import { addOperations, createApi } from './api.ts';
import type { RestContext, RestEnv } from './context.ts';
import { addDocs, pageTag } from './docs.ts';
import { refusedResponse } from './errors.ts';
import { notModified } from './etags.ts';
import { printOpenApi } from './openapi.ts';

export type RestOptions = {
  authenticate: Authenticate;
  openDirectory: DirectoryOpener;
  limits: { operationMs: number };
  /** Where clients reach the server; null if that is not known. */
  publicUrl: string | null;
  /** Token for the reference page; null outside development. */
  developmentToken: string | null;
  /** The open streams of all APIs. */
  streams: OpenStreams;
};

export type RestHandler = {
  fetch: (request: Request, log: RequestLog) => Promise<Response>;
  /** Paths of all routes, with `:` before parameters. */
  paths: string[];
};

/** Handles the paths of `REST_PATH`. Requests that need a token are authenticated before anything else in them is parsed. */
export function createRestHandler(options: RestOptions): RestHandler {
  const { authenticate, openDirectory, limits, publicUrl } = options;
  const api = createApi();
  api.onError(answerError);
  api.notFound((c) => c.json({ detail: 'Not Found' }, 404));
  api.use(
    methodNotAllowed({
      app: api,
      onMethodNotAllowed: (c, methods) =>
        c.json({ detail: 'Method Not Allowed' }, 405, { Allow: methods.join(', ') }),
    }),
  );
  const authenticated: MiddlewareHandler<RestEnv> = async (c, next) => {
    const caller = await authenticate(c.req.header('authorization') ?? null);
    c.env.log.noteCaller(caller);
    const directory = openDirectory(caller, { signal: c.get('signal') });
    c.set('directory', directory);
    c.set('streams', options.streams);
    await beginRequest(directory, c.req.header(POSITION_HEADER) ?? null);
    await next();
    if (directory.positions.size > 0) c.env.log.notePositions(printPositions(directory.positions));
    // Responses depend on the caller and hold personal data. A client may still store one itself, for `If-None-Match`.
    c.header('cache-control', 'no-store');
  };
  api.use('/access/v1/*', badRequests);
  for (const paths of ['/api/v1/*', '/access/v1/*']) {
    api.use(paths, deadlines(limits.operationMs));
    api.use(paths, notModified);
    api.use(paths, authenticated);
  }
  addOperations(api);

  let document: { text: string; etag: string } | undefined;
  api.get('/openapi.json', (c) => {
    // Generated on first use: it takes as long as the rest of start-up.
    document ??= openApiDocument();
    return c.body(document.text, 200, { 'content-type': 'application/json', etag: document.etag });
  });
  addDocs(api, options.developmentToken);
  return {
    fetch: async (request, log) => api.fetch(request, { log, publicUrl }),
    paths: api.routes.map(({ path }) => path),
  };
}

function openApiDocument() {
  const text = printOpenApi();
  return { text, etag: pageTag(text) };
}

/**
 * Ends an operation in time. A read is answered at once, and its statements are not cancelled: other requests share them. A
 * change is rolled back, and its end awaited, so that no change that was answered as failed is stored.
 */
function deadlines(milliseconds: number): MiddlewareHandler<RestEnv> {
  const message = `The operation took longer than ${milliseconds} ms`;
  const endRead = timeout(milliseconds, () => new HTTPException(503, { message }));
  return async (c, next) => {
    // An evaluation of access is a read, although it is a POST.
    const isRead = ['GET', 'HEAD'].includes(c.req.method) || c.req.path.startsWith('/access/');
    if (isRead) return endRead(c, next);
    const deadline = new Deadline(c.req.raw.signal);
    c.set('signal', deadline.signal);
    return deadline.within(milliseconds, () => refuse.unavailable(message), next);
  };
}

/** Whether the request has stored a change. A request that is refused before has no directory. */
const hasCommitted = ({ var: { directory } }: RestContext) =>
  (directory as Directory | undefined)?.hasCommitted ?? false;

/** Says of a read that failed that the change before it is stored. */
function committed(error: DirectoryError): DirectoryError {
  if (!isTemporary(error)) return error;
  return refuse.unavailable('The change is stored, but the response to it could not be read', error, {
    outcome: 'COMMITTED',
  });
}

/** Maps refusals to their status. Any other error is answered with a bare 500 and logged in full. */
function answerError(error: Error, c: RestContext): Response {
  if (error instanceof HTTPException) {
    if (error.status === 503) {
      c.env.log.noteError(refuse.unavailable(error.message));
      c.header('retry-after', '1');
    }
    return c.json({ detail: error.message }, error.status);
  }
  c.env.log.noteError(error);
  if (isDirectoryError(error)) return refusedResponse(hasCommitted(c) ? committed(error) : error);
  return c.json({ detail: 'Internal Server Error' }, 500);
}
