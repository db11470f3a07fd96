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
  const code = driverCode(error) ?? '';
  const text = error instanceof Error ? error.message : '';
  if (code === VIOLATION) return POOLER_TEXT.test(text);
  return LOST.test(code) || SYSTEM.test(code) || LOST_TEXT.test(text);
}

/** Converts temporary errors to UNAVAILABLE; returns all others unchanged. */
export function databaseError(error: unknown): unknown {
  if (error instanceof DirectoryError) return error;
  const isTemporary = isLostConnection(error) || isRetryable(error) || TOO_LONG.test(driverCode(error) ?? '');
  return isTemporary ? refuse.unavailable('The directory is busy or unavailable; try again', error) : error;
}
