// The directory as of a position: what groups and users were, in lists and pages of then, and which moments there are.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Prisma } from '../../src/database/database.ts';
import { addGroupMembers } from '../../src/domain/commands/add-members.ts';
import { removeGroupMembers } from '../../src/domain/commands/change-members.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { deleteGroup } from '../../src/domain/commands/delete-group.ts';
import { addNestedGroups } from '../../src/domain/commands/nest-groups.ts';
import { eraseUsers, removeUsers } from '../../src/domain/commands/remove-users.ts';
import { restoreGroup } from '../../src/domain/commands/restore-group.ts';
import { updateGroup } from '../../src/domain/commands/update-group.ts';
import { upsertUsers } from '../../src/domain/commands/upsert-users.ts';
import { openDirectory } from '../../src/domain/directory.ts';
import { countEffectiveMembers, listEffectiveMembers } from '../../src/domain/queries/effective-members.ts';
import { countGroups, findGroup, listGroups } from '../../src/domain/queries/groups.ts';
import { childGroups, groupPath } from '../../src/domain/queries/hierarchy.ts';
import { countMembers, listMembers } from '../../src/domain/queries/members.ts';
import { type MomentArgs, momentOf } from '../../src/domain/queries/moments.ts';
import { effectiveGroups } from '../../src/domain/queries/user-groups.ts';
import { findUser, listUsers } from '../../src/domain/queries/users.ts';
import { importDirectory } from '../../src/import/import-directory.ts';
import { newId, type TenantId } from '../../src/model/ids.ts';
import { createTenant, openAsAdmin, plainUser, superAdmin } from '../support/directories.ts';
import { positionOf } from '../support/group-worlds.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.close());

async function world(userCount = 3) {
  const { tenantId, userIds } = await createTenant(database.db, userCount);
  const directory = openAsAdmin(database.db, tenantId);
  const create = async (name: string, parentGroupId: string | null = null, members: string[] = []) =>
    (await createGroup(directory, { tenantId, name, parentGroupId, initialMemberIds: members })).group.id;
  const now = () => positionOf(database.db, tenantId);
  const sync = openDirectory(database.db, superAdmin);
  return { tenantId, users: userIds as string[], directory, create, now, sync };
}

const first = { first: 100 };

describe('a group as of a position', () => {
  test('has the name, the text, the attributes, the version and the place that it had', async () => {
    const { directory, tenantId, create, now } = await world();
    const [up, other] = [await create('Up'), await create('Other')];
    const id = await create('Before', up);
    const created = await now();
    const change = { name: 'After', description: 'Text', customAttributes: { a: [1] }, parentGroupId: other };
    await updateGroup(directory, { id, ...change });
    const updated = await now();
    await updateGroup(directory, { id: up, name: 'Upper' });
    await updateGroup(directory, { id, customAttributes: null });
    const [before, then] = [directory.at(tenantId, created), directory.at(tenantId, updated)];
    expect(await findGroup(before, id)).toMatchObject({ name: 'Before', description: null, version: 1 });
    expect(await findGroup(then, id)).toMatchObject({ ...change, version: 2 });
    expect(await groupPath(before, id)).toBe('Up');
    expect(await groupPath(then, id)).toBe('Other');
    const children = async (at: typeof before, parent: string) =>
      (await childGroups.page(at, parent, { page: first }))!.rows.map(({ name }) => name);
    expect([await children(before, up), await children(before, other)]).toEqual([['Before'], []]);
    expect([await children(then, up), await children(then, other)]).toEqual([[], ['After']]);
    const named = async (at: typeof before, search: string) =>
      (await listGroups(at, { filter: { search }, page: first })).rows.map(({ name }) => name);
    expect([await named(before, 'before'), await named(then, 'before')]).toEqual([['Before'], []]);
    expect(await named(directory, 'upper')).toEqual(['Upper']);
    expect(await named(then, 'upper')).toEqual([]);
  });

  test('exists from its creation to its deletion, and again after its restoration, with what it had', async () => {
    const { directory, tenantId, create, now, users } = await world();
    const parent = await create('Parent', null, users);
    const id = await create('Child', parent, [users[0]!]);
    const created = await now();
    await deleteGroup(directory, { id: parent, strategy: 'CASCADE' });
    const deleted = await now();
    await restoreGroup(directory, { id: parent, includeDescendants: true });
    const restored = await now();
    const found = async (position: number) => {
      const at = directory.at(tenantId, position);
      const group = await findGroup(at, id);
      return group && [group.name, await groupPath(at, id), await countMembers(at, id)];
    };
    expect(await found(created - 1)).toBeNull();
    for (const position of [created, restored]) expect(await found(position)).toEqual(['Child', 'Parent', 1]);
    expect(await found(deleted)).toBeNull();
    expect(await countGroups(directory.at(tenantId, deleted), {})).toBe(0);
    expect(await countMembers(directory.at(tenantId, created), parent)).toBe(3);
  });

  test('has what it had before an import changed it', async () => {
    const [partnerId, tenantId, id, user] = ['prt_Past', 'tnt_Past', 'grp_Past', 'usr_Past'];
    const load = async (name: string, email: string) => {
      const rows = {
        partners: [{ id: partnerId, name: 'Partner' }],
        tenants: [{ id: tenantId, partnerId, name: 'Tenant', slug: 'past' }],
        users: [{ id: user, tenantId, email }],
        groups: [{ id, tenantId, name }],
      };
      const source = Object.entries(rows).flatMap(([section, some]) =>
        some.map((row, index) => ({ section, index, row })),
      );
      const { faults } = await importDirectory(database.db, source);
      expect(faults).toEqual([]);
    };
    await load('Before', 'before@example.org');
    await load('After', 'after@example.org');
    const past = openDirectory(database.db, superAdmin).at(tenantId as TenantId, 1);
    expect((await findGroup(past, id))!.name).toBe('Before');
    expect((await findUser(past, user))!.email).toBe('before@example.org');
    expect((await findGroup(openDirectory(database.db, superAdmin), id))!.name).toBe('After');
  });

  test('stays in lists where it was, when ORPHAN has moved it up', async () => {
    const { directory, tenantId, create, now } = await world();
    const root = await create('Root');
    const middle = await create('Middle', root);
    const id = await create('Leaf', middle);
    const filed = await now();
    await deleteGroup(directory, { id: middle, strategy: 'ORPHAN' });
    const moved = await now();
    await restoreGroup(directory, { id: middle });
    const paths = [filed, moved, await now()].map((position) =>
      groupPath(directory.at(tenantId, position), id),
    );
    expect(await Promise.all(paths)).toEqual(['Root/Middle', 'Root', 'Root/Middle']);
  });
});

describe('a user as of a position', () => {
  test('has the address and the name that it had, until it is erased', async () => {
    const { sync, directory, tenantId, create, now } = await world(0);
    const id = newId('user');
    const upsert = (email: string, displayName: string | null) =>
      upsertUsers(sync, { tenantId, users: [{ id, email, displayName }] });
    await upsert('one@example.org', 'One');
    const [one] = [await now()];
    const group = await create('Group', null, [id]);
    await upsert('two@example.org', null);
    const two = await now();
    await removeUsers(directory, { tenantId, userIds: [id] });
    const removed = await now();
    const at = (position: number) => directory.at(tenantId, position);
    expect(await findUser(at(one - 1), id)).toBeNull();
    expect(await findUser(at(one), id)).toMatchObject({ email: 'one@example.org', displayName: 'One' });
    expect(await findUser(at(two), id)).toMatchObject({ email: 'two@example.org', displayName: null });
    expect(await findUser(at(removed), id)).toBeNull();
    const emails = async (position: number) =>
      (await listMembers(at(position), group, { page: first }))!.rows.map(({ email }) => email);
    expect([await emails(two - 1), await emails(two), await emails(removed)]).toEqual([
      ['one@example.org'],
      ['two@example.org'],
      [],
    ]);
    const found = async (search: string) =>
      (await listUsers(at(one), { tenantId, search, page: first }))!.rows.length;
    expect([await found('ONE@'), await found('two@')]).toEqual([1, 0]);
    await eraseUsers(directory, { tenantId, userIds: [id] });
    for (const position of [one, two])
      expect(await findUser(openAsAdmin(database.db, tenantId).at(tenantId, position), id)).toMatchObject({
        id,
        email: '',
        displayName: null,
      });
    const [left] = await database.db.sql<{ n: number }>(Prisma.sql`
      select count(*)::int as n from user_history h where h.tenant_id = ${tenantId} and h::text like '%example.org%'`);
    expect(left!.n).toBe(0);
  });

  test('that was created again is the earlier person at earlier positions', async () => {
    const { sync, directory, tenantId, create, now } = await world(0);
    const id = newId('user');
    const upsert = (email: string) => upsertUsers(sync, { tenantId, users: [{ id, email }] });
    await upsert('first@example.org');
    const group = await create('Group', null, [id]);
    const held = await now();
    await removeUsers(directory, { tenantId, userIds: [id] });
    await upsert('second@example.org');
    const names = async (position: number) =>
      (await effectiveGroups.page(directory.at(tenantId, position), id, { page: first }))!.rows.map(
        (row) => row.id,
      );
    expect((await findUser(directory.at(tenantId, held), id))!.email).toBe('first@example.org');
    expect((await findUser(directory, id))!.email).toBe('second@example.org');
    expect([await names(held), await names(await now())]).toEqual([[group], []]);
  });
});

test('pages of then follow one another in both directions, by each order, also where a walk reads them', async () => {
  const { directory, tenantId, users, create, now } = await world(60);
  const top = await create('Top');
  // More groups than are merged, so that the first page is walked.
  const below = [];
  for (let at = 0; at < 110; at += 1) below.push(await create(`Below ${at}`, null, [users[at % 50]!]));
  for (let at = 0; at < below.length; at += 50)
    await addNestedGroups(directory, { groupId: top, childGroupIds: below.slice(at, at + 50) });
  const position = await now();
  for (const groupId of below.slice(0, 100)) await removeGroupMembers(directory, { groupId, userIds: users });
  await addGroupMembers(directory, { groupId: top, userIds: users.slice(50) });
  const past = directory.at(tenantId, position);
  const expected = users.slice(0, 50).toSorted();
  const pages = async (size: 'first' | 'last', cursor: 'after' | 'before') => {
    const found: string[][] = [];
    for (let page: string | null = null; ; ) {
      const answer = await listEffectiveMembers(past, top, {
        page: { [size]: 7, ...(page !== null && { [cursor]: page }) },
      });
      found.push(answer!.rows.map(({ userId }) => userId));
      page = (size === 'first' ? answer!.cursors.at(-1) : answer!.cursors.at(0)) ?? null;
      if (!(size === 'first' ? answer!.hasNextPage : answer!.hasPreviousPage)) break;
    }
    return (size === 'first' ? found : found.reverse()).flat();
  };
  expect(await pages('first', 'after')).toEqual(expected);
  expect(await pages('last', 'before')).toEqual(expected);
  expect(await countEffectiveMembers(past, top)).toBe(50);
  expect((await countEffectiveMembers(directory, top))!).toBeLessThan(50);
  const numbered = await listEffectiveMembers(past, top, { page: { first: 5, offset: 10 } });
  expect(numbered!.rows.map(({ userId }) => userId)).toEqual(expected.slice(10, 15));
  const groups = await listGroups(past, {
    orderBy: { field: 'CREATED_AT', direction: 'DESC' },
    page: { first: 3 },
  });
  expect(groups.rows.map(({ name }) => name)).toEqual(['Below 109', 'Below 108', 'Below 107']);
  const members = await listMembers(past, below[0]!, {
    orderBy: { field: 'ADDED_AT', direction: 'DESC' },
    page: first,
  });
  expect(members!.rows.map(({ userId }) => userId)).toEqual([users[0]]);
});

describe('a moment', () => {
  test('is the last position at or before a time, and none that the history does not hold', async () => {
    const { directory, tenantId, create, now } = await world();
    const ask = async (args: MomentArgs) => (await momentOf(directory, tenantId, args))!;
    const times: Date[] = [];
    // Each is of a later millisecond than the one before, and the first than the tenant.
    for (const name of ['A', 'B', 'C']) {
      await new Promise((resolve) => setTimeout(resolve, 3));
      await create(name);
      times.push((await ask({ position: await now() })).at);
    }
    for (const [index, at] of times.entries()) {
      expect((await ask({ at })).position).toBe(index + 1);
      expect((await ask({ at: new Date(at.getTime() + 1) })).position).toBe(index + 1);
      expect((await ask({ at: new Date(at.getTime() - 1) })).position).toBe(index);
    }
    expect(await ask({ position: 0 })).toMatchObject({ position: 0 });
    for (const args of [{ position: 4 }, { at: new Date('2001-01-01') }])
      await expect(ask(args)).rejects.toMatchObject({
        code: 'HISTORY_UNAVAILABLE',
        details: { firstPosition: '0', lastPosition: '3' },
      });
    for (const args of [{}, { at: times[0]!, position: 1 }, { at: new Date(Date.now() + 60_000) }])
      await expect(ask(args)).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
    await database.db.sql(Prisma.sql`update tenant_logs set exact_from = 2 where tenant_id = ${tenantId}`);
    const fresh = openAsAdmin(database.db, tenantId);
    for (const args of [{ position: 1 }, { at: times[0]! }])
      await expect(momentOf(fresh, tenantId, args)).rejects.toMatchObject({
        code: 'HISTORY_UNAVAILABLE',
        details: { firstPosition: '2', lastPosition: '3' },
      });
    expect(await momentOf(fresh, tenantId, { position: 2 })).toMatchObject({ position: 2 });
  });

  test('is of a tenant that the caller sees, and not of an end user', async () => {
    const { tenantId, users } = await world();
    const other = await createTenant(database.db);
    expect(await momentOf(openAsAdmin(database.db, other.tenantId), tenantId, { position: 0 })).toBeNull();
    const user = openDirectory(database.db, plainUser(tenantId, users[0] as never));
    expect(await momentOf(user, tenantId, { position: 0 })).toBeNull();
    expect(await momentOf(openDirectory(database.db, superAdmin), tenantId, { position: 0 })).toMatchObject({
      tenantId,
    });
    expect(
      await momentOf(openDirectory(database.db, superAdmin), newId('tenant'), { position: 0 }),
    ).toBeNull();
  });
});
