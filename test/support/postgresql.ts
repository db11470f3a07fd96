// A database of its own for a test file, cloned from the migrated template.
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { inject, vi } from 'vitest';
import { type Database, Prisma } from '../../src/database/database.ts';
import { openDatabase } from '../../src/database/open.ts';
import { TEMPLATE } from './template.ts';
import { PATIENT } from './timeouts.ts';

export type TestDatabase = { db: Database; url: string; close(): Promise<void> };

/** Opens a fresh, migrated database on the server of this test run. */
export async function openTestDatabase({ poolSize }: { poolSize?: number } = {}): Promise<TestDatabase> {
  const { url, drop } = await createDatabase({ template: TEMPLATE });
  const db = await openDatabase({ url, dataDir: '', poolSize, timeouts: PATIENT });
  return {
    db,
    url,
    async close() {
      await db.close();
      await drop();
    },
  };
}

/** Creates a database without opening it: empty, or a copy of `template`. `settings` are its own, e.g. a time zone. */
export async function createDatabase({
  template = 'template1',
  settings = [],
}: {
  template?: string;
  settings?: string[];
} = {}) {
  const serverUrl = inject('serverUrl');
  const name = `test_${randomBytes(6).toString('hex')}`;
  await asAdministrator(serverUrl, `create database ${name} template ${template}`);
  for (const setting of settings) await asAdministrator(serverUrl, `alter database ${name} set ${setting}`);
  return {
    url: `${serverUrl}/${name}`,
    drop: () => asAdministrator(serverUrl, `drop database ${name} with (force)`),
  };
}

/** Whether a statement of this database waits for a lock. */
export async function oneWaits(db: Database): Promise<boolean> {
  const waiting = Prisma.sql`
    select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
  return (await db.sql(waiting)).length > 0;
}

/** Resolves as soon as a statement of this database waits for a lock. */
export async function untilOneWaits({ db }: Pick<TestDatabase, 'db'>): Promise<void> {
  await vi.waitUntil(() => oneWaits(db), { timeout: 30_000, interval: 20 });
}

async function asAdministrator(serverUrl: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: `${serverUrl}/postgres` });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
