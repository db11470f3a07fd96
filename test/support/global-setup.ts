// Starts one embedded PostgreSQL 18 for the whole run, with a migrated database that test files clone.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { Client } from '../../src/database/client.ts';
import { openDatabase } from '../../src/database/open.ts';
import { startEmbedded } from './embedded-postgres.ts';
import { partitionTables } from './partitioned.ts';
import { DEFAULTS, TEMPLATE } from './template.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    serverUrl: string;
    seed: number;
  }
}

/** A database that is thrown away needs no durable writes. */
const SETTINGS = { fsync: 'off', synchronous_commit: 'off', listen_addresses: '127.0.0.1' };

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'coterie-postgresql-'));
  const server = await startEmbedded({ folder, fresh: true, settings: SETTINGS, initdbFlags: ['--no-sync'] });
  const teardown = async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await createTemplate(server.url);
  } catch (error) {
    // A server that runs on would keep the failed run from ending.
    await teardown();
    throw error;
  }
  project.provide('serverUrl', server.url);
  project.provide('seed', project.config.sequence.seed);
  return teardown;
}

async function createTemplate(serverUrl: string): Promise<void> {
  const client = new Client(`${serverUrl}/postgres`);
  await client.connect();
  await client.query(`create database ${TEMPLATE}`);
  await client.end();
  await withoutTimers(async () => {
    const template = await openDatabase({ url: `${serverUrl}/${TEMPLATE}`, dataDir: '' });
    await template.close();
  });
  const template = new Client(`${serverUrl}/${TEMPLATE}`);
  await template.connect();
  if (process.env.PARTITIONED) await partitionTables(template);
  await template.query(DEFAULTS);
  await template.end();
}

/** Prisma's migration engine never clears the timer of its lock: the run would end ten seconds after its last test. */
async function withoutTimers(work: () => Promise<void>): Promise<void> {
  const { setTimeout } = globalThis;
  const unreferenced = (...args: Parameters<typeof setTimeout>) => setTimeout(...args).unref();
  globalThis.setTimeout = Object.assign(unreferenced, setTimeout);
  try {
    await work();
  } finally {
    globalThis.setTimeout = setTimeout;
  }
}
