// Opens the directory's database, embedded or on a server, with its migrations applied.
import { runBackfills } from './backfills.ts';
import { refreshCaseKeys } from './case-keys.ts';
import { type Database, Prisma } from './database.ts';
import { applyMigrations } from './migrate.ts';
import { openPostgresql, type Timeouts } from './postgresql.ts';
import { awaitingLocks } from './transaction.ts';

export type DatabaseOptions = {
  /** `postgresql://…`; without it the embedded database is opened. */
  url?: string | undefined;
  /** Directory of the embedded database, or `memory://`. */
  dataDir: string;
  poolSize?: number | undefined;
  timeouts?: Partial<Timeouts> | undefined;
  /** Told what an operator should know; standard error without it. */
  warn?: ((message: string) => void) | undefined;
};

/** Throws if the server cannot be reached, the directory is in use, or a migration fails. */
export async function openDatabase({
  url,
  dataDir,
  poolSize,
  timeouts,
  warn = (message) => process.stderr.write(`${message}\n`),
}: DatabaseOptions): Promise<Database> {
  const database =
    url === undefined ? await openEmbedded(dataDir) : openPostgresql({ url, poolSize, timeouts });
  try {
    await applyMigrations(database);
    await awaitingLocks(() => disownTransactions(database));
    await runBackfills(database);
    await refreshCaseKeys(database, warn);
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** Rows that one statement changes at the start: well inside its timeout. */
const CHUNK = 10_000;

/**
 * Events that a dump brought bear transactions of another server, which this one would come to as if they were its own.
 * Those are ahead of all that it has given, and found by each tenant's index.
 */
async function disownTransactions({ sql }: Pick<Database, 'sql'>): Promise<void> {
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

/** Loaded on demand: a server's database needs none of the embedded one's megabytes. */
async function openEmbedded(dataDir: string) {
  const { openPglite } = await import('./pglite.ts');
  return openPglite(dataDir);
}
