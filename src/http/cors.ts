// CORS: which origins may read responses. Credentials are never allowed: the token is in a header that the client sets.

/** Exact origins, or `*` alone for any; empty for none. */
export type CorsOrigins = readonly string[];

/** Response headers that clients use and that are not readable by default. */
const EXPOSED = [
  'Allow',
  'Coterie-Position',
  'ETag',
  'Location',
  'Retry-After',
  'WWW-Authenticate',
  'X-Request-ID',
].join(', ');

const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE';

/** Seconds a browser may cache a preflight: Chromium's maximum. */
const MAX_AGE = 7_200;

type Headers = Record<string, string>;

/** The CORS headers of every response, errors included: without them a page cannot read the error. */
export function corsHeaders(origins: CorsOrigins, origin: string | null | undefined): Headers {
  if (origins.length === 0) return {};
  const exposed = { 'access-control-expose-headers': EXPOSED };
  if (origins.includes('*')) return { 'access-control-allow-origin': '*', ...exposed };
  // Shared caches must store a response per origin.
  const vary = { vary: 'Origin' };
  if (!origin || !origins.includes(origin)) return vary;
  return { 'access-control-allow-origin': origin, ...exposed, ...vary };
}

/** Whether the request is a CORS preflight, which never has a token. */
export function isPreflight({ method, headers }: Request): boolean {
  return method === 'OPTIONS' && headers.has('origin') && headers.has('access-control-request-method');
}

/** The response to a preflight. The caller adds `corsHeaders`, which say whether the origin is allowed. */
export function preflightResponse({ headers }: Request, origins: CorsOrigins): Response {
  if (!('access-control-allow-origin' in corsHeaders(origins, headers.get('origin')))) {
    return new Response(null, { status: 204 });
  }
  // Allow every requested header: `*` does not cover Authorization, and clients and tracing add further headers.
  const allowed = headers.get('access-control-request-headers');
  return new Response(null, {
    status: 204,
    headers: {
      'access-control-allow-methods': METHODS,
      'access-control-max-age': String(MAX_AGE),
      vary: 'Access-Control-Request-Headers',
      ...(allowed && { 'access-control-allow-headers': allowed }),
    },
  });
}
