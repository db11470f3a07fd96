// Every way an operation can be refused: codes and what each carries. No HTTP here: each face maps the codes.
/** The three counts that keep a group from being deleted under BLOCK. */
export type NotEmptyCounts = { members: number; children: number; nestedGroups: number };
/** One breach of an input rule. `path` locates it inside the input, e.g. `["users", "0", "email"]`. */
export type FieldFault = { path: string[]; message: string };
/** A step of a cycle: the first and the last are the same group. */
export type CycleStep = { id: string; name: string };

export type ErrorDetails = {
  /** An input breaks a rule; every breach is listed. */
  VALIDATION_FAILED: { fields: FieldFault[] };
  /** The id is not one the caller can see; the same answer as for an id never issued. */
  NOT_FOUND: { id: string };
  /** A live sibling has that name, ignoring case. `names` lists each clash. */
  NAME_TAKEN: { names: string[] };
  /** BLOCK: the group still has members, children or nested groups. */
  GROUP_NOT_EMPTY: { counts: NotEmptyCounts };
  /** The edge would close a cycle; `path` walks it. */
  CYCLE: { path: CycleStep[] };
  /** Users that do not exist in the group's tenant. */
  UNKNOWN_USERS: { userIds: string[] };
  /** Both ends are visible to the caller, but in different tenants. */
  OTHER_TENANT: { id: string };
  /** `expectedVersion` is stale. */
  VERSION_CONFLICT: { currentVersion: number };
  /** A bound of the domain or of the server is exceeded. */
  LIMIT_EXCEEDED: { limit: number };
  /** Visible to the caller, but not for it to change. */
  FORBIDDEN: Record<never, never>;
  /** No token, or one that does not hold. */
  UNAUTHENTICATED: Record<never, never>;
  /** The database or the keys cannot be reached, or took too long; trying again may help. */
  UNAVAILABLE: Record<never, never>;
};
export type ErrorCode = keyof ErrorDetails;

/** A refusal that callers may see whole: message and details hold nothing hidden from them. */
export class DirectoryError<Code extends ErrorCode = ErrorCode> extends Error {
  override readonly name = 'DirectoryError';
  readonly code: Code;
  readonly details: ErrorDetails[Code];

  constructor(code: Code, message: string, details: ErrorDetails[Code], options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.details = details;
  }
}

/** Whether the error is a refusal, and, if a code is given, that one. */
export function isDirectoryError<Code extends ErrorCode>(
  error: unknown,
  code?: Code,
): error is DirectoryError<Code> {
  return error instanceof DirectoryError && (code === undefined || error.code === code);
}

/** Why a token was refused, and its own claims that help to find out. Logged only; never the token or a part of it. */
export type RefusedToken = {
  reason: string;
  issuer?: unknown;
  audience?: unknown;
  keyId?: unknown;
  algorithm?: unknown;
  expires?: unknown;
};

export const refuse = {
  validation: (fields: FieldFault[]) =>
    new DirectoryError(
      'VALIDATION_FAILED',
      fields.map(({ path, message }) => (path.length ? `${path.join('.')} ${message}` : message)).join('; '),
      { fields },
    ),
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
    new DirectoryError('UNKNOWN_USERS', `Not users of the group's tenant: ${userIds.join(', ')}`, {
      userIds,
    }),
  otherTenant: (id: string) => new DirectoryError('OTHER_TENANT', `${id} belongs to another tenant`, { id }),
  versionConflict: (currentVersion: number) =>
    new DirectoryError('VERSION_CONFLICT', `The group has changed: its version is now ${currentVersion}`, {
      currentVersion,
    }),
  limit: (limit: number, message: string) => new DirectoryError('LIMIT_EXCEEDED', message, { limit }),
  /** `token` is of one that lets its bearer do nothing here: for the log alone. */
  forbidden: (message = 'You may see this, but not change it', token?: RefusedToken) =>
    new DirectoryError('FORBIDDEN', message, {}, token && { cause: token }),
  /** `token` says why a token that was given is refused: for the log alone. */
  unauthenticated: (message: string, token?: RefusedToken) =>
    new DirectoryError('UNAUTHENTICATED', message, {}, token && { cause: token }),
  unavailable: (message: string, cause?: unknown) =>
    new DirectoryError('UNAVAILABLE', message, {}, { cause }),
};
