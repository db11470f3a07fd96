// The interface of a database: statements, transactions and a listener for each statement.
import type { Sql } from './generated/client/internal/prismaNamespace.ts';

export { Prisma } from './generated/client/client.ts';
export type { Sql };

/** Runs one statement and gives its rows. Timestamps are Dates; write counts as `::int`. */
export type Query = <Row extends object>(statement: Sql) => Promise<Row[]>;

/** A statement that was sent: its text, for counting and for the test that no tenant goes unnamed. */
export type StatementListener = (text: string) => void;

export type Database = {
  readonly kind: 'postgresql' | 'pglite';
  /** Runs a statement outside any transaction, as a named prepared statement on a server. */
  readonly sql: Query;
  /** Runs one statement that is a transaction of its own, again under the same rule as `transaction`. */
  readonly change: Query;
  /**
   * Runs `work` in one READ COMMITTED transaction, again from its start (up to 5 times, with jitter) when the
   * database ends it with 40001 or 40P01. `work` must therefore have no other effect than its statements.
   */
  transaction<Result>(work: (sql: Query) => Promise<Result>): Promise<Result>;
  /** Calls the listener with each statement; returns a function that stops it. */
  onStatement(listener: StatementListener): () => void;
  close(): Promise<void>;
};
