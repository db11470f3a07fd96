// Counts of effective members that are carried forward by events: exact, and without reading all members again.

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Database, Prisma, type Sql } from '../../src/database/database.ts';
import { openDatabase } from '../../src/database/open.ts';
import { addGroupMembers } from '../../src/domain/commands/add-members.ts';
import { removeGroupMembers } from '../../src/domain/commands/change-members.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { deleteGroup } from '../../src/domain/commands/delete-group.ts';
import { addNestedGroups, removeNestedGroup } from '../../src/domain/commands/nest-groups.ts';
import { removeUsers } from '../../src/domain/commands/remove-users.ts';
import { restoreGroup } from '../../src/domain/commands/restore-group.ts';
import type { Directory } from '../../src/domain/directory.ts';
import { changesSince, MAX_EVENTS } from '../../src/domain/effective-membership/change-feed.ts';
import { repairDirectory } from '../../src/domain/integrity/check.ts';
import { countEffectiveMembers } from '../../src/domain/queries/effective-members.ts';
import { countMembers } from '../../src/domain/queries/members.ts';
import { addMembers } from '../../src/domain/writes/memberships.ts';
import type { GroupId, TenantId, UserId } from '../../src/model/ids.ts';
import { changeUnlocked, createTenant, openAsAdmin } from '../support/directories.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { randomFrom } from '../support/random.ts';
import { seed } from '../support/seed.ts';

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

test('a group that was deleted comes back with the members that are left', async () => {
  const alone = await create('Alone');
  await add(alone, users.slice(0, 3));
  expect((await count(alone)).members).toBe(3);
  await deleteGroup(admin, { id: alone, strategy: 'CASCADE' });
  await removeUsers(admin, { tenantId, userIds: users.slice(0, 1) });
  expect(await count(alone)).toEqual(carried(0));
  await restoreGroup(admin, { id: alone });
  expect(await count(alone)).toEqual(anew(2));
});

test('a change that was not committed yet counts as soon as it is', async () => {
  const written = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const slow = changeUnlocked(database.db, tenantId, async (tx) => {
    await addMembers(tx, left as GroupId, users.slice(5, 6));
    written.resolve();
    await gate.promise;
  });
  await written.promise;
  try {
    // Later transactions commit first: what was read up to now is then known by more than the last one.
    await add(right, users.slice(6, 7));
    expect(await count()).toEqual(carried(3));
    await add(right, users.slice(7, 8));
    expect(await count()).toEqual(carried(4));
  } finally {
    gate.resolve();
    await slow;
  }
  expect(await count()).toEqual(carried(5));
});

/** Events of a group that is nowhere near. */
const elsewhere = async (events: number, transactionId: Sql = Prisma.sql`pg_current_xact_id()`) => {
  const group = await create(`Elsewhere ${events}`);
  await database.db.sql(Prisma.sql`
    insert into group_events (event_type, tenant_id, group_id, actor_id, actor_type, data, transaction_id)
    select 'group_membership.added', ${tenantId}, ${group}, 'test', 'user', '{"userIds": []}', ${transactionId}
    from generate_series(1, ${events}::int)`);
};

test('after more events than are followed members are counted anew', async () => {
  await elsewhere(MAX_EVENTS - 1);
  expect(await count()).toEqual(carried(2));
  await elsewhere(MAX_EVENTS);
  expect(await count()).toEqual(anew(2));
  await elsewhere(MAX_EVENTS - 2);
  await add(left, users.slice(4, 5));
  expect(await count()).toEqual(carried(3));
});

test('events that a dump brought from another server do not count, not even when this one comes to their transactions', async () => {
  await add(left, users.slice(2, 3));
  expect(await count()).toEqual(carried(3));
  // So far ahead that what other tests write meanwhile on this server does not come to them.
  await database.db.sql(Prisma.sql`
    update group_events set transaction_id = (pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 10000)::text::xid8
    where group_id = ${left}`);
  // As at the start after the restore.
  await (await openDatabase({ url: database.url, dataDir: '' })).close();
  await database.db.sql(Prisma.sql`
    do $$ begin
      for at in 1..10010 loop
        perform pg_current_xact_id();
        commit;
      end loop;
    end $$`);
  await add(right, users.slice(9, 10));
  await remove(right, users.slice(9, 10));
  expect(await count()).toEqual(carried(3));
});

test('a large log of a dump is disowned whole, and events of this server are left alone', async () => {
  const ahead = Prisma.sql`(pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 1000000)::text::xid8`;
  await elsewhere(10_001, ahead);
  await (await openDatabase({ url: database.url, dataDir: '' })).close();
  const [{ disowned, own } = { disowned: 0, own: 0 }] = await database.db.sql<{
    disowned: number;
    own: number;
  }>(Prisma.sql`
    select count(*) filter (where transaction_id = '0')::int as disowned,
      count(*) filter (where transaction_id > '0' and transaction_id < pg_snapshot_xmax(pg_current_snapshot()))::int as own
    from group_events where tenant_id = ${tenantId}`);
  expect(disowned).toBe(10_001);
  expect(own).toBeGreaterThan(0);
});

test('what another run of the server kept is not believed', async () => {
  const key = { groupId: root, snapshot: '1 1:1:' };
  const [changes] = await changesSince(admin, [key]);
  expect(changes).toMatchObject({ groupIds: null });
  expect(await changesSince(admin, [{ ...key, snapshot: changes!.snapshot }])).toMatchObject([
    { groupIds: [] },
  ]);
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
  expect(statements.some((text) => text.includes('with recursive'))).toBe(false);
});

test('changes of more users or memberships than are followed are counted anew, however few the events', async () => {
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
  expect(await count(top)).toEqual(anew(60));
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

/** The count, while something happens between the statement that asks what has changed and the next one. */
async function countWhile(meanwhile: () => Promise<unknown>): Promise<number> {
  const { sql } = database.db;
  let asked = 0;
  const interrupted: Database['sql'] = async (statement) => {
    asked += 1;
    if (asked === 2) await meanwhile();
    return sql(statement);
  };
  Object.assign(database.db, { sql: interrupted });
  try {
    const counted = (await countEffectiveMembers(openAsAdmin(database.db, tenantId), root))!;
    expect(asked).toBeGreaterThan(1);
    return counted;
  } finally {
    Object.assign(database.db, { sql });
  }
}

test('a nesting that changes while the count is carried forward is not overlooked', async () => {
  const third = await create('Third');
  await add(third, users.slice(6, 9));
  await add(left, users.slice(2, 3));
  expect(await countWhile(() => addNestedGroups(admin, { groupId: root, childGroupIds: [third] }))).toBe(6);
});

test('a nesting that comes and goes while members change is not overlooked', async () => {
  const third = await create('Third');
  await add(third, users.slice(6, 7));
  await addNestedGroups(admin, { groupId: root, childGroupIds: [third] });
  const counted = await countWhile(async () => {
    await add(left, users.slice(9, 11));
    await removeNestedGroup(admin, { groupId: root, childGroupId: third });
  });
  expect(counted).toBe(4);
});

test('more events than are followed while the count is carried forward do not hide one', async () => {
  await add(left, users.slice(2, 3));
  const counted = await countWhile(async () => {
    await elsewhere(MAX_EVENTS);
    await add(left, users.slice(3, 4));
  });
  expect(counted).toBe(4);
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
