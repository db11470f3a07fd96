// Locks the data folder of PGlite, which has no lock itself: two processes would overwrite each other's rows.
import { open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const LOCK_FILE = 'coterie.pid';
/** Attempts to take the lock, and the pause between them in ms: time for a process that has just created it to write its pid. */
const ATTEMPTS = 10;
const PAUSE_MS = 50;

/** The process that holds the lock: its pid and its start time (in the kernel's ticks; empty if the system has none). */
type Holder = { pid: number; started: string };

/**
 * Locks the folder and returns the function that unlocks it. Throws if a live process holds the lock; the lock of a dead one
 * is taken over. It cannot protect against processes in other containers or on other hosts, whose pids it cannot see.
 */
export async function lockDirectory(dataDir: string): Promise<() => Promise<void>> {
  const path = join(dataDir, LOCK_FILE);
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    if (await create(path)) return () => rm(path, { force: true });
    const holder = await read(path);
    if (holder && (await isAlive(holder))) throw inUse(dataDir, holder);
    // A lock without a pid is just being written, or its process was killed between two system calls.
    if (holder || attempt === ATTEMPTS - 1) await takeAway(path);
    else await sleep(PAUSE_MS);
  }
  throw new Error(
    `The embedded database in ${dataDir} could not be locked: ${path} is recreated each time it is removed.`,
  );
}

async function create(path: string): Promise<boolean> {
  try {
    // `wx` fails if the file exists: creating it is the lock.
    const file = await open(path, 'wx');
    await file.writeFile(`${process.pid} ${await startOf(process.pid)}\n`);
    await file.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function read(path: string): Promise<Holder | null> {
  const [pid, started = ''] = (await readFile(path, 'utf8').catch(() => '')).trim().split(' ');
  return pid ? { pid: Number(pid), started } : null;
}

/** Removes a stale lock, but not a lock that another process has created in its place since it was read. */
async function takeAway(path: string): Promise<void> {
  const aside = `${path}.${process.pid}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  const holder = await read(aside);
  if (holder && (await isAlive(holder))) await rename(aside, path);
  else await rm(aside, { force: true });
}

/** Whether the holder still runs. Pids are reused, in a restarted container even at once, so start times are compared too. */
async function isAlive({ pid, started }: Holder): Promise<boolean> {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const now = await startOf(pid);
  return now === '' || started === '' || now === started;
}

/** The start time of a process: field 22 of proc(5)'s stat. Field 2, a name in parentheses, may contain spaces. */
async function startOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

const inUse = (dataDir: string, { pid }: Holder) =>
  new Error(
    `The embedded database in ${dataDir} is in use by process ${pid}. Stop it, change DATA_DIR, or set DATABASE_URL.`,
  );
