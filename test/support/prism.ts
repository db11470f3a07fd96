// Stoplight Prism as a validating proxy: holds requests and answers to the OpenAPI document, written by others.
import { getHttpOperationsFromSpec } from '@stoplight/prism-http';
import { createServer } from '@stoplight/prism-http-server';
import { openApiDocument } from '../../src/rest/openapi.ts';

/** A breach of the contract as Prism tells it; `location` begins with `request` or `response`. */
export type Violation = { location: string[]; severity: string; code: string; message: string };

const silent = {
  info() {},
  warn() {},
  error() {},
  success() {},
  debug() {},
  trace() {},
  child: () => silent,
};

/** Listens on a free port in front of the server; violations come back in the header `sl-violations`. */
export async function startPrism(upstream: string): Promise<{ url: string; stop(): Promise<void> }> {
  const operations = await getHttpOperationsFromSpec(JSON.parse(JSON.stringify(openApiDocument())));
  const proxy = createServer(operations, {
    components: { logger: silent as never },
    cors: false,
    config: {
      // Requests without a token are part of the tests: the server must answer them, not the proxy.
      checkSecurity: false,
      validateRequest: true,
      validateResponse: true,
      errors: false,
      mock: { dynamic: false },
      isProxy: true,
      upstream: new URL(upstream),
      upstreamProxy: undefined,
    },
  });
  const url = await proxy.listen(0, '127.0.0.1');
  return { url, stop: () => proxy.close() };
}

export const violationsOf = (headers: Headers): Violation[] =>
  JSON.parse(headers.get('sl-violations') ?? '[]') as Violation[];
