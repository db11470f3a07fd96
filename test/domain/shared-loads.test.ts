// What requests that wait at the same time share: one statement where callers see the same, and never more than that.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Database, Prisma } from '../../src/database/database.ts';
import { openDirectory, type Seeing } from '../../src/domain/directory.ts';
import { createGroup } from '../../src/domain/group-changes.ts';
import { findGroup } from '../../src/domain/groups.ts';
import { addGroupMembers, countMembers, listMembers } from '../../src/domain/members.ts';
import { loader } from '../../src/domain/shared-loads.ts';
import type { TenantId } from '../../src/model/ids.ts';
import { createTenant, openAsAdmin, plainUser } from '../support/directories.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';

let database: TestDatabase;
let db: Database;
const statements: string[] = [];
beforeAll(async () => {
  database = await openTestDatabase();
  db = database.db;
  db.onStatement((text) => statements.push(text));
});
afterAll(() => database.close());
beforeEach(() => statements.splice(0));

const createGroups = async (tenantId: TenantId, count: number) => {
  const ids: string[] = [];
  for (let n = 0; n < count; n += 1) {
    const { group } = await createGroup(openAsAdmin(db, tenantId), { tenantId, name: `Group ${n}` });
    ids.push(group.id);
  }
  statements.splice(0);
  return ids;
};

test('requests of the same sight share a statement, and each is given its own', async () => {
  const { tenantId } = await createTenant(db);
  const ids = await createGroups(tenantId, 8);
  const asked = [...ids, ids[0]!, 'grp_missing00000000000000000'];
  const found = await Promise.all(asked.map((id) => findGroup(openAsAdmin(db, tenantId), id)));
  expect(found.map((group) => group?.id)).toEqual([...ids, ids[0], undefined]);
  expect(statements.length).toBe(1);
});

test('pages of one kind are read together, those of another apart', async () => {
  const { tenantId, userIds } = await createTenant(db, 3);
  const ids = await createGroups(tenantId, 4);
  for (const [at, groupId] of ids.entries()) {
    await addGroupMembers(openAsAdmin(db, tenantId), { groupId, userIds: userIds.slice(0, at) });
  }
  statements.splice(0);
  const read = (id: string, first: number) =>
    listMembers(openAsAdmin(db, tenantId), { id } as never, { page: { first } });
  const pages = await Promise.all([...ids.map((id) => read(id, 2)), ...ids.map((id) => read(id, 9))]);
  expect(pages.map((page) => page!.rows.length)).toEqual([0, 1, 2, 2, 0, 1, 2, 3]);
  expect(statements.length).toBe(2);
});

test('callers who see different tenants never share', async () => {
  const mine = await createTenant(db);
  const theirs = await createTenant(db);
  const [mineId] = await createGroups(mine.tenantId, 1);
  const [theirId] = await createGroups(theirs.tenantId, 1);
  const both = [mineId!, theirId!];
  const found = await Promise.all(
    [mine, theirs].flatMap(({ tenantId }) => both.map((id) => findGroup(openAsAdmin(db, tenantId), id))),
  );
  expect(found.map((group) => group?.id)).toEqual([mineId, undefined, undefined, theirId]);
  expect(statements.length).toBe(2);
});

test('a plain user who asks together with an administrator sees no more than alone', async () => {
  const { tenantId, userIds } = await createTenant(db, 2);
  const [inside, outside] = await createGroups(tenantId, 2);
  await addGroupMembers(openAsAdmin(db, tenantId), { groupId: inside!, userIds: [userIds[0]!] });
  const user = () => openDirectory(db, plainUser(tenantId, userIds[0]!));
  const [seen, hidden, counted, full] = await Promise.all([
    findGroup(user(), inside!),
    findGroup(user(), outside!),
    countMembers(user(), inside!),
    findGroup(openAsAdmin(db, tenantId), inside!),
  ]);
  expect(seen).toMatchObject({ id: inside, version: null, memberCount: null, membersVersion: null });
  expect([hidden, counted]).toEqual([null, null]);
  expect(full).toMatchObject({ id: inside, memberCount: 1 });
});

test('what was acknowledged before a request asks is in its answer, though others are already waiting', async () => {
  const { tenantId, userIds } = await createTenant(db, 40);
  const [groupId] = await createGroups(tenantId, 1);
  const reading = userIds.map(async (userId) => {
    await addGroupMembers(openAsAdmin(db, tenantId), { groupId: groupId!, userIds: [userId] });
    const group = await findGroup(openAsAdmin(db, tenantId), groupId!);
    const page = await listMembers(openAsAdmin(db, tenantId), group!, { page: { first: 100 } });
    expect(page!.rows.map((row) => row.userId)).toContain(userId);
  });
  await Promise.all(reading);
});

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A loader that records its batches, and fails or lasts as the key says: until `finish`. */
function recording() {
  const { promise: finished, resolve: finish } = Promise.withResolvers<void>();
  const batches: (readonly string[])[] = [];
  const load = loader<string, string>(async (_: Seeing, keys) => {
    batches.push(keys);
    const slow = keys.find((key) => key.startsWith('slow'));
    if (slow) await finished;
    if (keys.includes('fails')) throw new Error('fails');
    return keys.map((key) => key.toUpperCase());
  });
  return { batches, load, finish };
}

test('a failure is the failure of the one who asked for it', async () => {
  const { tenantId } = await createTenant(db);
  const { batches, load } = recording();
  const results = await Promise.allSettled(
    ['a', 'fails', 'b'].map((key) => load(openAsAdmin(db, tenantId)).load(key)),
  );
  expect(results.map((result) => (result.status === 'fulfilled' ? result.value : 'failed'))).toEqual([
    'A',
    'failed',
    'B',
  ]);
  expect(batches).toEqual([['a', 'fails', 'b'], ['a'], ['fails'], ['b']]);
});

test('what takes long does not keep the others waiting', async () => {
  const { tenantId } = await createTenant(db);
  const { load, finish } = recording();
  const of = (key: string) => load(openAsAdmin(db, tenantId)).load(key);
  const order: string[] = [];
  const asked: Promise<unknown>[] = [];
  for (const key of ['slow 1', 'slow 2', 'quick']) {
    asked.push(of(key).then((value) => order.push(value)));
    await wait(5);
  }
  await asked.at(-1);
  expect(order).toEqual(['QUICK']);
  finish();
  await Promise.all(asked);
  expect(order.length).toBe(3);
});

test('a statement has a bounded number of keys, whoever waits', async () => {
  const { tenantId } = await createTenant(db);
  const { batches, load } = recording();
  const asked = Array.from({ length: 7 }, (_, n) =>
    load(openAsAdmin(db, tenantId)).loadMany(Array.from({ length: 300 }, (_, at) => `${n} ${at}`)),
  );
  const values = await Promise.all(asked);
  expect(values.map((found) => found[299])).toEqual(Array.from({ length: 7 }, (_, n) => `${n} 299`));
  expect(batches.map((keys) => keys.length)).toEqual([900, 900, 300]);
});

test('nothing is kept once it was answered', async () => {
  const { tenantId } = await createTenant(db);
  const [id] = await createGroups(tenantId, 1);
  const name = async () => (await findGroup(openAsAdmin(db, tenantId), id!))!.name;
  expect(await name()).toBe('Group 0');
  await db.sql(Prisma.sql`update groups set name = 'Renamed' where id = ${id}`);
  expect(await name()).toBe('Renamed');
});
