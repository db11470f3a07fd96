// CORS: which other origins may read answers. Never with credentials: a token travels in a header that the caller sets.

/** Exact origins, or `*` alone for any; empty for none. */
export type CorsOrigins = readonly string[];

/** Headers of answers that a client acts on, beside those that every client may read. */
const EXPOSED = ['Allow', 'ETag', 'Location', 'Retry-After', 'WWW-Authenticate', 'X-Request-ID'].join(', ');

const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE';

/** How long a browser may remember a preflight, in seconds: as long as Chromium ever does. */
const MAX_AGE = 7_200;

type Headers = Record<string, string>;

/** What every answer says to a page of this origin, refusals too: without it the page cannot read why. */
export function corsHeaders(origins: CorsOrigins, origin: string | null | undefined): Headers {
  if (origins.length === 0) return {};
  const exposed = { 'access-control-expose-headers': EXPOSED };
  if (origins.includes('*')) return { 'access-control-allow-origin': '*', ...exposed };
  // Shared caches keep an answer for each origin.
  const vary = { vary: 'Origin' };
  if (!origin || !origins.includes(origin)) return vary;
  return { 'access-control-allow-origin': origin, ...exposed, ...vary };
}

/** Whether a request is one that a browser sends by itself before a page's; it never bears a token. */
export function isPreflight({ method, headers }: Request): boolean {
  return method === 'OPTIONS' && headers.has('origin') && headers.has('access-control-request-method');
}

/** The answer to a preflight; `corsHeaders` say beside it whether the origin is allowed. */
export function preflightResponse({ headers }: Request, origins: CorsOrigins): Response {
  if (!('access-control-allow-origin' in corsHeaders(origins, headers.get('origin')))) {
    return new Response(null, { status: 204 });
  }
  // Any header may be sent: `*` would not cover Authorization, and clients and tracing add headers of their own.
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
