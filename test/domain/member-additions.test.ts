// Members that several requests add at the same time: one statement for all, and each whole or not at all.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Database, Prisma } from '../../src/database/database.ts';
import { openPostgresql } from '../../src/database/postgresql.ts';
import { checkDirectory } from '../../src/domain/check.ts';
import { openDirectory } from '../../src/domain/directory.ts';
import { createGroup } from '../../src/domain/group-changes.ts';
import { addGroupMembers, countMembers } from '../../src/domain/members.ts';
import { removeUsers } from '../../src/domain/users.ts';
import type { Caller } from '../../src/model/caller.ts';
import type { DirectoryError } from '../../src/model/errors.ts';
import type { TenantId } from '../../src/model/ids.ts';
import { createTenant, openAsAdmin, tenantAdmin } from '../support/directories.ts';
import { openTestDatabase, type TestDatabase, untilOneWaits } from '../support/postgresql.ts';
import { PATIENT } from '../support/timeouts.ts';

/** Milliseconds that the test of it waits for a lock. */
const LOCK_TIMEOUT = 500;

let database: TestDatabase;
let db: Database;
const statements: string[] = [];
beforeAll(async () => {
  database = await openTestDatabase();
  db = openPostgresql({ url: database.url, timeouts: PATIENT });
  db.onStatement((text) => statements.push(text));
});
afterAll(async () => {
  await db.close();
  await database.close();
});
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

/** What became of an addition: who was added and who was one already, or the code it was refused with. */
const outcome = (adding: ReturnType<typeof addGroupMembers>) =>
  adding.then(
    ({ group, added, unchanged }) => ({ group: group.id, added, unchanged }),
    (error: DirectoryError) => error.code,
  );

const addAs = (caller: Caller, groupId: string, userIds: string[], to = db) =>
  outcome(addGroupMembers(openDirectory(to, caller), { groupId, userIds }));

const eventsOf = (groupId: string) =>
  db.sql<{ actor: string; userIds: string[] }>(Prisma.sql`
    select actor_id as actor, data -> 'userIds' as "userIds" from group_events
    where group_id = ${groupId} and event_type = 'group_membership.added' order by occurred_at, actor_id`);

test('each addition of many is told its own outcome, and written down as its own', async () => {
  const { tenantId, userIds } = await createTenant(db, 5);
  const stranger = await createTenant(db, 1);
  const [a, b, c, d] = userIds as string[] as [string, string, string, string];
  const [one, two] = (await createGroups(tenantId, 2)) as [string, string];
  const [foreign] = await createGroups(stranger.tenantId, 1);
  const admin = tenantAdmin(tenantId);
  const other = { ...admin, subject: 'usr_other' } as Caller;
  await addAs(admin, one, [a]);
  statements.splice(0);
  const outcomes = await Promise.all([
    addAs(admin, one, [b, a, c, b]),
    addAs(other, one, [c, d]),
    addAs(admin, two, [d]),
    addAs(admin, two, []),
    addAs(admin, one, [stranger.userIds[0]!, userIds[4]!]),
    addAs(admin, foreign!, [a]),
    addAs(admin, 'grp_missing00000000000000000', [a]),
  ]);
  expect(outcomes).toEqual([
    { group: one, added: [b, c], unchanged: [a] },
    { group: one, added: [d], unchanged: [c] },
    { group: two, added: [d], unchanged: [] },
    { group: two, added: [], unchanged: [] },
    'UNKNOWN_USERS',
    'NOT_FOUND',
    'NOT_FOUND',
  ]);
  // One for all, and one for each group of which it left something out, to tell why.
  expect(statements.length).toBe(4);
  expect(await eventsOf(one)).toEqual([
    { actor: 'usr_administrator', userIds: [a] },
    { actor: 'usr_administrator', userIds: [b, c] },
    { actor: 'usr_other', userIds: [d] },
  ]);
  const authors = await db.sql<{ userId: string; by: string }>(Prisma.sql`
    select user_id as "userId", added_by as by from memberships where group_id = ${one}`);
  expect(Object.fromEntries(authors.map(({ userId, by }) => [userId, by]))).toEqual({
    [a]: 'usr_administrator',
    [b]: 'usr_administrator',
    [c]: 'usr_administrator',
    [d]: 'usr_other',
  });
  expect(await countMembers(openAsAdmin(db, tenantId), one)).toBe(4);
  expect(await checkDirectory(db, tenantId)).toEqual([]);
});

test('a group that another holds locked keeps nobody else waiting', async () => {
  const { tenantId, userIds } = await createTenant(db, 3);
  const groups = await createGroups(tenantId, 3);
  const locked = groups[0]!;
  const admin = tenantAdmin(tenantId);
  let adding: Promise<unknown>[] = [];
  await database.db.transaction(async (sql) => {
    await sql(Prisma.sql`select id from groups where id = ${locked} for update`);
    adding = groups.map((groupId, at) => addAs(admin, groupId, [userIds[at]!]));
    const others = Promise.all(adding.slice(1)).then(() => 'added');
    expect(await Promise.race([others, sleep(30_000, 'kept waiting')])).toBe('added');
  });
  expect(await Promise.all(adding)).toEqual(
    groups.map((group, at) => ({ group, added: [userIds[at]], unchanged: [] })),
  );
  expect(await checkDirectory(db, tenantId)).toEqual([]);
});

test('one who waits too long for a lock is told so, and nobody else', async () => {
  const { tenantId, userIds } = await createTenant(db, 2);
  const [locked, free] = (await createGroups(tenantId, 2)) as [string, string];
  const admin = tenantAdmin(tenantId);
  const impatient = openPostgresql({ url: database.url, timeouts: { ...PATIENT, lock: LOCK_TIMEOUT } });
  await database.db.transaction(async (sql) => {
    await sql(Prisma.sql`select id from groups where id = ${locked} for update`);
    expect(
      await Promise.all([
        addAs(admin, locked, [userIds[0]!], impatient),
        addAs(admin, locked, [userIds[1]!], impatient),
        addAs(admin, free, userIds, impatient),
      ]),
    ).toEqual(['UNAVAILABLE', 'UNAVAILABLE', { group: free, added: userIds, unchanged: [] }]);
  });
  await impatient.close();
  expect(await countMembers(openAsAdmin(db, tenantId), locked)).toBe(0);
});

test('a user who is just being removed is waited for, and then unknown', async () => {
  const { tenantId, userIds } = await createTenant(db, 2);
  const [one, two] = (await createGroups(tenantId, 2)) as [string, string];
  const admin = tenantAdmin(tenantId);
  const [leaving, staying] = userIds as string[] as [string, string];
  let adding: Promise<unknown[]> = Promise.resolve([]);
  await database.db.transaction(async (sql) => {
    await sql(Prisma.sql`delete from users where id = ${leaving}`);
    adding = Promise.all([addAs(admin, one, [leaving, staying]), addAs(admin, two, [staying])]);
    await untilOneWaits(database);
  });
  expect(await adding).toEqual(['UNKNOWN_USERS', { group: two, added: [staying], unchanged: [] }]);
  await removeUsers(openAsAdmin(db, tenantId), { tenantId, userIds: [staying] });
  expect(await checkDirectory(db, tenantId)).toEqual([]);
});

test('a thousand at a time, many times at once', async () => {
  const { tenantId, userIds } = await createTenant(db, 1_000);
  const groups = await createGroups(tenantId, 6);
  const admin = tenantAdmin(tenantId);
  const reversed = [...userIds].reverse();
  const outcomes = await Promise.all(
    [...groups, ...groups].map((groupId) => addAs(admin, groupId, reversed)),
  );
  for (const [at, group] of groups.entries()) {
    // Who came first is left to them.
    const rivals = [outcomes[at], outcomes[at + groups.length]];
    expect(rivals).toContainEqual({ group, added: reversed, unchanged: [] });
    expect(rivals).toContainEqual({ group, added: [], unchanged: reversed });
  }
  expect(await checkDirectory(db, tenantId)).toEqual([]);
});
