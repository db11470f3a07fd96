// Faults of the driver, told apart: what may be tried again, what broke a constraint, what was merely too slow.
import { DirectoryError, refuse } from '../model/errors.ts';

/** SQLSTATEs after which the same transaction may succeed: serialization failure and deadlock. */
const RETRYABLE = new Set(['40001', '40P01']);
/** SQLSTATEs of a database that is slow, busy or away: canceled statement, lock timeout, too many connections, shutdown. */
const UNAVAILABLE = new Set([
  '57014',
  '55P03',
  '53300',
  '57P01',
  '57P02',
  '57P03',
  '08000',
  '08001',
  '08003',
  '08006',
  '25P03',
]);
const UNREACHABLE = new Set(['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EPIPE', 'ENOTFOUND', 'EAI_AGAIN']);
/** What `pg` throws without a code when its own timers run out or a connection breaks. */
const UNAVAILABLE_TEXT = /timeout exceeded when trying to connect|Query read timeout|Connection terminated/i;

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

/** SQLSTATE class 08, and the end of a session by the server: nothing more comes over that connection. */
const LOST_CODE = /^(?:08...|57P0[1-4]|25P03)$/;

/** Whether the connection is gone, or waits for an answer that will not come: it must not be used again. */
export function isLostConnection(error: unknown): boolean {
  const code = driverCode(error) ?? '';
  const text = error instanceof Error ? error.message : '';
  return LOST_CODE.test(code) || UNREACHABLE.has(code) || UNAVAILABLE_TEXT.test(text);
}

/** The error as the rest of the code should see it: UNAVAILABLE for faults that pass, all else as it is. */
export function databaseError(error: unknown): unknown {
  if (error instanceof DirectoryError) return error;
  const code = driverCode(error) ?? '';
  const text = error instanceof Error ? error.message : '';
  if (UNAVAILABLE.has(code) || UNREACHABLE.has(code) || RETRYABLE.has(code) || UNAVAILABLE_TEXT.test(text)) {
    return refuse.unavailable('The directory is busy or out of reach; try again', error);
  }
  return error;
}
