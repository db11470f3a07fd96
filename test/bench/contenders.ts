// The contenders: each a process of its own, with ten connections to the same database.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Issuer } from './issuer.ts';
import { coterie } from './operations/coterie.ts';
import { limit } from './operations/limit.ts';
import { mercurius } from './operations/mercurius.ts';
import type { Operations } from './operations/operations.ts';
import { postgraphile } from './operations/postgraphile.ts';
import { freePort } from './postgresql.ts';

export type Contender = {
  name: string;
  /** How it is called in the table. */
  label: string;
  operations: Operations;
  port: number;
  pid: number;
  headers: Record<string, string>;
  /** Milliseconds from the start of its process to its first answer. */
  startMs: number;
  stop(): Promise<void>;
};

const ROOT = join(import.meta.dirname, '../..');
const QUIET = '--disable-warning=ExperimentalWarning';

type Kind = {
  args: string[];
  operations: Operations;
  environment(issuer: Issuer): Record<string, string>;
  token: boolean;
};
const KINDS: Record<string, Kind> = {
  // As in production, with every guard and its log; only where the log goes is decided here, as by any supervisor.
  coterie: {
    args: [QUIET, join(ROOT, 'src/main.ts')],
    operations: coterie,
    environment: (issuer) => ({ ...issuer.environment, SEED_DEMO: 'false' }),
    token: true,
  },
  postgraphile: {
    args: [join(import.meta.dirname, 'contenders/postgraphile.mjs')],
    operations: postgraphile,
    environment: () => ({ GRAPHILE_ENV: 'production' }),
    token: false,
  },
  mercurius: {
    args: [QUIET, join(import.meta.dirname, 'contenders/mercurius.ts')],
    operations: mercurius,
    environment: () => ({}),
    token: false,
  },
  limit: {
    args: [QUIET, join(import.meta.dirname, 'contenders/limit.ts')],
    operations: limit,
    environment: () => ({}),
    token: false,
  },
};

/** How long a contender may take to answer at first, in ms. */
const MAX_START_MS = 30_000;

/** Starts one; `environment` is added to its own. Throws if it does not answer in time. */
export async function startContender(
  name: string,
  issuer: Issuer,
  environment: Record<string, string>,
  nodeArgs: string[] = [],
): Promise<Contender> {
  const kind = KINDS[name];
  if (!kind) throw new Error(`No contender is called ${name}: there are ${Object.keys(KINDS).join(', ')}`);
  const port = await freePort();
  const started = performance.now();
  const child = spawn(process.execPath, [...nodeArgs, ...kind.args], {
    cwd: ROOT,
    env: {
      PATH: process.env.PATH,
      NODE_ENV: 'production',
      PORT: String(port),
      ...kind.environment(issuer),
      ...environment,
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  await untilAnswering(name, child, port);
  return {
    name,
    label: name,
    operations: kind.operations,
    port,
    pid: child.pid!,
    headers: kind.token ? { authorization: `Bearer ${issuer.token}` } : {},
    startMs: performance.now() - started,
    async stop() {
      if (child.exitCode !== null) return;
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await gone;
    },
  };
}

async function untilAnswering(name: string, child: ChildProcess, port: number): Promise<void> {
  for (const started = performance.now(); performance.now() - started < MAX_START_MS; ) {
    if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}`);
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => null);
    if (answer) return;
    await sleep(25);
  }
  child.kill('SIGTERM');
  throw new Error(`${name} did not answer in ${MAX_START_MS} ms`);
}

/** Clock ticks a second in /proc/PID/stat: 100 on every Linux that runs Node. */
const TICKS = 100;

/** CPU that a process has used, in ms; null where the system does not tell. */
export function cpuOf(pid: number): number | null {
  const fields = statOf(pid);
  return fields && ((Number(fields[11]) + Number(fields[12])) / TICKS) * 1_000;
}

/** Resident memory of a process, in MB; null where the system does not tell. */
export function memoryOf(pid: number): number | null {
  const fields = statOf(pid);
  return fields && (Number(fields[21]) * 4_096) / 1e6;
}

/** Fields of proc(5)'s stat from the third on; the second, a name in brackets, may hold spaces. */
function statOf(pid: number): string[] | null {
  const path = `/proc/${pid}/stat`;
  if (!existsSync(path)) return null;
  const stat = readFileSync(path, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** CPU that the database's processes have used, in ms: the sum over its children that are still there. */
export function databaseCpu(postmaster: number): number | null {
  const path = `/proc/${postmaster}/task/${postmaster}/children`;
  if (!existsSync(path)) return null;
  const children = readFileSync(path, 'utf8').trim().split(' ').map(Number);
  return [postmaster, ...children].reduce((sum, pid) => sum + (cpuOf(pid) ?? 0), 0);
}
