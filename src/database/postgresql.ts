// A PostgreSQL server: one pool for Prisma and for SQL, with prepared statements and timeouts.
import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import type { Database, Query, Sql } from './database.ts';
import type { Migratable, MigrationAdapter } from './migrate.ts';
import { assertSession, withSessionOptions } from './session.ts';
import { NAMES_LIFETIME, statementNames, statements } from './statements.ts';
import { inTransaction, withRetries } from './transaction.ts';

/** Milliseconds. `connect` and `query` together free a client from a server that has stalled. */
export type Timeouts = { connect: number; statement: number; lock: number; query: number };
export const DEFAULT_TIMEOUTS: Timeouts = { connect: 2_000, statement: 5_000, lock: 2_000, query: 6_000 };

export type ServerOptions = {
  url: string;
  poolSize?: number | undefined;
  timeouts?: Partial<Timeouts> | undefined;
};

/** How a pool's connections open: one whose session is not as it must be is closed, and its user told why. */
const session = (url: string) => ({ connectionString: withSessionOptions(url), onConnect: assertSession });

/** Opens a server's database; nothing is sent before the first statement. */
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
  // An idle connection that breaks is replaced by the pool; without a listener the event would end the process.
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
 * Lends an adapter over connections of its own. The engine holds a session's advisory lock while it works, so that
 * servers that start at once wait for each other: without the timeouts of requests, and gone with the connection.
 */
async function withMigrationAdapter<Result>(
  url: string,
  use: (adapter: MigrationAdapter) => Promise<Result>,
): Promise<Result> {
  const pool = new pg.Pool({ ...session(url), max: 1 });
  // The end of a connection that nobody is using is an event, and without a listener it would end the process.
  pool.on('error', () => {});
  try {
    return await use(new ServerMigrationAdapter(pool, url));
  } finally {
    await pool.end();
  }
}

/** Sends a script whole: the package's own way splits it at each `;`, be it in a comment or a string. */
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
