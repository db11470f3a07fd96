// What a deployment builds on: pinned images, and no secret that everybody knows.
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import packageJson from '../package.json' with { type: 'json' };
import { runCommand } from './support/process.ts';

const read = (name: string) => readFile(new URL(`../${name}`, import.meta.url), 'utf8');
const PINNED = /^[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}$/;

test('every image is pinned by its digest', async () => {
  const bases = [...(await read('Dockerfile')).matchAll(/^FROM (\S+)/gm)].map(([, image]) => image);
  const { services } = parse(await read('compose.yaml')) as { services: Record<string, { image?: string }> };
  const images = Object.values(services).flatMap(({ image }) => image ?? []);
  expect([bases.length, images.length]).toEqual([1, 1]);
  for (const image of [...bases, ...images]) expect(image).toMatch(PINNED);
});

test('the image runs the Node that the tests run on, not as root', async () => {
  const dockerfile = await read('Dockerfile');
  const { devDependencies } = JSON.parse(await read('package.json'));
  expect(dockerfile).toContain(`FROM node:${devDependencies.node}-`);
  expect(dockerfile).toMatch(/^USER node$/m);
});

test('whoever composes it chooses the password of the database', async () => {
  const { services } = parse(await read('compose.yaml'));
  expect(services.database.environment.POSTGRES_PASSWORD).toMatch(/^\$\{POSTGRES_PASSWORD:\?.+\}$/);
  expect(services.gateway.environment.DATABASE_URL).toContain(
    `:${services.database.environment.POSTGRES_PASSWORD}@database/`,
  );
});

describe('on a Node that runs no TypeScript', () => {
  const { scripts } = packageJson;

  test('a command says which it needs', async () => {
    const pretend = `Object.defineProperty(process, 'versions', { value: { node: '20.19.5' } });`;
    const url = new URL('../src/require-node.mjs', import.meta.url);
    const { code, stderr } = await runCommand(process.execPath, ['-e', `${pretend} import('${url}')`], {});
    expect([code, stderr]).toEqual([
      1,
      'Coterie needs Node 24 or newer, and this is Node 20.19.5. `npm ci` brings its own; ' +
        'after `npm ci --omit=dev`, install Node 24 and put it first on PATH.\n',
    ]);
  });

  test.each(Object.entries(scripts).filter(([, script]) => /^node .*\.ts\b/.test(script)))(
    'npm run %s says so first',
    (_name, script) => {
      expect(script).toContain(' --import=./src/require-node.mjs ');
    },
  );
});
