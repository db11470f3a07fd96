// What `npm ci --omit=dev` installs may be used and passed on by anybody: each package is under a permissive licence.
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';

const PERMISSIVE = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'MIT',
  'MIT-0',
  'Python-2.0',
  'Unlicense',
]);

/** Packages whose package.json names no licence, and that of the file LICENSE beside it. */
const IN_A_FILE: Record<string, string> = { 'node_modules/seq-queue': 'MIT' };

type Locked = { dev?: boolean; link?: boolean; optional?: boolean; license?: string };

const read = (path: string) => readFile(new URL(`../${path}`, import.meta.url), 'utf8');

/** By what the package says itself; optional ones for other platforms are not installed, so by what was locked. */
async function licenceOf(path: string, { license, optional = false }: Locked): Promise<string | undefined> {
  const text = await read(`${path}/package.json`).catch((error) => {
    if (optional) return JSON.stringify({ license });
    throw error;
  });
  return JSON.parse(text).license ?? IN_A_FILE[path];
}

test('every package of production is under a permissive licence', async () => {
  const { packages } = JSON.parse(await read('package-lock.json')) as { packages: Record<string, Locked> };
  const installed = Object.entries(packages).filter(([, { dev, link }]) => !dev && !link);
  expect(installed.length).toBeGreaterThan(100);
  const licences = await Promise.all(
    installed.map(async ([path, locked]) => [path || '.', await licenceOf(path || '.', locked)] as const),
  );
  expect(licences.filter(([, licence]) => !PERMISSIVE.has(licence!))).toEqual([]);
});

test('a licence that only a file tells is the one in that file', async () => {
  for (const [path, licence] of Object.entries(IN_A_FILE)) {
    expect(JSON.parse(await read(`${path}/package.json`)).license).toBeUndefined();
    expect(await read(`${path}/LICENSE`)).toContain(`${licence} License`);
  }
});
