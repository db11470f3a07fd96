// Groups as they are read: which of them each filter finds, in which order, where they are filed, and what is hidden.

import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from 'vitest';
import { type Database, Prisma } from '../../src/database/database.ts';
import { deleteGroup } from '../../src/domain/commands/delete-group.ts';
import { updateGroup } from '../../src/domain/commands/update-group.ts';
import { type Directory, openDirectory } from '../../src/domain/directory.ts';
import type { FilterArgs } from '../../src/domain/queries/group-filters.ts';
import {
  countGroups,
  findGroup,
  listGroups,
  requireGroup,
  requireGroupOf,
} from '../../src/domain/queries/groups.ts';
import { childGroups, groupPath, listAncestors } from '../../src/domain/queries/hierarchy.ts';
import { nestedGroups, parentGroups } from '../../src/domain/queries/nesting.ts';
import { directGroups, effectiveGroups } from '../../src/domain/queries/user-groups.ts';
import type { AnyGroup, Group, GroupSummary, VisibleGroup } from '../../src/domain/rows/groups.ts';
import type { GroupFilter, GroupOrder } from '../../src/model/groups.ts';
import { newId } from '../../src/model/ids.ts';
import type { JsonObject } from '../../src/model/json.ts';
import type { Page } from '../../src/model/page.ts';
import {
  findAll,
  openAsAdmin,
  partnerAdmin,
  plainUser,
  service,
  superAdmin,
  tenantAdmin,
} from '../support/directories.ts';
import { chain, createWorld, invalid, notFound, refusal } from '../support/group-worlds.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await openTestDatabase();
  db = database.db;
});
afterAll(() => database.close());

const namesOf = (page: Page<AnyGroup> | null) => page!.rows.map(({ name }) => name);
const listed = async (directory: Directory, filter?: GroupFilter | null, orderBy?: GroupOrder | null) => {
  const names = namesOf(await listGroups(directory, { filter, orderBy, page: { first: 100 } }));
  // What is counted is what is listed.
  expect(await countGroups(directory, { filter })).toBe(names.length);
  return names;
};

/** Two tenants of one partner and one of another, with groups of all kinds; nobody but the tests of reading uses it. */
async function createSeen() {
  const world = await createWorld(
    db,
    {
      Root1: { name: 'Alpha' },
      Root2: { name: 'beta', members: [0] },
      Child1: { name: 'Gamma', parent: 'Root1', members: [0, 1] },
      Sub: { name: 'alpha', parent: 'Root2', members: [1] },
      Low: { name: 'Delta', parent: 'Child1', nests: ['Child1'] },
      Gone: { name: 'Epsilon', parent: 'Root1', members: [0] },
      Lost: { name: 'Zeta' },
    },
    2,
  );
  await db.sql(Prisma.sql`
    update groups set type = 'DISTRIBUTION', description = 'Uses 100% of Words', search_key = name_key || chr(10) || 'uses 100% of words'
    where id = any(${[world.ids.Root2, world.ids.Low, world.ids.Gone]}::text[])`);
  const attributes: [string | undefined, JsonObject][] = [
    [world.ids.Sub, { level: 1, none: null }],
    [world.ids.Root2, { level: 1, of: { a: [1, 2] } }],
    [world.ids.Gone, { level: 1 }],
  ];
  for (const [id, customAttributes] of attributes)
    await updateGroup(world.directory, { id: id!, customAttributes });
  await deleteGroup(world.directory, { id: world.ids.Gone, strategy: 'CASCADE' });
  await deleteGroup(world.directory, { id: world.ids.Lost, strategy: 'CASCADE' });
  const near = await createWorld(db, { Near: { members: [0] } }, 1);
  await db.sql(Prisma.sql`update tenants set partner_id = ${world.partnerId} where id = ${near.tenantId}`);
  const far = await createWorld(db, { Far: { name: 'alphabet', members: [0] } }, 1);
  return { ...world, near, far };
}

type Seen = Awaited<ReturnType<typeof createSeen>>;
let seen: Seen;
beforeAll(async () => {
  seen = await createSeen();
});

const ALL = ['Alpha', 'alpha', 'beta', 'Delta', 'Gamma'];

describe('a list of groups', () => {
  test.each<[string, (world: Seen) => GroupFilter | null | undefined, string[]]>([
    ['nothing', () => undefined, ALL],
    ['null', () => null, ALL],
    ['no condition', () => ({}), ALL],
    [
      'conditions that are null',
      () => ({ search: null, tenantId: null, partnerId: null, type: null, memberUserId: null }),
      ALL,
    ],
    ['a blank text', () => ({ search: '  ' }), ALL],
    ['a part of the name', () => ({ search: 'LPH' }), ['Alpha', 'alpha']],
    ['a part of the description', () => ({ search: ' of words ' }), ['beta', 'Delta']],
    ['a text with a wildcard', () => ({ search: '100%' }), ['beta', 'Delta']],
    ['words of name and description', () => ({ search: 'uses beta' }), ['beta']],
    ['the type SECURITY', () => ({ type: 'SECURITY' }), ['Alpha', 'alpha', 'Gamma']],
    ['the type DISTRIBUTION', () => ({ type: 'DISTRIBUTION' }), ['beta', 'Delta']],
    ['the parent null', () => ({ parentGroupId: null }), ['Alpha', 'beta']],
    ['the parent undefined', () => ({ parentGroupId: undefined }), ALL],
    ['a parent', ({ ids }) => ({ parentGroupId: ids.Root1 }), ['Gamma']],
    ['a parent without children', ({ ids }) => ({ parentGroupId: ids.Low }), []],
    ['ids', ({ ids }) => ({ ids: [ids.Root2!, ids.Gone!, newId('group'), ids.Low!] }), ['beta', 'Delta']],
    ['ids of another tenant', ({ far }) => ({ ids: [far.ids.Far!] }), []],
    ['no id', () => ({ ids: [] }), []],
    ['a group above', ({ ids }) => ({ underGroupId: ids.Root1 }), ['Delta', 'Gamma']],
    ['a group with nothing below', ({ ids }) => ({ underGroupId: ids.Low }), []],
    ['a group of another tenant above', ({ far }) => ({ underGroupId: far.ids.Far }), []],
    ['that nobody is in them', () => ({ isEmpty: true }), ['Alpha']],
    ['that somebody is in them', () => ({ isEmpty: false }), ['alpha', 'beta', 'Delta', 'Gamma']],
    ['a change since the future', () => ({ updatedSince: new Date(Date.now() + 60_000) }), []],
    ['a change since the past', () => ({ updatedSince: new Date(0) }), ALL],
    ['an attribute', () => ({ customAttributes: { level: 1 } }), ['alpha', 'beta']],
    ['two attributes', () => ({ customAttributes: { level: 1, of: { a: [1, 2] } } }), ['beta']],
    ['a part of an attribute', () => ({ customAttributes: { of: {} } }), []],
    ['a part of a list', () => ({ customAttributes: { of: { a: [1] } } }), []],
    ['an attribute that is null', () => ({ customAttributes: { none: null } }), ['alpha']],
    ['an attribute that nothing has', () => ({ customAttributes: { level: '1' } }), []],
    ['no attribute', () => ({ customAttributes: {} }), ['alpha', 'beta']],
    ['a parent of another tenant', ({ far }) => ({ parentGroupId: far.ids.Far }), []],
    ['a member', ({ users }) => ({ memberUserId: users[0]! }), ['beta', 'Gamma']],
    ['another member', ({ users }) => ({ memberUserId: users[1]! }), ['alpha', 'Gamma']],
    ['a member of another tenant', ({ far }) => ({ memberUserId: far.users[0]! }), []],
    ['its tenant', ({ tenantId }) => ({ tenantId }), ALL],
    ['another tenant', ({ near }) => ({ tenantId: near.tenantId }), []],
    ['its partner', ({ partnerId }) => ({ partnerId }), ALL],
    ['another partner', ({ far }) => ({ partnerId: far.partnerId }), []],
    [
      'all of them at once',
      ({ ids, users, tenantId, partnerId }) => ({
        search: 'a',
        type: 'SECURITY',
        parentGroupId: ids.Root1,
        memberUserId: users[1]!,
        tenantId,
        partnerId,
      }),
      ['Gamma'],
    ],
    ['a text and a type that do not meet', () => ({ search: 'alpha', type: 'DISTRIBUTION' }), []],
  ])('of a tenant, filtered by %s', async (_case, filter, names) => {
    expect(await listed(openAsAdmin(db, seen.tenantId), filter(seen))).toEqual(names);
  });

  test('of several tenants is that of those in sight', async () => {
    const { tenantId, partnerId, near, far } = seen;
    const partner = openDirectory(db, partnerAdmin(partnerId));
    expect(await listed(partner)).toEqual([...ALL, 'Near']);
    expect(await listed(partner, { tenantId })).toEqual(ALL);
    expect(await listed(partner, { tenantId: near.tenantId })).toEqual(['Near']);
    expect(await listed(partner, { tenantId: far.tenantId })).toEqual([]);
    expect(await listed(partner, { partnerId })).toEqual([...ALL, 'Near']);
    expect(await listed(partner, { partnerId: far.partnerId })).toEqual([]);
    const root = openDirectory(db, superAdmin);
    expect(await listed(root, { partnerId })).toEqual([...ALL, 'Near']);
    expect(await listed(root, { partnerId: far.partnerId })).toEqual(['alphabet']);
    expect(await listed(root, { partnerId, tenantId: far.tenantId })).toEqual([]);
    expect(await listed(root, { tenantId: near.tenantId })).toEqual(['Near']);
    const ids = [seen.ids.Root2!, near.ids.Near!, far.ids.Far!];
    expect(await listed(root, { ids })).toEqual(['alphabet', 'beta', 'Near']);
    expect(await listed(partner, { ids })).toEqual(['beta', 'Near']);
    expect(await listed(partner, { underGroupId: far.ids.Far })).toEqual([]);
    expect(await listed(root, { underGroupId: seen.ids.Root1 })).toEqual(['Delta', 'Gamma']);
    expect(await listed(openDirectory(db, service(tenantId, false)))).toEqual(ALL);
  });

  test('of a group or a user has the same filters and orders', async () => {
    const { tenantId, ids, users } = seen;
    const admin = () => openAsAdmin(db, tenantId);
    const lists: [Pick<typeof effectiveGroups, 'page' | 'count'>, string, GroupFilter, string[]][] = [
      [childGroups, ids.Root1!, { isEmpty: false }, ['Gamma']],
      [childGroups, ids.Root1!, { isEmpty: true }, []],
      [nestedGroups, ids.Low!, { search: 'amm' }, ['Gamma']],
      [parentGroups, ids.Child1!, { type: 'SECURITY' }, []],
      [parentGroups, ids.Child1!, { type: 'DISTRIBUTION' }, ['Delta']],
      [directGroups, users[0]!, { parentGroupId: null }, ['beta']],
      [effectiveGroups, users[0]!, { underGroupId: ids.Root1 }, ['Delta', 'Gamma']],
      [effectiveGroups, users[0]!, { search: 'ta', type: 'DISTRIBUTION' }, ['beta', 'Delta']],
    ];
    for (const [of, id, filter, names] of lists) {
      const page = await of.page(admin(), id, { filter, page: { withTotal: true } });
      expect([namesOf(page!), page!.total, await of.count(admin(), id, { filter })]).toEqual([
        names,
        names.length,
        names.length,
      ]);
      const orderBy = { field: 'NAME', direction: 'DESC' } as const;
      expect(namesOf((await of.page(admin(), id, { filter, orderBy, page: {} }))!)).toEqual(
        names.toReversed(),
      );
    }
  });

  test('of what an end user sees cannot be asked for what it does not see', async () => {
    const { tenantId, ids, users } = seen;
    const user = () => openDirectory(db, plainUser(tenantId, users[0] as never));
    const visible = ['beta', 'Delta', 'Gamma'];
    expect(await listed(user())).toEqual(visible);
    expect(await listed(user(), { ids: [ids.Root2!, ids.Root1!] })).toEqual(['beta']);
    expect(await listed(user(), { search: 'ta', type: 'DISTRIBUTION' })).toEqual(['beta', 'Delta']);
    const hidden: FilterArgs[] = [
      ...[
        { parentGroupId: null },
        { parentGroupId: ids.Root1! },
        { underGroupId: ids.Root1! },
        { isEmpty: false },
      ],
      ...[
        { isEmpty: true },
        { updatedSince: new Date(0) },
        { customAttributes: {} },
        { memberUserId: users[1]! },
      ],
    ].map((filter) => ({ filter }));
    hidden.push({ orderBy: { field: 'UPDATED_AT', direction: 'ASC' } });
    hidden.push({ orderBy: { field: 'CREATED_AT', direction: 'ASC' } });
    // An end user searches names alone.
    hidden.push({ filter: { search: 'uses' } });
    for (const args of hidden) {
      expect(namesOf(await listGroups(user(), { ...args, page: {} })), JSON.stringify(args)).toEqual([]);
      const own = await effectiveGroups.page(user(), users[0]!, { ...args, page: { withTotal: true } });
      expect([namesOf(own!), own!.total], JSON.stringify(args)).toEqual([[], 0]);
    }
    const search = await effectiveGroups.page(user(), users[0]!, { filter: { search: 'ETA' }, page: {} });
    expect(namesOf(search!)).toEqual(['beta']);
  });

  test.each<[string, GroupFilter, [string, string]]>([
    ['a text of 256 characters', { search: 'x'.repeat(256) }, ['search', 'must have at most 255 characters']],
    ['a text with NUL', { search: 'a\0' }, ['search', 'must not contain NUL or lone surrogates']],
    ['half a character', { search: 'a\ud83d' }, ['search', 'must not contain NUL or lone surrogates']],
    [
      'no tenant id',
      { tenantId: 'x' },
      ['tenantId', 'must be a tenant id, such as tnt_ followed by letters and digits'],
    ],
    [
      'no partner id',
      { partnerId: 'x' },
      ['partnerId', 'must be a partner id, such as prt_ followed by letters and digits'],
    ],
    [
      'no group id',
      { parentGroupId: 'x' },
      ['parentGroupId', 'must be a group id, such as grp_ followed by letters and digits'],
    ],
    [
      'no user id',
      { memberUserId: 'x' },
      ['memberUserId', 'must be a user id, such as usr_ followed by letters and digits'],
    ],
    [
      'an unknown type',
      { type: 'TEAM' } as never,
      ['type', 'Invalid option: expected one of "SECURITY"|"DISTRIBUTION"'],
    ],
  ])('is refused for %s', async (_case, filter, fault) => {
    const directory = openAsAdmin(db, seen.tenantId);
    expect(await refusal(listGroups(directory, { filter, page: {} }))).toEqual(invalid(fault));
    expect(await refusal(countGroups(directory, { filter }))).toEqual(invalid(fault));
  });

  test('of 255 characters is searched for', async () => {
    expect(await listed(openAsAdmin(db, seen.tenantId), { search: 'x'.repeat(255) })).toEqual([]);
  });

  test('is sorted by name ignoring case, or by when groups were made; then by id', async () => {
    const { directory, ids } = await createWorld(db, {
      K1: { name: 'b', parent: 'K5' },
      K2: { name: 'a' },
      K3: { name: 'B' },
      K4: { name: 'C' },
      K5: { name: 'c', parent: 'K4' },
    });
    await db.sql(Prisma.sql`
      update groups set created_at = '2026-01-01T00:00:00Z'::timestamptz
        + case when id = ${ids.K2} then interval '1 millisecond' when id = ${ids.K4} then interval '-1 day' else interval '0' end
      where id = any(${Object.values(ids)}::text[])`);
    const keys = async (orderBy?: GroupOrder | null) => {
      const { rows } = await listGroups(directory, { orderBy, page: {} });
      return rows.map(({ id }) => id.slice(-1)).join('');
    };
    expect(await keys()).toBe('21345');
    expect(await keys(null)).toBe('21345');
    expect(await keys({ field: 'NAME', direction: 'ASC' })).toBe('21345');
    expect(await keys({ field: 'NAME', direction: 'DESC' })).toBe('54312');
    expect(await keys({ field: 'CREATED_AT', direction: 'ASC' })).toBe('41352');
    expect(await keys({ field: 'CREATED_AT', direction: 'DESC' })).toBe('25314');
    await db.sql(Prisma.sql`update groups set updated_at = case when id = ${ids.K3} then '2026-01-01' else '2026-01-02' end::timestamptz
      where id = any(${Object.values(ids)}::text[])`);
    expect((await keys({ field: 'UPDATED_AT', direction: 'ASC' })).at(0)).toBe('3');
    expect((await keys({ field: 'UPDATED_AT', direction: 'DESC' })).at(-1)).toBe('3');
  });

  test('holds what it was asked for beside the rows, and of summary rows the rest alone', async () => {
    const { ids, directory } = seen;
    const read = async (projection: object) => {
      const { rows } = await listGroups(directory, { filter: { search: 'delta' }, projection, page: {} });
      return rows;
    };
    const whole = (await findGroup(directory, ids.Low))!;
    expect(await read({})).toEqual([{ ...whole, nestedGroupCount: undefined }]);
    expect(await read({ nestedGroupCount: true })).toEqual([{ ...whole, nestedGroupCount: 1 }]);
    expect(await read({ summary: true })).toEqual([
      {
        ...whole,
        description: undefined,
        parentGroupId: undefined,
        customAttributes: undefined,
        createdAt: undefined,
        updatedAt: undefined,
      },
    ]);
    expect(whole).toMatchObject({
      description: 'Uses 100% of Words',
      parentGroupId: ids.Child1,
      memberCount: 0,
    });
  });
});

describe('an end user', () => {
  const asUser = (at: number) => openDirectory(db, plainUser(seen.tenantId, seen.users[at] as never));

  test('sees id, name and type of the groups that it is an effective member of', async () => {
    const { ids, tenantId } = seen;
    const rows = [
      { id: ids.Root2, tenantId, name: 'beta', type: 'DISTRIBUTION' },
      { id: ids.Low, tenantId, name: 'Delta', type: 'DISTRIBUTION' },
      { id: ids.Child1, tenantId, name: 'Gamma', type: 'SECURITY' },
    ];
    const user = asUser(0);
    const projection = { nestedGroupCount: true };
    const page = await listGroups(user, { projection, page: { first: 2 } });
    expect(page.rows).toEqual(rows.slice(0, 2));
    expect(page.hasNextPage).toBe(true);
    const rest = await listGroups(user, { projection, page: { after: page.cursors[1]! } });
    expect([rest.rows, rest.hasPreviousPage]).toEqual([rows.slice(2), true]);
    expect(await findAll(findGroup, user, [ids.Low, ids.Root1, 'usr_1', ids.Child1])).toEqual([
      rows[1],
      null,
      null,
      rows[2],
    ]);
  });

  test.each<[string, (world: Seen) => GroupFilter, string[]]>([
    ['nothing', () => ({}), ['beta', 'Delta', 'Gamma']],
    [
      'conditions that are null',
      () => ({ tenantId: null, partnerId: null, memberUserId: null }),
      ['beta', 'Delta', 'Gamma'],
    ],
    ['its own tenant', ({ tenantId }) => ({ tenantId }), ['beta', 'Delta', 'Gamma']],
    ['another tenant', ({ near }) => ({ tenantId: near.tenantId }), []],
    ['itself as a member', ({ users }) => ({ memberUserId: users[0]! }), ['beta', 'Gamma']],
    ['another member', ({ users }) => ({ memberUserId: users[1]! }), []],
    ['the type', () => ({ type: 'DISTRIBUTION' }), ['beta', 'Delta']],
    ['a part of a name', () => ({ search: 'ET' }), ['beta']],
    ['a word of a description', () => ({ search: 'words' }), []],
    ['its tenant’s partner', ({ partnerId }) => ({ partnerId }), []],
    ['a parent', ({ ids }) => ({ parentGroupId: ids.Child1 }), []],
    ['the root', () => ({ parentGroupId: null }), []],
  ])('finds by %s only what that gives away', async (_case, filter, names) => {
    expect(await listed(asUser(0), filter(seen))).toEqual(names);
  });

  test('cannot sort by what is hidden', async () => {
    const by = (field: GroupOrder['field']) => listed(asUser(1), {}, { field, direction: 'DESC' });
    expect(await by('NAME')).toEqual(['Gamma', 'Delta', 'alpha']);
    expect(
      namesOf(await listGroups(asUser(1), { orderBy: { field: 'CREATED_AT', direction: 'ASC' }, page: {} })),
    ).toEqual([]);
    expect(await countGroups(asUser(1), { orderBy: { field: 'CREATED_AT', direction: 'ASC' } })).toBe(0);
  });

  test('sees nothing of the hierarchy', async () => {
    const { ids, directory } = seen;
    const user = asUser(0);
    const group = (await findGroup(directory, ids.Child1))!;
    expect([
      await childGroups.page(user, ids.Child1, { page: {} }),
      await childGroups.count(user, ids.Child1),
      await findGroup(user, group.parentGroupId),
      await listAncestors(user, ids.Child1),
      await groupPath(user, ids.Child1),
    ]).toEqual([null, null, null, null, null]);
  });
});

test('types tell what a row of a group holds, so that a forgotten redaction does not compile', () => {
  expectTypeOf<Group>().not.toExtend<VisibleGroup>();
  expectTypeOf<GroupSummary>().not.toExtend<VisibleGroup>();
  expectTypeOf<Group>().not.toExtend<GroupSummary>();
  expectTypeOf<VisibleGroup>().not.toExtend<Group | GroupSummary>();
});

describe('the hierarchy', () => {
  test('has the groups directly below, by name, that are live', async () => {
    const { directory, ids } = await createWorld(db, {
      Root: {},
      C1: { name: 'b', parent: 'Root' },
      C2: { name: 'C', parent: 'Root' },
      C3: { name: 'A', parent: 'Root' },
      Gone: { name: 'aa', parent: 'Root' },
      Low: { parent: 'C1' },
    });
    await deleteGroup(directory, { id: ids.Gone });
    const children = async (id: string, as = directory) => [
      namesOf(await childGroups.page(as, id, { page: {} })),
      await childGroups.count(as, id),
    ];
    expect(await children(ids.Root)).toEqual([['A', 'b', 'C'], 3]);
    expect(await children(ids.C1)).toEqual([['Low'], 1]);
    expect(await children(ids.Low)).toEqual([[], 0]);
    expect(await children(ids.Root, openAsAdmin(db, seen.tenantId))).toEqual([[], 0]);
    const { rows } = (await childGroups.page(directory, ids.Root, {
      page: { first: 1 },
      projection: { nestedGroupCount: true },
    }))!;
    expect(rows.map(({ nestedGroupCount }) => nestedGroupCount)).toEqual([0]);
  });

  test('tells what is above, from the root down, in a path that can be taken apart', async () => {
    const { tenantId, directory, ids } = await createWorld(db, {
      Root: { name: 'A/B\\C//' },
      Mid: { name: '\\', parent: 'Root' },
      Low: { name: 'plain', parent: 'Mid' },
      Leaf: { parent: 'Low' },
      Other: {},
    });
    const seenBy = async (as: Directory, id: string) => [
      (await listAncestors(as, id))!.map((group) => group.id),
      await groupPath(as, id),
      (await findGroup(as, (await findGroup(directory, id))!.parentGroupId))?.id ?? null,
    ];
    expect(await seenBy(directory, ids.Leaf)).toEqual([
      [ids.Root, ids.Mid, ids.Low],
      'A\\/B\\\\C\\/\\//\\\\/plain',
      ids.Low,
    ]);
    expect(await seenBy(directory, ids.Mid)).toEqual([[ids.Root], 'A\\/B\\\\C\\/\\/', ids.Root]);
    expect(await seenBy(directory, ids.Root)).toEqual([[], null, null]);
    const elsewhere = openDirectory(db, tenantAdmin(seen.tenantId));
    expect(await seenBy(elsewhere, ids.Leaf)).toEqual([[], null, null]);
    // Asked for together, each has its own.
    const [paths, ancestors] = await Promise.all([
      Promise.all([ids.Other, ids.Leaf, 'grp_unknown', ids.Low].map((id) => groupPath(directory, id))),
      Promise.all([ids.Mid, ids.Other].map((id) => listAncestors(directory, id))),
    ]);
    expect(paths).toEqual([null, 'A\\/B\\\\C\\/\\//\\\\/plain', null, 'A\\/B\\\\C\\/\\//\\\\']);
    expect(ancestors).toEqual([[await findGroup(openAsAdmin(db, tenantId), ids.Root)], []]);
  });

  test('has a path of at most 31 names', async () => {
    const { directory, ids } = await createWorld(db, chain('A', 32, 'parent'));
    const all = ids as Record<string, string>;
    const above = Array.from({ length: 31 }, (_, at) => `A${String(at + 1).padStart(2, '0')}`);
    expect(await groupPath(directory, all.A32!)).toBe(above.join('/'));
    expect((await listAncestors(directory, all.A32!))!.map(({ name }) => name)).toEqual(above);
  });
});

describe('the target of a change', () => {
  test('is a visible live group, and of the tenant that it was asked for in', async () => {
    const { tenantId, near, ids, directory } = seen;
    const partner = openDirectory(db, partnerAdmin(seen.partnerId));
    const id = ids.Root1;
    const group = await findGroup(directory, id);
    expect(await requireGroup(directory, id)).toEqual(group);
    expect(await requireGroupOf(partner, tenantId, id)).toEqual(group);
    expect(await refusal(requireGroupOf(partner, near.tenantId, id))).toEqual(notFound(id));
    expect(await refusal(requireGroupOf(directory, tenantId, near.ids.Near))).toEqual(
      notFound(near.ids.Near),
    );
    expect(await refusal(requireGroup(directory, ids.Gone))).toEqual(notFound(ids.Gone));
    expect(await refusal(requireGroup(directory, tenantId))).toEqual(notFound(tenantId));
  });
});
