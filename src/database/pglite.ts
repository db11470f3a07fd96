// The embedded PostgreSQL (PGlite): runs in this process, stored in a folder or in memory.
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PGlite, type Transaction } from '@electric-sql/pglite';
import { btree_gin } from '@electric-sql/pglite/contrib/btree_gin';
import { pg_trgm } from '@electric-sql/pglite/contrib/pg_trgm';
import { PrismaPGlite } from 'pglite-prisma-adapter';
import { lockDirectory } from './data-dir-lock.ts';
import type { Database, Query, Sql } from './database.ts';
import type { Migratable } from './migrate.ts';
import { statements } from './statements.ts';
import { withRetries } from './transaction.ts';

/** Prefix of a data folder in memory: the database is lost when it is closed. */
export const IN_MEMORY = 'memory://';

/** Opens the database in `dataDir`, and locks the folder against other processes. */
export async function openPglite(dataDir: string): Promise<Database & Migratable & { engine: PGlite }> {
  const inMemory = dataDir.startsWith(IN_MEMORY);
  if (!inMemory) await makePrivate(dataDir);
  const unlock = inMemory ? async () => {} : await lockDirectory(dataDir);
  const engine = await PGlite.create(inMemory ? dataDir : join(dataDir, 'pglite'), {
    extensions: { btree_gin, pg_trgm },
  }).catch(async (error: unknown) => {
    await unlock();
    throw error;
  });
  const { sent, listen } = statements();

  const queryOn =
    (client: PGlite | Transaction, signal?: AbortSignal): Query =>
    async <Row>({ text, values }: Sql) => {
      signal?.throwIfAborted();
      sent(text);
      const { rows } = await client.query<Row>(text, values as unknown[]);
      return rows;
    };

  return {
    kind: 'pglite',
    engine,
    sql: queryOn(engine),
    standby: null,
    change: (statement) => withRetries(() => queryOn(engine)(statement)),
    onStatement: listen,
    // A statement cannot be cancelled here: it would have to be sent over the connection that it occupies.
    transaction: (work, { signal } = {}) =>
      withRetries(() =>
        engine.transaction(async (tx) => {
          const answers: Promise<unknown>[] = [];
          const query = queryOn(tx, signal);
          const result = await work((statement) => {
            const answer = query(statement);
            answer.catch(() => {});
            answers.push(answer);
            return answer as never;
          });
          await Promise.all(answers);
          signal?.throwIfAborted();
          return result;
        }),
      ),
    withMigrationAdapter: (use) => use(new EmbeddedAdapter(engine)),
    async close() {
      if (!engine.closed) await engine.close();
      await unlock();
    },
  };
}

/** PGlite's files are readable by all users, so its folder is made private. An existing `dataDir` keeps its mode. */
async function makePrivate(dataDir: string): Promise<void> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const files = join(dataDir, 'pglite');
  await mkdir(files, { recursive: true });
  await chmod(files, 0o700);
}

/** The Prisma adapter for migrations: scripts are awaited, and the shadow database has the same extensions. */
class EmbeddedAdapter extends PrismaPGlite {
  readonly #engine: PGlite;

  constructor(engine: PGlite) {
    super(engine);
    this.#engine = engine;
  }

  override async connect() {
    return awaitingScripts(await super.connect(), this.#engine);
  }

  override async connectToShadowDb() {
    const engine = await PGlite.create(IN_MEMORY, { extensions: { btree_gin, pg_trgm } });
    return awaitingScripts(await new PrismaPGlite(engine).connect(), engine);
  }
}

function awaitingScripts<Connection extends { executeScript(script: string): Promise<void> }>(
  connection: Connection,
  engine: PGlite,
): Connection {
  connection.executeScript = async (script) => {
    await engine.exec(script);
  };
  return connection;
}
