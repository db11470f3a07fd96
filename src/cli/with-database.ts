// Runs a command on the configured database; errors are printed without a stack.
import { readConfig } from '../config.ts';
import type { Database } from '../database/database.ts';
import { openDatabase } from '../database/open.ts';
import { endProcess } from './end-process.ts';

/** Timeout of a command's statement, in ms: it may process a whole tenant, and no client waits for it. */
const STATEMENT = 10 * 60_000;

/** Opens the database, runs `work`, closes the database and ends the process. On an error, prints it and exits with 1. */
export async function withDatabase(work: (database: Database) => Promise<void>): Promise<void> {
  try {
    const { databaseUrl: url, dataDir, namedStatements } = readConfig();
    const timeouts = { statement: STATEMENT, query: STATEMENT, lock: STATEMENT };
    const database = await openDatabase({ url, dataDir, namedStatements, timeouts });
    try {
      await work(database);
    } finally {
      await database.close();
    }
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exitCode = 1;
  }
  endProcess();
}
