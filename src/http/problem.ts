// Errors raised outside the APIs, in the format of the API whose path was requested.

export const GRAPHQL_PATH = '/graphql';

/** Paths of the REST API and of AuthZEN. The captured prefix is the route in metrics, because whole paths contain ids. */
export const REST_PATH =
  /^(\/api\/v1|\/access\/v1|\/\.well-known\/authzen-configuration|\/docs|\/openapi\.json)(?:\/|$)/;

/** The path and the Accept header of a refused request: they decide the format and media type of the error. */
export type Asked = { path: string; accept: string | null | undefined };

export type Problem = {
  status: number;
  code: string;
  message: string;
  /** Further extensions of the GraphQL error. */
  details?: object;
  headers?: Record<string, string>;
};

const GRAPHQL_RESPONSE = 'application/graphql-response+json';

/** The error response: FastAPI's `detail` for REST paths, a GraphQL error with a code for all others. */
export function problemResponse({ path, accept }: Asked, problem: Problem): Response {
  const { status, code, message, details, headers = {} } = problem;
  if (REST_PATH.test(path)) return Response.json({ detail: message }, { status, headers });
  // GraphQL over HTTP, section 6.3: a client that accepts this media type only reads errors in it.
  const asked = path === GRAPHQL_PATH && accept?.toLowerCase().includes(GRAPHQL_RESPONSE);
  const type = asked ? `${GRAPHQL_RESPONSE}; charset=utf-8` : 'application/json';
  return Response.json(
    { errors: [{ message, extensions: { code, ...details } }] },
    { status, headers: { ...headers, 'content-type': type } },
  );
}
