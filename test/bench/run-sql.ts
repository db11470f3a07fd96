// Statements of the benchmark itself, on a server or on an embedded database.
import { Client } from '../../src/database/client.ts';

// biome-ignore lint/suspicious/noExplicitAny: rows as each statement has them.
export type RunSql = (statement: string) => Promise<any[]>;

/** Runs `work` with one connection to the server. */
export async function onServer<Result>(url: string, work: (run: RunSql) => Promise<Result>): Promise<Result> {
  const client = new Client(url);
  await client.connect();
  try {
    return await work(async (statement) => (await client.query(statement)).rows ?? []);
  } finally {
    await client.end();
  }
}
