// Error codes of all operations, and the details of each. They know nothing of HTTP: each API maps them to its responses.
/** The counts that prevent the deletion of a group under BLOCK. */
export type NotEmptyCounts = { members: number; children: number; nestedGroups: number };
/** Validation errors that one answer lists: enough to mend a request, while a list of invalid items may have many thousands. */
export const MAX_FAULTS = 100;

/** One validation error. `path` locates it inside the input, e.g. `["users", "0", "email"]`. */
export type FieldFault = { path: string[]; message: string };
/** One group of a cycle. The first and last groups of a cycle are the same. */
export type CycleStep = { id: string; name: string };

export type ErrorDetails = {
  /** The input is invalid; its validation errors are listed. */
  VALIDATION_FAILED: { fields: FieldFault[] };
  /** The id does not exist or is not visible to the caller: both get the same answer. */
  NOT_FOUND: { id: string };
  /** Live siblings already have these names, ignoring case. */
  NAME_TAKEN: { names: string[] };
  /** BLOCK: the group still has members, children or nested groups. */
  GROUP_NOT_EMPTY: { counts: NotEmptyCounts };
  /** The edge would close a cycle; `path` walks it. */
  CYCLE: { path: CycleStep[] };
  /** Users that do not exist in the group's tenant. */
  UNKNOWN_USERS: { userIds: string[] };
  /** Both ends are visible to the caller, but belong to different tenants. */
  OTHER_TENANT: { id: string };
  /** The group has changed since `expectedVersion`, or its members since `expectedPosition`. */
  VERSION_CONFLICT: { currentVersion: number };
  /** The changes would have other effects than the preview that they are applied by. */
  PREVIEW_STALE: Record<never, never>;
  /** A limit of the domain or of the server is exceeded. */
  LIMIT_EXCEEDED: { limit: number };
  /** The history of the tenant does not hold the moment: it begins later, or has not come so far. */
  HISTORY_UNAVAILABLE: { firstPosition: string; lastPosition: string };
  /** The log does not hold what follows the cursor: the cursor is ahead of it, of a lost history, or older than what it holds. */
  CURSOR_EXPIRED: { cursor: string };
  /** The caller has as many streams open as it may have. */
  TOO_MANY_STREAMS: { limit: number };
  /** The caller can see the object but may not change it, or its token grants nothing here. */
  FORBIDDEN: Record<never, never>;
  /** The token is missing, invalid or expired. */
  UNAUTHENTICATED: Record<never, never>;
  /**
   * The database or the token keys are unavailable or too slow; a retry may succeed. A change was not stored, unless there is
   * an outcome: `UNKNOWN` if the connection broke while the change was being committed, `COMMITTED` if only the response to it
   * could not be read.
   */
  UNAVAILABLE: { outcome?: 'UNKNOWN' | 'COMMITTED'; position?: string };
};
export type ErrorCode = keyof ErrorDetails;

/** An error that callers may see in full: its message and details reveal nothing that is hidden from them. */
export class DirectoryError<Code extends ErrorCode = ErrorCode> extends Error {
  override readonly name = 'DirectoryError';
  readonly code: Code;
  readonly details: ErrorDetails[Code];
  /** Which of several changes was refused, from 0; undefined for a change alone. */
  declare changeIndex?: number;

  constructor(code: Code, message: string, details: ErrorDetails[Code], options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.details = details;
  }
}

/** Whether the error is a DirectoryError, with this code if one is given. */
export function isDirectoryError<Code extends ErrorCode>(
  error: unknown,
  code?: Code,
): error is DirectoryError<Code> {
  return error instanceof DirectoryError && (code === undefined || error.code === code);
}

/** Whether the error may be temporary, so that sending the request again is safe and may succeed. */
export const isTemporary = (error: DirectoryError): boolean =>
  isDirectoryError(error, 'UNAVAILABLE') && error.details.outcome === undefined;

/** Why a token was refused, and unverified claims that help to diagnose it. Only logged. Never holds the token itself. */
export type RefusedToken = {
  reason: string;
  issuer?: unknown;
  audience?: unknown;
  keyId?: unknown;
  algorithm?: unknown;
  expires?: unknown;
};

export const refuse = {
  /** Of more than `MAX_FAULTS` faults the first are listed. */
  validation: (faults: FieldFault[]) => {
    const fields = faults.slice(0, MAX_FAULTS);
    const messages = fields.map(({ path, message }) =>
      path.length ? `${path.join('.')} ${message}` : message,
    );
    return new DirectoryError('VALIDATION_FAILED', messages.join('; '), { fields });
  },
  notFound: (id: string, message = `${id} was not found`) => new DirectoryError('NOT_FOUND', message, { id }),
  nameTaken: (names: string[]) =>
    new DirectoryError(
      'NAME_TAKEN',
      `The destination already has a group named ${names.map((name) => `"${name}"`).join(', ')}`,
      { names },
    ),
  groupNotEmpty: (counts: NotEmptyCounts) =>
    new DirectoryError(
      'GROUP_NOT_EMPTY',
      `The group has ${counts.members} members, ${counts.children} children and ${counts.nestedGroups} nested groups`,
      { counts },
    ),
  cycle: (path: CycleStep[]) =>
    new DirectoryError('CYCLE', `This would close a cycle: ${path.map((step) => step.name).join(' → ')}`, {
      path,
    }),
  unknownUsers: (userIds: string[]) =>
    new DirectoryError(
      'UNKNOWN_USERS',
      `Not users of the group's tenant: ${userIds.slice(0, MAX_FAULTS).join(', ')}`,
      {
        userIds,
      },
    ),
  otherTenant: (id: string, message = `${id} belongs to another tenant`) =>
    new DirectoryError('OTHER_TENANT', message, { id }),
  versionConflict: (
    currentVersion: number,
    message = `The group has changed: its version is now ${currentVersion}`,
  ) => new DirectoryError('VERSION_CONFLICT', message, { currentVersion }),
  previewStale: () =>
    new DirectoryError(
      'PREVIEW_STALE',
      'The directory has changed: the changes would have other effects than the preview showed',
      {},
    ),
  cursorExpired: (cursor: string) =>
    new DirectoryError(
      'CURSOR_EXPIRED',
      `The log does not hold the cursor ${cursor}: read the directory again, and go on from the position of that answer`,
      { cursor },
    ),
  tooManyStreams: (limit: number) =>
    new DirectoryError(
      'TOO_MANY_STREAMS',
      `At most ${limit} streams can be open at once: close others first`,
      {
        limit,
      },
    ),
  limit: (limit: number, message: string) => new DirectoryError('LIMIT_EXCEEDED', message, { limit }),
  historyUnavailable: (message: string, details: ErrorDetails['HISTORY_UNAVAILABLE']) =>
    new DirectoryError('HISTORY_UNAVAILABLE', message, details),
  /** `token` describes a token that grants nothing here; it is only logged. */
  forbidden: (message = 'You may see this, but not change it', token?: RefusedToken) =>
    new DirectoryError('FORBIDDEN', message, {}, token && { cause: token }),
  /** `token` says why the token that was sent is refused; it is only logged. */
  unauthenticated: (message: string, token?: RefusedToken) =>
    new DirectoryError('UNAUTHENTICATED', message, {}, token && { cause: token }),
  unavailable: (message: string, cause?: unknown, details: ErrorDetails['UNAVAILABLE'] = {}) =>
    new DirectoryError('UNAVAILABLE', message, details, { cause }),
};
