// Deletion: what each strategy refuses, takes, moves and leaves, down to every version, edge and event.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Database, Prisma } from '../../src/database/database.ts';
import { openDatabase } from '../../src/database/open.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { deleteGroup } from '../../src/domain/commands/delete-group.ts';
import { openDirectory } from '../../src/domain/directory.ts';
import { countEffectiveMembers, listEffectiveMembers } from '../../src/domain/queries/effective-members.ts';
import { findGroup } from '../../src/domain/queries/groups.ts';
import type { DeleteStrategy } from '../../src/model/groups.ts';
import type { TenantId } from '../../src/model/ids.ts';
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
  createWorld,
  edgesOf,
  endedOf,
  eventsOf,
  FORBIDDEN,
  groupsOf,
  holdGraph,
  invalid,
  markDeleted,
  notFound,
  positionOf,
  refusal,
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

const ADMIN = 'user usr_administrator';
const deletionsOf = (tenantId: TenantId) =>
  db.sql<{ deletionId: string }>(Prisma.sql`
    select distinct deletion_id as "deletionId" from groups where tenant_id = ${tenantId} and deleted_at is not null
    union select deletion_id from membership_history where tenant_id = ${tenantId}
    union select deletion_id from nesting_history where tenant_id = ${tenantId}`);
/** What was written down, with the ids of an event sorted: one event of a kind and a group is one whatever their order. */
const writtenDown = async (tenantId: TenantId) =>
  (await eventsOf(db, tenantId)).map(({ data, ...event }) => ({
    ...event,
    data: {
      ...data,
      ...('userIds' in data && { userIds: (data.userIds as string[]).toSorted() }),
      ...('groupIds' in data && { groupIds: (data.groupIds as string[]).toSorted() }),
    },
  }));
const untouched = { parent: null, version: 3, touched: false, deleted: false, members: 0 };

describe('BLOCK', () => {
  test.each([
    ['members', { Group: { members: [0, 1] } }, [2, 0, 0]],
    ['a child', { Group: {}, Child: { parent: 'Group' } }, [0, 1, 0]],
    ['nested groups', { Group: { nests: ['A', 'B', 'C'] }, A: {}, B: {}, C: {} }, [0, 0, 3]],
    [
      'all of these',
      {
        Group: { members: [0], nests: ['A', 'B', 'C', 'D'] },
        A: { parent: 'Group', members: [0, 1] },
        B: { parent: 'Group', nests: ['D'] },
        C: {},
        D: { parent: 'B' },
      },
      [1, 2, 4],
    ],
  ] as const)(
    'is refused with three counts for %s',
    async (_case, specs, [members, children, nestedGroups]) => {
      const { tenantId, directory, ids } = await createWorld(db, specs as never, 2);
      const before = [await groupsOf(db, tenantId), await edgesOf(db, tenantId)];
      const { Group } = ids as unknown as { Group: string };
      for (const strategy of ['BLOCK', null, undefined] as const) {
        expect(await refusal(deleteGroup(directory, { id: Group, strategy }))).toEqual({
          code: 'GROUP_NOT_EMPTY',
          message: `The group has ${members} members, ${children} children and ${nestedGroups} nested groups`,
          details: { counts: { members, children, nestedGroups } },
        });
      }
      expect([await groupsOf(db, tenantId), await edgesOf(db, tenantId)]).toEqual(before);
      expect(await endedOf(db, tenantId)).toEqual([]);
      expect(await eventsOf(db, tenantId)).toEqual([]);
      expect(await positionOf(db, tenantId)).toBe(0);
    },
  );

  test('takes a group that is only nested elsewhere, filed somewhere, and was a parent once', async () => {
    const { tenantId, directory, ids } = await createWorld(db, {
      Root: { nests: ['Group', 'Other'] },
      Group: { parent: 'Root' },
      Gone: { parent: 'Group' },
      Other: { parent: 'Root' },
    });
    await deleteGroup(directory, { id: ids.Gone });
    expect(await deleteGroup(directory, { id: ids.Group })).toEqual({
      deletedGroupIds: [ids.Group],
      parentGroupId: ids.Root,
      movedGroups: [],
      removedMembershipCount: 0,
      position: 2,
    });
    // The version is that of what the row says; a deletion changes none of it.
    expect(await groupsOf(db, tenantId)).toEqual({
      Root: untouched,
      Group: { ...untouched, parent: 'Root', deleted: true },
      Gone: { ...untouched, parent: 'Group', deleted: true },
      Other: { ...untouched, parent: 'Root' },
    });
    expect(await edgesOf(db, tenantId)).toEqual(['Root > Other by usr_maker']);
    expect(await endedOf(db, tenantId)).toEqual([
      'Root > Group by usr_maker until usr_administrator GROUP_DELETED deletion',
    ]);
    const deletionId = expect.stringMatching(/^del_[A-Za-z0-9]{16}$/);
    const deleted = (group: string) => ({
      type: 'group.deleted',
      group,
      actor: ADMIN,
      data: { strategy: 'BLOCK', deletionId, userIds: [], groupIds: [] },
    });
    expect(await eventsOf(db, tenantId)).toEqual([
      deleted('Gone'),
      deleted('Group'),
      {
        type: 'group_nesting.removed',
        group: 'Root',
        actor: ADMIN,
        data: { groupIds: [ids.Group], cause: 'GROUP_DELETED' },
      },
    ]);
    expect(await deletionsOf(tenantId)).toHaveLength(2);
    expect(await findGroup(directory, ids.Group)).toBeNull();
  });
});

describe('ORPHAN', () => {
  test('moves the children up, nests what was nested in it into what it was nested in, and ends the rest', async () => {
    const { tenantId, directory, users, ids } = await createWorld(
      db,
      {
        Root: { nests: ['Middle'] },
        Above: { nests: ['Middle', 'Leaf1', 'Beside'], members: [3] },
        Higher: { nests: ['Above'] },
        Middle: { parent: 'Root', members: [0, 1], nests: ['Leaf1', 'Leaf2'] },
        Leaf1: { members: [2] },
        Leaf2: { nests: ['Lower'] },
        Lower: { members: [3] },
        Beside: { members: [0] },
        b: { parent: 'Middle', members: [1] },
        B2: { parent: 'Middle' },
        a: { parent: 'Middle' },
        Grandchild: { parent: 'b' },
      },
      4,
    );
    const [u0, u1, u2, u3] = users;
    const before = await groupsOf(db, tenantId);
    const effective = async (id: string) =>
      (await listEffectiveMembers(directory, id, { page: {} }))!.rows.map(({ userId }) => userId);
    expect(await effective(ids.Root)).toEqual([u0, u1, u2, u3]);

    const outcome = await deleteGroup(directory, { id: ids.Middle, strategy: 'ORPHAN' });
    const moved = await Promise.all([ids.B2, ids.a, ids.b].map((id) => findGroup(directory, id)));
    expect(outcome).toEqual({
      deletedGroupIds: [ids.Middle],
      parentGroupId: ids.Root,
      movedGroups: moved,
      removedMembershipCount: 2,
      position: 1,
    });
    expect(moved.map((group) => [group!.parentGroupId, group!.version, group!.memberCount])).toEqual([
      [ids.Root, 4, 0],
      [ids.Root, 4, 0],
      [ids.Root, 4, 1],
    ]);
    const up = { ...untouched, parent: 'Root', version: 4, touched: true };
    expect(await groupsOf(db, tenantId)).toEqual({
      ...before,
      Middle: { ...before.Middle, deleted: true, members: 0 },
      a: up,
      b: { ...up, members: 1 },
      B2: up,
    });
    expect(await edgesOf(db, tenantId)).toEqual(
      [
        `Above: ${u3} by usr_maker`,
        `Beside: ${u0} by usr_maker`,
        `Leaf1: ${u2} by usr_maker`,
        `Lower: ${u3} by usr_maker`,
        `b: ${u1} by usr_maker`,
        'Above > Beside by usr_maker',
        'Above > Leaf1 by usr_maker',
        'Above > Leaf2 by usr_administrator',
        'Higher > Above by usr_maker',
        'Leaf2 > Lower by usr_maker',
        'Root > Leaf1 by usr_administrator',
        'Root > Leaf2 by usr_administrator',
      ].sort(),
    );
    expect(await endedOf(db, tenantId)).toEqual(
      [
        `Middle: ${u0}`,
        `Middle: ${u1}`,
        'Above > Middle',
        'Middle > Leaf1',
        'Middle > Leaf2',
        'Root > Middle',
      ]
        .map((edge) => `${edge} by usr_maker until usr_administrator GROUP_DELETED deletion`)
        .sort(),
    );
    const [{ deletionId }] = (await deletionsOf(tenantId)) as [{ deletionId: string }];
    const movedUp = (group: string) => ({
      type: 'group.updated',
      group,
      actor: ADMIN,
      data: {
        changed: ['parentGroupId'],
        before: { parentGroupId: ids.Middle },
        after: { parentGroupId: ids.Root },
      },
    });
    const nesting = (type: string, group: string, data: object) => ({
      type: `group_nesting.${type}`,
      group,
      actor: ADMIN,
      data,
    });
    expect(await writtenDown(tenantId)).toEqual([
      {
        type: 'group.deleted',
        group: 'Middle',
        actor: ADMIN,
        data: { strategy: 'ORPHAN', deletionId, userIds: [u0, u1], groupIds: [ids.Leaf1, ids.Leaf2] },
      },
      movedUp('B2'),
      movedUp('a'),
      movedUp('b'),
      nesting('added', 'Above', { groupIds: [ids.Leaf2], through: ids.Middle }),
      nesting('added', 'Root', { groupIds: [ids.Leaf1, ids.Leaf2], through: ids.Middle }),
      nesting('removed', 'Above', { groupIds: [ids.Middle], cause: 'GROUP_DELETED' }),
      nesting('removed', 'Root', { groupIds: [ids.Middle], cause: 'GROUP_DELETED' }),
    ]);
    expect(await deletionsOf(tenantId)).toEqual([{ deletionId }]);
    // Only those lost it who were direct members of the deleted group.
    expect(await effective(ids.Root)).toEqual([u2, u3]);
    expect(await effective(ids.Higher)).toEqual([u0, u2, u3]);
  });

  test('puts the children of a root among the roots, and leaves deleted ones where they were', async () => {
    const { tenantId, directory, ids } = await createWorld(db, {
      Group: {},
      Child: { parent: 'Group' },
      Gone: { parent: 'Group' },
    });
    await deleteGroup(directory, { id: ids.Gone });
    const { parentGroupId, movedGroups } = await deleteGroup(directory, {
      id: ids.Group,
      strategy: 'ORPHAN',
    });
    expect(parentGroupId).toBeNull();
    expect(movedGroups.map(({ id }) => id)).toEqual([ids.Child]);
    expect(await groupsOf(db, tenantId)).toEqual({
      Group: { ...untouched, deleted: true },
      Child: { ...untouched, version: 4, touched: true },
      Gone: { ...untouched, parent: 'Group', deleted: true },
    });
    expect((await eventsOf(db, tenantId)).map(({ type, group }) => [type, group])).toEqual([
      ['group.deleted', 'Gone'],
      ['group.deleted', 'Group'],
      ['group.updated', 'Child'],
    ]);
  });

  test('tells caches of every process of the nestings that it makes, and of those that it ends', async () => {
    const { tenantId, directory, users, ids } = await createWorld(
      db,
      {
        Above: { nests: ['Group'], members: [0] },
        Group: { nests: ['Below'], members: [1] },
        Below: { nests: ['Lower'], members: [2] },
        Lower: { members: [3] },
      },
      4,
    );
    const other = await openDatabase({ url: database.url, dataDir: '', timeouts: PATIENT });
    const [u0, u1, u2, u3] = users;
    const read = async (process: Database) => {
      const page = await listEffectiveMembers(openAsAdmin(process, tenantId), ids.Above, {
        page: { withTotal: true },
      });
      const count = await countEffectiveMembers(openAsAdmin(process, tenantId), ids.Above);
      return [page!.rows.map(({ userId }) => userId), page!.total, count];
    };
    try {
      for (const process of [db, other, db, other])
        expect(await read(process)).toEqual([[u0, u1, u2, u3], 4, 4]);
      await deleteGroup(directory, { id: ids.Group, strategy: 'ORPHAN' });
      for (const process of [db, other]) expect(await read(process)).toEqual([[u0, u2, u3], 3, 3]);
      await deleteGroup(directory, { id: ids.Below, strategy: 'CASCADE' });
      for (const process of [db, other]) expect(await read(process)).toEqual([[u0], 1, 1]);
    } finally {
      await other.close();
    }
  });

  test.each([
    ['among the roots', undefined],
    ['below a parent', 'Parent'],
  ])('is refused with each name that would clash %s, in order', async (_place, place) => {
    const at = place === undefined ? {} : { parent: place };
    const { tenantId, directory, ids } = await createWorld(db, {
      Parent: {},
      Group: { ...at },
      Zeta1: { name: 'ZETA', parent: 'Group' },
      Beta1: { name: 'beta', parent: 'Group' },
      // Not in the way: the group itself, names elsewhere, what is deleted.
      Group1: { name: 'group', parent: 'Group' },
      Delta1: { name: 'Delta', parent: 'Group' },
      Gamma1: { name: 'Gamma', parent: 'Group' },
      Epsilon1: { name: 'Epsilon', parent: 'Group' },
      Zeta2: { name: 'zeta', ...at },
      Beta2: { name: 'Beta', ...at },
      Gamma2: { name: 'gamma', ...at },
      Epsilon2: { name: 'epsilon', ...at },
      Delta2: { name: 'delta', parent: place === undefined ? 'Parent' : 'Beta2' },
    });
    await deleteGroup(directory, { id: ids.Gamma2 });
    await deleteGroup(directory, { id: ids.Epsilon1 });
    const before = [await eventsOf(db, tenantId), await edgesOf(db, tenantId)];
    expect(await refusal(deleteGroup(directory, { id: ids.Group, strategy: 'ORPHAN' }))).toEqual({
      code: 'NAME_TAKEN',
      message: 'The destination already has a group named "beta", "ZETA"',
      details: { names: ['beta', 'ZETA'] },
    });
    expect([await eventsOf(db, tenantId), await edgesOf(db, tenantId)]).toEqual(before);
    for (const clash of [ids.Beta1, ids.Zeta1]) await deleteGroup(directory, { id: clash });
    const { movedGroups } = await deleteGroup(directory, { id: ids.Group, strategy: 'ORPHAN' });
    expect(movedGroups.map(({ name }) => name)).toEqual(['Delta', 'Gamma', 'group']);
  });

  test('is refused for a single name', async () => {
    const { directory, ids } = await createWorld(db, {
      Group: {},
      Child: { parent: 'Group' },
      Taken: { name: 'CHILD' },
    });
    expect(await refusal(deleteGroup(directory, { id: ids.Group, strategy: 'ORPHAN' }))).toMatchObject({
      code: 'NAME_TAKEN',
      details: { names: ['Child'] },
    });
  });

  test('is not refused for names of another tenant', async () => {
    await createWorld(db, { Taken: {} });
    const { directory, ids } = await createWorld(db, { Group: {}, Taken: { parent: 'Group' } });
    const { movedGroups } = await deleteGroup(directory, { id: ids.Group, strategy: 'ORPHAN' });
    expect(movedGroups.map(({ name }) => name)).toEqual(['Taken']);
  });
});

describe('CASCADE', () => {
  test('takes all below in the hierarchy, nearest first, and leaves what is only nested', async () => {
    const { tenantId, directory, users, ids } = await createWorld(
      db,
      {
        Root: { members: [0] },
        Top: { parent: 'Root', members: [0, 1], nests: ['Nested'] },
        Aunt: { parent: 'Root', nests: ['Low'] },
        Mid2: { parent: 'Top', members: [2], nests: ['Mid1'] },
        Mid1: { parent: 'Top' },
        Low: { parent: 'Mid1', members: [0, 1, 2] },
        Gone: { parent: 'Mid1' },
        BelowGone: { name: 'Below Gone', parent: 'Gone' },
        Nested: { parent: 'Aunt', members: [1], nests: ['Far'] },
        Far: {},
      },
      3,
    );
    const [u0, u1, u2] = users;
    await deleteGroup(directory, { id: ids.BelowGone });
    await deleteGroup(directory, { id: ids.Gone });
    const before = await groupsOf(db, tenantId);
    const earlier = (await eventsOf(db, tenantId)).length;
    expect(await deleteGroup(directory, { id: ids.Top, strategy: 'CASCADE' })).toEqual({
      deletedGroupIds: [ids.Top, ids.Mid1, ids.Mid2, ids.Low],
      parentGroupId: ids.Root,
      movedGroups: [],
      removedMembershipCount: 6,
      position: 3,
    });
    const taken = { deleted: true, members: 0 };
    expect(await groupsOf(db, tenantId)).toEqual({
      ...before,
      Top: { ...before.Top, ...taken },
      Mid1: { ...before.Mid1, ...taken },
      Mid2: { ...before.Mid2, ...taken },
      Low: { ...before.Low, ...taken },
    });
    expect(await edgesOf(db, tenantId)).toEqual(
      [`Root: ${u0} by usr_maker`, `Nested: ${u1} by usr_maker`, 'Nested > Far by usr_maker'].sort(),
    );
    expect(await endedOf(db, tenantId)).toEqual(
      [
        `Top: ${u0}`,
        `Top: ${u1}`,
        `Mid2: ${u2}`,
        `Low: ${u0}`,
        `Low: ${u1}`,
        `Low: ${u2}`,
        'Top > Nested',
        'Aunt > Low',
        'Mid2 > Mid1',
      ]
        .map((edge) => `${edge} by usr_maker until usr_administrator GROUP_DELETED deletion`)
        .sort(),
    );
    const deletions = await db.sql<{ name: string; deletionId: string }>(Prisma.sql`
      select name, deletion_id as "deletionId" from groups where tenant_id = ${tenantId} and deleted_at is not null`);
    const deletionOf = new Map(deletions.map(({ name, deletionId }) => [name, deletionId]));
    const deletionId = deletionOf.get('Top');
    expect(['Mid1', 'Mid2', 'Low'].map((name) => deletionOf.get(name))).toEqual(Array(3).fill(deletionId));
    expect(new Set(deletionOf.values()).size).toBe(3);
    const deleted = (group: string, userIds: unknown[], groupIds: string[]) => ({
      type: 'group.deleted',
      group,
      actor: ADMIN,
      data: { strategy: 'CASCADE', deletionId, userIds, groupIds },
    });
    expect((await writtenDown(tenantId)).slice(earlier)).toEqual([
      deleted('Low', [u0, u1, u2], []),
      deleted('Mid1', [], []),
      deleted('Mid2', [u2], [ids.Mid1]),
      deleted('Top', [u0, u1], [ids.Nested]),
      {
        type: 'group_nesting.removed',
        group: 'Aunt',
        actor: ADMIN,
        data: { groupIds: [ids.Low], cause: 'GROUP_DELETED' },
      },
    ]);
  });
});

describe('every strategy', () => {
  test.each<[DeleteStrategy | null | undefined]>([['BLOCK'], ['ORPHAN'], ['CASCADE'], [null], [undefined]])(
    '%s is refused for a group that is at another version than expected',
    async (strategy) => {
      const { directory, ids } = await createWorld(db, { Group: {}, Other: {} });
      for (const expectedVersion of [2, 4]) {
        expect(await refusal(deleteGroup(directory, { id: ids.Group, strategy, expectedVersion }))).toEqual({
          code: 'VERSION_CONFLICT',
          message: 'The group has changed: its version is now 3',
          details: { currentVersion: 3 },
        });
      }
      const deleted = await deleteGroup(directory, { id: ids.Group, strategy, expectedVersion: 3 });
      expect(deleted.deletedGroupIds).toEqual([ids.Group]);
      const more = await deleteGroup(directory, { id: ids.Other, strategy, expectedVersion: null });
      expect(more.deletedGroupIds).toEqual([ids.Other]);
    },
  );

  test('a version that is expected in vain is told before what the group holds', async () => {
    const { directory, ids } = await createWorld(db, { Group: { members: [0] } }, 1);
    const refused = await refusal(deleteGroup(directory, { id: ids.Group, expectedVersion: 1 }));
    expect(refused).toMatchObject({ code: 'VERSION_CONFLICT' });
  });

  test.each<[string, object, [path: string, message: string][]]>([
    [
      'an id of another kind',
      { id: 'usr_1' },
      [['id', 'must be a group id, such as grp_ followed by letters and digits']],
    ],
    [
      'an unknown strategy',
      { strategy: 'ALL' },
      [['strategy', 'Invalid option: expected one of "BLOCK"|"ORPHAN"|"CASCADE"']],
    ],
    [
      'a version below the first',
      { expectedVersion: 0 },
      [['expectedVersion', 'Too small: expected number to be >=1']],
    ],
    [
      'a version that is no whole number',
      { expectedVersion: 1.5 },
      [['expectedVersion', 'Invalid input: expected int, received number']],
    ],
  ])('is refused for %s', async (_case, input, fields) => {
    const { directory, ids } = await createWorld(db, { Group: {} });
    expect(await refusal(deleteGroup(directory, { id: ids.Group, ...input } as never))).toEqual(
      invalid(...fields),
    );
  });

  test('does not find what is hidden, deleted or unknown, and is refused to whom may only read', async () => {
    const { tenantId, partnerId, directory, users, ids } = await createWorld(
      db,
      { Group: { members: [0] }, Gone: {} },
      1,
    );
    const elsewhere = await createTenant(db);
    await deleteGroup(directory, { id: ids.Gone });
    const as = (caller: Parameters<typeof openDirectory>[1], id: string = ids.Group) =>
      refusal(deleteGroup(openDirectory(db, caller), { id, strategy: 'CASCADE' }));
    expect(await as(tenantAdmin(tenantId), ids.Gone)).toEqual(notFound(ids.Gone));
    expect(await as(tenantAdmin(tenantId), 'grp_unknown')).toEqual(notFound('grp_unknown'));
    expect(await as(tenantAdmin(elsewhere.tenantId))).toEqual(notFound(ids.Group));
    expect(await as(partnerAdmin(elsewhere.partnerId))).toEqual(notFound(ids.Group));
    expect(await as(service(tenantId, false))).toEqual(FORBIDDEN);
    expect(await as(platform(false))).toEqual(FORBIDDEN);
    expect(await as(plainUser(tenantId, users[0] as never))).toEqual(FORBIDDEN);
    expect(await as(plainUser(tenantId, 'usr_nobody' as never))).toEqual(notFound(ids.Group));
    expect((await eventsOf(db, tenantId)).map(({ group }) => group)).toEqual(['Gone']);
    expect(await as(partnerAdmin(partnerId))).toBe('done');
  });

  test.each([
    ['a service', (tenantId: TenantId) => service(tenantId, true), 'service client'],
    ['a service of the platform', () => platform(true), 'service sync'],
    ['the administrator of everything', () => superAdmin, 'user usr_root'],
  ])('is written down as done by %s', async (_who, caller, actor) => {
    const { tenantId, ids } = await createWorld(
      db,
      { Group: { members: [0], nests: ['Below'] }, Above: { nests: ['Group'] }, Below: {} },
      1,
    );
    await deleteGroup(openDirectory(db, caller(tenantId)), { id: ids.Group, strategy: 'ORPHAN' });
    expect((await eventsOf(db, tenantId)).map((event) => [event.type, event.actor])).toEqual([
      ['group.deleted', actor],
      ['group_nesting.added', actor],
      ['group_nesting.removed', actor],
    ]);
    const subject = actor.split(' ')[1];
    expect((await endedOf(db, tenantId)).every((edge) => edge.includes(` until ${subject} `))).toBe(true);
    expect(await edgesOf(db, tenantId)).toEqual([`Above > Below by ${subject}`]);
  });

  test('a deleted group is an unknown parent, and its name is free again', async () => {
    const { tenantId, ids } = await createWorld(db, { Parent: {}, Group: { parent: 'Parent' } });
    const directory = openAsAdmin(db, tenantId);
    await deleteGroup(directory, { id: ids.Group });
    expect(
      await refusal(createGroup(directory, { tenantId, name: 'New', parentGroupId: ids.Group })),
    ).toEqual(notFound(ids.Group));
    const { group } = await createGroup(directory, { tenantId, name: 'GROUP', parentGroupId: ids.Parent });
    expect(group.name).toBe('GROUP');
  });
});

describe('a deletion that waits for another change', () => {
  const insertMember = (tenantId: TenantId, groupId: string, userId: string) => [
    holdGraph(tenantId),
    Prisma.sql`update groups set member_count = member_count + 1 where id = ${groupId}`,
    Prisma.sql`insert into memberships (tenant_id, group_id, user_id, added_by)
      values (${tenantId}, ${groupId}, ${userId}, 'usr_other')`,
  ];

  test.each(['BLOCK', 'ORPHAN', 'CASCADE'] as const)(
    'with %s finds the group at its next version, or gone',
    async (strategy) => {
      const { tenantId, directory, ids } = await createWorld(db, { Group: {}, Parent: {} });
      const work = () => deleteGroup(directory, { id: ids.Group, strategy, expectedVersion: 3 });
      const raise = Prisma.sql`update groups set version = version + 1 where id = ${ids.Group}`;
      expect(await behind(db, [holdGraph(tenantId), raise], work)).toMatchObject({
        code: 'VERSION_CONFLICT',
        details: { currentVersion: 4 },
      });
      const gone = markDeleted(ids.Group);
      expect(await behind(db, [holdGraph(tenantId), gone], work)).toEqual(notFound(ids.Group));
      expect(await eventsOf(db, tenantId)).toEqual([]);
    },
  );

  test('with BLOCK is refused for a member that is being added', async () => {
    const { tenantId, directory, users, ids } = await createWorld(db, { Group: {} }, 1);
    const adding = insertMember(tenantId, ids.Group, users[0]!);
    expect(await behind(db, adding, () => deleteGroup(directory, { id: ids.Group }))).toMatchObject({
      code: 'GROUP_NOT_EMPTY',
      details: { counts: { members: 1, children: 0, nestedGroups: 0 } },
    });
  });

  test('with CASCADE ends the membership of a group below that is being added', async () => {
    const { tenantId, directory, users, ids } = await createWorld(
      db,
      { Group: {}, Child: { parent: 'Group' } },
      1,
    );
    const work = () =>
      deleteGroup(directory, { id: ids.Group, strategy: 'CASCADE' }).then(({ removedMembershipCount }) =>
        expect(removedMembershipCount).toBe(1),
      );
    expect(await behind(db, insertMember(tenantId, ids.Child, users[0]!), work)).toBe('done');
    expect(await edgesOf(db, tenantId)).toEqual([]);
  });

  test.each(['BLOCK', 'ORPHAN', 'CASCADE'] as const)(
    'with %s waits for no group that it has nothing to do with',
    async (strategy) => {
      const { tenantId, directory, ids } = await createWorld(db, { Group: {}, Other: {} });
      await db.transaction(async (sql) => {
        await sql(Prisma.sql`select id from groups where id = ${ids.Other} for update`);
        await deleteGroup(directory, { id: ids.Group, strategy });
      });
      expect((await groupsOf(db, tenantId)).Group!.deleted).toBe(true);
    },
  );
});
