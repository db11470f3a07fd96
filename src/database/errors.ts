// Faults of the driver, told apart: what may be tried again, what broke a constraint, what was merely too slow.
import { DirectoryError, refuse } from '../model/errors.ts';

/** SQLSTATEs after which the same transaction may succeed: serialization failure and deadlock. */
const RETRYABLE = new Set(['40001', '40P01']);
/**
 * SQLSTATEs after which the session is gone, or belongs to a server that cannot do its work: no connection (08), no such
 * database (3D) or login (28) when one opens, sessions ended by a timeout (25P03, 25P04), a server that only reads
 * (25006: it may be a standby by now), resources (53), shutdown and operators (57P), faults of the system around it (58).
 */
const LOST = /^(?:(?:08|28|3D|53|58)...|57P..|25006|25P0[34])$/;
/** A protocol violation is a fault of this code, unless it is PgBouncer's, which has no other code for whatever ends a client. */
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
/** SQLSTATEs of one statement that took too long: the rest of class 57 (cancellation), and a lock that was not to be had. */
const TOO_LONG = /^(?:57...|55P03)$/;
/** Codes of the operating system: over a connection that reports one, nothing more comes. */
const SYSTEM = /^E(?!RR_)[A-Z0-9_]+$/;
/** What `pg` throws without a code when its own timers run out or a connection breaks. */
const LOST_TEXT =
  /timeout exceeded when trying to connect|timeout expired|Query read timeout|Connection terminated|is not queryable|SSL connection|after calling end on the pool/i;

/** The SQLSTATE or system code of a driver's error, also inside Prisma's wrapping; null if it has none. */
export function driverCode(error: unknown): string | null {
  for (let at: unknown = error, depth = 0; typeof at === 'object' && at !== null && depth < 8; depth += 1) {
    const { code, originalCode, cause, meta } = at as Record<string, unknown>;
    if (code === 'P2034') return '40001';
    if (typeof originalCode === 'string') return originalCode;
    if (typeof code === 'string' && !/^P\d{4}$/.test(code)) return code;
    at = cause ?? (meta as { driverAdapterError?: unknown } | undefined)?.driverAdapterError;
  }
  return null;
}

/** Whether the transaction may be run again from its start. */
export function isRetryable(error: unknown): boolean {
  return RETRYABLE.has(driverCode(error) ?? '');
}

/** Whether a lock was not to be had within `lock_timeout`. */
export const isLockTimeout = (error: unknown): boolean => driverCode(error) === '55P03';

/** A conflict with another transaction that the database cannot see: this one is run again from its start. */
export const conflict = (message: string): Error => Object.assign(new Error(message), { code: '40001' });

/** Whether the connection is gone, waits for an answer that will not come, or leads to a server that cannot work now: it must not be used again. */
export function isLostConnection(error: unknown): boolean {
  const code = driverCode(error) ?? '';
  const text = error instanceof Error ? error.message : '';
  if (code === VIOLATION) return POOLER_TEXT.test(text);
  return LOST.test(code) || SYSTEM.test(code) || LOST_TEXT.test(text);
}

/** The error as the rest of the code should see it: UNAVAILABLE for faults that pass, all else as it is. */
export function databaseError(error: unknown): unknown {
  if (error instanceof DirectoryError) return error;
  const passes = isLostConnection(error) || isRetryable(error) || TOO_LONG.test(driverCode(error) ?? '');
  return passes ? refuse.unavailable('The directory is busy or out of reach; try again', error) : error;
}
