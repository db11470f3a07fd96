// Transactions on a connection pool, and their retries.
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import {
  isLockTimeout,
  isLostConnection,
  isRetryable,
  isUnanswered,
  isUndecided,
  UNANSWERED,
  UnknownOutcome,
} from './errors.ts';

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

export type Cancellable = {
  /** Aborts the transaction until COMMIT is sent; later it has no effect. */
  signal?: AbortSignal | undefined;
  /** Cancels what the client is running. */
  cancel: (client: pg.PoolClient) => Promise<void>;
  /** Milliseconds to wait for the answer to a statement. The driver's own limit must be longer: it closes the connection. */
  answer: number;
};

/**
 * Runs `work` in one READ COMMITTED transaction on a client of the pool; its first statements must be reads. An error of
 * `work` is rethrown after the rollback. If the signal aborts before COMMIT is sent, the running statement is cancelled, and the
 * signal's reason is thrown after the rollback. Throws `UnknownOutcome` if COMMIT was sent and no answer tells whether it
 * succeeded: after any other error it did not.
 */
export async function inTransaction<Result>(
  pool: pg.Pool,
  work: (client: Pick<pg.PoolClient, 'query'>) => Promise<Result>,
  { signal, cancel, answer }: Cancellable,
): Promise<Result> {
  signal?.throwIfAborted();
  return onClient(pool, async (client, connection) => {
    signal?.throwIfAborted();
    let isAborted = false;
    let cancelled: Promise<void> | undefined;
    const cancelOnce = () => {
      // The request may reach the server after this transaction, so no other may follow on the connection.
      connection.isReusable = false;
      cancelled ??= cancel(client);
    };
    const abort = () => {
      isAborted = true;
      cancelOnce();
    };
    signal?.addEventListener('abort', abort, { once: true });
    try {
      const begun = begin(client, answer);
      const result = await work(begun);
      signal?.throwIfAborted();
      if (connection.broken) throw connection.broken;
      signal?.removeEventListener('abort', abort);
      await commit(client, begun.failure);
      return result;
    } catch (error) {
      // Do not send a rollback after a statement without an answer: it would wait just as long.
      if (isLostConnection(error)) connection.markBroken(error as Error);
      if (!connection.broken) await client.query('rollback').catch(connection.markBroken);
      // Its locks must not stay until the server notices that the client has gone.
      if (isUnanswered(error)) cancelOnce();
      throw isAborted ? signal!.reason : error;
    } finally {
      signal?.removeEventListener('abort', abort);
      await cancelled;
    }
  });
}

/**
 * Begins a transaction: its statements are sent right behind BEGIN, and none is answered if BEGIN failed. So no more than the
 * first statements can run outside a transaction: they must be reads. `failure`: the error of the first statement that failed.
 */
function begin(client: pg.PoolClient, milliseconds: number) {
  const begun = client.query('begin isolation level read committed');
  // `work` may end before it asks anything.
  begun.catch(() => {});
  let failed: unknown;
  const query = (config: pg.QueryConfig) => {
    const answer = client.query(config);
    answer.catch((error: unknown) => {
      failed ??= error;
    });
    return begun.then(() => inTime(answer, milliseconds));
  };
  return { query: query as pg.PoolClient['query'], failure: () => failed };
}

/** Rejects as the driver does if the answer does not come in time. The statement may be running then, and can be cancelled. */
async function inTime<Answer>(answer: Promise<Answer>, milliseconds: number): Promise<Answer> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(UNANSWERED)), milliseconds);
  });
  return Promise.race([answer, late]).finally(() => clearTimeout(timer));
}

/** Sent right behind the last statements of `work`, which need not have awaited their answers. */
async function commit(client: pg.PoolClient, failure: () => unknown): Promise<void> {
  const { command } = await client.query('commit').catch((error: unknown) => {
    throw isUndecided(error) ? new UnknownOutcome(error) : error;
  });
  // PostgreSQL answers COMMIT with ROLLBACK, without an error, if an earlier statement failed.
  if (command !== 'COMMIT')
    throw failure() ?? new Error('The transaction was rolled back: a failed statement was ignored');
}

/**
 * Runs one statement that is its own transaction. Throws `UnknownOutcome` if it was sent and no answer tells whether it
 * succeeded.
 */
export async function inStatement<Result>(
  pool: pg.Pool,
  run: (client: pg.PoolClient) => Promise<Result>,
): Promise<Result> {
  return onClient(pool, async (client, connection) => {
    try {
      return await run(client);
    } catch (error) {
      if (!isLostConnection(error)) throw error;
      connection.markBroken(error as Error);
      throw isUndecided(error) ? new UnknownOutcome(error) : error;
    }
  });
}

/** What is known of a client in use: whether its connection broke, and whether another transaction may use it. */
class Connection {
  broken: Error | undefined;
  isReusable = true;

  readonly markBroken = (error: Error): void => {
    this.broken ??= error;
  };
}

/** Lends a client of the pool. A client whose connection broke or must not be reused is not returned to the pool. */
async function onClient<Result>(
  pool: pg.Pool,
  use: (client: pg.PoolClient, connection: Connection) => Promise<Result>,
): Promise<Result> {
  const client = await pool.connect();
  const connection = new Connection();
  // Without a listener, losing the connection between two statements would end the process.
  client.on('error', connection.markBroken);
  try {
    return await use(client, connection);
  } finally {
    client.release(connection.broken ?? !connection.isReusable);
    client.off('error', connection.markBroken);
  }
}
