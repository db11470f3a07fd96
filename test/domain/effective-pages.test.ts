// Pages of effective members against plain data: every boundary, both ways, whichever way they are read; and by how many
// statements.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../src/database/database.ts';
import { openDatabase } from '../../src/database/open.ts';
import { addGroupMembers } from '../../src/domain/commands/add-members.ts';
import { removeGroupMembers } from '../../src/domain/commands/change-members.ts';
import { deleteGroup } from '../../src/domain/commands/delete-group.ts';
import { addNestedGroups, removeNestedGroup } from '../../src/domain/commands/nest-groups.ts';
import { removeUsers } from '../../src/domain/commands/remove-users.ts';
import { type Directory, openDirectory } from '../../src/domain/directory.ts';
import {
  countEffectiveMembers,
  hasEffectiveMember,
  listEffectiveMembers,
} from '../../src/domain/queries/effective-members.ts';
import { effectiveGroups } from '../../src/domain/queries/user-groups.ts';
import { visibleGroupIds } from '../../src/domain/queries/visible-groups.ts';
import type { Caller } from '../../src/model/caller.ts';
import { newId, type PartnerId, type TenantId } from '../../src/model/ids.ts';
import type { MembershipType } from '../../src/model/members.ts';
import type { PageArgs } from '../../src/model/page.ts';
import { createTenant, openAsAdmin, plainUser, tenantAdmin } from '../support/directories.ts';
import { appendChanges } from '../support/logs.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { randomFrom } from '../support/random.ts';
import {
  groupOf,
  randomGroups,
  StoredDirectory,
  type StoredGroup,
  storeGroups,
  usersOf,
} from '../support/random-graph.ts';
import { seed } from '../support/seed.ts';
import { PATIENT } from '../support/timeouts.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.close());

const cursorOf = (userId: string) => Buffer.from(JSON.stringify(['user', userId])).toString('base64url');

/** A database with a memory of its own of what groups reach, as a process that has just started. */
const freshMemory = (): Database => ({ ...database.db });

type Asked = PageArgs & { search?: string; membershipType?: MembershipType };

/** All that a page says, its cursors too. */
async function read(directory: Directory, groupId: string, { search, membershipType, ...page }: Asked) {
  const found = await listEffectiveMembers(directory, groupId, { search, membershipType, page });
  return (
    found && {
      rows: found.rows,
      cursors: found.cursors,
      hasNextPage: found.hasNextPage,
      hasPreviousPage: found.hasPreviousPage,
    }
  );
}

/** The same from plain data. */
function expected(directory: StoredDirectory, groupId: string, { search, membershipType, ...page }: Asked) {
  const after = page.after && decode(page.after);
  const before = page.before && decode(page.before);
  const all = directory
    .members(groupId, search, membershipType)
    .filter(({ userId }) => (!after || userId > after) && (!before || userId < before));
  const size = page.first ?? page.last ?? 20;
  const from = page.last ? Math.max(0, all.length - size) : (page.offset ?? 0);
  const rows = all.slice(from, page.last ? undefined : from + size);
  return {
    rows,
    cursors: rows.map(({ userId }) => cursorOf(userId)),
    hasNextPage: page.last ? Boolean(before) : from + size < all.length,
    hasPreviousPage: page.last ? from > 0 : Boolean(after) || from > 0,
  };
}

const decode = (cursor: string): string => JSON.parse(Buffer.from(cursor, 'base64url').toString())[1];

const counted = (userIds: { userId: string }[]) => userIds.map(({ userId }) => userId);

describe('of a random directory', () => {
  const random = randomFrom(seed);
  let stored: StoredDirectory;
  let partnerId: PartnerId;
  /** Groups to ask about, by what is special about them. */
  let asked: Record<string, StoredGroup>;

  beforeAll(async () => {
    const created = await createTenant(database.db);
    partnerId = created.partnerId;
    const users = usersOf(260);
    // The last users are in no group but those named below.
    const some = users.slice(0, 230);
    const groups = randomGroups(some, 240, random);
    const ids = users.map(({ id }) => id);
    const rest = groups.slice(120);
    const empty = Array.from({ length: 105 }, () => groupOf());
    const late = groupOf([ids[251]!, ids[255]!, ids[258]!]);
    asked = {
      large: groupOf(
        [ids[0]!, ids[9]!, ids[100]!, ids[259]!],
        rest.map(({ id }) => id),
      ),
      sparse: groupOf([ids[250]!], [late.id, ...empty.map(({ id }) => id)]),
      middling: groupOf(
        ids.slice(40, 45),
        groups.slice(200, 230).map(({ id }) => id),
      ),
      alone: groupOf(ids.slice(80, 103)),
      empty: groupOf(),
      'empty above empty': groupOf(
        [],
        empty.slice(0, 3).map(({ id }) => id),
      ),
    };
    for (const group of groups.slice(0, 4)) asked[`random ${group.name}`] = group;
    const others = Object.values(asked).filter((group) => !groups.includes(group));
    stored = new StoredDirectory(created.tenantId, users, [...groups, ...empty, late, ...others]);
    await stored.store(database.db);
  });

  const open = () => openAsAdmin(freshMemory(), stored.tenantId);

  /** Compares many pages, of which some are read together. */
  async function compare(directory: Directory, pages: { groupId: string; page: Asked }[]) {
    const found: unknown[] = [];
    for (let at = 0; at < pages.length; at += 40) {
      const some = pages.slice(at, at + 40);
      found.push(...(await Promise.all(some.map(({ groupId, page }) => read(directory, groupId, page)))));
    }
    const wrong = pages.flatMap(({ groupId, page }, at) => {
      const right = expected(stored, groupId, page);
      return JSON.stringify(found[at]) === JSON.stringify(right) ? [] : [{ page, found: found[at], right }];
    });
    expect(wrong[0]?.found, JSON.stringify(wrong[0]?.page)).toEqual(wrong[0]?.right);
    expect(wrong).toEqual([]);
  }

  test('every page of every group, both ways, by every size', async () => {
    const directory = open();
    for (const { id: groupId } of Object.values(asked)) {
      const all = stored.members(groupId);
      const pages: { groupId: string; page: Asked }[] = [{ groupId, page: {} }];
      for (const size of [1, 7, 100])
        pages.push({ groupId, page: { first: size } }, { groupId, page: { last: size } });
      for (const [at, id] of counted(all).entries()) {
        if (all.length > 30 && at > 2 && at % 7 > 1 && at < all.length - 3) continue;
        const [size, cursor] = [at % 2 ? 1 : 7, cursorOf(id)];
        pages.push({ groupId, page: { first: size, after: cursor } });
        pages.push({ groupId, page: { last: size, before: cursor } });
      }
      await compare(directory, pages);
    }
  });

  test('pages that end exactly where the list ends, between two cursors, and behind users who are no members', async () => {
    const directory = open();
    const pages = Object.values(asked).flatMap(({ id: groupId }) => {
      const ids = counted(stored.members(groupId));
      const sizes = [ids.length - 1, ids.length, ids.length + 1].filter((size) => size > 0 && size <= 100);
      const strangers = [stored.users[0]!.id, stored.users[235]!.id, stored.users[259]!.id, 'usr_', 'zzz'];
      const between = Array.from({ length: 6 }, () => {
        const [after, before] = [random(ids.length + 1), random(ids.length + 1)];
        return { after: cursorOf(ids[after] ?? 'usr_'), before: cursorOf(ids[before] ?? 'zzz') };
      });
      return [
        ...sizes.flatMap((size) => [{ first: size }, { last: size }]),
        ...strangers.flatMap((id) => [
          { first: 5, after: cursorOf(id) },
          { last: 5, before: cursorOf(id) },
          { first: 5, before: cursorOf(id) },
          { last: 5, after: cursorOf(id) },
        ]),
        ...between.flatMap((cursors) => [
          { first: 4, ...cursors },
          { last: 4, ...cursors },
        ]),
      ].map((page) => ({ groupId, page }));
    });
    await compare(directory, pages);
  });

  test('filtered by membership type and search, and by page number', async () => {
    const directory = open();
    const pages = Object.values(asked)
      .slice(0, 7)
      .flatMap(({ id: groupId }) => {
        const ids = counted(stored.members(groupId));
        const middle = cursorOf(ids[ids.length >> 1] ?? 'usr_');
        const cuts: PageArgs[] = [
          { first: 3 },
          { last: 3 },
          { first: 3, after: middle },
          { last: 30, before: middle },
          { first: 4, offset: 4 },
        ];
        const filters: Omit<Asked, keyof PageArgs>[] = [
          { membershipType: 'DIRECT' },
          { membershipType: 'INHERITED' },
          { search: '  ONE.example ' },
          { search: 'name 1', membershipType: 'INHERITED' },
          { search: 'person.2', membershipType: 'DIRECT' },
          { search: 'nobody' },
          { search: ' ' },
        ];
        return cuts.flatMap((cut) => filters.map((filter) => ({ groupId, page: { ...cut, ...filter } })));
      });
    await compare(directory, pages);
    const totals = await Promise.all(
      pages.map(({ groupId, page: { search, membershipType } }) =>
        countEffectiveMembers(directory, groupId, { search, membershipType }),
      ),
    );
    expect(totals).toEqual(
      pages.map(
        ({ groupId, page: { search, membershipType } }) =>
          stored.members(groupId, search, membershipType).length,
      ),
    );
  });

  test('read without a look at the neighbouring pages', async () => {
    const directory = open();
    for (const { id: groupId } of Object.values(asked)) {
      for (const page of [{ first: 6 }, { last: 6 }, { first: 100 }]) {
        const found = await read(directory, groupId, { ...page, skipPageInfo: true });
        const { rows, cursors } = expected(stored, groupId, page);
        expect(found).toMatchObject({ rows, cursors });
      }
    }
  });

  test('many groups at once, also those that are not there, in any order', async () => {
    const ids = [...Object.values(asked), ...stored.groups.slice(0, 30)].map(({ id }) => id as string);
    for (const at of [0, 3, 11, ids.length]) ids.splice(at, 0, newId('group'));
    for (const directory of [open(), openAsAdmin(database.db, stored.tenantId)]) {
      for (const page of [{ first: 6 }, { last: 9 }]) {
        const found = await Promise.all(ids.map((id) => read(directory, id, page)));
        const nothing = { rows: [], cursors: [], hasNextPage: false, hasPreviousPage: false };
        const there = new Set<string>(stored.groups.map(({ id }) => id));
        expect(found).toEqual(ids.map((id) => (there.has(id) ? expected(stored, id, page) : nothing)));
        const counts = await Promise.all(ids.map((id) => countEffectiveMembers(directory, id)));
        expect(counts).toEqual(ids.map((id) => (there.has(id) ? stored.members(id).length : 0)));
      }
    }
  });

  test('as each caller sees them', async () => {
    const stranger = await createTenant(database.db, 1);
    const base = { subject: 'usr_someone', mayChange: false };
    const all: Caller = { ...base, role: 'SUPER_ADMIN', visibility: { kind: 'all' } };
    const partner: Caller = { ...base, role: 'PARTNER_ADMIN', visibility: { kind: 'partner', partnerId } };
    const another: Caller = {
      ...base,
      role: 'PARTNER_ADMIN',
      visibility: { kind: 'partner', partnerId: stranger.partnerId },
    };
    const page = { first: 5 };
    const nothing = { rows: [], cursors: [], hasNextPage: false, hasPreviousPage: false };
    const warm = freshMemory();
    for (const { id } of [asked.large!, asked.middling!, asked.alone!]) {
      const right = expected(stored, id, page);
      const direct = { ...page, membershipType: 'DIRECT' as const };
      for (const caller of [all, partner, tenantAdmin(stored.tenantId)]) {
        const directory = openDirectory(warm, caller);
        expect(await read(directory, id, page)).toEqual(right);
        expect(await read(directory, id, direct)).toEqual(expected(stored, id, direct));
        expect(await countEffectiveMembers(directory, id)).toBe(stored.members(id).length);
      }
      // What is known by now is not told to others, and neither is what is not known yet.
      for (const [caller, db] of [another, tenantAdmin(stranger.tenantId)].flatMap((caller) =>
        [warm, freshMemory()].map((db) => [caller, db] as const),
      )) {
        const directory = openDirectory(db, caller);
        expect(await read(directory, id, page)).toEqual(nothing);
        expect(await read(directory, id, direct)).toEqual(nothing);
        expect(await countEffectiveMembers(directory, id)).toBe(0);
        expect(await countEffectiveMembers(directory, id, { membershipType: 'DIRECT' })).toBe(0);
        expect(await countEffectiveMembers(directory, id, { search: 'one' })).toBe(0);
      }
      const member = openDirectory(warm, plainUser(stored.tenantId, stored.members(id)[0]!.userId));
      expect(await read(member, id, page)).toBeNull();
      expect(await read(member, id, direct)).toBeNull();
      expect(await countEffectiveMembers(member, id)).toBeNull();
      expect(await countEffectiveMembers(member, id, { search: 'one' })).toBeNull();
    }
  });
});

test('a ladder of 32 levels, with two groups on each that nest both below, is climbed once from either end', async () => {
  const { tenantId } = await createTenant(database.db);
  const users = usersOf(65);
  const groups: StoredGroup[] = [];
  for (let level = 32; level > 0; level -= 1) {
    const below = groups.slice(-2).map(({ id }) => id);
    const at = groups.length;
    groups.push(groupOf([users[at]!.id, users[64]!.id], below), groupOf([users[at + 1]!.id], below));
  }
  const stored = new StoredDirectory(tenantId, users, groups);
  await stored.store(database.db);
  // By each of its two billion paths it would take for ever.
  const timeouts = { ...PATIENT, statement: 5_000 };
  const db = await openDatabase({ url: database.url, dataDir: '', timeouts });
  try {
    const directory = openAsAdmin(db, tenantId);
    const [top, bottom] = [groups.at(-1)!.id, users[0]!.id];
    expect(stored.members(top)).toHaveLength(64);
    for (const page of [
      { first: 100 },
      { last: 100 },
      { first: 100, membershipType: 'INHERITED' as const },
    ]) {
      expect(await read(directory, top, page)).toEqual(expected(stored, top, page));
    }
    expect(await countEffectiveMembers(directory, top)).toBe(64);
    expect(await countEffectiveMembers(directory, top, { membershipType: 'INHERITED' })).toBe(63);
    expect(await hasEffectiveMember(directory, top, bottom)).toBe(true);
    expect(await hasEffectiveMember(directory, top, 'usr_nobody')).toBe(false);
    expect(await effectiveGroups.count(directory, bottom)).toBe(63);
    expect((await visibleGroupIds(openDirectory(db, plainUser(tenantId, bottom)))).size).toBe(63);
  } finally {
    await db.close();
  }
});

/** What a statement is for. */
function kindOf(statement: string): string {
  const kinds: [string, string][] = [
    ['left join lateral (\n      select c.position', 'log'],
    ['was_member', 'carried'],
    ['string_agg(id', 'nestings'],
    ['select distinct m.user_id', 'merged'],
    ['select o, id from reach', 'walked'],
    ['min(m.added_at)', 'gathered'],
  ];
  return kinds.find(([text]) => statement.includes(text))?.[1] ?? statement;
}

/** The result, and what the statements were for that it took. */
async function traced<Result>(
  work: () => Promise<Result>,
): Promise<{ result: Result; statements: string[] }> {
  const statements: string[] = [];
  const stop = database.db.onStatement((text) => statements.push(kindOf(text)));
  try {
    return { result: await work(), statements };
  } finally {
    stop();
  }
}

/** A tenant with users in the order of their ids, and a group that reaches so many, with these members in one of them. */
async function tenantWith({
  users: userCount,
  size,
  members,
}: {
  users: number;
  size: number;
  members: number[];
}) {
  const { tenantId } = await createTenant(database.db);
  const users = usersOf(userCount);
  const below = Array.from({ length: size - 1 }, (_, at) =>
    groupOf(at === 0 ? members.map((member) => users[member]!.id) : []),
  );
  const root = groupOf(
    [],
    below.map(({ id }) => id),
  );
  const elsewhere = groupOf();
  const stored = new StoredDirectory(tenantId, users, [root, ...below, elsewhere]);
  await stored.store(database.db);
  // The log begins with a change: an empty one is not read on.
  await appendChanges(database.db, tenantId);
  const db = freshMemory();
  const admin = openAsAdmin(db, tenantId);
  /** User ids of a page, and what its statements were for. */
  const first = async (rows: number) => {
    const page = { first: rows };
    const { result, statements } = await traced(() => read(openAsAdmin(db, tenantId), root.id, page));
    return { ids: counted([...result!.rows]), statements };
  };
  return {
    stored,
    db,
    tenantId,
    users,
    admin,
    root: root.id as string,
    leaf: below[0]!.id,
    another: below[1]?.id,
    elsewhere: elsewhere.id,
    /** A page, read by a request of its own: it must be right, and is given with what its statements were for. */
    async page(page: Asked, right = expected(stored, root.id, page)) {
      const { result, statements } = await traced(() => read(openAsAdmin(db, tenantId), root.id, page));
      expect(result).toEqual(right);
      return statements;
    },
    users100: () => first(100),
    firstUsers: first,
  };
}

/** Rows of a tenant's log that are followed at once. */
const MAX_ROWS = 5_000;

describe('a page is read', () => {
  test('by one statement where nothing has changed, by two where nothing is known', async () => {
    const { page } = await tenantWith({ users: 5, size: 3, members: [0, 2, 4] });
    expect(await page({ first: 2 })).toEqual(['nestings', 'merged']);
    expect(await page({ first: 2 })).toEqual(['merged']);
    expect(await page({ first: 2, after: cursorOf('usr_') })).toEqual(['merged']);
    expect(await page({ last: 2 })).toEqual(['merged']);
    expect(await page({ first: 1, offset: 1 })).toEqual(['merged']);
    expect(await page({ first: 2, membershipType: 'DIRECT' })).toEqual(['gathered']);
    expect(await page({ first: 2, search: 'one' })).toEqual(['gathered']);
  });

  test('by one statement after members came or went below', async () => {
    const { admin, users, users100, leaf, elsewhere } = await tenantWith({
      users: 4,
      size: 3,
      members: [0, 1],
    });
    const ids = users.map(({ id }) => id);
    await users100();
    await addGroupMembers(admin, { groupId: leaf, userIds: [ids[3]!] });
    expect(await users100()).toEqual({ ids: [ids[0], ids[1], ids[3]], statements: ['merged', 'log'] });
    expect((await users100()).statements).toEqual(['merged']);
    await removeGroupMembers(admin, { groupId: leaf, userIds: [ids[0]!] });
    expect(await users100()).toEqual({ ids: [ids[1], ids[3]], statements: ['merged', 'log'] });
    await addGroupMembers(admin, { groupId: elsewhere, userIds: [ids[2]!] });
    expect(await users100()).toEqual({ ids: [ids[1], ids[3]], statements: ['merged', 'log'] });
  });

  test('again after nestings changed, with what the group reaches by then', async () => {
    const { admin, db, tenantId, users100, firstUsers, users, root, another, elsewhere } = await tenantWith({
      users: 3,
      size: 3,
      members: [0],
    });
    const ids = users.map(({ id }) => id);
    await users100();
    await addGroupMembers(admin, { groupId: elsewhere, userIds: [ids[2]!] });
    await addNestedGroups(admin, { groupId: root, childGroupIds: [elsewhere] });
    const again = ['merged', 'log', 'nestings', 'merged'];
    expect(await users100()).toEqual({ ids: [ids[0], ids[2]], statements: again });
    expect((await users100()).statements).toEqual(['merged']);
    // What it reaches is known for any page of it, and for its count.
    expect(await firstUsers(90)).toEqual({ ids: [ids[0], ids[2]], statements: ['merged'] });
    expect(await countEffectiveMembers(openAsAdmin(db, tenantId), root)).toBe(2);
    await removeNestedGroup(admin, { groupId: root, childGroupId: another! });
    expect(await users100()).toEqual({ ids: [ids[0], ids[2]], statements: again });
    expect((await users100()).statements).toEqual(['merged']);
  });

  test('by the same closure after nestings changed elsewhere, also above it', async () => {
    const { admin, db, tenantId, users100, root, leaf, elsewhere } = await tenantWith({
      users: 3,
      size: 3,
      members: [0],
    });
    const count = () => traced(() => countEffectiveMembers(openAsAdmin(db, tenantId), root));
    const { ids } = await users100();
    await count();
    await addNestedGroups(admin, { groupId: elsewhere, childGroupIds: [leaf, root] });
    expect(await users100()).toEqual({ ids, statements: ['merged', 'log'] });
    expect(await count()).toEqual({ result: 1, statements: ['log'] });
    await removeNestedGroup(admin, { groupId: elsewhere, childGroupId: root });
    expect(await users100()).toEqual({ ids, statements: ['merged', 'log'] });
    expect(await count()).toEqual({ result: 1, statements: ['log'] });
  });

  test('without a user who was removed', async () => {
    const { admin, tenantId, users, users100 } = await tenantWith({ users: 3, size: 2, members: [0, 1] });
    await users100();
    await removeUsers(admin, { tenantId, userIds: [users[0]!.id] });
    expect(await users100()).toEqual({ ids: [users[1]!.id], statements: ['merged', 'log'] });
  });

  test('as empty after the group was deleted', async () => {
    const { admin, users100, root } = await tenantWith({ users: 1, size: 2, members: [0] });
    await users100();
    await deleteGroup(admin, { id: root, strategy: 'ORPHAN' });
    expect(await users100()).toMatchObject({ ids: [] });
  });

  test('by the same closure, however much happens elsewhere, if it is asked for in between', async () => {
    const { page, tenantId, elsewhere } = await tenantWith({ users: 3, size: 3, members: [0, 1, 2] });
    const happen = (changes: number) =>
      appendChanges(database.db, tenantId, { changes, type: 'group_membership.added', groupId: elsewhere });
    await page({});
    for (let times = 0; times < 2; times += 1) {
      await happen(MAX_ROWS);
      expect(await page({})).toEqual(['merged', 'log']);
    }
    await happen(MAX_ROWS + 1);
    expect(await page({})).toEqual(['merged', 'log', 'nestings', 'merged']);
    expect(await page({})).toEqual(['merged']);
  });

  test('together with others that are known, each in its place', async () => {
    const { admin, db, tenantId, stored, root, leaf, elsewhere } = await tenantWith({
      users: 6,
      size: 3,
      members: [0, 2, 4],
    });
    const pages = [{ first: 1 }, { first: 2 }, { last: 1 }, { last: 2 }, { first: 3 }].flatMap((page) =>
      [root, leaf, elsewhere].map((groupId) => ({ groupId, page })),
    );
    const known = pages.filter((_, at) => at % 2 === 1);
    await Promise.all(known.map(({ groupId, page }) => read(admin, groupId, page)));
    const all = await traced(() => {
      const directory = openAsAdmin(db, tenantId);
      return Promise.all(pages.map(({ groupId, page }) => read(directory, groupId, page)));
    });
    expect(all.result).toEqual(pages.map(({ groupId, page }) => expected(stored, groupId, page)));
    // One for each way of cutting them.
    expect(all.statements).toEqual(['merged', 'merged', 'merged', 'merged', 'merged']);
  });

  test('or is an error where its statement fails, and is not tried another way', async () => {
    const { db, tenantId, stored, root, leaf } = await tenantWith({ users: 2, size: 2, members: [0, 1] });
    const { sql } = db;
    const kinds: string[] = [];
    const failing: Database['sql'] = (statement) => {
      kinds.push(kindOf(statement.text));
      // That of one of the two pages: its rows are read from the end.
      return statement.text.includes('desc') ? Promise.reject(new Error('too slow')) : sql(statement);
    };
    Object.assign(db, { sql: failing });
    const directory = openAsAdmin(db, tenantId);
    const [good, bad] = await Promise.allSettled([
      read(directory, root, { first: 2 }),
      read(directory, leaf, { last: 2 }),
    ]);
    expect(good).toEqual({ status: 'fulfilled', value: expected(stored, root, { first: 2 }) });
    expect(bad).toMatchObject({ status: 'rejected', reason: { message: 'too slow' } });
    expect(kinds).toEqual(['nestings', 'nestings', 'merged', 'merged']);
  });

  test('whatever becomes of others that are read with it', async () => {
    const { admin, stored, root } = await tenantWith({ users: 2, size: 2, members: [0, 1] });
    const wrong = Buffer.from(JSON.stringify(['name', 'a', 'b'])).toString('base64url');
    const [good, bad] = await Promise.allSettled([
      read(admin, root, { first: 2 }),
      read(admin, root, { first: 2, after: wrong }),
    ]);
    expect(good).toEqual({ status: 'fulfilled', value: expected(stored, root, { first: 2 }) });
    expect(bad).toMatchObject({
      status: 'rejected',
      reason: {
        code: 'VALIDATION_FAILED',
        details: { fields: [{ path: ['after'], message: 'is not a cursor of this list in this order' }] },
      },
    });
    await expect(read(admin, root, { last: 2, before: wrong })).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
      details: { fields: [{ path: ['before'] }] },
    });
    await expect(read(admin, root, { first: 2, after: wrong, search: 'a' })).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
    });
  });
});

describe('a large reach', () => {
  test('is walked from 100 groups on', async () => {
    const members = [0, 1, 2, 3];
    const below = await tenantWith({ users: 5, size: 99, members });
    expect(await below.page({ first: 2 })).toEqual(['nestings', 'merged']);
    const from = await tenantWith({ users: 5, size: 100, members });
    expect(await from.page({ first: 2 })).toEqual(['nestings', 'walked']);
    expect(await from.page({ first: 2 })).toEqual(['walked']);
    expect(await from.page({ last: 3 })).toEqual(['walked']);
  });

  test('is walked over 40 users for each row that is read, and merged where that was too few', async () => {
    // With the row that tells of another page, two are read of the first 80 users.
    const enough = await tenantWith({ users: 100, size: 100, members: [0, 79, 90] });
    expect(await enough.page({ first: 1 })).toEqual(['nestings', 'walked']);
    const few = await tenantWith({ users: 100, size: 100, members: [0, 80, 90] });
    expect(await few.page({ first: 1 })).toEqual(['nestings', 'walked', 'merged']);
    // Then that is known, for pages from anywhere.
    expect(await few.page({ last: 2 })).toEqual(['merged']);
    const one = await tenantWith({ users: 100, size: 100, members: [39, 90] });
    expect(await traced(() => read(one.admin, one.root, { first: 1, skipPageInfo: true }))).toMatchObject({
      result: { rows: [{ userId: one.users[39]!.id }] },
      statements: ['nestings', 'walked'],
    });
    const none = await tenantWith({ users: 100, size: 100, members: [40, 90] });
    expect(await traced(() => read(none.admin, none.root, { first: 1, skipPageInfo: true }))).toMatchObject({
      result: { rows: [{ userId: none.users[40]!.id }] },
      statements: ['nestings', 'walked', 'merged'],
    });
  });

  test('is walked again, though behind a cursor there were too few members', async () => {
    const { page, users } = await tenantWith({ users: 10, size: 100, members: [0, 1, 2, 3, 4, 5] });
    expect(await page({ first: 2, after: cursorOf(users[3]!.id) })).toEqual(['nestings', 'walked', 'merged']);
    expect(await page({ last: 2, before: cursorOf(users[1]!.id) })).toEqual(['walked', 'merged']);
    // And behind an offset, beyond which all members are read.
    expect(await page({ first: 2, offset: 5 })).toEqual(['walked', 'merged']);
    expect(await page({ first: 2, offset: 1_000 })).toEqual(['walked', 'merged']);
    expect(await page({ first: 2, offset: 1_001 })).toEqual(['gathered']);
    expect(await page({ first: 2 })).toEqual(['walked']);
    expect(await page({ first: 2, offset: 2 })).toEqual(['walked']);
  });

  test('is read together with a small one', async () => {
    const { db, stored, tenantId, root, leaf } = await tenantWith({
      users: 10,
      size: 100,
      members: [1, 2, 3, 4],
    });
    const few = groupOf(
      [stored.users[9]!.id],
      stored.groups.slice(1, 2).map(({ id }) => id),
    );
    await storeGroups(db, tenantId, [few]);
    const more = new StoredDirectory(tenantId, stored.users, [...stored.groups, few]);
    const ids = [few.id, root, leaf, newId('group')];
    const { result, statements } = await traced(() => {
      const directory = openAsAdmin(db, tenantId);
      return Promise.all(ids.map((id) => read(directory, id, { first: 2 })));
    });
    expect(result.slice(1, 3)).toEqual([root, leaf].map((id) => expected(more, id, { first: 2 })));
    expect(counted([...result[0]!.rows])).toEqual([stored.users[1]!.id, stored.users[2]!.id]);
    expect(result[3]!.rows).toEqual([]);
    expect(statements.toSorted()).toEqual(['merged', 'nestings', 'walked']);
  });
});

/** A database in which a nesting below the group changes before each statement that a page is read by, for so many of them. */
function unsteady(tenantId: TenantId, leaf: string, child: string, times: number) {
  const statements: string[] = [];
  const { db } = database;
  const directory = openAsAdmin(db, tenantId);
  let isNested = false;
  const toggle = async () => {
    if (isNested) await removeNestedGroup(directory, { groupId: leaf, childGroupId: child });
    else await addNestedGroups(directory, { groupId: leaf, childGroupIds: [child] });
    isNested = !isNested;
  };
  const changing: Database = {
    ...db,
    async sql(statement) {
      const kind = kindOf(statement.text);
      if (kind === 'merged' && statements.filter((before) => before === kind).length < times) await toggle();
      statements.push(kind);
      return db.sql(statement);
    },
  };
  return { changing, statements };
}

test.each([
  [1, 2, false],
  [3, 4, false],
  [4, 4, true],
])(
  'nestings that change under %i readings of a page: it is read %i times',
  async (times, readings, gathered) => {
    const { tenantId, stored, root, leaf, elsewhere } = await tenantWith({
      users: 3,
      size: 2,
      members: [0, 2],
    });
    const { changing, statements } = unsteady(tenantId, leaf, elsewhere, times);
    const directory = openAsAdmin(changing, tenantId);
    const page = { first: 1 };
    expect(await Promise.all([read(directory, root, page), read(directory, leaf, page)])).toEqual([
      expected(stored, root, page),
      expected(stored, leaf, page),
    ]);
    const each = Array.from({ length: readings }, (_, at) =>
      at < times ? ['nestings', 'merged', 'log'] : ['nestings', 'merged'],
    ).flat();
    expect(statements).toEqual(gathered ? [...each, 'gathered'] : each);
  },
);
