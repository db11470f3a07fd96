// Errors as GraphQL clients get them: refusals with their code, everything else masked and logged whole.
import { GraphQLError } from 'graphql';
import { bearerChallenge } from '../../model/bearer-challenge.ts';
import { type DirectoryError, type ErrorCode, isDirectoryError, refuse } from '../../model/errors.ts';
import type { RequestLog } from '../../model/request-log.ts';

/** HTTP status of a request that is refused as a whole; refusals of single fields leave it at 200. */
export const STATUS = {
  VALIDATION_FAILED: 400,
  NOT_FOUND: 404,
  NAME_TAKEN: 409,
  GROUP_NOT_EMPTY: 409,
  CYCLE: 409,
  UNKNOWN_USERS: 409,
  OTHER_TENANT: 409,
  VERSION_CONFLICT: 409,
  LIMIT_EXCEEDED: 400,
  FORBIDDEN: 403,
  UNAUTHENTICATED: 401,
  UNAVAILABLE: 503,
} satisfies Record<ErrorCode, number>;

/** A refusal as GraphQL error: its message, its code and what it carries. */
export function toGraphQLError(error: DirectoryError, at?: GraphQLError): GraphQLError {
  const { message, code, details } = error;
  return new GraphQLError(message, {
    nodes: at?.nodes ?? null,
    path: at?.path ?? null,
    extensions: { code, ...details },
  });
}

/** A limit of the server that the request exceeds: the message names the limit. */
export function limitError(message: string, limit: number): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'LIMIT_EXCEEDED', limit } });
}

/**
 * Yoga's `maskError`: errors of GraphQL itself and refusals pass, everything else becomes an "Unexpected error" that
 * names the request, and is noted whole for its line of the log.
 */
export function maskError(error: unknown, log: RequestLog): Error {
  const at = error instanceof GraphQLError ? error : undefined;
  const original = at ? at.originalError : error;
  if (at && (!original || original instanceof GraphQLError)) {
    if (at.extensions.code === 'TIMEOUT') log.noteError(refuse.unavailable(at.message));
    return at;
  }
  log.noteError(original);
  if (isDirectoryError(original)) return toGraphQLError(original, at);
  return new GraphQLError('Unexpected error', {
    nodes: at?.nodes ?? null,
    path: at?.path ?? null,
    extensions: { code: 'INTERNAL_SERVER_ERROR', requestId: log.requestId },
  });
}

/** What tells a client when to try again, on any answer with an error that passes. */
export const RETRY_AFTER = { 'retry-after': '1' };

/** Whether an answer that holds these errors should be asked for again. */
export const mayPass = (errors: readonly Error[] | undefined): boolean =>
  errors?.some((error) => error instanceof GraphQLError && error.extensions.code === 'UNAVAILABLE') ?? false;

/**
 * The answer to a request that is refused before it is read, in GraphQL's form and the media type that the client
 * accepts (GraphQL over HTTP, section 6.3); as JSON where it accepts none that there is.
 */
export function refusedResponse(error: DirectoryError, contentType: string | null): Response {
  const status = STATUS[error.code];
  const headers = new Headers({ 'content-type': contentType ?? 'application/json; charset=utf-8' });
  const challenge = bearerChallenge(error);
  if (challenge) headers.set('www-authenticate', challenge);
  if (status === 503) headers.set('retry-after', RETRY_AFTER['retry-after']);
  return new Response(JSON.stringify({ errors: [toGraphQLError(error)] }), { status, headers });
}
