// Builds the application from its configuration and database. It does not listen.
import type { RequestListener } from 'node:http';
import type { Logger } from 'pino';
import { authenticateDevelopment, authenticateIssued } from './auth/caller.ts';
import { developmentKey, signDevelopmentToken } from './auth/development-key.ts';
import type { Config } from './config.ts';
import type { Database } from './database/database.ts';
import { assertReady } from './database/ready.ts';
import { type DirectoryOpener, openDirectory } from './domain/directory.ts';
import { createGraphQLHandler } from './graphql/server/handler.ts';
import { readTrustedDocuments } from './graphql/server/trusted-documents.ts';
import { createMetrics } from './http/metrics.ts';
import { createListener, type ListenerOptions } from './http/plain.ts';
import { createRouter, type Router, routeWords } from './http/router.ts';
import { listenUrl } from './http/server.ts';
import type { Authenticate } from './model/caller.ts';
import { OpenStreams } from './model/open-streams.ts';
import { createRestHandler } from './rest/router.ts';

export type App = {
  /** Handles a request without a server. */
  fetch: Router;
  /** The same for node:http, with the fast path for plain GraphQL requests. */
  listener: RequestListener;
  /** Signs a token with these claims; null if an identity provider issues tokens. */
  signToken: ((claims: Record<string, unknown>) => Promise<string>) | null;
};

export type AppParts = {
  config: Pick<
    Config,
    'issuer' | 'dataDir' | 'limits' | 'trustedDocuments' | 'corsOrigins' | 'publicUrl' | 'host' | 'port'
  >;
  database: Database;
  logger: Logger;
};

export async function createApp({ config, database, logger }: AppParts): Promise<App> {
  const { authenticate, assertKeys, signToken } = await tokens(config, logger);
  const metrics = createMetrics();
  database.onStatement(metrics.statementSent);
  const developmentToken =
    signToken && (await signToken({ sub: 'usr_GraphiQL00000000', role: 'super_admin' }));
  const apiOptions = {
    authenticate,
    openDirectory: ((caller, options) => openDirectory(database, caller, options)) satisfies DirectoryOpener,
    limits: config.limits,
    trustedDocuments: config.trustedDocuments ? await readTrustedDocuments(config.trustedDocuments) : null,
    developmentToken,
    publicUrl: publicUrlOf(config),
    streams: new OpenStreams(config.limits),
  };
  const { fetch: graphql, fastPath: plainGraphQL } = createGraphQLHandler(apiOptions);
  const { fetch: rest, paths } = createRestHandler(apiOptions);
  const routes: ListenerOptions = {
    graphql,
    plainGraphQL,
    rest,
    ready: () => Promise.all([assertReady(database), assertKeys()]),
    bodyBytes: config.limits.bodyBytes,
    restBodyBytes: config.limits.restBodyBytes,
    corsOrigins: config.corsOrigins,
    words: routeWords(paths),
    // Otherwise a site whose name resolves to this machine could read the token in the pages (DNS rebinding).
    loopbackOnly: config.issuer === null,
    drainMs: config.limits.drainMs,
    metrics,
    logger,
  };
  return { fetch: createRouter(routes), listener: createListener(routes), signToken };
}

/** Where clients reach the server. Without an issuer that is where it listens, unless the port is still to be chosen. */
function publicUrlOf({ publicUrl, issuer, host, port }: AppParts['config']): string | null {
  return publicUrl ?? (issuer || port === 0 ? null : listenUrl(host, port));
}

async function tokens({ issuer, dataDir }: AppParts['config'], logger: Logger) {
  if (issuer) {
    const onRefresh = (error: unknown) =>
      error === null
        ? logger.info('The keys that verify tokens are refreshed again')
        : logger.warn({ err: error }, 'The keys that verify tokens cannot be refreshed');
    return { ...authenticateIssued(issuer, onRefresh), signToken: null };
  }
  const key = await developmentKey(dataDir);
  return {
    authenticate: authenticateDevelopment(key) satisfies Authenticate,
    assertKeys: async () => {},
    signToken: (claims: Record<string, unknown>) => signDevelopmentToken(key, claims),
  };
}
