// Holds the README and the pages of docs/ to the product: queries answer what is shown, tables list what there is, links lead
// somewhere.

import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { seedDemo } from '../src/demo/demo.ts';
import { ROLES } from '../src/graphql/schema/viewer.ts';
import { openTestDatabase, type TestDatabase } from './support/postgresql.ts';
import { SUPER_ADMIN, startApp, type TestApp } from './support/server.ts';

const ROOT = join(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
/** The pages about the product as it is; decisions and the changelog tell of what was. */
const PAGES = ['README.md', ...globSync('docs/*.md', { cwd: ROOT }).sort()];
const RECORDS = ['CHANGELOG.md', ...globSync('docs/decisions/*.md', { cwd: ROOT }).sort()];
const GUIDES = ['CONTRIBUTING.md', 'SECURITY.md'];

/** Each query with the answer shown below it. */
const shown = PAGES.flatMap((page) =>
  [...read(page).matchAll(/```graphql\n([\s\S]*?)```\n+```json\n([\s\S]*?)```/g)].map(
    ([, query, answer], at) => ({
      name: `${page} ${at + 1}`,
      page,
      query: query!,
      answer: JSON.parse(answer!) as unknown,
    }),
  ),
);

describe('the queries', () => {
  let database: TestDatabase;
  let server: TestApp;
  beforeAll(async () => {
    database = await openTestDatabase();
    await seedDemo(database.db);
    server = await startApp(database.db);
  });
  afterAll(() => database.close());

  test('are five or more in each tour', () => {
    const { 'README.md': short, 'docs/tour.md': long } = Object.groupBy(shown, ({ page }) => page);
    expect(short!.length).toBeGreaterThanOrEqual(5);
    expect(long!.length).toBeGreaterThanOrEqual(5);
  });

  test.each(shown)('of $name answer as shown', async ({ query, answer }) => {
    const { body } = await server.ask(SUPER_ADMIN, query);
    expect({ data: body.data }).toEqual(answer);
  });
});

/** The cells of the rows of a page's tables. */
const rowsOf = (page: string) =>
  [...read(page).matchAll(/^\| (.*) \|$/gm)].map(([, row]) => row!.split(' | ').map((cell) => cell.trim()));
const codeIn = (text: string) => [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => code!);

describe('the configuration table', () => {
  const rows = rowsOf('docs/configuration.md').filter(([names]) => names!.startsWith('`'));
  const config = read('src/config.ts');

  test('lists the variables that are read, and no other', () => {
    const listed = rows.flatMap(([names]) => codeIn(names!));
    const known = [...config.matchAll(/^ {2}([A-Z][A-Z_]+): /gm)].map(([, name]) => name!);
    expect(known.length).toBeGreaterThan(20);
    expect(listed.toSorted()).toEqual(known.toSorted());
  });

  test('has the default of each number', () => {
    const defaults = rows.flatMap(([names, values]) => {
      const given = values!.replaceAll('`', '').split(', ');
      return codeIn(names!).map((name, at) => [name, given[at]!] as const);
    });
    const numbers = [...config.matchAll(/^ {2}([A-Z_]+): count\(([\d_ *]+)\)/gm)].map(([, name, product]) => [
      name!,
      String(product!.split('*').reduce((value, factor) => value * Number(factor.replaceAll('_', '')), 1)),
    ]);
    expect(numbers.length).toBeGreaterThan(10);
    expect(defaults).toEqual(expect.arrayContaining(numbers));
  });
});

test('each npm script is explained, and each that is named exists', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const text = [...PAGES, ...GUIDES].map(read).join('\n');
  const named = new Set([...text.matchAll(/npm run (?:-s )?([a-z-]+)/g)].map(([, name]) => name!));
  for (const name of named) expect(Object.keys(scripts)).toContain(name);
  // What npm runs before and after others needs no explanation of its own.
  const own = Object.keys(scripts).filter((name) => !/^(pre|post)/.test(name));
  expect(own.filter((name) => !new RegExp(`npm (run (-s )?)?${name}\\b`).test(text))).toEqual([]);
});

test('each kind of caller is in the table of callers', () => {
  const listed = rowsOf('docs/rules.md').flatMap(([name]) => codeIn(name!));
  expect(listed).toEqual(expect.arrayContaining(Object.keys(ROLES)));
});

test('each metric of our own is in the table of metrics', () => {
  const listed = rowsOf('docs/operations.md').flatMap(([name]) => codeIn(name!));
  const names = [...read('src/http/metrics.ts').matchAll(/name: '(\w+)'/g)].map(([, name]) => name!);
  expect(names.length).toBeGreaterThan(1);
  expect(listed.filter((name) => name.startsWith('coterie_')).toSorted()).toEqual(names.toSorted());
});

test('the README has at most 300 lines', () => {
  expect(read('README.md').split('\n').length).toBeLessThanOrEqual(301);
});

describe('each walk through the source', () => {
  const walks = read('docs/architecture.md').split('\n### ').slice(1);
  test.each(walks.map((walk) => [walk.split('\n')[0]!, walk] as const))(
    '%s has at most 12 files, each once',
    (_title, walk) => {
      const files = [...walk.matchAll(/^\| `(src\/[^`]+)`/gm)].map(([, file]) => file!);
      expect(files.length).toBeGreaterThan(5);
      expect(files.length).toBeLessThanOrEqual(12);
      expect(new Set(files).size).toBe(files.length);
    },
  );
  test('is one of three', () => expect(walks.length).toBe(3));
});

const withoutCode = (text: string) => text.replace(/^ *```[\s\S]*?^ *```$/gm, '').replace(/`[^`\n]*`/g, '`');

/** The fragments that GitHub gives the headings of a page. */
const anchorsOf = (page: string) =>
  [
    ...read(page)
      .replace(/^ *```[\s\S]*?^ *```$/gm, '')
      .matchAll(/^#+ (.*)$/gm),
  ].map(([, title]) =>
    title!
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );

test.each([...PAGES, ...GUIDES, ...RECORDS])('links of %s lead somewhere', (page) => {
  const targets = [...withoutCode(read(page)).matchAll(/\]\((?!https?:)([^)]+)\)/g)].map(
    ([, target]) => target!,
  );
  const broken = targets.filter((target) => {
    const [path, anchor] = target.split('#') as [string, string?];
    const linked = path === '' ? page : join(dirname(page), path);
    if (!existsSync(join(ROOT, linked))) return true;
    return anchor !== undefined && !anchorsOf(linked).includes(anchor);
  });
  expect(broken).toEqual([]);
});

test('each page of docs/ is linked from the README', () => {
  const linked = [...read('README.md').matchAll(/\]\((docs\/[^)#]+)/g)].map(([, target]) => target!);
  expect(linked).toEqual(expect.arrayContaining(PAGES.slice(1)));
});

/** A path from the root of the repository: of a folder of it, or of a file in any folder. */
const PATH =
  /(?<![\w./-])(?:(?:src|test|docs|prisma)\/[\w./{},*-]*|(?:[\w-]+\/)+[\w.-]+\.(?:ts|md|yaml|prisma|svg))/g;

test.each([...PAGES, ...GUIDES])('paths that %s names exist', (page) => {
  const links = /\]\([^)]*\)/g;
  const named = [...read(page).replace(links, ']').matchAll(PATH)].map(([path]) => path.replace(/[.,]$/, ''));
  expect(named.filter((path) => globSync(path, { cwd: ROOT }).length === 0)).toEqual([]);
});
