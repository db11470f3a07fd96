// A PostgreSQL server, and a standby if there is one: connection pools with prepared statements and timeouts.
import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { cancelStatement } from './cancel.ts';
import { Client } from './client.ts';
import type { Database, Query, Sql } from './database.ts';
import type { Migratable, MigrationAdapter } from './migrate.ts';
import { withRests } from './rests.ts';
import { assertSession, readOnly, withSessionOptions } from './session.ts';
import { NAMES_LIFETIME, statementNames, statements } from './statements.ts';
import { inStatement, inTransaction, withRetries } from './transaction.ts';
import { Turns } from './turns.ts';

/** Timeouts in milliseconds. `connect` and `query` are the driver's: they end requests to a server that has stalled. */
export type Timeouts = { connect: number; statement: number; lock: number; query: number };
export const DEFAULT_TIMEOUTS: Timeouts = { connect: 2_000, statement: 5_000, lock: 2_000, query: 6_000 };

/** Those of a standby are no longer: the primary answers what it does not, within the same operation. */
const STANDBY_TIMEOUTS: Timeouts = { connect: 1_000, statement: 1_500, lock: 100, query: 2_000 };

export type ServerOptions = {
  url: string;
  /** A standby of the server, for `Database.standby`. */
  readUrl?: string | undefined;
  poolSize?: number | undefined;
  timeouts?: Partial<Timeouts> | undefined;
  /** Whether statements are prepared under names. PgBouncer before 1.21 cannot do that in transaction mode. */
  namedStatements?: boolean | undefined;
};

/** A pool. Each session is checked on opening, and a connection with wrong settings is refused. */
function newPool(url: string, options: pg.PoolConfig): pg.Pool {
  const pool = new pg.Pool({
    ...options,
    connectionString: withSessionOptions(url),
    // The driver's types leave out that a pool creates its clients with its own options.
    Client: Client as unknown as new () => pg.ClientBase,
    onConnect: assertSession,
  });
  // The pool replaces an idle connection that breaks. Without a listener, the event would end the process.
  pool.on('error', () => {});
  return pool;
}

/** Opens a database on a server. No connection is made before the first statement, to the standby neither. */
export function openPostgresql({
  url,
  readUrl,
  poolSize = 10,
  timeouts,
  namedStatements = true,
}: ServerOptions): Database & Migratable {
  const limits = { ...DEFAULT_TIMEOUTS, ...timeouts };
  const pool = openPool(url, poolSize, limits);
  const standbyPool =
    readUrl === undefined ? null : openPool(readOnly(readUrl), poolSize, shorter(limits, STANDBY_TIMEOUTS));
  const nameOf = namedStatements ? statementNames() : () => undefined;
  const { sent, listen } = statements();
  const turns = new Turns(limits.lock);

  const queryOn =
    (client: Pick<pg.Pool, 'query'>, signal?: AbortSignal): Query =>
    async ({ text, values }: Sql) => {
      signal?.throwIfAborted();
      sent(text);
      const name = nameOf(text);
      const { rows } = await client.query(name === undefined ? { text, values } : { name, text, values });
      return rows;
    };
  const cancel = (client: pg.PoolClient) => cancelStatement(client, limits.connect);

  return {
    kind: 'postgresql',
    sql: queryOn(pool),
    standby: standbyPool && withRests(queryOn(standbyPool)),
    change: (statement) => withRetries(() => inStatement(pool, (client) => queryOn(client)(statement))),
    onStatement: listen,
    transaction(work, { signal, turn } = {}) {
      const run = () =>
        withRetries(() =>
          inTransaction(pool, (client) => work(queryOn(client, signal)), {
            signal,
            cancel,
            answer: limits.query,
          }),
        );
      return turn === undefined ? run() : turns.run(turn, run, signal);
    },
    withMigrationAdapter: (use) => withMigrationAdapter(url, use),
    async close() {
      await Promise.all([pool, standbyPool].map((each) => (each && !each.ended ? each.end() : null)));
    },
  };
}

/** Milliseconds that the driver waits longer than a transaction, whose statement is cancelled before the connection is closed. */
const GRACE = 1_000;

const shorter = (one: Timeouts, other: Timeouts): Timeouts => ({
  connect: Math.min(one.connect, other.connect),
  statement: Math.min(one.statement, other.statement),
  lock: Math.min(one.lock, other.lock),
  query: Math.min(one.query, other.query),
});

/** A pool of connections to a server. No connection is made before the first statement. */
function openPool(url: string, size: number, { connect, statement, lock, query }: Timeouts): pg.Pool {
  return newPool(url, {
    // A change sends statements that do not depend on each other without waiting for each answer.
    pipeline: true,
    max: size,
    connectionTimeoutMillis: connect,
    maxLifetimeSeconds: NAMES_LIFETIME,
    statement_timeout: statement,
    lock_timeout: lock,
    query_timeout: query + GRACE,
  });
}

/**
 * Provides an adapter with a separate connection. Prisma's engine holds an advisory lock of the session while it migrates, so
 * that servers that start at once wait for each other. The connection has none of the timeouts of requests, and closing it
 * releases the lock.
 */
async function withMigrationAdapter<Result>(
  url: string,
  use: (adapter: MigrationAdapter) => Promise<Result>,
): Promise<Result> {
  const pool = newPool(url, { max: 1 });
  try {
    return await use(new ServerMigrationAdapter(pool, url));
  } finally {
    await pool.end();
  }
}

/** Sends a script as one query. The package splits scripts at each `;`, even inside comments and strings. */
class ServerMigrationAdapter extends PrismaPg {
  readonly #url: string;

  constructor(pool: pg.Pool, url: string) {
    super(pool);
    this.#url = url;
  }

  override async connect() {
    const connection = await super.connect();
    connection.executeScript = async (script) => {
      const client = new Client(withSessionOptions(this.#url));
      await client.connect();
      try {
        await client.query(script);
      } finally {
        await client.end();
      }
    };
    return connection;
  }
}
