// The contract of GraphQL's fast path: the request that the HTTP listener hands to graphql/, and its answer.
import type { RequestLog } from './request-log.ts';

/** Header of requests and responses: the positions of tenants that a client has seen, and those that an answer holds. */
export const POSITION_HEADER = 'coterie-position';

/** A POST of JSON to the GraphQL endpoint, with its body as text. */
export type PlainRequest = {
  body: string;
  authorization: string | null;
  /** The header `POSITION_HEADER`. */
  positions: string | null;
  accept: string | null;
  log: RequestLog;
  /** A signal that aborts if the client goes away before it has the response. */
  disconnection: () => AbortSignal;
};

/** A response with status 200. */
export type PlainAnswer = { contentType: string; body: string };

/**
 * Answers a plain request, or returns null before anything has been executed: the caller then falls back to the full
 * GraphQL handler. A `Response` has a status or headers beyond those of a `PlainAnswer`.
 */
export type FastPath = (request: PlainRequest) => Promise<PlainAnswer | Response | null>;
