// The package as frontends install it: `coterie/client` types documents in a project of its own, without a runtime of ours.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { introspectionTypes } from './introspection.ts';

const ROOT = join(import.meta.dirname, '../..');
const run = promisify(execFile);
const versionOf = async (name: string): Promise<string> =>
  JSON.parse(await readFile(join(ROOT, `test/node_modules/${name}/package.json`), 'utf8')).version;

const APP = `import { graphql, readFragment, type ResultOf, type VariablesOf } from 'coterie/client';

const Row = graphql(\`fragment Row on Group { id name description createdAt }\`);
const Groups = graphql(
  \`query Groups($first: Int!, $filter: GroupFilter) {
    groups(first: $first, filter: $filter) { totalCount edges { node { ...Row memberCount } } }
  }\`,
  [Row],
);
const variables: VariablesOf<typeof Groups> = { first: 10, filter: { underGroupId: 'grp_a', isEmpty: false } };
export function names({ groups }: ResultOf<typeof Groups>): string[] {
  return groups.edges.map(({ node }) => readFragment(Row, node).name);
}
export const members = ({ groups }: ResultOf<typeof Groups>): number =>
  groups.edges.reduce((sum, { node }) => sum + node.memberCount, groups.totalCount);
// @ts-expect-error a variable of another type
export const wrong: VariablesOf<typeof Groups> = { first: '10' };
// @ts-expect-error a field that was not selected
export const missing = (result: ResultOf<typeof Groups>) => result.groups.edges[0]?.node.memberNumber;
// @ts-expect-error what can be null
export const length = (result: ResultOf<typeof Row>) => readFragment(Row, result as never).description.length;
console.log(Groups.definitions.length, variables.first);
`;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coterie-package-'));
});
afterAll(() => rm(folder, { recursive: true }));

test('client/introspection.d.ts is what the schema is', async () => {
  const written = await readFile(join(ROOT, 'client/introspection.d.ts'), 'utf8');
  expect(written === introspectionTypes(), 'it is out of date: run `npm run client`').toBe(true);
});

test('an installed package types the documents of a project', { timeout: 240_000 }, async () => {
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], {
    cwd: ROOT,
    maxBuffer: 10e6,
  });
  const [{ filename, files }] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
  const paths = files.map(({ path }) => path);
  expect(paths).toContain('client/introspection.d.ts');
  expect(paths.filter((path) => /^test\/|generated|\.data/.test(path))).toEqual([]);
  await writeFile(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'frontend', private: true, type: 'module' }),
  );
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline'];
  const packages = [`./${filename}`, `gql.tada@${await versionOf('gql.tada')}`];
  await run('npm', ['install', ...flags, ...packages], { cwd: folder });
  await writeFile(join(folder, 'app.ts'), APP);
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const strict = ['--strict', '--noEmit', '--target', 'es2024', '--lib', 'es2024,dom', '--types', ''];
  for (const module of [['nodenext'], ['esnext', '--moduleResolution', 'bundler']]) {
    const { stdout: faults } = await run(
      process.execPath,
      [tsc, ...strict, '--module', ...module, 'app.ts'],
      {
        cwd: folder,
      },
    ).catch((error: { stdout: string }) => error);
    expect(faults).toBe('');
  }
  // Whatever runs it needs gql.tada alone.
  const { stdout: printed } = await run(process.execPath, ['app.ts'], { cwd: folder });
  expect(printed.trim()).toBe('2 10');
});
