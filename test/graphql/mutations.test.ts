// What each mutation answers, whole: its payload, and each typed error that it can be refused with.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Prisma } from '../../src/database/database.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { addNestedGroups } from '../../src/domain/commands/nest-groups.ts';
import { newId } from '../../src/model/ids.ts';
import { createTenant, openAsAdmin } from '../support/directories.ts';
import { mutation } from '../support/mutations.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { type Claims, SUPER_ADMIN, startApp, type TestApp } from '../support/server.ts';

let database: TestDatabase;
let server: TestApp;
beforeAll(async () => {
  database = await openTestDatabase();
  server = await startApp(database.db);
});
afterAll(() => database.close());

let tenantId: Awaited<ReturnType<typeof createTenant>>['tenantId'];
let partnerId: string;
/** Five users by id. */
let users: string[];
let admin: Claims;
beforeEach(async () => {
  const tenant = await createTenant(database.db, 5);
  ({ tenantId, partnerId } = tenant);
  users = tenant.userIds.toSorted();
  admin = { sub: 'usr_admin', role: 'tenant_admin', tenant_id: tenantId };
});

// biome-ignore lint/suspicious/noExplicitAny: each test says the shape of its answer by what it expects.
type Data = any;

/** A group made past the API, as what a test starts from. */
async function create(name: string, more: object = {}): Promise<string> {
  return (await createGroup(openAsAdmin(database.db, tenantId), { tenantId, name, ...more })).group.id;
}
const nest = (groupId: string, ...childGroupIds: string[]) =>
  addNestedGroups(openAsAdmin(database.db, tenantId), { groupId, childGroupIds });

/** What the mutation answers, which must not be a top-level error. */
async function mutate(name: string, payload: string, input: object, claims = admin): Promise<Data> {
  return (await server.data(claims, mutation(name, payload), { input }))[name];
}
const refusal = (name: string, input: object, claims = admin) => mutate(name, '__typename', input, claims);

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const GROUP = `id name description type customAttributes version createdAt updatedAt path memberCount nestedGroupCount
  effectiveMemberCount tenant { id } parent { id } members { edges { node { userId membershipType } } }`;
const direct = (...userIds: string[]) => ({
  edges: userIds.map((userId) => ({ node: { userId, membershipType: 'DIRECT' } })),
});
const notFound = (missingId: string, message = `${missingId} was not found`) => ({
  __typename: 'NotFoundError',
  code: 'NOT_FOUND',
  message,
  missingId,
});
const invalid = (...fields: [path: string[], message: string][]) => ({
  __typename: 'ValidationError',
  code: 'VALIDATION_FAILED',
  message: fields.map(([path, message]) => `${path.join('.')} ${message}`).join('; '),
  fields: fields.map(([path, message]) => ({ path, message })),
});
const limit = (bound: number, message: string) => ({
  __typename: 'LimitError',
  code: 'LIMIT_EXCEEDED',
  message,
  limit: bound,
});
const unknownUsers = (...userIds: string[]) => ({
  __typename: 'UnknownUsersError',
  code: 'UNKNOWN_USERS',
  message: `Not users of the group's tenant: ${userIds.join(', ')}`,
  userIds,
});
const nameTaken = (...names: string[]) => ({
  __typename: 'NameTakenError',
  code: 'NAME_TAKEN',
  message: `The destination already has a group named ${names.map((name) => `"${name}"`).join(', ')}`,
  names,
});
const cycle = (...path: [groupId: string, name: string][]) => ({
  __typename: 'CycleError',
  code: 'CYCLE',
  message: `This would close a cycle: ${path.map(([, name]) => name).join(' → ')}`,
  path: path.map(([groupId, name]) => ({ groupId, name })),
});
const conflict = (currentVersion: number) => ({
  __typename: 'VersionConflictError',
  code: 'VERSION_CONFLICT',
  message: `The group has changed: its version is now ${currentVersion}`,
  currentVersion,
});
const otherTenant = (otherId: string) => ({
  __typename: 'OtherTenantError',
  code: 'OTHER_TENANT',
  message: `${otherId} belongs to another tenant`,
  otherId,
});
const many = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, at) => `${prefix}_many${at}`);
const GROUP_ID = 'must be a group id, such as grp_ followed by letters and digits';
const USER_ID = 'must be a user id, such as usr_ followed by letters and digits';
const TENANT_ID = 'must be a tenant id, such as tnt_ followed by letters and digits';

/** A chain of 32 groups, each filed under the one before, or nested in it; top first. Written by SQL: it is long. */
async function chain(kind: 'filed' | 'nested'): Promise<string[]> {
  const ids = Array.from({ length: 32 }, () => newId('group'));
  await database.db.sql(Prisma.sql`
    insert into groups (id, tenant_id, parent_group_id, name, name_key, search_key)
    select id, ${tenantId}, case when ${kind}::text = 'filed' then parent end, id, lower(id), lower(id)
    from unnest(${ids}::text[], ${[null, ...ids.slice(0, -1)]}::text[]) g(id, parent)`);
  if (kind === 'nested') {
    await database.db.sql(Prisma.sql`
      insert into nestings (tenant_id, parent_group_id, child_group_id, created_by)
      select ${tenantId}, parent, child, 'usr_admin'
      from unnest(${ids.slice(0, -1)}::text[], ${ids.slice(1)}::text[]) n(parent, child)`);
  }
  return ids;
}

describe('createGroup', () => {
  test('answers with the new group', async () => {
    const parent = await create('Parent');
    const answer = await mutate('createGroup', `group { ${GROUP} }`, {
      tenantId,
      name: '  New ',
      description: ' As it came ',
      type: 'DISTRIBUTION',
      parentGroupId: parent,
      initialMemberIds: [users[1], users[0], users[1]],
      customAttributes: { a: [1, { b: null }], ü: 'x' },
    });
    expect(answer).toEqual({
      __typename: 'CreateGroupPayload',
      group: {
        id: expect.stringMatching(/^grp_[A-Za-z0-9]{16}$/),
        name: '  New ',
        description: ' As it came ',
        type: 'DISTRIBUTION',
        customAttributes: { a: [1, { b: null }], ü: 'x' },
        version: 1,
        createdAt: expect.stringMatching(TIME),
        updatedAt: answer.group.createdAt,
        path: 'Parent',
        memberCount: 2,
        nestedGroupCount: 0,
        effectiveMemberCount: 2,
        tenant: { id: tenantId },
        parent: { id: parent },
        members: direct(users[0]!, users[1]!),
      },
    });
    const { group } = await server.data(
      admin,
      `query ($id: ID!) { group(id: $id) { ${GROUP} } }`,
      answer.group,
    );
    expect(group).toEqual(answer.group);
  });

  test('makes an empty SECURITY group at the root of what is not said otherwise', async () => {
    for (const more of [
      {},
      { description: null, type: null, parentGroupId: null, initialMemberIds: null, customAttributes: null },
    ]) {
      const name = `Plain ${newId('group')}`;
      const { group } = await mutate('createGroup', `group { ${GROUP} }`, { tenantId, name, ...more });
      expect(group).toEqual({
        id: expect.any(String),
        name,
        description: null,
        type: 'SECURITY',
        customAttributes: null,
        version: 1,
        createdAt: expect.stringMatching(TIME),
        updatedAt: expect.stringMatching(TIME),
        path: null,
        memberCount: 0,
        nestedGroupCount: 0,
        effectiveMemberCount: 0,
        tenant: { id: tenantId },
        parent: null,
        members: direct(),
      });
    }
  });

  test('is refused with each typed error', async () => {
    const refused = (more: object, claims = admin) =>
      refusal('createGroup', { tenantId, name: 'New', ...more }, claims);
    const parent = await create('Parent');
    await create('Straße');
    const foreign = await createTenant(database.db, 1);
    const { group: elsewhere } = await createGroup(openAsAdmin(database.db, foreign.tenantId), {
      tenantId: foreign.tenantId,
      name: 'Elsewhere',
    });
    expect(
      await refused({
        tenantId: 'x',
        name: ' ',
        parentGroupId: users[0],
        initialMemberIds: [users[0], 'u'],
        customAttributes: { a: { b: { c: { d: { e: { f: { g: { h: {} } } } } } } } },
        description: 'x'.repeat(4_097),
      }),
    ).toEqual(
      invalid(
        [['tenantId'], TENANT_ID],
        [['name'], 'must not be empty'],
        [['description'], 'must have at most 4096 characters'],
        [['parentGroupId'], GROUP_ID],
        [['initialMemberIds', '1'], USER_ID],
        [['customAttributes'], 'must have at most 8 levels'],
      ),
    );
    const never = newId('tenant');
    expect(await refused({ tenantId: never })).toEqual(notFound(never));
    expect(await refused({ tenantId: foreign.tenantId })).toEqual(notFound(foreign.tenantId));
    const nowhere = newId('group');
    expect(await refused({ parentGroupId: nowhere })).toEqual(notFound(nowhere));
    expect(await refused({ parentGroupId: elsewhere.id })).toEqual(notFound(elsewhere.id));
    expect(await refused({ parentGroupId: elsewhere.id }, SUPER_ADMIN)).toEqual(otherTenant(elsewhere.id));
    expect(await refused({ name: 'STRASE' })).toMatchObject({ __typename: 'CreateGroupPayload' });
    expect(await refused({ name: 'STRASSE' })).toEqual(nameTaken('Straße'));
    expect(await refused({ name: ' sTRAßE ' })).toEqual(nameTaken('Straße'));
    expect(await refused({ name: 'Straße', parentGroupId: parent })).toMatchObject({
      __typename: 'CreateGroupPayload',
    });
    expect(
      await refused({ initialMemberIds: [users[0], 'usr_never', foreign.userIds[0], 'usr_never'] }),
    ).toEqual(unknownUsers('usr_never', foreign.userIds[0]!));
    expect(await refused({ initialMemberIds: many('usr', 1_001) })).toEqual(
      limit(1_000, 'A call may name at most 1000 ids; this one names 1001'),
    );
    const deepest = (await chain('filed')).at(-1);
    expect(await refused({ parentGroupId: deepest })).toEqual(
      limit(32, 'The hierarchy would have 33 levels; the limit is 32'),
    );
  });
});

describe('updateGroup', () => {
  test('answers with the group as it is now, and with what it was filed under', async () => {
    const [left, right] = [await create('Left'), await create('Right')];
    const id = await create('Old', { parentGroupId: left, description: 'd', customAttributes: { a: 1 } });
    const long = '2026-01-01T00:00:00.000Z';
    await database.db.sql(
      Prisma.sql`update groups set created_at = ${long}::timestamptz, updated_at = ${long}::timestamptz where id = ${id}`,
    );
    const update = (more: object) =>
      mutate('updateGroup', `group { ${GROUP} } previousParent { id name }`, { id, ...more });
    const answer = await update({
      name: ' Renamed ',
      description: 'Other',
      parentGroupId: right,
      customAttributes: { b: 2 },
      expectedVersion: 1,
    });
    expect(answer).toEqual({
      __typename: 'UpdateGroupPayload',
      group: {
        id,
        name: ' Renamed ',
        description: 'Other',
        type: 'SECURITY',
        customAttributes: { b: 2 },
        version: 2,
        createdAt: long,
        updatedAt: expect.stringMatching(TIME),
        path: 'Right',
        memberCount: 0,
        nestedGroupCount: 0,
        effectiveMemberCount: 0,
        tenant: { id: tenantId },
        parent: { id: right },
        members: direct(),
      },
      previousParent: { id: left, name: 'Left' },
    });
    expect(answer.group.updatedAt > long).toBe(true);

    const unmoved = await update({ description: 'Again' });
    expect(unmoved).toEqual({
      ...answer,
      group: { ...answer.group, description: 'Again', version: 3, updatedAt: expect.stringMatching(TIME) },
      previousParent: null,
    });
    const unchanged = await update({
      description: 'Again',
      parentGroupId: right,
      customAttributes: { b: 2 },
    });
    expect(unchanged).toEqual(unmoved);
    expect(await update({ description: null, parentGroupId: null, customAttributes: null })).toEqual({
      ...unmoved,
      group: {
        ...unmoved.group,
        description: null,
        customAttributes: null,
        version: 4,
        updatedAt: expect.stringMatching(TIME),
        path: null,
        parent: null,
      },
      previousParent: { id: right, name: 'Right' },
    });
    expect((await update({ parentGroupId: left })).previousParent).toBeNull();
  });

  test.each(['{a: 1, b: {c: [2, {d: null}]}, n: -0}', '{n: 0, b: {c: [2, {d: null}]}, a: 1}'])(
    'by attributes that it has, written as %s, changes nothing',
    async (literal) => {
      const id = await create('Group', { customAttributes: { a: 1, b: { c: [2, { d: null }] }, n: 0 } });
      const text = `mutation ($id: ID!) { updateGroup(input: {id: $id, customAttributes: ${literal}}) {
        ... on UpdateGroupPayload { position group { version } } } }`;
      const { updateGroup } = await server.data(admin, text, { id });
      expect(updateGroup).toEqual({ position: '1', group: { version: 1 } });
      const variables = { id, customAttributes: { n: -0, b: { c: [2, { d: null }] }, a: 1 } };
      expect(await mutate('updateGroup', 'position', variables)).toMatchObject({ position: '1' });
    },
  );

  test('is refused with each typed error', async () => {
    const id = await create('Group');
    const child = await create('Child', { parentGroupId: id });
    const refused = (more: object, claims = admin) => refusal('updateGroup', { id, ...more }, claims);
    await create('Taken');
    const foreign = await createTenant(database.db);
    const { group: elsewhere } = await createGroup(openAsAdmin(database.db, foreign.tenantId), {
      tenantId: foreign.tenantId,
      name: 'Elsewhere',
    });
    expect(await refused({ id: 'x', name: null, parentGroupId: 'y', expectedVersion: 0 })).toEqual(
      invalid(
        [['id'], GROUP_ID],
        [['name'], 'must be text, and cannot be cleared'],
        [['parentGroupId'], GROUP_ID],
        [['expectedVersion'], 'Too small: expected number to be >=1'],
      ),
    );
    const nowhere = newId('group');
    expect(await refused({ id: nowhere })).toEqual(notFound(nowhere));
    expect(await refused({ parentGroupId: nowhere })).toEqual(notFound(nowhere));
    expect(await refused({ parentGroupId: elsewhere.id })).toEqual(notFound(elsewhere.id));
    expect(await refused({ parentGroupId: elsewhere.id }, SUPER_ADMIN)).toEqual(otherTenant(elsewhere.id));
    expect(await refused({ name: 'tAKEN' })).toEqual(nameTaken('Taken'));
    expect(await refused({ id: child, name: 'taken', parentGroupId: null })).toEqual(nameTaken('Taken'));
    expect(await refused({ parentGroupId: id })).toEqual(cycle([id, 'Group'], [id, 'Group']));
    expect(await refused({ parentGroupId: child })).toEqual(
      cycle([id, 'Group'], [child, 'Child'], [id, 'Group']),
    );
    expect(await refused({ expectedVersion: 2, name: 'tAKEN' })).toEqual(conflict(1));
    const levels = await chain('filed');
    expect(await refused({ parentGroupId: levels[30] })).toEqual(
      limit(32, 'The hierarchy would have 33 levels; the limit is 32'),
    );
    expect(await refused({ id: child, parentGroupId: levels[30] })).toMatchObject({
      __typename: 'UpdateGroupPayload',
    });
  });
});

describe('deleteGroup', () => {
  const PAYLOAD =
    'deletedGroupIds parent { id name } movedGroups { id name version path } removedMembershipCount';
  const remove = (input: object) => mutate('deleteGroup', PAYLOAD, input);

  test('answers with what became of what it held, by each strategy', async () => {
    const top = await create('Top', { initialMemberIds: [users[3]] });
    const middle = await create('Middle', { parentGroupId: top, initialMemberIds: [users[0], users[1]] });
    const low = await create('Low', { parentGroupId: middle, initialMemberIds: [users[2]] });
    const empty = await create('Empty', { parentGroupId: low });
    expect(await remove({ id: empty })).toEqual({
      __typename: 'DeleteGroupPayload',
      deletedGroupIds: [empty],
      parent: { id: low, name: 'Low' },
      movedGroups: [],
      removedMembershipCount: 0,
    });
    expect(await remove({ id: middle, strategy: 'ORPHAN', expectedVersion: 1 })).toEqual({
      __typename: 'DeleteGroupPayload',
      deletedGroupIds: [middle],
      parent: { id: top, name: 'Top' },
      movedGroups: [{ id: low, name: 'Low', version: 2, path: 'Top' }],
      removedMembershipCount: 2,
    });
    const cascade = await remove({ id: top, strategy: 'CASCADE' });
    expect(cascade).toEqual({
      __typename: 'DeleteGroupPayload',
      deletedGroupIds: [top, low],
      parent: null,
      movedGroups: [],
      removedMembershipCount: 2,
    });
  });

  test('is refused with each typed error', async () => {
    const id = await create('Full', { initialMemberIds: [users[0], users[1]] });
    const inner = await create('Inner');
    await nest(id, inner, await create('Inner too'), await create('And inner'));
    await create('Taken');
    await create('Also');
    await create('taken', { parentGroupId: id });
    await create('ALSO', { parentGroupId: id });
    await create('Free', { parentGroupId: id });
    await create('Free too', { parentGroupId: id });
    const counts = { members: 2, children: 4, nestedGroups: 3 };
    const notEmpty = {
      __typename: 'GroupNotEmptyError',
      code: 'GROUP_NOT_EMPTY',
      message: 'The group has 2 members, 4 children and 3 nested groups',
      counts,
    };
    for (const strategy of [{}, { strategy: null }, { strategy: 'BLOCK' }]) {
      expect(await remove({ id, ...strategy })).toEqual(notEmpty);
    }
    expect(await remove({ id, strategy: 'ORPHAN' })).toEqual(nameTaken('ALSO', 'taken'));
    expect(await remove({ id, strategy: 'CASCADE', expectedVersion: 2 })).toEqual(conflict(1));
    expect(await remove({ id: inner, expectedVersion: 7 })).toEqual(conflict(1));
    const nowhere = newId('group');
    expect(await remove({ id: nowhere, strategy: 'ORPHAN' })).toEqual(notFound(nowhere));
    expect(await remove({ id: 'x', expectedVersion: 0 })).toEqual(
      invalid([['id'], GROUP_ID], [['expectedVersion'], 'Too small: expected number to be >=1']),
    );
    expect((await remove({ id: inner })).deletedGroupIds).toEqual([inner]);
    expect(await remove({ id: inner })).toEqual(notFound(inner));
  });
});

describe('restoreGroup', () => {
  const PAYLOAD = `group { ${GROUP} } restoredGroupIds notRestored { kind objectId reason }`;
  const restore = (input: object) => mutate('restoreGroup', PAYLOAD, input);
  const remove = (id: string, strategy: string) => refusal('deleteGroup', { id, strategy });

  test('answers with the group, what is back, and what is not', async () => {
    const top = await create('Top');
    const id = await create('Group', { parentGroupId: top, initialMemberIds: [users[0], users[1]] });
    const below = await create('Below', { parentGroupId: id });
    const inner = await create('Inner');
    await nest(id, inner);
    await remove(id, 'CASCADE');
    await remove(inner, 'BLOCK');
    await remove(top, 'BLOCK');
    await refusal('removeUsers', { tenantId, userIds: [users[1]] });
    const answer = await restore({ id });
    expect(answer).toEqual({
      __typename: 'RestoreGroupPayload',
      group: {
        id,
        name: 'Group',
        description: null,
        type: 'SECURITY',
        customAttributes: null,
        version: 2,
        createdAt: expect.stringMatching(TIME),
        updatedAt: expect.stringMatching(TIME),
        path: null,
        memberCount: 1,
        nestedGroupCount: 0,
        effectiveMemberCount: 1,
        tenant: { id: tenantId },
        parent: null,
        members: direct(users[0]!),
      },
      restoredGroupIds: [id],
      notRestored: [
        {
          kind: 'PARENT',
          objectId: top,
          reason: 'The parent group is deleted; the group was restored as a root',
        },
        { kind: 'MEMBERSHIP', objectId: users[1], reason: `${users[1]} in ${id}: the user was removed` },
        { kind: 'NESTING', objectId: inner, reason: `${inner} in ${id}: the other group is deleted` },
      ],
    });
    // Without the group above, it is restored from its own deletion, whatever became of others.
    expect((await restore({ id: below })).restoredGroupIds).toEqual([below]);
  });

  test('brings back what was below on request alone', async () => {
    const id = await create('Group');
    const below = await create('Below', { parentGroupId: id });
    const deleteAndRestore = async (more: object) => {
      await remove(id, 'CASCADE');
      const { restoredGroupIds, notRestored } = await restore({ id, ...more });
      return [restoredGroupIds, notRestored];
    };
    expect(await deleteAndRestore({ includeDescendants: true })).toEqual([[id, below], []]);
    expect(await deleteAndRestore({ includeDescendants: false })).toEqual([[id], []]);
    expect(await deleteAndRestore({})).toEqual([[id], []]);
    expect(await deleteAndRestore({ includeDescendants: null })).toEqual([[id], []]);
  });

  test('is refused with each typed error', async () => {
    const id = await create('Group');
    const notDeleted = (of: string) => notFound(of, `${of} is not a group deleted in the last 30 days`);
    expect(await restore({ id })).toEqual(notDeleted(id));
    const nowhere = newId('group');
    expect(await restore({ id: nowhere })).toEqual(notDeleted(nowhere));
    expect(await restore({ id: 'x' })).toEqual(invalid([['id'], GROUP_ID]));
    await remove(id, 'BLOCK');
    await create('gROUP');
    expect(await restore({ id })).toEqual(nameTaken('gROUP'));
  });
});

describe('members', () => {
  const SHOWN = 'group { id memberCount effectiveMemberCount } unchanged users { id groups { totalCount } }';
  const group = (id: string, memberCount: number) => ({ id, memberCount, effectiveMemberCount: memberCount });
  const user = (id: string | undefined, totalCount: number) => ({ id, groups: { totalCount } });

  test('addGroupMembers answers with who is new, who is not, and the group', async () => {
    const id = await create('Team', { initialMemberIds: [users[2]] });
    const userIds = [users[3], users[2], users[0], users[3]];
    expect(await mutate('addGroupMembers', `added ${SHOWN}`, { groupId: id, userIds })).toEqual({
      __typename: 'AddGroupMembersPayload',
      group: group(id, 3),
      added: [users[3], users[0]],
      unchanged: [users[2]],
      users: [user(users[3], 1), user(users[0], 1)],
    });
  });

  test('removeGroupMembers answers with who is gone, who was none, and the group', async () => {
    const id = await create('Team', { initialMemberIds: users.slice(0, 3) });
    const userIds = [users[2], users[4], users[0], users[2]];
    const answer = await mutate('removeGroupMembers', `removed ${SHOWN}`, { groupId: id, userIds });
    expect(answer).toEqual({
      __typename: 'RemoveGroupMembersPayload',
      group: group(id, 1),
      removed: expect.any(Array),
      unchanged: [users[4]],
      users: answer.removed.map((each: string) => user(each, 0)),
    });
    expect(answer.removed.toSorted()).toEqual([users[0], users[2]]);
  });

  test('updateGroupMembers answers with both', async () => {
    const id = await create('Team', { initialMemberIds: users.slice(0, 2) });
    const answer = await mutate('updateGroupMembers', `added removed ${SHOWN}`, {
      groupId: id,
      usersToAdd: [users[2], users[0]],
      usersToRemove: [users[1], users[3]],
    });
    expect(answer).toEqual({
      __typename: 'UpdateGroupMembersPayload',
      group: group(id, 2),
      added: [users[2]],
      removed: [users[1]],
      unchanged: [users[0], users[3]],
      users: [user(users[2], 1), user(users[1], 0)],
    });
    for (const nobody of [
      {},
      { usersToAdd: null, usersToRemove: null },
      { usersToAdd: [], usersToRemove: [] },
    ]) {
      expect(
        await mutate('updateGroupMembers', `added removed ${SHOWN}`, { groupId: id, ...nobody }),
      ).toEqual({
        __typename: 'UpdateGroupMembersPayload',
        group: group(id, 2),
        added: [],
        removed: [],
        unchanged: [],
        users: [],
      });
    }
  });

  test('a user that cannot be read afterwards is null, and the rest of the payload is there', async () => {
    const group = await create('Group');
    const failing = await startApp({
      ...database.db,
      sql: (statement) =>
        statement.text.includes('from users u')
          ? Promise.reject(Object.assign(new Error('too slow'), { code: '57014' }))
          : database.db.sql(statement),
    });
    const input = { groupId: group, userIds: users.slice(0, 2) };
    const { body } = await failing.ask(
      admin,
      mutation('addGroupMembers', 'position added group { memberCount } users { id }'),
      { input },
    );
    expect(body.data?.addGroupMembers).toMatchObject({
      position: '2',
      added: users.slice(0, 2),
      group: { memberCount: 2 },
      users: [null, null],
    });
    expect(body.errors).toHaveLength(2);
  });

  test('of more than a hundred, the first hundred are shown', async () => {
    const id = await create('Crowd');
    const crowd = Array.from({ length: 101 }, (_, at) => `usr_crowd${tenantId.slice(4)}${at + 100}`);
    await database.db.sql(Prisma.sql`
      insert into users (id, tenant_id, email, search_key)
      select id, ${tenantId}, id || '@example.org', lower(id) || '@example.org' from unnest(${crowd}::text[]) id`);
    const { added, users: shown } = await mutate('addGroupMembers', 'added users { id }', {
      groupId: id,
      userIds: crowd,
    });
    expect(added).toEqual(crowd);
    expect(shown).toEqual(crowd.slice(0, 100).map((each) => ({ id: each })));
  });

  test.each([
    ['addGroupMembers', (userIds: unknown[]) => ({ userIds }), ['userIds']],
    ['removeGroupMembers', (userIds: unknown[]) => ({ userIds }), ['userIds']],
    ['updateGroupMembers', (usersToAdd: unknown[]) => ({ usersToAdd }), ['usersToAdd']],
    ['updateGroupMembers', (usersToRemove: unknown[]) => ({ usersToRemove }), ['usersToRemove']],
  ])('%s is refused with each typed error', async (name, input, path) => {
    const groupId = await create('Team', { initialMemberIds: [users[0]] });
    const foreign = await createTenant(database.db, 1);
    const refused = (userIds: unknown[], more: object = {}) =>
      refusal(name, { groupId, ...input(userIds), ...more });
    const nowhere = newId('group');
    expect(await refused([users[0]], { groupId: nowhere })).toEqual(notFound(nowhere));
    expect(await refused([users[0], 'x', 'y'], { groupId: 'z' })).toEqual(
      invalid([['groupId'], GROUP_ID], [[...path, '1'], USER_ID], [[...path, '2'], USER_ID]),
    );
    expect(await refused([users[1], 'usr_never', foreign.userIds[0], 'usr_never'])).toEqual(
      unknownUsers('usr_never', foreign.userIds[0]!),
    );
    expect(await refused(many('usr', 1_001))).toEqual(
      limit(1_000, 'A call may name at most 1000 ids; this one names 1001'),
    );
    // Nothing of the refused calls was done.
    const { group: left } = await server.data(
      admin,
      `query ($id: ID!) { group(id: $id) { members { edges { node { userId membershipType } } } } }`,
      { id: groupId },
    );
    expect(left.members).toEqual(direct(users[0]!));
  });

  test('updateGroupMembers is refused for a user in both lists, and for both lists together', async () => {
    const groupId = await create('Team');
    const refused = (usersToAdd: string[], usersToRemove: string[]) =>
      refusal('updateGroupMembers', { groupId, usersToAdd, usersToRemove });
    expect(await refused([users[0]!, users[1]!], [users[2]!, users[1]!])).toEqual(
      invalid([['usersToRemove'], 'must not name a user that usersToAdd names']),
    );
    expect(await refused(many('usr', 501), many('usr_r', 500))).toEqual(
      limit(1_000, 'A call may name at most 1000 ids; this one names 1001'),
    );
    expect(await refused(many('usr', 500), many('usr_r', 500))).toMatchObject({ code: 'UNKNOWN_USERS' });
  });
});

describe('nesting', () => {
  test('addNestedGroups answers with what is newly nested, what was, and the group', async () => {
    const outer = await create('Outer', { initialMemberIds: [users[0]] });
    const [a, b, c] = [
      await create('A', { initialMemberIds: [users[1]] }),
      await create('B', { initialMemberIds: [users[2]] }),
      await create('C'),
    ];
    await nest(outer, b);
    const answer = await mutate(
      'addNestedGroups',
      'group { id version nestedGroupCount effectiveMemberCount } added unchanged childGroups { id name parentGroups { totalCount } }',
      { groupId: outer, childGroupIds: [c, b, a, c] },
    );
    expect(answer).toEqual({
      __typename: 'AddNestedGroupsPayload',
      group: { id: outer, version: 1, nestedGroupCount: 3, effectiveMemberCount: 3 },
      added: [c, a],
      unchanged: [b],
      childGroups: [
        { id: c, name: 'C', parentGroups: { totalCount: 1 } },
        { id: a, name: 'A', parentGroups: { totalCount: 1 } },
      ],
    });
  });

  test('removeNestedGroup answers with both groups', async () => {
    const [outer, inner] = [await create('Outer'), await create('Inner', { initialMemberIds: [users[0]] })];
    await nest(outer, inner);
    const PAYLOAD =
      'group { id name nestedGroupCount effectiveMemberCount } childGroup { id name parentGroups { totalCount } }';
    expect(await mutate('removeNestedGroup', PAYLOAD, { groupId: outer, childGroupId: inner })).toEqual({
      __typename: 'RemoveNestedGroupPayload',
      group: { id: outer, name: 'Outer', nestedGroupCount: 0, effectiveMemberCount: 0 },
      childGroup: { id: inner, name: 'Inner', parentGroups: { totalCount: 0 } },
    });
    const again = await refusal('removeNestedGroup', { groupId: outer, childGroupId: inner });
    expect(again).toEqual(notFound(inner, `${inner} is not nested in ${outer}`));
    const nowhere = newId('group');
    expect(await refusal('removeNestedGroup', { groupId: nowhere, childGroupId: inner })).toEqual(
      notFound(nowhere),
    );
    expect(await refusal('removeNestedGroup', { groupId: outer, childGroupId: nowhere })).toEqual(
      notFound(nowhere),
    );
    expect(await refusal('removeNestedGroup', { groupId: 'x', childGroupId: 'y' })).toEqual(
      invalid([['groupId'], GROUP_ID], [['childGroupId'], GROUP_ID]),
    );
  });

  test('addNestedGroups is refused with each typed error', async () => {
    const [a, b, c] = [await create('A'), await create('B'), await create('C')];
    await nest(a, b);
    await nest(b, c);
    const refused = (groupId: string, childGroupIds: string[], claims = admin) =>
      refusal('addNestedGroups', { groupId, childGroupIds }, claims);
    const foreign = await createTenant(database.db);
    const { group: elsewhere } = await createGroup(openAsAdmin(database.db, foreign.tenantId), {
      tenantId: foreign.tenantId,
      name: 'Elsewhere',
    });
    const nowhere = newId('group');
    expect(await refused('x', [a, 'y'])).toEqual(
      invalid([['groupId'], GROUP_ID], [['childGroupIds', '1'], GROUP_ID]),
    );
    expect(await refused(nowhere, [a])).toEqual(notFound(nowhere));
    expect(await refused(a, [c, nowhere])).toEqual(notFound(nowhere));
    expect(await refused(a, [elsewhere.id])).toEqual(notFound(elsewhere.id));
    expect(await refused(a, [elsewhere.id], SUPER_ADMIN)).toEqual(otherTenant(elsewhere.id));
    expect(await refused(c, [a])).toEqual(cycle([c, 'C'], [a, 'A'], [b, 'B'], [c, 'C']));
    expect(await refused(a, [a])).toEqual(cycle([a, 'A'], [a, 'A']));
    expect(await refused(a, many('grp', 101))).toEqual(
      limit(100, 'A call may nest at most 100 groups; this one names 101'),
    );
    expect(await refused(a, many('grp', 100))).toEqual(notFound('grp_many0'));
    const levels = await chain('nested');
    expect(await refused(a, [levels[0]!])).toEqual(
      limit(32, 'The nesting would be more than 32 groups deep'),
    );
    expect(await refused(levels[31]!, [a])).toEqual(
      limit(32, 'The nesting would be more than 32 groups deep'),
    );
    expect(await refused(b, [levels[2]!])).toMatchObject({ __typename: 'AddNestedGroupsPayload' });
  });
});

describe('users', () => {
  const USER = 'id email displayName tenant { id }';
  const upsert = (list: object[], claims: Claims = SUPER_ADMIN) =>
    mutate('upsertUsers', `users { ${USER} } created updated`, { tenantId, users: list }, claims);

  test('upsertUsers answers with the users in their order, and who is new, who changed', async () => {
    const [fresh, other] = [newId('user'), newId('user')];
    const stored = (id: string | undefined, email: string, displayName: string | null) => ({
      id,
      email,
      displayName,
      tenant: { id: tenantId },
    });
    const unchanged = { id: users[1], email: `${users[1]!.toLowerCase()}@example.org` };
    const answer = await upsert([
      { id: other, email: 'other@example.org', displayName: ' Other ' },
      { id: users[0], email: 'Changed@example.org', displayName: 'Changed' },
      unchanged,
      { id: fresh, email: 'fresh@example.org' },
    ]);
    expect(answer).toEqual({
      __typename: 'UpsertUsersPayload',
      users: [
        stored(other, 'other@example.org', ' Other '),
        stored(users[0], 'Changed@example.org', 'Changed'),
        stored(users[1], unchanged.email, null),
        stored(fresh, 'fresh@example.org', null),
      ],
      created: [other, fresh],
      updated: [users[0]],
    });
    // Absent stays, and is still found; null clears.
    const kept = await upsert([{ id: users[0], email: 'new@example.org' }]);
    expect([kept.users, kept.updated]).toEqual([
      [stored(users[0], 'new@example.org', 'Changed')],
      [users[0]],
    ]);
    const found = await server.data(
      admin,
      `{ tenant(id: "${tenantId}") { users(search: "changed") { edges { node { id } } } } }`,
    );
    expect(found.tenant.users.edges).toEqual([{ node: { id: users[0] } }]);
    const cleared = await upsert([{ id: users[0], email: 'Changed@example.org', displayName: null }]);
    expect([cleared.users, cleared.created, cleared.updated]).toEqual([
      [stored(users[0], 'Changed@example.org', null)],
      [],
      [users[0]],
    ]);
  });

  test('upsertUsers is refused with each typed error', async () => {
    const foreign = await createTenant(database.db, 1);
    const taken = { id: foreign.userIds[0], email: 'taken@example.org' };
    const good = { id: newId('user'), email: 'good@example.org' };
    expect(
      await upsert([
        { id: 'x', email: 'no address', displayName: 'x'.repeat(256) },
        good,
        { ...good, id: 'y' },
      ]),
    ).toEqual(
      invalid(
        [['users', '0', 'id'], USER_ID],
        [['users', '0', 'email'], 'must be an email address'],
        [['users', '0', 'displayName'], 'must have at most 255 characters'],
        [['users', '2', 'id'], USER_ID],
      ),
    );
    expect(await upsert([good, good])).toEqual(invalid([['users'], 'must not name a user twice']));
    expect(await upsert([good, taken])).toEqual(otherTenant(taken.id!));
    const unknown = "is not a user of this tenant; only the platform's sync can create users";
    expect(await upsert([good, taken], admin)).toEqual(
      invalid([['users', '0', 'id'], unknown], [['users', '1', 'id'], unknown]),
    );
    const never = newId('tenant');
    expect(await refusal('upsertUsers', { tenantId: never, users: [good] })).toEqual(notFound(never));
    expect(await upsert(many('usr', 1_001).map((id) => ({ id, email: 'a@example.org' })))).toEqual(
      limit(1_000, 'A call may name at most 1000 ids; this one names 1001'),
    );
    const { user } = await server.data(SUPER_ADMIN, 'query ($id: ID!) { user(id: $id) { id } }', {
      id: good.id,
    });
    expect(user).toBeNull();
  });

  test('removeUsers answers with who is gone and how many memberships ended', async () => {
    await create('One', { initialMemberIds: users.slice(0, 3) });
    await create('Two', { initialMemberIds: [users[0]] });
    const userIds = [users[0], users[4], users[1], users[0]];
    const answer = await mutate('removeUsers', 'removed endedMembershipCount', { tenantId, userIds });
    expect(answer).toEqual({
      __typename: 'RemoveUsersPayload',
      removed: [users[0], users[4], users[1]],
      endedMembershipCount: 3,
    });
  });

  test('removeUsers is refused with each typed error', async () => {
    const refused = (userIds: unknown[], more: object = {}) =>
      refusal('removeUsers', { tenantId, userIds, ...more });
    const foreign = await createTenant(database.db, 1);
    expect(await refused([users[0], 'usr_never', foreign.userIds[0], 'usr_never'])).toEqual(
      unknownUsers('usr_never', foreign.userIds[0]!),
    );
    expect(await refused(['x'], { tenantId: 'y' })).toEqual(
      invalid([['tenantId'], TENANT_ID], [['userIds', '0'], USER_ID]),
    );
    const never = newId('tenant');
    expect(await refused([users[0]], { tenantId: never })).toEqual(notFound(never));
    expect(await refused(many('usr', 1_001))).toEqual(
      limit(1_000, 'A call may name at most 1000 ids; this one names 1001'),
    );
    const { user } = await server.data(admin, 'query ($id: ID!) { user(id: $id) { id } }', { id: users[0] });
    expect(user).toEqual({ id: users[0] });
  });
});

describe('a caller', () => {
  /** One of each mutation with an input that would do something. */
  const inputs = async (): Promise<[string, object][]> => {
    const [group, inner] = [await create('Group', { initialMemberIds: [users[0]] }), await create('Inner')];
    const gone = await create('Gone');
    await nest(group, inner);
    await refusal('deleteGroup', { id: gone });
    return [
      ['createGroup', { tenantId, name: 'New' }],
      ['updateGroup', { id: group, name: 'Renamed' }],
      ['deleteGroup', { id: group, strategy: 'CASCADE' }],
      ['restoreGroup', { id: gone }],
      ['addGroupMembers', { groupId: group, userIds: [users[1]] }],
      ['removeGroupMembers', { groupId: group, userIds: [users[0]] }],
      ['updateGroupMembers', { groupId: group, usersToAdd: [users[1]] }],
      ['addNestedGroups', { groupId: inner, childGroupIds: [await create('Third')] }],
      ['removeNestedGroup', { groupId: group, childGroupId: inner }],
      ['upsertUsers', { tenantId, users: [{ id: users[0], email: 'new@example.org' }] }],
      ['removeUsers', { tenantId, userIds: [users[0]] }],
    ];
  };
  const rows = async () =>
    database.db.sql(Prisma.sql`
      select (select json_agg(g order by id) from groups g where tenant_id = ${tenantId}) as groups,
        (select json_agg(m order by group_id, user_id) from memberships m where tenant_id = ${tenantId}) as memberships,
        (select json_agg(n order by parent_group_id) from nestings n where tenant_id = ${tenantId}) as nestings,
        (select json_agg(u order by id) from users u where tenant_id = ${tenantId}) as users`);

  test('who may only read is refused each mutation by FORBIDDEN, and nothing changes', async () => {
    const list = await inputs();
    const before = await rows();
    for (const reader of [
      { sub: 'client', tenant_id: tenantId, scope: 'groups:read' },
      { sub: 'app', platform_token: true, scope: 'admin:read' },
    ]) {
      for (const [name, input] of list) {
        const { status, body } = await server.ask(reader, mutation(name, '__typename'), { input });
        expect([name, status, body.data, body.errors], name).toEqual([
          name,
          200,
          { [name]: null },
          [
            {
              message: 'You may see this, but not change it',
              path: [name],
              locations: expect.any(Array),
              extensions: { code: 'FORBIDDEN' },
            },
          ],
        ]);
      }
    }
    expect(await rows()).toEqual(before);
  });

  test.each<[string, () => Claims]>([
    [
      'an administrator of the partner',
      () => ({ sub: 'usr_p', role: 'partner_admin', partner_id: partnerId }),
    ],
    ['a service that writes', () => ({ sub: 'client', tenant_id: tenantId, scope: 'groups:write' })],
    ['the platform that writes', () => ({ sub: 'app', platform_token: true, scope: 'admin:write' })],
    ['a super administrator', () => SUPER_ADMIN],
  ])('that is %s does each mutation', async (_who, claims) => {
    // The group is deleted last: the others need it.
    const list = await inputs();
    const ordered = [
      ...list.filter(([name]) => name !== 'deleteGroup'),
      list.find(([name]) => name === 'deleteGroup')!,
    ];
    for (const [name, input] of ordered) {
      const title = `${name[0]!.toUpperCase()}${name.slice(1)}`;
      expect(await refusal(name, input, claims()), name).toEqual({ __typename: `${title}Payload` });
    }
  });
});
