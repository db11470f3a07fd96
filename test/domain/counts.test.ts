// Counts and pages of effective members stay exact after every write, also of another process, and while others write.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Database, Prisma } from '../../src/database/database.ts';
import { openDatabase } from '../../src/database/open.ts';
import { addGroupMembers } from '../../src/domain/commands/add-members.ts';
import { removeGroupMembers } from '../../src/domain/commands/change-members.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { deleteGroup } from '../../src/domain/commands/delete-group.ts';
import { addNestedGroups, removeNestedGroup } from '../../src/domain/commands/nest-groups.ts';
import { removeUsers } from '../../src/domain/commands/remove-users.ts';
import { restoreGroup } from '../../src/domain/commands/restore-group.ts';
import { upsertUsers } from '../../src/domain/commands/upsert-users.ts';
import { type Directory, openDirectory } from '../../src/domain/directory.ts';
import { checkDirectory } from '../../src/domain/integrity/check.ts';
import { countEffectiveMembers, listEffectiveMembers } from '../../src/domain/queries/effective-members.ts';
import { countMembers, listMembers } from '../../src/domain/queries/members.ts';
import type { MemberRow } from '../../src/domain/rows/members.ts';
import type { TenantId } from '../../src/model/ids.ts';
import type { Page } from '../../src/model/page.ts';
import { createTenant, openAsAdmin, plainUser } from '../support/directories.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { randomFrom } from '../support/random.ts';
import { seed } from '../support/seed.ts';

let database: TestDatabase;
let other: Database;
beforeAll(async () => {
  database = await openTestDatabase();
  // A second pool with its own memory of what groups reach: as good as another process.
  other = await openDatabase({ url: database.url, dataDir: '' });
});
afterAll(async () => {
  await other.close();
  await database.close();
});

const create = async (directory: Directory, tenantId: string, name: string, members: string[] = []) =>
  (await createGroup(directory, { tenantId, name, initialMemberIds: members })).group.id;

/** What each process says of a group, each request by itself: both must say the same. */
async function seen(tenantId: TenantId, groupId: string) {
  const [here, there] = await Promise.all(
    [database.db, other].map(async (db) => {
      const directory = openAsAdmin(db, tenantId);
      const page = await listEffectiveMembers(directory, groupId, { page: { first: 100 } });
      // In a process that has just started.
      const fresh = openAsAdmin({ ...db }, tenantId);
      const again = await listEffectiveMembers(fresh, groupId, { page: { first: 100 } });
      expect(page!.rows).toEqual(again!.rows);
      const asked = { projection: { user: true }, page: { first: 100 } };
      const members = await listMembers(directory, groupId, asked);
      return {
        users: page!.rows.map((row) => row.userId as string),
        count: await countEffectiveMembers(directory, groupId),
        direct: await countMembers(directory, groupId),
        members: members!.rows.map((row) => row.user?.displayName ?? row.userId),
      };
    }),
  );
  expect(there).toEqual(here);
  expect(here!.members.length).toBe(here!.direct);
  expect(here!.count).toBe(here!.users.length);
  return here!;
}

test('every kind of write shows at once in both processes', async () => {
  const { tenantId, userIds } = await createTenant(database.db, 6);
  const users: string[] = [...userIds].sort();
  const [a, b, c, d, e, f] = users as [string, string, string, string, string, string];
  const admin = openAsAdmin(database.db, tenantId);
  const root = await create(admin, tenantId, 'Root', [a]);
  const middle = await create(admin, tenantId, 'Middle', [b]);
  const leaf = await create(admin, tenantId, 'Leaf', [b, c]);
  const expectRoot = async (...expected: string[]) =>
    expect((await seen(tenantId, root)).users).toEqual(expected);

  await expectRoot(a);
  await addNestedGroups(admin, { groupId: root, childGroupIds: [middle] });
  await expectRoot(a, b);
  await addNestedGroups(admin, { groupId: middle, childGroupIds: [leaf] });
  await expectRoot(a, b, c);
  await addGroupMembers(admin, { groupId: leaf, userIds: [d, e] });
  await expectRoot(a, b, c, d, e);
  await removeGroupMembers(admin, { groupId: leaf, userIds: [b, d] });
  await expectRoot(a, b, c, e);
  await addGroupMembers(openAsAdmin(other, tenantId), { groupId: leaf, userIds: [f] });
  await expectRoot(a, b, c, e, f);
  expect((await seen(tenantId, leaf)).members).toEqual([c, e, f]);
  const renamed = [{ id: c, email: 'c@example.org', displayName: 'Renamed' }];
  await upsertUsers(openAsAdmin(other, tenantId), { tenantId, users: renamed });
  expect((await seen(tenantId, leaf)).members).toEqual(['Renamed', e, f]);
  await removeUsers(admin, { tenantId, userIds: [e] });
  await expectRoot(a, b, c, f);
  expect((await seen(tenantId, leaf)).members).toEqual(['Renamed', f]);
  await deleteGroup(admin, { id: leaf, strategy: 'CASCADE' });
  await expectRoot(a, b);
  await restoreGroup(admin, { id: leaf });
  await expectRoot(a, b, c, f);
  expect((await seen(tenantId, leaf)).members).toEqual(['Renamed', f]);
  await removeNestedGroup(admin, { groupId: root, childGroupId: middle });
  await expectRoot(a);
  expect((await seen(tenantId, leaf)).direct).toBe(2);
  expect(await checkDirectory(database.db, tenantId)).toEqual([]);
});

test('a change to a group elsewhere leaves the count standing, and one below does not', async () => {
  const { tenantId, userIds } = await createTenant(database.db, 3);
  const admin = openAsAdmin(database.db, tenantId);
  const root = await create(admin, tenantId, 'Root');
  const leaf = await create(admin, tenantId, 'Leaf', userIds.slice(0, 1));
  const elsewhere = await create(admin, tenantId, 'Elsewhere');
  await addNestedGroups(admin, { groupId: root, childGroupIds: [leaf] });
  const statements: string[] = [];
  const stop = database.db.onStatement((text) => statements.push(text));
  const count = async () => {
    statements.length = 0;
    const counted = await countEffectiveMembers(openAsAdmin(database.db, tenantId), root);
    return {
      counted,
      recounted: statements.some((text) => /(from|join) memberships/.test(text)),
      statements: statements.length,
    };
  };
  expect(await count()).toMatchObject({ counted: 1, recounted: true });
  expect(await count()).toEqual({ counted: 1, recounted: false, statements: 1 });
  await addGroupMembers(admin, { groupId: elsewhere, userIds });
  expect(await count()).toEqual({ counted: 1, recounted: false, statements: 1 });
  await addGroupMembers(admin, { groupId: leaf, userIds: userIds.slice(0, 2) });
  expect(await count()).toMatchObject({ counted: 2, recounted: true });
  stop();
});

test('a large reach is walked or merged to the same pages, in both directions', async () => {
  const { tenantId, userIds } = await createTenant(database.db, 400);
  const admin = openAsAdmin(database.db, tenantId);
  const root = await create(admin, tenantId, 'Root', userIds.slice(0, 2));
  // More groups than from which users are walked; every third user is in one, the last ones in none.
  const members = [...userIds].sort().filter((_, at) => at % 3 === 0 && at < 300);
  for (let at = 0; at < 2; at += 1) {
    const children: string[] = [];
    for (let n = 0; n < 75; n += 1) {
      children.push(
        await create(
          admin,
          tenantId,
          `Child ${at} ${n}`,
          members.filter((_id, m) => m % 150 === at * 75 + n),
        ),
      );
    }
    await addNestedGroups(admin, { groupId: root, childGroupIds: children });
  }
  const expected = [...new Set([...members, ...userIds.slice(0, 2)])].sort();
  for (const forward of [true, false]) {
    const found: string[] = [];
    for (let cursor: string | null = null; ; ) {
      const page: Page<MemberRow> = (await listEffectiveMembers(openAsAdmin(database.db, tenantId), root, {
        page: forward ? { first: 7, after: cursor } : { last: 7, before: cursor },
      }))!;
      const ids = page.rows.map((row) => row.userId as string);
      if (forward) found.push(...ids);
      else found.unshift(...ids);
      if (!(forward ? page.hasNextPage : page.hasPreviousPage)) break;
      cursor = page.cursors.at(forward ? -1 : 0)!;
    }
    expect(found).toEqual(expected);
  }
  expect(await countEffectiveMembers(admin, root)).toBe(expected.length);
});

test('what is cached is told to nobody who may not see it', async () => {
  const { tenantId, userIds } = await createTenant(database.db, 1);
  const stranger = await createTenant(database.db, 1);
  const root = await create(openAsAdmin(database.db, tenantId), tenantId, 'Root', userIds);
  await seen(tenantId, root);
  const outside = openAsAdmin(database.db, stranger.tenantId);
  expect(await countEffectiveMembers(outside, root)).toBe(0);
  expect((await listEffectiveMembers(outside, root, { page: {} }))!.rows).toEqual([]);
  const user = openDirectory(database.db, plainUser(tenantId, userIds[0]!));
  expect(await countEffectiveMembers(user, root)).toBeNull();
});

test('counts are exact while members come and go in many leaves and in one', async () => {
  const { tenantId, userIds } = await createTenant(database.db, 60);
  const admin = openAsAdmin(database.db, tenantId);
  const root = await create(admin, tenantId, 'Root');
  const leaves = await Promise.all(Array.from({ length: 6 }, (_, n) => create(admin, tenantId, `Leaf ${n}`)));
  await addNestedGroups(admin, { groupId: root, childGroupIds: leaves });
  const acknowledged = new Set<string>();
  const writers = userIds.map(async (userId, at) => {
    const directory = openAsAdmin(at % 2 ? database.db : other, tenantId);
    await addGroupMembers(directory, { groupId: leaves[at % leaves.length]!, userIds: [userId] });
    acknowledged.add(userId);
    const before = acknowledged.size;
    const count = (await countEffectiveMembers(openAsAdmin(at % 2 ? other : database.db, tenantId), root))!;
    expect(count).toBeGreaterThanOrEqual(before);
    if (at % 3 === 0) await addGroupMembers(directory, { groupId: leaves[0]!, userIds: [userId] });
  });
  await Promise.all(writers);
  expect((await seen(tenantId, root)).users).toEqual([...userIds].sort());
  const rows = await database.db.sql(Prisma.sql`
    select g.id from groups g where g.tenant_id = ${tenantId}
      and g.member_count <> (select count(*) from memberships m where m.group_id = g.id)`);
  expect(rows).toEqual([]);
});

test('a cursor longer than any that was given is refused', async () => {
  const { tenantId } = await createTenant(database.db, 1);
  const directory = openAsAdmin(database.db, tenantId);
  const root = await create(directory, tenantId, 'Root');
  const cursor = (length: number) =>
    Buffer.from(JSON.stringify(['user', 'u'.repeat(length)])).toString('base64url');
  const page = (after: string) => listEffectiveMembers(directory, root, { page: { after } });
  await expect(page(cursor(100))).resolves.toMatchObject({ rows: [] });
  await expect(page(cursor(10_000))).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
});

test('a page and its total are read also while nestings change all the time', async () => {
  const { db } = database;
  const { tenantId, userIds } = await createTenant(db, 3);
  const admin = openAsAdmin(db, tenantId);
  const root = await create(admin, tenantId, 'Root', userIds.slice(0, 1));
  const leaf = await create(admin, tenantId, 'Leaf', userIds.slice(1, 2));
  const empty = await create(admin, tenantId, 'Empty');
  await addNestedGroups(admin, { groupId: root, childGroupIds: [leaf] });
  let changes = 0;
  const change = (): Promise<unknown> => {
    changes += 1;
    const nesting = { groupId: leaf, childGroupId: empty, childGroupIds: [empty] };
    return changes % 2 ? addNestedGroups(admin, nesting) : removeNestedGroup(admin, nesting);
  };
  let changed: Promise<unknown> = Promise.resolve();
  const unsteady: Database = {
    ...db,
    async sql(statement) {
      changed = changed.then(change);
      await changed;
      return db.sql(statement);
    },
  };
  for (const withTotal of [false, true]) {
    const page = await listEffectiveMembers(openAsAdmin(unsteady, tenantId), root, {
      page: { first: 1, withTotal },
    });
    expect(page!.rows.map((row) => row.userId)).toEqual(userIds.slice(0, 2).sort().slice(0, 1));
    expect(page!.total).toBe(withTotal ? 2 : undefined);
  }
  expect(changes).toBeGreaterThan(16);
});

test('a page and its total are of one position, whatever two processes write', async () => {
  const { tenantId, userIds } = await createTenant(database.db, 24);
  const admin = openAsAdmin(database.db, tenantId);
  const root = await create(admin, tenantId, 'Root');
  const leaves = await Promise.all([1, 2, 3].map((n) => create(admin, tenantId, `Leaf ${n}`)));
  await addNestedGroups(admin, { groupId: root, childGroupIds: leaves.slice(0, 2) });
  const random = randomFrom(seed);
  let reading = true;
  const write = async (db: Database) => {
    const directory = openAsAdmin(db, tenantId);
    for (let at = 0; reading; at += 1) {
      const groupId = leaves[random(3)]!;
      const users = userIds.slice(random(12), 12 + random(12));
      await (random(2) ? addGroupMembers : removeGroupMembers)(directory, { groupId, userIds: users });
      if (at % 5) continue;
      const nesting = { groupId: root, childGroupId: leaves[2]!, childGroupIds: [leaves[2]!] };
      await (at % 2
        ? addNestedGroups(directory, nesting)
        : removeNestedGroup(directory, nesting).catch(() => null));
    }
  };
  const writers = [database.db, other].map(write);
  const totals = new Set<number>();
  try {
    for (let at = 0; at < 150; at += 1) {
      await Promise.all(
        [database.db, other].map(async (db) => {
          const page = { first: 100, withTotal: true };
          const { rows, total } = (await listEffectiveMembers(openAsAdmin(db, tenantId), root, { page }))!;
          expect(total).toBe(rows.length);
          totals.add(total!);
        }),
      );
    }
  } finally {
    reading = false;
    await Promise.all(writers);
  }
  expect(totals.size).toBeGreaterThan(1);
  await seen(tenantId, root);
});

test('pages of direct members share a statement, also at different cursors, and one that is refused fails alone', async () => {
  const { tenantId, userIds } = await createTenant(database.db, 3);
  const users: string[] = [...userIds].sort();
  const admin = openAsAdmin(database.db, tenantId);
  const groups = await Promise.all([1, 2].map((n) => create(admin, tenantId, `Group ${n}`, users)));
  const statements: string[] = [];
  const stop = database.db.onStatement((text) => statements.push(text));
  const cursor = (id: string) => Buffer.from(JSON.stringify(['user', id])).toString('base64url');
  const read = async (groupId: string, after: string) =>
    (await listMembers(openAsAdmin(database.db, tenantId), groupId, { page: { first: 1, after } }))!.rows[0]!
      .userId;
  const pages = await Promise.allSettled([
    read(groups[0]!, cursor(users[0]!)),
    read(groups[0]!, 'nonsense'),
    read(groups[0]!, cursor(users[1]!)),
    read(groups[1]!, cursor('usr_')),
  ]);
  stop();
  expect(pages).toMatchObject([
    { value: users[1] },
    { reason: { code: 'VALIDATION_FAILED' } },
    { value: users[2] },
    { value: users[0] },
  ]);
  expect(statements.filter((text) => text.includes('m.group_id = k.id'))).toHaveLength(1);
});

test('a count is not lost to another request that learns something newer meanwhile', async () => {
  const { db } = database;
  const { tenantId, userIds } = await createTenant(db, 2);
  const admin = openAsAdmin(db, tenantId);
  const root = await create(admin, tenantId, 'Watched', [userIds[0]!]);
  const first = await create(admin, tenantId, 'First', [userIds[1]!]);
  const second = await create(admin, tenantId, 'Second');
  await addNestedGroups(admin, { groupId: root, childGroupIds: [first] });
  expect(await countEffectiveMembers(openAsAdmin(db, tenantId), root)).toBe(2);
  const { sql } = db;
  let asked = false;
  // While the tail of the log is on its way, the nestings change, and a page makes the cached closure newer, without a count.
  const meanwhile: Database['sql'] = async (statement) => {
    if (!asked) {
      asked = true;
      await addNestedGroups(admin, { groupId: root, childGroupIds: [second] });
      await listEffectiveMembers(openAsAdmin(db, tenantId), root, { page: { first: 5 } });
    }
    return sql(statement);
  };
  Object.assign(db, { sql: meanwhile });
  try {
    expect(await countEffectiveMembers(openAsAdmin(db, tenantId), root)).toBe(2);
    expect(asked).toBe(true);
  } finally {
    Object.assign(db, { sql });
  }
});
