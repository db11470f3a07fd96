// Holds the README to the product: its queries answer what it shows, its tables list what there is.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { seedDemo } from '../src/demo/demo.ts';
import { ROLES } from '../src/graphql/schema/viewer.ts';
import { openTestDatabase, type TestDatabase } from './support/postgresql.ts';
import { SUPER_ADMIN, startApp, type TestApp } from './support/server.ts';

const ROOT = join(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const readme = read('README.md');

/** A query and the answer shown below it. */
const tour = [...readme.matchAll(/```graphql\n([\s\S]*?)```\n+```json\n([\s\S]*?)```/g)].map(
  ([, query, answer]) => ({ query: query!, answer: JSON.parse(answer!) }),
);

describe('the tour', () => {
  let database: TestDatabase;
  let server: TestApp;
  beforeAll(async () => {
    database = await openTestDatabase();
    await seedDemo(database.db);
    server = await startApp(database.db);
  });
  afterAll(() => database.close());

  test('is there', () => {
    expect(tour.length).toBeGreaterThanOrEqual(5);
  });

  test.each(tour.map(({ query, answer }, at) => [at + 1, query, answer] as const))(
    'query %i answers as shown',
    async (_number, query, answer) => {
      const { body } = await server.ask(SUPER_ADMIN, query);
      expect({ data: body.data }).toEqual(answer);
    },
  );
});

test('the configuration table lists the variables that are read, and no other', () => {
  const section = readme.slice(readme.indexOf('## Configuration'), readme.indexOf('## The way of a request'));
  const listed = [...section.matchAll(/`([A-Z][A-Z_]+)`/g)].map(([, name]) => name!);
  const config = read('src/config.ts');
  const known = [...config.matchAll(/^ {2}([A-Z][A-Z_]+): /gm)].map(([, name]) => name!);
  expect(known.length).toBeGreaterThan(20);
  expect([...new Set(listed)].sort()).toEqual([...known].sort());
});

test('each npm script is explained, and each that is named exists', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const named = new Set([...readme.matchAll(/npm run (?:-s )?([a-z-]+)/g)].map(([, name]) => name!));
  for (const name of named) expect(Object.keys(scripts)).toContain(name);
  const shown = read('README.md') + read('CONTRIBUTING.md');
  // What npm runs before and after others needs no explanation of its own.
  const own = Object.keys(scripts).filter((name) => !/^(pre|post)/.test(name));
  expect(own.filter((name) => !new RegExp(`npm (run (-s )?)?${name}\\b`).test(shown))).toEqual([]);
});

test('each kind of caller is in the table of callers', () => {
  const rows = [...readme.matchAll(/^\| `([A-Z_]+)`/gm)].map(([, name]) => name!);
  expect(rows).toEqual(expect.arrayContaining(Object.keys(ROLES)));
});

test('files that are linked exist', () => {
  for (const page of ['README.md', 'CONTRIBUTING.md']) {
    const targets = [...read(page).matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map(([, target]) => target!);
    expect(targets.filter((target) => !existsSync(join(ROOT, target)))).toEqual([]);
  }
});
