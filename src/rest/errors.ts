// Maps error codes to REST responses: a status per code, and bodies in FastAPI's format.
import { z } from '@hono/zod-openapi';
import { bearerChallenge } from '../model/bearer-challenge.ts';
import { type DirectoryError, type ErrorCode, type ErrorDetails, isTemporary } from '../model/errors.ts';
import { json } from './json.ts';
import { fieldValidationErrors, HTTPValidationError } from './validation-errors.ts';

export const STATUS = {
  VALIDATION_FAILED: 422,
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
} as const satisfies Record<ErrorCode, number>;

/** Codes whose body holds `message`, `code` and details. For other codes, and null, `detail` is the message. */
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
  CURSOR_EXPIRED: ({ cursor }) => ({ cursor }),
  TOO_MANY_STREAMS: ({ limit }) => ({ limit }),
  UNAVAILABLE: ({ outcome, position }) => (outcome === undefined ? null : { outcome, position }),
} satisfies { [Code in ErrorCode]?: (details: ErrorDetails[Code]) => object | null };

/** The response to a refused request. */
export function refusedResponse(error: DirectoryError): Response {
  const { code, message, details } = error;
  const headers = new Headers();
  const challenge = bearerChallenge(error);
  if (challenge) headers.set('www-authenticate', challenge);
  if (isTemporary(error) || code === 'TOO_MANY_STREAMS') headers.set('retry-after', '1');
  return Response.json({ detail: detailOf(code, message, details) }, { status: STATUS[code], headers });
}

/** `detail` of the body of a refusal. */
export const refusalDetail = ({ code, message, details }: DirectoryError): unknown =>
  detailOf(code, message, details);

function detailOf(code: ErrorCode, message: string, details: object): unknown {
  if (code === 'VALIDATION_FAILED') {
    return fieldValidationErrors((details as ErrorDetails['VALIDATION_FAILED']).fields);
  }
  const structured = STRUCTURED[code as keyof typeof STRUCTURED] as
    | ((details: object) => object | null)
    | undefined;
  const more = structured?.(details);
  return more ? { message, code, ...more } : message;
}

const HTTPError = z
  .object({ detail: z.string().openapi({ description: 'The error message.' }) })
  .openapi('HTTPError', { description: 'An error with a message only.' });

const conflict = <Code extends ErrorCode, Shape extends z.ZodRawShape>(code: Code, shape: Shape) =>
  z.object({ message: z.string(), code: z.literal(code), ...shape });

const HTTPConflict = z
  .object({
    detail: z.union([
      conflict('NAME_TAKEN', { names: z.array(z.string()) }).openapi('NameTaken', {
        description: 'Siblings already have these names, ignoring case.',
      }),
      conflict('GROUP_NOT_EMPTY', {
        counts: z.object({ members: z.int(), children: z.int(), nested_groups: z.int() }),
      }).openapi('GroupNotEmpty', {
        description: '`BLOCK`: the group still has members, children or nested groups.',
      }),
      conflict('CYCLE', { path: z.array(z.object({ id: z.string(), name: z.string() })) }).openapi('Cycle', {
        description: 'The edge would close a cycle. `path` walks it; its first and last groups are the same.',
      }),
      conflict('UNKNOWN_USERS', { user_ids: z.array(z.string()) }).openapi('UnknownUsers', {
        description: "Ids that are not users of the group's tenant.",
      }),
      conflict('OTHER_TENANT', { id: z.string() }).openapi('OtherTenant', {
        description: 'Both groups are visible to you, but they belong to different tenants.',
      }),
      conflict('VERSION_CONFLICT', { current_version: z.int() }).openapi('VersionConflict', {
        description: 'The group has changed since the version in `If-Match`.',
      }),
    ]),
  })
  .openapi('HTTPConflict', {
    description: 'The request conflicts with the current state; nothing was changed.',
  });

const HTTPLimit = z
  .object({ detail: conflict('LIMIT_EXCEEDED', { limit: z.int() }) })
  .openapi('HTTPLimit', { description: 'A limit of the directory is exceeded.' });

const HTTPOutcome = z
  .object({
    detail: conflict('UNAVAILABLE', {
      outcome: z.enum(['UNKNOWN', 'COMMITTED']),
      position: z.string().optional(),
    }),
  })
  .openapi('HTTPOutcome', {
    description:
      '`UNKNOWN`: the connection to the database broke while the change was being stored, so it may be stored or not: ' +
      'if it is, at `position` of the log of its tenant. ' +
      '`COMMITTED`: it is stored, and only the response to it could not be read.',
  });

/** Error responses of every operation. */
const ALWAYS = {
  401: json('The token is missing, invalid or expired.', HTTPError),
  403: json('You may read this, but not change it; or the token lacks a required scope.', HTTPError),
  422: json('The request is invalid; its validation errors are listed, at most 100.', HTTPValidationError),
  503: json('The directory is busy or unavailable; try again.', HTTPError),
};

const NOT_FOUND = { 404: json('It does not exist, or is not visible to you.', HTTPError) };

/** Error responses of a list that belongs to no other resource. */
export const listRefusals = ALWAYS;
/** Error responses of an operation on a resource that its path names. */
export const readRefusals = { ...ALWAYS, ...NOT_FOUND };
/** Error responses of a read with `include`, which returns whole lists. */
export const includeRefusals = {
  ...readRefusals,
  400: json('A list is too long to be included.', HTTPLimit),
};
/** Error responses of a change without a body. */
export const writeRefusals = {
  ...readRefusals,
  503: json(
    'The directory is busy or unavailable; try again. Nothing was changed, unless there is an `outcome`.',
    z.union([HTTPError, HTTPOutcome]),
  ),
};
/** Error responses of a deletion. */
export const deleteRefusals = {
  ...writeRefusals,
  409: json(
    'Conflict with the current state: the group is not empty, a name is taken, or the version has changed.',
    HTTPConflict,
  ),
};
/** Error responses of a change with a body. */
export const changeRefusals = {
  ...writeRefusals,
  400: json(
    'The body is not JSON, or a limit of the directory is exceeded.',
    z.union([HTTPError, HTTPLimit]),
  ),
  409: json('Conflict with the current state: a name, a cycle, a version, or unknown users.', HTTPConflict),
  413: json('The body is too large.', HTTPError),
  415: json('The body is not sent as `application/json`.', HTTPError),
};
/** Error responses of an access evaluation: each with one message, as AuthZEN asks. */
export const evaluationRefusals = {
  400: json('The body is not JSON or invalid.', HTTPError),
  401: ALWAYS[401],
  403: json('The token lacks a required scope.', HTTPError),
  413: changeRefusals[413],
  415: changeRefusals[415],
  503: ALWAYS[503],
};
/** Error responses of AuthZEN's metadata. */
export const metadataRefusals = { 404: json('`PUBLIC_URL` is not set.', HTTPError) };
/** Error responses of the changes of a tenant. */
export const feedRefusals = {
  ...readRefusals,
  410: json(
    'The log does not hold the cursor: read the directory again, and go on from its position.',
    z
      .object({ detail: conflict('CURSOR_EXPIRED', { cursor: z.string() }) })
      .openapi('CursorExpired', { description: 'The cursor is of a lost history, or ahead of the log.' }),
  ),
  429: json(
    'You have too many streams open.',
    z
      .object({ detail: conflict('TOO_MANY_STREAMS', { limit: z.int() }) })
      .openapi('TooManyStreams', { description: 'Close other streams first.' }),
  ),
};
