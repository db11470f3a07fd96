// Keeps a second process from the data directory: PGlite has no lock of its own, and two would lose each other's rows.
import { open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const LOCK_FILE = 'coterie.pid';
/** How often the lock is tried, and how long apart in ms: time for a process that has just created it to sign it. */
const ATTEMPTS = 10;
const PAUSE = 50;

/** A process: its pid, and when it started (in the kernel's ticks; empty where the system does not say). */
type Holder = { pid: number; started: string };

/**
 * Locks the directory and gives the function that unlocks it. A lock whose process is gone is taken over; throws when
 * its process lives. Processes that do not see each other (two containers, two hosts) cannot be told apart.
 */
export async function lockDirectory(dataDir: string): Promise<() => Promise<void>> {
  const path = join(dataDir, LOCK_FILE);
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    if (await create(path)) return () => rm(path, { force: true });
    const holder = await read(path);
    if (holder && (await isAlive(holder))) throw inUse(dataDir, holder);
    // An unsigned lock is being signed at this moment, or its process was killed between two system calls.
    if (holder || attempt === ATTEMPTS - 1) await takeAway(path);
    else await sleep(PAUSE);
  }
  throw new Error(`The embedded database in ${dataDir} could not be locked: ${path} keeps coming back.`);
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

/** Removes a stale lock, but not one that another process has put in its place since it was read. */
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

/** A pid is given out again, in a restarted container even at once: the start tells its processes apart. */
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

/** Field 22 of proc(5)'s stat: when the process started. Its second field, a name in brackets, may hold spaces. */
async function startOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

const inUse = (dataDir: string, { pid }: Holder) =>
  new Error(
    `The embedded database in ${dataDir} is in use by process ${pid}. Stop it first, choose another DATA_DIR, or set DATABASE_URL.`,
  );
