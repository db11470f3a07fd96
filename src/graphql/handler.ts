// The GraphQL endpoint: authenticate, read, check limits, execute for the caller, mask.
import { AsyncLocalStorage } from 'node:async_hooks';
import { createYoga } from 'graphql-yoga';
import type { Logger } from 'pino';
import type { Directory } from '../domain/directory.ts';
import type { Caller } from '../model/caller.ts';
import { isDirectoryError } from '../model/errors.ts';
import type { Context } from './context.ts';
import { maskError, refusedResponse } from './errors.ts';
import { exactVariables } from './exact-json.ts';
import { createFastPath, type PlainRequest } from './fast-path.ts';
import { graphiqlPage } from './graphiql.ts';
import { type Limits, limitPlugins } from './limits.ts';
import { DOCUMENT_ID, persistedOperations } from './persisted-operations.ts';
import { schema } from './schema.ts';
import type { TrustedDocuments } from './trusted-documents.ts';

export type GraphQLOptions = {
  authenticate: (authorization: string | null) => Promise<Caller>;
  openDirectory: (caller: Caller) => Directory;
  limits: Limits;
  /** The only operations that are answered; null: any. */
  trustedDocuments: TrustedDocuments | null;
  logger: Logger;
  /** Filled into GraphiQL; null outside development. */
  developmentToken: string | null;
};

/** What is known of a request before GraphQL reads it. */
export type RequestContext = { requestId: string };

/**
 * Answers requests to `/graphql`: `fastPath` the plain operations that are well, `fetch` everything. Nothing is parsed
 * before the token holds; a browser that asks for a page gets GraphiQL. Since a token travels in the Authorization
 * header alone, no other site can make a browser send one.
 */
export function createGraphQLHandler(options: GraphQLOptions) {
  const { authenticate, openDirectory, limits, trustedDocuments, logger, developmentToken } = options;
  // Yoga's maskError is told the error alone; this tells it whose request it was.
  const currentRequest = new AsyncLocalStorage<string>();
  const yoga = createYoga<RequestContext & Context>({
    schema,
    graphqlEndpoint: '/graphql',
    landingPage: false,
    graphiql: false,
    batching: false,
    multipart: false,
    logging: false,
    cors: false,
    // The short way keeps what is valid; kept errors would come back without their code.
    parserAndValidationCache: false,
    maskedErrors: {
      maskError: (error) => maskError(error, { requestId: currentRequest.getStore() ?? '', logger }),
    },
    extraParamNames: [DOCUMENT_ID],
    plugins: [exactVariables, persistedOperations(trustedDocuments), ...limitPlugins(limits)] as never,
  });
  const fastPath = createFastPath({
    schema,
    steps: () => yoga.getEnveloped() as never,
    authenticate,
    openDirectory,
    limits,
    logger,
  });
  const fetch = async (request: Request, { requestId }: RequestContext): Promise<Response> => {
    if (wantsPage(request)) {
      return new Response(graphiqlPage(developmentToken), {
        headers: { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' },
      });
    }
    const caller = await authenticate(request.headers.get('authorization'));
    const context = { requestId, directory: openDirectory(caller) };
    return currentRequest.run(requestId, async () => yoga.fetch(request, context));
  };
  return {
    fetch: (request: Request, context: RequestContext) =>
      fetch(request, context).catch(refusalOf(context, logger)),
    // The short way answers any text that is valid: where only registered operations are answered, there is none.
    fastPath: async (request: PlainRequest) =>
      trustedDocuments ? null : fastPath(request).catch(refusalOf(request, logger)),
  };
}

/** Answers refusals of a request as a whole, and passes everything else on. */
const refusalOf =
  ({ requestId }: RequestContext, logger: Logger) =>
  (error: unknown): Response => {
    if (!isDirectoryError(error)) throw error;
    if (error.code === 'UNAVAILABLE') logger.warn({ requestId, err: error.cause }, error.message);
    return refusedResponse(error);
  };

function wantsPage(request: Request): boolean {
  const { searchParams } = new URL(request.url);
  const accepts = request.headers.get('accept') ?? '';
  return request.method === 'GET' && accepts.includes('text/html') && !searchParams.has('query');
}
