// Counts of effective members that are carried forward by the history: exact, and without reading all members again.

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Database, Prisma } from '../../src/database/database.ts';
import { addGroupMembers } from '../../src/domain/commands/add-members.ts';
import { removeGroupMembers } from '../../src/domain/commands/change-members.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { deleteGroup } from '../../src/domain/commands/delete-group.ts';
import { addNestedGroups, removeNestedGroup } from '../../src/domain/commands/nest-groups.ts';
import { removeUsers } from '../../src/domain/commands/remove-users.ts';
import { restoreGroup } from '../../src/domain/commands/restore-group.ts';
import type { Directory } from '../../src/domain/directory.ts';
import { repairDirectory } from '../../src/domain/integrity/check.ts';
import { countEffectiveMembers } from '../../src/domain/queries/effective-members.ts';
import { countMembers } from '../../src/domain/queries/members.ts';
import type { TenantId, UserId } from '../../src/model/ids.ts';
import { createTenant, openAsAdmin } from '../support/directories.ts';
import { appendChanges } from '../support/logs.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { randomFrom } from '../support/random.ts';
import { seed } from '../support/seed.ts';

/** Rows of a tenant's log that are followed at once. */
const MAX_ROWS = 5_000;

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
  return { members, anew: statements.some((text) => text.includes('string_agg(id')) };
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

test('what happens elsewhere to who is below changes nothing', async () => {
  const other = await create('Other');
  await add(other, users.slice(0, 1));
  await add(left, users.slice(5, 6));
  expect(await count()).toEqual(carried(3));
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

test('additions of many requests at once are told by their history', async () => {
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

test('a group that was deleted comes back with the members that are left', async () => {
  const alone = await create('Alone');
  await add(alone, users.slice(0, 3));
  expect((await count(alone)).members).toBe(3);
  await deleteGroup(admin, { id: alone, strategy: 'CASCADE' });
  await removeUsers(admin, { tenantId, userIds: users.slice(0, 1) });
  expect(await count(alone)).toEqual(anew(0));
  await restoreGroup(admin, { id: alone });
  expect(await count(alone)).toEqual(anew(2));
});

test('counts of many moments are carried forward together', async () => {
  const parents: string[] = [];
  for (let at = 0; at < 30; at += 1) {
    const parent = await create(`Parent ${at}`);
    parents.push(parent);
    await addNestedGroups(admin, { groupId: parent, childGroupIds: [at % 2 ? left : right] });
  }
  await Promise.all(parents.map((parent) => count(parent)));
  for (const [at, parent] of parents.entries()) {
    await (at % 3 ? add : remove)(at % 2 ? left : right, users.slice(at % 7, (at % 7) + 2));
    await count(parent);
  }
  const directory = openAsAdmin(database.db, tenantId);
  const statements: string[] = [];
  const stop = database.db.onStatement((text) => statements.push(text));
  const counts = await Promise.all(parents.map((parent) => countEffectiveMembers(directory, parent)));
  stop();
  const direct = await Promise.all(
    [right, left].map((id) => countMembers(openAsAdmin(database.db, tenantId), id)),
  );
  expect(counts).toEqual(parents.map((_, at) => direct[at % 2]));
  expect(statements.some((text) => text.includes('string_agg(id'))).toBe(false);
});

test('users with many memberships elsewhere are carried forward too', async () => {
  const many = await createTenant(database.db, 250);
  ({ tenantId } = many);
  admin = openAsAdmin(database.db, tenantId);
  const top = await create('Top');
  const leaf = await create('Leaf');
  await addNestedGroups(admin, { groupId: top, childGroupIds: [leaf] });
  await database.db.sql(Prisma.sql`
    with filler as (
      insert into groups (id, tenant_id, name, name_key, search_key)
      select ${tenantId} || '_' || n, ${tenantId}, 'Filler ' || n, 'filler ' || n, 'filler ' || n
      from generate_series(1, 100) n returning id)
    insert into memberships (tenant_id, group_id, user_id, added_by)
    select ${tenantId}, filler.id, u.id, 'test' from filler, users u where u.tenant_id = ${tenantId}`);
  await count(top);
  await add(leaf, many.userIds.slice(0, 190));
  expect(await count(top)).toEqual(carried(190));
  await add(leaf, many.userIds);
  await remove(leaf, many.userIds.slice(0, 190));
  expect(await count(top)).toEqual(carried(60));
});

test('a count that was repaired is counted anew', async () => {
  await database.db.sql(Prisma.sql`update groups set member_count = 7 where id = ${right}`);
  expect(await count(right)).toEqual(anew(7));
  await repairDirectory(database.db);
  expect(await count(right)).toEqual(anew(1));
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

/** The count while something happens between the statement that asks what has changed and the next one, and the next count. */
async function countWhile(meanwhile: () => Promise<unknown>) {
  const { sql } = database.db;
  let asked = 0;
  const interrupted: Database['sql'] = async (statement) => {
    asked += 1;
    if (asked === 2) await meanwhile();
    return sql(statement);
  };
  Object.assign(database.db, { sql: interrupted });
  try {
    const first = await count();
    expect(asked).toBeGreaterThan(1);
    return [first, await count()];
  } finally {
    Object.assign(database.db, { sql });
  }
}

test('a nesting that begins while the count is carried forward is of the next one', async () => {
  const third = await create('Third');
  await add(third, users.slice(6, 9));
  await add(left, users.slice(2, 3));
  const nest = () => addNestedGroups(admin, { groupId: root, childGroupIds: [third] });
  expect(await countWhile(nest)).toEqual([carried(3), anew(6)]);
});

test('a nesting that ends while members change is of the next one, with them', async () => {
  const third = await create('Third');
  await add(third, users.slice(6, 7));
  await addNestedGroups(admin, { groupId: root, childGroupIds: [third] });
  await count();
  await remove(third, users.slice(6, 7));
  const counted = await countWhile(async () => {
    await add(left, users.slice(9, 11));
    await removeNestedGroup(admin, { groupId: root, childGroupId: third });
  });
  expect(counted).toEqual([carried(2), anew(4)]);
});

test('users who come to a group that had not changed, while the count is carried forward, are of the next one', async () => {
  await add(left, users.slice(2, 3));
  const come = () => add(right, users.slice(0, 5));
  expect(await countWhile(come)).toEqual([carried(3), carried(5)]);
});

test('more changes than are followed while the count is carried forward do not hide one', async () => {
  await add(left, users.slice(2, 3));
  const counted = await countWhile(async () => {
    await appendChanges(database.db, tenantId, { changes: MAX_ROWS });
    await add(left, users.slice(3, 4));
  });
  expect(counted).toEqual([carried(3), anew(4)]);
});

test('after more changes than are followed members are counted anew', async () => {
  await appendChanges(database.db, tenantId, { changes: MAX_ROWS });
  expect(await count()).toEqual(carried(2));
  await appendChanges(database.db, tenantId, { changes: MAX_ROWS + 1 });
  expect(await count()).toEqual(anew(2));
  await appendChanges(database.db, tenantId, { changes: MAX_ROWS - 1 });
  await add(left, users.slice(4, 5));
  expect(await count()).toEqual(carried(3));
});

test('a nesting elsewhere does not keep a count from being carried forward', async () => {
  const elsewhere = await create('Elsewhere');
  const below = await create('Below');
  await addNestedGroups(admin, { groupId: elsewhere, childGroupIds: [below, root] });
  await add(left, users.slice(2, 3));
  expect(await count()).toEqual(carried(3));
});

test('many changes of fewer users are carried forward, however often they come and go', async () => {
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
  expect(await count(top)).toEqual(carried(0));
});

test('after any sequence of changes the count is the number of distinct users', async () => {
  const groups = [root, left, right, await create('Another'), await create('One more')];
  await addNestedGroups(admin, { groupId: left, childGroupIds: groups.slice(3, 4) });
  await addNestedGroups(admin, { groupId: root, childGroupIds: groups.slice(3, 5) });
  const random = randomFrom(seed);
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
