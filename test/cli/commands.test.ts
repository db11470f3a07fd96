// The commands as an operator runs them: what they print, and the exit code that a script goes by.
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { claimsOf } from '../../src/cli/token.ts';
import { Prisma } from '../../src/database/database.ts';
import { MIGRATIONS_DIR } from '../../src/database/migrate.ts';
import { createTenant } from '../support/directories.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { runCommand } from '../support/process.ts';

let database: TestDatabase;
let folder: string;
beforeAll(async () => {
  database = await openTestDatabase();
  folder = await mkdtemp(join(tmpdir(), 'coterie-commands-'));
});
afterAll(async () => {
  await database.close();
  await rm(folder, { recursive: true });
});

const run = (script: 'check-directory' | 'import' | 'migrate', ...args: string[]) =>
  runCommand(packageJson.scripts[script], args, { DATABASE_URL: database.url, DATA_DIR: folder });

describe('a token', () => {
  test.each([
    ['--role super_admin', { sub: 'usr_Development00001', role: 'super_admin' }],
    ['--role super_admin --sub usr_me', { sub: 'usr_me', role: 'super_admin' }],
    [
      '--role partner_admin --partner prt_p',
      { sub: 'usr_Development00001', role: 'partner_admin', partner_id: 'prt_p' },
    ],
    [
      '--role tenant_admin --tenant tnt_t',
      { sub: 'usr_Development00001', role: 'tenant_admin', tenant_id: 'tnt_t' },
    ],
    [
      '--role service --tenant tnt_t',
      { sub: 'client-development', tenant_id: 'tnt_t', scope: 'groups:read groups:write' },
    ],
    [
      '--role service --tenant tnt_t --scope groups:read',
      { sub: 'client-development', tenant_id: 'tnt_t', scope: 'groups:read' },
    ],
    ['--role user --tenant tnt_t --sub usr_me', { sub: 'usr_me', tenant_id: 'tnt_t' }],
  ])('with %s has the claims of its role', (args, claims) => {
    expect(claimsOf(args.split(' '))).toEqual(claims);
  });

  test.each([
    ['', '--role must be one of super_admin, partner_admin, tenant_admin, service, user'],
    ['--role root', '--role must be one of super_admin, partner_admin, tenant_admin, service, user'],
    ['--role user --tenant tnt_t', '--role user needs --sub, the id of the user'],
    ['--role user --sub usr_me', 'The token lacks tenant_id, which a token without a role needs'],
    ['--role tenant_admin', 'The token lacks tenant_id, which tenant_admin needs'],
    ['--role partner_admin', 'The token lacks partner_id, which partner_admin needs'],
    ['--role service --tenant tnt_t --scope x', 'Service token requires groups:read or groups:write scope'],
    ['--role super_admin --colour red', "Unknown option '--colour'"],
  ])('with "%s" is refused with what is missing', (args, message) => {
    expect(() => claimsOf(args.split(' ').filter(Boolean))).toThrow(message);
  });
});

test('the check names each fault and fails; repaired, it passes', async () => {
  const { userIds } = await createTenant(database.db, 1);
  await database.db.sql(Prisma.sql`update users set search_key = 'other' where id = ${userIds[0]}`);
  const found = await run('check-directory');
  expect(found).toMatchObject({ code: 1, stderr: '' });
  expect(found.stdout).toContain(userIds[0]);
  expect(found.stdout).toMatch(/\n1 faults\n$/);
  expect(await run('check-directory', '--repair')).toEqual({
    code: 0,
    stdout: 'Rewrote the derived columns of 1 rows\nThe directory keeps its rules\n',
    stderr: '',
  });
  expect(await run('check-directory', '--mend')).toMatchObject({ code: 1, stdout: '' });
});

describe('an import', () => {
  const fileOf = async (tenant: string, users: object[]) => {
    const path = join(folder, `${tenant}.json`);
    const tenants = [{ id: tenant, partnerId: 'prt_P', name: tenant, slug: tenant.slice(4) }];
    const tables = { partners: [{ id: 'prt_P', name: 'P' }], tenants, users, groups: [] };
    await writeFile(path, JSON.stringify({ ...tables, memberships: [], nestings: [] }));
    return path;
  };
  const user = (tenantId: string, email: string) => ({ id: 'usr_One', tenantId, email, displayName: null });

  test('of a file that holds is whole', async () => {
    const { code, stdout } = await run(
      'import',
      await fileOf('tnt_Good', [user('tnt_Good', 'a@example.org')]),
    );
    expect(stdout).toContain('tnt_Good');
    expect(code).toBe(0);
  });

  test('of a tenant that does not is refused, with its place', async () => {
    const { code, stdout } = await run('import', await fileOf('tnt_Bad', [user('tnt_Bad', 'nobody')]));
    expect(stdout).toContain('users[0]');
    expect(code).toBe(1);
    const stored = Prisma.sql`select id from tenants where id = 'tnt_Bad'`;
    expect(await database.db.sql(stored)).toEqual([]);
  });

  test.each([
    [[], 'Usage: npm run import -- FILE\n'],
    [['/nowhere.json'], "ENOENT: no such file or directory, stat '/nowhere.json'\n"],
  ])('of %j tells what it needs', async (args, message) => {
    expect(await run('import', ...args)).toEqual({ code: 1, stdout: '', stderr: message });
  });
});

test('a migration has a name, and is written only if there is something to migrate', async () => {
  const before = await readdir(MIGRATIONS_DIR);
  expect(await run('migrate', 'create', 'nothing')).toEqual({
    code: 0,
    stdout: 'schema.prisma and the migrations agree: nothing to write\n',
    stderr: '',
  });
  for (const args of [['create'], ['create', 'Two Words'], ['destroy']]) {
    const { code, stdout, stderr } = await run('migrate', ...args);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^Usage: npm run migrate/);
  }
  expect(await readdir(MIGRATIONS_DIR)).toEqual(before);
});
