// Runs a command on the configured database, and ends it with a message instead of a stack.
import { readConfig } from '../config.ts';
import type { Database } from '../database/database.ts';
import { openDatabase } from '../database/open.ts';
import { endProcess } from './end-process.ts';

/** Milliseconds a statement of a command may take: it works on whole tenants, and nobody waits for an answer. */
const STATEMENT = 10 * 60_000;

/** Opens the database for `work`, closes it and ends the process; a failure is printed and makes the exit code 1. */
export async function withDatabase(work: (database: Database) => Promise<void>): Promise<void> {
  try {
    const { databaseUrl: url, dataDir } = readConfig();
    const timeouts = { statement: STATEMENT, query: STATEMENT, lock: STATEMENT };
    const database = await openDatabase({ url, dataDir, timeouts });
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
