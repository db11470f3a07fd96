// Holds the rooms of src/ to the arrows between them: imports follow the data downward.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readSources } from './architecture/imports.ts';

const SRC = join(import.meta.dirname, '../src');

/** What each room may import, besides itself. Files at the top of src/ are rooms of their own. */
const ARROWS: Record<string, readonly string[]> = {
  model: [],
  config: ['model'],
  database: ['model'],
  domain: ['database', 'model'],
  auth: ['model'],
  graphql: ['domain', 'model'],
  rest: ['domain', 'model'],
  http: ['model'],
  import: ['database', 'domain', 'model'],
  demo: ['database', 'import', 'model'],
  // The commands stand beside the server: they read its configuration and reach the one room each is about.
  cli: ['auth', 'config', 'database', 'demo', 'domain', 'graphql', 'import', 'model', 'rest'],
  app: ['auth', 'config', 'database', 'domain', 'graphql', 'http', 'model', 'rest'],
  main: ['app', 'auth', 'config', 'database', 'demo', 'http', 'import', 'model'],
};

/** Imports across the arrows that are meant, each with its file. */
const EXCEPTIONS: Record<string, readonly string[]> = {
  // Pothos takes the shape of the entities from the generated types; no client comes with them.
  'graphql/schema/builder.ts': ['database/generated/pothos.ts'],
  // There is one version number, and it stands there.
  'rest/openapi.ts': ['../package.json'],
};

/** Packages that stay in their rooms. */
const KEPT_IN: [package_: RegExp, rooms: readonly string[]][] = [
  [
    /^(@prisma\/(?!client\/runtime)|prisma$|pg$|@electric-sql\/|pglite-prisma-adapter$)/,
    ['database', 'domain'],
  ],
  [/^(graphql($|-|\/)|@pothos\/|@apollo\/|@graphql-|@escape\.tech\/)/, ['graphql']],
  [/^(hono$|hono\/|@hono\/|swagger-ui-dist$)/, ['rest', 'http']],
];

const files = readSources(SRC);
const inside = files.flatMap(({ path, inside }) => inside.map((target) => ({ file: path, target })));
const packages = files.flatMap(({ path, packages }) => packages.map((target) => ({ file: path, target })));

const show = ({ file, target }: { file: string; target: string }) => `src/${file} imports ${target}`;
const roomOf = (path: string) => path.split('/')[0]!.replace(/\.ts$/, '');

test('the imports are found', () => {
  expect(inside.length).toBeGreaterThan(50);
  expect(packages.length).toBeGreaterThan(20);
});

test('every room is known', () => {
  expect([...new Set(files.map(({ path }) => roomOf(path)))].filter((room) => !(room in ARROWS))).toEqual([]);
});

test('rooms import only what lies below them', () => {
  const breaches = inside.filter(({ file, target }) => {
    const [from, to] = [roomOf(file), roomOf(target)];
    return from !== to && !ARROWS[from]?.includes(to) && !EXCEPTIONS[file]?.includes(target);
  });
  expect(breaches.map(show)).toEqual([]);
});

test.each(KEPT_IN)('packages like %s stay in %s', (pattern, rooms) => {
  const breaches = packages.filter(
    ({ file, target }) => pattern.test(target) && !rooms.includes(roomOf(file)),
  );
  expect(breaches.map(show)).toEqual([]);
});

test('only config.ts reads the environment', () => {
  const readers = files
    .filter(({ code }) => /\bprocess\s*\.\s*env\b|\bprocess\[/.test(code))
    .map(({ path }) => path);
  expect(readers).toEqual(['config.ts']);
});

test('every file begins with its purpose', () => {
  const silent = files.filter(({ text }) => !/^(#!.*\n)?\/\/ \S/.test(text)).map(({ path }) => path);
  expect(silent).toEqual([]);
});

test('docs/architecture.md draws each room, and arrows that lead to all that a room may import', () => {
  const page = readFileSync(join(SRC, '../docs/architecture.md'), 'utf8');
  const [, picture] = /```mermaid\n([\s\S]*?)```/.exec(page)!;
  const drawn = [...picture!.matchAll(/^ *(\w+)(?:\[.*\])? --> (\w+)/gm)].map(
    ([, from, to]) => [from!, to!] as const,
  );
  const reached = (room: string): string[] =>
    drawn.filter(([from]) => from === room).flatMap(([, to]) => [to, ...reached(to)]);
  for (const [from, to] of drawn) expect(ARROWS[from], `${from} --> ${to}`).toContain(to);
  for (const [room, targets] of Object.entries(ARROWS)) {
    expect(picture).toMatch(new RegExp(`\\b${room}\\[`));
    expect(
      [...targets].filter((target) => !reached(room).includes(target)),
      room,
    ).toEqual([]);
  }
});
