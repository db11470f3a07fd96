// The TypeScript of docs/clients.md: each block type-checks with the schema as it is, and runs against a listening server.
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import { printPossibleTypes } from '../../src/graphql/schema/print.ts';
import { listenTo } from '../federation/subgraphs.ts';
import { introspectionTypes } from './introspection.ts';
import { type Listening, startListening, type Tenant } from './listening.ts';

const ROOT = join(import.meta.dirname, '../..');
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');
const COMPILER_OPTIONS = {
  strict: true,
  target: 'es2024',
  module: 'nodenext',
  types: ['node'],
  lib: ['es2024', 'dom'],
  noEmit: true,
  skipLibCheck: true,
  allowImportingTsExtensions: true,
};

const run = promisify(execFile);
let folder: string;
let page: string;
let blocks: Map<string, string>;
/** What is written between a block and the one before it. */
let prose: Map<string, string>;
let listening: Listening;
let tenant: Tenant;

beforeAll(async () => {
  listening = await startListening();
  tenant = await listening.newTenant();
  page = await readFile(join(ROOT, 'docs/clients.md'), 'utf8');
  const found = [...page.matchAll(/([\s\S]*?)```ts\n\/\/ (\S+\.ts)\n([\s\S]*?)```/g)];
  prose = new Map(found.map(([, before, name]) => [name!, before!]));
  blocks = new Map(found.map(([, , name, code]) => [name!, code!]));
  // In here, where the blocks find the packages that they import.
  folder = await mkdtemp(join(import.meta.dirname, '.page-'));
  await symlink(join(ROOT, 'schema.graphql'), join(folder, 'schema.graphql'));
  await write('graphql-env.d.ts', introspectionTypes());
  await write('possible-types.json', printPossibleTypes());
  await write('package.json', JSON.stringify({ type: 'module' }));
  for (const [name, code] of blocks) await write(name, code);
});
afterAll(async () => {
  await listening.stop();
  await rm(folder, { recursive: true });
});

const write = (name: string, text: string) => writeFile(join(folder, name), text);

/** What the compiler says of these files; nothing if they hold. */
async function typeErrors(...files: string[]): Promise<string> {
  await write('tsconfig.json', JSON.stringify({ compilerOptions: COMPILER_OPTIONS, files }));
  return run(process.execPath, [TSC, '-p', folder]).then(
    () => '',
    ({ stdout }: { stdout: string }) => stdout,
  );
}

/** The block with its server's address replaced by that of the one that listens. */
const here = (name: string) =>
  write(name, blocks.get(name)!.replaceAll('http://127.0.0.1:4000/graphql', listening.url));

async function output(name: string): Promise<string> {
  await here(name);
  const env = { ...process.env, TOKEN: tenant.headers.authorization.replace('Bearer ', '') };
  const { stdout } = await run(process.execPath, [join(folder, name)], { cwd: folder, env });
  return stdout;
}

test('they are all there, and type-check', async () => {
  const names = ['relay.ts', 'apollo-client.ts', 'urql.ts', 'compose.ts', 'hive-gateway.ts'];
  expect([...blocks.keys()]).toEqual(names);
  expect(await typeErrors(...names)).toBe('');
});

test('before each stands what to install for it, and that is installed here', async () => {
  const { dependencies } = JSON.parse(await readFile(join(ROOT, 'test/package.json'), 'utf8'));
  for (const [name, code] of blocks) {
    const commands = [...prose.get(name)!.matchAll(/`npm install (?:-D )?([^`]+)`/g)];
    const installed = commands.flatMap(([, packages]) => packages!.split(' '));
    const imported = [...code.matchAll(/ from '((?:@[^/']+\/)?[^/.'][^/']*)/g)].map(([, each]) => each!);
    expect(installed, name).toEqual(
      expect.arrayContaining(imported.filter((each) => !each.startsWith('node:'))),
    );
    for (const each of installed) expect(Object.keys(dependencies)).toContain(each);
  }
});

test('a typed document is held to the schema', async () => {
  const code = blocks
    .get('urql.ts')!
    .replace('node.name', 'node.salary')
    .replace('search: null', 'search: 7');
  await write('wrong.ts', code);
  expect(await typeErrors('wrong.ts')).toMatch(/'number' is not assignable[\s\S]*'salary' does not exist/);
});

test('clients print what the server holds', async () => {
  expect(await output('relay.ts')).toBe('');
  expect(await output('apollo-client.ts')).toBe('8\n');
  expect(await output('urql.ts')).toBe('EVERYONE true\nPART 0 true\n');
});

async function freeAddress(): Promise<string> {
  const probe = await listenTo(() => {});
  await probe.close();
  return probe.url;
}

test('what is composed is served by Hive Gateway', async () => {
  await output('compose.ts');
  const url = await freeAddress();
  await write('hive-gateway.ts', blocks.get('hive-gateway.ts')!.replace('4001', new URL(url).port));
  const gateway = spawn(process.execPath, [join(folder, 'hive-gateway.ts')], {
    cwd: folder,
    stdio: 'ignore',
  });
  try {
    const ask = () =>
      fetch(url, {
        method: 'POST',
        headers: { ...tenant.headers, 'content-type': 'application/json' },
        body: JSON.stringify({ query: '{ groups { totalCount } }' }),
      }).catch(() => null);
    const response = await vi.waitUntil(ask, { timeout: 50_000, interval: 100 });
    expect(await response.json()).toEqual({ data: { groups: { totalCount: 8 } } });
  } finally {
    // Not asked to end: it would drain, and outlive the tests.
    gateway.kill('SIGKILL');
  }
});

test("the router's configuration is YAML that forwards the token", () => {
  const [, yaml] = /```yaml\n([\s\S]*?)```/.exec(page.slice(page.indexOf('### Apollo Router')))!;
  expect(parse(yaml!)).toMatchObject({
    headers: { all: { request: [{ propagate: { named: 'authorization' } }] } },
    supergraph: { introspection: false },
  });
});
