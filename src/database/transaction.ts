// Transactions on a server's pool, and the rule for running one again.
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { isLockTimeout, isLostConnection, isRetryable } from './errors.ts';

/** How often a transaction is started in all: conflicts that outlast this are a hot spot, not bad luck. */
const ATTEMPTS = 5;
/** Longest wait before the first new attempt, in ms; doubled each time, and jittered so that rivals part. */
const FIRST_WAIT = 10;

/** The result of `work`, which is run up to 5 times while it fails with 40001 or 40P01. */
export async function withRetries<Result>(work: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (attempt === ATTEMPTS || !isRetryable(error)) throw error;
      await sleep(Math.random() * FIRST_WAIT * 2 ** (attempt - 1));
    }
  }
}

/** How long a start waits for the locks of other servers that start, in ms: as long as rows of a large tenant take to rewrite. */
const MAX_HOLD_MS = 300_000;

/** The result of `work`, which is run again while it does not get a lock in time: for starts, which no caller waits for. */
export async function awaitingLocks<Result>(work: () => Promise<Result>): Promise<Result> {
  for (const end = Date.now() + MAX_HOLD_MS; ; ) {
    try {
      return await work();
    } catch (error) {
      if (!isLockTimeout(error) || Date.now() > end) throw error;
      await sleep(Math.random() * FIRST_WAIT);
    }
  }
}

/**
 * The result of `work` in one READ COMMITTED transaction on a client of the pool. Whatever `work` throws is thrown
 * after the rollback; a client whose connection or answers were lost is not handed out again.
 */
export async function inTransaction<Result>(
  pool: pg.Pool,
  work: (client: pg.PoolClient) => Promise<Result>,
): Promise<Result> {
  const client = await pool.connect();
  let broken: Error | undefined;
  const breaks = (fault: Error) => {
    broken = fault;
  };
  // Between two statements a lost connection is an event, and without a listener it would end the process.
  client.on('error', breaks);
  try {
    await client.query('begin isolation level read committed');
    const result = await work(client);
    const { command } = await client.query('commit');
    // PostgreSQL answers COMMIT with ROLLBACK, and no error, when an earlier statement had failed.
    if (command !== 'COMMIT')
      throw new Error('The transaction was rolled back: a failed statement was ignored');
    return result;
  } catch (error) {
    // A rollback behind a statement that is not being answered would only wait as long again.
    if (isLostConnection(error)) broken ??= error as Error;
    if (!broken) await client.query('rollback').catch(breaks);
    throw error;
  } finally {
    client.release(broken);
    client.off('error', breaks);
  }
}
