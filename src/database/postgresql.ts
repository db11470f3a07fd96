// A PostgreSQL server: a connection pool with prepared statements and timeouts.
import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import type { Database, Query, Sql } from './database.ts';
import type { Migratable, MigrationAdapter } from './migrate.ts';
import { assertSession, withSessionOptions } from './session.ts';
import { NAMES_LIFETIME, statementNames, statements } from './statements.ts';
import { inTransaction, withRetries } from './transaction.ts';

/** Timeouts in milliseconds. `connect` and `query` are the driver's: they end requests to a server that has stalled. */
export type Timeouts = { connect: number; statement: number; lock: number; query: number };
export const DEFAULT_TIMEOUTS: Timeouts = { connect: 2_000, statement: 5_000, lock: 2_000, query: 6_000 };

export type ServerOptions = {
  url: string;
  poolSize?: number | undefined;
  timeouts?: Partial<Timeouts> | undefined;
};

/** Options of each connection: its session is checked on opening, and a connection with wrong settings is refused. */
const session = (url: string) => ({ connectionString: withSessionOptions(url), onConnect: assertSession });

/** Opens a database on a server. No connection is made before the first statement. */
export function openPostgresql({ url, poolSize = 10, timeouts }: ServerOptions): Database & Migratable {
  const { connect, statement, lock, query } = { ...DEFAULT_TIMEOUTS, ...timeouts };
  const pool = new pg.Pool({
    ...session(url),
    max: poolSize,
    connectionTimeoutMillis: connect,
    maxLifetimeSeconds: NAMES_LIFETIME,
    statement_timeout: statement,
    lock_timeout: lock,
    query_timeout: query,
  });
  // The pool replaces an idle connection that breaks. Without a listener, the event would end the process.
  pool.on('error', () => {});
  const nameOf = statementNames();
  const { sent, listen } = statements();

  const queryOn =
    (client: Pick<pg.Pool, 'query'>): Query =>
    async (fragment: Sql) => {
      const { text, values } = fragment;
      sent(text);
      const name = nameOf(text);
      const { rows } = await client.query(name === undefined ? { text, values } : { name, text, values });
      return rows;
    };

  return {
    kind: 'postgresql',
    sql: queryOn(pool),
    change: (statement) => withRetries(() => queryOn(pool)(statement)),
    onStatement: listen,
    transaction: (work) => withRetries(() => inTransaction(pool, (client) => work(queryOn(client)))),
    withMigrationAdapter: (use) => withMigrationAdapter(url, use),
    async close() {
      if (!pool.ended) await pool.end();
    },
  };
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
  const pool = new pg.Pool({ ...session(url), max: 1 });
  // Without a listener, the loss of the idle connection would end the process.
  pool.on('error', () => {});
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
      const client = new pg.Client({ connectionString: withSessionOptions(this.#url) });
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
