// The server as a newcomer meets it: a first start, its commands, a second process, an orderly stop and a kill.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import packageJson from '../package.json' with { type: 'json' };
import { createDatabase } from './support/postgresql.ts';
import { type RunningServer, runCommand, runScript, startServer } from './support/process.ts';

async function ask(url: string, token: string, query: string) {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query }),
  });
  // biome-ignore lint/suspicious/noExplicitAny: the shape is the query's.
  return (await response.json()) as any;
}

const tokensOf = ({ stdout }: RunningServer) =>
  new Map([...stdout.matchAll(/^ {2}(\w+) +(ey\S+)$/gm)].map(([, role, token]) => [role!, token!]));

/** Lets a signal leave a rejection to nobody, as a fault of a library would. */
const REJECTING =
  "--import=data:text/javascript,process.on('SIGUSR2',()=>{Promise.reject(Error('left-alone'))})";

describe('on the embedded database', { timeout: 120_000 }, () => {
  let dataDir: string;
  let first: RunningServer;
  let tokens: Map<string, string>;
  let server: RunningServer;
  beforeAll(async () => {
    dataDir = join(await mkdtemp(join(tmpdir(), 'coterie-start-')), 'data');
    first = await startServer({ DATA_DIR: dataDir });
    tokens = tokensOf(first);
    server = first;
  }, 120_000);
  // Some tests end it.
  beforeEach(async () => {
    if (server.child.exitCode !== null || server.child.signalCode !== null)
      server = await startServer({ DATA_DIR: dataDir });
  }, 120_000);
  afterAll(() => server.stop().catch(() => {}));

  test('the first start loads the demo directory and prints a token for each role', async () => {
    const roles = [...tokens.keys()];
    expect(roles).toEqual(['super_admin', 'partner_admin', 'tenant_admin', 'service', 'user']);
    const seen = [];
    for (const token of tokens.values()) {
      const { data } = await ask(
        server.url,
        token,
        '{ viewer { role } tenants { totalCount } groups { totalCount } }',
      );
      seen.push([data.viewer.role, data.tenants.totalCount, data.groups.totalCount > 0]);
    }
    expect(seen).toEqual([
      ['SUPER_ADMIN', 3, true],
      ['PARTNER_ADMIN', 2, true],
      ['TENANT_ADMIN', 1, true],
      ['SERVICE', 1, true],
      ['USER', 0, true],
    ]);
    expect(first.stderr).toBe('');
  });

  test('the data directory is for its owner alone', async () => {
    const modes = ['.', 'pglite', 'development-key.json'].map(
      async (name) => (await stat(join(dataDir, name))).mode,
    );
    expect((await Promise.all(modes)).map((mode) => (mode & 0o777).toString(8))).toEqual([
      '700',
      '700',
      '600',
    ]);
  });

  test('a token of the command alone on stdout is accepted', async () => {
    const { stdout, code } = await runScript('token', ['--role', 'super_admin'], { DATA_DIR: dataDir });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ey[\w.-]+\n$/);
    expect((await ask(server.url, stdout.trim(), '{ viewer { role } }')).data.viewer.role).toBe(
      'SUPER_ADMIN',
    );
  });

  test('a token that would not hold is not signed', async () => {
    const { stdout, stderr, code } = await runScript('token', ['--role', 'tenant_admin'], {
      DATA_DIR: dataDir,
    });
    expect([stdout, code]).toEqual(['', 1]);
    expect(stderr).toContain('tenant_id');
  });

  test('a second process is refused, with the pid of the first', async () => {
    await expect(startServer({ DATA_DIR: dataDir })).rejects.toThrow(/in use by process \d+/);
    const { code, stderr } = await runScript('seed', [], { DATA_DIR: dataDir });
    expect(code).toBe(1);
    expect(stderr).toMatch(/in use by process \d+/);
  });

  test('after a kill the next start has every acknowledged change, and seeds nothing', async () => {
    const token = tokens.get('super_admin')!;
    const create =
      'mutation { createGroup(input: { tenantId: "tnt_Northwind0000000", name: "Kept" }) { __typename } }';
    expect((await ask(server.url, token, create)).data.createGroup.__typename).toBe('CreateGroupPayload');
    await server.kill();
    server = await startServer({ DATA_DIR: dataDir });
    expect(server.stdout).not.toContain('Loading the demo');
    const kept = await ask(server.url, token, '{ groups(filter: { search: "kept" }) { totalCount } }');
    expect(kept.data.groups.totalCount).toBe(1);
  });

  test('SIGTERM lets an open request finish, then ends the process with 0', async () => {
    const { port } = new URL(server.url);
    const token = tokens.get('super_admin')!;
    const body = JSON.stringify({ query: '{ viewer { role } }' });
    const socket = connect(Number(port), '127.0.0.1');
    await once(socket, 'connect');
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk;
    });
    const head = `POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nauthorization: Bearer ${token}\r\ncontent-length: ${body.length}\r\nexpect: 100-continue\r\n\r\n`;
    socket.write(head);
    await expect.poll(() => answer).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    socket.write(body.slice(0, 10));
    const stopped = server.stop();
    const isOpen = () =>
      fetch(`${server.url}/livez`, { headers: { connection: 'close' } }).then(
        () => true,
        () => false,
      );
    await expect.poll(isOpen).toBe(false);
    socket.write(body.slice(10));
    await once(socket, 'close');
    expect(answer).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /);
    expect(answer).toContain('SUPER_ADMIN');
    expect(await stopped).toBe(0);
  });
});

test('on a server the same start does the same', { timeout: 120_000 }, async () => {
  const { url, drop } = await createDatabase();
  const dataDir = await mkdtemp(join(tmpdir(), 'coterie-start-'));
  const server = await startServer({ DATABASE_URL: url, DATA_DIR: dataDir, NODE_OPTIONS: REJECTING });
  const token = tokensOf(server).get('super_admin')!;
  expect((await ask(server.url, token, '{ tenants { totalCount } }')).data.tenants.totalCount).toBe(3);
  // A rejection that nobody handles is logged, and the server goes on.
  server.child.kill('SIGUSR2');
  await expect.poll(() => server.stdout).toContain('left-alone');
  expect((await fetch(`${server.url}/livez`)).status).toBe(200);
  const checked = await runScript('check-directory', [], { DATABASE_URL: url, DATA_DIR: dataDir });
  expect(checked).toMatchObject({ code: 0, stdout: 'The directory keeps its rules\n' });
  expect(await server.stop()).toBe(0);
  await drop();
});

test('a command that migrated ends when its work is done', { timeout: 120_000 }, async () => {
  const { url, drop } = await createDatabase();
  const [, ...args] = packageJson.scripts.migrate.split(' ');
  const child = spawn(process.execPath, args, {
    cwd: join(import.meta.dirname, '..'),
    env: { ...process.env, NODE_ENV: '', DATABASE_URL: url },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  expect(String(await once(child.stdout, 'data'))).toBe('The database is migrated\n');
  // Prisma's migration engine would keep it for ten seconds more.
  expect(await Promise.race([ended, sleep(8_000, 'it stays')])).toEqual([0, null]);
  await drop();
});

test.each([
  ['production without an issuer', { NODE_ENV: 'production' }, ['AUTH_ISSUER: required in production']],
  ['an open address without an issuer', { HOST: '0.0.0.0' }, ['HOST: must be a loopback address']],
  [
    'every bad variable at once',
    { PORT: '70000', LOG_LEVEL: 'loud', DATABASE_URL: 'mysql://x', LIMIT_COST: '0' },
    ['PORT', 'LOG_LEVEL', 'DATABASE_URL: must start with postgresql://', 'LIMIT_COST'],
  ],
])('%s is refused before anything is opened', async (_case, variables, named) => {
  const dataDir = join(tmpdir(), 'coterie-never-made');
  const { code, stdout, stderr } = await runCommand(packageJson.scripts.start, [], {
    DATA_DIR: dataDir,
    ...variables,
  });
  expect(code).toBe(1);
  expect(stdout).toBe('');
  for (const name of named) expect(stderr).toContain(name);
});
