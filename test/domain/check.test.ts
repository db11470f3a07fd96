// Integrity: each fault that a restored dump or a hand at the console can leave is named by itself, and what is derived is mended.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { Prisma } from '../../src/database/database.ts';
import { openPostgresql } from '../../src/database/postgresql.ts';
import { addGroupMembers } from '../../src/domain/commands/add-members.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { addNestedGroups } from '../../src/domain/commands/nest-groups.ts';
import { checkDirectory, repairDirectory } from '../../src/domain/integrity/check.ts';
import { countEffectiveMembers } from '../../src/domain/queries/effective-members.ts';
import { countMembers } from '../../src/domain/queries/members.ts';
import { countUsers } from '../../src/domain/queries/users.ts';
import type { GroupId, TenantId, UserId } from '../../src/model/ids.ts';
import { createTenant, openAsAdmin } from '../support/directories.ts';
import { positionOf } from '../support/group-worlds.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { PATIENT } from '../support/timeouts.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await openTestDatabase();
  // What a database refuses; a dump that was restored without constraints, or a hand at the console, may hold it.
  for (const statement of [
    'alter table memberships drop constraint memberships_tenant_id_group_id_fkey',
    'alter table memberships drop constraint memberships_tenant_id_user_id_fkey',
    'alter table nestings drop constraint nestings_tenant_id_parent_group_id_fkey',
    'alter table nestings drop constraint nestings_tenant_id_child_group_id_fkey',
    'alter table groups drop constraint groups_tenant_id_parent_group_id_fkey',
    'drop index groups_live_sibling_name_key',
  ]) {
    await run(statement);
  }
});
afterAll(() => database.close());

const run = (statement: string) => database.db.sql<Record<string, unknown>>(Prisma.raw(statement) as never);

type World = {
  tenantId: TenantId;
  otherTenantId: TenantId;
  userIds: UserId[];
  otherUserIds: UserId[];
  /** A: a member. B below A and nested in it. C by itself. */
  a: GroupId;
  b: GroupId;
  c: GroupId;
  other: GroupId;
};
let world: World;
beforeEach(async () => {
  const { db } = database;
  for (const table of [
    ...[
      'nestings',
      'memberships',
      'nesting_history',
      'membership_history',
      'group_history',
      'user_history',
      'changes',
      'groups',
      'users',
      'ids',
    ],
    ...['tenant_logs', 'tenants'],
  ])
    await run(`delete from ${table}`);
  const { tenantId, userIds } = await createTenant(db, 2);
  const { tenantId: otherTenantId, userIds: otherUserIds } = await createTenant(db, 1);
  const group = async (tenant: TenantId, name: string, parentGroupId: GroupId | null = null) =>
    (await createGroup(openAsAdmin(db, tenant), { tenantId: tenant, name, parentGroupId })).group.id;
  const a = await group(tenantId, 'A');
  const b = await group(tenantId, 'B', a);
  const c = await group(tenantId, 'C');
  const other = await group(otherTenantId, 'Other');
  await addGroupMembers(openAsAdmin(db, tenantId), { groupId: a, userIds: [userIds[0]!] });
  await addNestedGroups(openAsAdmin(db, tenantId), { groupId: a, childGroupIds: [b] });
  world = { tenantId, otherTenantId, userIds, otherUserIds, a, b, c, other };
});

const membership = (tenantId: string, groupId: string, userId: string) =>
  `insert into memberships (tenant_id, group_id, user_id, added_by) values ('${tenantId}', '${groupId}', '${userId}', 'x')`;
const nesting = (tenantId: string, parent: string, child: string) =>
  `insert into nestings (tenant_id, parent_group_id, child_group_id, created_by) values ('${tenantId}', '${parent}', '${child}', 'x')`;
const counted = (groupId: string) =>
  `update groups set member_count = (select count(*) from memberships m where m.group_id = groups.id) where id = '${groupId}'`;
const deleted = (groupId: string) =>
  `update groups set deleted_at = now(), deletion_id = 'del_1' where id = '${groupId}'`;
const idOf = (id: string, tenantId: string) => `update ids set tenant_id = '${tenantId}' where id = '${id}'`;
const ENDED = `'x', now(), 'x', 'REMOVED'`;
const endedMembership = (tenantId: string, groupId: string, userId: string, since: number, until: number) =>
  `insert into membership_history (tenant_id, group_id, user_id, since, until, added_at, added_by, ended_at, ended_by, cause)
    values ('${tenantId}', '${groupId}', '${userId}', ${since}, ${until}, now(), ${ENDED})`;
const endedNesting = (tenantId: string, parent: string, child: string, since: number, until: number) =>
  `insert into nesting_history (tenant_id, parent_group_id, child_group_id, since, until, created_at, created_by, ended_at,
    ended_by, cause) values ('${tenantId}', '${parent}', '${child}', ${since}, ${until}, now(), ${ENDED})`;
const endedGroup = (tenantId: string, id: string, since: number, until: number) =>
  `insert into group_history (tenant_id, id, since, until, name, name_key, search_key, type, version, created_at, updated_at)
    values ('${tenantId}', '${id}', ${since}, ${until}, 'A', 'a', 'a', 'SECURITY', 1, now(), now())`;
const endedUser = (tenantId: string, id: string, since: number, until: number) =>
  `insert into user_history (tenant_id, id, since, until, created_since, email, search_key)
    values ('${tenantId}', '${id}', ${since}, ${until}, 0, 'a@example.org', 'a')`;
const alone = (groupId: string) => [
  `delete from memberships where group_id = '${groupId}'`,
  `delete from nestings where '${groupId}' in (parent_group_id, child_group_id)`,
  counted(groupId),
];

test('a directory that was changed by the domain has no faults', async () => {
  expect(await checkDirectory(database.db)).toEqual([]);
  expect(await repairDirectory(database.db)).toBe(0);
});

const cases: [string, (world: World) => string[], (world: World) => { kind: string; message: string }][] = [
  [
    'a nesting cycle',
    ({ tenantId, a, b }) => [nesting(tenantId, b, a)],
    ({ a, b }) => ({
      kind: 'nesting-cycle',
      message: `on a cycle or below one: ${[a, b].sort().join(', ')}`,
    }),
  ],
  [
    'a hierarchy cycle',
    ({ a, b }) => [`update groups set parent_group_id = '${b}' where id = '${a}'`],
    ({ a, b }) => ({
      kind: 'hierarchy-cycle',
      message: `on a cycle or below one: ${[a, b].sort().join(', ')}`,
    }),
  ],
  [
    'a membership in a group of another tenant',
    ({ tenantId, userIds, other }) => [membership(tenantId, other, userIds[1]!)],
    ({ userIds, other }) => ({
      kind: 'edge-across-tenants',
      message: `membership of ${userIds[1]} in ${other}`,
    }),
  ],
  [
    'a membership of a user of another tenant',
    ({ tenantId, otherUserIds, c }) => [membership(tenantId, c, otherUserIds[0]!), counted(c)],
    ({ otherUserIds, c }) => ({
      kind: 'edge-across-tenants',
      message: `membership of ${otherUserIds[0]} in ${c}`,
    }),
  ],
  [
    'a nesting in a group of another tenant',
    ({ tenantId, c, other }) => [nesting(tenantId, other, c)],
    ({ c, other }) => ({ kind: 'edge-across-tenants', message: `nesting of ${c} in ${other}` }),
  ],
  [
    'a nested group of another tenant',
    ({ tenantId, c, other }) => [nesting(tenantId, c, other)],
    ({ c, other }) => ({ kind: 'edge-across-tenants', message: `nesting of ${other} in ${c}` }),
  ],
  [
    'a parent of another tenant',
    ({ c, other }) => [`update groups set parent_group_id = '${other}' where id = '${c}'`],
    ({ c, other }) => ({ kind: 'edge-across-tenants', message: `${c} has the parent ${other}` }),
  ],
  [
    'a membership in a deleted group',
    ({ tenantId, userIds, c }) => [membership(tenantId, c, userIds[1]!), counted(c), deleted(c)],
    ({ userIds, c }) => ({ kind: 'edge-at-deleted-group', message: `membership of ${userIds[1]} in ${c}` }),
  ],
  [
    'a deleted group that others are nested in',
    ({ tenantId, b, c }) => [nesting(tenantId, c, b), deleted(c)],
    ({ b, c }) => ({ kind: 'edge-at-deleted-group', message: `nesting of ${b} in ${c}` }),
  ],
  [
    'a deleted group that is nested',
    ({ tenantId, a, c }) => [nesting(tenantId, a, c), deleted(c)],
    ({ a, c }) => ({ kind: 'edge-at-deleted-group', message: `nesting of ${c} in ${a}` }),
  ],
  [
    'a group filed under a deleted one',
    ({ a }) => [...alone(a), deleted(a)],
    ({ a, b }) => ({ kind: 'edge-at-deleted-group', message: `${b} has the parent ${a}` }),
  ],
  [
    'siblings of one name at the root',
    ({ c }) => [`update groups set name = 'a', name_key = 'a', search_key = 'a' where id = '${c}'`],
    ({ a, c }) => ({
      kind: 'sibling-names',
      message: `${[a, c].sort().join(', ')} share a name under the root`,
    }),
  ],
  [
    'siblings of one name below a group',
    ({ a, c }) => [
      `update groups set name = 'B', name_key = 'b', search_key = 'b', parent_group_id = '${a}' where id = '${c}'`,
    ],
    ({ a, b, c }) => ({
      kind: 'sibling-names',
      message: `${[b, c].sort().join(', ')} share a name under ${a}`,
    }),
  ],
  [
    "a group's name key",
    ({ c }) => [`update groups set name_key = 'stale' where id = '${c}'`],
    ({ c }) => ({
      kind: 'derived-column',
      message: `group ${c}: the keys for names and search do not match its text`,
    }),
  ],
  [
    "a group's search key",
    ({ c }) => [`update groups set search_key = 'stale' where id = '${c}'`],
    ({ c }) => ({
      kind: 'derived-column',
      message: `group ${c}: the keys for names and search do not match its text`,
    }),
  ],
  [
    "a user's search key",
    ({ userIds }) => [`update users set search_key = 'stale' where id = '${userIds[1]}'`],
    ({ userIds }) => ({
      kind: 'derived-column',
      message: `user ${userIds[1]}: the keys for names and search do not match its text`,
    }),
  ],
  [
    'a count that is too high',
    ({ a }) => [`update groups set member_count = 8 where id = '${a}'`],
    ({ a }) => ({
      kind: 'derived-column',
      message: `group ${a}: its member count is 8, and it has 1 members`,
    }),
  ],
  [
    'a count of a group without members',
    ({ c }) => [`update groups set member_count = 3 where id = '${c}'`],
    ({ c }) => ({
      kind: 'derived-column',
      message: `group ${c}: its member count is 3, and it has 0 members`,
    }),
  ],
  [
    'a count that is too low',
    ({ a }) => [`update groups set member_count = 0 where id = '${a}'`],
    ({ a }) => ({
      kind: 'derived-column',
      message: `group ${a}: its member count is 0, and it has 1 members`,
    }),
  ],
  [
    'an id of a user that is said to be of another tenant',
    ({ otherTenantId, userIds }) => [idOf(userIds[1]!, otherTenantId)],
    ({ tenantId, otherTenantId, userIds }) => ({
      kind: 'id-of-other-tenant',
      message: `${userIds[1]} is of ${tenantId}, and its id of ${otherTenantId}`,
    }),
  ],
  [
    'an id of a deleted group that is said to be of another tenant',
    ({ otherTenantId, c }) => [deleted(c), idOf(c, otherTenantId)],
    ({ tenantId, otherTenantId, c }) => ({
      kind: 'id-of-other-tenant',
      message: `${c} is of ${tenantId}, and its id of ${otherTenantId}`,
    }),
  ],
  [
    'an id of a removed user that nobody may say is free',
    ({ userIds }) => [
      `update users set until = 5 where id = '${userIds[1]}'`,
      `delete from ids where id = '${userIds[1]}'`,
    ],
    ({ tenantId, userIds }) => ({
      kind: 'id-of-other-tenant',
      message: `${userIds[1]} is of ${tenantId}, and its id of none`,
    }),
  ],
  [
    'a membership that began before it had ended',
    ({ tenantId, userIds, a }) => [endedMembership(tenantId, a, userIds[0]!, 2, 5)],
    ({ userIds, a }) => ({
      kind: 'interval',
      message: `membership of ${userIds[0]} in ${a} from position 4`,
    }),
  ],
  [
    'a membership that was twice at one position',
    ({ tenantId, userIds, c }) => [
      endedMembership(tenantId, c, userIds[1]!, 1, 3),
      endedMembership(tenantId, c, userIds[1]!, 2, 4),
    ],
    ({ userIds, c }) => ({
      kind: 'interval',
      message: `membership of ${userIds[1]} in ${c} from position 2`,
    }),
  ],
  [
    'a nesting that began before it had ended',
    ({ tenantId, a, b }) => [endedNesting(tenantId, a, b, 1, 4), `update nestings set since = 3`],
    ({ a, b }) => ({ kind: 'interval', message: `nesting of ${b} in ${a} from position 3` }),
  ],
  [
    'a nesting that was twice at one position',
    ({ tenantId, b, c }) => [endedNesting(tenantId, b, c, 1, 3), endedNesting(tenantId, b, c, 2, 3)],
    ({ b, c }) => ({ kind: 'interval', message: `nesting of ${c} in ${b} from position 2` }),
  ],
  [
    'a group that was two at one position',
    ({ tenantId, a }) => [
      endedGroup(tenantId, a, 0, 4),
      `update groups set version_since = 3 where id = '${a}'`,
    ],
    ({ a }) => ({ kind: 'interval', message: `group ${a} from position 3` }),
  ],
  [
    'a user that was two at one position',
    ({ tenantId, userIds: [id] }) => [
      endedUser(tenantId, id!, 0, 2),
      endedUser(tenantId, id!, 1, 3),
      `update users set version_since = 3 where id = '${id}'`,
    ],
    ({ userIds: [id] }) => ({ kind: 'interval', message: `user ${id} from position 1` }),
  ],
  [
    'a position without a change',
    ({ tenantId }) => [`delete from changes where tenant_id = '${tenantId}' and position = 3`],
    ({ tenantId }) => ({
      kind: 'log',
      message: `tenant ${tenantId} has changes at 4 of the positions from 1 to 5`,
    }),
  ],
  [
    'a change after the head of the log',
    ({ tenantId }) => [
      `update tenant_logs set position = 4, change_id = (select distinct change_id from changes
        where tenant_id = '${tenantId}' and position = 4) where tenant_id = '${tenantId}'`,
      `update nestings set since = 4`,
    ],
    ({ tenantId }) => ({
      kind: 'log',
      message: `tenant ${tenantId} is at position 4, and has rows of position 5`,
    }),
  ],
  ...(
    [
      ['a membership', ({ a }: World) => `update memberships set since = 7 where group_id = '${a}'`],
      ['a nesting', ({ a }) => `update nestings set since = 7 where parent_group_id = '${a}'`],
      ['an ended membership', ({ tenantId, c, userIds }) => endedMembership(tenantId, c, userIds[1]!, 1, 7)],
      ['an ended nesting', ({ tenantId, b, c }) => endedNesting(tenantId, b, c, 1, 7)],
      ['a user', ({ userIds }) => `update users set since = 7 where id = '${userIds[1]}'`],
      ['a group', ({ a }) => `update groups set version_since = 7 where id = '${a}'`],
      ['an ended group', ({ tenantId }) => endedGroup(tenantId, 'grp_1', 1, 7)],
      ['an ended user', ({ tenantId }) => endedUser(tenantId, 'usr_1', 1, 7)],
      ['a changed user', ({ userIds }) => `update users set version_since = 7 where id = '${userIds[1]}'`],
      ['a removed user', ({ userIds }) => `update users set until = 7 where id = '${userIds[1]}'`],
    ] as [string, (world: World) => string][]
  ).map(([what, plant]): (typeof cases)[number] => [
    `${what} of a position after the head of the log`,
    (world) => [plant(world)],
    ({ tenantId }) => ({
      kind: 'log',
      message: `tenant ${tenantId} is at position 5, and has rows of position 7`,
    }),
  ]),
  [
    'a head that names another change than there is at its position',
    ({ tenantId }) => [
      `update tenant_logs set change_id = gen_random_uuid() where tenant_id = '${tenantId}'`,
    ],
    ({ tenantId }) => ({
      kind: 'log',
      message: `tenant ${tenantId} has another change at position 5 than its head says`,
    }),
  ],
  [
    'a tenant without a log',
    ({ tenantId }) => [`delete from tenant_logs where tenant_id = '${tenantId}'`],
    ({ tenantId }) => ({ kind: 'log', message: `tenant ${tenantId} has no log` }),
  ],
  [
    'a membership of a removed user',
    ({ userIds }) => [`update users set until = 5 where id = '${userIds[0]}'`],
    ({ userIds, a }) => ({ kind: 'edge-at-removed-user', message: `membership of ${userIds[0]} in ${a}` }),
  ],
];

test('an edge may begin where it ended; and before the positions are exact, they may have gaps', async () => {
  const { tenantId, userIds, a, b } = world;
  for (const statement of [
    endedMembership(tenantId, a, userIds[0]!, 1, 4),
    endedNesting(tenantId, a, b, 2, 3),
    endedNesting(tenantId, a, b, 3, 5),
    `delete from changes where tenant_id = '${tenantId}' and position in (1, 3)`,
    `update tenant_logs set exact_from = 3 where tenant_id = '${tenantId}'`,
  ])
    await run(statement);
  expect(await checkDirectory(database.db)).toEqual([]);
  await run(`delete from changes where tenant_id = '${tenantId}' and position = 4`);
  expect(await checkDirectory(database.db)).toEqual([
    { kind: 'log', message: `tenant ${tenantId} has changes at 1 of the positions from 4 to 5` },
  ]);
});

test.each(cases)(
  '%s is the one fault that is found, in its tenant alone; only what is derived is mended',
  async (_name, plant, expected) => {
    const { db } = database;
    for (const statement of plant(world)) await run(statement);
    const fault = expected(world);
    expect(await checkDirectory(db)).toEqual([fault]);
    expect(await checkDirectory(db, world.tenantId)).toEqual([fault]);
    const elsewhere = await checkDirectory(db, world.otherTenantId);
    expect(elsewhere.filter(({ kind }) => kind === fault.kind)).toEqual([]);
    const derived = fault.kind === 'derived-column';
    expect(await repairDirectory(db)).toBe(derived ? 1 : 0);
    expect(await checkDirectory(db)).toEqual(derived ? [] : [fault]);
  },
);

/** A chain of so many groups, each nested in and filed under the one before. */
async function chain(length: number): Promise<void> {
  const { tenantId } = world;
  const ids = Array.from({ length }, (_, index) => `grp_Chain${String(index).padStart(3, '0')}`);
  for (const [index, id] of ids.entries()) {
    const parent = index === 0 ? 'null' : `'${ids[index - 1]}'`;
    await run(`insert into groups (id, tenant_id, parent_group_id, name, name_key, search_key)
      values ('${id}', '${tenantId}', ${parent}, 'x${index}', 'x${index}', 'x${index}')`);
    if (index > 0) await run(nesting(tenantId, ids[index - 1]!, id));
  }
}

test('a path of 32 groups is none, one of 33 is a fault of each relation', async () => {
  await chain(32);
  expect(await checkDirectory(database.db)).toEqual([]);
  await run(`insert into groups (id, tenant_id, parent_group_id, name, name_key, search_key)
    values ('grp_Chain032', '${world.tenantId}', 'grp_Chain031', 'x', 'x', 'x')`);
  await run(nesting(world.tenantId, 'grp_Chain031', 'grp_Chain032'));
  expect(await checkDirectory(database.db)).toEqual([
    { kind: 'nesting-depth', message: 'a path of 33 groups; at most 32 are allowed' },
    { kind: 'hierarchy-depth', message: 'a path of 33 groups; at most 32 are allowed' },
  ]);
});

test('deleted groups count for no name, no depth and no cycle of the hierarchy', async () => {
  const { a, b, c } = world;
  for (const statement of [
    ...alone(a),
    ...alone(b),
    `update groups set name = 'A', name_key = 'a', search_key = 'a' where id = '${c}'`,
    `update groups set parent_group_id = '${b}' where id = '${a}'`,
    deleted(a),
    deleted(b),
  ]) {
    await run(statement);
  }
  expect(await checkDirectory(database.db)).toEqual([]);
});

test('rows of more than one part are all compared', async () => {
  const { tenantId } = world;
  await run(`insert into users (id, tenant_id, email, search_key)
    select 'usr_Part' || lpad(n::text, 6, '0'), '${tenantId}', n || '@example.org', n || '@example.org' from generate_series(1, 5003) n`);
  expect(await checkDirectory(database.db)).toEqual([]);
  await run(
    `update users set search_key = 'stale' where id in ('usr_Part000001', 'usr_Part005000', 'usr_Part005003')`,
  );
  const stale = ['usr_Part000001', 'usr_Part005000', 'usr_Part005003'];
  const found = await checkDirectory(database.db);
  expect(found.map(({ message }) => message.slice(5, 19)).sort()).toEqual(stale);
  expect(await repairDirectory(database.db)).toBe(3);
  expect(await checkDirectory(database.db)).toEqual([]);
});

test('a repair is seen at once by an open server, and leaves an event', async () => {
  const { db } = database;
  const { tenantId, a, c, userIds } = world;
  const shown = async (id: GroupId) => {
    const directory = openAsAdmin(db, tenantId);
    return countMembers(directory, id);
  };
  expect([await shown(a), await shown(c)]).toEqual([1, 0]);
  await run(`update groups set member_count = 8 where id = '${a}'`);
  const before = await positionOf(db, tenantId);
  expect(await repairDirectory(db)).toBe(1);
  expect([await shown(a), await shown(c)]).toEqual([1, 0]);
  expect(await positionOf(db, tenantId)).toBe(before + 1);
  expect(
    await run(`select position::int, tenant_id, group_id, actor_id, actor_type, user_ids, group_ids, cause, data from changes
      where type = 'directory.repaired'`),
  ).toEqual([
    {
      position: before + 1,
      tenant_id: tenantId,
      group_id: null,
      actor_id: 'check-directory',
      actor_type: 'service',
      user_ids: null,
      group_ids: null,
      cause: null,
      data: { recounted: [a] },
    },
  ]);
  const found = () => countUsers(openAsAdmin(db, tenantId), { tenantId, search: userIds[0]! });
  expect(await found()).toBe(1);
  await run(`update users set search_key = 'stale' where id = '${userIds[0]}'`);
  expect(await found()).toBe(0);
  expect(await repairDirectory(db)).toBe(1);
  expect(await found()).toBe(1);
});

test('a repair of counts lets another server read anew what it had counted from them', async () => {
  const { db, url } = database;
  const { tenantId, a, b, c, userIds } = world;
  const elsewhere = openPostgresql({ url, timeouts: PATIENT });
  const shown = async () => {
    const directory = openAsAdmin(elsewhere, tenantId);
    return [await countEffectiveMembers(directory, a), await countMembers(directory, a)];
  };
  expect(await shown()).toEqual([1, 1]);
  // A membership that no change began, as a hand at the console may write it: only a repair tells of it.
  await run(membership(tenantId, b, userIds[1]!));
  await run(`update groups set member_count = 7 where id = '${c}'`);
  expect(await repairDirectory(db)).toBe(2);
  expect(await shown()).toEqual([2, 1]);
  expect(await checkDirectory(db)).toEqual([]);
  await elsewhere.close();
});
