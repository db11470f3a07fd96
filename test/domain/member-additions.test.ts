// Members that several requests add at the same time: one position of the log for all, and each whole or not at all.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Database, Prisma } from '../../src/database/database.ts';
import { UnknownOutcome } from '../../src/database/errors.ts';
import { openPostgresql } from '../../src/database/postgresql.ts';
import { addGroupMembers } from '../../src/domain/commands/add-members.ts';
import { removeGroupMembers, updateGroupMembers } from '../../src/domain/commands/change-members.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { removeUsers } from '../../src/domain/commands/remove-users.ts';
import { type Directory, openDirectory } from '../../src/domain/directory.ts';
import { checkDirectory } from '../../src/domain/integrity/check.ts';
import { countMembers } from '../../src/domain/queries/members.ts';
import type { Caller } from '../../src/model/caller.ts';
import type { DirectoryError } from '../../src/model/errors.ts';
import { newId, type TenantId } from '../../src/model/ids.ts';
import { createTenant, openAsAdmin, partnerAdmin, superAdmin, tenantAdmin } from '../support/directories.ts';
import { behind, holdGraph, markDeleted, notFound, positionOf } from '../support/group-worlds.ts';
import { openTestDatabase, type TestDatabase, untilOneWaits } from '../support/postgresql.ts';
import { PATIENT } from '../support/timeouts.ts';

/** Milliseconds that the test of it waits for a lock. */
const LOCK_TIMEOUT = 500;

let database: TestDatabase;
let db: Database;
const statements: string[] = [];
beforeAll(async () => {
  database = await openTestDatabase();
  db = openPostgresql({ url: database.url, timeouts: PATIENT });
  db.onStatement((text) => statements.push(text));
});
afterAll(async () => {
  await db.close();
  await database.close();
});
beforeEach(() => statements.splice(0));

const createGroups = async (tenantId: TenantId, count: number) => {
  const ids: string[] = [];
  for (let n = 0; n < count; n += 1) {
    const { group } = await createGroup(openAsAdmin(db, tenantId), { tenantId, name: `Group ${n}` });
    ids.push(group.id);
  }
  statements.splice(0);
  return ids;
};

/** What became of an addition: who was added and who was one already, or the code it was refused with. */
const outcome = (adding: ReturnType<typeof addGroupMembers>) =>
  adding.then(
    ({ group, added, unchanged }) => ({ group: group.id, added, unchanged }),
    (error: DirectoryError) => error.code,
  );

const addAs = (caller: Caller, groupId: string, userIds: string[], to = db) =>
  outcome(addGroupMembers(openDirectory(to, caller), { groupId, userIds }));

const eventsOf = (groupId: string) =>
  db.sql<{ actor: string; userIds: string[] }>(Prisma.sql`
    select actor_id as actor, user_ids as "userIds" from changes
    where group_id = ${groupId} and type = 'group_membership.added' order by position, ordinal`);

test('each addition of many is told its own outcome, and written down as its own', async () => {
  const { tenantId, userIds } = await createTenant(db, 5);
  const stranger = await createTenant(db, 1);
  const [a, b, c, d] = userIds as string[] as [string, string, string, string];
  const [one, two] = (await createGroups(tenantId, 2)) as [string, string];
  const [foreign] = await createGroups(stranger.tenantId, 1);
  const admin = tenantAdmin(tenantId);
  const other = { ...admin, subject: 'usr_other' } as Caller;
  await addAs(admin, one, [a]);
  statements.splice(0);
  const before = await positionOf(database.db, tenantId);
  const outcomes = await Promise.all([
    addAs(admin, one, [b, a, c, b]),
    addAs(other, one, [c, d]),
    addAs(admin, two, [d]),
    addAs(admin, two, []),
    addAs(admin, one, [stranger.userIds[0]!, userIds[4]!]),
    addAs(admin, foreign!, [a]),
    addAs(admin, 'grp_missing00000000000000000', [a]),
  ]);
  expect(outcomes).toEqual([
    { group: one, added: [b, c], unchanged: [a] },
    { group: one, added: [d], unchanged: [c] },
    { group: two, added: [d], unchanged: [] },
    { group: two, added: [], unchanged: [] },
    'UNKNOWN_USERS',
    'NOT_FOUND',
    'NOT_FOUND',
  ]);
  // However many they are: the log's lock, groups with users, memberships, counts, changes, the log's head.
  expect(statements.length).toBe(6);
  expect(await positionOf(db, tenantId)).toBe(before + 1);
  expect(await eventsOf(one)).toEqual([
    { actor: 'usr_administrator', userIds: [a] },
    { actor: 'usr_administrator', userIds: [b, c] },
    { actor: 'usr_other', userIds: [d] },
  ]);
  const authors = await db.sql<{ userId: string; by: string }>(Prisma.sql`
    select user_id as "userId", added_by as by from memberships where group_id = ${one}`);
  expect(Object.fromEntries(authors.map(({ userId, by }) => [userId, by]))).toEqual({
    [a]: 'usr_administrator',
    [b]: 'usr_administrator',
    [c]: 'usr_administrator',
    [d]: 'usr_other',
  });
  expect(await countMembers(openAsAdmin(db, tenantId), one)).toBe(4);
  expect(await checkDirectory(db, tenantId)).toEqual([]);
});

test('an addition that is refused takes no membership from a valid one', async () => {
  const { tenantId, userIds } = await createTenant(db, 2);
  const [group] = (await createGroups(tenantId, 1)) as [string];
  const [user, other] = userIds as string[] as [string, string];
  const admin = tenantAdmin(tenantId);
  const second = { ...admin, subject: 'usr_other' } as Caller;
  const outcomes = await Promise.all([
    addAs(admin, group, [user, newId('user')]),
    addAs(admin, 'grp_missing00000000000000000', [user]),
    addAs(second, group, [user, other]),
    addAs(admin, group, [other]),
  ]);
  expect(outcomes).toEqual([
    'UNKNOWN_USERS',
    'NOT_FOUND',
    { group, added: [user, other], unchanged: [] },
    { group, added: [], unchanged: [other] },
  ]);
  expect(await eventsOf(group)).toEqual([{ actor: 'usr_other', userIds: [user, other] }]);
});

test('one who comes late has its own time to wait', async () => {
  const { tenantId, userIds } = await createTenant(db, 2);
  const [group] = (await createGroups(tenantId, 1)) as [string];
  const impatient = openPostgresql({ url: database.url, timeouts: { ...PATIENT, lock: LOCK_TIMEOUT } });
  const add = (user: string) => addAs(superAdmin, group, [user], impatient);
  let late: Promise<unknown> = Promise.resolve();
  await database.db.transaction(async (sql) => {
    await sql(holdGraph(tenantId));
    const early = add(userIds[0]!);
    await sleep(LOCK_TIMEOUT * 0.7);
    late = add(userIds[1]!);
    expect(await early).toBe('UNAVAILABLE');
    await sleep(LOCK_TIMEOUT * 0.2);
  });
  expect(await late).toEqual({ group, added: [userIds[1]], unchanged: [] });
  await impatient.close();
});

test('one who waits too long for the log of the tenant is told so, and nobody else', async () => {
  const [locked, free] = [await createTenant(db, 2), await createTenant(db, 2)];
  const lockedGroups = (await createGroups(locked.tenantId, 2)) as [string, string];
  const [freeGroup] = (await createGroups(free.tenantId, 1)) as [string];
  const impatient = openPostgresql({ url: database.url, timeouts: { ...PATIENT, lock: LOCK_TIMEOUT } });
  const add = (groupId: string, userIds: string[]) => addAs(superAdmin, groupId, userIds, impatient);
  await database.db.transaction(async (sql) => {
    await sql(holdGraph(locked.tenantId));
    expect(
      await Promise.all([
        add(lockedGroups[0], [locked.userIds[0]!]),
        add(lockedGroups[1], [locked.userIds[1]!]),
        add(freeGroup, free.userIds),
      ]),
    ).toEqual(['UNAVAILABLE', 'UNAVAILABLE', { group: freeGroup, added: free.userIds, unchanged: [] }]);
  });
  expect(await add(lockedGroups[0], locked.userIds)).toMatchObject({ added: locked.userIds });
  await impatient.close();
  expect(await countMembers(openAsAdmin(db, locked.tenantId), lockedGroups[1])).toBe(0);
});

test('requests that come while the log is held take one position with those that wait for it', async () => {
  const { tenantId, userIds } = await createTenant(db, 5);
  const groups = await createGroups(tenantId, 5);
  const add = (at: number) =>
    addGroupMembers(openAsAdmin(db, tenantId), { groupId: groups[at]!, userIds: [userIds[at]!] });
  let adding: ReturnType<typeof add>[] = [];
  await database.db.transaction(async (sql) => {
    await sql(holdGraph(tenantId));
    adding = [add(0)];
    await untilOneWaits(database);
    adding.push(...[1, 2, 3, 4].map(add));
  });
  const positions = (await Promise.all(adding)).map(({ position }) => position);
  expect(positions).toEqual([6, 6, 6, 6, 6]);
  expect(await positionOf(db, tenantId)).toBe(6);
  expect(await checkDirectory(db, tenantId)).toEqual([]);
});

test('a user who is just being removed is waited for, and then unknown', async () => {
  const { tenantId, userIds } = await createTenant(db, 2);
  const [one, two] = (await createGroups(tenantId, 2)) as [string, string];
  const admin = tenantAdmin(tenantId);
  const [leaving, staying] = userIds as string[] as [string, string];
  let adding: Promise<unknown[]> = Promise.resolve([]);
  await database.db.transaction(async (sql) => {
    await sql(holdGraph(tenantId));
    await sql(Prisma.sql`update users set until = 3 where id = ${leaving}`);
    adding = Promise.all([addAs(admin, one, [leaving, staying]), addAs(admin, two, [staying])]);
    await untilOneWaits(database);
  });
  expect(await adding).toEqual(['UNKNOWN_USERS', { group: two, added: [staying], unchanged: [] }]);
  await removeUsers(openAsAdmin(db, tenantId), { tenantId, userIds: [staying] });
  expect(await checkDirectory(db, tenantId)).toEqual([]);
});

test('a thousand at a time, many times at once', async () => {
  const { tenantId, userIds } = await createTenant(db, 1_000);
  const groups = await createGroups(tenantId, 6);
  const admin = tenantAdmin(tenantId);
  const reversed = [...userIds].reverse();
  const outcomes = await Promise.all(
    [...groups, ...groups].map((groupId) => addAs(admin, groupId, reversed)),
  );
  for (const [at, group] of groups.entries()) {
    // Who came first is left to them.
    const rivals = [outcomes[at], outcomes[at + groups.length]];
    expect(rivals).toContainEqual({ group, added: reversed, unchanged: [] });
    expect(rivals).toContainEqual({ group, added: [], unchanged: reversed });
  }
  expect(await checkDirectory(db, tenantId)).toEqual([]);
});

describe('a fault while memberships are written', () => {
  /** Runs `work` while a trigger does this at each membership that is written or ended; `n` counts them, also across rollbacks. */
  async function whileFaulty(fault: string, work: () => Promise<void>): Promise<number> {
    const { sql } = database.db;
    await sql(Prisma.sql`create sequence faults`);
    await sql(
      Prisma.raw(`create function fault() returns trigger language plpgsql as $$
        declare n bigint := nextval('faults');
        begin ${fault} return coalesce(new, old); end $$`),
    );
    await sql(Prisma.sql`
      create trigger fault before insert or delete on memberships for each row execute function fault()`);
    try {
      await work();
      const [row] = await sql<{ n: number }>(Prisma.sql`select last_value::int as n from faults`);
      return row!.n;
    } finally {
      await sql(Prisma.sql`drop trigger fault on memberships`);
      await sql(Prisma.sql`drop function fault`);
      await sql(Prisma.sql`drop sequence faults`);
    }
  }
  const failing = (times: number, code: string) =>
    `if n <= ${times} then raise exception 'fault' using errcode = '${code}'; end if;`;

  const setUp = async () => {
    const { tenantId, userIds } = await createTenant(db, 2);
    const [group] = (await createGroups(tenantId, 1)) as [string];
    return { tenantId, group, admin: tenantAdmin(tenantId), users: userIds.toSorted() as string[] };
  };

  test.each([
    ['a deadlock', '40P01'],
    ['a serialization failure', '40001'],
  ])('%s is tried again, and leaves no trace', async (_name, code) => {
    const { tenantId, group, admin, users } = await setUp();
    const [user] = users as [string];
    const added = { group, added: [user], unchanged: [] };
    expect(
      await whileFaulty(failing(4, code), async () => {
        expect(await addAs(admin, group, [user])).toEqual(added);
      }),
    ).toBe(5);
    await removeGroupMembers(openAsAdmin(db, tenantId), { groupId: group, userIds: [user] });
    expect(
      await whileFaulty(failing(4, code), async () => {
        expect(await addAs(admin, group, [user])).toEqual(added);
      }),
    ).toBe(5);
    expect(await eventsOf(group)).toHaveLength(2);
    const position = await positionOf(db, tenantId);
    const removal = () =>
      removeGroupMembers(openAsAdmin(db, tenantId), { groupId: group, userIds: [user] }).then(
        ({ removed }) => removed,
        (error: DirectoryError) => error.code,
      );
    expect(
      await whileFaulty(failing(99, code), async () => {
        expect(await removal()).toBe('UNAVAILABLE');
      }),
    ).toBe(5);
    expect(await positionOf(db, tenantId)).toBe(position);
    expect(await countMembers(openAsAdmin(db, tenantId), group)).toBe(1);
    expect(
      await whileFaulty(failing(4, code), async () => {
        expect(await removal()).toEqual([user]);
      }),
    ).toBe(5);
    expect(
      await whileFaulty(failing(99, code), async () => {
        expect(await addAs(admin, group, [user])).toBe('UNAVAILABLE');
      }),
    ).toBe(5);
    expect(await positionOf(db, tenantId)).toBe(position + 1);
    expect(await countMembers(openAsAdmin(db, tenantId), group)).toBe(0);
    expect(await checkDirectory(db, tenantId)).toEqual([]);
  });

  test('a lost connection is told, and not tried again: all may have been done', async () => {
    const { tenantId, group, admin, users } = await setUp();
    const lost = 'if n = 1 then perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(1); end if;';
    expect(
      await whileFaulty(lost, async () => {
        expect(await addAs(admin, group, users)).toBe('UNAVAILABLE');
      }),
    ).toBe(1);
    expect(await addAs(admin, group, users)).toEqual({ group, added: users, unchanged: [] });
    expect(await checkDirectory(db, tenantId)).toEqual([]);
  });

  test('that one addition brings along spares those that were added with it', async () => {
    const { tenantId, group, admin, users } = await setUp();
    const [bad, good] = users as [string, string];
    const refused = `if new.user_id = '${bad}' then raise exception 'fault' using errcode = 'P0001'; end if;`;
    await whileFaulty(refused, async () => {
      expect(await Promise.all([addAs(admin, group, [bad]), addAs(admin, group, [good])])).toEqual([
        'P0001',
        { group, added: [good], unchanged: [] },
      ]);
    });
    expect(await countMembers(openAsAdmin(db, tenantId), group)).toBe(1);
    expect(await eventsOf(group)).toEqual([{ actor: 'usr_administrator', userIds: [good] }]);
  });

  test('and then a commit of unknown outcome leaves that of one addition unknown alone', async () => {
    const { tenantId, group, admin, users } = await setUp();
    let times = 0;
    const faulty: Database = {
      ...db,
      async transaction(work, options) {
        times += 1;
        const at = times;
        const result = await db.transaction(async (query) => {
          const worked = await work(query);
          if (at === 1) throw new Error('fault');
          return worked;
        }, options);
        if (at === 2) throw new UnknownOutcome(new Error('lost'));
        return result;
      },
    };
    const [first, second] = users as [string, string];
    const codes = await Promise.all(
      [first, second].map((user) =>
        addGroupMembers(openDirectory(faulty, admin), { groupId: group, userIds: [user] }).then(
          ({ added }) => added,
          ({ details }: DirectoryError<'UNAVAILABLE'>) => details,
        ),
      ),
    );
    expect(codes).toEqual([{ outcome: 'UNKNOWN', position: '2' }, [second]]);
    expect(await countMembers(openAsAdmin(db, tenantId), group)).toBe(2);
  });

  test('that one addition brings along adds none whose time is up by then', async () => {
    const { tenantId, group, admin, users } = await setUp();
    const [bad, good] = users as [string, string];
    const controller = new AbortController();
    const { signal } = controller;
    // The first attempt is of both; while it fails, the second one's time ends.
    const refused = `if new.user_id = '${bad}' then perform pg_sleep(0.3);
      raise exception 'fault' using errcode = 'P0001'; end if;`;
    await whileFaulty(refused, async () => {
      setTimeout(() => controller.abort(new Error('late')), 150);
      const directory = openDirectory(db, admin, { signal });
      const late = addGroupMembers(directory, { groupId: group, userIds: [good] });
      expect(
        await Promise.allSettled([addAs(admin, group, [bad]), late]).then((results) =>
          results.map((result) => (result.status === 'fulfilled' ? result.value : result.reason.message)),
        ),
      ).toEqual(['P0001', 'late']);
    });
    expect(await countMembers(openAsAdmin(db, tenantId), group)).toBe(0);
  });
});

test('users of one tenant never become members in another, also when both are added to at once', async () => {
  const [one, two] = [await createTenant(db, 1), await createTenant(db, 1)];
  const [first] = (await createGroups(one.tenantId, 1)) as [string];
  const [second] = (await createGroups(two.tenantId, 1)) as [string];
  const [a, b] = [one.userIds[0]! as string, two.userIds[0]! as string];
  expect(
    await Promise.all([
      addAs(superAdmin, first, [a]),
      addAs(superAdmin, second, [b]),
      addAs(superAdmin, first, [b]),
      addAs(superAdmin, second, [a]),
      addAs(partnerAdmin(one.partnerId), second, [b]),
    ]),
  ).toEqual([
    { group: first, added: [a], unchanged: [] },
    { group: second, added: [b], unchanged: [] },
    'UNKNOWN_USERS',
    'UNKNOWN_USERS',
    'NOT_FOUND',
  ]);
});

describe('a change of members that waits', () => {
  type Change = (directory: Directory, groupId: string, userId: string) => Promise<object>;
  const CHANGES: Record<string, Change> = {
    addGroupMembers: (directory, groupId, userId) =>
      addGroupMembers(directory, { groupId, userIds: [userId] }),
    removeGroupMembers: (directory, groupId, userId) =>
      removeGroupMembers(directory, { groupId, userIds: [userId] }),
    updateGroupMembers: (directory, groupId, userId) =>
      updateGroupMembers(directory, { groupId, usersToAdd: [userId] }),
  };
  const codeOf = (work: Promise<object>) =>
    work.then(
      () => 'done',
      (error: DirectoryError) => error.code,
    );

  test.each(Object.entries(CHANGES))('%s: for a group, finds it deleted', async (name, change) => {
    const { tenantId, userIds } = await createTenant(db, 1);
    const [group] = (await createGroups(tenantId, 1)) as [string];
    if (name.startsWith('remove')) await addAs(tenantAdmin(tenantId), group, userIds);
    const work = () => change(openAsAdmin(db, tenantId), group, userIds[0]!);
    expect(await behind(db, [holdGraph(tenantId), markDeleted(group)], work)).toEqual(notFound(group));
    const members = await db.sql(Prisma.sql`select 1 from memberships where group_id = ${group}`);
    expect(members).toHaveLength(name.startsWith('remove') ? 1 : 0);
  });

  test.each(Object.entries(CHANGES))('%s: for a lock too long, is told so', async (_name, change) => {
    const hasty = openPostgresql({ url: database.url, timeouts: { lock: 50 } });
    const { tenantId, userIds } = await createTenant(db, 1);
    const [group] = (await createGroups(tenantId, 1)) as [string];
    await database.db.transaction(async (sql) => {
      await sql(holdGraph(tenantId));
      expect(await codeOf(change(openAsAdmin(hasty, tenantId), group, userIds[0]!))).toBe('UNAVAILABLE');
    });
    expect(await codeOf(change(openAsAdmin(hasty, tenantId), group, userIds[0]!))).toBe('done');
    await hasty.close();
  });

  test('for a user who is being removed, finds the user gone', async () => {
    const { tenantId, userIds } = await createTenant(db, 1);
    const [group] = (await createGroups(tenantId, 1)) as [string];
    for (const name of ['removeGroupMembers', 'updateGroupMembers', 'addGroupMembers']) {
      let waiting: Promise<string> = Promise.resolve('');
      await database.db
        .transaction(async (sql) => {
          await sql(holdGraph(tenantId));
          await sql(Prisma.sql`update users set until = 2 where id = ${userIds[0]}`);
          waiting = codeOf(CHANGES[name]!(openAsAdmin(db, tenantId), group, userIds[0]!));
          await untilOneWaits(database);
          if (name.startsWith('remove')) throw new Error('not removed after all');
        })
        .catch(() => {});
      expect(await waiting).toBe(name.startsWith('remove') ? 'done' : 'UNKNOWN_USERS');
    }
  });
});
