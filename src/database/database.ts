// The interface of a database: statements, transactions and a listener for each statement.
import type { Sql } from './generated/client/internal/prismaNamespace.ts';

export { Prisma } from './generated/client/client.ts';
export type { Sql };

/** Runs one statement and returns its rows. Timestamps are Dates; counts need `::int`: bigints are not read as numbers. */
export type Query = <Row extends object>(statement: Sql) => Promise<Row[]>;

export type TransactionOptions = {
  /** Ends the transaction, with the signal's reason, if it aborts before COMMIT is sent. */
  signal?: AbortSignal | undefined;
  /**
   * Transactions of one turn run one at a time in this process: they would wait for the same lock, and must not hold the
   * connections meanwhile. One that waits as long as it would for a lock fails as that does.
   */
  turn?: string | undefined;
};

/** Called with the text of each statement sent, for metrics and tests. */
export type StatementListener = (text: string) => void;

export type Database = {
  readonly kind: 'postgresql' | 'pglite';
  /** Runs a statement outside any transaction, as a named prepared statement on a server. */
  readonly sql: Query;
  /**
   * Runs one statement on a standby, which may be behind; null if none is configured. It never writes. Its errors are thrown
   * as they are: the caller can ask `sql` instead.
   */
  readonly standby: Query | null;
  /** Runs one statement as its own transaction, with the retries and `UnknownOutcome` of `transaction`. */
  readonly change: Query;
  /**
   * Runs `work` in one READ COMMITTED transaction. If the database aborts it with 40001 or 40P01, it is retried from its
   * start (5 attempts in all, with jitter), so `work` must have no effects besides its statements. It need not await the answers
   * of statements: the first one that fails is the error of the transaction.
   *
   * If the signal aborts before COMMIT is sent, the running statement is cancelled, everything is rolled back, and the
   * signal's reason is thrown. Once COMMIT is sent its outcome is awaited. Throws `UnknownOutcome` if the answer to it does
   * not come; after any other error the transaction was not and will not be committed.
   */
  transaction<Result>(work: (sql: Query) => Promise<Result>, options?: TransactionOptions): Promise<Result>;
  /** Calls the listener with each statement; returns a function that stops it. */
  onStatement(listener: StatementListener): () => void;
  close(): Promise<void>;
};
