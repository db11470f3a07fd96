// A database of its own for a test file, cloned from the migrated template.
import { randomBytes } from 'node:crypto';
import { inject, vi } from 'vitest';
import { Client } from '../../src/database/client.ts';
import { type Database, Prisma } from '../../src/database/database.ts';
import { openDatabase } from '../../src/database/open.ts';
import { TEMPLATE } from './template.ts';
import { PATIENT } from './timeouts.ts';

export type TestDatabase = {
  db: Database;
  url: string;
  /** Gives the database a setting, which its next sessions have. */
  set(setting: string): Promise<void>;
  close(): Promise<void>;
};

/** Opens a fresh, migrated database on the server of this test run. */
export async function openTestDatabase({ poolSize }: { poolSize?: number } = {}): Promise<TestDatabase> {
  const { url, set, drop } = await createDatabase({ template: TEMPLATE });
  const db = await openDatabase({ url, dataDir: '', poolSize, timeouts: PATIENT });
  return {
    db,
    url,
    set,
    async close() {
      await db.close();
      await drop();
    },
  };
}

/**
 * Creates a database without opening it: empty, or a copy of `template`. `settings` are its own, e.g. a time zone, and
 * `set` gives it another one later, which its next sessions have.
 */
export async function createDatabase({
  template = 'template1',
  encoding = 'UTF8',
  settings = [],
}: {
  template?: string;
  encoding?: string;
  settings?: string[];
} = {}) {
  const serverUrl = inject('serverUrl');
  const name = `test_${randomBytes(6).toString('hex')}`;
  const from = encoding === 'UTF8' ? template : `template0 encoding '${encoding}' locale 'C'`;
  await asAdministrator(serverUrl, `create database ${name} template ${from}`);
  const set = (setting: string) => asAdministrator(serverUrl, `alter database ${name} set ${setting}`);
  for (const setting of settings) await set(setting);
  return {
    url: `${serverUrl}/${name}`,
    set,
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
  const client = new Client(`${serverUrl}/postgres`);
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
