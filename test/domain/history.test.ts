// What is written down: each change leaves its events, and each ended edge its interval, in the same transaction.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Database, Prisma } from '../../src/database/database.ts';
import { addGroupMembers } from '../../src/domain/commands/add-members.ts';
import { removeGroupMembers, updateGroupMembers } from '../../src/domain/commands/change-members.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { deleteGroup } from '../../src/domain/commands/delete-group.ts';
import { addNestedGroups, removeNestedGroup } from '../../src/domain/commands/nest-groups.ts';
import { removeUsers } from '../../src/domain/commands/remove-users.ts';
import { restoreGroup } from '../../src/domain/commands/restore-group.ts';
import { updateGroup } from '../../src/domain/commands/update-group.ts';
import { type Directory, openDirectory } from '../../src/domain/directory.ts';
import type { Caller } from '../../src/model/caller.ts';
import type { PartnerId, TenantId, UserId } from '../../src/model/ids.ts';
import {
  createTenant,
  openAsAdmin,
  partnerAdmin,
  platform,
  service,
  superAdmin,
  tenantAdmin,
} from '../support/directories.ts';
import { createWorld, edgesOf, endedOf, eventsOf, MAKER, positionOf } from '../support/group-worlds.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';

let database: TestDatabase;
let tenantId: TenantId;
let users: UserId[];
let directory: Directory;
beforeAll(async () => {
  database = await openTestDatabase();
});
beforeEach(async () => {
  ({ tenantId, userIds: users } = await createTenant(database.db, 3));
  directory = openAsAdmin(database.db, tenantId);
});
afterAll(() => database.close());

const create = async (name: string, more: object = {}) =>
  (await createGroup(directory, { tenantId, name, ...more })).group.id;

type Event = { at: string; type: string; groupId: string; actor: string; data: Record<string, unknown> };
const events = () =>
  database.db.sql<Event>(Prisma.sql`
    select position || '.' || ordinal as at, type, group_id as "groupId", actor_type || ' ' || actor_id as actor, data
    from changes where tenant_id = ${tenantId} order by position, ordinal`);
const types = async () => (await events()).map((event) => `${event.at} ${event.type}`);

type Ended = { userId: string; cause: string; interval: boolean; by: string; deleted: boolean };
const endedMemberships = () =>
  database.db.sql<Ended>(Prisma.sql`
    select user_id as "userId", cause, until > since and ended_at >= added_at as interval,
      ended_by as by, deletion_id is not null as deleted
    from membership_history where tenant_id = ${tenantId} order by user_id, until`);

test('each change appends its events, with their actor', async () => {
  const group = await create('Group', { initialMemberIds: [users[0]] });
  const child = await create('Child');
  await updateGroup(directory, { id: group, description: 'New' });
  await addGroupMembers(directory, { groupId: group, userIds: [users[1]!, users[2]!] });
  await removeGroupMembers(directory, { groupId: group, userIds: [users[1]!] });
  await addNestedGroups(directory, { groupId: group, childGroupIds: [child] });
  await removeNestedGroup(directory, { groupId: group, childGroupId: child });
  await deleteGroup(directory, { id: group, strategy: 'CASCADE' });
  await restoreGroup(directory, { id: group });
  expect(await types()).toEqual([
    '1.0 group.created',
    '1.1 group_membership.added',
    '2.0 group.created',
    '3.0 group.updated',
    '4.0 group_membership.added',
    '5.0 group_membership.removed',
    '6.0 group_nesting.added',
    '7.0 group_nesting.removed',
    '8.0 group.deleted',
    '9.0 group.restored',
  ]);
  const written = await events();
  expect(new Set(written.map((event) => event.actor))).toEqual(new Set(['user usr_administrator']));
  const updated = written[3]!;
  expect(updated.data).toMatchObject({
    changed: ['description'],
    before: { description: null },
    after: { description: 'New' },
  });
});

test('what changes nothing writes nothing', async () => {
  const group = await create('Group', { initialMemberIds: [users[0]], description: 'Same' });
  const child = await create('Child');
  await addNestedGroups(directory, { groupId: group, childGroupIds: [child] });
  const before = await types();
  const position = await positionOf(database.db, tenantId);
  await updateGroup(directory, { id: group, description: 'Same' });
  await addGroupMembers(directory, { groupId: group, userIds: [users[0]!] });
  await removeGroupMembers(directory, { groupId: group, userIds: [users[1]!] });
  await addNestedGroups(directory, { groupId: group, childGroupIds: [child] });
  expect(await types()).toEqual(before);
  expect(await positionOf(database.db, tenantId)).toBe(position);
});

test('a refused change leaves no trace', async () => {
  const group = await create('Group', { initialMemberIds: [users[0]] });
  const before = await types();
  await expect(deleteGroup(directory, { id: group })).rejects.toMatchObject({ code: 'GROUP_NOT_EMPTY' });
  await expect(
    addGroupMembers(directory, { groupId: group, userIds: [users[1]!, 'usr_unknown'] }),
  ).rejects.toMatchObject({ code: 'UNKNOWN_USERS', details: { userIds: ['usr_unknown'] } });
  expect(await types()).toEqual(before);
  expect(await positionOf(database.db, tenantId)).toBe(1);
  expect(await endedMemberships()).toEqual([]);
});

test('ended memberships are intervals, with their cause and who ended them', async () => {
  const group = await create('Group', { initialMemberIds: users });
  await removeGroupMembers(directory, { groupId: group, userIds: [users[0]!] });
  await removeUsers(directory, { tenantId, userIds: [users[1]!] });
  await deleteGroup(directory, { id: group, strategy: 'CASCADE' });
  const ended = await endedMemberships();
  expect(new Map(ended.map(({ userId, cause, deleted }) => [userId, `${cause} ${deleted}`]))).toEqual(
    new Map([
      [users[0], 'REMOVED false'],
      [users[1], 'USER_REMOVED false'],
      [users[2], 'GROUP_DELETED true'],
    ]),
  );
  expect(ended.every(({ interval, by }) => interval && by === 'usr_administrator')).toBe(true);
});

test('a second deletion after a restore is an interval of its own', async () => {
  const group = await create('Group', { initialMemberIds: [users[0]] });
  for (let round = 0; round < 2; round += 1) {
    await deleteGroup(directory, { id: group, strategy: 'ORPHAN' });
    expect(await restoreGroup(directory, { id: group })).toMatchObject({ notRestored: [] });
  }
  expect(await endedMemberships()).toHaveLength(2);
});

test('a group deleted more than 30 days ago stays deleted', async () => {
  const group = await create('Group');
  await deleteGroup(directory, { id: group });
  await database.db.sql(
    Prisma.sql`update groups set deleted_at = now() - interval '30 days 1 minute' where id = ${group}`,
  );
  await expect(restoreGroup(directory, { id: group })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await database.db.sql(
    Prisma.sql`update groups set deleted_at = now() - interval '29 days' where id = ${group}`,
  );
  expect((await restoreGroup(directory, { id: group })).group.id).toBe(group);
});

test('an edge across tenants cannot be stored, whoever tries', async () => {
  const group = await create('Group');
  const other = await createTenant(database.db, 1);
  await expect(
    database.db.sql(Prisma.sql`
      insert into memberships (tenant_id, group_id, user_id, added_by)
      values (${tenantId}, ${group}, ${other.userIds[0]}, 'nobody')`),
  ).rejects.toMatchObject({ code: '23503' });
});

/** Who may change a tenant, and how events name each: by its subject. */
const ACTORS: [string, (tenantId: TenantId, partnerId: PartnerId) => Caller, string][] = [
  ['its administrator', tenantAdmin, 'user usr_administrator'],
  ['the partner', (_tenantId, partnerId) => partnerAdmin(partnerId), 'user usr_partneradmin'],
  ['the administrator of everything', () => superAdmin, 'user usr_root'],
  ['a service', (tenantId) => service(tenantId, true), 'service client'],
  ['a service of the platform', () => platform(true), 'service sync'],
];

type Written = {
  /** Events, by type and group, without their actor. */
  events: [type: string, group: string, data: object][];
  /** Edges that began and ended, without who did it. */
  begun?: string[];
  ended?: string[];
};

type World = Awaited<ReturnType<typeof recordedWorld>>;
const recordedWorld = () =>
  createWorld(
    database.db,
    {
      Top: { members: [0], nests: ['Group'] },
      Group: { parent: 'Top', members: [0, 1], nests: ['Leaf'] },
      Child: { parent: 'Group', members: [1] },
      Leaf: { nests: ['Deep'] },
      Deep: {},
      Spare: { members: [2] },
    },
    4,
  );

const deletionId = expect.stringMatching(/^del_[A-Za-z0-9]{16}$/);
const fieldsOf = (more: object) => ({
  name: 'Group',
  description: null,
  type: 'SECURITY',
  parentGroupId: null,
  customAttributes: null,
  ...more,
});

const COMMANDS: Record<
  string,
  { run(directory: Directory, world: World): Promise<unknown>; written(world: World): Written }
> = {
  createGroup: {
    run: (directory, { tenantId, users, ids }) =>
      createGroup(directory, {
        tenantId,
        name: 'New',
        parentGroupId: ids.Top,
        initialMemberIds: [users[3]!, users[0]!],
      }),
    written: ({ users, ids }) => ({
      events: [
        ['group.created', 'New', { after: fieldsOf({ name: 'New', parentGroupId: ids.Top }) }],
        ['group_membership.added', 'New', { userIds: [users[3], users[0]] }],
      ],
      begun: [`New: ${users[0]}`, `New: ${users[3]}`],
    }),
  },
  updateGroup: {
    run: (directory, { ids }) =>
      updateGroup(directory, { id: ids.Group, description: 'd', parentGroupId: null }),
    written: ({ ids }) => ({
      events: [
        [
          'group.updated',
          'Group',
          {
            changed: ['description', 'parentGroupId'],
            before: fieldsOf({ parentGroupId: ids.Top }),
            after: fieldsOf({ description: 'd' }),
          },
        ],
      ],
    }),
  },
  addGroupMembers: {
    run: (directory, { users, ids }) =>
      addGroupMembers(directory, { groupId: ids.Spare, userIds: [users[3]!, users[2]!, users[1]!] }),
    written: ({ users }) => ({
      events: [['group_membership.added', 'Spare', { userIds: [users[3], users[1]] }]],
      begun: [`Spare: ${users[1]}`, `Spare: ${users[3]}`],
    }),
  },
  removeGroupMembers: {
    run: (directory, { users, ids }) =>
      removeGroupMembers(directory, { groupId: ids.Group, userIds: [users[3]!, users[1]!] }),
    written: ({ users }) => ({
      events: [['group_membership.removed', 'Group', { userIds: [users[1]], cause: 'REMOVED' }]],
      ended: [`Group: ${users[1]} REMOVED`],
    }),
  },
  updateGroupMembers: {
    run: (directory, { users, ids }) =>
      updateGroupMembers(directory, {
        groupId: ids.Group,
        usersToAdd: [users[2]!],
        usersToRemove: [users[0]!],
      }),
    written: ({ users }) => ({
      events: [
        ['group_membership.added', 'Group', { userIds: [users[2]] }],
        ['group_membership.removed', 'Group', { userIds: [users[0]], cause: 'REMOVED' }],
      ],
      begun: [`Group: ${users[2]}`],
      ended: [`Group: ${users[0]} REMOVED`],
    }),
  },
  addNestedGroups: {
    run: (directory, { ids }) =>
      addNestedGroups(directory, { groupId: ids.Group, childGroupIds: [ids.Spare, ids.Leaf] }),
    written: ({ ids }) => ({
      events: [['group_nesting.added', 'Group', { groupIds: [ids.Spare] }]],
      begun: ['Group > Spare'],
    }),
  },
  removeNestedGroup: {
    run: (directory, { ids }) => removeNestedGroup(directory, { groupId: ids.Group, childGroupId: ids.Leaf }),
    written: ({ ids }) => ({
      events: [['group_nesting.removed', 'Group', { groupIds: [ids.Leaf], cause: 'REMOVED' }]],
      ended: ['Group > Leaf REMOVED'],
    }),
  },
  removeUsers: {
    run: (directory, { tenantId, users }) => removeUsers(directory, { tenantId, userIds: [users[1]!] }),
    written: ({ users }) => ({
      events: [
        ['group_membership.removed', 'Child', { userIds: [users[1]], cause: 'USER_REMOVED' }],
        ['group_membership.removed', 'Group', { userIds: [users[1]], cause: 'USER_REMOVED' }],
      ],
      ended: [`Child: ${users[1]} USER_REMOVED`, `Group: ${users[1]} USER_REMOVED`],
    }),
  },
  'deleteGroup, BLOCK': {
    run: (directory, { ids }) => deleteGroup(directory, { id: ids.Deep }),
    written: ({ ids }) => ({
      events: [
        ['group.deleted', 'Deep', { strategy: 'BLOCK', deletionId, userIds: [], groupIds: [] }],
        ['group_nesting.removed', 'Leaf', { groupIds: [ids.Deep], cause: 'GROUP_DELETED' }],
      ],
      ended: ['Leaf > Deep GROUP_DELETED'],
    }),
  },
  'deleteGroup, ORPHAN': {
    run: (directory, { ids }) => deleteGroup(directory, { id: ids.Group, strategy: 'ORPHAN' }),
    written: ({ users, ids }) => ({
      events: [
        [
          'group.deleted',
          'Group',
          { strategy: 'ORPHAN', deletionId, userIds: [users[0], users[1]], groupIds: [ids.Leaf] },
        ],
        [
          'group.updated',
          'Child',
          {
            changed: ['parentGroupId'],
            before: { parentGroupId: ids.Group },
            after: { parentGroupId: ids.Top },
          },
        ],
        ['group_nesting.added', 'Top', { groupIds: [ids.Leaf], through: ids.Group }],
        ['group_nesting.removed', 'Top', { groupIds: [ids.Group], cause: 'GROUP_DELETED' }],
      ],
      begun: ['Top > Leaf'],
      ended: [
        `Group: ${users[0]} GROUP_DELETED`,
        `Group: ${users[1]} GROUP_DELETED`,
        'Group > Leaf GROUP_DELETED',
        'Top > Group GROUP_DELETED',
      ],
    }),
  },
  'deleteGroup, CASCADE': {
    run: (directory, { ids }) => deleteGroup(directory, { id: ids.Group, strategy: 'CASCADE' }),
    written: ({ users, ids }) => ({
      events: [
        ['group.deleted', 'Child', { strategy: 'CASCADE', deletionId, userIds: [users[1]], groupIds: [] }],
        [
          'group.deleted',
          'Group',
          { strategy: 'CASCADE', deletionId, userIds: [users[0], users[1]], groupIds: [ids.Leaf] },
        ],
        ['group_nesting.removed', 'Top', { groupIds: [ids.Group], cause: 'GROUP_DELETED' }],
      ],
      ended: [
        `Child: ${users[1]} GROUP_DELETED`,
        `Group: ${users[0]} GROUP_DELETED`,
        `Group: ${users[1]} GROUP_DELETED`,
        'Group > Leaf GROUP_DELETED',
        'Top > Group GROUP_DELETED',
      ],
    }),
  },
};

/** Events; the members of a group that was deleted or restored come in no order of their own. */
async function sortedEventsOf(db: Database, tenantId: TenantId) {
  const events = await eventsOf(db, tenantId);
  for (const { type, data } of events)
    if (type === 'group.deleted' || type === 'group.restored') (data.userIds as string[]).sort();
  return events;
}

describe.each(Object.entries(COMMANDS))('%s is written down', (_command, { run, written }) => {
  test.each(ACTORS)('by %s', async (_who, callerOf, actor) => {
    const { db } = database;
    const world = await recordedWorld();
    await run(openDirectory(db, callerOf(world.tenantId, world.partnerId)), world);
    const { events, begun = [], ended = [] } = written(world);
    expect(await positionOf(db, world.tenantId)).toBe(1);
    expect(await sortedEventsOf(db, world.tenantId)).toEqual(
      events.map(([type, group, data]) => ({ type, group, actor, data })),
    );
    const subject = actor.split(' ')[1]!;
    const edges = await edgesOf(db, world.tenantId);
    expect(edges.filter((edge) => !edge.endsWith(` by ${MAKER}`))).toEqual(
      begun.map((edge) => `${edge} by ${subject}`).toSorted(),
    );
    const until = (edge: string) => {
      const [, ends, cause] = /^(.*) (\w+)$/.exec(edge)!;
      return `${ends} by ${MAKER} until ${subject} ${cause}${cause === 'GROUP_DELETED' ? ' deletion' : ''}`;
    };
    expect(await endedOf(db, world.tenantId)).toEqual(ended.map(until).toSorted());
  });
});

test.each(ACTORS)('a restored tree is written down by %s, group by group', async (_who, callerOf, actor) => {
  const { db } = database;
  const world = await recordedWorld();
  const { ids, users } = world;
  await deleteGroup(world.directory, { id: ids.Group, strategy: 'CASCADE' });
  const before = (await eventsOf(db, world.tenantId)).length;
  await restoreGroup(openDirectory(db, callerOf(world.tenantId, world.partnerId)), {
    id: ids.Group,
    includeDescendants: true,
  });
  const restored = (group: string, data: object) => ({
    type: 'group.restored',
    group,
    actor,
    data: { deletionId, ...data },
  });
  expect((await sortedEventsOf(db, world.tenantId)).slice(before)).toEqual([
    restored('Child', { parentGroupId: ids.Group, userIds: [users[1]], groupIds: [] }),
    restored('Group', { parentGroupId: ids.Top, userIds: [users[0], users[1]], groupIds: [ids.Leaf] }),
    {
      type: 'group_nesting.added',
      group: 'Top',
      actor,
      data: { groupIds: [ids.Group], cause: 'GROUP_RESTORED' },
    },
  ]);
  expect(await positionOf(db, world.tenantId)).toBe(2);
  const subject = actor.split(' ')[1]!;
  expect((await edgesOf(db, world.tenantId)).filter((edge) => !edge.endsWith(` by ${MAKER}`))).toEqual(
    [`Child: ${users[1]}`, `Group: ${users[0]}`, `Group: ${users[1]}`, 'Group > Leaf', 'Top > Group']
      .map((edge) => `${edge} by ${subject}`)
      .toSorted(),
  );
});
