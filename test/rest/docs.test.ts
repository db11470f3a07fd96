// Runs docs/rest.md as it is: each command, and the answer shown below it.
import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { seedDemo } from '../../src/demo/demo.ts';
import { type Listening, listen } from '../../src/http/server.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { startApp } from '../support/server.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/rest.md'), 'utf8');
const exports_ = [...page.matchAll(/^export (\w+)=(http\S+)$/gm)].map(([, name, url]) => [name!, url!]);
const shown = [...page.matchAll(/```sh\n(curl [\s\S]*?)```\n+```json\n([\s\S]*?)```/g)].map(
  ([, command, answer]) => [command!, JSON.parse(answer!)] as const,
);

const missing = spawnSync('curl', ['--version']).error !== undefined;
if (missing) console.warn('skipped: the commands of docs/rest.md need curl');

let database: TestDatabase;
let server: Listening;
let environment: Record<string, string>;
beforeAll(async () => {
  database = await openTestDatabase();
  await seedDemo(database.db);
  const { app, config, tokenFor } = await startApp(database.db);
  server = await listen(app.listener, { host: '127.0.0.1', port: 0, timeouts: config.timeouts });
  const tenantAdmin = { sub: 'usr_admin', role: 'tenant_admin', tenant_id: 'tnt_Northwind0000000' };
  environment = {
    ...Object.fromEntries(
      exports_.map(([name, url]) => [name, url!.replace('http://127.0.0.1:4000', server.url)]),
    ),
    TOKEN: await tokenFor(tenantAdmin),
  };
});
afterAll(async () => {
  await server.stop();
  await database.close();
});

test('there are commands to run', () => {
  expect(exports_.map(([name]) => name)).toEqual(['GROUPS_URL', 'ADMIN_URL', 'SERVER_URL']);
  expect(shown.length).toBeGreaterThanOrEqual(4);
});

test.skipIf(missing).each(shown)('%s', async (command, answer) => {
  const { stdout } = await promisify(execFile)('sh', ['-c', command], {
    env: { ...process.env, ...environment },
  });
  const { meta, ...rest } = JSON.parse(stdout);
  expect(rest).toEqual(answer);
});

test('the tables of paths list those that are described', () => {
  const listed = [...page.matchAll(/^\| `(\/\S*)` +\| (.*)\|$/gm)].flatMap(([, path, methods]) =>
    [...methods!.matchAll(/\b(GET|POST|PUT|PATCH|DELETE)\b/g)].map(
      ([method]) => `${method} ${/^\/(tenants|admin)\//.test(path!) ? '/api/v1' : ''}${path}`,
    ),
  );
  const { paths } = JSON.parse(readFileSync(join(import.meta.dirname, '../../openapi.json'), 'utf8'));
  const described = Object.entries(paths as Record<string, object>).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(listed.toSorted()).toEqual(described.toSorted());
});
