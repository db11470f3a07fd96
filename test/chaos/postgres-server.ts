// PostgreSQL servers of an installation on this machine: started, crashed, copied into standbys, promoted, dumped.
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { appendFile, chown, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client } from '../../src/database/client.ts';
import { freePort } from '../support/embedded-postgres.ts';
import { beforeExit } from './cleanup.ts';

const INSTALLATIONS = '/usr/lib/postgresql';
/** Limit of each command and of each wait, in ms. */
export const LIMIT = 120_000;
const PASSWORD = 'postgres';

/**
 * Without fsync, since the machine does not fail, only processes do: what a commit has written outlives them. The WAL is
 * kept for standbys, and a crash of one session restarts all of them. WAL that no commit waits for is written as late as
 * can be, so that a crash loses as much as it ever can.
 */
const SETTINGS = {
  listen_addresses: "'127.0.0.1'",
  unix_socket_directories: "''",
  fsync: 'off',
  synchronous_commit: 'on',
  wal_writer_delay: "'10s'",
  wal_level: 'replica',
  wal_keep_size: "'512MB'",
  hot_standby: 'on',
  restart_after_crash: 'on',
  shared_buffers: "'64MB'",
  max_connections: '120',
};

export type Row = Record<string, unknown>;
export type Postgres = {
  port: number;
  folder: string;
  url(database: string): string;
  sql<T = Row>(statement: string, values?: unknown[], database?: string): Promise<T[]>;
  /** Runs one of PostgreSQL's own programs, connected to this server. */
  run(program: string, ...args: string[]): Promise<string>;
  restart(mode: 'immediate' | 'fast'): Promise<void>;
  promote(): Promise<void>;
  /** Stops it as a crash would, and removes its files. */
  destroy(): Promise<void>;
};

/** The folder of the programs: CHAOS_POSTGRESQL, or the oldest installation of at least 15, which asks most of Coterie. */
function programs(): string {
  const { CHAOS_POSTGRESQL } = process.env;
  if (CHAOS_POSTGRESQL) return CHAOS_POSTGRESQL;
  const versions = existsSync(INSTALLATIONS) ? readdirSync(INSTALLATIONS).map(Number) : [];
  const [oldest] = versions.filter((version) => version >= 15).toSorted((a, b) => a - b);
  if (oldest) return join(INSTALLATIONS, String(oldest), 'bin');
  throw new Error(
    'A PostgreSQL server of 15 or newer must be installed: set CHAOS_POSTGRESQL to the folder of initdb and pg_basebackup',
  );
}

/** Who runs the server: PostgreSQL refuses root, so that the user `postgres` of the installation takes its place. */
function owner(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

async function run(
  program: string,
  args: string[],
  environment: Record<string, string> = {},
): Promise<string> {
  const { stdout } = await promisify(execFile)(join(programs(), program), args, {
    ...owner(),
    cwd: tmpdir(),
    env: { PATH: process.env.PATH, LC_ALL: 'C.UTF-8', PGPASSWORD: PASSWORD, ...environment },
    timeout: LIMIT,
    maxBuffer: 64 * 1_024 * 1_024,
  });
  return stdout;
}

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'coterie-chaos-'));
  const { uid, gid } = owner();
  if (uid !== undefined && gid !== undefined) await chown(folder, uid, gid);
  return folder;
}

/** A new, empty cluster that runs. With `durable` its commits reach the disk, as in production. */
export async function createPostgres({ durable = false } = {}): Promise<Postgres> {
  const folder = await newFolder();
  const passwordFile = join(folder, 'password');
  await writeFile(passwordFile, PASSWORD);
  const flags = [
    '--username=postgres',
    '--auth=scram-sha-256',
    `--pwfile=${passwordFile}`,
    '--encoding=UTF8',
  ];
  await run('initdb', [...flags, '--no-sync', '--locale=C', '-D', join(folder, 'data')]);
  const lines = Object.entries({ ...SETTINGS, ...(durable && { fsync: 'on' }) });
  const text = lines.map(([name, value]) => `${name} = ${value}\n`).join('');
  await appendFile(join(folder, 'data/postgresql.conf'), text);
  return start(folder);
}

/** A standby that streams from this server and answers reads. */
export async function createStandby(primary: Postgres): Promise<Postgres> {
  const folder = await newFolder();
  await primary.run(
    'pg_basebackup',
    '-R',
    '-X',
    'stream',
    '-c',
    'fast',
    '--no-sync',
    '-D',
    join(folder, 'data'),
  );
  return start(folder);
}

async function start(folder: string): Promise<Postgres> {
  const [data, log] = [join(folder, 'data'), join(folder, 'log')];
  const port = await freePort();
  const control = (...args: string[]) =>
    run('pg_ctl', [...args, '-w', '-t', String(LIMIT / 1_000), '-D', data]);
  const signal = (name: NodeJS.Signals) => {
    const file = join(data, 'postmaster.pid');
    if (existsSync(file)) process.kill(Number(readFileSync(file, 'utf8').split('\n')[0]), name);
  };
  const forget = beforeExit(() => {
    try {
      signal('SIGQUIT');
    } catch {
      // It has ended by itself.
    }
  });
  const destroy = async () => {
    await control('stop', '-m', 'immediate').catch(() => '');
    forget();
    await rm(folder, { recursive: true, force: true });
  };
  const address = { PGHOST: '127.0.0.1', PGPORT: String(port), PGUSER: 'postgres' };
  const url = (database: string) => `postgresql://postgres:${PASSWORD}@127.0.0.1:${port}/${database}`;
  try {
    await control('start', '-o', `-p ${port}`, '-l', log);
  } catch (cause) {
    const text = await readFile(log, 'utf8').catch(() => '');
    await destroy();
    throw new Error(`PostgreSQL did not start:\n${text}`, { cause });
  }
  return {
    port,
    folder,
    url,
    destroy,
    sql: (statement, values = [], database = 'postgres') => query(url(database), statement, values),
    run: (program, ...args) => run(program, args, address),
    restart: async (mode) => void (await control('restart', '-m', mode, '-l', log)),
    promote: async () => void (await control('promote')),
  };
}

async function query<T>(url: string, statement: string, values: unknown[]): Promise<T[]> {
  const client = new Client(url);
  await client.connect();
  try {
    return (await client.query(statement, values)).rows as T[];
  } finally {
    await client.end().catch(() => {});
  }
}

/** Asks until the condition holds; errors count as "not yet", since servers restart meanwhile. */
export async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const end = performance.now() + LIMIT; performance.now() < end; await sleep(50))
    if (await holds().catch(() => false)) return;
  throw new Error(`${what}: not within ${LIMIT / 1_000} s`);
}

/** Waits until the standby has received (not: replayed) all that the primary has committed until now. */
export const untilReceived = (primary: Postgres, standby: Postgres) =>
  untilReached(primary, standby, 'pg_last_wal_receive_lsn()');

/** Waits until the standby has replayed all that the primary has committed until now. */
export const untilReplayed = (primary: Postgres, standby: Postgres) =>
  untilReached(primary, standby, 'pg_last_wal_replay_lsn()');

async function untilReached(primary: Postgres, standby: Postgres, reached: string): Promise<void> {
  const [row] = await primary.sql<{ lsn: string }>('select pg_current_wal_flush_lsn()::text as lsn');
  await until(`the standby's ${reached}`, async () => {
    return (await standby.sql(`select 1 where ${reached} >= $1::pg_lsn`, [row!.lsn])).length === 1;
  });
}

/** Cuts the standby off: what the primary commits from now on is lost with it. */
export async function cutOff(standby: Postgres): Promise<void> {
  await standby.sql(`alter system set primary_conninfo = ''`);
  await standby.sql('select pg_reload_conf()');
  await until('the standby stops streaming', async () => {
    return (await standby.sql('select 1 from pg_stat_wal_receiver')).length === 0;
  });
}
