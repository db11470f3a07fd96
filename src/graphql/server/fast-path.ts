// The fast path of plain requests: it skips Yoga's Request and Response, and enforces the same limits.
import type { ExecutionResult, GraphQLSchema } from 'graphql';
import type { DirectoryOpener } from '../../domain/directory.ts';
import { beginRequest } from '../../domain/queries/positions.ts';
import type { Authenticate } from '../../model/caller.ts';
import { Deadline } from '../../model/deadline.ts';
import { parseJson } from '../../model/json.ts';
import type { FastPath } from '../../model/plain-request.ts';
import { isTransient, maskError, RETRY_AFTER } from './errors.ts';
import { costExtension, deepestBracket, type Limits, type TimedOut, withinTime } from './limits.ts';
import { operationCache, type ParseAndValidate } from './operation-cache.ts';
import { positionExtension } from './positions.ts';

export type FastPathOptions = {
  schema: GraphQLSchema;
  /** Yoga's parse and validate with all plugins of the server, so that the limits of documents apply. */
  getEnveloped: () => ParseAndValidate;
  authenticate: Authenticate;
  openDirectory: DirectoryOpener;
  limits: Limits;
};

/**
 * Creates the fast path. It handles authenticated, valid operations within the limits. It returns null for anything else,
 * before executing it, so that Yoga reports the error. Throws the refusals of `authenticate`.
 */
export function createFastPath(options: FastPathOptions): FastPath {
  const { schema, getEnveloped, authenticate, openDirectory, limits } = options;
  const findOperation = operationCache(schema, getEnveloped);
  return async ({ body, authorization, accept, positions, log, disconnection }) => {
    const contentType = contentTypeFor(accept);
    if (!contentType) return null;
    const caller = await authenticate(authorization);
    log.noteCaller(caller);
    // Parse nothing before the token is verified.
    const parameters = readParameters(body);
    if (!parameters) return null;
    const { query, variables, operationName } = parameters;
    if (deepestBracket(query) > limits.brackets) return null;
    const operation = findOperation(query, operationName)?.withVariables(variables);
    if (!operation || operation.cost > limits.cost) return null;
    const deadline = operation.isMutation ? new Deadline(disconnection()) : null;
    const context = { directory: openDirectory(caller, { signal: deadline?.signal }) };
    await beginRequest(context.directory, positions);
    const result = await withinTime(limits.operationMs, deadline, () => operation.run(context));
    if (!('data' in result) && !isTimeout(result)) return null;
    const masked = result.errors?.map((error) => maskError(error, log));
    const extensions = {
      ...costExtension(operation.cost, limits.cost),
      ...positionExtension(context.directory, log),
    };
    const answer = JSON.stringify({ ...result, ...(masked && { errors: masked }), extensions });
    if (!isTransient(masked)) return { contentType, body: answer };
    return new Response(answer, { headers: { 'content-type': contentType, ...RETRY_AFTER } });
  };
}

type Result = ExecutionResult | TimedOut;
const isTimeout = ({ errors }: Result) => errors?.[0]?.extensions?.code === 'TIMEOUT';

const JSON_TYPES = ['application/json', 'application/graphql-response+json'];

/** The media type that Yoga would choose, the first accepted one that it supports; null if that is not JSON. */
export function contentTypeFor(accept: string | null): string | null {
  if (accept === null || accept === '*/*') return `${JSON_TYPES[0]}; charset=utf-8`;
  for (const range of accept.toLowerCase().split(',')) {
    const type = range.split(';')[0]!.trim();
    if (range.includes('charset=')) return null;
    if (JSON_TYPES.includes(type)) return `${type}; charset=utf-8`;
    if (type === '*/*' || type === 'application/*') return `${JSON_TYPES[0]}; charset=utf-8`;
  }
  return null;
}

type Parameters = { query: string; variables: Record<string, unknown>; operationName: string | null };

/** The parameters of a plain request; null for a body that is invalid or has other parameters. */
function readParameters(body: string): Parameters | null {
  let parsed: unknown;
  try {
    parsed = parseJson(body);
  } catch {
    return null;
  }
  if (!isObject(parsed)) return null;
  const { query, variables = null, operationName = null, ...others } = parsed;
  if (typeof query !== 'string' || Object.keys(others).length > 0) return null;
  if (variables !== null && !isObject(variables)) return null;
  if (operationName !== null && typeof operationName !== 'string') return null;
  return { query, variables: variables ?? {}, operationName };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
