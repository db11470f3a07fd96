// The GraphQL endpoint: authenticates, parses, enforces limits, executes for the caller and masks errors.
import { AsyncLocalStorage } from 'node:async_hooks';
import type { GraphQLError } from 'graphql';
import { createYoga, type Plugin } from 'graphql-yoga';
import type { DirectoryOpener } from '../../domain/directory.ts';
import { beginRequest } from '../../domain/queries/positions.ts';
import type { Authenticate } from '../../model/caller.ts';
import { Deadline } from '../../model/deadline.ts';
import { isDirectoryError } from '../../model/errors.ts';
import type { OpenStreams } from '../../model/open-streams.ts';
import { type FastPath, POSITION_HEADER } from '../../model/plain-request.ts';
import type { RequestLog } from '../../model/request-log.ts';
import { schema } from '../schema/schema.ts';
import { isTransient, maskError, RETRY_AFTER, refusedResponse } from './errors.ts';
import { exactVariables } from './exact-variables.ts';
import { executeInOrder } from './execute.ts';
import { contentTypeFor, createFastPath } from './fast-path.ts';
import { graphiqlPage } from './graphiql.ts';
import { type Limits, limitPlugins, type YogaContext } from './limits.ts';
import { DOCUMENT_ID, persistedOperations } from './persisted-operations.ts';
import { positionsOf } from './positions.ts';
import { sharedDocuments } from './shared-documents.ts';
import { subscriptions } from './subscriptions.ts';
import type { TrustedDocuments } from './trusted-documents.ts';

export type GraphQLOptions = {
  authenticate: Authenticate;
  openDirectory: DirectoryOpener;
  limits: Limits;
  /** The only operations that are accepted; null accepts any operation. */
  trustedDocuments: TrustedDocuments | null;
  /** A token that GraphiQL starts with; null outside development. */
  developmentToken: string | null;
  /** The open streams of all APIs. */
  streams: OpenStreams;
};

/**
 * Creates the handler of `/graphql`: `fetch` answers every request, `fastPath` plain requests only. Nothing is parsed
 * before the token is verified. A browser that navigates to the endpoint gets GraphiQL. Cross-site request forgery is not
 * possible: a token is accepted in the Authorization header only, which a browser never sends by itself.
 */
export function createGraphQLHandler(options: GraphQLOptions) {
  const { authenticate, openDirectory, limits, trustedDocuments, developmentToken, streams } = options;
  // Yoga passes maskError the error only; this passes it the log of the request.
  const currentLog = new AsyncLocalStorage<RequestLog>();
  const yoga = createYoga<YogaContext>({
    schema,
    graphqlEndpoint: '/graphql',
    landingPage: false,
    graphiql: false,
    batching: false,
    multipart: false,
    logging: false,
    cors: false,
    // The fast path has its own cache of valid operations. Yoga's cache also holds errors, and loses their codes.
    parserAndValidationCache: false,
    maskedErrors: {
      maskError(error) {
        // Events of subscriptions come without a log: their errors are masked already.
        const masked = maskError(error, currentLog.getStore()!);
        // Yoga sets the headers of `extensions.http`, and removes it from the response.
        if (isTransient([masked]))
          Object.assign((masked as GraphQLError).extensions, { http: { headers: RETRY_AFTER } });
        return masked;
      },
    },
    extraParamNames: [DOCUMENT_ID],
    plugins: [
      sharedDocuments(),
      sortedErrors,
      exactVariables,
      persistedOperations(trustedDocuments),
      ...limitPlugins(limits),
      positionsOf(() => currentLog.getStore()!),
      subscriptions({ streams, costLimit: limits.cost, log: () => currentLog.getStore()! }),
    ] as never,
  });
  const fastPath = createFastPath({
    schema,
    getEnveloped: () => yoga.getEnveloped() as never,
    authenticate,
    openDirectory,
    limits,
  });
  const page = graphiqlPage(developmentToken);
  const pageWithoutToken = graphiqlPage(null);
  const fetch = async (request: Request, log: RequestLog): Promise<Response> => {
    if (wantsPage(request)) {
      // CORS may let a page of another origin read responses, and it must not get the token from one.
      return request.headers.has('origin') ? pageWithoutToken() : page();
    }
    const caller = await authenticate(request.headers.get('authorization'));
    log.noteCaller(caller);
    const deadline = new Deadline(request.signal);
    const context = { directory: openDirectory(caller, { signal: deadline.signal }), deadline };
    await beginRequest(context.directory, request.headers.get(POSITION_HEADER));
    return currentLog.run(log, async () =>
      Promise.resolve(yoga.fetch(request, context)).catch((error: unknown) => {
        // Yoga rejects as soon as the client has gone away.
        throw request.signal.aborted ? deadline.signal.reason : error;
      }),
    );
  };
  return {
    fetch: (request: Request, log: RequestLog) =>
      fetch(request, log).catch(refusalOf({ log, accept: request.headers.get('accept') })),
    // The fast path executes any valid operation, so it is off when only registered operations are accepted.
    fastPath: (async (request) =>
      trustedDocuments ? null : fastPath(request).catch(refusalOf(request))) satisfies FastPath,
  };
}

/** Makes Yoga use the executor of the fast path, so that both list errors in the same order. */
const sortedErrors: Plugin = {
  onExecute: ({ setExecuteFn }) => setExecuteFn(executeInOrder),
};

/** Turns a refusal of the whole request into a response, and throws any other error again. */
const refusalOf =
  ({ log, accept }: { log: RequestLog; accept: string | null }) =>
  (error: unknown): Response => {
    if (!isDirectoryError(error)) throw error;
    log.noteError(error);
    return refusedResponse(error, contentTypeFor(accept));
  };

/**
 * Whether a browser navigates to the endpoint: the request accepts HTML and has no bearer token. The address may have a
 * `query` parameter, which GraphiQL opens.
 */
function wantsPage({ method, headers }: Request): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false;
  if (!headers.get('accept')?.includes('text/html')) return false;
  return !/^bearer\s/i.test(headers.get('authorization') ?? '');
}
