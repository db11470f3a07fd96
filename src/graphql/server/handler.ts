// The GraphQL endpoint: authenticate, read, check limits, execute for the caller, mask.
import { AsyncLocalStorage } from 'node:async_hooks';
import type { GraphQLError } from 'graphql';
import { createYoga, type Plugin } from 'graphql-yoga';
import type { Directory } from '../../domain/directory.ts';
import type { Authenticate, Caller } from '../../model/caller.ts';
import { isDirectoryError } from '../../model/errors.ts';
import type { RequestLog } from '../../model/request-log.ts';
import type { Context } from '../schema/context.ts';
import { schema } from '../schema/schema.ts';
import { maskError, mayPass, RETRY_AFTER, refusedResponse } from './errors.ts';
import { exactVariables } from './exact-variables.ts';
import { executeInOrder } from './execute.ts';
import { contentTypeFor, createFastPath, type PlainRequest } from './fast-path.ts';
import { graphiqlPage } from './graphiql.ts';
import { type Limits, limitPlugins } from './limits.ts';
import { DOCUMENT_ID, persistedOperations } from './persisted-operations.ts';
import type { TrustedDocuments } from './trusted-documents.ts';

export type GraphQLOptions = {
  authenticate: Authenticate;
  openDirectory: (caller: Caller) => Directory;
  limits: Limits;
  /** The only operations that are answered; null: any. */
  trustedDocuments: TrustedDocuments | null;
  /** Filled into GraphiQL; null outside development. */
  developmentToken: string | null;
};

/**
 * Answers requests to `/graphql`: `fastPath` the plain operations that are well, `fetch` everything. Nothing is parsed
 * before the token holds; a browser that asks for a page gets GraphiQL. Since a token travels in the Authorization
 * header alone, no other site can make a browser send one.
 */
export function createGraphQLHandler(options: GraphQLOptions) {
  const { authenticate, openDirectory, limits, trustedDocuments, developmentToken } = options;
  // Yoga's maskError is told the error alone; this tells it whose request it was.
  const currentRequest = new AsyncLocalStorage<RequestLog>();
  const yoga = createYoga<Context>({
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
      maskError(error) {
        const masked = maskError(error, currentRequest.getStore()!);
        // Yoga's own way to headers: it takes `http` out of what it sends.
        if (mayPass([masked]))
          Object.assign((masked as GraphQLError).extensions, { http: { headers: RETRY_AFTER } });
        return masked;
      },
    },
    extraParamNames: [DOCUMENT_ID],
    plugins: [
      executor,
      exactVariables,
      persistedOperations(trustedDocuments),
      ...limitPlugins(limits),
    ] as never,
  });
  const fastPath = createFastPath({
    schema,
    steps: () => yoga.getEnveloped() as never,
    authenticate,
    openDirectory,
    limits,
  });
  const page = graphiqlPage(developmentToken);
  const pageWithoutToken = graphiqlPage(null);
  const fetch = async (request: Request, log: RequestLog): Promise<Response> => {
    if (wantsPage(request)) {
      // A page of another origin may be allowed to read answers, but not this token in one.
      return request.headers.has('origin') ? pageWithoutToken() : page();
    }
    const caller = await authenticate(request.headers.get('authorization'));
    log.noteCaller(caller);
    const context = { directory: openDirectory(caller) };
    return currentRequest.run(log, async () => yoga.fetch(request, context));
  };
  return {
    fetch: (request: Request, log: RequestLog) =>
      fetch(request, log).catch(refusalOf({ log, accept: request.headers.get('accept') })),
    // The short way answers any text that is valid: where only registered operations are answered, there is none.
    fastPath: async (request: PlainRequest) =>
      trustedDocuments ? null : fastPath(request).catch(refusalOf(request)),
  };
}

/** The executor of the short way: Yoga's own tells errors otherwise. */
const executor: Plugin = {
  onExecute: ({ setExecuteFn }) => setExecuteFn(executeInOrder),
};

/** Answers refusals of a request as a whole, and passes everything else on. */
const refusalOf =
  ({ log, accept }: { log: RequestLog; accept: string | null }) =>
  (error: unknown): Response => {
    if (!isDirectoryError(error)) throw error;
    log.noteError(error);
    return refusedResponse(error, contentTypeFor(accept));
  };

/**
 * Whether a browser is shown this address, and not a program asked it: it accepts HTML, and sends no token of its own.
 * With a query in the address, which GraphiQL writes there, the page opens on that query.
 */
function wantsPage({ method, headers }: Request): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false;
  if (!headers.get('accept')?.includes('text/html')) return false;
  return !/^bearer\s/i.test(headers.get('authorization') ?? '');
}
