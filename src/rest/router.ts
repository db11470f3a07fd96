// The REST API: authenticates, validates, runs the operation for the caller and responds in the reference's format.
import { HTTPException } from 'hono/http-exception';
import { methodNotAllowed } from 'hono/method-not-allowed';
import { timeout } from 'hono/timeout';
import type { Directory } from '../domain/directory.ts';
import type { Authenticate, Caller } from '../model/caller.ts';
import { isDirectoryError, refuse } from '../model/errors.ts';
import type { RequestLog } from '../model/request-log.ts';
import { addOperations, createApi } from './api.ts';
import type { RestContext } from './context.ts';
import { addDocs, pageTag } from './docs.ts';
import { refusedResponse } from './errors.ts';
import { notModified } from './etags.ts';
import { printOpenApi } from './openapi.ts';

export type RestOptions = {
  authenticate: Authenticate;
  openDirectory: (caller: Caller) => Directory;
  limits: { operationMs: number };
  /** Token for the reference page; null outside development. */
  developmentToken: string | null;
};

export type RestHandler = {
  fetch: (request: Request, log: RequestLog) => Promise<Response>;
  /** Paths of all routes, with `:` before parameters. */
  paths: string[];
};

/** Handles `/api/v1`, `/openapi.json` and `/docs`. Requests are authenticated before anything else in them is parsed. */
export function createRestHandler(options: RestOptions): RestHandler {
  const { authenticate, openDirectory, limits } = options;
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
  api.use(
    '/api/v1/*',
    timeout(limits.operationMs, () => timedOut(limits.operationMs)),
  );
  api.use('/api/v1/*', notModified);
  api.use('/api/v1/*', async (c, next) => {
    const caller = await authenticate(c.req.header('authorization') ?? null);
    c.env.log.noteCaller(caller);
    c.set('directory', openDirectory(caller));
    await next();
    // Responses depend on the caller and hold personal data. A client may still store one itself, for `If-None-Match`.
    c.header('cache-control', 'no-store');
  });
  addOperations(api);

  let document: { text: string; etag: string } | undefined;
  api.get('/openapi.json', (c) => {
    // Generated on first use: it takes as long as the rest of start-up.
    document ??= openApiDocument();
    return c.body(document.text, 200, { 'content-type': 'application/json', etag: document.etag });
  });
  addDocs(api, options.developmentToken);
  return {
    fetch: async (request, log) => api.fetch(request, { log }),
    paths: api.routes.map(({ path }) => path),
  };
}

function openApiDocument() {
  const text = printOpenApi();
  return { text, etag: pageTag(text) };
}

const timedOut = (milliseconds: number) =>
  new HTTPException(503, { message: `The operation took longer than ${milliseconds} ms` });

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
  if (isDirectoryError(error)) return refusedResponse(error);
  return c.json({ detail: 'Internal Server Error' }, 500);
}
