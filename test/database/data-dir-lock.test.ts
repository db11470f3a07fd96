// The lock on the data directory: one living process holds it; locks of dead ones are taken over.
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { lockDirectory } from '../../src/database/data-dir-lock.ts';

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
