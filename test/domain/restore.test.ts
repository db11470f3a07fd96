// Restoring deleted groups: what comes back, at which version and by whom, and what is reported that could not.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Database, Prisma } from '../../src/database/database.ts';
import { openDatabase } from '../../src/database/open.ts';
import { addGroupMembers } from '../../src/domain/commands/add-members.ts';
import { removeGroupMembers } from '../../src/domain/commands/change-members.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { deleteGroup } from '../../src/domain/commands/delete-group.ts';
import { addNestedGroups, removeNestedGroup } from '../../src/domain/commands/nest-groups.ts';
import { removeUsers } from '../../src/domain/commands/remove-users.ts';
import { restoreGroup } from '../../src/domain/commands/restore-group.ts';
import { updateGroup } from '../../src/domain/commands/update-group.ts';
import { upsertUsers } from '../../src/domain/commands/upsert-users.ts';
import { type Directory, openDirectory } from '../../src/domain/directory.ts';
import { checkDirectory } from '../../src/domain/integrity/check.ts';
import {
  countEffectiveMembers,
  hasEffectiveMember,
  listEffectiveMembers,
} from '../../src/domain/queries/effective-members.ts';
import { findGroup } from '../../src/domain/queries/groups.ts';
import { listMembers } from '../../src/domain/queries/members.ts';
import type { GroupId, TenantId } from '../../src/model/ids.ts';
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
  chain,
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

const remove = (directory: Directory, id: string, strategy: 'BLOCK' | 'ORPHAN' | 'CASCADE' = 'CASCADE') =>
  deleteGroup(directory, { id, strategy });
const notDeleted = (id: string) => notFound(id, `${id} is not a group deleted in the last 30 days`);
/** What restorations wrote down, with the ids of an event sorted. */
const restoredOf = async (tenantId: TenantId) => {
  const events = await eventsOf(db, tenantId);
  return events
    .filter(({ type, data }) => type === 'group.restored' || data.cause === 'GROUP_RESTORED')
    .map(({ data, ...event }) => ({
      ...event,
      data: {
        ...data,
        ...('userIds' in data && { userIds: (data.userIds as string[]).toSorted() }),
        ...('groupIds' in data && { groupIds: (data.groupIds as string[]).toSorted() }),
      },
    }));
};
const deletionOf = async (id: string) =>
  (await db.sql<{ id: string }>(Prisma.sql`select deletion_id as id from groups where id = ${id}`))[0]!.id;

describe('what ORPHAN did in its place', () => {
  /** Pairs of groups that are nested, by name. */
  const nested = async (tenantId: TenantId) =>
    (await edgesOf(db, tenantId)).filter((edge) => edge.includes(' > ')).map((edge) => edge.split(' by ')[0]);
  const parentsOf = async (tenantId: TenantId) =>
    Object.fromEntries(
      Object.entries(await groupsOf(db, tenantId)).map(([name, { parent }]) => [name, parent]),
    );
  const lostOf = async (directory: Directory, id: string) =>
    (await restoreGroup(directory, { id })).notRestored.map(
      ({ kind, id, reason }) => `${kind} ${id.split('_').at(-1)}: ${reason}`,
    );
  const TEAM = {
    Prod: { nests: ['Team', 'Known'] },
    Team: { nests: ['Contractors', 'Known'] },
    Contractors: { members: [0] },
    Known: {},
  };
  const WHOLE = ['Prod > Known', 'Prod > Team', 'Team > Contractors', 'Team > Known'];

  test('is undone: nobody counts by a nesting that it made, once the group is back', async () => {
    const { tenantId, directory, users, ids } = await createWorld(db, TEAM, 1);
    const isEffective = () => hasEffectiveMember(directory, ids.Prod, users[0]!);
    await remove(directory, ids.Team, 'ORPHAN');
    expect(await nested(tenantId)).toEqual(['Prod > Contractors', 'Prod > Known']);
    expect(await isEffective()).toBe(true);
    expect((await restoreGroup(directory, { id: ids.Team })).notRestored).toEqual([]);
    expect(await nested(tenantId)).toEqual(WHOLE);
    const nesting = (type: string, groupIds: string[], cause: string) => ({
      type: `group_nesting.${type}`,
      group: 'Prod',
      actor: 'user usr_administrator',
      data: { groupIds, cause },
    });
    const events = await eventsOf(db, tenantId);
    expect(events.filter(({ type }) => type === 'group_nesting.removed')).toEqual([
      nesting('removed', [ids.Team], 'GROUP_DELETED'),
      nesting('removed', [ids.Contractors], 'GROUP_RESTORED'),
    ]);
    expect(events.filter(({ type, data }) => type === 'group_nesting.added' && data.cause)).toEqual([
      nesting('added', [ids.Team], 'GROUP_RESTORED'),
    ]);
    expect(await endedOf(db, tenantId)).toContain(
      'Prod > Contractors by usr_administrator until usr_administrator GROUP_RESTORED',
    );
    expect(await isEffective()).toBe(true);
    await removeNestedGroup(directory, { groupId: ids.Team, childGroupId: ids.Contractors });
    expect(await isEffective()).toBe(false);
    expect(await checkDirectory(db, tenantId)).toEqual([]);
  });

  test.each<[string, (directory: Directory, prod: GroupId, contractors: GroupId) => Promise<unknown>]>([
    ['asked for', (directory, groupId, id) => addNestedGroups(directory, { groupId, childGroupIds: [id] })],
    [
      'ended and asked for again',
      async (directory, groupId, id) => {
        await removeNestedGroup(directory, { groupId, childGroupId: id });
        await addNestedGroups(directory, { groupId, childGroupIds: [id] });
      },
    ],
  ])('stays where somebody has %s it since', async (_how, ask) => {
    const { tenantId, directory, ids } = await createWorld(db, TEAM, 1);
    await remove(directory, ids.Team, 'ORPHAN');
    await ask(directory, ids.Prod, ids.Contractors);
    await restoreGroup(directory, { id: ids.Team });
    expect(await nested(tenantId)).toEqual(['Prod > Contractors', ...WHOLE]);
  });

  test('for two groups ends with the second one', async () => {
    const { tenantId, directory, ids } = await createWorld(db, {
      Top: { nests: ['A', 'B'] },
      A: { nests: ['Leaf'] },
      B: { nests: ['Leaf'] },
      Leaf: {},
    });
    await remove(directory, ids.A, 'ORPHAN');
    await remove(directory, ids.B, 'ORPHAN');
    expect(await nested(tenantId)).toEqual(['Top > Leaf']);
    await restoreGroup(directory, { id: ids.A });
    expect(await nested(tenantId)).toEqual(['A > Leaf', 'Top > A', 'Top > Leaf']);
    await restoreGroup(directory, { id: ids.B });
    expect(await nested(tenantId)).toEqual(['A > Leaf', 'B > Leaf', 'Top > A', 'Top > B']);
  });

  test('and a later deletion ended does not come back for a group that is back by then', async () => {
    const { tenantId, directory, ids } = await createWorld(db, TEAM, 1);
    const both = async () => {
      await remove(directory, ids.Team, 'ORPHAN');
      await remove(directory, ids.Prod, 'CASCADE');
    };
    await both();
    expect(await lostOf(directory, ids.Prod)).toEqual([]);
    expect(await nested(tenantId)).toEqual(['Prod > Contractors', 'Prod > Known']);
    expect(await lostOf(directory, ids.Team)).toEqual([]);
    expect(await nested(tenantId)).toEqual(WHOLE);
    await both();
    const gone = `NESTING Prod: ${ids.Team} in ${ids.Prod}: the other group is deleted`;
    expect(await lostOf(directory, ids.Team)).toEqual([gone]);
    // The nesting of the two comes back with the second one, and what stood for the first one has no use.
    expect(await lostOf(directory, ids.Prod)).toEqual([]);
    expect(await nested(tenantId)).toEqual(WHOLE);
    await both();
    await restoreGroup(directory, { id: ids.Team });
    await removeNestedGroup(directory, { groupId: ids.Team, childGroupId: ids.Contractors });
    const stood = `NESTING Contractors: ${ids.Contractors} in ${ids.Prod}: it stood in for a group that has been restored`;
    expect(await lostOf(directory, ids.Prod)).toEqual([stood]);
    expect(await nested(tenantId)).toEqual(['Prod > Known', 'Prod > Team', 'Team > Known']);
  });

  test('brings the children back, each at its next version, and says so in the log', async () => {
    const { tenantId, directory, ids } = await createWorld(db, {
      Root: {},
      Group: { parent: 'Root' },
      Child: { parent: 'Group' },
      Second: { parent: 'Group' },
      Grandchild: { parent: 'Child' },
    });
    const before = await parentsOf(tenantId);
    await remove(directory, ids.Group, 'ORPHAN');
    await updateGroup(directory, { id: ids.Child, description: 'Not moved', parentGroupId: ids.Root });
    expect(await lostOf(directory, ids.Group)).toEqual([]);
    expect(await parentsOf(tenantId)).toEqual(before);
    const { Child, Second, Grandchild } = await groupsOf(db, tenantId);
    expect([Child!.version, Second!.version, Grandchild!.version]).toEqual([6, 5, 3]);
    const moves = (await eventsOf(db, tenantId)).filter(
      ({ data }) => !('name' in ((data.after as object) ?? {})),
    );
    expect(moves.filter(({ type }) => type === 'group.updated').slice(-2)).toEqual(
      ['Child', 'Second'].map((group) => ({
        type: 'group.updated',
        group,
        actor: 'user usr_administrator',
        data: {
          changed: ['parentGroupId'],
          before: { parentGroupId: ids.Root },
          after: { parentGroupId: ids.Group },
        },
      })),
    );
  });

  test('leaves children that were moved since, are deleted, or fit no more, and reports each', async () => {
    const { tenantId, directory, ids } = await createWorld(db, {
      Root: {},
      Group: { parent: 'Root' },
      Away: { parent: 'Group' },
      Back: { parent: 'Group' },
      Gone: { parent: 'Group' },
      Over: { parent: 'Group' },
      Stays: { parent: 'Group' },
      Deep: { parent: 'Group' },
      ...chain('L', 30, 'parent'),
    });
    await remove(directory, ids.Group, 'ORPHAN');
    const move = (id: GroupId, parentGroupId: GroupId | null) =>
      updateGroup(directory, { id, parentGroupId });
    await move(ids.Away, null);
    await move(ids.Back, null);
    await move(ids.Back, ids.Root);
    await remove(directory, ids.Gone);
    await move((ids as Record<string, GroupId>).L01!, ids.Deep);
    // Above the group's own place, where the child is not of the group's making.
    await move(ids.Root, null);
    expect(await lostOf(directory, ids.Group)).toEqual([
      'CHILD Away: The child has been moved since the deletion',
      'CHILD Back: The child has been moved since the deletion',
      'CHILD Deep: The hierarchy would have more than 32 levels',
      'CHILD Gone: The child is deleted',
    ]);
    expect(await parentsOf(tenantId)).toMatchObject({
      Away: null,
      Back: 'Root',
      Deep: 'Root',
      Over: 'Group',
      Stays: 'Group',
    });
  });

  const STACK = { A: {}, B: { parent: 'A' }, C: { parent: 'B' }, Leaf: { parent: 'C' } };
  test('one upon another is undone in whichever order', async () => {
    for (const order of [
      ['B', 'C'],
      ['C', 'B'],
    ] as const) {
      const { tenantId, directory, ids } = await createWorld(db, STACK);
      await remove(directory, ids.C, 'ORPHAN');
      await remove(directory, ids.B, 'ORPHAN');
      expect((await parentsOf(tenantId)).Leaf).toBe('A');
      const lost = [await lostOf(directory, ids[order[0]]), await lostOf(directory, ids[order[1]])];
      expect((await parentsOf(tenantId)).Leaf).toBe('C');
      const gone = 'PARENT B: The parent group is deleted; the group was restored as a root';
      expect(lost).toEqual([order[0] === 'B' ? [] : [gone], []]);
      expect(await parentsOf(tenantId)).toEqual({ A: null, B: 'A', C: 'B', Leaf: 'C' });
    }
  });

  test('never closes a circle of the hierarchy, nor gives two children one name', async () => {
    const { tenantId, directory, ids } = await createWorld(db, {
      ...STACK,
      Twin: { parent: 'C' },
    });
    await remove(directory, ids.C, 'ORPHAN');
    await remove(directory, ids.B, 'ORPHAN');
    await remove(directory, ids.Leaf);
    await updateGroup(directory, { id: ids.Twin, name: 'LEAF' });
    await db.sql(Prisma.sql`update groups set parent_group_id = null where id = ${ids.Leaf}`);
    await restoreGroup(directory, { id: ids.Leaf });
    expect(await lostOf(directory, ids.B)).toEqual(['CHILD Twin: Another child now has this name']);
    // B is filed below a child that C's deletion moved, and C in B.
    await updateGroup(directory, { id: ids.B, parentGroupId: ids.Twin });
    expect(await lostOf(directory, ids.C)).toEqual(['CHILD Twin: The group is now below the child']);
    expect(await parentsOf(tenantId)).toMatchObject({ B: 'LEAF', C: 'B', Leaf: 'C', LEAF: 'A' });
    expect(await checkDirectory(db, tenantId)).toEqual([]);
  });

  describe('a nesting whose other group was deleted too comes back with the second of them', () => {
    const STACK = { P: { nests: ['T'] }, T: { nests: ['M'] }, M: { nests: ['C'] }, C: {} };
    test.each(['ORPHAN', 'CASCADE', 'BLOCK'] as const)(
      'when the other is deleted by %s',
      async (strategy) => {
        const { tenantId, directory, ids } = await createWorld(db, {
          ...STACK,
          ...(strategy === 'BLOCK' && { T: {}, P: { nests: ['T', 'M'] }, M: { nests: ['T', 'C'] } }),
        });
        const before = await nested(tenantId);
        await remove(directory, ids.M, 'ORPHAN');
        await remove(directory, ids.T, strategy);
        expect(await lostOf(directory, ids.M)).toEqual([
          expect.stringMatching(/^NESTING T: .*: the other group/),
        ]);
        expect(await lostOf(directory, ids.T)).toEqual([]);
        expect(await nested(tenantId)).toEqual(before);
      },
    );
  });

  test('stays where what it stood for is refused as too deep, from then on for its own sake', async () => {
    const { tenantId, directory, users, ids } = await createWorld(
      db,
      {
        ...chain('A', 30, 'nests'),
        P: { nests: ['T'] },
        T: { nests: ['C', 'D'] },
        C: { members: [0] },
        D: {},
      },
      1,
    );
    const A30 = (ids as Record<string, GroupId>).A30!;
    const isEffective = () => hasEffectiveMember(directory, A30, users[0]!);
    const below = async () => (await nested(tenantId)).filter((edge) => !edge!.startsWith('A0'));
    await remove(directory, ids.T, 'ORPHAN');
    await addNestedGroups(directory, { groupId: A30, childGroupIds: [ids.P] });
    await removeNestedGroup(directory, { groupId: ids.P, childGroupId: ids.D });
    expect(await isEffective()).toBe(true);
    expect(await lostOf(directory, ids.T)).toEqual(
      [ids.C, ids.D].map(
        (id) => `NESTING ${id.at(-1)}: ${id} in ${ids.T}: the nesting would be more than 32 groups deep`,
      ),
    );
    expect(await isEffective()).toBe(true);
    const now = (await below()).filter((edge) => /[PT] >/.test(edge!));
    expect(now).toEqual(['P > C', 'P > T']);
    expect((await endedOf(db, tenantId)).filter((edge) => edge.includes('GROUP_RESTORED'))).toEqual([]);
    await remove(directory, ids.T, 'ORPHAN');
    expect(await lostOf(directory, ids.T)).toEqual([]);
    expect((await below()).filter((edge) => /[PT] >/.test(edge!))).toEqual(now);
    expect(await checkDirectory(db, tenantId)).toEqual([]);
  });

  test('stays where what it stood for would close a cycle', async () => {
    const { tenantId, directory, ids } = await createWorld(db, {
      P: { nests: ['Group'] },
      Group: { nests: ['C', 'D'] },
      C: {},
      D: {},
    });
    await remove(directory, ids.Group, 'ORPHAN');
    await removeNestedGroup(directory, { groupId: ids.P, childGroupId: ids.D });
    await addNestedGroups(directory, { groupId: ids.D, childGroupIds: [ids.P] });
    expect(await lostOf(directory, ids.Group)).toEqual([
      `NESTING P: ${ids.Group} in ${ids.P}: it would close a cycle`,
    ]);
    expect(await nested(tenantId)).toEqual(['D > P', 'Group > C', 'Group > D', 'P > C']);
  });

  test.each([
    [29, 'C in T'],
    [30, null],
  ])(
    'of a group that is back comes back where its own nesting is refused: %i above it',
    async (above, back) => {
      const { tenantId, directory, ids } = await createWorld(db, {
        ...chain('A', above, 'nests'),
        P: { nests: ['T'] },
        T: { nests: ['M'] },
        M: { nests: ['C'] },
        C: {},
      });
      await remove(directory, ids.M, 'ORPHAN');
      await remove(directory, ids.T);
      await restoreGroup(directory, { id: ids.M });
      const last = (ids as Record<string, GroupId>)[`A${above}`]!;
      await addNestedGroups(directory, { groupId: last, childGroupIds: [ids.P] });
      const tooDeep = (child: GroupId) =>
        `NESTING ${child.at(-1)}: ${child} in ${ids.T}: the nesting would be more than 32 groups deep`;
      expect(await lostOf(directory, ids.T)).toEqual([
        tooDeep(ids.M),
        ...(back === null ? [tooDeep(ids.C)] : []),
      ]);
      expect((await nested(tenantId)).filter((edge) => edge!.startsWith('T'))).toEqual(back ? ['T > C'] : []);
      expect(await checkDirectory(db, tenantId)).toEqual([]);
    },
  );

  test('brings a group back below its parent that is restored after it, unless somebody has moved it', async () => {
    const { tenantId, directory, ids } = await createWorld(db, {
      Parent: {},
      Group: { parent: 'Parent' },
      Moved: { parent: 'Parent' },
      Low: { parent: 'Group' },
      Other: {},
    });
    await remove(directory, ids.Parent);
    const gone = 'PARENT Parent: The parent group is deleted; the group was restored as a root';
    expect(await lostOf(directory, ids.Moved)).toEqual([gone]);
    expect(await lostOf(directory, ids.Low)).toEqual([gone.replaceAll('PARENT Parent', 'PARENT Group')]);
    expect(await lostOf(directory, ids.Group)).toEqual([gone]);
    await updateGroup(directory, { id: ids.Moved, parentGroupId: ids.Other });
    expect(await parentsOf(tenantId)).toMatchObject({ Group: null, Low: 'Group', Moved: 'Other' });
    const { version } = (await groupsOf(db, tenantId)).Group!;
    expect(await lostOf(directory, ids.Parent)).toEqual([
      'CHILD Moved: The child has been moved since the deletion',
    ]);
    expect(await parentsOf(tenantId)).toMatchObject({ Group: 'Parent', Low: 'Group', Moved: 'Other' });
    expect((await groupsOf(db, tenantId)).Group!.version).toBe(version + 1);
  });

  test('brings groups back below those that are restored with their parent', async () => {
    const { tenantId, directory, ids } = await createWorld(db, {
      Top: {},
      Mid: { parent: 'Top' },
      Low: { parent: 'Mid' },
      Twin: { parent: 'Mid' },
      Renamed: { parent: 'Mid' },
    });
    await remove(directory, ids.Top);
    await restoreGroup(directory, { id: ids.Low });
    await restoreGroup(directory, { id: ids.Renamed });
    await updateGroup(directory, { id: ids.Renamed, name: 'TWIN' });
    expect(await restoreGroup(directory, { id: ids.Top, includeDescendants: true })).toMatchObject({
      restoredGroupIds: [ids.Top, ids.Mid, ids.Twin],
      notRestored: [{ kind: 'CHILD', id: ids.Renamed, reason: 'Another child now has this name' }],
    });
    expect(await parentsOf(tenantId)).toEqual({ Top: null, Mid: 'Top', Low: 'Mid', Twin: 'Mid', TWIN: null });
    expect(await checkDirectory(db, tenantId)).toEqual([]);
  });

  test('brings a child that was deleted when its parent came back there with its own restoration', async () => {
    const { tenantId, directory, ids } = await createWorld(db, {
      Top: {},
      Group: { parent: 'Top' },
      Child: { parent: 'Group' },
    });
    await remove(directory, ids.Group, 'ORPHAN');
    await remove(directory, ids.Child);
    expect(await lostOf(directory, ids.Group)).toEqual(['CHILD Child: The child is deleted']);
    expect(await lostOf(directory, ids.Child)).toEqual([]);
    expect(await parentsOf(tenantId)).toEqual({ Top: null, Group: 'Top', Child: 'Group' });
  });

  describe('does not hold the name that the group had', () => {
    test.each([
      ['at the root', null],
      ['below another group', 'Top'],
    ])('for a child of the same name, %s', async (_place, parent) => {
      const { tenantId, directory, ids } = await createWorld(db, {
        Top: {},
        Group: { name: 'Ops', ...(parent && { parent }) },
        Child: { name: 'OPS', parent: 'Group' },
        Low: { name: 'ops', parent: 'Child' },
      });
      const before = await parentsOf(tenantId);
      await remove(directory, ids.Group, 'ORPHAN');
      await remove(directory, ids.Child, 'ORPHAN');
      // The child of the child is where both of them were.
      const taken = { code: 'NAME_TAKEN', details: { names: ['ops'] } };
      expect(await refusal(restoreGroup(directory, { id: ids.Group }))).toMatchObject(taken);
      expect(await lostOf(directory, ids.Child)).toEqual([]);
      expect(await lostOf(directory, ids.Group)).toEqual([]);
      expect(await parentsOf(tenantId)).toEqual(before);
      expect(await checkDirectory(db, tenantId)).toEqual([]);
    });

    test('for a child that has got its name since, but for one that somebody has moved', async () => {
      const { tenantId, directory, ids } = await createWorld(db, {
        Group: {},
        Child: { parent: 'Group' },
        Other: {},
      });
      await remove(directory, ids.Group, 'ORPHAN');
      await updateGroup(directory, { id: ids.Child, name: 'GROUP' });
      expect(await lostOf(directory, ids.Group)).toEqual([]);
      expect(await parentsOf(tenantId)).toEqual({ Group: null, GROUP: 'Group', Other: null });
      await remove(directory, ids.Group, 'ORPHAN');
      await updateGroup(directory, { id: ids.Child, parentGroupId: ids.Other });
      await updateGroup(directory, { id: ids.Child, parentGroupId: null });
      expect(await refusal(restoreGroup(directory, { id: ids.Group }))).toMatchObject({ code: 'NAME_TAKEN' });
      expect((await groupsOf(db, tenantId)).Group!.deleted).toBe(true);
    });

    test('for names that a parent and its child have changed', async () => {
      const { tenantId, directory, ids } = await createWorld(db, {
        Group: { name: 'One' },
        Child: { name: 'Two', parent: 'Group' },
      });
      await remove(directory, ids.Group, 'ORPHAN');
      await updateGroup(directory, { id: ids.Child, name: 'One' });
      expect(await lostOf(directory, ids.Group)).toEqual([]);
      await updateGroup(directory, { id: ids.Group, name: 'Two' });
      await remove(directory, ids.Group, 'ORPHAN');
      await updateGroup(directory, { id: ids.Child, name: 'Two' });
      expect(await lostOf(directory, ids.Group)).toEqual([]);
      expect(await checkDirectory(db, tenantId)).toEqual([]);
    });
  });
});

test('a membership comes back only to the very user that it was of', async () => {
  const { tenantId, directory, users, ids } = await createWorld(db, { Group: { members: [0, 1] } }, 2);
  await remove(directory, ids.Group);
  await removeUsers(directory, { tenantId, userIds: [users[0]!] });
  await upsertUsers(openDirectory(db, superAdmin), {
    tenantId,
    users: [{ id: users[0]!, email: 'another@example.org' }],
  });
  expect((await restoreGroup(directory, { id: ids.Group })).notRestored).toEqual([
    {
      kind: 'MEMBERSHIP',
      id: users[0],
      reason: `${users[0]} in ${ids.Group}: the user was removed, and the id now names another user`,
    },
  ]);
  expect(await edgesOf(db, tenantId)).toEqual([`Group: ${users[1]} by usr_administrator`]);
  // The other user is one of its own, whose membership comes back to it; a new name does not make another user.
  await addGroupMembers(directory, { groupId: ids.Group, userIds: [users[0]!] });
  await remove(directory, ids.Group);
  await upsertUsers(directory, { tenantId, users: [{ id: users[0]!, email: 'renamed@example.org' }] });
  expect((await restoreGroup(directory, { id: ids.Group })).notRestored).toEqual([]);
  expect(await edgesOf(db, tenantId)).toEqual(users.map((user) => `Group: ${user} by usr_administrator`));
  expect(await checkDirectory(db, tenantId)).toEqual([]);
});

describe('what comes back', () => {
  test('is the row at its next version, and each edge, begun by who restores it', async () => {
    const { tenantId, directory, users, ids } = await createWorld(
      db,
      {
        Root: {},
        Above: { nests: ['Group', 'Other'] },
        Group: { parent: 'Root', members: [0, 1], nests: ['Below1', 'Below2'] },
        Below1: { members: [1] },
        Below2: { nests: ['Below1'] },
        Other: { members: [0, 1] },
      },
      2,
    );
    const [before, edges] = [await groupsOf(db, tenantId), await edgesOf(db, tenantId)];
    await remove(directory, ids.Group);
    const deletionId = await deletionOf(ids.Group);
    const restorer = openDirectory(db, service(tenantId, true));
    const restored = await restoreGroup(restorer, { id: ids.Group });
    const group = (await findGroup(directory, ids.Group))!;
    expect(restored).toEqual({ group, restoredGroupIds: [ids.Group], notRestored: [], position: 2 });
    expect(group).toMatchObject({ parentGroupId: ids.Root, version: 4, memberCount: 2 });
    expect(await groupsOf(db, tenantId)).toEqual({
      ...before,
      Group: { ...before.Group, version: 4, touched: true },
    });
    const back = new Set([
      `Group: ${users[0]}`,
      `Group: ${users[1]}`,
      'Group > Below1',
      'Group > Below2',
      'Above > Group',
    ]);
    expect(await edgesOf(db, tenantId)).toEqual(
      edges
        .map((edge) =>
          edge.replace(/^(.*) by usr_maker$/, (whole, ends) =>
            back.has(ends) ? `${ends} by client` : whole,
          ),
        )
        .sort(),
    );
    expect(await restoredOf(tenantId)).toEqual([
      {
        type: 'group.restored',
        group: 'Group',
        actor: 'service client',
        data: { deletionId, parentGroupId: ids.Root, userIds: users, groupIds: [ids.Below1, ids.Below2] },
      },
      {
        type: 'group_nesting.added',
        group: 'Above',
        actor: 'service client',
        data: { groupIds: [ids.Group], cause: 'GROUP_RESTORED' },
      },
    ]);
    const [row] = await db.sql<{ deletion: string | null }>(Prisma.sql`
      select deletion_id as deletion from groups where id = ${ids.Group}`);
    expect(row).toEqual({ deletion: null });
    expect(await refusal(restoreGroup(directory, { id: ids.Group }))).toEqual(notDeleted(ids.Group));
  });

  test('of a group without edges is the group alone', async () => {
    const { tenantId, directory, ids } = await createWorld(db, { Group: {} });
    await remove(directory, ids.Group);
    await restoreGroup(directory, { id: ids.Group });
    expect((await eventsOf(db, tenantId)).map(({ type }) => type)).toEqual([
      'group.deleted',
      'group.restored',
    ]);
  });

  test('is told to the caches of every process', async () => {
    const { tenantId, directory, users, ids } = await createWorld(
      db,
      {
        Above: { nests: ['Group'], members: [0] },
        Group: { nests: ['Below'], members: [1] },
        Below: { members: [2] },
      },
      3,
    );
    const other = await openDatabase({ url: database.url, dataDir: '', timeouts: PATIENT });
    const [u0, u1, u2] = users;
    const read = async (process: Database, id: string) => {
      const page = { withTotal: true };
      const effective = await listEffectiveMembers(openAsAdmin(process, tenantId), id, { page });
      const direct = await listMembers(openAsAdmin(process, tenantId), id, { page });
      const count = await countEffectiveMembers(openAsAdmin(process, tenantId), id);
      return [effective, direct]
        .map((list) => list!.rows.map(({ userId }): string => userId))
        .concat([[String(effective!.total), String(direct!.total), String(count)]]);
    };
    try {
      await remove(directory, ids.Group, 'ORPHAN');
      for (const process of [db, other, db, other]) {
        expect(await read(process, ids.Above)).toEqual([[u0, u2], [u0], ['2', '1', '2']]);
        expect(await read(process, ids.Group)).toEqual([[], [], ['0', '0', '0']]);
      }
      await restoreGroup(directory, { id: ids.Group });
      for (const process of [db, other]) {
        expect(await read(process, ids.Above)).toEqual([[u0, u1, u2], [u0], ['3', '1', '3']]);
        expect(await read(process, ids.Group)).toEqual([[u1, u2], [u1], ['2', '1', '2']]);
      }
    } finally {
      await other.close();
    }
  });

  test('holds no edge that had ended before, nor one of another group', async () => {
    const { tenantId, directory, users, ids } = await createWorld(
      db,
      {
        Group: { members: [0, 1], nests: ['Below1', 'Below2'] },
        Child: { parent: 'Group', members: [0], nests: ['Below1'] },
        Below1: {},
        Below2: {},
      },
      2,
    );
    await removeGroupMembers(directory, { groupId: ids.Group, userIds: [users[0]!] });
    await removeNestedGroup(directory, { groupId: ids.Group, childGroupId: ids.Below1 });
    await remove(directory, ids.Group);
    expect(await restoreGroup(directory, { id: ids.Group, includeDescendants: false })).toMatchObject({
      restoredGroupIds: [ids.Group],
      notRestored: [],
    });
    expect(await edgesOf(db, tenantId)).toEqual([
      'Group > Below2 by usr_administrator',
      `Group: ${users[1]} by usr_administrator`,
    ]);
    expect((await groupsOf(db, tenantId)).Child).toMatchObject({ deleted: true, members: 0 });
  });

  test('after two deletions is what the last one took', async () => {
    const { tenantId, directory, users, ids } = await createWorld(db, { Group: { members: [0, 1] } }, 2);
    await remove(directory, ids.Group);
    await restoreGroup(directory, { id: ids.Group });
    await removeGroupMembers(directory, { groupId: ids.Group, userIds: [users[0]!] });
    await remove(directory, ids.Group);
    await restoreGroup(directory, { id: ids.Group });
    expect(await edgesOf(db, tenantId)).toEqual([`Group: ${users[1]} by usr_administrator`]);
    expect(await groupsOf(db, tenantId)).toMatchObject({ Group: { version: 5, members: 1 } });
  });
});

describe('descendants', () => {
  const TREE = {
    Top: { members: [0], nests: ['Mid1'] },
    Mid2: { parent: 'Top', members: [0, 1] },
    Mid1: { parent: 'Top', nests: ['Mid2', 'Far'] },
    Low: { parent: 'Mid2', members: [1] },
    Gone: { parent: 'Mid2', members: [1] },
    Far: {},
  };

  test('come back on request, each at its next version and with its event', async () => {
    const { tenantId, directory, users, ids } = await createWorld(db, TREE, 2);
    await remove(directory, ids.Gone);
    const before = await groupsOf(db, tenantId);
    const edges = await edgesOf(db, tenantId);
    await remove(directory, ids.Top);
    const deletionId = await deletionOf(ids.Top);
    expect(await restoreGroup(directory, { id: ids.Top, includeDescendants: true })).toMatchObject({
      group: { id: ids.Top, version: 4, parentGroupId: null },
      restoredGroupIds: [ids.Top, ids.Mid1, ids.Mid2, ids.Low],
      notRestored: [],
    });
    const next = (name: string) => ({ [name]: { ...before[name], version: 4, touched: true } });
    expect(await groupsOf(db, tenantId)).toEqual({
      ...before,
      ...next('Top'),
      ...next('Mid1'),
      ...next('Mid2'),
      ...next('Low'),
    });
    expect(await edgesOf(db, tenantId)).toEqual(
      edges.map((edge) => edge.replace('usr_maker', 'usr_administrator')),
    );
    const [u0, u1] = users;
    const restored = (
      group: string,
      parentGroupId: string | null,
      userIds: unknown[],
      groupIds: string[],
    ) => ({
      type: 'group.restored',
      group,
      actor: 'user usr_administrator',
      data: { deletionId, parentGroupId, userIds, groupIds },
    });
    expect(await restoredOf(tenantId)).toEqual([
      restored('Low', ids.Mid2, [u1], []),
      restored('Mid1', ids.Top, [], [ids.Far, ids.Mid2]),
      restored('Mid2', ids.Top, [u0, u1], []),
      restored('Top', null, [u0], [ids.Mid1]),
    ]);
  });

  test.each([[false], [null], [undefined]])(
    'stay deleted with %s, and can come back later',
    async (includeDescendants) => {
      const { tenantId, directory, users, ids } = await createWorld(db, TREE, 2);
      await remove(directory, ids.Top);
      expect(await restoreGroup(directory, { id: ids.Top, includeDescendants })).toMatchObject({
        restoredGroupIds: [ids.Top],
        notRestored: [
          {
            kind: 'NESTING',
            id: ids.Mid1,
            reason: `${ids.Mid1} in ${ids.Top}: the other group is deleted`,
          },
        ],
      });
      expect(await restoredOf(tenantId)).toHaveLength(1);
      expect(await edgesOf(db, tenantId)).toEqual([`Top: ${users[0]} by usr_administrator`]);

      expect(await restoreGroup(directory, { id: ids.Mid1 })).toMatchObject({
        group: { parentGroupId: ids.Top },
        notRestored: [
          {
            kind: 'NESTING',
            id: ids.Mid2,
            reason: `${ids.Mid2} in ${ids.Mid1}: the other group is deleted`,
          },
        ],
      });
      expect(await restoreGroup(directory, { id: ids.Mid2, includeDescendants: true })).toMatchObject({
        group: { parentGroupId: ids.Top },
        restoredGroupIds: [ids.Mid2, ids.Gone, ids.Low],
        notRestored: [],
      });
      expect(await edgesOf(db, tenantId)).toEqual(
        [
          `Top: ${users[0]}`,
          `Mid2: ${users[0]}`,
          `Mid2: ${users[1]}`,
          `Low: ${users[1]}`,
          `Gone: ${users[1]}`,
          'Top > Mid1',
          'Mid1 > Mid2',
          'Mid1 > Far',
        ]
          .map((edge) => `${edge} by usr_administrator`)
          .sort(),
      );
    },
  );
});

describe('what cannot come back', () => {
  test('a place below a parent that is deleted: the group is a root', async () => {
    const { tenantId, directory, ids } = await createWorld(db, { Parent: {}, Group: { parent: 'Parent' } });
    await remove(directory, ids.Group);
    await remove(directory, ids.Parent);
    expect(await restoreGroup(directory, { id: ids.Group })).toMatchObject({
      group: { parentGroupId: null, version: 4 },
      notRestored: [
        {
          kind: 'PARENT',
          id: ids.Parent,
          reason: 'The parent group is deleted; the group was restored as a root',
        },
      ],
    });
    expect((await groupsOf(db, tenantId)).Group).toEqual({
      parent: null,
      version: 4,
      touched: true,
      deleted: false,
      members: 0,
    });
  });

  test.each([
    ['30 above it', 30, 1, false, true],
    ['31 above it', 31, 1, false, true],
    ['32 above it', 32, 1, false, false],
    ['29 above it and its descendants', 29, 3, true, true],
    ['30 above it and its descendants', 30, 3, true, false],
    ['30 above it without its descendants', 30, 3, false, true],
  ])('a place with %s: %i and %i levels', async (_case, above, height, includeDescendants, fits) => {
    const own = Object.fromEntries(
      Object.entries(chain('G', height, 'parent')).map(([key, spec]) => [
        key,
        key === 'G01' ? { parent: 'Top' } : spec,
      ]),
    );
    const { tenantId, directory, ids } = await createWorld(db, {
      Top: {},
      ...own,
      ...chain('A', above - 1, 'parent'),
    });
    const id = (key: string) => (ids as Record<string, string>)[key]!;
    await remove(directory, id('G01'));
    await updateGroup(directory, { id: id('Top'), parentGroupId: id(`A${above - 1}`) });
    const { group, notRestored, restoredGroupIds } = await restoreGroup(directory, {
      id: id('G01'),
      includeDescendants,
    });
    expect([group.parentGroupId, notRestored]).toEqual(
      fits
        ? [id('Top'), []]
        : [
            null,
            [
              {
                kind: 'PARENT',
                id: id('Top'),
                reason: 'The hierarchy would have more than 32 levels; the group was restored as a root',
              },
            ],
          ],
    );
    expect(restoredGroupIds).toHaveLength(includeDescendants ? height : 1);
    expect((await groupsOf(db, tenantId)).G01!.parent).toBe(fits ? 'Top' : null);
  });

  test('a name that was given again meanwhile, at the place where the group would come to be', async () => {
    const { tenantId, directory, ids } = await createWorld(db, {
      Parent: {},
      Group: { parent: 'Parent' },
      Lost: { parent: 'Group' },
      Elsewhere: { name: 'Group' },
    });
    await remove(directory, ids.Group);
    const { group: taker } = await createGroup(directory, {
      tenantId,
      name: 'GROUP',
      parentGroupId: ids.Parent,
    });
    const taken = (name: string) => ({
      code: 'NAME_TAKEN',
      message: `The destination already has a group named "${name}"`,
      details: { names: [name] },
    });
    expect(await refusal(restoreGroup(directory, { id: ids.Group }))).toEqual(taken('GROUP'));
    expect(await restoredOf(tenantId)).toEqual([]);
    await updateGroup(directory, { id: taker.id, name: 'Another' });
    expect(await refusal(restoreGroup(directory, { id: ids.Group }))).toBe('done');
    // Its place is among the roots once its parent is gone, and there the name is taken.
    await remove(directory, ids.Group);
    await remove(directory, ids.Parent);
    expect(await refusal(restoreGroup(directory, { id: ids.Group }))).toEqual(taken('Group'));
  });

  test('memberships of users who are gone, each by user, then group', async () => {
    const { tenantId, directory, users, ids } = await createWorld(
      db,
      { Top: { members: [0, 1, 2] }, Child: { parent: 'Top', members: [1, 2] } },
      3,
    );
    const [u0, u1, u2] = users;
    await remove(directory, ids.Top);
    await removeUsers(directory, { tenantId, userIds: [u2!, u1!] });
    const lost = (id: string | undefined, group: string) => ({
      kind: 'MEMBERSHIP',
      id,
      reason: `${id} in ${group}: the user was removed`,
    });
    expect((await restoreGroup(directory, { id: ids.Top, includeDescendants: true })).notRestored).toEqual([
      lost(u1, ids.Child),
      lost(u1, ids.Top),
      lost(u2, ids.Child),
      lost(u2, ids.Top),
    ]);
    expect(await edgesOf(db, tenantId)).toEqual([`Top: ${u0} by usr_administrator`]);
    const { Top, Child } = await groupsOf(db, tenantId);
    expect([Top!.members, Child!.members]).toEqual([1, 0]);
  });

  test('memberships of users whose ids another tenant asked for, which it never gets', async () => {
    const { tenantId, directory, users, ids } = await createWorld(db, { Group: { members: [0] } }, 1);
    await remove(directory, ids.Group);
    await removeUsers(directory, { tenantId, userIds: users });
    const other = await createTenant(db);
    const moved = upsertUsers(openDirectory(db, platform(true)), {
      tenantId: other.tenantId,
      users: [{ id: users[0]!, email: 'moved@example.org' }],
    });
    expect(await refusal(moved)).toEqual({
      code: 'OTHER_TENANT',
      message: `${users[0]} belongs to another tenant`,
      details: { id: users[0] },
    });
    expect((await restoreGroup(directory, { id: ids.Group })).notRestored).toEqual([
      { kind: 'MEMBERSHIP', id: users[0], reason: `${users[0]} in ${ids.Group}: the user was removed` },
    ]);
  });

  test('nestings whose other end is deleted, on either side', async () => {
    const { tenantId, directory, ids } = await createWorld(db, {
      Above1: { nests: ['Group'] },
      Above2: { nests: ['Group'] },
      Group: { nests: ['Below1', 'Below2'] },
      Below1: {},
      Below2: {},
    });
    await remove(directory, ids.Group);
    await remove(directory, ids.Above1);
    await remove(directory, ids.Below2);
    const lost = (id: string, edge: string) => ({
      kind: 'NESTING',
      id,
      reason: `${edge}: the other group is deleted`,
    });
    expect((await restoreGroup(directory, { id: ids.Group })).notRestored).toEqual([
      lost(ids.Above1, `${ids.Group} in ${ids.Above1}`),
      lost(ids.Below2, `${ids.Below2} in ${ids.Group}`),
    ]);
    expect(await edgesOf(db, tenantId)).toEqual([
      'Above2 > Group by usr_administrator',
      'Group > Below1 by usr_administrator',
    ]);
  });

  test('nestings that would close a cycle with what was nested since', async () => {
    const { tenantId, directory, ids } = await createWorld(db, {
      Above: { nests: ['Group'] },
      Below: {},
      Group: { nests: ['Below'] },
    });
    await remove(directory, ids.Group);
    await addNestedGroups(directory, { groupId: ids.Below, childGroupIds: [ids.Above] });
    expect((await restoreGroup(directory, { id: ids.Group })).notRestored).toEqual([
      {
        kind: 'NESTING',
        id: ids.Below,
        reason: `${ids.Below} in ${ids.Group}: it would close a cycle`,
      },
    ]);
    expect(await edgesOf(db, tenantId)).toEqual([
      'Above > Group by usr_administrator',
      'Below > Above by usr_administrator',
    ]);
  });

  test.each([
    [29, 32],
    [30, 33],
  ])('nestings that would be deeper than 32 groups: %i and three are %i', async (above, depth) => {
    const { tenantId, directory, ids } = await createWorld(db, {
      ...chain('A', above, 'nests'),
      B: { nests: ['G'] },
      G: { nests: ['H'] },
      H: {},
    });
    const id = (key: string) => (ids as Record<string, string>)[key]!;
    await remove(directory, id('G'));
    await addNestedGroups(directory, { groupId: id(`A${above}`), childGroupIds: [id('B')] });
    const { notRestored } = await restoreGroup(directory, { id: id('G') });
    const back = (await edgesOf(db, tenantId)).filter((edge) => edge.includes('G'));
    const tooDeep = `${id('H')} in ${id('G')}: the nesting would be more than 32 groups deep`;
    expect([notRestored, back]).toEqual(
      depth === 32
        ? [[], ['B > G by usr_administrator', 'G > H by usr_administrator']]
        : [[{ kind: 'NESTING', id: id('H'), reason: tooDeep }], ['B > G by usr_administrator']],
    );
  });
});

describe('is refused', () => {
  test.each([
    ['just before 30 days have passed', '30 days -5 minutes', true],
    ['when 30 days have passed', '30 days 5 minutes', false],
  ])('or not %s', async (_case, age, restorable) => {
    const { directory, ids } = await createWorld(db, { Group: {} });
    await remove(directory, ids.Group);
    await db.sql(
      Prisma.sql`update groups set deleted_at = now() - ${age}::text::interval where id = ${ids.Group}`,
    );
    expect(await refusal(restoreGroup(directory, { id: ids.Group }))).toEqual(
      restorable ? 'done' : notDeleted(ids.Group),
    );
  });

  test('for what is live, unknown or hidden, as for what was deleted too long ago', async () => {
    const { tenantId, partnerId, directory, users, ids } = await createWorld(
      db,
      { Group: { members: [0] }, Live: { members: [0] } },
      1,
    );
    await remove(directory, ids.Group);
    const elsewhere = await createTenant(db);
    const as = (caller: Parameters<typeof openDirectory>[1], id: string = ids.Group) =>
      refusal(restoreGroup(openDirectory(db, caller), { id }));
    expect(await as(tenantAdmin(tenantId), ids.Live)).toEqual(notDeleted(ids.Live));
    expect(await as(tenantAdmin(tenantId), 'grp_unknown')).toEqual(notDeleted('grp_unknown'));
    expect(await as(tenantAdmin(elsewhere.tenantId))).toEqual(notDeleted(ids.Group));
    expect(await as(partnerAdmin(elsewhere.partnerId))).toEqual(notDeleted(ids.Group));
    expect(await as(plainUser(tenantId, users[0] as never))).toEqual(notDeleted(ids.Group));
    expect(await as(service(tenantId, false))).toEqual(FORBIDDEN);
    expect(await as(tenantAdmin(tenantId), 'tnt_1')).toEqual(
      invalid(['id', 'must be a group id, such as grp_ followed by letters and digits']),
    );
    expect((await groupsOf(db, tenantId)).Group!.deleted).toBe(true);
    expect(await as(partnerAdmin(partnerId))).toBe('done');
  });

  test('for a flag that is none', async () => {
    const { directory, ids } = await createWorld(db, { Group: {} });
    expect(
      await refusal(restoreGroup(directory, { id: ids.Group, includeDescendants: 'yes' } as never)),
    ).toEqual(invalid(['includeDescendants', 'Invalid input: expected boolean, received string']));
  });
});

describe('a restore that waits for another change', () => {
  test('finds the group restored, its name taken or its parent gone', async () => {
    const { tenantId, directory, ids } = await createWorld(db, {
      Group: {},
      Again: {},
      Parent: {},
      Child: { parent: 'Parent' },
      Other: {},
    });
    for (const id of [ids.Group, ids.Again, ids.Child]) await remove(directory, id);
    const after = (change: Prisma.Sql, id: string) =>
      behind(db, [holdGraph(tenantId), change], () => restoreGroup(directory, { id }));
    const back = Prisma.sql`update groups set deleted_at = null, deletion_id = null where id = ${ids.Again}`;
    expect(await after(back, ids.Again)).toEqual(notDeleted(ids.Again));
    const take = Prisma.sql`update groups set name = 'GROUP', name_key = 'group' where id = ${ids.Other}`;
    expect(await after(take, ids.Group)).toMatchObject({ code: 'NAME_TAKEN', details: { names: ['GROUP'] } });
    expect(await after(markDeleted(ids.Parent), ids.Child)).toBe('done');
    expect((await groupsOf(db, tenantId)).Child!.parent).toBeNull();
  });

  test('waits for no group that it has nothing to do with', async () => {
    const { tenantId, directory, ids } = await createWorld(db, { Group: {}, Other: {} });
    await remove(directory, ids.Group);
    await db.transaction(async (sql) => {
      await sql(Prisma.sql`select id from groups where id = ${ids.Other} for update`);
      await restoreGroup(directory, { id: ids.Group });
    });
    expect((await groupsOf(db, tenantId)).Group!.deleted).toBe(false);
  });
});
