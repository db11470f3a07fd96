// Classifies driver errors: retryable conflicts, lost connections and timeouts.
import { DirectoryError, refuse } from '../model/errors.ts';

/** SQLSTATEs after which the same transaction may succeed: serialization failure and deadlock. */
const RETRYABLE = new Set(['40001', '40P01']);
/**
 * SQLSTATEs after which a connection is unusable: connection errors (08), unknown database (3D) or failed login (28) on
 * connecting, sessions ended by a timeout (25P03, 25P04), a read-only server (25006: it may have become a standby),
 * insufficient resources (53), shutdown by an operator (57P), system errors (58).
 */
const LOST = /^(?:(?:08|28|3D|53|58)...|57P..|25006|25P0[34])$/;
/** Protocol violation: a bug of this code, unless PgBouncer sends it, which uses it for every reason to drop a client. */
const VIOLATION = '08P01';
const POOLER_TEXT = new RegExp(
  [
    'timeout',
    'server (?:login|conn crashed|lifetime)',
    'connect failed',
    'connections (?:allowed|exceeded)',
    'shut(?:ting)? down',
    'pause mode',
    'configuration changed',
    'resources exhaustion',
  ].join('|'),
  'i',
);
/** SQLSTATEs of a statement that took too long: the rest of class 57 (cancellation), and a lock timeout. */
const TOO_LONG = /^(?:57...|55P03)$/;
/** Error codes of the operating system: the connection that reports one is broken. */
const SYSTEM = /^E(?!RR_)[A-Z0-9_]+$/;
/** A SQLSTATE has a digit; `EPIPE` has none. */
const SQLSTATE = /^(?=.*\d)[0-9A-Z]{5}$/;
/** Messages of errors that `pg` throws without a code when its own timers expire or a connection breaks. */
const LOST_TEXT = new RegExp(
  [
    'timeout (?:exceeded when trying to connect|expired)',
    'Query read timeout',
    'Connection terminated',
    'is not queryable',
    'SSL connection',
    'after calling end on the pool',
  ].join('|'),
  'i',
);

/**
 * SQLSTATEs with which the answer to COMMIT does not tell the outcome: a pooler that lost its server (08), and system errors
 * (53, 58, XX), which can follow the write of the commit's record. With any other SQLSTATE it was rolled back.
 */
const UNDECIDED = /^(?:08|53|58|XX)...$/;
/** Message of a driver that refuses to send anything over a connection that it knows is broken. */
const NOT_SENT = /is not queryable/;

/** Thrown if COMMIT was sent and its outcome is not known: the connection broke, or no answer came in time. */
export class UnknownOutcome extends Error {
  constructor(cause: unknown) {
    super('The outcome of COMMIT is unknown', { cause });
  }
}

/** Message of the driver's error when the answer to a statement does not come in time. */
export const UNANSWERED = 'Query read timeout';

/** Whether the driver gave up waiting for the answer to a statement, which may still be running. */
export const isUnanswered = (error: unknown): boolean =>
  error instanceof Error && error.message === UNANSWERED;

/** Whether a change may be stored although its COMMIT failed with this error. */
export function isUndecided(error: unknown): boolean {
  const code = driverCode(error);
  if (code !== null && SQLSTATE.test(code)) return UNDECIDED.test(code);
  return !(error instanceof Error && NOT_SENT.test(error.message));
}

/** The SQLSTATE or system code of a driver's error, also if Prisma has wrapped it; null if it has none. */
export function driverCode(error: unknown): string | null {
  for (
    let inner: unknown = error, depth = 0;
    typeof inner === 'object' && inner !== null && depth < 8;
    depth += 1
  ) {
    const { code, originalCode, cause, meta } = inner as Record<string, unknown>;
    if (code === 'P2034') return '40001';
    if (typeof originalCode === 'string') return originalCode;
    if (typeof code === 'string' && !/^P\d{4}$/.test(code)) return code;
    inner = cause ?? (meta as { driverAdapterError?: unknown } | undefined)?.driverAdapterError;
  }
  return null;
}

/** Whether the transaction may be retried from its start. */
export function isRetryable(error: unknown): boolean {
  return RETRYABLE.has(driverCode(error) ?? '');
}

/** Whether a lock was not granted within `lock_timeout`. */
export const isLockTimeout = (error: unknown): boolean => driverCode(error) === '55P03';

/** A conflict with another transaction that the database cannot detect: the transaction is retried from its start. */
export const conflict = (message: string): Error => Object.assign(new Error(message), { code: '40001' });

/** Whether the connection must not be reused: it is broken, has timed out, or leads to a server that cannot work now. */
export function isLostConnection(error: unknown): boolean {
  if (error instanceof UnknownOutcome) return true;
  const code = driverCode(error) ?? '';
  const text = error instanceof Error ? error.message : '';
  if (code === VIOLATION) return POOLER_TEXT.test(text);
  return LOST.test(code) || SYSTEM.test(code) || LOST_TEXT.test(text);
}

const UNKNOWN =
  'The connection broke while the change was being stored: it may be stored or not; read before you repeat it';

/**
 * Converts temporary errors and the default reasons of signals to UNAVAILABLE, with the outcome if that is unknown, and the
 * position that the change takes if it was stored. Returns all others unchanged.
 */
export function databaseError(error: unknown, position?: number): unknown {
  if (error instanceof DirectoryError) return error;
  if (error instanceof UnknownOutcome) {
    const taken = position === undefined ? {} : { position: String(position) };
    return refuse.unavailable(UNKNOWN, error, { outcome: 'UNKNOWN', ...taken });
  }
  const isTemporary = isLostConnection(error) || isRetryable(error) || TOO_LONG.test(driverCode(error) ?? '');
  const isAborted = error instanceof DOMException && /^(?:Abort|Timeout)Error$/.test(error.name);
  return isTemporary || isAborted
    ? refuse.unavailable('The directory is busy or unavailable; try again', error)
    : error;
}
