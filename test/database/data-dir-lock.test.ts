// The lock on the data directory: one living process holds it; locks of dead ones are taken over.
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { lockDirectory } from '../../src/database/data-dir-lock.ts';
import { openPglite } from '../../src/database/pglite.ts';

let dataDir: string;
let file: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'coterie-lock-'));
  file = join(dataDir, 'coterie.pid');
});

test('a second holder is refused with the pid of the first, until the first lets go', async () => {
  const unlock = await lockDirectory(dataDir);
  await expect(lockDirectory(dataDir)).rejects.toThrow(`in use by process ${process.pid}`);
  await unlock();
  await (await lockDirectory(dataDir))();
});

test('of ten that try at once, one gets it', async () => {
  const tries = await Promise.allSettled(Array.from({ length: 10 }, () => lockDirectory(dataDir)));
  expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
});

test.each([
  ['a process that is gone', '2147483646 1\n'],
  ['a process whose pid another one has now', `${process.pid} 1\n`],
  ['a process killed before it signed', ''],
  ['something that is no pid', 'nonsense\n'],
])('the lock of %s is taken over', async (_case, content) => {
  await writeFile(file, content);
  const unlock = await lockDirectory(dataDir);
  expect(await readFile(file, 'utf8')).toMatch(new RegExp(`^${process.pid} `));
  await unlock();
});

/** When a process started, as the kernel tells it. */
const startOf = async (pid: number) =>
  (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ').at(-1)!.split(' ')[19]!;

test('a lock tells the process and when it started, and goes with it', async () => {
  const unlock = await lockDirectory(dataDir);
  expect(await readFile(file, 'utf8')).toBe(`${process.pid} ${await startOf(process.pid)}\n`);
  expect(await readdir(dataDir)).toEqual(['coterie.pid']);
  await unlock();
  expect(await readdir(dataDir)).toEqual([]);
  // Letting go twice is no harm.
  await unlock();
});

test.each([
  ['and its start', async () => `${process.ppid} ${await startOf(process.ppid)}\n`],
  ['alone', async () => `${process.ppid}\n`],
  // Of another user, unless this one is root: it may not be signalled, but it lives.
  ['of the first process of all', async () => `1 ${await startOf(1)}\n`],
])('the lock of another living process, with its pid %s, is left to it', async (_case, content) => {
  const text = await content();
  await writeFile(file, text);
  const holder = text.trim().split(' ')[0];
  await expect(lockDirectory(dataDir)).rejects.toThrow(
    `The embedded database in ${dataDir} is in use by process ${holder}. Stop it, change DATA_DIR, or set DATABASE_URL.`,
  );
  expect(await readFile(file, 'utf8')).toBe(text);
  expect(await readdir(dataDir)).toEqual(['coterie.pid']);
});

test.each(['0 1\n', '-1 1\n', '1.5 1\n', '2147483646\n'])(
  'the lock of no process, %j, is taken over',
  async (content) => {
    await writeFile(file, content);
    const unlock = await lockDirectory(dataDir);
    expect(await readdir(dataDir)).toEqual(['coterie.pid']);
    expect(await readFile(file, 'utf8')).toMatch(new RegExp(`^${process.pid} `));
    await unlock();
  },
);

test('a lock that is being signed is waited for, and then holds', async () => {
  await writeFile(file, '');
  const tried = lockDirectory(dataDir);
  setTimeout(() => writeFile(file, `${process.ppid}\n`), 60);
  await expect(tried).rejects.toThrow(`in use by process ${process.ppid}`);
});

test('a directory that there is not is no lock', async () => {
  await expect(lockDirectory(join(dataDir, 'none'))).rejects.toMatchObject({ code: 'ENOENT' });
});

test('the embedded database makes its directory, holds the lock while it is open, and lets go of it', async () => {
  const path = join(dataDir, 'made', 'for', 'it');
  const database = await openPglite(path);
  await expect(openPglite(path)).rejects.toThrow(`in use by process ${process.pid}`);
  expect((await readdir(path)).toSorted()).toEqual(['coterie.pid', 'pglite']);
  await database.close();
  expect(database.engine.closed).toBe(true);
  expect(await readdir(path)).toEqual(['pglite']);
  await database.close();
});

test('a database that does not open lets go of the lock', async () => {
  await mkdir(dataDir, { recursive: true });
  await writeFile(join(dataDir, 'pglite'), 'no directory');
  await expect(openPglite(dataDir)).rejects.toThrow();
  expect(await readdir(dataDir)).toEqual(['pglite']);
  expect((await stat(join(dataDir, 'pglite'))).isFile()).toBe(true);
  await rm(dataDir, { recursive: true });
});
