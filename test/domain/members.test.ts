// Direct members: who is added and removed, who is refused, what is written down, and in which order they are listed.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Database, Prisma } from '../../src/database/database.ts';
import { openPostgresql } from '../../src/database/postgresql.ts';
import { addGroupMembers } from '../../src/domain/commands/add-members.ts';
import { removeGroupMembers, updateGroupMembers } from '../../src/domain/commands/change-members.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { deleteGroup } from '../../src/domain/commands/delete-group.ts';
import { removeUsers } from '../../src/domain/commands/remove-users.ts';
import { restoreGroup } from '../../src/domain/commands/restore-group.ts';
import { upsertUsers } from '../../src/domain/commands/upsert-users.ts';
import { type Directory, openDirectory } from '../../src/domain/directory.ts';
import { checkDirectory } from '../../src/domain/integrity/check.ts';
import { findGroup } from '../../src/domain/queries/groups.ts';
import {
  countMembers,
  listAllMembers,
  listMembers,
  type MemberOrder,
} from '../../src/domain/queries/members.ts';
import type { Caller } from '../../src/model/caller.ts';
import { newId, type TenantId } from '../../src/model/ids.ts';
import type { PageArgs } from '../../src/model/page.ts';
import {
  createTenant,
  openAsAdmin,
  partnerAdmin,
  plainUser,
  platform,
  service,
  superAdmin,
  tenantAdmin,
} from '../support/directories.ts';
import {
  behind,
  FORBIDDEN,
  holdGraph,
  markDeleted,
  notFound,
  positionOf,
  refusal,
  unknownUsers,
} from '../support/group-worlds.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { PATIENT } from '../support/timeouts.ts';

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await openTestDatabase();
  db = database.db;
});
afterAll(() => database.close());

/** A tenant with sorted users, and a group with those members. */
async function createWorld(userCount: number, memberCount = 0) {
  const { tenantId, partnerId, userIds } = await createTenant(db, userCount);
  const users: string[] = userIds.toSorted();
  const directory = openAsAdmin(db, tenantId);
  const create = async (name: string, members: string[] = []) =>
    (await createGroup(directory, { tenantId, name, initialMemberIds: members })).group.id;
  const groupId = await create('Group', users.slice(0, memberCount));
  return { tenantId, partnerId, users, directory, create, groupId };
}

type World = Awaited<ReturnType<typeof createWorld>>;

const membersOf = async (tenantId: TenantId, groupId: string) =>
  (
    await db.sql<{ id: string }>(Prisma.sql`
    select user_id as id from memberships where tenant_id = ${tenantId} and group_id = ${groupId} order by user_id`)
  ).map(({ id }) => id);

/** What a group counts, and at how many positions of the log its members changed. */
const countedBy = async (groupId: string) =>
  (
    await db.sql<{ members: number; changes: number; version: number }>(Prisma.sql`
      select g.member_count as members, g.version, (
        select count(distinct c.position)::int from changes c
        where c.tenant_id = g.tenant_id and c.group_id = g.id and c.type like 'group_membership.%') as changes
      from groups g where g.id = ${groupId}`)
  )[0];

const eventsOf = (groupId: string) =>
  db.sql(Prisma.sql`
    select type, actor_type || ' ' || actor_id as actor, data || jsonb_strip_nulls(jsonb_build_object(
      'userIds', user_ids, 'groupIds', group_ids, 'cause', cause)) as data from changes
    where group_id = ${groupId} and type <> 'group.created' order by position, ordinal`);

/** The three changes of members, with one list of users. */
const CHANGES = {
  addGroupMembers: (directory: Directory, groupId: string, userIds: string[]) =>
    addGroupMembers(directory, { groupId, userIds }),
  removeGroupMembers: (directory: Directory, groupId: string, userIds: string[]) =>
    removeGroupMembers(directory, { groupId, userIds }),
  'updateGroupMembers, to add': (directory: Directory, groupId: string, usersToAdd: string[]) =>
    updateGroupMembers(directory, { groupId, usersToAdd }),
  'updateGroupMembers, to remove': (directory: Directory, groupId: string, usersToRemove: string[]) =>
    updateGroupMembers(directory, { groupId, usersToRemove }),
};

describe('adding', () => {
  test('tells who is new and who was a member, each once and as asked', async () => {
    const { tenantId, users, directory, groupId } = await createWorld(5, 2);
    const [a, b, c, d, e] = users as [string, string, string, string, string];
    const before = (await findGroup(directory, groupId))!;
    const outcome = await addGroupMembers(directory, { groupId, userIds: [e, b, c, e, a, d, b] });
    expect(outcome).toEqual({
      group: { ...before, memberCount: 5 },
      added: [e, c, d],
      unchanged: [b, a],
      position: 2,
    });
    expect(await membersOf(tenantId, groupId)).toEqual(users);
    expect(await countedBy(groupId)).toEqual({ members: 5, changes: 2, version: 1 });
    expect(await positionOf(db, tenantId)).toBe(2);
    // What this directory had read before is read again.
    expect(await countMembers(directory, groupId)).toBe(5);
    expect((await findGroup(directory, groupId))!.memberCount).toBe(5);
    expect((await eventsOf(groupId)).at(-1)).toEqual({
      type: 'group_membership.added',
      actor: 'user usr_administrator',
      data: { userIds: [e, c, d] },
    });
  });

  test('in one step with a removal, in both lists only what changed', async () => {
    const { tenantId, users, directory, groupId } = await createWorld(6, 3);
    const [a, b, c, d, e, f] = users as [string, string, string, string, string, string];
    const before = (await findGroup(directory, groupId))!;
    const outcome = await updateGroupMembers(directory, {
      groupId,
      usersToAdd: [e, a, d, e],
      usersToRemove: [f, c, b, f, c],
    });
    expect(outcome).toEqual({
      group: { ...before, memberCount: 3 },
      added: [e, d],
      removed: [c, b],
      unchanged: [a, f],
      position: 2,
    });
    expect(await membersOf(tenantId, groupId)).toEqual([a, d, e]);
    expect(await countedBy(groupId)).toEqual({ members: 3, changes: 2, version: 1 });
    expect(await countMembers(directory, groupId)).toBe(3);
    // Both at one position, in this order.
    expect((await eventsOf(groupId)).slice(1)).toEqual([
      { type: 'group_membership.added', actor: 'user usr_administrator', data: { userIds: [e, d] } },
      {
        type: 'group_membership.removed',
        actor: 'user usr_administrator',
        data: { userIds: [c, b], cause: 'REMOVED' },
      },
    ]);
    expect(await checkDirectory(db, tenantId)).toEqual([]);
  });

  test('as first members of a new group', async () => {
    const { tenantId, users, directory } = await createWorld(3);
    const [a, b, c] = users as [string, string, string];
    const { group } = await createGroup(directory, {
      tenantId,
      name: 'New',
      initialMemberIds: [c, a, c, b],
    });
    expect(group).toMatchObject({ memberCount: 3 });
    expect(await membersOf(tenantId, group.id)).toEqual(users);
    expect(await countedBy(group.id)).toEqual({ members: 3, changes: 1, version: 1 });
    expect(await eventsOf(group.id)).toEqual([
      { type: 'group_membership.added', actor: 'user usr_administrator', data: { userIds: [c, a, b] } },
    ]);
    const unknown = newId('user');
    const refused = createGroup(directory, { tenantId, name: 'Refused', initialMemberIds: [a, unknown, b] });
    expect(await refusal(refused)).toEqual(unknownUsers(unknown));
    expect(
      await db.sql(Prisma.sql`select id from groups where tenant_id = ${tenantId} and name = 'Refused'`),
    ).toEqual([]);
  });

  test('writes down who added, a person or a service', async () => {
    const { tenantId, users, groupId } = await createWorld(5);
    const callers: Caller[] = [tenantAdmin(tenantId), service(tenantId, true), platform(true), superAdmin];
    for (const [at, caller] of callers.entries())
      await addGroupMembers(openDirectory(db, caller), { groupId, userIds: [users[at]!] });
    const last = openDirectory(db, service(tenantId, true));
    await updateGroupMembers(last, { groupId, usersToAdd: [users[4]!], usersToRemove: [users[0]!] });
    const data = (...userIds: (string | undefined)[]) => ({ userIds });
    const type = 'group_membership.added';
    expect(await eventsOf(groupId)).toEqual([
      { type, actor: 'user usr_administrator', data: data(users[0]) },
      { type, actor: 'service client', data: data(users[1]) },
      { type, actor: 'service sync', data: data(users[2]) },
      { type, actor: 'user usr_root', data: data(users[3]) },
      { type, actor: 'service client', data: data(users[4]) },
      {
        type: 'group_membership.removed',
        actor: 'service client',
        data: { userIds: [users[0]], cause: 'REMOVED' },
      },
    ]);
    const authors = await db.sql(Prisma.sql`
      select user_id as id, added_by as by from memberships where group_id = ${groupId} order by user_id`);
    expect(authors).toEqual([
      { id: users[1], by: 'client' },
      { id: users[2], by: 'sync' },
      { id: users[3], by: 'usr_root' },
      { id: users[4], by: 'client' },
    ]);
  });
});

describe('removing', () => {
  test('tells who was a member and who was not, and ends memberships of this group alone', async () => {
    const { tenantId, users, directory, create, groupId } = await createWorld(4, 3);
    const [a, b, c, d] = users as [string, string, string, string];
    const other = await create('Other', users);
    const before = (await findGroup(directory, groupId))!;
    expect(await removeGroupMembers(directory, { groupId, userIds: [c, d, a, c, d] })).toEqual({
      group: { ...before, memberCount: 1 },
      removed: [c, a],
      unchanged: [d],
      position: 3,
    });
    expect(await membersOf(tenantId, groupId)).toEqual([b]);
    expect(await membersOf(tenantId, other)).toEqual(users);
    expect(await countedBy(groupId)).toEqual({ members: 1, changes: 2, version: 1 });
    expect(await countedBy(other)).toEqual({ members: 4, changes: 1, version: 1 });
    expect(await countMembers(directory, groupId)).toBe(1);
    expect((await eventsOf(groupId)).slice(1)).toEqual([
      {
        type: 'group_membership.removed',
        actor: 'user usr_administrator',
        data: { userIds: [c, a], cause: 'REMOVED' },
      },
    ]);
  });

  test('keeps in the history when and by whom it began and ended, and why', async () => {
    const { tenantId, users, groupId } = await createWorld(1);
    const user = users[0]!;
    await addGroupMembers(openDirectory(db, service(tenantId, true)), { groupId, userIds: [user] });
    const [stored] = await db.sql<{ at: Date; since: number }>(
      Prisma.sql`select added_at as at, since::int as since from memberships where group_id = ${groupId}`,
    );
    expect(stored!.since).toBe(2);
    await removeGroupMembers(openDirectory(db, superAdmin), { groupId, userIds: [user] });
    const history = await db.sql<{ endedAt: Date }>(Prisma.sql`
      select tenant_id as "tenantId", group_id as "groupId", user_id as "userId", added_at as "addedAt", added_by as "addedBy",
        ended_at as "endedAt", ended_by as "endedBy", cause, deletion_id as "deletionId", since::int as since, until::int as until
      from membership_history where tenant_id = ${tenantId}`);
    expect(history).toEqual([
      {
        tenantId,
        groupId,
        userId: user,
        addedAt: stored!.at,
        addedBy: 'client',
        endedAt: expect.any(Date),
        endedBy: 'usr_root',
        cause: 'REMOVED',
        deletionId: null,
        since: 2,
        until: 3,
      },
    ]);
    expect(history[0]!.endedAt.getTime()).toBeGreaterThanOrEqual(stored!.at.getTime());
  });
});

describe('what changes nothing', () => {
  test.each<[string, (world: World) => Promise<object>, (world: World) => object]>([
    [
      'adding members',
      ({ directory, groupId, users }) =>
        addGroupMembers(directory, { groupId, userIds: [users[1]!, users[0]!] }),
      ({ users }) => ({ added: [], unchanged: [users[1], users[0]] }),
    ],
    [
      'adding nobody',
      ({ directory, groupId }) => addGroupMembers(directory, { groupId, userIds: [] }),
      () => ({ added: [], unchanged: [] }),
    ],
    [
      'removing strangers',
      ({ directory, groupId, users }) =>
        removeGroupMembers(directory, { groupId, userIds: [users[3]!, users[2]!] }),
      ({ users }) => ({ removed: [], unchanged: [users[3], users[2]] }),
    ],
    [
      'removing nobody',
      ({ directory, groupId }) => removeGroupMembers(directory, { groupId, userIds: [] }),
      () => ({ removed: [], unchanged: [] }),
    ],
    [
      'updating as it is',
      ({ directory, groupId, users }) =>
        updateGroupMembers(directory, { groupId, usersToAdd: [users[0]!], usersToRemove: [users[2]!] }),
      ({ users }) => ({ added: [], removed: [], unchanged: [users[0], users[2]] }),
    ],
    [
      'updating with null lists',
      ({ directory, groupId }) =>
        updateGroupMembers(directory, { groupId, usersToAdd: null, usersToRemove: null }),
      () => ({ added: [], removed: [], unchanged: [] }),
    ],
  ])('%s', async (_name, change, expected) => {
    const world = await createWorld(4, 2);
    const group = await findGroup(world.directory, world.groupId);
    expect(await change(world)).toEqual({ group, ...expected(world), position: 1 });
    expect(await positionOf(db, world.tenantId)).toBe(1);
    expect(await membersOf(world.tenantId, world.groupId)).toEqual(world.users.slice(0, 2));
    expect(await countedBy(world.groupId)).toEqual({ members: 2, changes: 1, version: 1 });
    expect(await eventsOf(world.groupId)).toHaveLength(1);
    expect(
      await db.sql(Prisma.sql`select 1 from membership_history where tenant_id = ${world.tenantId}`),
    ).toEqual([]);
  });
});

describe.each(Object.entries(CHANGES))('%s', (name, change) => {
  /** That nothing has come of a refused change. */
  async function expectUntouched({ tenantId, groupId, users }: World, members: number, position = 1) {
    expect(await positionOf(db, tenantId)).toBe(position);
    expect(await membersOf(tenantId, groupId)).toEqual(users.slice(0, members));
    expect(await countedBy(groupId)).toEqual({ members, changes: 1, version: 1 });
    expect(await eventsOf(groupId)).toHaveLength(1);
  }

  test('refuses users that the tenant does not have, each once and as asked, and applies nothing', async () => {
    const world = await createWorld(3, 2);
    const { directory, groupId, users } = world;
    const stranger = (await createTenant(db, 1)).userIds[0]!;
    const [one, two] = [newId('user'), newId('user')];
    const asked = [users[2]!, two, users[0]!, stranger, one, two];
    expect(await refusal(change(directory, groupId, asked))).toEqual(unknownUsers(two, stranger, one));
    await expectUntouched(world, 2);
    // Nor may one who sees both tenants bring a user of one into the other.
    const all = openDirectory(db, superAdmin);
    expect(await refusal(change(all, groupId, [users[2]!, stranger]))).toEqual(unknownUsers(stranger));
    await expectUntouched(world, 2);
  });

  test('refuses a removed user, and a group that is deleted, hidden or was never there', async () => {
    const world = await createWorld(2, 1);
    const { tenantId, directory, groupId, users, create } = world;
    const removed = (await createWorld(1)).users[0]!;
    await removeUsers(openDirectory(db, superAdmin), { tenantId, userIds: [users[1]!] });
    expect(await refusal(change(directory, groupId, [users[1]!]))).toEqual(unknownUsers(users[1]!));
    expect(await refusal(change(directory, groupId, [removed]))).toEqual(unknownUsers(removed));
    const deleted = await create('Deleted');
    await deleteGroup(directory, { id: deleted });
    const foreign = await createWorld(1, 1);
    for (const id of [deleted, foreign.groupId, newId('group')])
      expect(await refusal(change(directory, id, [users[0]!]))).toEqual(notFound(id));
    await expectUntouched(foreign, 1);
    const partner = openDirectory(db, partnerAdmin(world.partnerId));
    expect(await refusal(change(partner, foreign.groupId, foreign.users))).toEqual(notFound(foreign.groupId));
    await expectUntouched(foreign, 1);
    expect(
      await change(openDirectory(db, partnerAdmin(foreign.partnerId)), foreign.groupId, foreign.users),
    ).toMatchObject({ group: { id: foreign.groupId } });
  });

  test('refuses those who may not change, once they see the group', async () => {
    const world = await createWorld(2, 1);
    const { tenantId, groupId, users, create } = world;
    const other = await create('Other');
    const reader = openDirectory(db, service(tenantId, false));
    const overseer = openDirectory(db, platform(false));
    const member = openDirectory(db, plainUser(tenantId, users[0]! as never));
    const asked = [users[0]!, users[1]!];
    for (const directory of [reader, overseer, member])
      expect(await refusal(change(directory, groupId, asked))).toEqual(FORBIDDEN);
    expect(await refusal(change(member, other, asked))).toEqual(notFound(other));
    // Seen by who only reads, and yet not told who exists.
    expect(await refusal(change(reader, groupId, [newId('user')]))).toEqual(FORBIDDEN);
    const foreign = await createWorld(0);
    for (const directory of [reader, member])
      expect(await refusal(change(directory, foreign.groupId, asked))).toEqual(notFound(foreign.groupId));
    await expectUntouched(world, 1, 2);
  });

  test('takes 1,000 ids and no more', async () => {
    const { directory, groupId } = await createWorld(0);
    const ids = Array.from({ length: 1_001 }, () => newId('user') as string);
    expect(await refusal(change(directory, groupId, ids))).toEqual({
      code: 'LIMIT_EXCEEDED',
      message: 'A call may name at most 1000 ids; this one names 1001',
      details: { limit: 1_000 },
    });
    expect(await refusal(change(directory, groupId, ids.slice(1)))).toEqual(unknownUsers(...ids.slice(1)));
  });

  test('refuses what is no id, where it stands', async () => {
    const { directory, groupId, users } = await createWorld(1);
    const path = { add: 'usersToAdd', ove: 'usersToRemove' }[name.slice(-3)] ?? 'userIds';
    const message = 'must be a user id, such as usr_ followed by letters and digits';
    expect(await refusal(change(directory, groupId, [users[0]!, 'nobody', groupId]))).toEqual({
      code: 'VALIDATION_FAILED',
      message: `${path}.1 ${message}; ${path}.2 ${message}`,
      details: {
        fields: [
          { path: [path, '1'], message },
          { path: [path, '2'], message },
        ],
      },
    });
    expect(await refusal(change(directory, users[0]!, []))).toMatchObject({
      code: 'VALIDATION_FAILED',
      details: { fields: [{ path: ['groupId'] }] },
    });
  });
});

test('both lists of an update count together, and share no user', async () => {
  const { directory, groupId, users } = await createWorld(3, 1);
  const ids = Array.from({ length: 1_001 }, () => newId('user') as string);
  const update = (usersToAdd: string[], usersToRemove: string[]) =>
    refusal(updateGroupMembers(directory, { groupId, usersToAdd, usersToRemove }));
  expect(await update(ids.slice(0, 501), ids.slice(501))).toMatchObject({
    code: 'LIMIT_EXCEEDED',
    details: { limit: 1_000 },
  });
  expect(await update(ids.slice(0, 500), ids.slice(501))).toMatchObject({ code: 'UNKNOWN_USERS' });
  // Unknown ones of both, those to add first.
  expect(await update([users[2]!, ids[3]!], [ids[1]!, users[0]!, ids[2]!])).toEqual(
    unknownUsers(ids[3]!, ids[1]!, ids[2]!),
  );
  const message = 'must not name a user that usersToAdd names';
  expect(await update([users[1]!, users[2]!], [users[0]!, users[2]!])).toEqual({
    code: 'VALIDATION_FAILED',
    message: `usersToRemove ${message}`,
    details: { fields: [{ path: ['usersToRemove'], message }] },
  });
  expect(await membersOf(directory.tenantId, groupId)).toEqual([users[0]]);
});

describe('lists', () => {
  /** Four members whose ids, emails and times of being added are in three different orders. */
  async function createMembers() {
    const world = await createWorld(4);
    const { tenantId, users, directory, groupId } = world;
    const [a, b, c, d] = users as [string, string, string, string];
    const emails: Record<string, string> = {
      [a]: 'Zoe@x.org',
      [b]: 'mia@x.org',
      [c]: 'Ada@x.org',
      [d]: 'kim@x.org',
    };
    for (const [id, email] of Object.entries(emails)) {
      await db.sql(Prisma.sql`
        update users set email = ${email}, display_name = ${`Name ${email}`}, search_key = ${`${email}\nname ${email}`.toLowerCase()}
        where id = ${id}`);
    }
    const days: Record<string, number> = { [a]: 2, [b]: 4, [c]: 3, [d]: 1 };
    for (const id of users.toSorted((left, right) => days[left]! - days[right]!)) {
      await addGroupMembers(directory, { groupId, userIds: [id] });
      await db.sql(Prisma.sql`
        update memberships set added_at = ${`2024-01-0${days[id]}T00:00:00.123Z`}::timestamptz where user_id = ${id}`);
    }
    const row = (id: string) => ({
      groupId,
      userId: id,
      email: emails[id],
      displayName: `Name ${emails[id]}`,
      membershipType: 'DIRECT',
      addedAt: new Date(`2024-01-0${days[id]}T00:00:00.123Z`),
      user: { id, tenantId, email: emails[id], displayName: `Name ${emails[id]}` },
    });
    return { ...world, a, b, c, d, row };
  }
  const list = async (
    { directory, groupId }: World,
    page: PageArgs,
    orderBy?: MemberOrder,
    search?: string,
  ) => (await listMembers(directory, groupId, { page, orderBy, search }))!;
  const ids = (page: { rows: readonly { userId: string }[] }) => page.rows.map((row) => row.userId);

  test('are ordered by user id, email or time, both ways, also page by page', async () => {
    const world = await createMembers();
    const { a, b, c, d, row } = world;
    expect((await list(world, {})).rows).toEqual([a, b, c, d].map(row));
    const orders: [MemberOrder | undefined, string[]][] = [
      [undefined, [a, b, c, d]],
      [{ field: 'USER_ID', direction: 'ASC' }, [a, b, c, d]],
      [{ field: 'USER_ID', direction: 'DESC' }, [d, c, b, a]],
      [{ field: 'EMAIL', direction: 'ASC' }, [c, d, b, a]],
      [{ field: 'EMAIL', direction: 'DESC' }, [a, b, d, c]],
      [{ field: 'DISPLAY_NAME', direction: 'ASC' }, [c, d, b, a]],
      [{ field: 'DISPLAY_NAME', direction: 'DESC' }, [a, b, d, c]],
      [{ field: 'ADDED_AT', direction: 'ASC' }, [d, a, c, b]],
      [{ field: 'ADDED_AT', direction: 'DESC' }, [b, c, a, d]],
    ];
    for (const [orderBy, expected] of orders) {
      expect(ids(await list(world, {}, orderBy)), JSON.stringify(orderBy)).toEqual(expected);
      const first = await list(world, { first: 3 }, orderBy);
      expect(ids(first)).toEqual(expected.slice(0, 3));
      expect(ids(await list(world, { first: 3, after: first.cursors[1]! }, orderBy))).toEqual(
        expected.slice(2),
      );
      expect(ids(await list(world, { last: 1, before: first.cursors[2]! }, orderBy))).toEqual(
        expected.slice(1, 2),
      );
    }
  });

  test('of users added at once go on by user id, and follow the log where times are equal or fall', async () => {
    const world = await createWorld(6, 4);
    const [last, before] = world.users.slice(4) as [string, string];
    await addGroupMembers(world.directory, { groupId: world.groupId, userIds: [before] });
    await addGroupMembers(world.directory, { groupId: world.groupId, userIds: [last] });
    await db.sql(Prisma.sql`
      update memberships set added_at = now() - since * interval '1 day' where group_id = ${world.groupId}`);
    const orderBy: MemberOrder = { field: 'ADDED_AT', direction: 'ASC' };
    const found: string[] = [];
    for (let after: string | null = null, at = 0; at < 6; at += 1) {
      const page = await list(world, { first: 1, after }, orderBy);
      found.push(...ids(page));
      after = page.cursors[0]!;
      expect(page.hasNextPage).toBe(at < 5);
    }
    expect(found).toEqual([...world.users.slice(0, 4), before, last]);
  });

  test('refuse the cursor of another order', async () => {
    const world = await createMembers();
    const orders: (MemberOrder | undefined)[] = [
      undefined,
      { field: 'EMAIL', direction: 'ASC' },
      { field: 'ADDED_AT', direction: 'ASC' },
    ];
    for (const one of orders) {
      const { cursors } = await list(world, { first: 1 }, one);
      for (const other of orders) {
        const asked = list(world, { first: 1, after: cursors[0]! }, other);
        if (one === other) await expect(asked).resolves.toMatchObject({ rows: [{}] });
        else await expect(asked).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
      }
    }
  });

  test('find a part of the email or the name, and are counted alike', async () => {
    const world = await createMembers();
    const { a, d, directory, groupId, users } = world;
    for (const [search, expected] of [
      ['IM', [d]],
      ['ZOE name', [a]],
      ['M n-a-m-e', []],
      ['x.org', users],
      ['nobody', []],
      ['m%', []],
      ['  ', users],
    ] as const) {
      expect(ids(await list(world, {}, undefined, search)), search).toEqual(expected);
      expect(await countMembers(directory, groupId, { search }), search).toBe(expected.length);
    }
  });

  test('whole lists hold every member, and only of their group', async () => {
    const world = await createMembers();
    const { a, b, c, d, row, create, directory, groupId } = world;
    const other = await create('Other', [b]);
    expect(await listAllMembers(directory, groupId)).toEqual([a, b, c, d].map(row));
    expect((await listAllMembers(directory, other))!.map(({ userId }) => userId)).toEqual([b]);
    expect(
      await Promise.all([groupId, other, newId('group')].map((id) => countMembers(directory, id))),
    ).toEqual([4, 1, 0]);
  });

  test('leave out what nobody looks at', async () => {
    const world = await createMembers();
    const { directory, groupId, a } = world;
    const [member] = (await listMembers(directory, groupId, {
      page: { first: 1 },
      projection: { addedAt: false, user: false },
    }))!.rows;
    expect(member).toMatchObject({ userId: a, email: 'Zoe@x.org', addedAt: null, displayName: null });
  });

  test('that were read before follow each change of another server', async () => {
    const { tenantId, users, groupId } = await createWorld(5, 3);
    const [a, b, c, d] = users as [string, string, string, string];
    const elsewhere = openPostgresql({ url: database.url, timeouts: PATIENT });
    const there = openDirectory(elsewhere, superAdmin);
    const here = openPostgresql({ url: database.url, timeouts: PATIENT });
    const shown = async (args: Parameters<typeof listMembers>[2]) => {
      const page = (await listMembers(openAsAdmin(here, tenantId), groupId, args))!;
      return page.rows.map((row) => `${row.userId} ${row.email}`);
    };
    const at = (id: string) => `${id} ${users.indexOf(id)}@x.org`;
    await upsertUsers(there, { tenantId, users: users.map((id) => ({ id, email: at(id).split(' ')[1]! })) });
    const byEmail: MemberOrder = { field: 'EMAIL', direction: 'ASC' };
    /** Expects a page of all, and the first of them by email: twice, since no answer may outlive a change. */
    const expectMembers = async (expected: string[], first: string) => {
      for (const _twice of [1, 2]) {
        expect(await shown({ page: {} })).toEqual(expected);
        expect(await shown({ page: { first: 1 }, orderBy: byEmail })).toEqual([first]);
        expect(await shown({ page: {}, search: first.split(' ')[1]! })).toEqual([first]);
      }
    };
    await expectMembers([a, b, c].map(at), at(a));
    await addGroupMembers(there, { groupId, userIds: [d] });
    await expectMembers([a, b, c, d].map(at), at(a));
    await removeGroupMembers(there, { groupId, userIds: [a] });
    await expectMembers([b, c, d].map(at), at(b));
    await upsertUsers(there, { tenantId, users: [{ id: c, email: '-@x.org' }] });
    const renamed = `${c} -@x.org`;
    await expectMembers([at(b), renamed, at(d)], renamed);
    await deleteGroup(there, { id: groupId, strategy: 'CASCADE' });
    expect(await shown({ page: {} })).toEqual([]);
    await restoreGroup(there, { id: groupId });
    await expectMembers([at(b), renamed, at(d)], renamed);
    await removeUsers(there, { tenantId, userIds: [d] });
    await expectMembers([at(b), renamed], renamed);
    await Promise.all([here.close(), elsewhere.close()]);
  });

  test('tell nothing to other tenants, partners and end users', async () => {
    const world = await createMembers();
    const { tenantId, partnerId, groupId, a, users } = world;
    const stranger = await createTenant(db, 1);
    const page = { page: {} };
    for (const caller of [tenantAdmin(stranger.tenantId), partnerAdmin(stranger.partnerId)]) {
      const directory = openDirectory(db, caller);
      expect((await listMembers(directory, groupId, page))!.rows).toEqual([]);
      expect(await listAllMembers(directory, groupId)).toEqual([]);
      expect(await countMembers(directory, groupId)).toBe(0);
      expect(await countMembers(directory, groupId, { search: 'x.org' })).toBe(0);
    }
    for (const caller of [
      tenantAdmin(tenantId),
      partnerAdmin(partnerId),
      superAdmin,
      service(tenantId, false),
    ]) {
      const directory = openDirectory(db, caller);
      expect(ids((await listMembers(directory, groupId, page))!)).toEqual(users);
      expect(await countMembers(directory, groupId)).toBe(4);
      expect(await countMembers(directory, groupId, { search: 'x.org' })).toBe(4);
    }
    const member = openDirectory(db, plainUser(tenantId, a as never));
    expect(await listMembers(member, groupId, page)).toBeNull();
    expect(await listAllMembers(member, groupId)).toBeNull();
    expect(await countMembers(member, groupId)).toBeNull();
    expect(await countMembers(member, groupId, { search: 'x' })).toBeNull();
  });
});

describe('a change that waits for another', () => {
  test('finds the group gone that the other deleted', async () => {
    const { tenantId, directory, users, groupId } = await createWorld(3, 1);
    const change = () =>
      updateGroupMembers(directory, { groupId, usersToAdd: [users[1]!], usersToRemove: [users[0]!] });
    expect(await behind(db, [holdGraph(tenantId), markDeleted(groupId)], change)).toEqual(notFound(groupId));
  });

  test('finds the user unknown whom the other removed', async () => {
    const { tenantId, directory, users, groupId } = await createWorld(3);
    const gone = Prisma.sql`update users set until = 2 where id = ${users[1]}`;
    const change = () => updateGroupMembers(directory, { groupId, usersToAdd: users });
    expect(await behind(db, [holdGraph(tenantId), gone], change)).toMatchObject({
      code: 'UNKNOWN_USERS',
      details: { userIds: [users[1]] },
    });
    expect(await countMembers(directory, groupId)).toBe(0);
  });
});
