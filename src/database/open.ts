// Opens the database, embedded or on a server, and applies migrations and backfills.
import { runBackfills } from './backfills.ts';
import { refreshCaseKeys } from './case-keys.ts';
import { type Database, Prisma } from './database.ts';
import { applyMigrations } from './migrate.ts';
import { openPostgresql, type Timeouts } from './postgresql.ts';
import { awaitingLocks } from './transaction.ts';

export type DatabaseOptions = {
  /** `postgresql://…`; the embedded database if undefined. */
  url?: string | undefined;
  /** Folder of the embedded database, or `memory://`. */
  dataDir: string;
  /** A standby of the server, for `Database.standby`. It need not be reachable. */
  readUrl?: string | undefined;
  poolSize?: number | undefined;
  timeouts?: Partial<Timeouts> | undefined;
  /** Whether statements on a server are prepared under names. */
  namedStatements?: boolean | undefined;
  /** Receives warnings for operators; writes to standard error by default. */
  warn?: ((message: string) => void) | undefined;
};

/** Opens and migrates the database. Throws if the server is unavailable, the data folder is in use, or a migration fails. */
export async function openDatabase({
  dataDir,
  warn = (message) => process.stderr.write(`${message}\n`),
  url,
  ...server
}: DatabaseOptions): Promise<Database> {
  const database = url === undefined ? await openEmbedded(dataDir) : openPostgresql({ url, ...server });
  try {
    await applyMigrations(database);
    await awaitingLocks(() => resetForeignTransactions(database));
    await runBackfills(database);
    await refreshCaseKeys(database, warn);
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** Rows per statement: few enough to stay well inside the statement timeout. */
const CHUNK = 10_000;

/**
 * Resets transaction ids of events that were restored from a dump of another server. Those ids are ahead of this server's,
 * which would later assign them to its own transactions. They are found by an index per tenant.
 */
async function resetForeignTransactions({ sql }: Pick<Database, 'sql'>): Promise<void> {
  const isAhead = Prisma.sql`e.transaction_id >= pg_snapshot_xmax(pg_current_snapshot())`;
  for (let changed = CHUNK; changed === CHUNK; ) {
    const rows = await sql(Prisma.sql`
      update group_events set transaction_id = '0' where id in (
        select e.id from tenants t cross join lateral (
          select e.id from group_events e where e.tenant_id = t.id and ${isAhead} limit ${CHUNK}::int) e
        limit ${CHUNK}::int)
      returning id`);
    changed = rows.length;
  }
}

/** Imports PGlite on demand: with a PostgreSQL server, its megabytes are not loaded. */
async function openEmbedded(dataDir: string) {
  const { openPglite } = await import('./pglite.ts');
  return openPglite(dataDir);
}
