// Opens the database, embedded or on a server, and applies migrations.
import { refreshCaseKeys } from './case-keys.ts';
import type { Database } from './database.ts';
import { applyMigrations } from './migrate.ts';
import { openPostgresql, type Timeouts } from './postgresql.ts';

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
    await refreshCaseKeys(database, warn);
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** Imports PGlite on demand: with a PostgreSQL server, its megabytes are not loaded. */
async function openEmbedded(dataDir: string) {
  const { openPglite } = await import('./pglite.ts');
  return openPglite(dataDir);
}
