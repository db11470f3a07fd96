// The log as lists of changes: pages in both directions, types, cursors that a lost history expires, and histories against the log.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Database, Prisma } from '../../src/database/database.ts';
import { addGroupMembers } from '../../src/domain/commands/add-members.ts';
import { removeGroupMembers } from '../../src/domain/commands/change-members.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { deleteGroup } from '../../src/domain/commands/delete-group.ts';
import { addNestedGroups, removeNestedGroup } from '../../src/domain/commands/nest-groups.ts';
import { eraseUsers, removeUsers } from '../../src/domain/commands/remove-users.ts';
import { restoreGroup } from '../../src/domain/commands/restore-group.ts';
import { updateGroup } from '../../src/domain/commands/update-group.ts';
import { upsertUsers } from '../../src/domain/commands/upsert-users.ts';
import { openDirectory } from '../../src/domain/directory.ts';
import {
  countChanges,
  countGroupHistory,
  countUserHistory,
  findHeadCursor,
  listChanges,
  listGroupHistory,
  listUserHistory,
} from '../../src/domain/queries/changes.ts';
import type { ChangeRow } from '../../src/domain/rows/changes.ts';
import { CHANGE_TYPES, type ChangeTypeName } from '../../src/model/changes.ts';
import { isDirectoryError } from '../../src/model/errors.ts';
import { newId, type TenantId } from '../../src/model/ids.ts';
import type { Page, PageArgs } from '../../src/model/page.ts';
import { createTenant, openAsAdmin, partnerAdmin, plainUser, superAdmin } from '../support/directories.ts';
import { refusal } from '../support/group-worlds.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { randomFrom } from '../support/random.ts';
import { seed } from '../support/seed.ts';

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await openTestDatabase();
  db = database.db;
});
afterAll(() => database.close());

/** A tenant with random changes of all kinds, among a few groups and users, so that they meet. */
async function busyTenant(steps: number) {
  const { tenantId, partnerId, userIds } = await createTenant(db, 6);
  const random = randomFrom(seed);
  const one = <Item>(items: readonly Item[]) => items[random(items.length)]!;
  const directory = openAsAdmin(db, tenantId);
  const groupIds: string[] = [];
  const create = async (parentGroupId: string | null) => {
    const name = `Group ${groupIds.length}`;
    const { group } = await createGroup(directory, {
      tenantId,
      name,
      parentGroupId,
      initialMemberIds: [one(userIds)],
    });
    groupIds.push(group.id);
  };
  for (let at = 0; at < 5; at += 1) await create(null);
  const acts: (() => Promise<unknown>)[] = [
    () => create(one(groupIds)),
    () => addGroupMembers(directory, { groupId: one(groupIds), userIds: [one(userIds), one(userIds)] }),
    () => removeGroupMembers(directory, { groupId: one(groupIds), userIds: [one(userIds), one(userIds)] }),
    () =>
      addNestedGroups(directory, { groupId: one(groupIds), childGroupIds: [one(groupIds), one(groupIds)] }),
    () => removeNestedGroup(directory, { groupId: one(groupIds), childGroupId: one(groupIds) }),
    () => deleteGroup(directory, { id: one(groupIds), strategy: one(['ORPHAN', 'CASCADE'] as const) }),
    () => restoreGroup(directory, { id: one(groupIds), includeDescendants: true }),
    () => updateGroup(directory, { id: one(groupIds), description: `Text ${random(1_000_000)}` }),
    () =>
      upsertUsers(openDirectory(db, superAdmin), {
        tenantId,
        users: [{ id: one(userIds), email: `mail${random(1_000_000)}@example.org` }],
      }),
    () => removeUsers(directory, { tenantId, userIds: [one(userIds)] }),
    () => eraseUsers(directory, { tenantId, userIds: [one(userIds)] }),
  ];
  for (let step = 0; step < steps; step += 1) {
    // Most steps add to what there is, so that deletions have something to end.
    const act = random(2) === 0 ? one(acts.slice(1, 5)) : one(acts);
    await act().catch((error) => {
      if (!isDirectoryError(error)) throw error;
    });
  }
  return { tenantId, partnerId, userIds, groupIds, directory, rows: await rowsOf(tenantId) };
}

type Stored = {
  key: string;
  type: string;
  groupId: string | null;
  userIds: string[] | null;
  groupIds: string[] | null;
};
const rowsOf = (tenantId: TenantId) =>
  db.sql<Stored & { position: number }>(Prisma.sql`
    select position || '.' || ordinal as key, position::int as position, type, group_id as "groupId", user_ids as "userIds",
      group_ids as "groupIds" from changes where tenant_id = ${tenantId} order by position, ordinal`);

const keysOf = (rows: readonly ChangeRow[]) => rows.map(({ position, ordinal }) => `${position}.${ordinal}`);

type Read = (page: PageArgs) => Promise<Page<ChangeRow> | null>;

/** All rows by pages of this size from the start, or with `last` from the end; each page is put where it belongs. */
async function walk(read: Read, size: number, from: 'start' | 'end'): Promise<ChangeRow[]> {
  const rows: ChangeRow[] = [];
  for (let cursor: string | null = null; ; ) {
    const page: Page<ChangeRow> | null = await read(
      from === 'start' ? { first: size, after: cursor } : { last: size, before: cursor },
    );
    const { rows: some, cursors, hasNextPage, hasPreviousPage } = page!;
    if (from === 'start') rows.push(...some);
    else rows.unshift(...some);
    if (!(from === 'start' ? hasNextPage : hasPreviousPage)) return rows;
    cursor = cursors.at(from === 'start' ? -1 : 0)!;
  }
}

describe('a busy tenant', () => {
  let busy: Awaited<ReturnType<typeof busyTenant>>;
  beforeAll(async () => {
    busy = await busyTenant(200);
  });

  test('has changes of most types, and several at one position: the tests below could fail', () => {
    expect(new Set(busy.rows.map(({ type }) => type)).size).toBeGreaterThan(8);
    expect(busy.rows.some(({ key }) => key.endsWith('.2'))).toBe(true);
  });

  test.each([1, 3, 100])('is read whole by pages of %d, from either end', async (size) => {
    const { tenantId, rows } = busy;
    for (const from of ['start', 'end'] as const) {
      const walked = await walk(
        (page) => listChanges(openAsAdmin(db, tenantId), tenantId, { page }),
        size,
        from,
      );
      expect(keysOf(walked)).toEqual(rows.map(({ key }) => key));
    }
    expect(await countChanges(openAsAdmin(db, tenantId), tenantId, {})).toBe(rows.length);
  });

  test.each([
    ['GROUP_CREATED'],
    ['MEMBERS_ADDED', 'GROUPS_NESTED', 'GROUP_CREATED', 'MEMBERS_ADDED'],
    ['TENANT_UPDATED'],
    [],
  ] as ChangeTypeName[][])('is filtered by types: %s %s', async (...types) => {
    const { tenantId, rows } = busy;
    const stored = new Set<string>(types.map((type) => CHANGE_TYPES[type]));
    const expected = rows.filter(({ type }) => stored.has(type)).map(({ key }) => key);
    for (const from of ['start', 'end'] as const) {
      const walked = await walk(
        (page) => listChanges(openAsAdmin(db, tenantId), tenantId, { types, page }),
        4,
        from,
      );
      expect(keysOf(walked)).toEqual(expected);
    }
    expect(await countChanges(openAsAdmin(db, tenantId), tenantId, { types })).toBe(expected.length);
  });

  test('is read on from a position: behind all of its changes, or up to it', async () => {
    const { tenantId, rows } = busy;
    const { position } = rows.find(({ key }) => key.endsWith('.1'))!;
    const directory = openAsAdmin(db, tenantId);
    const after = await walk(
      (page) =>
        listChanges(directory, tenantId, { page: { ...page, after: page.after ?? String(position) } }),
      7,
      'start',
    );
    expect(keysOf(after)).toEqual(rows.filter((row) => row.position > position).map(({ key }) => key));
    const before = await listChanges(directory, tenantId, { page: { last: 100, before: String(position) } });
    const expected = rows.filter((row) => row.position < position).map(({ key }) => key);
    expect(keysOf(before!.rows)).toEqual(expected.slice(-100));
  });

  test('has a history of each group, newest first: its changes, and those of the groups that it was nested in', async () => {
    const { tenantId, groupIds, rows } = busy;
    let nested = 0;
    for (const id of groupIds) {
      const expected = rows.filter((row) => row.groupId === id || row.groupIds?.includes(id)).toReversed();
      nested += expected.filter((row) => row.groupId !== id).length;
      for (const from of ['start', 'end'] as const) {
        const walked = await walk(
          (page) => listGroupHistory(openAsAdmin(db, tenantId), id, { page }),
          5,
          from,
        );
        expect(keysOf(walked)).toEqual(expected.map(({ key }) => key));
      }
      expect(await countGroupHistory(openAsAdmin(db, tenantId), id, {})).toBe(expected.length);
      const types: ChangeTypeName[] = ['GROUPS_NESTED', 'GROUP_DELETED'];
      const some = expected.filter(({ type }) => type === 'group_nesting.added' || type === 'group.deleted');
      const walked = await walk(
        (page) => listGroupHistory(openAsAdmin(db, tenantId), id, { types, page }),
        2,
        'start',
      );
      expect(keysOf(walked)).toEqual(some.map(({ key }) => key));
    }
    expect(nested).toBeGreaterThan(2);
  });

  test('has a history of each user, newest first: itself and its memberships, without those of an earlier person', async () => {
    const { tenantId, userIds, rows } = busy;
    const since = new Map(
      (
        await db.sql<{ id: string; since: number }>(
          Prisma.sql`select id, since::int as since from users where tenant_id = ${tenantId}`,
        )
      ).map((row) => [row.id, row.since]),
    );
    for (const id of userIds) {
      const expected = rows
        .filter((row) => row.userIds?.includes(id) && row.position >= since.get(id)!)
        .toReversed();
      for (const from of ['start', 'end'] as const) {
        const walked = await walk(
          (page) => listUserHistory(openAsAdmin(db, tenantId), id, { page }),
          5,
          from,
        );
        expect(keysOf(walked)).toEqual(expected.map(({ key }) => key));
      }
      expect(await countUserHistory(openAsAdmin(db, tenantId), id, {})).toBe(expected.length);
      const types: ChangeTypeName[] = ['USERS_UPSERTED', 'MEMBERS_REMOVED'];
      const some = expected.filter(({ type }) =>
        ['users.upserted', 'group_membership.removed'].includes(type),
      );
      const walked = await walk(
        (page) => listUserHistory(openAsAdmin(db, tenantId), id, { types, page }),
        2,
        'start',
      );
      expect(keysOf(walked)).toEqual(some.map(({ key }) => key));
    }
    // Some were created again after a removal.
    expect([...since.values()].some((position) => position > 0)).toBe(true);
  });

  test('tells what a change recorded, where it is asked for', async () => {
    const { tenantId, directory } = busy;
    const projection = { users: true, data: true };
    const { rows } = (await listChanges(directory, tenantId, { projection, page: { first: 2 } }))!;
    const stored = busy.rows[1]!;
    expect(rows[0]).toMatchObject({
      type: 'group.created',
      position: 1,
      ordinal: 0,
      actorId: 'usr_administrator',
      actorType: 'user',
      userIds: null,
      userCount: 0,
      data: { after: { name: 'Group 0', description: null, parentGroupId: null, type: 'SECURITY' } },
    });
    expect(rows[1]).toMatchObject({
      type: 'group_membership.added',
      position: 1,
      ordinal: 1,
      userIds: stored.userIds,
      userCount: 1,
      groupId: stored.groupId,
    });
    const brief = (await listChanges(openAsAdmin(db, tenantId), tenantId, { page: { first: 2 } }))!;
    expect(brief.rows[1]).not.toHaveProperty('userIds');
    expect(brief.rows[1]).not.toHaveProperty('data');
  });

  test('is hidden from end users and from callers of other tenants', async () => {
    const { tenantId, partnerId, userIds, groupIds } = busy;
    const user = openDirectory(db, plainUser(tenantId, userIds[0]!));
    const page = { first: 1 };
    expect(await listChanges(user, tenantId, { page })).toBeNull();
    expect(await countChanges(user, tenantId, {})).toBeNull();
    expect(await findHeadCursor(user, tenantId)).toBeNull();
    expect(await listGroupHistory(user, groupIds[0]!, { page })).toBeNull();
    expect(await listUserHistory(user, userIds[0]!, { page })).toBeNull();
    const other = await createTenant(db, 1);
    for (const caller of [
      openAsAdmin(db, other.tenantId),
      openDirectory(db, partnerAdmin(other.partnerId)),
    ]) {
      expect((await listChanges(caller, tenantId, { page }))!.rows).toEqual([]);
      expect((await listGroupHistory(caller, groupIds[0]!, { page }))!.rows).toEqual([]);
      expect((await listUserHistory(caller, userIds[0]!, { page }))!.rows).toEqual([]);
      expect(await findHeadCursor(caller, tenantId)).toBeNull();
      // Nor does a cursor tell whether the other tenant's log holds it.
      const held = await refusal(listChanges(caller, tenantId, { page: { after: '1' } }));
      expect(held).toMatchObject({ code: 'CURSOR_EXPIRED' });
    }
    expect(
      (await listChanges(openDirectory(db, partnerAdmin(partnerId)), tenantId, { page }))!.rows,
    ).toHaveLength(1);
  });
});

describe('a cursor', () => {
  async function threeChanges() {
    const { tenantId } = await createTenant(db);
    const directory = openAsAdmin(db, tenantId);
    const start = await findHeadCursor(directory, tenantId);
    for (const name of ['One', 'Two', 'Three']) await createGroup(directory, { tenantId, name });
    const { cursors } = (await listChanges(directory, tenantId, { page: {} }))!;
    return { tenantId, start: start!, cursors };
  }
  const after = (tenantId: TenantId, cursor: string) =>
    listChanges(openAsAdmin(db, tenantId), tenantId, { page: { after: cursor } });
  /** The log as if it had ended at the position, and gone on with another change. */
  async function loseFrom(tenantId: TenantId, position: number) {
    await db.sql(Prisma.sql`delete from changes where tenant_id = ${tenantId} and position >= ${position}`);
    await db.sql(Prisma.sql`
      update tenant_logs set position = ${position - 1}, change_id = coalesce((
        select change_id from changes where tenant_id = ${tenantId} and position = ${position - 1} limit 1), gen_random_uuid())
      where tenant_id = ${tenantId}`);
  }

  test('is good for ever, wherever changes are read', async () => {
    const { tenantId, start, cursors } = await threeChanges();
    expect((await after(tenantId, start))!.rows).toHaveLength(3);
    expect((await after(tenantId, '0'))!.rows).toHaveLength(3);
    expect((await after(tenantId, cursors[0]!))!.rows).toHaveLength(2);
    expect((await after(tenantId, cursors[2]!))!.rows).toEqual([]);
    expect((await after(tenantId, '3'))!.rows).toEqual([]);
    const head = await findHeadCursor(openAsAdmin(db, tenantId), tenantId);
    expect((await after(tenantId, head!))!.rows).toEqual([]);
    await createGroup(openAsAdmin(db, tenantId), { tenantId, name: 'Four' });
    for (const cursor of [cursors[2]!, head!, '3'])
      expect((await after(tenantId, cursor))!.rows).toHaveLength(1);
  });

  test.each(['x', '-1', '1.0', '01', '1.0.zzzzzzzz', '1.0.ABCDEF01', '1.-1.abcdef01', '1.0.abcdef012', ''])(
    'is no other text: %j',
    async (text) => {
      const { tenantId } = await createTenant(db);
      for (const end of ['after', 'before']) {
        const error = await refusal(
          listChanges(openAsAdmin(db, tenantId), tenantId, { page: { [end]: text } }),
        );
        expect(error).toMatchObject({ code: 'VALIDATION_FAILED', details: { fields: [{ path: [end] }] } });
      }
    },
  );

  test('ahead of the log has expired, in every list', async () => {
    const { tenantId, cursors } = await threeChanges();
    const [first] = (await listChanges(openAsAdmin(db, tenantId), tenantId, { page: {} }))!.rows;
    for (const cursor of ['4', cursors[2]!.replace(/^3/, '4'), cursors[2]!.replace('.0.', '.1.')]) {
      expect(await refusal(after(tenantId, cursor))).toMatchObject({
        code: 'CURSOR_EXPIRED',
        details: { cursor },
      });
      const before = listChanges(openAsAdmin(db, tenantId), tenantId, { page: { before: cursor } });
      expect(await refusal(before)).toMatchObject({ code: 'CURSOR_EXPIRED' });
      const history = listGroupHistory(openAsAdmin(db, tenantId), first!.groupId!, {
        page: { after: cursor },
      });
      expect(await refusal(history)).toMatchObject({ code: 'CURSOR_EXPIRED' });
    }
  });

  test('of a lost history has expired, also once its position was taken again', async () => {
    const { tenantId, cursors } = await threeChanges();
    const head = (await findHeadCursor(openAsAdmin(db, tenantId), tenantId))!;
    await loseFrom(tenantId, 3);
    expect(await refusal(after(tenantId, cursors[2]!))).toMatchObject({ code: 'CURSOR_EXPIRED' });
    expect(await refusal(after(tenantId, '3'))).toMatchObject({ code: 'CURSOR_EXPIRED' });
    await createGroup(openAsAdmin(db, tenantId), { tenantId, name: 'Another' });
    for (const cursor of [cursors[2]!, head])
      expect(await refusal(after(tenantId, cursor))).toMatchObject({ code: 'CURSOR_EXPIRED' });
    expect((await after(tenantId, cursors[1]!))!.rows).toHaveLength(1);
  });

  test('of what the log no longer holds has expired', async () => {
    const { tenantId, start, cursors } = await threeChanges();
    await db.sql(Prisma.sql`delete from changes where tenant_id = ${tenantId} and position <= 2`);
    for (const cursor of [start, '0', '1', cursors[0]!, cursors[1]!])
      expect(await refusal(after(tenantId, cursor))).toMatchObject({ code: 'CURSOR_EXPIRED' });
    expect((await after(tenantId, '2'))!.rows).toHaveLength(1);
    // Of a directory that is older than its log, positions without changes are none that were lost.
    await db.sql(Prisma.sql`update tenant_logs set exact_from = 2 where tenant_id = ${tenantId}`);
    expect((await after(tenantId, '0'))!.rows).toHaveLength(1);
  });

  test('that expires while its page is read expires', async () => {
    const { tenantId, cursors } = await threeChanges();
    let isRead = false;
    const lossy: Database = {
      ...db,
      sql: (async (statement: Prisma.Sql) => {
        const rows = await db.sql(statement);
        if (!isRead && statement.text.includes('change_id as')) {
          isRead = true;
          await loseFrom(tenantId, 2);
          await createGroup(openAsAdmin(db, tenantId), { tenantId, name: 'Another' });
        }
        return rows;
      }) as Database['sql'],
    };
    const page = listChanges(openAsAdmin(lossy, tenantId), tenantId, { page: { after: cursors[1]! } });
    expect(await refusal(page)).toMatchObject({ code: 'CURSOR_EXPIRED' });
    expect(isRead).toBe(true);
  });
});

test('personal data of erased users is in no change', async () => {
  const { tenantId, userIds } = await createTenant(db, 2);
  const [erased, other] = [userIds[0]!, userIds[1]!];
  const users = [erased, other].map((id) => ({
    id,
    email: `${id}@old.example`,
    displayName: `Name of ${id}`,
  }));
  await upsertUsers(openDirectory(db, superAdmin), { tenantId, users });
  const read = async (directory = openAsAdmin(db, tenantId)) =>
    (await listChanges(directory, tenantId, { projection: { users: true, data: true }, page: {} }))!.rows;
  expect(JSON.stringify(await read())).toContain(`Name of ${erased}`);
  await eraseUsers(openAsAdmin(db, tenantId), { tenantId, userIds: [erased] });
  const [upserted] = await read();
  expect(upserted!.data!.users!.find(({ id }) => id === erased)).toEqual({ id: erased });
  expect(JSON.stringify(await read())).not.toContain(`Name of ${erased}`);
  expect(JSON.stringify(await read())).toContain(`Name of ${other}`);
});

test('changes of many tenants are read side by side, each by its own log', async () => {
  const tenants = await Promise.all([createTenant(db), createTenant(db), createTenant(db)]);
  for (const [at, { tenantId }] of tenants.entries())
    for (let group = 0; group <= at; group += 1)
      await createGroup(openAsAdmin(db, tenantId), { tenantId, name: `Group ${group}` });
  const directory = openDirectory(db, superAdmin);
  const pages = await Promise.all(
    tenants.map(({ tenantId }) => listChanges(directory, tenantId, { page: {} })),
  );
  expect(pages.map((page) => page!.rows.length)).toEqual([1, 2, 3]);
  expect(await listChanges(directory, newId('tenant'), { page: {} })).toMatchObject({ rows: [] });
});

test('users are told as each change made them, also of an earlier person with the id, until they are erased', async () => {
  const { tenantId } = await createTenant(db);
  const [id, other] = [newId('user'), newId('user')];
  const upsert = (email: string, ids = [id]) =>
    upsertUsers(openDirectory(db, superAdmin), { tenantId, users: ids.map((id) => ({ id, email })) });
  await upsert('one@example.org', [id, other]);
  await upsert('two@example.org');
  await removeUsers(openAsAdmin(db, tenantId), { tenantId, userIds: [id] });
  await upsert('three@example.org');
  const told = async () => {
    const page = { first: 100 };
    const found = await listChanges(openAsAdmin(db, tenantId), tenantId, {
      projection: { data: true },
      page,
    });
    return found!.rows
      .filter(({ type }) => type === 'users.upserted')
      .map(({ data }) => data!.users!.map(({ id, before, after }) => [id, before?.email, after?.email]));
  };
  const first = [
    [id, undefined, 'one@example.org'],
    [other, undefined, 'one@example.org'],
  ].toSorted();
  expect(await told()).toEqual([
    first,
    [[id, 'one@example.org', 'two@example.org']],
    [[id, undefined, 'three@example.org']],
  ]);
  await eraseUsers(openAsAdmin(db, tenantId), { tenantId, userIds: [id] });
  const erased = [id, undefined, undefined];
  expect(await told()).toEqual([first.map((user) => (user[0] === id ? erased : user)), [erased], [erased]]);
});
