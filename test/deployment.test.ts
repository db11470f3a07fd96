// What a deployment builds on: pinned images, and no secret that everybody knows.
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

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
