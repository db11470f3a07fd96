// Errors as GraphQL clients get them: refusals with their code; any other error is logged in full and masked.
import { GraphQLError } from 'graphql';
import { bearerChallenge } from '../../model/bearer-challenge.ts';
import { type DirectoryError, type ErrorCode, isDirectoryError, refuse } from '../../model/errors.ts';
import type { RequestLog } from '../../model/request-log.ts';

/** HTTP status of a request that is refused as a whole. A refusal of a single field leaves the status at 200. */
export const STATUS = {
  VALIDATION_FAILED: 400,
  NOT_FOUND: 404,
  NAME_TAKEN: 409,
  GROUP_NOT_EMPTY: 409,
  CYCLE: 409,
  UNKNOWN_USERS: 409,
  OTHER_TENANT: 409,
  VERSION_CONFLICT: 409,
  PREVIEW_STALE: 409,
  LIMIT_EXCEEDED: 400,
  HISTORY_UNAVAILABLE: 404,
  CURSOR_EXPIRED: 410,
  TOO_MANY_STREAMS: 429,
  FORBIDDEN: 403,
  UNAUTHENTICATED: 401,
  UNAVAILABLE: 503,
} satisfies Record<ErrorCode, number>;

/** A refusal as a GraphQL error: message, code and details, at the location and path of `located`. */
export function toGraphQLError(error: DirectoryError, located?: GraphQLError): GraphQLError {
  const { message, code, details, changeIndex } = error;
  return new GraphQLError(message, {
    nodes: located?.nodes ?? null,
    path: located?.path ?? null,
    extensions: { code, ...details, ...(changeIndex !== undefined && { changeIndex }) },
  });
}

/** The error of a request that exceeds a limit of the server. The message names the limit. */
export function limitError(message: string, limit: number): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'LIMIT_EXCEEDED', limit } });
}

/**
 * Yoga's `maskError`. Errors of GraphQL itself and refusals pass unchanged. Any other error is logged in full, and becomes
 * an "Unexpected error" with the id of the request.
 */
export function maskError(error: unknown, log: RequestLog): Error {
  const located = error instanceof GraphQLError ? error : undefined;
  const original = located ? located.originalError : error;
  if (located && (!original || original instanceof GraphQLError)) {
    if (located.extensions.code === 'TIMEOUT') log.noteError(refuse.unavailable(located.message));
    return located;
  }
  log.noteError(original);
  if (isDirectoryError(original)) return toGraphQLError(original, located);
  return new GraphQLError('Unexpected error', {
    nodes: located?.nodes ?? null,
    path: located?.path ?? null,
    extensions: { code: 'INTERNAL_SERVER_ERROR', requestId: log.requestId },
  });
}

/** Headers of a response with a transient error: the client may retry after one second. */
export const RETRY_AFTER = { 'retry-after': '1' };

/** Whether any of the errors is transient, so that the client should retry: not a change that may be stored. */
export const isTransient = (errors: readonly Error[] | undefined): boolean =>
  errors?.some(
    (error) =>
      error instanceof GraphQLError &&
      error.extensions.code === 'UNAVAILABLE' &&
      error.extensions.outcome === undefined,
  ) ?? false;

/**
 * The response to a request that is refused before its operation is read: a GraphQL result in the media type that the
 * client accepts (GraphQL over HTTP, section 6.3), or in `application/json` if the client accepts none of ours.
 */
export function refusedResponse(error: DirectoryError, contentType: string | null): Response {
  const status = STATUS[error.code];
  const headers = new Headers({ 'content-type': contentType ?? 'application/json; charset=utf-8' });
  const challenge = bearerChallenge(error);
  if (challenge) headers.set('www-authenticate', challenge);
  if (status === 503) headers.set('retry-after', RETRY_AFTER['retry-after']);
  return new Response(JSON.stringify({ errors: [toGraphQLError(error)] }), { status, headers });
}
