// Changes that race on a real server, from two processes: no cycle, no lost name, no edge at a deleted group.
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Prisma } from '../../src/database/database.ts';
import { addGroupMembers } from '../../src/domain/commands/add-members.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { deleteGroup } from '../../src/domain/commands/delete-group.ts';
import { removeUsers } from '../../src/domain/commands/remove-users.ts';
import { upsertUsers } from '../../src/domain/commands/upsert-users.ts';
import { openDirectory } from '../../src/domain/directory.ts';
import { checkDirectory } from '../../src/domain/integrity/check.ts';
import { isDirectoryError } from '../../src/model/errors.ts';
import { newId, type TenantId } from '../../src/model/ids.ts';
import { createTenant, openAsAdmin, superAdmin } from '../support/directories.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import type { RaceOrder, RaceReport } from '../support/race-worker.ts';
import { seed } from '../support/seed.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await openTestDatabase({ poolSize: 20 });
});
afterAll(() => database.close());

/** Changes of each of the two processes. */
const CHANGES = 1_100;

function runWorker(order: RaceOrder): Promise<RaceReport> {
  return new Promise((resolve, reject) => {
    const worker = fork(join(import.meta.dirname, '../support/race-worker.ts'), { execArgv: [] });
    worker.once('message', (report) => resolve(report as RaceReport));
    worker.once('error', reject);
    worker.once('exit', (code) => code && reject(new Error(`the process ended with ${code}`)));
    worker.send(order);
  });
}

/** What became of each: `done`, or the code of its refusal. Anything else fails the test. */
async function outcomes(work: Promise<unknown>[]): Promise<string[]> {
  return Promise.all(
    work.map((each) =>
      each.then(
        () => 'done',
        (error) => {
          if (isDirectoryError(error) && error.code !== 'UNAVAILABLE') return error.code;
          throw error;
        },
      ),
    ),
  );
}

test(`${2 * CHANGES} racing nestings and moves from two processes close no cycle`, {
  timeout: 240_000,
}, async () => {
  const { db, url } = database;
  const { tenantId } = await createTenant(db);
  const directory = openAsAdmin(db, tenantId);
  const groupIds: string[] = [];
  for (let at = 0; at < 40; at += 1) {
    groupIds.push((await createGroup(directory, { tenantId, name: `Group ${at}` })).group.id);
  }
  const order = { url, tenantId, groupIds, changes: CHANGES };
  // How they interleave is the machine's; what each process tries follows from the seed.
  const reports = await Promise.all([seed, seed + 1].map((seed) => runWorker({ ...order, seed })));
  expect(reports.flatMap((report) => report.unhandled)).toEqual([]);
  const total = (report: RaceReport) =>
    report.done + Object.values(report.refused).reduce((sum, n) => sum + n, 0);
  expect(reports.reduce((sum, report) => sum + total(report), 0)).toBe(2 * CHANGES);
  for (const { done, refused } of reports) {
    expect(done).toBeGreaterThan(100);
    expect(refused.CYCLE ?? 0).toBeGreaterThan(10);
  }
  expect(await checkDirectory(db, tenantId)).toEqual([]);
});

test('of racing creates with one name, exactly one wins', async () => {
  const { tenantId } = await createTenant(database.db);
  for (let round = 0; round < 10; round += 1) {
    const work = Array.from({ length: 20 }, () =>
      createGroup(openAsAdmin(database.db, tenantId), {
        tenantId,
        name: round % 2 ? `Name ${round}` : `NAME ${round}`,
      }),
    );
    const results = await outcomes(work);
    expect(results.filter((result) => result === 'done')).toHaveLength(1);
    expect(results.filter((result) => result === 'NAME_TAKEN')).toHaveLength(19);
  }
});

test('members added while their group is deleted never leave an edge at it', async () => {
  const { db } = database;
  const { tenantId, userIds } = await createTenant(db, 30);
  const directory = openAsAdmin(db, tenantId);
  for (let round = 0; round < 15; round += 1) {
    const { group } = await createGroup(directory, { tenantId, name: `Round ${round}` });
    const adds = userIds.map((userId) =>
      addGroupMembers(openAsAdmin(db, tenantId), { groupId: group.id, userIds: [userId] }),
    );
    const deletion = deleteGroup(openAsAdmin(db, tenantId), { id: group.id, strategy: 'CASCADE' });
    const results = await outcomes([...adds, deletion]);
    expect(results.at(-1)).toBe('done');
    expect(results.filter((result) => result !== 'done' && result !== 'NOT_FOUND')).toEqual([]);
    const { removedMembershipCount } = await deletion;
    const acknowledged = results.slice(0, -1).filter((result) => result === 'done').length;
    expect(removedMembershipCount).toBe(acknowledged);
    const edges = await db.sql(
      Prisma.sql`select 1 from memberships where tenant_id = ${tenantId} and group_id = ${group.id}`,
    );
    expect(edges).toEqual([]);
  }
});

test('members added while users are removed leave no edge at a removed user', async () => {
  const { db } = database;
  const { tenantId, userIds } = await createTenant(db, 40);
  const directory = openAsAdmin(db, tenantId);
  const { group } = await createGroup(directory, { tenantId, name: 'Crowd' });
  const results = await outcomes(
    userIds.flatMap((userId) => [
      addGroupMembers(openAsAdmin(db, tenantId), { groupId: group.id, userIds: [userId] }),
      removeUsers(openAsAdmin(db, tenantId), { tenantId, userIds: [userId] }),
    ]),
  );
  expect(results.filter((_, at) => at % 2 === 1)).toEqual(userIds.map(() => 'done'));
  expect(await db.sql(Prisma.sql`select 1 from memberships where tenant_id = ${tenantId}`)).toEqual([]);
});

test('users that are upserted while they are removed are there or gone, and no upsert is refused', async () => {
  const { db } = database;
  const [one, two] = [await createTenant(db, 12), await createTenant(db)];
  const { tenantId, userIds } = one;
  const user = (id: string) => ({ id, email: `${id}@example.org` });
  const sync = (to: TenantId, users: object[]) =>
    upsertUsers(openDirectory(db, superAdmin), { tenantId: to, users: users as [] });
  for (let round = 0; round < 3; round += 1) {
    const results = await outcomes(
      userIds.flatMap((id) => [
        sync(tenantId, userIds.map(user)),
        removeUsers(openAsAdmin(db, tenantId), { tenantId, userIds: [id] }),
      ]),
    );
    expect(results.filter((_, at) => at % 2 === 0)).toEqual(userIds.map(() => 'done'));
    const removals = results.filter((_, at) => at % 2 === 1);
    expect(removals.filter((result) => result !== 'done' && result !== 'UNKNOWN_USERS')).toEqual([]);
  }
  // A new id that two tenants name at once is of one of them, and never a fault for the other.
  for (let round = 0; round < 10; round += 1) {
    const id = newId('user');
    const results = await outcomes(
      [tenantId, two.tenantId].flatMap((to) => [1, 2].map(() => sync(to, [user(id)]))),
    );
    expect(results.toSorted()).toEqual(['OTHER_TENANT', 'OTHER_TENANT', 'done', 'done']);
  }
});
