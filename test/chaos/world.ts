// Two gateway processes over one address, behind which the PostgreSQL server is disturbed; and the writers.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runScript } from '../support/process.ts';
import { type Gateway, startGateway } from './gateway.ts';
import { createPostgres, type Postgres } from './postgres-server.ts';
import { checkAll, factsOf, readFacts } from './reads.ts';
import { copyOf, createRegions, importFileOf, type Region } from './region.ts';
import { randomOf } from './settings.ts';
import type { Tally } from './tally.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';
import type { Field, Writer } from './writer.ts';

export const DATABASE = 'coterie';
/** Tenants, and writers that share each of them. */
const TENANTS = 3;
const WRITERS_EACH = 2;

export type World = Field & {
  primary: Postgres;
  proxy: TcpProxy;
  writers: Writer[];
  folder: string;
  /** A third process, which has cached nothing, and reads on no standby. */
  startFresh(): Promise<Gateway>;
  /** Does something to the server; fates of changes are read only after it. */
  disturb<T>(action: () => Promise<T>): Promise<T>;
  /** Two new processes in place of the gateways. */
  replaceGateways(): Promise<void>;
  stop(): Promise<void>;
};

/** Settings of gateways, and what ends them all. */
export async function startGateways(databaseUrl: string, variables: Record<string, string> = {}) {
  const dataDir = await mkdtemp(join(tmpdir(), 'coterie-chaos-'));
  const { stdout } = await runScript('token', ['--role', 'super_admin'], { DATA_DIR: dataDir });
  const access = { databaseUrl, dataDir, token: stdout.trim() };
  const running = new Set<Gateway>();
  return {
    dataDir,
    token: access.token,
    async start(name: string, more: Record<string, string> = {}): Promise<Gateway> {
      const gateway = await startGateway(name, access, { ...variables, ...more });
      running.add(gateway);
      return {
        ...gateway,
        async stop() {
          running.delete(gateway);
          await gateway.stop();
        },
      };
    },
    async stop() {
      await Promise.all([...running].map((gateway) => gateway.stop()));
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** Imports the file with the command of the product. */
export async function importFile(databaseUrl: string, file: object, folder: string): Promise<void> {
  const path = join(folder, 'directory.json');
  await writeFile(path, JSON.stringify(file));
  const { code, stdout, stderr } = await runScript('import', [path], {
    DATABASE_URL: databaseUrl,
    DATA_DIR: folder,
  });
  if (code !== 0) throw new Error(`The import ended with ${code}:\n${stdout}${stderr}`);
}

/** With a `readPort` the gateways read on the standby behind it. */
export async function startWorld({ readPort }: { readPort?: number } = {}): Promise<World> {
  const primary = await createPostgres();
  const proxy = await startTcpProxy();
  proxy.aim(primary.port);
  await primary.sql(`create database ${DATABASE}`);
  const through = (port: number) => primary.url(DATABASE).replace(`:${primary.port}/`, `:${port}/`);
  const url = through(proxy.port);
  // A role that may do no more than read.
  await primary.sql(`create role reader login password 'reader' in role pg_read_all_data`);
  const readUrl = readPort ? through(readPort).replace('//postgres:postgres@', '//reader:reader@') : '';
  const gateways = await startGateways(url, { DATABASE_READ_URL: readUrl });
  const regions = createRegions(TENANTS, WRITERS_EACH, randomOf(0));
  await importFile(url, importFileOf(regions), gateways.dataDir);
  let settled: Promise<unknown> = Promise.resolve();
  const world: World = {
    primary,
    proxy,
    folder: gateways.dataDir,
    a: await gateways.start('A'),
    b: await gateways.start('B'),
    writers: regions.map((region, at) => ({ region, random: randomOf(at + 1), recent: [] })),
    startFresh: () => gateways.start('fresh', { DATABASE_READ_URL: '' }),
    settled: async () => void (await settled),
    disturb(action) {
      const done = action();
      settled = done.catch(() => {});
      return done;
    },
    async replaceGateways() {
      await Promise.all([world.a.stop(), world.b.stop()]);
      world.a = await gateways.start('A');
      world.b = await gateways.start('B');
    },
    async stop() {
      await gateways.stop();
      await proxy.stop();
      await world.primary.destroy();
    },
  };
  return world;
}

/**
 * Compares all that is stored, and what follows from it, with the model by a process without caches. The model is then
 * what is stored. With `expected: false` nothing is compared first: the model was lost with the server.
 */
export async function audit(world: World, tally: Tally, { expected }: { expected: boolean }): Promise<void> {
  const fresh = await world.startFresh();
  try {
    for (const { region } of world.writers) {
      const before = tally.lost;
      if (expected) await checkAll(fresh, region, tally, { kind: 'lost' });
      if (expected && tally.lost === before) continue;
      region.state = await readRegion(fresh, region, tally);
      await checkAll(fresh, region, tally, { kind: 'lost' });
    }
  } finally {
    await fresh.stop();
  }
}

/** Groups in a request: as many as the limit of its cost allows with room to spare. */
const GROUPS_AT_ONCE = 8;

async function readRegion(gateway: Gateway, region: Region, tally: Tally) {
  const userIds = region.users.map(({ id }) => id);
  const state = copyOf(factsOf(region.state, { groupIds: [], userIds: [] }));
  for (let from = 0; from < region.groups.length; from += GROUPS_AT_ONCE) {
    const groupIds = region.groups.slice(from, from + GROUPS_AT_ONCE).map(({ id }) => id);
    const facts = await readFacts(gateway, tally, { groupIds, userIds });
    for (const name of ['members', 'nested', 'names', 'descriptions'] as const)
      for (const [id, value] of facts[name] as Map<string, never>) state[name].set(id, value);
  }
  return state;
}
