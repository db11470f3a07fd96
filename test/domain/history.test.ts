// What is written down: each change leaves its events, and each ended edge its interval, in the same transaction.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { Prisma } from '../../src/database/database.ts';
import { deleteGroup } from '../../src/domain/deletion.ts';
import type { Directory } from '../../src/domain/directory.ts';
import { createGroup, updateGroup } from '../../src/domain/groups.ts';
import { addGroupMembers, removeGroupMembers } from '../../src/domain/members.ts';
import { addNestedGroups, removeNestedGroup } from '../../src/domain/nesting.ts';
import { restoreGroup } from '../../src/domain/restore.ts';
import { removeUsers } from '../../src/domain/users.ts';
import type { TenantId, UserId } from '../../src/model/ids.ts';
import { createTenant, openAsAdmin } from '../support/directories.ts';
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

type Event = { type: string; groupId: string; actor: string; data: Record<string, unknown> };
const events = () =>
  database.db.sql<Event>(Prisma.sql`
    select event_type as type, group_id as "groupId", actor_type || ' ' || actor_id as actor, data
    from group_events where tenant_id = ${tenantId} order by occurred_at, id`);
const types = async () => (await events()).map((event) => event.type).sort();

type Ended = { userId: string; cause: string; interval: boolean; by: string; deleted: boolean };
const endedMemberships = () =>
  database.db.sql<Ended>(Prisma.sql`
    select user_id as "userId", cause, ended_at >= added_at as interval, ended_by as by, deletion_id is not null as deleted
    from membership_history where tenant_id = ${tenantId} order by user_id, ended_at`);

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
  expect(await types()).toEqual(
    [
      'group.created',
      'group.created',
      'group.updated',
      'group.deleted',
      'group.restored',
      'group_membership.added',
      'group_membership.added',
      'group_membership.removed',
      'group_nesting.added',
      'group_nesting.removed',
    ].sort(),
  );
  const written = await events();
  expect(new Set(written.map((event) => event.actor))).toEqual(new Set(['user usr_administrator']));
  const updated = written.find((event) => event.type === 'group.updated')!;
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
  await updateGroup(directory, { id: group, description: 'Same' });
  await addGroupMembers(directory, { groupId: group, userIds: [users[0]!] });
  await removeGroupMembers(directory, { groupId: group, userIds: [users[1]!] });
  await addNestedGroups(directory, { groupId: group, childGroupIds: [child] });
  expect(await types()).toEqual(before);
});

test('a refused change leaves no trace', async () => {
  const group = await create('Group', { initialMemberIds: [users[0]] });
  const before = await types();
  await expect(deleteGroup(directory, { id: group })).rejects.toMatchObject({ code: 'GROUP_NOT_EMPTY' });
  await expect(
    addGroupMembers(directory, { groupId: group, userIds: [users[1]!, 'usr_unknown'] }),
  ).rejects.toMatchObject({ code: 'UNKNOWN_USERS', details: { userIds: ['usr_unknown'] } });
  expect(await types()).toEqual(before);
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
