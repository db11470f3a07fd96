// Holds the rooms of src/ to the arrows between them: imports follow the data downward.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { arrows, circles, readSources, roomOf } from './architecture/imports.ts';

const SRC = join(import.meta.dirname, '../src');

/**
 * What each room may import, besides itself. A room is a folder, or a file at the top of src/; folders inside `domain` and
 * `graphql` are rooms too. Each arrow is used: one that nothing needs is removed.
 */
const ARROWS: Record<string, readonly string[]> = {
  model: [],
  config: [],
  database: ['model'],
  'domain/log': ['database', 'model'],
  domain: ['database', 'domain/log', 'model'],
  'domain/sharing': ['database', 'domain', 'domain/log', 'model'],
  'domain/loading': ['database', 'domain', 'domain/sharing', 'model'],
  'domain/rows': ['database', 'domain', 'domain/loading', 'domain/log', 'model'],
  'domain/writes': ['database', 'domain/log', 'domain/rows', 'model'],
  'domain/effective-membership': [
    'database',
    'domain',
    'domain/loading',
    'domain/log',
    'domain/rows',
    'domain/sharing',
    'model',
  ],
  'domain/queries': [
    'database',
    'domain',
    'domain/effective-membership',
    'domain/loading',
    'domain/log',
    'domain/rows',
    'domain/sharing',
    'model',
  ],
  'domain/commands/rules': ['database', 'domain', 'domain/log', 'domain/queries', 'domain/rows', 'model'],
  'domain/commands': [
    'database',
    'domain',
    'domain/commands/rules',
    'domain/loading',
    'domain/log',
    'domain/queries',
    'domain/rows',
    'domain/writes',
    'model',
  ],
  'domain/integrity': ['database', 'domain/log', 'model'],
  auth: ['model'],
  'graphql/schema': ['domain', 'domain/commands', 'domain/queries', 'domain/rows', 'model'],
  'graphql/server': ['domain', 'domain/queries', 'graphql/schema', 'model'],
  rest: ['domain', 'domain/commands', 'domain/queries', 'domain/rows', 'model'],
  http: ['model'],
  import: ['database', 'domain/integrity', 'domain/log', 'domain/rows', 'domain/writes', 'model'],
  demo: ['database', 'import'],
  // The commands stand beside the server: they read its configuration and reach the one room each is about.
  cli: ['auth', 'config', 'database', 'demo', 'domain/integrity', 'graphql/schema', 'import', 'rest'],
  app: ['auth', 'config', 'database', 'domain', 'graphql/server', 'http', 'model', 'rest'],
  main: ['app', 'config', 'database', 'demo', 'http', 'import'],
};

/** Imports across the arrows that are meant, each with its file. */
const EXCEPTIONS: Record<string, readonly string[]> = {
  // Pothos takes the shape of the entities from the generated types; no client comes with them.
  'graphql/schema/builder.ts': ['database/generated/pothos.ts'],
  // There is one version number, and it stands there.
  'rest/openapi.ts': ['../package.json'],
};

/** Packages that stay in their rooms: by the first folder. */
const KEPT_IN: [package_: RegExp, rooms: readonly string[]][] = [
  [/^(@prisma\/|prisma$|pg$|@electric-sql\/|pglite-prisma-adapter$)/, ['database']],
  [/^(graphql($|-|\/)|@pothos\/|@apollo\/|@graphql-|@escape\.tech\/)/, ['graphql']],
  [/^(hono$|hono\/|@hono\/|swagger-ui-dist$)/, ['rest', 'http']],
];

/** Longest file, in lines: beyond, a file has more than one subject. */
const MAX_LINES = 300;
/** Longest line, in characters. */
const MAX_WIDTH = 130;

const files = readSources(SRC);
const inside = files.flatMap(({ path, inside }) => inside.map((target) => ({ file: path, target })));
const packages = files.flatMap(({ path, packages }) => packages.map((target) => ({ file: path, target })));

const show = ({ file, target }: { file: string; target: string }) => `src/${file} imports ${target}`;
const topRoomOf = (path: string) => path.split('/')[0]!.replace(/\.ts$/, '');

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

test('every arrow that is allowed is used', () => {
  const used = arrows(files);
  const unused = Object.entries(ARROWS).flatMap(([from, targets]) =>
    targets.filter((to) => !used.get(from)?.has(to)).map((to) => `${from} → ${to}`),
  );
  expect(unused).toEqual([]);
});

test('no imports go round, neither of rooms nor of files', () => {
  expect(circles(new Map([...arrows(files)].map(([room, targets]) => [room, targets.keys()])))).toEqual([]);
  expect(circles(new Map(files.map(({ path, inside }) => [path, inside])))).toEqual([]);
});

test.each(KEPT_IN)('packages like %s stay in %s', (pattern, rooms) => {
  const breaches = packages.filter(
    ({ file, target }) => pattern.test(target) && !rooms.includes(topRoomOf(file)),
  );
  expect(breaches.map(show)).toEqual([]);
});

/** Files whose code changes rows of the tables, however the statement is broken into lines. */
function writersOf(tables: string): string[] {
  const write = new RegExp(
    `\\b(?:insert\\s+into|delete\\s+from|update|merge\\s+into|truncate|copy)\\s+(?:only\\s+)?"?(?:${tables})\\b`,
    'i',
  );
  return files.filter(({ code }) => write.test(code)).map(({ path }) => path);
}

test('memberships and nestings begin and end in domain/writes/edges.ts alone', () => {
  const writers = writersOf('memberships|nestings|membership_history|nesting_history');
  // A deletion and a restoration change of a nesting that stays only what it stands for.
  expect(writers).toEqual([
    'domain/commands/delete-group.ts',
    'domain/commands/restore-nestings.ts',
    'domain/writes/edges.ts',
  ]);
  const edges =
    /\b(?:insert\s+into|delete\s+from)\s+(?:memberships|nestings|membership_history|nesting_history)\b/i;
  expect(files.filter(({ code }) => edges.test(code)).map(({ path }) => path)).toEqual([
    'domain/writes/edges.ts',
  ]);
});

test('the log is written where a change is, and its head where a tenant or a change begins', () => {
  // Personal data of erased users is blanked in the log too.
  expect(writersOf('changes')).toEqual(['domain/log/changes.ts', 'domain/writes/users.ts']);
  expect(writersOf('tenant_logs')).toEqual(['domain/log/write-context.ts', 'domain/writes/tenants.ts']);
  // Each statement that locks it is the first one of a change.
  const lock = /\bfrom\s+tenant_logs\b[^`]*\bfor\s+(?:no\s+key\s+)?update\b/i;
  expect(files.filter(({ code }) => lock.test(code)).map(({ path }) => path)).toEqual([
    'database/case-keys.ts',
    'domain/log/write-context.ts',
  ]);
});

test('no connection to the database is opened whose loss would end the process', () => {
  const tests = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !/(?:^|\/)node_modules\//.test(path))
    .map((path) => ({ path: `test/${path}`, text: readFileSync(join(import.meta.dirname, path), 'utf8') }));
  const own = files.map(({ path, text }) => ({ path: `src/${path}`, text }));
  const opens = [...own, ...tests].filter(({ text }) =>
    /\bnew pg\s*\.\s*(?:Client|Pool|Connection)\b/.test(text),
  );
  expect(opens.map(({ path }) => path).toSorted()).toEqual([
    'src/database/cancel.ts',
    'src/database/postgresql.ts',
    // Contenders of the benchmark, as their users write them.
    'test/bench/contenders/limit.ts',
    'test/bench/contenders/mercurius.ts',
  ]);
});

test('files are short, and so are their lines', () => {
  const long = files.filter(({ text }) => text.split('\n').length - 1 > MAX_LINES).map(({ path }) => path);
  expect(long).toEqual([]);
  const wide = files.flatMap(({ path, text }) =>
    text
      .split('\n')
      .flatMap((line, index) => ([...line].length > MAX_WIDTH ? [`src/${path}:${index + 1}`] : [])),
  );
  expect(wide).toEqual([]);
});

test('only config.ts reads the environment', () => {
  const readers = files
    .filter(({ code }) => /\bprocess\s*\.\s*env\b|\bprocess\[/.test(code))
    .map(({ path }) => path);
  expect(readers).toEqual(['config.ts']);
});

test('no list of unknown length becomes the arguments of a call, which the stack could not hold', () => {
  const spreads = files
    .filter(({ code }) => /\b(?:push|unshift|max|min|fromCharCode)\(\s*\.\.\./.test(code))
    .map(({ path }) => path);
  expect(spreads).toEqual([]);
});

test('every file begins with its purpose', () => {
  const silent = files.filter(({ text }) => !/^(#!.*\n)?\/\/ \S/.test(text)).map(({ path }) => path);
  expect(silent).toEqual([]);
});

test('docs/architecture.md draws each room, and arrows that lead to all that a room may import', () => {
  const page = readFileSync(join(SRC, '../docs/architecture.md'), 'utf8');
  const [, picture] = /```mermaid\n([\s\S]*?)```/.exec(page)!;
  const nodeOf = (room: string) => room.replaceAll(/[/-]/g, '_');
  const allowed = new Map(
    Object.entries(ARROWS).map(([room, targets]) => [nodeOf(room), targets.map(nodeOf)]),
  );
  const drawn = [...picture!.matchAll(/^ *(\w+)(?:\[.*\])? --> (\w+)/gm)].map(
    ([, from, to]) => [from!, to!] as const,
  );
  const reached = (room: string): string[] =>
    drawn.filter(([from]) => from === room).flatMap(([, to]) => [to, ...reached(to)]);
  for (const [from, to] of drawn) expect(allowed.get(from), `${from} --> ${to}`).toContain(to);
  for (const [room, targets] of allowed) {
    expect(picture).toMatch(new RegExp(`\\b${room}\\[`));
    const below = new Set(reached(room));
    expect(
      targets.filter((target) => !below.has(target)),
      room,
    ).toEqual([]);
  }
});
