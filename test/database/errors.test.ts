// Faults of the driver as the rest of the code sees them: what may be tried again, what is gone, and what is told to callers.
import { expect, test } from 'vitest';
import {
  databaseError,
  driverCode,
  isLostConnection,
  isRetryable,
  UnknownOutcome,
} from '../../src/database/errors.ts';
import { withRetries } from '../../src/database/transaction.ts';
import { refuse } from '../../src/model/errors.ts';

/** As a driver throws it. */
const coded = (code: string, message = 'fault') => Object.assign(new Error(message), { code });
const UNAVAILABLE = {
  name: 'DirectoryError',
  code: 'UNAVAILABLE',
  message: 'The directory is busy or unavailable; try again',
  details: {},
};

/** What each SQLSTATE is: whole classes as `08***`, of which the codes named after them differ. */
const STATES = {
  again: ['40001', '40P01', 'P2034'],
  // Unavailable, and the connection is dropped.
  lost: [
    ...['08000', '08001', '08003', '08004', '08006', '08007'],
    ...['25006', '25P03', '25P04'],
    ...['28000', '28P01', '3D000'],
    ...['53000', '53100', '53200', '53300', '53400'],
    ...['57P01', '57P02', '57P03', '57P04', '57P05'],
    ...['58000', '58030', '58P01', '58P02', '58P03'],
    ...['ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'ETIMEDOUT', 'EPIPE', 'ENOTFOUND', 'EAI_AGAIN'],
    ...['EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL', 'EMFILE', 'ENOENT', 'EACCES'],
  ],
  // Unavailable, over a connection that is as good as before.
  late: ['57000', '57014', '55P03'],
  // Faults of the code or of its input.
  fault: [
    ...[
      '0A000',
      '21000',
      '22003',
      '22021',
      '22P02',
      '22P05',
      '23503',
      '23505',
      '23514',
      '25000',
      '25001',
      '25P02',
    ],
    ...[
      '2D000',
      '40000',
      '40002',
      '40003',
      '42501',
      '42601',
      '42703',
      '42P01',
      '54000',
      '55000',
      'P0001',
      'XX000',
    ],
    // A protocol violation: of this code's making, unless a pooler says otherwise.
    '08P01',
    ...['108000', '080000', '125006', '250066', '57', 'ERR_INVALID_ARG_TYPE', 'XECONNRESET'],
  ],
} as const;

test.each(Object.entries(STATES).flatMap(([kind, codes]) => codes.map((code) => [code, kind] as const)))(
  '%s: %s',
  (code, kind) => {
    const error = coded(code);
    expect([isRetryable(error), isLostConnection(error)]).toEqual([kind === 'again', kind === 'lost']);
    const told = databaseError(error);
    if (kind !== 'fault') expect(told).toMatchObject({ ...UNAVAILABLE, cause: error });
    else expect(told).toBe(error);
  },
);

test.each([
  'query_wait_timeout',
  'query_timeout',
  'client_idle_timeout',
  'client_login_timeout (server down)',
  'idle transaction timeout',
  'server login has been failing, try again later (server_login_retry)',
  'server login has been failing, cached error: connect failed (server_login_retry)',
  'server login failed: FATAL the database system is starting up',
  'server conn crashed?',
  'server shutting down',
  'no more connections allowed (max_client_conn)',
  'client connections exceeded (max_client_conn)',
  'pooler is shut down',
  'pause mode',
  'database configuration changed',
  'bouncer resources exhaustion',
])('PgBouncer\'s "%s", which is told as 08P01, is a lost connection', (message) => {
  const error = coded('08P01', message);
  expect([isRetryable(error), isLostConnection(error)]).toEqual([false, true]);
  expect(databaseError(error)).toMatchObject({ ...UNAVAILABLE, cause: error });
  // The words are PgBouncer's under this code alone.
  expect(isLostConnection(coded('XX000', message))).toBe(false);
});

test.each([
  'bind message supplies 1 parameters, but prepared statement "s1" requires 2',
  'invalid message format',
  'insufficient data left in message',
  'unsupported pkt type: 70',
])('"%s" (08P01) is a fault of the code', (message) => {
  const error = coded('08P01', message);
  expect(isLostConnection(error)).toBe(false);
  expect(databaseError(error)).toBe(error);
});

test.each([
  ['timeout exceeded when trying to connect'],
  ['Query read timeout'],
  ['Connection terminated'],
  ['Connection terminated unexpectedly'],
  ['connection terminated due to connection timeout'],
  ['timeout expired'],
  ['Client has encountered a connection error and is not queryable'],
  ['Client was closed and is not queryable'],
  ['The server does not support SSL connections'],
  ['There was an error establishing an SSL connection'],
  ['Cannot use a pool after calling end on the pool'],
])('"%s", which has no code, is a lost connection', (message) => {
  const error = new Error(message);
  expect([isRetryable(error), isLostConnection(error)]).toEqual([false, true]);
  expect(databaseError(error)).toMatchObject({ ...UNAVAILABLE, cause: error });
  // What only says the same, and is no error, is none of the driver's.
  expect(isLostConnection({ message })).toBe(false);
  expect(databaseError({ message })).toEqual({ message });
});

test.each([
  ['a fault without a code', new Error('odd'), null],
  ['nothing', null, null],
  ['a text', '40001', null],
  ['a number as code', { code: 40_001 }, null],
  ['the driver itself', coded('40001'), '40001'],
  ['Prisma, of a conflict', coded('P2034'), '40001'],
  ['Prisma, of something else', coded('P2010'), null],
  ['a cause', new Error('outer', { cause: coded('55P03') }), '55P03'],
  ['an adapter', { cause: { originalCode: '40P01', kind: 'TransactionWriteConflict' } }, '40P01'],
  ['an adapter, before its own code', { originalCode: '23505', code: 'UniqueConstraintViolation' }, '23505'],
  [
    'Prisma, around an adapter',
    { code: 'P2010', meta: { driverAdapterError: { cause: coded('57014') } } },
    '57014',
  ],
  [
    'Prisma, around a cause',
    { code: 'P2002', cause: coded('23505'), meta: { driverAdapterError: {} } },
    '23505',
  ],
  ['a code like one of Prisma, but longer', coded('P20100'), 'P20100'],
  ['a code like one of Prisma, but before it', coded('XP2010'), 'XP2010'],
])('the code is found in %s', (_case, error, code) => {
  expect(driverCode(error)).toBe(code);
});

test('a code is looked for eight levels deep, and in circles no longer', () => {
  const nested = (levels: number): object => (levels === 1 ? coded('40001') : { cause: nested(levels - 1) });
  expect([driverCode(nested(8)), driverCode(nested(9))]).toEqual(['40001', null]);
  const circle: { cause?: unknown } = {};
  circle.cause = circle;
  expect(driverCode(circle)).toBeNull();
});

test('an outcome that is unknown is told, and its connection is not used again', () => {
  for (const cause of [new Error('Query read timeout'), coded('XX000')]) {
    const error = new UnknownOutcome(cause);
    expect([isRetryable(error), isLostConnection(error)]).toEqual([false, true]);
    expect(databaseError(error)).toMatchObject({
      ...UNAVAILABLE,
      message: expect.stringMatching(/may be stored or not/),
      details: { outcome: 'UNKNOWN' },
      cause: error,
    });
  }
});

test.each([
  ['that timed out', new DOMException('late', 'TimeoutError'), true],
  ['that was aborted', new DOMException('gone', 'AbortError'), true],
  ['that is another fault', new DOMException('odd', 'DataCloneError'), false],
])('the reason of a signal %s', (_case, reason, isTemporary) => {
  const told = databaseError(reason);
  if (isTemporary) expect(told).toMatchObject({ ...UNAVAILABLE, cause: reason });
  else expect(told).toBe(reason);
});

test('refusals and what is no fault of the database pass as they are', () => {
  const refusal = refuse.limit(1, 'Query read timeout');
  expect(databaseError(refusal)).toBe(refusal);
  const wrapping = refuse.unavailable('busy', coded('40001'));
  expect(databaseError(wrapping)).toBe(wrapping);
  for (const other of [new TypeError('x is undefined'), null, undefined, 'text']) {
    expect(databaseError(other)).toBe(other);
  }
});

/** A work that fails so many times, with these errors in turn. */
function failing(times: number, ...errors: unknown[]) {
  let runs = 0;
  return {
    runs: () => runs,
    work: async () => {
      runs += 1;
      if (runs <= times) throw errors[(runs - 1) % errors.length];
      return `run ${runs}`;
    },
  };
}

test.each([
  ['serialization failures', coded('40001')],
  ['deadlocks', coded('40P01')],
  ['conflicts as Prisma tells them', coded('P2034')],
  ['conflicts inside', new Error('wrapped', { cause: { originalCode: '40001' } })],
])('what ends in %s is run five times in all', async (_case, error) => {
  for (const times of [0, 1, 4]) {
    const { work, runs } = failing(times, error);
    expect(await withRetries(work)).toBe(`run ${times + 1}`);
    expect(runs()).toBe(times + 1);
  }
  const { work, runs } = failing(5, error);
  await expect(withRetries(work)).rejects.toBe(error);
  expect(runs()).toBe(5);
});

test.each(['23505', '57014', '55P03', '57P01', 'ECONNRESET', 'P2002'])(
  'what ends in %s is not run again, nor is it after a conflict',
  async (code) => {
    const error = coded(code);
    const once = failing(9, error);
    await expect(withRetries(once.work)).rejects.toBe(error);
    expect(once.runs()).toBe(1);
    const twice = failing(9, coded('40001'), error);
    await expect(withRetries(twice.work)).rejects.toBe(error);
    expect(twice.runs()).toBe(2);
  },
);
