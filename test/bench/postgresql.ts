// The benchmark's own PostgreSQL 18, with the settings that a server of this size would be given.
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '../../src/database/client.ts';
import { startEmbedded } from '../support/embedded-postgres.ts';

export { freePort } from '../support/embedded-postgres.ts';

export type Server = { url: string; pid: number; fresh: boolean; stop(): Promise<void> };

/**
 * Durable (fsync and synchronous_commit stay on), so that writes cost what they cost. JIT is off, as for any
 * server of short statements: it would only add milliseconds to plans that it misjudges.
 */
const SETTINGS = {
  listen_addresses: '127.0.0.1',
  shared_buffers: '1GB',
  effective_cache_size: '2GB',
  work_mem: '16MB',
  maintenance_work_mem: '256MB',
  max_wal_size: '4GB',
  random_page_cost: '1.1',
  jit: 'off',
  autovacuum_naptime: '10min',
  shared_preload_libraries: 'pg_stat_statements',
};

/** Starts it under `keep`, where a database of an earlier run is used again, or in a directory that is removed. */
export async function startServer(keep: string | null): Promise<Server> {
  const databaseDir = keep ?? (await mkdtemp(join(tmpdir(), 'coterie-bench-')));
  const fresh = !existsSync(join(databaseDir, 'PG_VERSION'));
  const server = await startEmbedded({ folder: databaseDir, fresh, settings: SETTINGS });
  if (fresh) await createDatabase(server.url);
  const pid = Number((await readFile(join(databaseDir, 'postmaster.pid'), 'utf8')).split('\n')[0]);
  return {
    url: `${server.url}/bench`,
    pid,
    fresh,
    async stop() {
      await server.stop();
      if (keep === null) await rm(databaseDir, { recursive: true, force: true });
    },
  };
}

async function createDatabase(serverUrl: string): Promise<void> {
  const client = new Client(`${serverUrl}/postgres`);
  await client.connect();
  await client.query('create database bench');
  await client.end();
}
