// Refusals that no API has a word in: told in the form of the API whose path was asked.

export const GRAPHQL_PATH = '/graphql';

/** What REST answers, and under which name it is counted: not by path, which holds ids. */
export const REST_PATH = /^(\/api\/v1|\/docs|\/openapi\.json)(?:\/|$)/;

/** The path of a refused request and its Accept header: they decide the form and the media type of the answer. */
export type Asked = { path: string; accept: string | null | undefined };

export type Problem = {
  status: number;
  code: string;
  message: string;
  /** More extensions of the error. */
  details?: object;
  headers?: Record<string, string>;
};

const GRAPHQL_RESPONSE = 'application/graphql-response+json';

/** FastAPI's `detail` for REST, an error with its code for everybody else. */
export function problemResponse({ path, accept }: Asked, problem: Problem): Response {
  const { status, code, message, details, headers = {} } = problem;
  if (REST_PATH.test(path)) return Response.json({ detail: message }, { status, headers });
  // GraphQL over HTTP, section 6.3: a client that knows the media type reads errors from no other.
  const asked = path === GRAPHQL_PATH && accept?.toLowerCase().includes(GRAPHQL_RESPONSE);
  const type = asked ? `${GRAPHQL_RESPONSE}; charset=utf-8` : 'application/json';
  return Response.json(
    { errors: [{ message, extensions: { code, ...details } }] },
    { status, headers: { ...headers, 'content-type': type } },
  );
}
