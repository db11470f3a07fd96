// What is cached is valid at a position of the log: also when the log has lost its last changes, when answers overtake each
// other, when a tenant is removed, and when two processes write all kinds of changes.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Database, Prisma } from '../../src/database/database.ts';
import { openDatabase } from '../../src/database/open.ts';
import { updateGroupMembers } from '../../src/domain/commands/change-members.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { deleteGroup } from '../../src/domain/commands/delete-group.ts';
import { addNestedGroups, removeNestedGroup } from '../../src/domain/commands/nest-groups.ts';
import { eraseUsers, removeUsers } from '../../src/domain/commands/remove-users.ts';
import { restoreGroup } from '../../src/domain/commands/restore-group.ts';
import { updateGroup } from '../../src/domain/commands/update-group.ts';
import { upsertUsers } from '../../src/domain/commands/upsert-users.ts';
import { NO_TENANT, openDirectory, tenantReader } from '../../src/domain/directory.ts';
import { cachedClosure, isSameClosure, readClosures } from '../../src/domain/effective-membership/closure.ts';
import { repairDirectory } from '../../src/domain/integrity/check.ts';
import { countEffectiveMembers, listEffectiveMembers } from '../../src/domain/queries/effective-members.ts';
import { listMembers } from '../../src/domain/queries/members.ts';
import { lastTail, readTail, Tail } from '../../src/domain/sharing/tail.ts';
import { DirectoryError } from '../../src/model/errors.ts';
import { type GroupId, newId, type TenantId, type UserId } from '../../src/model/ids.ts';
import type { PageArgs } from '../../src/model/page.ts';
import { createTenant, openAsAdmin, superAdmin } from '../support/directories.ts';
import { appendChanges, keepHistory, loseChanges } from '../support/logs.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { randomFrom } from '../support/random.ts';
import { groupOf, randomGroups, storeGroups, storeUsers, usersOf } from '../support/random-graph.ts';
import { seed } from '../support/seed.ts';
import { PATIENT } from '../support/timeouts.ts';

/** Rows of a tenant's log that are followed at once. */
const MAX_ROWS = 5_000;

let database: TestDatabase;
let there: Database;
beforeAll(async () => {
  database = await openTestDatabase();
  // Another pool, with caches of its own: as good as another process.
  there = await openDatabase({ url: database.url, dataDir: '', timeouts: PATIENT });
});
afterAll(async () => {
  await there.close();
  await database.close();
});

/** A database with caches of its own, as a process that has just started. */
const fresh = (): Database => ({ ...database.db });

/** Root nests left and right, users 0 to 2 are in them in this order; user 3 is in a group elsewhere, the others in none. */
async function world() {
  const { tenantId, userIds } = await createTenant(database.db, 8);
  const users = [...userIds].sort();
  const left = groupOf(users.slice(1, 2));
  const right = groupOf(users.slice(2, 3));
  const root = groupOf(users.slice(0, 1), [left.id, right.id]);
  const elsewhere = groupOf(users.slice(3, 4));
  await storeGroups(database.db, tenantId, [root, left, right, elsewhere]);
  // The log begins with a change: an empty one is not read on.
  await appendChanges(database.db, tenantId);
  const admin = openAsAdmin(database.db, tenantId);
  const ids = { root: root.id, left: left.id, right: right.id, elsewhere: elsewhere.id };
  return {
    tenantId,
    users,
    ...ids,
    admin,
    add: (groupId: string, ...places: number[]) =>
      updateGroupMembers(admin, { groupId, usersToAdd: places.map((at) => users[at]!) }),
    remove: (groupId: string, ...places: number[]) =>
      updateGroupMembers(admin, { groupId, usersToRemove: places.map((at) => users[at]!) }),
    nest: (groupId: string, childGroupId: string) =>
      addNestedGroups(admin, { groupId, childGroupIds: [childGroupId] }),
    unnest: (groupId: string, childGroupId: string) => removeNestedGroup(admin, { groupId, childGroupId }),
    /** All that a process says of the groups. */
    async say(db: Database) {
      const directory = openAsAdmin(db, tenantId);
      const places = (page: { rows: readonly { userId: UserId }[] } | null) =>
        page!.rows.map(({ userId }) => users.indexOf(userId));
      return Promise.all(
        Object.values(ids).map(async (id) => {
          const both = (await listEffectiveMembers(directory, id, { page: { first: 50, withTotal: true } }))!;
          return {
            count: await countEffectiveMembers(directory, id),
            page: places(await listEffectiveMembers(directory, id, { page: { first: 100 } })),
            both: [places(both), both.total],
            direct: places(await listMembers(directory, id, { page: {} })),
          };
        }),
      );
    },
  };
}

type World = Awaited<ReturnType<typeof world>>;

/** What a statement is for. */
function kindOf(statement: string): string {
  const kinds: [string, string][] = [
    ['left join lateral (\n      select c.position', 'log'],
    ['was_member', 'carried'],
    ['string_agg(id', 'nestings'],
    ['select distinct m.user_id', 'page'],
    ['min(m.added_at)', 'gathered'],
  ];
  return kinds.find(([text]) => statement.includes(text))?.[1] ?? statement;
}

/** Does something before or after each statement of a database that has caches of its own. */
function watched(
  hooks: { before?(kind: string, times: number): unknown; after?(kind: string, times: number): unknown } = {},
) {
  const statements: string[] = [];
  const db = fresh();
  const { sql } = db;
  const hooked: Database['sql'] = async (statement) => {
    const kind = kindOf(statement.text);
    statements.push(kind);
    const times = statements.filter((before) => before === kind).length;
    await hooks.before?.(kind, times);
    const rows = await sql(statement);
    await hooks.after?.(kind, times);
    return rows as never;
  };
  Object.assign(db, { sql: hooked });
  return { db, statements, hooks };
}

/** Holds back the answer to the next statement: `answered` when the database has given it, until `release`. */
function holdNext(db: Database) {
  const gate = Promise.withResolvers<void>();
  const answered = Promise.withResolvers<void>();
  const { sql } = db;
  const slow: Database['sql'] = async (statement) => {
    Object.assign(db, { sql });
    const rows = await sql(statement);
    answered.resolve();
    await gate.promise;
    return rows as never;
  };
  Object.assign(db, { sql: slow });
  return { answered: answered.promise, release: gate.resolve };
}

describe('a log that has lost its last changes', () => {
  const nothing = () => Promise.resolve();
  const changes: [string, (world: World) => Promise<unknown>][] = [
    ['members who came', ({ add, left, elsewhere }) => Promise.all([add(left, 4), add(elsewhere, 5)])],
    ['members who left', ({ remove, left, right }) => Promise.all([remove(left, 1), remove(right, 2)])],
    [
      'a group that was nested',
      ({ nest, add, left, elsewhere }) => nest(left, elsewhere).then(() => add(left, 6)),
    ],
    [
      'a group that was unnested',
      ({ unnest, add, root, right }) => unnest(root, right).then(() => add(right, 6)),
    ],
  ];
  const next: [string, (world: World) => Promise<unknown>][] = [
    ['nothing', nothing],
    ['fewer changes', ({ add, right }) => add(right, 7)],
    ['as many changes', ({ add, remove, right, root }) => add(right, 7).then(() => remove(root, 0))],
    [
      'more changes',
      ({ add, remove, nest, unnest, root, right, elsewhere }) =>
        nest(right, elsewhere)
          .then(() => add(elsewhere, 7))
          .then(() => unnest(root, right))
          .then(() => remove(root, 0)),
    ],
  ];
  const cases = changes.flatMap(([lost, change]) =>
    next.map(([after, then]) => [lost, after, change, then] as const),
  );

  test.each(cases)('loses %s, and has %s in their place', async (_lost, _after, change, then) => {
    const made = await world();
    const processes = [fresh(), there, fresh()] as const;
    const expectTruth = async (db: Database) => expect(await made.say(db)).toEqual(await made.say(fresh()));
    await made.add(made.root, 3);
    await made.say(processes[0]);
    await made.say(processes[1]);
    const lose = await keepHistory(database.db, made.tenantId);
    await change(made);
    // The first two processes have seen what is lost, the last one has not; the second looks in between.
    for (const db of processes.slice(0, 2)) await expectTruth(db);
    await lose();
    await expectTruth(processes[1]);
    await then(made);
    for (const db of processes) await expectTruth(db);
    // And what comes then is followed.
    await made.add(made.left, 2);
    for (const db of processes) await expectTruth(db);
  });

  test('between the statements of a page: it is not read by a closure of what is lost', async () => {
    const { tenantId, users, root, left, elsewhere, admin } = await world();
    const lose = await keepHistory(database.db, tenantId);
    await addNestedGroups(admin, { groupId: left, childGroupIds: [elsewhere] });
    await appendChanges(database.db, tenantId);
    const { db, statements, hooks } = watched();
    const page = async (first: number) => {
      const found = await listEffectiveMembers(openAsAdmin(db, tenantId), root, { page: { first } });
      return found!.rows.map(({ userId }) => users.indexOf(userId));
    };
    // The tail begins before what is lost, so that it has the position that the log goes back to.
    await lose();
    await readTail(tenantReader(db, tenantId));
    await addNestedGroups(admin, { groupId: left, childGroupIds: [elsewhere] });
    expect(await page(10)).toEqual([0, 1, 2, 3]);
    await countEffectiveMembers(openAsAdmin(db, tenantId), root);
    await readTail(tenantReader(db, tenantId));
    statements.length = 0;
    hooks.before = (kind, times) => (kind === 'page' && times === 1 ? lose() : undefined);
    expect(await page(11)).toEqual([0, 1, 2]);
    expect(statements.filter((kind) => kind !== 'log')).toEqual(['page', 'nestings', 'page']);
    expect(await page(11)).toEqual([0, 1, 2]);
    expect(await page(10)).toEqual([0, 1, 2]);
    expect(await countEffectiveMembers(openAsAdmin(db, tenantId), root)).toBe(3);
  });

  test.each(['before it is carried', 'while a page of it is read'])(
    '%s: a count starts from scratch',
    async (when) => {
      const { tenantId, root, left, add } = await world();
      const { db, statements, hooks } = watched();
      const open = () => openAsAdmin(db, tenantId);
      const count = () => countEffectiveMembers(open(), root);
      expect(await count()).toBe(3);
      const lose = await keepHistory(database.db, tenantId);
      await add(left, 4);
      expect(await count()).toBe(4);
      await add(left, 5);
      statements.length = 0;
      if (when === 'before it is carried') {
        hooks.before = (kind) => (kind === 'carried' ? lose() : undefined);
        expect(await count()).toBe(3);
        expect(statements).toEqual(['log', 'carried', 'nestings']);
      } else {
        expect(await count()).toBe(5);
        statements.length = 0;
        // The count is valid when it is asked for; the page is of the position that the log goes back to.
        hooks.before = (kind, times) => (kind === 'page' && times === 1 ? lose() : undefined);
        const page = { first: 10, withTotal: true };
        const found = await listEffectiveMembers(open(), root, { page });
        expect([found!.rows.length, found!.total]).toEqual([3, 3]);
      }
      expect(await count()).toBe(3);
    },
  );

  test.each([1, 2])('is noticed though an answer of before %i changes were lost comes late', async (lost) => {
    const { tenantId, add, left, elsewhere } = await world();
    const reader = tenantReader(fresh(), tenantId);
    await readTail(reader);
    for (let at = 0; at < lost; at += 1) await add(left, 4 + at);
    const { answered, release } = holdNext(reader.db);
    const late = readTail(reader);
    await answered;
    await loseChanges(database.db, tenantId, lost);
    await appendChanges(database.db, tenantId, { type: 'group_membership.added', groupId: elsewhere });
    const now = (await readTail(reader))!;
    const { head } = now;
    expect(now.changed('members', elsewhere, { ...head, position: head.position - 1 })).toEqual([elsewhere]);
    release();
    const old = (await late)!;
    expect(old.head.position).toBe(head.position + lost - 1);
    expect(old.holds(head)).toBe(false);
    expect((await readTail(reader))!.head).toEqual(head);
  });
});

describe('answers that overtake each other', () => {
  test('an older answer neither takes a tail back nor hides what it has', async () => {
    const { tenantId, add, left, right } = await world();
    const reader = tenantReader(fresh(), tenantId);
    const { head: start } = (await readTail(reader))!;
    await add(left, 4);
    const { answered, release } = holdNext(reader.db);
    const late = readTail(reader);
    await answered;
    await add(right, 4);
    const tail = (await readTail(reader))!;
    const { head } = tail;
    expect(head.position).toBe(start.position + 2);
    release();
    expect(await late).toBe(tail);
    expect(tail.head).toEqual(head);
    expect(tail.changed('members', `${left},${right}`, start)).toEqual([left, right]);
    expect(lastTail(reader)).toBe(tail);
  });

  test('the first two answers of a process begin one tail, also after too many changes', async () => {
    const { tenantId } = await world();
    const reader = tenantReader(fresh(), tenantId);
    for (let times = 0; times < 2; times += 1) {
      const { answered, release } = holdNext(reader.db);
      const late = readTail(reader);
      await answered;
      const tail = await readTail(reader);
      release();
      expect(await late).toBe(tail);
      expect(lastTail(reader)).toBe(tail);
      await appendChanges(database.db, tenantId, { changes: MAX_ROWS + 1 });
    }
  });

  test('a page whose position is later than that of its total gets the total of its own', async () => {
    const { tenantId, users, root, left, right, add, remove } = await world();
    const { db, statements, hooks } = watched();
    const read = async () => {
      const page = { first: 10, withTotal: true };
      const found = (await listEffectiveMembers(openAsAdmin(db, tenantId), root, { page }))!;
      return [found.rows.map(({ userId }) => users.indexOf(userId)), found.total];
    };
    expect(await read()).toEqual([[0, 1, 2], 3]);
    await add(left, 4);
    statements.length = 0;
    hooks.before = async (kind, times) => {
      if (kind !== 'page' || times > 1) return;
      await add(right, 5, 6);
      await remove(left, 1);
      await remove(right, 6);
    };
    expect(await read()).toEqual([[0, 2, 4, 5], 4]);
    expect(statements).toEqual(['page', 'log', 'carried']);
  });

  test('a page whose position is earlier than that of its total gets the total of its own', async () => {
    const { tenantId, users, root, left, right, elsewhere, add, remove, nest } = await world();
    await add(right, 6);
    const { db, statements, hooks } = watched();
    const count = () => countEffectiveMembers(openAsAdmin(db, tenantId), root);
    hooks.after = async (kind, times) => {
      if (kind !== 'page' || times > 1) return;
      await add(right, 4, 5, 7);
      await remove(left, 1);
      await remove(right, 5, 6);
      await add(left, 6);
      await nest(elsewhere, left);
      // Another request of the process carries the count on.
      expect(await count()).toBe(5);
    };
    const page = { first: 10, withTotal: true };
    const found = (await listEffectiveMembers(openAsAdmin(db, tenantId), root, { page }))!;
    expect(found.rows.map(({ userId }) => users.indexOf(userId))).toEqual([0, 1, 2, 6]);
    expect(found.total).toBe(4);
    expect(statements).toEqual(['nestings', 'page', 'log', 'carried', 'carried']);
    expect(await count()).toBe(5);
  });

  test('a page and its total are read again if a nesting changed in between', async () => {
    const { tenantId, users, root, left, elsewhere, nest } = await world();
    const { db, statements, hooks } = watched();
    hooks.before = async (kind, times) => {
      if (kind === 'page' && times === 1) await nest(left, elsewhere);
    };
    const page = { first: 10, withTotal: true };
    const found = (await listEffectiveMembers(openAsAdmin(db, tenantId), root, { page }))!;
    expect(found.rows.map(({ userId }) => users.indexOf(userId))).toEqual([0, 1, 2, 3]);
    expect(found.total).toBe(4);
    expect(statements).toEqual(['nestings', 'page', 'log', 'nestings', 'page']);
  });
});

test('a page whose group is counted from scratch at another head is read again', async () => {
  const { tenantId, users, root, left, add } = await world();
  const { db, statements, hooks } = watched();
  const list = async (page: PageArgs) =>
    (await listEffectiveMembers(openAsAdmin(db, tenantId), root, { page }))!;
  // The closure is known, and no count of it.
  await list({ first: 10 });
  statements.length = 0;
  hooks.after = async (kind, times) => {
    if (kind === 'page' && times === 1) await add(left, 4);
  };
  const { rows, total } = await list({ first: 10, withTotal: true });
  expect(rows.map(({ userId }) => users.indexOf(userId))).toEqual([0, 1, 2, 4]);
  expect(total).toBe(4);
  expect(statements).toEqual(['page', 'nestings', 'page', 'log']);
});

test('a count that fails in one request fails no other, and a closure that is read again stays counted', async () => {
  const { tenantId, root, left, add } = await world();
  const db = fresh();
  const reader = tenantReader(db, tenantId);
  const count = () => countEffectiveMembers(openAsAdmin(db, tenantId), root);
  expect(await count()).toBe(3);
  await readClosures(reader, [root], false);
  expect(cachedClosure(reader, root)?.counted?.count).toBe(3);
  await add(left, 4);
  const { sql } = db;
  const gate = Promise.withResolvers<void>();
  let times = 0;
  const held: Database['sql'] = async (statement) => {
    if (kindOf(statement.text) !== 'carried') return sql(statement);
    times += 1;
    if (times > 1) throw new Error('too slow');
    const rows = await sql(statement);
    await gate.promise;
    return rows as never;
  };
  Object.assign(db, { sql: held });
  const first = count();
  await vi.waitUntil(() => times === 1);
  await expect(count()).rejects.toThrow('too slow');
  gate.resolve();
  expect(await first).toBe(4);
  Object.assign(db, { sql });
  expect(await count()).toBe(4);
});

test('a closure that is outdated by another process alone is noticed by the page, at its position', async () => {
  const { tenantId, users, root, left, elsewhere } = await world();
  const { db, statements } = watched();
  const page = async (first: number) => {
    const found = await listEffectiveMembers(openAsAdmin(db, tenantId), root, { page: { first } });
    return found!.rows.map(({ userId }) => users.indexOf(userId));
  };
  await page(10);
  await addNestedGroups(openAsAdmin(there, tenantId), { groupId: left, childGroupIds: [elsewhere] });
  statements.length = 0;
  expect(await page(11)).toEqual([0, 1, 2, 3]);
  expect(statements).toEqual(['page', 'log', 'nestings', 'page']);
  statements.length = 0;
  expect(await page(12)).toEqual([0, 1, 2, 3]);
  expect(await page(10)).toEqual([0, 1, 2, 3]);
  expect(statements).toEqual(['page', 'page']);
});

test('a tenant that is removed takes its caches along, and another one with its id starts with none', async () => {
  const made = await world();
  const { tenantId, root, users } = made;
  const db = fresh();
  await made.say(db);
  const tables = [
    'changes',
    'memberships',
    'nestings',
    'membership_history',
    'groups',
    'users',
    'ids',
    'tenant_logs',
  ];
  const remember = await database.db.sql<{ partnerId: string }>(
    Prisma.sql`select partner_id as "partnerId" from tenants where id = ${tenantId}`,
  );
  for (const table of [...tables, 'tenants']) {
    const column = Prisma.raw(table === 'tenants' ? 'id' : 'tenant_id');
    await database.db.sql(Prisma.sql`delete from ${Prisma.raw(table)} where ${column} = ${tenantId}`);
  }
  const none = { count: 0, page: [], both: [[], 0], direct: [] };
  expect(await made.say(db)).toEqual([none, none, none, none]);
  expect(await readTail(tenantReader(db, tenantId))).toBeNull();
  await database.db.sql(Prisma.sql`
    insert into tenants (id, partner_id, name, slug, key_rules) select ${tenantId}, ${remember[0]!.partnerId}, 'Again', ${tenantId}, '{}'`);
  await storeUsers(
    database.db,
    tenantId,
    users.map((id) => ({ id, email: `${id}@example.org`, displayName: null })),
  );
  await storeGroups(database.db, tenantId, [{ ...groupOf(users.slice(5)), id: root }]);
  await appendChanges(database.db, tenantId);
  expect((await made.say(db))[0]).toEqual({
    count: 3,
    page: [5, 6, 7],
    both: [[5, 6, 7], 3],
    direct: [5, 6, 7],
  });
});

test('no tenant has no tail, and what two tenants have is kept apart', async () => {
  const reader = tenantReader(fresh(), NO_TENANT);
  expect(await readTail(reader)).toBeNull();
  expect(lastTail(reader)).toBeNull();
  const [first, second] = await Promise.all([world(), world()]);
  const db = fresh();
  const [one, other] = [tenantReader(db, first.tenantId), tenantReader(db, second.tenantId)];
  const { head } = (await readTail(one))!;
  await readClosures(one, [first.root], false);
  expect(cachedClosure(one, first.root)?.head).toEqual(head);
  expect(cachedClosure(other, first.root)).toBeUndefined();
  // Nor is an entry valid by a tail of another tenant at the same position.
  const tail = (await readTail(other))!;
  expect(tail.head.position).toBe(head.position);
  expect(isSameClosure(tail, cachedClosure(one, first.root)!, head, tail.head)).toBe(false);
});

test('a statement that fails for one tenant fails no group of another, and is not tried in its place', async () => {
  const [first, second] = await Promise.all([world(), world()]);
  const db = fresh();
  const directory = () => openDirectory(db, superAdmin);
  const ids = [first.root, second.root, first.left, second.left];
  const counts = () => {
    const opened = directory();
    return Promise.allSettled(ids.map((id) => countEffectiveMembers(opened, id)));
  };
  const values = (results: PromiseSettledResult<number | null>[]) =>
    results.map((result) => (result.status === 'fulfilled' ? result.value : result.reason.message));
  expect(values(await counts())).toEqual([3, 3, 1, 1]);
  await first.add(first.left, 4);
  await second.add(second.left, 4, 5);
  const { sql } = db;
  const failing: Database['sql'] = (statement) =>
    kindOf(statement.text) === 'carried' && statement.values.includes(first.tenantId)
      ? Promise.reject(new Error('too slow'))
      : sql(statement);
  Object.assign(db, { sql: failing });
  expect(values(await counts())).toEqual(['too slow', 5, 'too slow', 3]);
  // Not by what failed once more, but from scratch.
  expect(values(await counts())).toEqual([4, 5, 2, 3]);
});

test('statements are as many as the README of effective membership says', async () => {
  const made = await world();
  const { tenantId, root, left, elsewhere } = made;
  const asked: Record<string, (db: Database) => Promise<unknown>> = {
    'a count': (db) => countEffectiveMembers(openAsAdmin(db, tenantId), root),
    'a page': (db) => listEffectiveMembers(openAsAdmin(db, tenantId), root, { page: { first: 10 } }),
    'a page and its total': (db) =>
      listEffectiveMembers(openAsAdmin(db, tenantId), root, { page: { first: 10, withTotal: true } }),
  };
  const measured: Record<string, number[]> = {};
  for (const [name, ask] of Object.entries(asked)) {
    const { db, statements } = watched();
    const count = async (change: () => Promise<unknown> = () => Promise.resolve()) => {
      await change();
      statements.length = 0;
      await ask(db);
      return statements.length;
    };
    measured[name] = [
      await count(),
      await count(() => made.add(elsewhere, 6)),
      await count(() => made.add(left, 5)),
      await count(() => made.nest(left, elsewhere)),
    ];
    await made.unnest(left, elsewhere);
    await made.remove(left, 5);
    await made.remove(elsewhere, 6);
  }
  const readme = readFileSync(
    join(import.meta.dirname, '../../src/domain/effective-membership/README.md'),
    'utf8',
  );
  const rows = [...readme.matchAll(/^\| (a [\w ]+?) +\|([\d |]+)\|$/gm)].map(([, name, numbers]) => [
    name,
    numbers!.split('|').map(Number),
  ]);
  expect(measured).toEqual(Object.fromEntries(rows));
});

describe('the tail of a log', () => {
  const uuid = (position: number) => `change ${position}`;
  const head = (position: number) => ({ position, changeId: uuid(position) });
  const row = (position: number, what: object = {}) => ({
    ...head(position),
    groupId: null,
    changesMembers: false,
    changesNestings: false,
    ...what,
  });

  test('holds its positions, and tells of each source whether it changed after one', () => {
    const tail = new Tail(head(7));
    tail.append([
      row(7, { groupId: 'old', changesMembers: true }),
      row(8, { groupId: 'a', changesMembers: true }),
      row(8, { groupId: 'b', changesNestings: true }),
      row(9),
      row(10, { groupId: 'a', changesMembers: true, changesNestings: true }),
    ]);
    expect(tail.head).toEqual(head(10));
    expect([6, 7, 8, 9, 10, 11].filter((position) => tail.holds(head(position)))).toEqual([7, 8, 9, 10]);
    expect(tail.holds({ position: 9, changeId: 'another' })).toBe(false);
    const since = (mark: 'members' | 'nestings', groupIds: string) =>
      [7, 8, 9, 10].filter((position) => tail.changed(mark, groupIds, head(position)).length > 0);
    expect(since('members', 'a')).toEqual([7, 8, 9]);
    expect(since('members', 'old,b,c')).toEqual([]);
    expect(since('nestings', 'c,b')).toEqual([7]);
    expect(since('nestings', 'a')).toEqual([7, 8, 9]);
    expect(since('nestings', '')).toEqual([]);
    expect(tail.changed('members', 'b,a,c', head(9))).toEqual(['a']);
    expect(tail.changed('members', 'b,a,c', head(10))).toEqual([]);
    // Rows that it has already, as a slower answer brings them.
    tail.append([row(8, { groupId: 'c', changesMembers: true }), row(9), row(10), row(11)]);
    expect(tail.head).toEqual(head(11));
    expect(since('members', 'c')).toEqual([]);
  });

  test('forgets its older half when it gets too long, and only that', () => {
    const tail = new Tail(head(0));
    for (let at = 1; at < 50_000; at += 5_000) {
      tail.append(Array.from({ length: Math.min(5_000, 50_000 - at) }, (_, n) => row(at + n)));
    }
    expect([tail.length, tail.holds(head(0)), tail.holds(head(49_999))]).toEqual([50_000, true, true]);
    tail.append([row(50_000, { groupId: 'a', changesMembers: true })]);
    expect([tail.holds(head(0)), tail.holds(head(24_999)), tail.holds(head(25_000))]).toEqual([
      false,
      false,
      true,
    ]);
    expect(tail.head).toEqual(head(50_000));
    expect(tail.changed('members', 'a', head(49_999))).toEqual(['a']);
    expect(tail.changed('members', 'a', head(50_000))).toEqual([]);
  });

  test('forgets marks with their positions, until few are left', () => {
    const tail = new Tail(head(0));
    const groups = (position: number, from: number, count: number) =>
      Array.from({ length: count }, (_, at) =>
        row(position, { groupId: `group ${from + at}`, changesMembers: true }),
      );
    for (let at = 1; at <= 50; at += 1) tail.append(groups(at, at * 1_000, 1_000));
    expect(tail.length).toBeLessThanOrEqual(50_000);
    expect(tail.changed('members', 'group 50999,group 49999', head(49))).toEqual(['group 50999']);
    expect(tail.holds(head(1))).toBe(false);
    // One position alone may be longer.
    tail.append(groups(51, 100_000, 60_000));
    expect([tail.holds(head(51)), tail.holds(head(50))]).toEqual([true, false]);
    expect(tail.head).toEqual(head(51));
  });

  test('reads no row of its last position again, however many there are', async () => {
    const { tenantId } = await world();
    const reader = tenantReader(fresh(), tenantId);
    await readTail(reader);
    await appendChanges(database.db, tenantId, { changes: 3_000 });
    const lengths: number[] = [];
    const { sql } = reader.db;
    const measured: Database['sql'] = async (statement) => {
      const rows = await sql(statement);
      lengths.push(rows.length);
      return rows as never;
    };
    Object.assign(reader.db, { sql: measured });
    for (let times = 0; times < 3; times += 1) await readTail(reader);
    expect(lengths).toEqual([3_000, 1, 1]);
  });

  test('tells what each kind of change changes', async () => {
    const { tenantId, users, admin, root, left, right, elsewhere, add, remove, nest, unnest } = await world();
    const reader = tenantReader(database.db, tenantId);
    const groups = { root, left, right, elsewhere };
    const changed = async (change: () => Promise<unknown>) => {
      const { head } = (await readTail(reader))!;
      await change();
      const tail = (await readTail(reader))!;
      if (!tail.holds(head)) return 'anything';
      const of = (mark: 'members' | 'nestings') =>
        Object.entries(groups).flatMap(([name, id]) =>
          tail.changed(mark, id, head).length > 0 ? [name] : [],
        );
      return { members: of('members'), nestings: of('nestings') };
    };
    const only = (what: object) => ({ members: [], nestings: [], ...what });
    expect(await changed(() => add(left, 4))).toEqual(only({ members: ['left'] }));
    expect(await changed(() => remove(left, 4))).toEqual(only({ members: ['left'] }));
    expect(await changed(() => remove(left, 4))).toEqual(only({}));
    expect(await changed(() => nest(left, elsewhere))).toEqual(only({ nestings: ['left'] }));
    expect(await changed(() => unnest(left, elsewhere))).toEqual(only({ nestings: ['left'] }));
    expect(await changed(() => updateGroup(admin, { id: left, description: 'Other' }))).toEqual(only({}));
    const upsert = (at: number) =>
      upsertUsers(admin, { tenantId, users: [{ id: users[at]!, email: 'a@example.org' }] });
    expect(await changed(() => upsert(1))).toEqual(only({}));
    // A removed user leaves its groups.
    expect(await changed(() => removeUsers(admin, { tenantId, userIds: users.slice(2, 3) }))).toEqual(
      only({ members: ['right'] }),
    );
    expect(await changed(() => eraseUsers(admin, { tenantId, userIds: users.slice(3, 4) }))).toEqual(
      only({ members: ['elsewhere'] }),
    );
    const removal = await changed(() => deleteGroup(admin, { id: left, strategy: 'CASCADE' }));
    expect(removal).toEqual(only({ members: ['left'], nestings: ['root', 'left'] }));
    const back = await changed(() => restoreGroup(admin, { id: left }));
    expect(back).toEqual(only({ members: ['left'], nestings: ['root', 'left'] }));
    expect(await changed(() => createGroup(admin, { tenantId, name: 'New' }))).toEqual(only({}));
    await database.db.sql(Prisma.sql`update groups set member_count = 9 where id = ${left}`);
    expect(await changed(() => repairDirectory(database.db))).toBe('anything');
    expect(await changed(() => add(left, 5))).toEqual(only({ members: ['left'] }));
  });
});

describe('of a random graph that two processes change at once', () => {
  const random = randomFrom(seed);
  const pick = <Item>(items: readonly Item[]): Item => items[random(items.length)]!;
  const some = <Item>(items: readonly Item[]): Item[] =>
    Array.from({ length: 1 + random(3) }, () => pick(items));

  test('counts, pages and totals are those that a process finds that has just started', async () => {
    const { tenantId } = await createTenant(database.db);
    const people = usersOf(40);
    const stored = randomGroups(people.slice(0, 30), 24, random);
    await storeUsers(database.db, tenantId, people);
    await storeGroups(database.db, tenantId, stored);
    const users = people.map(({ id }) => id);
    const groups = stored.map(({ id }) => id);
    const processes = [database.db, there];

    const change = async (db: Database) => {
      const directory = openAsAdmin(db, tenantId);
      const id = pick(groups);
      const changes: (() => Promise<unknown>)[] = [
        () => updateGroupMembers(directory, { groupId: id, usersToAdd: some(users) }),
        () => updateGroupMembers(directory, { groupId: id, usersToRemove: some(users) }),
        () =>
          updateGroupMembers(directory, { groupId: id, usersToAdd: some(users), usersToRemove: some(users) }),
        () => addNestedGroups(directory, { groupId: id, childGroupIds: [pick(groups)] }),
        () => addNestedGroups(directory, { groupId: id, childGroupIds: [pick(groups)] }),
        () => removeNestedGroup(directory, { groupId: id, childGroupId: pick(groups) }),
        () => deleteGroup(directory, { id, strategy: pick(['ORPHAN', 'CASCADE'] as const) }),
        () => restoreGroup(directory, { id, includeDescendants: random(2) === 0 }),
        () => restoreGroup(directory, { id: pick(groups) }),
        () => restoreGroup(directory, { id: pick(groups) }),
        () =>
          upsertUsers(directory, {
            tenantId,
            users: [{ id: pick(users), email: `${newId('user')}@example.org` }],
          }),
        () => removeUsers(directory, { tenantId, userIds: [pick(users)] }),
      ];
      try {
        await pick(changes)();
      } catch (error) {
        // What cannot be done is refused; everything else is a fault.
        if (!(error instanceof DirectoryError)) throw error;
      }
    };
    const say = (db: Database, tenantId: TenantId, ids: readonly GroupId[]) => {
      const directory = openAsAdmin(db, tenantId);
      return Promise.all(
        ids.map(async (id) => {
          const { rows, total } = (await listEffectiveMembers(directory, id, {
            page: { first: 60, withTotal: true },
          }))!;
          return {
            count: await countEffectiveMembers(directory, id),
            total,
            rows: rows.map(({ userId, email, membershipType }) => `${userId} ${email} ${membershipType}`),
          };
        }),
      );
    };
    for (let step = 0; step < 60; step += 1) {
      await Promise.all([
        ...processes.map(change),
        ...processes.map(change),
        ...processes.map(async (db) => {
          for (const { rows, total } of await say(db, tenantId, [pick(groups), pick(groups)])) {
            expect(total, `in step ${step}`).toBe(rows.length);
          }
        }),
      ]);
      const truth = await say(fresh(), tenantId, groups);
      for (const { count, total, rows } of truth) expect([count, total]).toEqual([rows.length, rows.length]);
      for (const db of processes)
        expect(await say(db, tenantId, groups), `after step ${step}`).toEqual(truth);
    }
  });
});
