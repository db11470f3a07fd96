// Refusals as REST clients get them: a status for each code, and bodies that FastAPI's clients parse.
import { z } from '@hono/zod-openapi';
import type { DirectoryError, ErrorCode, ErrorDetails } from '../model/errors.ts';
import { bearerChallenge } from '../model/refused-token.ts';
import { json } from './json.ts';
import { faultsOfFields, HTTPValidationError } from './validation-errors.ts';

export const STATUS = {
  VALIDATION_FAILED: 422,
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
} as const satisfies Record<ErrorCode, number>;

/** Codes whose details are told beside the message; the others answer with the message alone. */
const STRUCTURED = {
  NAME_TAKEN: ({ names }) => ({ names }),
  GROUP_NOT_EMPTY: ({ counts: { members, children, nestedGroups } }) => ({
    counts: { members, children, nested_groups: nestedGroups },
  }),
  CYCLE: ({ path }) => ({ path }),
  UNKNOWN_USERS: ({ userIds }) => ({ user_ids: userIds }),
  OTHER_TENANT: ({ id }) => ({ id }),
  VERSION_CONFLICT: ({ currentVersion }) => ({ current_version: currentVersion }),
  LIMIT_EXCEEDED: ({ limit }) => ({ limit }),
} satisfies { [Code in ErrorCode]?: (details: ErrorDetails[Code]) => object };

/** The answer to a refused request. */
export function refusedResponse(error: DirectoryError): Response {
  const { code, message, details } = error;
  const headers = new Headers();
  const challenge = bearerChallenge(error);
  if (challenge) headers.set('www-authenticate', challenge);
  if (code === 'UNAVAILABLE') headers.set('retry-after', '1');
  return Response.json({ detail: detailOf(code, message, details) }, { status: STATUS[code], headers });
}

function detailOf(code: ErrorCode, message: string, details: object): unknown {
  if (code === 'VALIDATION_FAILED') {
    return faultsOfFields((details as ErrorDetails['VALIDATION_FAILED']).fields);
  }
  const more = STRUCTURED[code as keyof typeof STRUCTURED] as ((details: object) => object) | undefined;
  return more ? { message, code, ...more(details) } : message;
}

const HTTPError = z
  .object({ detail: z.string().openapi({ description: 'The refusal in words.' }) })
  .openapi('HTTPError', { description: 'A refusal in words.' });

const conflict = <Code extends ErrorCode, Shape extends z.ZodRawShape>(code: Code, shape: Shape) =>
  z.object({ message: z.string(), code: z.literal(code), ...shape });

const HTTPConflict = z
  .object({
    detail: z.union([
      conflict('NAME_TAKEN', { names: z.array(z.string()) }).openapi('NameTaken', {
        description: 'Siblings have the name already, ignoring case: each name that clashes.',
      }),
      conflict('GROUP_NOT_EMPTY', {
        counts: z.object({ members: z.int(), children: z.int(), nested_groups: z.int() }),
      }).openapi('GroupNotEmpty', { description: '`BLOCK`: what the group still holds.' }),
      conflict('CYCLE', { path: z.array(z.object({ id: z.string(), name: z.string() })) }).openapi('Cycle', {
        description:
          'The group would come to be above itself: the way round, the first and last being the same.',
      }),
      conflict('UNKNOWN_USERS', { user_ids: z.array(z.string()) }).openapi('UnknownUsers', {
        description: "Not users of the group's tenant: each such id.",
      }),
      conflict('OTHER_TENANT', { id: z.string() }).openapi('OtherTenant', {
        description: 'Both ends are visible to you, but in different tenants.',
      }),
      conflict('VERSION_CONFLICT', { current_version: z.int() }).openapi('VersionConflict', {
        description: 'The group is no longer at the version that `If-Match` names.',
      }),
    ]),
  })
  .openapi('HTTPConflict', {
    description: 'The write conflicts with the present state; nothing was changed.',
  });

const HTTPLimit = z
  .object({ detail: conflict('LIMIT_EXCEEDED', { limit: z.int() }) })
  .openapi('HTTPLimit', { description: 'A bound of the directory is exceeded.' });

/** Refusals of every operation. */
const ALWAYS = {
  401: json('No token, or one that does not hold.', HTTPError),
  403: json('Seen, but not yours to change; or a service without the scope.', HTTPError),
  422: json('The request breaks rules: each fault.', HTTPValidationError),
  503: json('The directory is busy or out of reach; try again.', HTTPError),
};

const NOT_FOUND = { 404: json('There is no such thing that you can see.', HTTPError) };

/** Refusals of a list that hangs off nothing. */
export const listRefusals = ALWAYS;
/** Refusals of reading what a path names. */
export const readRefusals = { ...ALWAYS, ...NOT_FOUND };
/** Refusals of reading with `include`, which gives lists whole. */
export const includeRefusals = {
  ...readRefusals,
  400: json('A list is too long to be included.', HTTPLimit),
};
/** Refusals of a deletion. */
export const deleteRefusals = {
  ...readRefusals,
  409: json(
    'It conflicts with the present state: the group is not empty, a name, or the version.',
    HTTPConflict,
  ),
};
/** Refusals of a change with a body. */
export const changeRefusals = {
  ...readRefusals,
  400: json('The body is not JSON, or exceeds a bound of the directory.', z.union([HTTPError, HTTPLimit])),
  409: json('It conflicts with the present state: a name, a cycle, a version, unknown users.', HTTPConflict),
  413: json('The body is too large.', HTTPError),
  415: json('The body is not sent as `application/json`.', HTTPError),
};
