// Opens the directory's database, embedded or on a server, with its migrations applied.
import { type Database, Prisma } from './database.ts';
import { applyMigrations } from './migrate.ts';
import { openPostgresql, type Timeouts } from './postgresql.ts';

export type DatabaseOptions = {
  /** `postgresql://…`; without it the embedded database is opened. */
  url?: string | undefined;
  /** Directory of the embedded database, or `memory://`. */
  dataDir: string;
  poolSize?: number | undefined;
  timeouts?: Partial<Timeouts> | undefined;
};

/** Throws if the server cannot be reached, the directory is in use, or a migration fails. */
export async function openDatabase({ url, dataDir, poolSize, timeouts }: DatabaseOptions): Promise<Database> {
  const database =
    url === undefined ? await openEmbedded(dataDir) : openPostgresql({ url, poolSize, timeouts });
  try {
    await applyMigrations(database);
    await disownTransactions(database);
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}

/**
 * Events that a dump brought bear transactions of another server, which this one would come to as if they were its own.
 * Those are ahead of all that it has given; each tenant's last event tells whether it has any.
 */
async function disownTransactions(database: Pick<Database, 'sql'>): Promise<void> {
  const isAhead = Prisma.sql`e.transaction_id >= pg_snapshot_xmax(pg_current_snapshot())`;
  await database.sql(Prisma.sql`
    update group_events e set transaction_id = '0' where ${isAhead} and e.tenant_id in (
      select t.id from tenants t cross join lateral (
        select transaction_id from group_events where tenant_id = t.id order by transaction_id desc limit 1) e
      where ${isAhead})`);
}

/** Loaded on demand: a server's database needs none of the embedded one's megabytes. */
async function openEmbedded(dataDir: string) {
  const { openPglite } = await import('./pglite.ts');
  return openPglite(dataDir);
}
