// Counts of effective members that are carried forward by events: exact, and without reading all members again.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Database, Prisma } from '../../src/database/database.ts';
import type { Directory } from '../../src/domain/directory.ts';
import { countEffectiveMembers } from '../../src/domain/effective-members.ts';
import { createGroup } from '../../src/domain/group-changes.ts';
import { addGroupMembers, removeGroupMembers } from '../../src/domain/members.ts';
import { addNestedGroups, removeNestedGroup } from '../../src/domain/nesting.ts';
import { removeUsers } from '../../src/domain/users.ts';
import type { TenantId, UserId } from '../../src/model/ids.ts';
import { createTenant, openAsAdmin } from '../support/directories.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';

let database: TestDatabase;
let tenantId: TenantId;
let users: UserId[];
let admin: Directory;
let root: string;
let left: string;
let right: string;
beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.close());

const create = async (name: string) => (await createGroup(admin, { tenantId, name })).group.id;
const add = (groupId: string, userIds: string[]) => addGroupMembers(admin, { groupId, userIds });
const remove = (groupId: string, userIds: string[]) => removeGroupMembers(admin, { groupId, userIds });

/** A root of two leaves; the first two users are in the left one, the second also in the right one. */
beforeEach(async () => {
  ({ tenantId, userIds: users } = await createTenant(database.db, 12));
  admin = openAsAdmin(database.db, tenantId);
  root = await create('Root');
  left = await create('Left');
  right = await create('Right');
  await addNestedGroups(admin, { groupId: root, childGroupIds: [left, right] });
  await add(left, users.slice(0, 2));
  await add(right, users.slice(1, 2));
  expect((await count()).members).toBe(2);
});

/** The count, and whether all members were read for it. */
async function count(groupId = root): Promise<{ members: number; anew: boolean }> {
  const statements: string[] = [];
  const stop = database.db.onStatement((text) => statements.push(text));
  const members = (await countEffectiveMembers(openAsAdmin(database.db, tenantId), groupId))!;
  stop();
  return { members, anew: statements.some((text) => text.includes('with recursive')) };
}

const carried = (members: number) => ({ members, anew: false });
const anew = (members: number) => ({ members, anew: true });

test('each change counts for what it changes', async () => {
  const [first, second, third] = users as [UserId, UserId, UserId];
  await add(left, [third]);
  expect(await count()).toEqual(carried(3));
  await add(right, [third]);
  expect(await count()).toEqual(carried(3));
  await remove(left, [third]);
  expect(await count()).toEqual(carried(3));
  await remove(right, [third]);
  expect(await count()).toEqual(carried(2));
  await remove(left, [first, second]);
  expect(await count()).toEqual(carried(1));
  await add(root, [second]);
  expect(await count()).toEqual(carried(1));
});

test('changes that undo each other change nothing', async () => {
  const [first, second, third] = users as [UserId, UserId, UserId];
  await add(left, [third]);
  await remove(left, [third]);
  expect(await count()).toEqual(carried(2));
  await remove(left, [first, second]);
  await add(left, [first, second]);
  expect(await count()).toEqual(carried(2));
  await remove(left, [first]);
  await add(right, [first]);
  expect(await count()).toEqual(carried(2));
});

test('several groups are carried forward at once, each by its own changes', async () => {
  await count(left);
  const above = await create('Above');
  await addNestedGroups(admin, { groupId: above, childGroupIds: [root] });
  await add(above, users.slice(10, 11));
  await Promise.all([count(above), count(root), count(left)]);
  await add(left, users.slice(5, 7));
  await add(right, users.slice(6, 9));
  await add(above, users.slice(5, 6));
  const directory = openAsAdmin(database.db, tenantId);
  const counts = [above, root, left, right].map((id) => countEffectiveMembers(directory, id));
  expect(await Promise.all(counts)).toEqual([7, 6, 4, 4]);
});

test('a user who is removed from the directory leaves every count', async () => {
  await removeUsers(admin, { tenantId, userIds: users.slice(1, 2) });
  expect(await count()).toEqual(carried(1));
});

test('additions of many requests at once are told by their events', async () => {
  await Promise.all(
    users.map((user, at) =>
      addGroupMembers(openAsAdmin(database.db, tenantId), {
        groupId: at % 2 ? left : right,
        userIds: [user, users[(at * 5) % users.length]!],
      }),
    ),
  );
  expect(await count()).toEqual(carried(12));
});

test('where no event tells of a change, members are counted anew', async () => {
  await add(left, users.slice(2, 4));
  await database.db.sql(Prisma.sql`delete from group_events where tenant_id = ${tenantId}`);
  await add(left, users.slice(4, 5));
  expect(await count()).toEqual(anew(5));
  await add(left, users.slice(5, 6));
  expect(await count()).toEqual(carried(6));
});

test('a nesting that changes with the members is not overlooked', async () => {
  const third = await create('Third');
  await add(third, users.slice(6, 9));
  await add(left, users.slice(2, 3));
  await addNestedGroups(admin, { groupId: root, childGroupIds: [third] });
  expect(await count()).toEqual(anew(6));
  await add(third, users.slice(9, 10));
  await removeNestedGroup(admin, { groupId: root, childGroupId: third });
  expect(await count()).toEqual(anew(3));
});

test('a nesting that changes while the count is carried forward is not overlooked', async () => {
  const third = await create('Third');
  await add(third, users.slice(6, 9));
  await add(left, users.slice(2, 3));
  const { sql } = database.db;
  let asked = 0;
  // Between the statement that finds members changed and the one that follows their changes.
  const meanwhile: Database['sql'] = async (statement) => {
    asked += 1;
    if (asked === 2) await addNestedGroups(admin, { groupId: root, childGroupIds: [third] });
    return sql(statement);
  };
  Object.assign(database.db, { sql: meanwhile });
  try {
    expect(await countEffectiveMembers(openAsAdmin(database.db, tenantId), root)).toBe(6);
    expect(asked).toBeGreaterThan(2);
  } finally {
    Object.assign(database.db, { sql });
  }
});

test('a nesting elsewhere does not keep a count from being carried forward', async () => {
  const elsewhere = await create('Elsewhere');
  const below = await create('Below');
  await addNestedGroups(admin, { groupId: elsewhere, childGroupIds: [below] });
  await add(left, users.slice(2, 3));
  // What the group reaches is read again, once; its members are not.
  expect((await count()).members).toBe(3);
  await add(left, users.slice(3, 4));
  expect(await count()).toEqual(carried(4));
});

test('many changes are counted anew', async () => {
  const many = await createTenant(database.db, 1_500);
  ({ tenantId } = many);
  admin = openAsAdmin(database.db, tenantId);
  const top = await create('Top');
  const leaf = await create('Leaf');
  await addNestedGroups(admin, { groupId: top, childGroupIds: [leaf] });
  await count(top);
  for (let at = 0; at < 3; at += 1) await add(leaf, many.userIds.slice(at * 500, at * 500 + 900));
  expect(await count(top)).toEqual(carried(1_500));
  for (const half of [many.userIds.slice(0, 750), many.userIds.slice(750)]) {
    await remove(leaf, half);
    await add(leaf, half);
    await remove(leaf, half);
  }
  expect(await count(top)).toEqual(anew(0));
});

test('after any sequence of changes the count is the number of distinct users', async () => {
  const groups = [root, left, right, await create('Another'), await create('One more')];
  await addNestedGroups(admin, { groupId: left, childGroupIds: groups.slice(3, 4) });
  await addNestedGroups(admin, { groupId: root, childGroupIds: groups.slice(3, 5) });
  let state = 7;
  const random = (below: number) => {
    // Park and Miller's minimal standard generator.
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
  await count();
  for (let step = 0; step < 300; step += 1) {
    const some = Array.from({ length: 1 + random(3) }, () => users[random(users.length)]!);
    const group = groups[random(groups.length)]!;
    await (random(2) ? add : remove)(group, some);
    if (random(3)) continue;
    const [truth] = await database.db.sql<{ n: number }>(Prisma.sql`
      select count(distinct user_id)::int as n from memberships where group_id = any(${groups}::text[])`);
    expect(await count(), `after step ${step}`).toEqual(carried(truth!.n));
  }
});
