// A primary with a standby that streams from it: reads on the standby, and a server that turns out to be one.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { Client } from '../../src/database/client.ts';
import { Prisma } from '../../src/database/database.ts';
import { openDatabase } from '../../src/database/open.ts';
import { openPostgresql } from '../../src/database/postgresql.ts';
import { assertReady } from '../../src/database/ready.ts';
import { createTenant } from '../support/directories.ts';
import { type EmbeddedServer, freePort, startEmbedded } from '../support/embedded-postgres.ts';
import { SUPER_ADMIN, startApp } from '../support/server.ts';
import { PATIENT } from '../support/timeouts.ts';

const SETTINGS = { fsync: 'off', listen_addresses: '127.0.0.1' };
const START = 60_000;

let folder: string;
let primary: EmbeddedServer;
let standby: EmbeddedServer;
const databaseOf = ({ url }: EmbeddedServer) => `${url}/postgres`;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coterie-standby-'));
  const first = join(folder, 'primary');
  // The server's user must reach the folders in it.
  execFileSync('chmod', ['755', folder]);
  const made = await startEmbedded({
    folder: first,
    fresh: true,
    settings: SETTINGS,
    initdbFlags: ['--no-sync'],
  });
  await (await openDatabase({ url: databaseOf(made), dataDir: '', timeouts: PATIENT })).close();
  await made.stop();
  for (const name of ['standby', 'promoted']) {
    execFileSync('cp', ['-a', first, join(folder, name)]);
    await writeFile(join(folder, name, 'standby.signal'), '');
  }
  primary = await startEmbedded({ folder: first, fresh: false, settings: SETTINGS });
  standby = await startStandby('standby');
}, START);

/**
 * Starts a copy of the primary, which streams what the primary has written since. Not by embedded-postgres, which waits until
 * a server accepts writes.
 */
async function startStandby(name: string): Promise<EmbeddedServer> {
  const client = new Client(databaseOf(primary));
  await client.connect();
  const { rows } = await client.query("select setting from pg_config where name = 'BINDIR'");
  await client.end();
  const { hostname, port } = new URL(primary.url);
  const own = await freePort();
  const settings = {
    ...SETTINGS,
    port: own,
    primary_conninfo: `host=${hostname} port=${port} user=postgres password=postgres`,
  };
  const copy = join(folder, name);
  // PostgreSQL refuses to run as root: it runs as the owner of its files.
  const { uid, gid } = await stat(copy);
  const options = Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`]);
  const server = spawn(join(rows[0].setting, 'postgres'), ['-D', copy, ...options], {
    stdio: 'ignore',
    uid,
    gid,
  });
  const closed = once(server, 'close');
  const url = primary.url.replace(`:${port}`, `:${own}`);
  const end = () => server.kill('SIGINT');
  process.once('exit', end);
  await vi.waitUntil(() => answers(`${url}/postgres`), { timeout: START });
  return {
    url,
    async stop() {
      process.off('exit', end);
      end();
      await closed;
    },
  };
}

async function answers(url: string): Promise<boolean> {
  const client = new Client(url);
  try {
    await client.connect();
    await client.end();
    return true;
  } catch {
    return false;
  }
}

afterAll(async () => {
  await standby?.stop();
  await primary?.stop();
  await rm(folder, { recursive: true, force: true });
}, START);

test('reads on a standby get what it has replayed; it is never written to', async () => {
  const db = await openDatabase({
    url: databaseOf(primary),
    readUrl: databaseOf(standby),
    dataDir: '',
    timeouts: PATIENT,
  });
  const sent: string[] = [];
  db.onStatement((text) => sent.push(text));
  const read = Prisma.sql`select name from partners where id = 'prt_streamed'`;
  const write = Prisma.sql`insert into partners (id, name) values ('prt_streamed', 'Streamed')`;
  await db.sql(write);
  await expect.poll(() => db.standby!(read), { timeout: 20_000 }).toEqual([{ name: 'Streamed' }]);
  expect(await db.standby!(Prisma.sql`select pg_is_in_recovery() as standby`)).toEqual([{ standby: true }]);
  await expect(db.standby!(write)).rejects.toMatchObject({ code: '25006' });
  expect(sent).toContain(read.text);
  await db.close();
});

test('a primary that stands in for the standby is not written to either', async () => {
  for (const own of ['', '?options=-c+default_transaction_read_only=off']) {
    const url = databaseOf(primary);
    const db = openPostgresql({ url, readUrl: `${url}${own}`, timeouts: PATIENT });
    const write = Prisma.sql`insert into partners (id, name) values ('prt_none', 'None')`;
    await expect(db.standby!(write)).rejects.toMatchObject({ code: '25006' });
    await db.close();
  }
});

test('a standby out of reach neither keeps the server from starting nor makes it unready', async () => {
  const db = await openDatabase({
    url: databaseOf(primary),
    // Port 9 (discard) of this machine: nothing listens there.
    readUrl: 'postgresql://postgres@127.0.0.1:9/none',
    dataDir: '',
    timeouts: PATIENT,
  });
  await assertReady(db);
  // As the driver throws it, so that the caller can go to the primary.
  await expect(db.standby!(Prisma.sql`select 1`)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  expect(await db.sql(Prisma.sql`select 1 as one`)).toEqual([{ one: 1 }]);
  await db.close();
});

test('without a standby there is none', async () => {
  const db = openPostgresql({ url: databaseOf(primary) });
  expect(db.standby).toBeNull();
  await db.close();
});

test('a server that is a standby is not ready and refuses changes until it is promoted', async () => {
  const promoted = await startStandby('promoted');
  const url = databaseOf(primary);
  const written = openPostgresql({ url, timeouts: PATIENT });
  const { tenantId } = await createTenant(written);
  const db = openPostgresql({ url: databaseOf(promoted), poolSize: 1, timeouts: PATIENT });
  const tenants = Prisma.sql`select 1 as there from tenants where id = ${tenantId}`;
  await expect.poll(() => db.sql(tenants), { timeout: 20_000 }).toEqual([{ there: 1 }]);
  const app = await startApp(db);
  const ready = async () => {
    const response = await fetch(`${app.url}/readyz`);
    return [response.status, await response.json()];
  };
  const create = (name: string) =>
    app.ask(
      SUPER_ADMIN,
      `mutation { createGroup(input: { tenantId: "${tenantId}", name: "${name}" }) { __typename } }`,
    );
  const backend = async () =>
    (await db.sql<{ pid: number }>(Prisma.sql`select pg_backend_pid() as pid`))[0]!.pid;

  expect(await ready()).toEqual([503, { status: 'unavailable', reason: 'The database is read-only' }]);
  const before = await backend();
  const { body, headers } = await create('Refused');
  expect(body.errors).toMatchObject([{ extensions: { code: 'UNAVAILABLE' } }]);
  expect(body.errors![0]!.extensions).not.toHaveProperty('outcome');
  expect(headers.get('retry-after')).toBe('1');
  // A pooler or a DNS name may lead the next connection to the primary.
  expect(await backend()).not.toBe(before);
  const refused = await app.rest(SUPER_ADMIN, `POST /api/v1/tenants/${tenantId}/groups`, { name: 'Refused' });
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);

  await db.sql(Prisma.sql`select pg_promote()`);
  await expect.poll(ready, { timeout: 20_000 }).toEqual([200, { status: 'ready' }]);
  expect((await create('Taken')).body.errors).toBeUndefined();
  await db.close();
  await written.close();
  await promoted.stop();
});
