// Callers who see several tenants: each id is read in its own tenant, in its place, and none that is hidden in any.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Database, Prisma, type Sql } from '../../src/database/database.ts';
import { addGroupMembers } from '../../src/domain/commands/add-members.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { deleteGroup } from '../../src/domain/commands/delete-group.ts';
import { addNestedGroups } from '../../src/domain/commands/nest-groups.ts';
import { removeUsers } from '../../src/domain/commands/remove-users.ts';
import { restoreGroup } from '../../src/domain/commands/restore-group.ts';
import { upsertUsers } from '../../src/domain/commands/upsert-users.ts';
import { type Directory, openDirectory } from '../../src/domain/directory.ts';
import {
  countEffectiveMembers,
  hasEffectiveMember,
  listEffectiveMembers,
} from '../../src/domain/queries/effective-members.ts';
import { countGroups, findGroup, listGroups } from '../../src/domain/queries/groups.ts';
import { childGroups, groupPath, listAncestors } from '../../src/domain/queries/hierarchy.ts';
import { countMembers, listAllMembers, listMembers } from '../../src/domain/queries/members.ts';
import { nestedGroups, parentGroups } from '../../src/domain/queries/nesting.ts';
import { findPosition, findTenant } from '../../src/domain/queries/tenants.ts';
import { directGroups, effectiveGroups } from '../../src/domain/queries/user-groups.ts';
import { countUsers, findUser, listUsers } from '../../src/domain/queries/users.ts';
import type { Caller } from '../../src/model/caller.ts';
import { newId, type UserId } from '../../src/model/ids.ts';
import {
  createTenant,
  findAll,
  openAsAdmin,
  partnerAdmin,
  platform,
  superAdmin,
  tenantAdmin,
} from '../support/directories.ts';
import { createWorld, notFound, positionOf, refusal, unknownUsers } from '../support/group-worlds.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';

let database: TestDatabase;
let db: Database;
/** Sent by the directories of `watched`. */
const sent: Sql[] = [];
let watched: Database;
beforeAll(async () => {
  database = await openTestDatabase();
  db = database.db;
  watched = {
    ...db,
    sql: (statement) => {
      sent.push(statement);
      return db.sql(statement);
    },
  };
});
afterAll(() => database.close());
beforeEach(() => sent.splice(0));

const SPECS = {
  Top: { members: [0], nests: ['Middle', 'Side'] },
  Middle: { parent: 'Top', members: [1, 2], nests: ['Low'] },
  Side: { parent: 'Top', members: [0, 2] },
  Low: { parent: 'Middle', members: [3] },
  Gone: { parent: 'Top', members: [0] },
};

/** A tenant with a deleted group and, as its last user, a removed one. */
async function createOne() {
  const world = await createWorld(db, SPECS, 5);
  await deleteGroup(world.directory, { id: world.ids.Gone, strategy: 'CASCADE' });
  await removeUsers(world.directory, { tenantId: world.tenantId, userIds: [world.users[4]!] });
  return world;
}
type World = Awaited<ReturnType<typeof createOne>>;

/** Two tenants of one partner, and one of another. */
async function createSeveral(): Promise<[World, World, World]> {
  const [first, second, hidden] = [await createOne(), await createOne(), await createOne()];
  await db.sql(Prisma.sql`update tenants set partner_id = ${first.partnerId} where id = ${second.tenantId}`);
  return [first, { ...second, partnerId: first.partnerId }, hidden];
}

type Row = Record<string, unknown>;
type Listed = { rows: readonly Row[]; total?: number | undefined; cursors: readonly string[] } | null;
const listed = (page: Listed) => page && { rows: page.rows, total: page.total, cursors: page.cursors };
const page = { first: 2, withTotal: true };

/** Everything that is read by the id of a group, of a user and of a tenant. */
const OF_GROUP: Record<string, (directory: Directory, id: string) => Promise<unknown>> = {
  group: findGroup,
  path: groupPath,
  ancestors: listAncestors,
  children: async (directory, id) => listed((await childGroups.page(directory, id, { page })) as Listed),
  childCount: childGroups.count,
  members: async (directory, id) => listed((await listMembers(directory, id, { page })) as Listed),
  membersFound: async (directory, id) =>
    listed((await listMembers(directory, id, { search: 'example', page })) as Listed),
  allMembers: listAllMembers,
  memberCount: (directory, id) => countMembers(directory, id),
  memberCountFound: (directory, id) => countMembers(directory, id, { search: 'example' }),
  nested: async (directory, id) => listed((await nestedGroups.page(directory, id, { page })) as Listed),
  allNested: nestedGroups.all,
  nestedCount: nestedGroups.count,
  parents: async (directory, id) => listed((await parentGroups.page(directory, id, { page })) as Listed),
  parentCount: parentGroups.count,
  effective: async (directory, id) => listed((await listEffectiveMembers(directory, id, { page })) as Listed),
  effectiveFound: async (directory, id) =>
    listed((await listEffectiveMembers(directory, id, { search: 'example', page })) as Listed),
  effectiveCount: (directory, id) => countEffectiveMembers(directory, id),
  inherited: (directory, id) => countEffectiveMembers(directory, id, { membershipType: 'INHERITED' }),
};
const OF_USER: typeof OF_GROUP = {
  user: findUser,
  groups: async (directory, id) => listed((await directGroups.page(directory, id, { page })) as Listed),
  groupCount: directGroups.count,
  effectiveGroups: async (directory, id) =>
    listed((await effectiveGroups.page(directory, id, { page })) as Listed),
  effectiveGroupCount: effectiveGroups.count,
  listedGroups: async (directory, id) =>
    listed((await listGroups(directory, { filter: { memberUserId: id as UserId }, page })) as Listed),
  listedCount: (directory, id) => countGroups(directory, { filter: { memberUserId: id as UserId } }),
};
const OF_TENANT: typeof OF_GROUP = {
  tenant: findTenant,
  position: findPosition,
  users: async (directory, tenantId) => listed((await listUsers(directory, { tenantId, page })) as Listed),
  userCount: (directory, tenantId) => countUsers(directory, { tenantId }),
};

/** All of it for all ids: at once in one request, as the other fields of a query are. */
const readAll = (directory: Directory, reads: typeof OF_GROUP, ids: readonly string[]) =>
  Promise.all(
    ids.map(async (id) => {
      const values = await Promise.all(Object.values(reads).map((read) => read(directory, id)));
      return Object.fromEntries(Object.keys(reads).map((name, index) => [name, values[index]]));
    }),
  );

/** The ids of several kinds and tenants, mixed as no tenant would order them. */
const mixed = ([first, second, hidden]: [World, World, World]) => ({
  groups: [
    second.ids.Low,
    first.ids.Top,
    newId('group'),
    hidden.ids.Top,
    first.ids.Gone,
    second.ids.Top,
    first.users[0]!,
    hidden.ids.Gone,
    first.ids.Middle,
    'none',
    second.ids.Gone,
    first.ids.Top,
  ],
  users: [
    second.users[3]!,
    hidden.users[0]!,
    first.users[2]!,
    newId('user'),
    first.users[4]!,
    second.users[0]!,
    first.users[2]!,
  ],
  tenants: [second.tenantId, newId('tenant'), hidden.tenantId, first.tenantId, first.ids.Top],
});

/** Reads each id alone, in a request of an administrator of its tenant; an id of no visible tenant as of a stranger. */
async function expectedOf(worlds: readonly World[], reads: typeof OF_GROUP, ids: readonly string[]) {
  const stranger = await createTenant(db);
  const results: unknown[] = [];
  for (const id of ids) {
    const world = worlds.find(
      ({ tenantId, users, ids: groups }) =>
        [tenantId, ...users].includes(id) || Object.values<string>(groups).includes(id),
    );
    const directory = openAsAdmin(db, world?.tenantId ?? stranger.tenantId);
    results.push((await readAll(directory, reads, [id]))[0]);
  }
  return results;
}

describe('one request for ids of several tenants', () => {
  test.each<[string, (worlds: [World, World, World]) => Caller, number]>([
    ['the administrator of everything', () => superAdmin, 3],
    ['a service of the platform', () => platform(false), 3],
    ['a partner', ([first]) => partnerAdmin(first.partnerId), 2],
  ])('of %s has of each what its tenant has, in its place', async (_who, callerOf, seen) => {
    const worlds = await createSeveral();
    const { groups, users, tenants } = mixed(worlds);
    const caller = callerOf(worlds);
    const visible = worlds.slice(0, seen);
    for (const [reads, ids] of [
      [OF_GROUP, groups],
      [OF_USER, users],
      [OF_TENANT, tenants],
    ] as const) {
      const expected = await expectedOf(visible, reads, ids);
      // With caches that are cold and warm, and all in one request.
      for (const directory of [openDirectory(db, caller), openDirectory(db, caller)])
        expect(await readAll(directory, reads, ids)).toEqual(expected);
    }
  });

  test('has what the worlds say, as the administrators of tenants do', async () => {
    const worlds = await createSeveral();
    const [first, second, hidden] = worlds;
    const partner = () => openDirectory(db, partnerAdmin(first.partnerId));
    const ids = [second.ids.Top, hidden.ids.Top, first.ids.Gone, first.ids.Top, newId('group')];
    const found = await findAll(findGroup, partner(), ids);
    expect(found.map((group) => group?.id ?? null)).toEqual([
      second.ids.Top,
      null,
      null,
      first.ids.Top,
      null,
    ]);
    expect(found.map((group) => group?.tenantId)).toEqual([
      second.tenantId,
      undefined,
      undefined,
      first.tenantId,
      undefined,
    ]);
    const directory = partner();
    const [effective, counts, nested] = await Promise.all([
      Promise.all(ids.map((id) => listEffectiveMembers(directory, id, { page: { withTotal: true } }))),
      Promise.all(ids.map((id) => countMembers(directory, id))),
      Promise.all(ids.map((id) => nestedGroups.page(directory, id, { page: {} }))),
    ]);
    expect(effective.map((each) => [each!.rows.map(({ userId }) => userId), each!.total])).toEqual([
      [second.users.slice(0, 4), 4],
      [[], 0],
      [[], 0],
      [first.users.slice(0, 4), 4],
      [[], 0],
    ]);
    expect(counts).toEqual([1, 0, 0, 1, 0]);
    expect(nested.map((each) => each!.rows.map(({ id }) => id))).toEqual([
      [second.ids.Middle, second.ids.Side],
      [],
      [],
      [first.ids.Middle, first.ids.Side],
      [],
    ]);
    const users = [hidden.users[0]!, second.users[1]!, first.users[4]!, first.users[0]!];
    expect((await findAll(findUser, partner(), users)).map((user) => user?.id ?? null)).toEqual([
      null,
      second.users[1],
      null,
      first.users[0],
    ]);
    const isMember = (groupId: string, userId: string) => hasEffectiveMember(directory, groupId, userId);
    expect(
      await Promise.all([
        isMember(first.ids.Top, first.users[3]!),
        isMember(second.ids.Top, second.users[3]!),
        isMember(first.ids.Top, second.users[3]!),
        isMember(second.ids.Top, first.users[3]!),
        isMember(hidden.ids.Top, hidden.users[3]!),
        isMember(first.ids.Gone, first.users[0]!),
      ]),
    ).toEqual([true, true, false, false, false, false]);
  });

  test('asks once where the ids are, and each tenant once; a hidden one is asked nothing', async () => {
    const worlds = await createSeveral();
    const [first, second, hidden] = worlds;
    const { groups } = mixed(worlds);
    // What is known of logs is not asked again.
    for (const { tenantId } of worlds) await findPosition(openDirectory(watched, superAdmin), tenantId);
    const tables = () => sent.splice(0).map(({ text }) => /from\s+(?:unnest.* from )?(\w+)/s.exec(text)![1]);
    sent.splice(0);
    await findAll(findGroup, openDirectory(watched, superAdmin), groups);
    // The last one is for ids of no tenant, which it finds in none.
    expect(tables()).toEqual(['ids', 'groups', 'groups', 'groups', 'groups']);
    await findAll(findGroup, openDirectory(watched, partnerAdmin(first.partnerId)), groups);
    const values = sent.map((statement) => statement.values.flat());
    expect(tables()).toEqual(['ids', 'tenants', 'groups', 'groups', 'groups']);
    expect(values.slice(2).map((each) => each.filter((value) => `${value}`.startsWith('tnt_')))).toEqual(
      expect.arrayContaining([[first.tenantId], [second.tenantId], []]),
    );
    expect(values.slice(2).flat()).not.toContain(hidden.tenantId);
  });

  test('of one tenant never asks where an id is', async () => {
    const [first, second] = await createSeveral();
    const directory = openDirectory(watched, tenantAdmin(first.tenantId));
    expect(await findAll(findGroup, directory, [second.ids.Top, first.ids.Top, newId('group')])).toEqual([
      null,
      expect.objectContaining({ id: first.ids.Top }),
      null,
    ]);
    await readAll(directory, OF_GROUP, [second.ids.Top, first.ids.Top]);
    await readAll(directory, OF_USER, [second.users[0]!, first.users[0]!]);
    expect(sent.length).toBeGreaterThan(10);
    for (const { text, values } of sent) {
      expect(text).not.toMatch(/from ids\b/);
      expect(values.flat()).not.toContain(second.tenantId);
    }
  });
});

describe('an error in one tenant', () => {
  test.each([
    ['groups', OF_GROUP, 'groups'],
    ['users', OF_USER, 'users'],
  ] as const)('fails what is read of its %s, and nothing else', async (_what, reads, kind) => {
    const worlds = await createSeveral();
    const [, broken] = worlds;
    const ids = mixed(worlds)[kind].filter((id) => id.startsWith(kind === 'groups' ? 'grp_' : 'usr_'));
    const isBroken = (id: string) => [...broken.users, ...Object.values<string>(broken.ids)].includes(id);
    const failing: Database = {
      ...db,
      sql: (statement) =>
        statement.values.flat().includes(broken.tenantId)
          ? Promise.reject(new Error('broken'))
          : db.sql(statement),
    };
    const expected = await expectedOf(worlds, reads, ids);
    expect(ids.filter(isBroken).length).toBeGreaterThan(1);
    for (const [name, read] of Object.entries(reads)) {
      const directory = openDirectory(failing, superAdmin);
      const results = await Promise.allSettled(ids.map((id) => read(directory, id)));
      expect(results, name).toEqual(
        ids.map((id, index) =>
          isBroken(id)
            ? { status: 'rejected', reason: new Error('broken') }
            : { status: 'fulfilled', value: (expected[index] as Row)[name] },
        ),
      );
    }
  });
});

describe('caches that are warm with one tenant', () => {
  test('give nothing of it to another, nor keep anything from it', async () => {
    const [first, second] = await createSeveral();
    const other = openAsAdmin;
    const reads = [OF_GROUP, OF_USER] as const;
    const idsOf = (world: World) => [Object.values<string>(world.ids), world.users];
    const read = async (world: World, of: World) =>
      Promise.all(reads.map((each, index) => readAll(other(db, world.tenantId), each, idsOf(of)[index]!)));
    const nothing = async (of: World) => {
      const stranger = await createTenant(db);
      return Promise.all(
        reads.map((each, index) => readAll(other(db, stranger.tenantId), each, idsOf(of)[index]!)),
      );
    };
    // The second tenant asks first, so that what it did not find is cached; then the first, and both again.
    const unseen = await read(second, first);
    const whole = await read(first, first);
    expect(unseen).toEqual(await nothing(first));
    expect(unseen[0]!.every((each) => each.group === null && each.effectiveCount === 0)).toBe(true);
    expect(whole[0]![0]).toMatchObject({ effectiveCount: 4, memberCount: 1 });
    for (let n = 0; n < 2; n += 1) {
      expect(await read(second, first)).toEqual(unseen);
      expect(await read(first, first)).toEqual(whole);
      const root = openDirectory(db, superAdmin);
      expect(
        await Promise.all(reads.map((each, index) => readAll(root, each, idsOf(first)[index]!))),
      ).toEqual(whole);
    }
  });

  test('give an id that was unknown as soon as a tenant has it', async () => {
    const { tenantId, directory, users } = await createWorld(db, {}, 1);
    const id = newId('group');
    const read = async () => {
      const root = openDirectory(db, superAdmin);
      const members = await listMembers(root, id, { page: { withTotal: true } });
      const effective = await listEffectiveMembers(root, id, { page: { withTotal: true } });
      const count = await countEffectiveMembers(root, id);
      return [members!.rows.length, members!.total, effective!.rows.length, effective!.total, count];
    };
    for (let n = 0; n < 2; n += 1) expect(await read()).toEqual([0, 0, 0, 0, 0]);
    // As an import creates a group, whose file names the id.
    await db.sql(Prisma.sql`
      insert into groups (tenant_id, id, name, name_key, search_key) values (${tenantId}, ${id}, 'Imported', 'imported', '')`);
    await addGroupMembers(directory, { groupId: id, userIds: [users[0] as UserId] });
    expect(await read()).toEqual([1, 1, 1, 1, 1]);
  });

  test('of a request are forgotten with a change of it: an id that was unknown is found then', async () => {
    const { tenantId } = await createTenant(db);
    const root = openDirectory(db, superAdmin);
    const id = newId('user');
    expect(await findUser(root, id)).toBeNull();
    await upsertUsers(root, { tenantId, users: [{ id, email: 'new@example.org' }] });
    expect(await findUser(root, id)).toMatchObject({ id, tenantId });
  });
});

describe('lists across tenants', () => {
  test('filtered by what is of one tenant are read there, and those of hidden ones are empty', async () => {
    const [first, second, hidden] = await createSeveral();
    const partner = () => openDirectory(watched, partnerAdmin(first.partnerId));
    const names = async (filter: object) => {
      const rows = (await listGroups(partner(), { filter, page: { first: 100 } })).rows;
      expect(await countGroups(partner(), { filter })).toBe(rows.length);
      return rows.map(({ id }) => id).sort();
    };
    const live = ({ ids }: World) => [ids.Low, ids.Middle, ids.Side, ids.Top];
    expect(await names({})).toEqual([...live(first), ...live(second)].sort());
    expect(await names({ parentGroupId: null })).toEqual([first.ids.Top, second.ids.Top].sort());
    expect(await names({ tenantId: second.tenantId })).toEqual(live(second).sort());
    expect(await names({ parentGroupId: first.ids.Top })).toEqual([first.ids.Middle, first.ids.Side].sort());
    expect(await names({ memberUserId: second.users[0] })).toEqual([second.ids.Side, second.ids.Top].sort());
    // What is of two tenants at once is of none.
    expect(await names({ tenantId: first.tenantId, parentGroupId: second.ids.Top })).toEqual([]);
    expect(await names({ tenantId: first.tenantId, memberUserId: second.users[0] })).toEqual([]);
    expect(await names({ parentGroupId: first.ids.Top, memberUserId: second.users[0] })).toEqual([]);
    for (const filter of [
      { tenantId: hidden.tenantId },
      { parentGroupId: hidden.ids.Top },
      { memberUserId: hidden.users[0] },
      { partnerId: hidden.partnerId },
      { tenantId: newId('tenant') },
      { parentGroupId: newId('group') },
      { memberUserId: newId('user') },
    ])
      expect(await names(filter), JSON.stringify(filter)).toEqual([]);
  });
});

describe('a change', () => {
  test('is one of the tenant of its group, whoever asks for it and whatever else it asks for at once', async () => {
    const [first, second, hidden] = await createSeveral();
    const worlds = [first, second, hidden];
    const positions = () => Promise.all(worlds.map(({ tenantId }) => positionOf(db, tenantId)));
    const before = await positions();
    const partner = openDirectory(db, partnerAdmin(first.partnerId));
    const add = (world: World, userIds: (string | undefined)[]) =>
      refusal(addGroupMembers(partner, { groupId: world.ids.Low, userIds: userIds as UserId[] }));
    expect(
      await Promise.all([
        add(first, [first.users[0]]),
        add(second, [second.users[0]]),
        add(hidden, [hidden.users[0]]),
        add(first, [second.users[1]]),
        add(second, [second.users[4]]),
      ]),
    ).toEqual([
      'done',
      'done',
      notFound(hidden.ids.Low),
      unknownUsers(second.users[1]!),
      unknownUsers(second.users[4]!),
    ]);
    expect(await positions()).toEqual([before[0]! + 1, before[1]! + 1, before[2]]);
    expect(await refusal(restoreGroup(partner, { id: hidden.ids.Gone }))).toEqual(
      notFound(hidden.ids.Gone, `${hidden.ids.Gone} is not a group deleted in the last 30 days`),
    );
    expect((await restoreGroup(partner, { id: second.ids.Gone })).position).toBe(before[1]! + 2);
    expect(await positions()).toEqual([before[0]! + 1, before[1]! + 2, before[2]]);
    // Who sees one tenant is sent to no other.
    const stranger = openAsAdmin(db, hidden.tenantId);
    const outside = { groupId: first.ids.Low, userIds: [hidden.users[0] as UserId] };
    expect(await refusal(addGroupMembers(stranger, outside))).toEqual(notFound(first.ids.Low));
    expect(await refusal(restoreGroup(stranger, { id: first.ids.Gone }))).toMatchObject({
      code: 'NOT_FOUND',
    });
    expect(await positions()).toEqual([before[0]! + 1, before[1]! + 2, before[2]]);
  });

  test('gives each new id its tenant, by which all who see it find it', async () => {
    const own = await openTestDatabase();
    try {
      // The test template gives ids a tenant by itself: here nothing does but the change.
      for (const table of ['users', 'groups'])
        await own.db.sql(Prisma.sql`drop trigger own_id on ${Prisma.raw(table)}`);
      const [first, second] = [await createTenant(own.db), await createTenant(own.db)];
      const root = openDirectory(own.db, superAdmin);
      const userId = newId('user');
      await upsertUsers(root, { tenantId: first.tenantId, users: [{ id: userId, email: 'a@example.org' }] });
      const { group } = await createGroup(root, {
        tenantId: first.tenantId,
        name: 'New',
        initialMemberIds: [userId],
      });
      const inner = (await createGroup(root, { tenantId: first.tenantId, name: 'Inner' })).group;
      await addNestedGroups(root, { groupId: group.id, childGroupIds: [inner.id] });
      expect(
        await own.db.sql(Prisma.sql`select id, tenant_id as "tenantId" from ids order by id collate "C"`),
      ).toEqual([group.id, inner.id, userId].sort().map((id) => ({ id, tenantId: first.tenantId })));
      for (const caller of [superAdmin, platform(false), partnerAdmin(first.partnerId)]) {
        const directory = openDirectory(own.db, caller);
        expect(await findUser(directory, userId)).toMatchObject({ id: userId });
        expect(await findGroup(directory, group.id)).toMatchObject({ id: group.id, memberCount: 1 });
        expect(await countEffectiveMembers(directory, group.id)).toBe(1);
        expect(await nestedGroups.count(directory, group.id)).toBe(1);
      }
      for (const caller of [tenantAdmin(second.tenantId), partnerAdmin(second.partnerId)]) {
        const directory = openDirectory(own.db, caller);
        expect(await findUser(directory, userId)).toBeNull();
        expect(await findGroup(directory, group.id)).toBeNull();
        expect(await countEffectiveMembers(directory, group.id)).toBe(0);
      }
      // An id of one tenant is no other's, not even once its user is removed.
      await removeUsers(root, { tenantId: first.tenantId, userIds: [userId] });
      const moved = upsertUsers(root, {
        tenantId: second.tenantId,
        users: [{ id: userId, email: 'b@example.org' }],
      });
      expect(await refusal(moved)).toMatchObject({ code: 'OTHER_TENANT', details: { id: userId } });
      expect(await findUser(openDirectory(own.db, superAdmin), userId)).toBeNull();
    } finally {
      await own.close();
    }
  });
});
