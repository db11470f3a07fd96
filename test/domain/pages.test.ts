// Pages of every list: walked from both ends at every size, cut by two cursors, and refused a cursor that is not theirs.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Prisma } from '../../src/database/database.ts';
import { addGroupMembers } from '../../src/domain/commands/add-members.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { deleteGroup } from '../../src/domain/commands/delete-group.ts';
import { addNestedGroups } from '../../src/domain/commands/nest-groups.ts';
import { type Directory, openDirectory } from '../../src/domain/directory.ts';
import { countEffectiveMembers, listEffectiveMembers } from '../../src/domain/queries/effective-members.ts';
import { countGroups, listGroups } from '../../src/domain/queries/groups.ts';
import { childGroups } from '../../src/domain/queries/hierarchy.ts';
import { countMembers, listAllMembers, listMembers } from '../../src/domain/queries/members.ts';
import { nestedGroups, parentGroups } from '../../src/domain/queries/nesting.ts';
import { countTenants, listTenants } from '../../src/domain/queries/tenants.ts';
import { directGroups, effectiveGroups } from '../../src/domain/queries/user-groups.ts';
import { countUsers, listUsers } from '../../src/domain/queries/users.ts';
import { type GroupId, newId, type PartnerId, type TenantId, type UserId } from '../../src/model/ids.ts';
import { numberedPage, type Page, type PageArgs, pageRequest } from '../../src/model/page.ts';
import { createTenant, openAsAdmin, plainUser } from '../support/directories.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';

let database: TestDatabase;
let tenantId: TenantId;
let partnerId: PartnerId;
let userIds: UserId[];
let groups: Sortable[];
let tenants: Sortable[];
/** The group that all lists hang off, and one that is nested in what it nests. */
let hub: GroupId;
let leaf: GroupId;

type Sortable = { id: string; name: string; createdAt: number; parentId: string | null };

/** Users in pairs: each pair has one email. The last four were added by one change, and the first four by a later one. */
const emailOf = (at: number) => `${'dacb'[at >> 1]}@example.org`;
const additions = { first: 0, later: 0 };

/**
 * Eight users and eleven groups of one tenant. Groups of one name are filed under different ones; all but the hub are
 * nested in it, and the leaf in all others. Equal names, emails and times stand beside others.
 */
beforeAll(async () => {
  database = await openTestDatabase();
  const { db } = database;
  const made = await createTenant(db, 8);
  ({ tenantId, partnerId } = made);
  userIds = made.userIds.toSorted();
  const directory = openAsAdmin(db, tenantId);
  const create = async (name: string, parentGroupId: GroupId | null) =>
    (await createGroup(directory, { tenantId, name, parentGroupId })).group.id;
  hub = await create('Hub', null);
  const roots = [await create('Root A', null), await create('Root C', null), await create('Root B', null)];
  const same = [
    await create('Same', roots[0]!),
    await create('SAME', roots[1]!),
    await create('same', roots[2]!),
  ];
  const below = [await create('Below 2', hub), await create('Below 1', hub), await create('Same', hub)];
  leaf = await create('Leaf', hub);
  const between = [...roots, ...same, ...below];
  await addNestedGroups(directory, { groupId: hub, childGroupIds: [...between, leaf] });
  for (const groupId of between) await addNestedGroups(directory, { groupId, childGroupIds: [leaf] });
  const member = [userIds[0]!];
  for (const groupId of [...between, leaf]) await addGroupMembers(directory, { groupId, userIds: member });
  const addToHub = async (some: UserId[]) =>
    (await addGroupMembers(directory, { groupId: hub, userIds: some })).position;
  additions.first = await addToHub(userIds.slice(4));
  additions.later = await addToHub(userIds.slice(0, 4));
  // A time tells changes of one millisecond not apart; positions do.
  await db.sql(Prisma.sql`update memberships set added_at = '2026-01-01T00:00:00Z' where group_id = ${hub}`);
  // Inherited alone: two who are in the leaf.
  const inherited = [newId('user'), newId('user')].toSorted();
  await db.sql(Prisma.sql`
    insert into users (id, tenant_id, email, search_key)
    select id, ${tenantId}, 'z@example.net', 'z@example.net' from unnest(${inherited}::text[]) id`);
  await addGroupMembers(directory, { groupId: leaf, userIds: inherited as UserId[] });
  for (const [at, id] of userIds.entries()) {
    await db.sql(Prisma.sql`
      update users set email = ${emailOf(at)}, search_key = ${emailOf(at)} where id = ${id}`);
  }
  await db.sql(Prisma.sql`
    update groups set created_at = timestamptz '2026-01-01 00:00:00.007Z' + (length(name) % 3) * interval '1 day'
    where tenant_id = ${tenantId}`);
  groups = await db.sql<Sortable>(Prisma.sql`
    select id, lower(name) as name, extract(epoch from created_at)::float8 as "createdAt",
      parent_group_id as "parentId" from groups where tenant_id = ${tenantId}`);
  for (const name of ['Twin', 'Twin', 'Alone']) {
    const id = newId('tenant');
    await db.sql(Prisma.sql`
      insert into tenants (id, partner_id, name, slug) values (${id}, ${partnerId}, ${name}, ${id})`);
  }
  tenants =
    await db.sql<Sortable>(Prisma.sql`select id, name, 0 as "createdAt", null as "parentId" from tenants
    where partner_id = ${partnerId}`);
  userIds = [...userIds, ...(inherited as UserId[])];
});
afterAll(() => database.close());

const admin = () => openAsAdmin(database.db, tenantId);
const partner = () =>
  openDirectory(database.db, {
    role: 'PARTNER_ADMIN',
    subject: 'usr_partner',
    visibility: { kind: 'partner', partnerId },
    mayChange: true,
  });

type ById = { id: string } | { userId: string };
type List = {
  read(directory: Directory, page: PageArgs): Promise<Page<ById> | null>;
  count(directory: Directory): Promise<number | null>;
  /** Ids in the order that the list promises. */
  expected(): string[];
  open?(): Directory;
};

const by = <Row extends { id: string }>(
  rows: Row[],
  key: (row: Row) => string | number,
  descending = false,
) =>
  rows
    .toSorted((a, b) => {
      const [first, second] = descending ? [b, a] : [a, b];
      if (key(first) !== key(second)) return key(first) < key(second) ? -1 : 1;
      return first.id < second.id ? -1 : 1;
    })
    .map(({ id }) => id);
const byName = (rows: Sortable[], descending = false) => by(rows, ({ name }) => name, descending);
const without = (...ids: string[]) => groups.filter(({ id }) => !ids.includes(id));
const direct = () =>
  userIds
    .slice(0, 8)
    .map((id, at) => ({ id, email: emailOf(at), since: at < 4 ? additions.later : additions.first }));

const sorted = (orderBy: Parameters<typeof listGroups>[1]['orderBy']): Pick<List, 'read' | 'count'> => ({
  read: (directory, page) => listGroups(directory, { orderBy, page }),
  count: (directory) => countGroups(directory, {}),
});
const members = (orderBy: Parameters<typeof listMembers>[2]['orderBy']): Pick<List, 'read' | 'count'> => ({
  read: (directory, page) => listMembers(directory, hub, { orderBy, page }),
  count: (directory) => countMembers(directory, hub),
});
const effective = (args: {
  search?: string;
  membershipType?: 'DIRECT' | 'INHERITED';
}): Pick<List, 'read' | 'count'> => ({
  read: (directory, page) => listEffectiveMembers(directory, hub, { ...args, page }),
  count: (directory) => countEffectiveMembers(directory, hub, args),
});
const user = () => openDirectory(database.db, plainUser(tenantId, userIds[0]!));

const LISTS: Record<string, List> = {
  'groups by name': { ...sorted(null), expected: () => byName(groups) },
  'groups by name, descending': {
    ...sorted({ field: 'NAME', direction: 'DESC' }),
    expected: () => byName(groups, true),
  },
  'groups by creation': {
    ...sorted({ field: 'CREATED_AT', direction: 'ASC' }),
    expected: () => by(groups, ({ createdAt }) => createdAt),
  },
  'groups by creation, descending': {
    ...sorted({ field: 'CREATED_AT', direction: 'DESC' }),
    expected: () => by(groups, ({ createdAt }) => createdAt, true),
  },
  'groups of a plain user': { ...sorted(null), expected: () => byName(groups), open: user },
  'groups that a search finds': {
    read: (directory, page) => listGroups(directory, { filter: { search: 'SAME' }, page }),
    count: (directory) => countGroups(directory, { filter: { search: 'SAME' } }),
    expected: () => byName(groups.filter(({ name }) => name === 'same')),
  },
  users: {
    read: (directory, page) => listUsers(directory, { tenantId, page }),
    count: (directory) => countUsers(directory, { tenantId }),
    expected: () => userIds.toSorted(),
  },
  'users that a search finds': {
    read: (directory, page) => listUsers(directory, { tenantId, search: 'A@', page }),
    count: (directory) => countUsers(directory, { tenantId, search: 'A@' }),
    expected: () => userIds.slice(2, 4),
  },
  members: { ...members(null), expected: () => userIds.slice(0, 8) },
  'members by id, descending': {
    ...members({ field: 'USER_ID', direction: 'DESC' }),
    expected: () => userIds.slice(0, 8).reverse(),
  },
  'members by email': {
    ...members({ field: 'EMAIL', direction: 'ASC' }),
    expected: () => by(direct(), ({ email }) => email),
  },
  'members by email, descending': {
    ...members({ field: 'EMAIL', direction: 'DESC' }),
    expected: () => by(direct(), ({ email }) => email, true),
  },
  'members by addition': {
    ...members({ field: 'ADDED_AT', direction: 'ASC' }),
    expected: () => by(direct(), (row) => row.since),
  },
  'members by addition, descending': {
    ...members({ field: 'ADDED_AT', direction: 'DESC' }),
    expected: () => by(direct(), (row) => row.since, true),
  },
  'members that a search finds': {
    read: (directory, page) => listMembers(directory, hub, { search: 'EXAMPLE.ORG', page }),
    count: (directory) => countMembers(directory, hub, { search: 'EXAMPLE.ORG' }),
    expected: () => userIds.slice(0, 8),
  },
  'effective members': { ...effective({}), expected: () => userIds.toSorted() },
  'inherited members': { ...effective({ membershipType: 'INHERITED' }), expected: () => userIds.slice(8) },
  'direct ones of the effective members': {
    ...effective({ membershipType: 'DIRECT' }),
    expected: () => userIds.slice(0, 8),
  },
  'effective members that a search finds': {
    ...effective({ search: 'Z@' }),
    expected: () => userIds.slice(8),
  },
  'nested groups': {
    read: (directory, page) => nestedGroups.page(directory, hub, { page }),
    count: (directory) => nestedGroups.count(directory, hub),
    expected: () => byName(without(hub)),
  },
  'parent groups': {
    read: (directory, page) => parentGroups.page(directory, leaf, { page }),
    count: (directory) => parentGroups.count(directory, leaf),
    expected: () => byName(without(leaf)),
  },
  children: {
    read: (directory, page) => childGroups.page(directory, hub, { page }),
    count: (directory) => childGroups.count(directory, hub),
    expected: () => byName(groups.filter(({ parentId }) => parentId === hub)),
  },
  'groups of a user': {
    read: (directory, page) => directGroups.page(directory, userIds[0]!, { page }),
    count: (directory) => directGroups.count(directory, userIds[0]!),
    expected: () => byName(groups),
  },
  'effective groups of a user': {
    read: (directory, page) => effectiveGroups.page(directory, userIds[9]!, { page }),
    count: (directory) => effectiveGroups.count(directory, userIds[9]!),
    expected: () => byName(groups),
  },
  tenants: {
    read: (directory, page) => listTenants(directory, { page }),
    count: (directory) => countTenants(directory),
    expected: () => byName(tenants),
    open: partner,
  },
};

const LISTED = Object.entries(LISTS).map(([name, list]) => ({ name, list }));
const idsOf = (page: Page<ById> | null) => page!.rows.map((row) => ('userId' in row ? row.userId : row.id));
const ask = (list: List, page: PageArgs) => list.read((list.open ?? admin)(), page);

/** What a page says, but for its cursors. */
const shown = (page: Page<ById> | null) => ({
  ids: idsOf(page),
  hasNextPage: page!.hasNextPage,
  hasPreviousPage: page!.hasPreviousPage,
});

describe.each(LISTED)('$name', ({ list }) => {
  test('walked from either end, at any size, give each row once and in order', async () => {
    const expected = list.expected();
    const total = expected.length;
    expect(await list.count((list.open ?? admin)())).toBe(total);
    const walk = async (size: number, backward: boolean) => {
      const found: string[] = [];
      for (let cursor: string | null = null; ; ) {
        const page: Page<ById> | null = await ask(
          list,
          backward ? { last: size, before: cursor } : { first: size, after: cursor },
        );
        const inOrder = backward ? expected.toReversed() : expected;
        const ids = inOrder.slice(found.length, found.length + size);
        const more = found.length + size < total;
        expect(shown(page)).toEqual({
          ids: backward ? ids.toReversed() : ids,
          hasNextPage: backward ? cursor !== null : more,
          hasPreviousPage: backward ? more : cursor !== null,
        });
        expect(new Set(page!.cursors).size).toBe(ids.length);
        found.push(...ids);
        if (!more) return;
        cursor = page!.cursors.at(backward ? 0 : -1)!;
      }
    };
    const sizes = [1, 2, total - 1, total, total + 1];
    await Promise.all(sizes.flatMap((size) => [walk(size, false), walk(size, true)]));
  });

  test('give what lies between two cursors, counted from the end that is asked for', async () => {
    const expected = list.expected();
    const { cursors } = (await ask(list, { first: 100 }))!;
    const end = expected.length - 1;
    const middle = end >> 1;
    const positions = [null, 0, middle, end];
    await Promise.all(
      positions.flatMap((after) =>
        positions.map(async (before) => {
          const ids = expected.slice(after === null ? 0 : after + 1, before ?? expected.length);
          const bounds = {
            after: after === null ? null : cursors[after]!,
            before: before === null ? null : cursors[before]!,
          };
          const [front, back, whole] = await Promise.all([
            ask(list, { first: 2, ...bounds }),
            ask(list, { last: 2, ...bounds }),
            ask(list, { ...bounds }),
          ]);
          const where = `after ${after}, before ${before}`;
          expect(shown(front), where).toEqual({
            ids: ids.slice(0, 2),
            hasNextPage: ids.length > 2,
            hasPreviousPage: after !== null,
          });
          expect(shown(back), where).toEqual({
            ids: ids.slice(-2),
            hasNextPage: before !== null,
            hasPreviousPage: ids.length > 2,
          });
          const bounded = { hasPreviousPage: after !== null, hasNextPage: before !== null };
          expect(shown(await ask(list, { first: 0, ...bounds })), where).toEqual({
            ...bounded,
            ids: [],
            hasNextPage: ids.length > 0,
          });
          expect(shown(await ask(list, { last: 0, ...bounds })), where).toEqual({
            ...bounded,
            ids: [],
            hasPreviousPage: ids.length > 0,
          });
          expect(idsOf(await ask(list, { first: 0, ...bounds, skipPageInfo: true })), where).toEqual([]);
          expect(idsOf(whole), where).toEqual(ids);
          expect(whole!.cursors, where).toEqual(ids.map((id) => cursors[expected.indexOf(id)]));
        }),
      ),
    );
  });

  test('have their total on every page that asks for it, also on one without rows', async () => {
    const total = list.expected().length;
    const { cursors } = (await ask(list, { first: 100 }))!;
    for (const page of [
      { first: 2 },
      { last: 2 },
      { first: 0 },
      { first: 1, skipPageInfo: true },
      { first: 1, after: cursors[0]! },
      { first: 5, after: cursors.at(-1)! },
      { last: 5, before: cursors[0]! },
      { ...numberedPage(1, 2) },
      { ...numberedPage(total + 1, 2) },
    ]) {
      const [plain, totalled] = await Promise.all([ask(list, page), ask(list, { ...page, withTotal: true })]);
      expect(totalled!.total, JSON.stringify(page)).toBe(total);
      expect(plain!.total, JSON.stringify(page)).toBeUndefined();
      expect({ ...shown(totalled), cursors: totalled!.cursors }).toEqual({
        ...shown(plain),
        cursors: plain!.cursors,
      });
    }
  });

  test('give the same rows by number, and without what is said of the pages around', async () => {
    const expected = list.expected();
    const total = expected.length;
    const numbers = [1, 2, 3, Math.ceil(total / 2), Math.ceil(total / 2) + 1];
    await Promise.all(
      numbers.map(async (number) => {
        const page = await ask(list, numberedPage(number, 2));
        expect(shown(page), `page ${number}`).toEqual({
          ids: expected.slice((number - 1) * 2, number * 2),
          hasNextPage: number * 2 < total,
          hasPreviousPage: number > 1,
        });
      }),
    );
    for (const page of [{ first: 2 }, { last: 2 }]) {
      const rows = await ask(list, page);
      const alone = await ask(list, { ...page, skipPageInfo: true });
      expect(idsOf(alone)).toEqual(idsOf(rows));
      expect(alone!.cursors).toEqual(rows!.cursors);
      expect([alone!.hasNextPage, alone!.hasPreviousPage]).toEqual([false, false]);
    }
  });
});

describe('a cursor', () => {
  const cursor = (...values: unknown[]) => Buffer.from(JSON.stringify(values)).toString('base64url');
  const refused = (path: string) => ({
    code: 'VALIDATION_FAILED',
    message: `${path} is not a cursor of this list in this order`,
    details: { fields: [{ path: [path], message: 'is not a cursor of this list in this order' }] },
  });
  const first = async (list: List) => (await ask(list, { first: 1 }))!.cursors[0]!;
  const TIME = '2026-01-01T00:00:00.007Z';

  test('holds the name of its order and the values that its row is sorted by', async () => {
    const read = async (name: string) =>
      JSON.parse(Buffer.from(await first(LISTS[name]!), 'base64url').toString());
    const [oldest] = LISTS['groups by creation']!.expected();
    expect(await read('groups by name')).toEqual(['name', 'below 1', LISTS['groups by name']!.expected()[0]]);
    expect(await read('groups by creation')).toEqual(['created', TIME, oldest]);
    expect(await read('members')).toEqual(['user', userIds[0]]);
    expect(await read('members by email')).toEqual(['email', 'a@example.org', userIds[2]]);
    expect(await read('members by addition, descending')).toEqual([
      'added',
      String(additions.later),
      userIds[3],
    ]);
    expect(await read('users')).toEqual(['user', userIds.toSorted()[0]]);
    expect(await read('effective members')).toEqual(['user', userIds.toSorted()[0]]);
    expect(await read('tenants')).toEqual([
      'name',
      'Alone',
      tenants.find(({ name }) => name === 'Alone')!.id,
    ]);
  });

  test.each([
    ['groups by name', 'groups by creation'],
    ['groups by creation', 'groups by name'],
    ['groups by name', 'members'],
    ['users', 'groups by name'],
    ['members', 'members by email'],
    ['members by email', 'members by addition'],
    ['members by addition', 'members'],
    ['members by email', 'effective members'],
    ['members by addition', 'groups by creation'],
    ['nested groups', 'inherited members'],
    ['users', 'tenants'],
  ])('of %s is refused by %s', async (from, by) => {
    const foreign = await first(LISTS[from]!);
    for (const path of ['after', 'before']) {
      await expect(ask(LISTS[by]!, { [path]: foreign }), path).rejects.toMatchObject(refused(path));
    }
  });

  const id = 'grp_aaaaaaaaaaaaaaaa';
  test.each([
    ['empty', 'groups by name', ''],
    ['no base64', 'groups by name', '%%%'],
    ['no JSON', 'groups by name', Buffer.from('["name","a"').toString('base64url')],
    ['no list', 'groups by name', Buffer.from('{"0":"name"}').toString('base64url')],
    ['nothing', 'groups by name', Buffer.from('null').toString('base64url')],
    ['of no order', 'groups by name', cursor()],
    ['short of a value', 'groups by name', cursor('name', 'a')],
    ['of one value more', 'groups by name', cursor('name', 'a', id, 'a')],
    ['with a number', 'groups by name', cursor('name', 1, id)],
    ['with a null', 'groups by name', cursor('name', 'a', null)],
    ['with a list', 'groups by name', cursor('name', ['a'], id)],
    ['with NUL', 'groups by name', cursor('name', 'a\0', id)],
    ['with half a character', 'groups by name', cursor('name', 'a', '\ud800')],
    ['with no time', 'groups by creation', cursor('created', 'yesterday', id)],
    ['with a time that PostgreSQL does not read', 'groups by creation', cursor('created', '2026', id)],
    ['with a time that is not as it is given', 'groups by creation', cursor('created', 'Jan 1, 2026', id)],
    ['with a day that there is not', 'groups by creation', cursor('created', '2026-02-30T00:00:00.000Z', id)],
    [
      'with a time beyond PostgreSQL',
      'groups by creation',
      cursor('created', '+275760-01-01T00:00:00.000Z', id),
    ],
    ['with a time for a position', 'members by addition', cursor('added', TIME, id)],
    ['with no position', 'members by addition', cursor('added', '', id)],
    ['with a position below the first', 'members by addition', cursor('added', '-1', id)],
    ['with a position that is not as it is given', 'members by addition', cursor('added', '01', id)],
    ['with a broken position', 'members by addition', cursor('added', '1.5', id)],
    ['with a position in other digits', 'members by addition', cursor('added', '1e3', id)],
    ['with a position that is a number', 'members by addition', cursor('added', 1, id)],
    ['with a position beyond PostgreSQL', 'members by addition', cursor('added', '9'.repeat(19), id)],
    ['padded', 'groups by name', `${cursor('name', 'a', id)}=`],
    ['with characters that base64 passes over', 'groups by name', ` ${cursor('name', 'a', id)}\n`],
    ['with something behind it', 'groups by name', `${cursor('name', 'a', id)}A`],
    [
      'in base64 of another alphabet',
      'groups by name',
      Buffer.from(`["name","???>>>","${id}"]`).toString('base64'),
    ],
    ['with spaces', 'groups by name', Buffer.from(`["name", "a", "${id}"]`).toString('base64url')],
    ['with an escape', 'groups by name', Buffer.from(`["name","\\u0061","${id}"]`).toString('base64url')],
    [
      'with a byte that is no text',
      'groups by name',
      Buffer.from(`["name","\xe9","${id}"]`, 'latin1').toString('base64url'),
    ],
    ['longer than any', 'groups by name', cursor('name', 'a'.repeat(10_000), id)],
  ])('%s is refused', async (_case, name, text) => {
    const list = LISTS[name]!;
    await expect(ask(list, { first: 1, after: text })).rejects.toMatchObject(refused('after'));
    await expect(ask(list, { last: 1, before: text })).rejects.toMatchObject(refused('before'));
  });

  test('may be as long as 10,000 characters, and no longer', async () => {
    const long = (length: number) => cursor('user', 'v'.repeat(length));
    const [fits, over] = [long(7_489), long(7_490)];
    expect([fits.length, over.length]).toEqual([10_000, 10_002]);
    for (const name of ['members', 'effective members']) {
      expect(idsOf(await ask(LISTS[name]!, { after: fits })), name).toEqual([]);
      await expect(ask(LISTS[name]!, { after: over }), name).rejects.toMatchObject(refused('after'));
    }
  });

  test('may hold any position of a log', async () => {
    const list = LISTS['members by addition']!;
    const far = cursor('added', '9'.repeat(15), '');
    const all = list.expected();
    expect(idsOf(await ask(list, { after: cursor('added', '0', id) }))).toEqual(all);
    expect(idsOf(await ask(list, { after: far }))).toEqual([]);
    expect(idsOf(await ask(list, { before: far }))).toEqual(all);
    const between = cursor('added', String(additions.first), '\u{10FFFF}');
    expect(idsOf(await ask(list, { after: between }))).toEqual(all.slice(4));
    expect(idsOf(await ask(list, { before: between }))).toEqual(all.slice(0, 4));
  });

  test('of a row that is gone is a place in the list all the same', async () => {
    const [before, after] = [cursor('name', 'rooz', id), cursor('name', 'root b', '')];
    const expected = LISTS['groups by name']!.expected();
    const rootC = groups.find(({ name }) => name === 'root c')!.id;
    const rootB = groups.find(({ name }) => name === 'root b')!.id;
    expect(idsOf(await ask(LISTS['groups by name']!, { after, before }))).toEqual([rootB, rootC]);
    expect(expected.slice(-6, -4)).toEqual([rootB, rootC]);
  });
});

describe('page arguments', () => {
  const plain = { after: null, before: null, offset: 0, skipPageInfo: false, withTotal: false };
  test.each([
    [{}, { ...plain, size: 20, backward: false }],
    [
      { first: null, last: null, after: null },
      { ...plain, size: 20, backward: false },
    ],
    [{ first: 1 }, { ...plain, size: 1, backward: false }],
    [{ last: 100 }, { ...plain, size: 100, backward: true }],
    [{ before: 'b' }, { ...plain, size: 20, backward: false, before: 'b' }],
    [
      { last: 2, first: null, after: 'a', before: 'b', offset: 3, skipPageInfo: true, withTotal: true },
      { size: 2, backward: true, after: 'a', before: 'b', offset: 3, skipPageInfo: true, withTotal: true },
    ],
    [numberedPage(1, 20), { ...plain, size: 20, backward: false }],
    [numberedPage(4, 7), { ...plain, size: 7, backward: false, offset: 21 }],
  ])('%j are read', (args, request) => {
    expect(pageRequest(args)).toEqual(request);
  });

  test.each([
    [{ first: 101 }, 'first'],
    [{ first: -1 }, 'first'],
    [{ first: 1.5 }, 'first'],
    [{ first: Number.NaN }, 'first'],
    [{ last: 101 }, 'last'],
    [{ last: -1 }, 'last'],
  ])('%j are refused', (args, path) => {
    expect(() => pageRequest(args)).toThrow(
      expect.objectContaining({
        code: 'VALIDATION_FAILED',
        details: { fields: [{ path: [path], message: 'must be between 0 and 100' }] },
      }),
    );
  });

  test.each([
    { first: 1, last: 1 },
    { first: 0, last: 0 },
  ])('%j are refused, as both ends', (args) => {
    expect(() => pageRequest(args)).toThrow(
      expect.objectContaining({
        code: 'VALIDATION_FAILED',
        details: { fields: [{ path: ['last'], message: 'cannot be combined with first' }] },
      }),
    );
  });

  test('are refused by a list before it asks the database', async () => {
    const list = LISTS.members!;
    await expect(ask(list, { first: 101 })).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
    await expect(ask(list, { first: 1, last: 1 })).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
  });
});

describe('lists', () => {
  test('that are empty have an empty page and no other', async () => {
    const directory = admin();
    const { group } = await createGroup(directory, { tenantId, name: newId('group'), parentGroupId: leaf });
    const { id } = group;
    for (const page of [{ first: 1 }, { last: 1 }, { offset: 20 }, { withTotal: true }]) {
      const pages = await Promise.all([
        listMembers(admin(), id, { page }),
        listEffectiveMembers(admin(), id, { page }),
        listEffectiveMembers(admin(), id, { membershipType: 'DIRECT', page }),
        nestedGroups.page(admin(), id, { page }),
        parentGroups.page(admin(), id, { page }),
        childGroups.page(admin(), id, { page }),
      ]);
      for (const empty of pages) {
        expect({ ...shown(empty), cursors: empty!.cursors }).toEqual({
          ids: [],
          cursors: [],
          hasNextPage: false,
          hasPreviousPage: page.offset !== undefined,
        });
        expect(empty!.total).toBe(page.withTotal ? 0 : undefined);
      }
    }
    expect(
      await Promise.all([
        countMembers(admin(), id, { search: 'a' }),
        countEffectiveMembers(admin(), id, { membershipType: 'DIRECT' }),
        nestedGroups.count(admin(), id),
        parentGroups.count(admin(), id),
        childGroups.count(admin(), id),
      ]),
    ).toEqual([0, 0, 0, 0, 0]);
    await deleteGroup(admin(), { id });
  });

  test('are given whole up to 10,000 rows; above that they are refused, not cut', async () => {
    const { db } = database;
    const { group } = await createGroup(admin(), { tenantId, name: newId('group'), parentGroupId: leaf });
    const { id } = group;
    const other = await createTenant(db);
    const big = openAsAdmin(db, other.tenantId);
    const { group: full } = await createGroup(big, { tenantId: other.tenantId, name: 'Full' });
    await db.sql(Prisma.sql`
      insert into users (id, tenant_id, email, search_key)
      select 'usr_whole' || lpad(n::text, 6, '0'), ${other.tenantId}, '', '' from generate_series(1, 10001) n`);
    await db.sql(Prisma.sql`
      insert into memberships (tenant_id, group_id, user_id, added_by)
      select ${other.tenantId}, ${full.id}, 'usr_whole' || lpad(n::text, 6, '0'), 'test' from generate_series(1, 10000) n`);
    const whole = await listAllMembers(big, full.id);
    expect(whole!.length).toBe(10_000);
    expect(whole!.at(-1)!.userId).toBe('usr_whole010000');
    await db.sql(Prisma.sql`
      insert into memberships (tenant_id, group_id, user_id, added_by)
      values (${other.tenantId}, ${full.id}, 'usr_whole010001', 'test')`);
    await expect(listAllMembers(openAsAdmin(db, other.tenantId), full.id)).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
      message: 'The list is longer than 10000: read it a page at a time',
      details: { limit: 10_000 },
    });
    expect(await listAllMembers(admin(), id)).toEqual([]);
    const nested = await nestedGroups.all(admin(), hub);
    expect(nested!.map((row) => row.id)).toEqual(LISTS['nested groups']!.expected());
    await deleteGroup(admin(), { id });
  });

  test('hidden from a plain user are null, whole or by the page', async () => {
    expect(await listAllMembers(user(), hub)).toBeNull();
    expect(await nestedGroups.all(user(), hub)).toBeNull();
    expect(await listMembers(user(), hub, { page: {} })).toBeNull();
  });
});
