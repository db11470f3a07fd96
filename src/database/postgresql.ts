// A PostgreSQL server: one pool for Prisma and for SQL, with prepared statements and timeouts.
import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import type { Database, Query, Sql } from './database.ts';
import { PrismaClient } from './generated/client/client.ts';
import { statementNames, statements } from './statements.ts';
import { inTransaction, withRetries } from './transaction.ts';

/** Milliseconds. `connect` and `query` together free a client from a server that has stalled (DESIGN §6). */
export type Timeouts = { connect: number; statement: number; lock: number; query: number };
export const DEFAULT_TIMEOUTS: Timeouts = { connect: 2_000, statement: 5_000, lock: 2_000, query: 6_000 };

export type ServerOptions = {
  url: string;
  poolSize?: number | undefined;
  timeouts?: Partial<Timeouts> | undefined;
};

/** Opens a server's database; nothing is sent before the first statement. */
export function openPostgresql({
  url,
  poolSize = 10,
  timeouts,
}: ServerOptions): Database & { adapter: ServerAdapter } {
  const { connect, statement, lock, query } = { ...DEFAULT_TIMEOUTS, ...timeouts };
  const pool = new pg.Pool({
    connectionString: url,
    max: poolSize,
    connectionTimeoutMillis: connect,
    statement_timeout: statement,
    lock_timeout: lock,
    query_timeout: query,
  });
  // An idle connection that breaks is replaced by the pool; without a listener the event would end the process.
  pool.on('error', () => {});
  const nameOf = statementNames();
  const { sent, listen } = statements();
  const adapter = new ServerAdapter(pool, url);
  const prisma = new PrismaClient({ adapter, log: [{ emit: 'event', level: 'query' }] });
  prisma.$on('query', (event) => sent(event.query));

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
    adapter,
    prisma,
    sql: queryOn(pool),
    change: (statement) => withRetries(() => queryOn(pool)(statement)),
    onStatement: listen,
    transaction: (work) => withRetries(() => inTransaction(pool, (client) => work(queryOn(client)))),
    async close() {
      await prisma.$disconnect();
      if (!pool.ended) await pool.end();
    },
  };
}

/**
 * The adapter as migrations need it: a script goes to the server whole (the package's own splits it at each `;`, be it
 * in a comment or a string), over a connection without the timeouts of requests.
 */
class ServerAdapter extends PrismaPg {
  readonly #url: string;

  constructor(pool: pg.Pool, url: string) {
    super(pool);
    this.#url = url;
  }

  override async connect() {
    const connection = await super.connect();
    connection.executeScript = async (script) => {
      const client = new pg.Client({ connectionString: this.#url });
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
