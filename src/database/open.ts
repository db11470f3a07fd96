// Opens the directory's database, embedded or on a server, with its migrations applied.
import type { Database } from './database.ts';
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
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** Loaded on demand: a server's database needs none of the embedded one's megabytes. */
async function openEmbedded(dataDir: string) {
  const { openPglite } = await import('./pglite.ts');
  return openPglite(dataDir);
}
