// The short way of plain operations: JSON in, JSON out, the same guards as on Yoga's way and none of its requests.
import type { ExecutionResult, GraphQLSchema } from 'graphql';
import type { Directory } from '../../domain/directory.ts';
import type { Authenticate, Caller } from '../../model/caller.ts';
import { parseJson } from '../../model/json.ts';
import type { RequestLog } from '../../model/request-log.ts';
import { maskError, mayPass, RETRY_AFTER } from './errors.ts';
import { costExtension, deepestBracket, type Limits, type TimedOut, withinTime } from './limits.ts';
import { operationCache, type Steps } from './operation-cache.ts';

/** A POST of JSON to the endpoint, with its body as text. */
export type PlainRequest = {
  body: string;
  authorization: string | null;
  accept: string | null;
  log: RequestLog;
};
/** Its status is always 200: operations that are refused as a whole take the long way. */
export type PlainAnswer = { contentType: string; body: string };

export type FastPathOptions = {
  schema: GraphQLSchema;
  /** Parsing and validation with all plugins of the server. */
  steps: () => Steps;
  authenticate: Authenticate;
  openDirectory: (caller: Caller) => Directory;
  limits: Limits;
};

/**
 * Answers what is well: a bearer of a good token, who sends a valid operation within the limits. For everything else it
 * gives null before anything has been executed, and the long way answers. Throws the refusals of `authenticate`.
 */
export function createFastPath(options: FastPathOptions) {
  const { schema, steps, authenticate, openDirectory, limits } = options;
  const prepared = operationCache(schema, steps);
  return async ({
    body,
    authorization,
    accept,
    log,
  }: PlainRequest): Promise<PlainAnswer | Response | null> => {
    const contentType = contentTypeFor(accept);
    if (!contentType) return null;
    const caller = await authenticate(authorization);
    log.noteCaller(caller);
    // Nothing is parsed before the token holds.
    const parameters = readParameters(body);
    if (!parameters) return null;
    const { query, variables, operationName } = parameters;
    if (deepestBracket(query) > limits.brackets) return null;
    const operation = prepared(query, operationName)?.withVariables(variables);
    if (!operation || operation.cost > limits.cost) return null;
    const context = { directory: openDirectory(caller) };
    const result = await withinTime(limits.operationMs, () => operation.run(context));
    if (!('data' in result) && !isTimeout(result)) return null;
    const masked = result.errors?.map((error) => maskError(error, log));
    const extensions = costExtension(operation.cost, limits.cost);
    const answer = JSON.stringify({ ...result, ...(masked && { errors: masked }), extensions });
    if (!mayPass(masked)) return { contentType, body: answer };
    return new Response(answer, { headers: { 'content-type': contentType, ...RETRY_AFTER } });
  };
}

type Result = ExecutionResult | TimedOut;
const isTimeout = ({ errors }: Result) => errors?.[0]?.extensions?.code === 'TIMEOUT';

const JSON_TYPES = ['application/json', 'application/graphql-response+json'];

/** The media type that Yoga would choose: the first acceptable one that it has; null if that is none of JSON. */
export function contentTypeFor(accept: string | null): string | null {
  if (accept === null || accept === '*/*') return `${JSON_TYPES[0]}; charset=utf-8`;
  for (const asked of accept.toLowerCase().split(',')) {
    const type = asked.split(';')[0]!.trim();
    if (asked.includes('charset=')) return null;
    if (JSON_TYPES.includes(type)) return `${type}; charset=utf-8`;
    if (type === '*/*' || type === 'application/*') return `${JSON_TYPES[0]}; charset=utf-8`;
  }
  return null;
}

type Parameters = { query: string; variables: Record<string, unknown>; operationName: string | null };

/** The three parameters of a plain request; null for any other body, be it wrong or only rarer. */
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
