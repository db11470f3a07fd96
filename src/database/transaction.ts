// Transactions on a connection pool, and their retries.
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { isLockTimeout, isLostConnection, isRetryable } from './errors.ts';

/** Maximum attempts of a transaction: conflicts that outlast them are caused by a hot spot, not by chance. */
const ATTEMPTS = 5;
/** Maximum delay before the first retry, in ms. It doubles each time; jitter separates competing transactions. */
const MAX_FIRST_DELAY = 10;

/** Runs `work`, up to 5 times while it fails with 40001 or 40P01. */
export async function withRetries<Result>(work: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (attempt === ATTEMPTS || !isRetryable(error)) throw error;
      await sleep(Math.random() * MAX_FIRST_DELAY * 2 ** (attempt - 1));
    }
  }
}

/** Maximum wait of a start for locks of other servers that start, in ms: a large tenant takes this long to rewrite. */
const MAX_LOCK_WAIT = 300_000;

/** Runs `work`, again while it fails with a lock timeout. For start-up, when no client is waiting. */
export async function awaitingLocks<Result>(work: () => Promise<Result>): Promise<Result> {
  for (const end = Date.now() + MAX_LOCK_WAIT; ; ) {
    try {
      return await work();
    } catch (error) {
      if (!isLockTimeout(error) || Date.now() > end) throw error;
      await sleep(Math.random() * MAX_FIRST_DELAY);
    }
  }
}

/**
 * Runs `work` in one READ COMMITTED transaction on a client of the pool. An error of `work` is rethrown after the rollback. A
 * client whose connection broke or timed out is not returned to the pool.
 */
export async function inTransaction<Result>(
  pool: pg.Pool,
  work: (client: pg.PoolClient) => Promise<Result>,
): Promise<Result> {
  const client = await pool.connect();
  let broken: Error | undefined;
  const markBroken = (error: Error) => {
    broken = error;
  };
  // Without a listener, losing the connection between two statements would end the process.
  client.on('error', markBroken);
  try {
    await client.query('begin isolation level read committed');
    const result = await work(client);
    const { command } = await client.query('commit');
    // PostgreSQL answers COMMIT with ROLLBACK, without an error, if an earlier statement failed.
    if (command !== 'COMMIT')
      throw new Error('The transaction was rolled back: a failed statement was ignored');
    return result;
  } catch (error) {
    // Do not send a rollback after a statement without an answer: it would wait just as long.
    if (isLostConnection(error)) broken ??= error as Error;
    if (!broken) await client.query('rollback').catch(markBroken);
    throw error;
  } finally {
    client.release(broken);
    client.off('error', markBroken);
  }
}
