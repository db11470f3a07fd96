// Holds the rooms of src/ to the arrows between them: imports follow the data downward.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';

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
  // The commands stand beside the server: they read its configuration and reach the one room each is about.
  cli: ['auth', 'config', 'database', 'domain', 'graphql', 'model', 'rest'],
  app: ['auth', 'config', 'database', 'domain', 'graphql', 'http', 'model', 'rest'],
  main: ['app', 'auth', 'cli', 'config', 'database', 'http', 'model'],
};

/** Imports across the arrows that are meant, each with its file. */
const EXCEPTIONS: Record<string, readonly string[]> = {
  // Pothos takes the shape of the entities from the generated types; no client comes with them.
  'graphql/builder.ts': ['database/generated/pothos.ts'],
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

type Import = { file: string; target: string };

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => file.endsWith('.ts') && !file.startsWith('database/generated/'));

const source = (file: string) => readFileSync(join(SRC, file), 'utf8');
const code = (file: string) => source(file).replace(/^\s*(\/\/|\*|\/\*).*$/gm, '');
const roomOf = (path: string) => path.split('/')[0]!.replace(/\.ts$/, '');

const SPECIFIER =
  /(?:^|[;\s])(?:import|export)\b[^;'"`]*?\bfrom\s*['"]([^'"]+)['"]|\bimport\s*\(?\s*['"]([^'"]+)['"]/gm;

const imports: Import[] = files.flatMap((file) =>
  [...code(file).matchAll(SPECIFIER)].map((match) => ({ file, target: (match[1] ?? match[2])! })),
);
const inside = imports
  .filter(({ target }) => target.startsWith('.'))
  .map(({ file, target }) => ({
    file,
    target: relative(SRC, join(SRC, dirname(file), target)).replaceAll('\\', '/'),
  }));
const packages = imports.filter(({ target }) => !target.startsWith('.') && !target.startsWith('node:'));

const show = ({ file, target }: Import) => `src/${file} imports ${target}`;

test('the imports are found', () => {
  expect(inside.length).toBeGreaterThan(50);
  expect(packages.length).toBeGreaterThan(20);
});

test('every room is known', () => {
  expect([...new Set(files.map(roomOf))].filter((room) => !(room in ARROWS))).toEqual([]);
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
  const readers = files.filter((file) => /\bprocess\s*\.\s*env\b|\bprocess\[/.test(code(file)));
  expect(readers.filter((file) => file !== 'config.ts')).toEqual([]);
});

test('every file begins with its purpose', () => {
  const silent = files.filter((file) => !/^(#!.*\n)?\/\/ \S/.test(source(file)));
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
