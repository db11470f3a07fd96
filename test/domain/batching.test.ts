// What requests that wait at the same time share: one statement where callers see the same, and never more than that.
import { setImmediate as immediate } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Database, Prisma } from '../../src/database/database.ts';
import { addGroupMembers } from '../../src/domain/commands/add-members.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { type Directory, openDirectory, Reader, tenantReader } from '../../src/domain/directory.ts';
import { cachedClosure, isSameClosure, readClosures } from '../../src/domain/effective-membership/closure.ts';
import { loader } from '../../src/domain/loading/batching.ts';
import type { Head } from '../../src/domain/log/changes.ts';
import { findGroup } from '../../src/domain/queries/groups.ts';
import { countMembers, listMembers } from '../../src/domain/queries/members.ts';
import { sharedBatches } from '../../src/domain/sharing/shared-batches.ts';
import { Tail } from '../../src/domain/sharing/tail.ts';
import type { Visibility } from '../../src/model/caller.ts';
import { chunksOf } from '../../src/model/chunks.ts';
import type { PartnerId, TenantId } from '../../src/model/ids.ts';
import { createTenant, openAsAdmin, plainUser } from '../support/directories.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';

let database: TestDatabase;
let db: Database;
const statements: string[] = [];
beforeAll(async () => {
  database = await openTestDatabase();
  db = database.db;
  db.onStatement((text) => statements.push(text));
});
afterAll(() => database.close());
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

test('requests of the same sight share a statement, and each is given its own', async () => {
  const { tenantId } = await createTenant(db);
  const ids = await createGroups(tenantId, 8);
  const asked = [...ids, ids[0]!, 'grp_missing00000000000000000'];
  const found = await Promise.all(asked.map((id) => findGroup(openAsAdmin(db, tenantId), id)));
  expect(found.map((group) => group?.id)).toEqual([...ids, ids[0], undefined]);
  expect(statements.length).toBe(1);
});

test('pages of one kind are read together, those of another apart', async () => {
  const { tenantId, userIds } = await createTenant(db, 3);
  const ids = await createGroups(tenantId, 4);
  for (const [at, groupId] of ids.entries()) {
    await addGroupMembers(openAsAdmin(db, tenantId), { groupId, userIds: userIds.slice(0, at) });
  }
  statements.splice(0);
  const read = (id: string, first: number) => listMembers(openAsAdmin(db, tenantId), id, { page: { first } });
  const pages = await Promise.all([...ids.map((id) => read(id, 2)), ...ids.map((id) => read(id, 9))]);
  expect(pages.map((page) => page!.rows.length)).toEqual([0, 1, 2, 2, 0, 1, 2, 3]);
  expect(statements.map((text) => text.includes('from memberships'))).toEqual([true, true]);
});

test('callers who see different tenants never share', async () => {
  const mine = await createTenant(db);
  const theirs = await createTenant(db);
  const [mineId] = await createGroups(mine.tenantId, 1);
  const [theirId] = await createGroups(theirs.tenantId, 1);
  const both = [mineId!, theirId!];
  const found = await Promise.all(
    [mine, theirs].flatMap(({ tenantId }) => both.map((id) => findGroup(openAsAdmin(db, tenantId), id))),
  );
  expect(found.map((group) => group?.id)).toEqual([mineId, undefined, undefined, theirId]);
  expect(statements.length).toBe(2);
});

test('a plain user who asks together with an administrator sees no more than alone', async () => {
  const { tenantId, userIds } = await createTenant(db, 2);
  const [inside, outside] = await createGroups(tenantId, 2);
  await addGroupMembers(openAsAdmin(db, tenantId), { groupId: inside!, userIds: [userIds[0]!] });
  const user = () => openDirectory(db, plainUser(tenantId, userIds[0]!));
  const [seen, hidden, counted, full] = await Promise.all([
    findGroup(user(), inside!),
    findGroup(user(), outside!),
    countMembers(user(), inside!),
    findGroup(openAsAdmin(db, tenantId), inside!),
  ]);
  expect(seen).toEqual({ id: inside, tenantId, name: expect.any(String), type: 'SECURITY' });
  expect([hidden, counted]).toEqual([null, null]);
  expect(full).toMatchObject({ id: inside, memberCount: 1 });
});

test('what was acknowledged before a request asks is in its answer, though others are already waiting', async () => {
  const { tenantId, userIds } = await createTenant(db, 40);
  const [groupId] = await createGroups(tenantId, 1);
  const reading = userIds.map(async (userId) => {
    await addGroupMembers(openAsAdmin(db, tenantId), { groupId: groupId!, userIds: [userId] });
    const page = await listMembers(openAsAdmin(db, tenantId), groupId!, { page: { first: 100 } });
    expect(page!.rows.map((row) => row.userId)).toContain(userId);
  });
  await Promise.all(reading);
});

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A loader that records its batches, and fails or lasts as the key says: until `finish`. */
function recording() {
  const { promise: finished, resolve: finish } = Promise.withResolvers<void>();
  const batches: (readonly string[])[] = [];
  const read = async (_: Reader, keys: readonly string[]) => {
    batches.push(keys);
    const slow = keys.find((key) => key.startsWith('slow'));
    if (slow) await finished;
    if (keys.includes('fails')) throw new Error('fails');
    return keys.map((key) => key.toUpperCase());
  };
  const load = loader({ audience: 'administrators', read });
  /** All of one request; an error in place of each value that fails. */
  const loadMany = (directory: Directory, keys: readonly string[]) =>
    Promise.all(keys.map((key) => load(directory, key).catch((error: Error) => error)));
  return { batches, load, loadMany, finish };
}

test('a failure is the failure of the one who asked for it', async () => {
  const { tenantId } = await createTenant(db);
  const { batches, load } = recording();
  const results = await Promise.allSettled(
    ['a', 'fails', 'b'].map((key) => load(openAsAdmin(db, tenantId), key)),
  );
  expect(results.map((result) => (result.status === 'fulfilled' ? result.value : 'failed'))).toEqual([
    'A',
    'failed',
    'B',
  ]);
  expect(batches).toEqual([['a', 'fails', 'b'], ['a'], ['fails'], ['b']]);
});

test('what takes long does not keep the others waiting', async () => {
  const { tenantId } = await createTenant(db);
  const { load, finish } = recording();
  const of = (key: string) => load(openAsAdmin(db, tenantId), key);
  const order: unknown[] = [];
  const asked: Promise<unknown>[] = [];
  for (const key of ['slow 1', 'slow 2', 'quick']) {
    asked.push(of(key).then((value) => order.push(value)));
    await wait(5);
  }
  await asked.at(-1);
  expect(order).toEqual(['QUICK']);
  finish();
  await Promise.all(asked);
  expect(order.length).toBe(3);
});

test('a statement has a bounded number of keys, whoever waits', async () => {
  const { tenantId } = await createTenant(db);
  const { batches, loadMany } = recording();
  const asked = Array.from({ length: 7 }, (_, n) =>
    loadMany(
      openAsAdmin(db, tenantId),
      Array.from({ length: 300 }, (_, at) => `${n} ${at}`),
    ),
  );
  const values = await Promise.all(asked);
  expect(values.map((found) => found[299])).toEqual(Array.from({ length: 7 }, (_, n) => `${n} 299`));
  expect(batches.map((keys) => keys.length)).toEqual([900, 900, 300]);
});

test('nothing is kept once it was answered', async () => {
  const { tenantId } = await createTenant(db);
  const [id] = await createGroups(tenantId, 1);
  const name = async () => (await findGroup(openAsAdmin(db, tenantId), id!))!.name;
  expect(await name()).toBe('Group 0');
  await db.sql(Prisma.sql`update groups set name = 'Renamed' where id = ${id}`);
  expect(await name()).toBe('Renamed');
});

test('a request that has a statement to itself, by its size, fails alone', async () => {
  const { tenantId } = await createTenant(db);
  const { loadMany } = recording();
  const many = Array.from({ length: 1_001 }, (_, index) => (index === 7 ? 'fails' : `${index}`));
  const asked = [many, ['a', 'b']].map((keys) => loadMany(openAsAdmin(db, tenantId), keys));
  const [failed, answered] = await Promise.all(asked);
  expect(answered).toEqual(['A', 'B']);
  expect(failed).toEqual(many.map(() => new Error('fails')));
});

test('each key is read once, however many ask for it', async () => {
  const { tenantId } = await createTenant(db);
  const { batches, loadMany } = recording();
  const asked = [['a', 'b'], ['b', 'c'], ['a']].map((keys) => loadMany(openAsAdmin(db, tenantId), keys));
  expect(await Promise.all(asked)).toEqual([['A', 'B'], ['B', 'C'], ['A']]);
  expect(batches).toEqual([['a', 'b', 'c']]);
});

test('what fails for one request fails for all that it asked for at once, and for nobody else', async () => {
  const { tenantId } = await createTenant(db);
  const { batches, load, loadMany } = recording();
  const asked = [
    ['a', 'fails'],
    ['a', 'b'],
  ].map((keys) => loadMany(openAsAdmin(db, tenantId), keys));
  expect(await Promise.all(asked)).toEqual([
    [new Error('fails'), new Error('fails')],
    ['A', 'B'],
  ]);
  expect(batches).toEqual([
    ['a', 'fails', 'b'],
    ['a', 'fails'],
    ['a', 'b'],
  ]);
  await expect(load(openAsAdmin(db, tenantId), 'fails')).rejects.toThrow('fails');
  expect(batches.slice(3)).toEqual([['fails']]);
});

test('a request has its answers until it changes something, and keys are told apart by what names them', async () => {
  const { tenantId } = await createTenant(db);
  const batches: unknown[] = [];
  type Key = { id: string; not: number };
  const load = loader({
    audience: 'administrators',
    keyOf: ({ id }: Key) => id,
    read: async (_, keys: readonly Key[]) => {
      batches.push(keys);
      return keys.map(({ id, not }) => (id === 'bad' ? new Error(id) : `${id} ${not}`));
    },
  });
  const directory = openAsAdmin(db, tenantId);
  const of = (id: string, not: number) => load(directory, { id, not });
  expect(await Promise.all([of('a', 1), of('a', 2), of('b', 3)])).toEqual(['a 1', 'a 1', 'b 3']);
  expect(await of('a', 4)).toBe('a 1');
  expect(batches).toEqual([
    [
      { id: 'a', not: 1 },
      { id: 'b', not: 3 },
    ],
  ]);
  directory.forget();
  expect(await of('a', 5)).toBe('a 5');
  const [bad, good] = await Promise.allSettled([of('bad', 6), of('c', 7)]);
  expect([bad, good]).toEqual([
    { status: 'rejected', reason: new Error('bad') },
    { status: 'fulfilled', value: 'c 7' },
  ]);
});

test('pages and counts that differ in one argument are never taken for each other', async () => {
  const { tenantId, userIds } = await createTenant(db, 6);
  const [groupId, emptyId] = await createGroups(tenantId, 2);
  await addGroupMembers(openAsAdmin(db, tenantId), { groupId: groupId!, userIds });
  const ids = userIds.toSorted();
  const all = await listMembers(openAsAdmin(db, tenantId), groupId!, { page: {} });
  const [one, two, , four, five] = all!.cursors;
  const asked: [object, string[]][] = [
    [{ page: { first: 2 } }, ids.slice(0, 2)],
    [{ page: { first: 3 } }, ids.slice(0, 3)],
    [{ page: { last: 2 } }, ids.slice(-2)],
    [{ page: { first: 2, offset: 1 } }, ids.slice(1, 3)],
    [{ page: { first: 2, offset: 2 } }, ids.slice(2, 4)],
    [{ page: { first: 2, skipPageInfo: true } }, ids.slice(0, 2)],
    [{ page: { first: 2, after: one } }, ids.slice(1, 3)],
    [{ page: { first: 2, after: two } }, ids.slice(2, 4)],
    [{ page: { last: 2, before: four } }, ids.slice(1, 3)],
    [{ page: { last: 2, before: five } }, ids.slice(2, 4)],
    [{ page: { first: 5, after: one, before: four } }, ids.slice(1, 3)],
    [{ page: { first: 5, after: one, before: five } }, ids.slice(1, 4)],
    [{ page: { first: 5, after: two, before: five } }, ids.slice(2, 4)],
    [{ page: { first: 2 }, search: ids[4]!.toLowerCase() }, ids.slice(4, 5)],
    [{ page: { first: 2 }, orderBy: { field: 'USER_ID', direction: 'DESC' } }, ids.slice(4).reverse()],
  ];
  const read = async (open: () => ReturnType<typeof openAsAdmin>) => {
    const pages = await Promise.all(asked.map(([args]) => listMembers(open(), groupId!, args as never)));
    for (const [at, page] of pages.entries()) {
      expect(
        page!.rows.map((row) => row.userId),
        JSON.stringify(asked[at]![0]),
      ).toEqual(asked[at]![1]);
    }
  };
  await read(() => openAsAdmin(db, tenantId));
  const together = openAsAdmin(db, tenantId);
  await read(() => together);
  const counts = (open: () => ReturnType<typeof openAsAdmin>) =>
    Promise.all([
      countMembers(open(), groupId!, { search: 'usr_' }),
      countMembers(open(), groupId!, { search: ids[4]!.toLowerCase() }),
      countMembers(open(), emptyId!, { search: 'usr_' }),
    ]);
  expect(await counts(() => openAsAdmin(db, tenantId))).toEqual([6, 1, 0]);
  expect(await counts(() => together)).toEqual([6, 1, 0]);
});

describe('turns', () => {
  afterEach(() => {
    vi.useRealTimers();
  });
  const tenant = (id: string): Visibility => ({ kind: 'tenant', tenantId: id as TenantId });
  const partner = (id: string): Visibility => ({ kind: 'partner', partnerId: id as PartnerId });

  /** Works that end when they are told to; time passes only when it is told to. */
  function controlled() {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const begun: string[] = [];
    const ends = new Map<string, (failure?: Error) => void>();
    const none = {} as Database;
    const turns = sharedBatches<string, string>(
      (directory, items) =>
        new Promise((resolve, reject) => {
          const name = items.join('+');
          begun.push(name);
          expect(directory.db).toBe(none);
          ends.set(name, (failure) => (failure ? reject(failure) : resolve(items.map((item) => `${item}!`))));
        }),
    );
    const of = (visibility: Visibility, kind?: string) => turns(new Reader(none, visibility), kind);
    const ask = (item: string, visibility: Visibility = tenant('a'), kind?: string) =>
      of(visibility, kind).load(item);
    /** Until all that is due has happened. */
    const settle = async () => {
      for (let n = 0; n < 5; n += 1) await immediate();
    };
    return { begun, ends, of, ask, settle };
  }

  test('two works of one kind are under way at once; who comes meanwhile shares the next', async () => {
    const { begun, ends, ask, settle } = controlled();
    const answers: Promise<string>[] = [];
    for (const item of ['1', '2', '3', '4']) {
      answers.push(ask(item));
      await settle();
    }
    expect(begun).toEqual(['1', '2']);
    answers.push(ask('5'));
    await settle();
    expect(begun).toEqual(['1', '2']);
    ends.get('2')!();
    await settle();
    expect(begun).toEqual(['1', '2', '3+4+5']);
    ends.get('3+4+5')!();
    ends.get('1')!();
    expect(await Promise.all(answers)).toEqual(['1!', '2!', '3!', '4!', '5!']);
  });

  test('a work of 25 ms keeps nobody waiting any longer, and gives its turn back once', async () => {
    const { begun, ends, ask, settle } = controlled();
    for (const item of ['1', '2', '3']) {
      void ask(item);
      await settle();
    }
    vi.advanceTimersByTime(24);
    await settle();
    expect(begun).toEqual(['1', '2']);
    vi.advanceTimersByTime(1);
    await settle();
    expect(begun).toEqual(['1', '2', '3']);
    // Two turns were given back and one was taken; the ends of the first two give back none.
    ends.get('1')!();
    ends.get('2')!();
    await settle();
    for (const item of ['4', '5']) {
      void ask(item);
      await settle();
    }
    expect(begun).toEqual(['1', '2', '3', '4']);
  });

  test('a work that fails gives its turn back, and fails those who shared it', async () => {
    const { begun, ends, ask, settle } = controlled();
    ask('0').catch(() => {});
    await settle();
    const first = Promise.allSettled([ask('1'), ask('2')]);
    await settle();
    const next = ask('3');
    await settle();
    ends.get('1+2')!(new Error('away'));
    expect(await first).toEqual([
      { status: 'rejected', reason: new Error('away') },
      { status: 'rejected', reason: new Error('away') },
    ]);
    expect(begun).toEqual(['0', '1+2', '3']);
    ends.get('3')!();
    expect(await next).toBe('3!');
  });

  test('kinds, tenants, partners and those who see all have turns of their own', async () => {
    const { begun, ask, settle } = controlled();
    const visibilities: Visibility[] = [
      tenant('a'),
      tenant('b'),
      partner('a'),
      partner('b'),
      { kind: 'all' },
    ];
    for (const [at, visibility] of visibilities.entries()) {
      for (const kind of [undefined, 'x', 'y']) ask(`${at}${kind}`, visibility, kind).catch(() => {});
    }
    await settle();
    expect(begun).toEqual(visibilities.flatMap((_, at) => [`${at}undefined`, `${at}x`, `${at}y`]));
  });

  test('are forgotten when nothing waits or runs, and not before', async () => {
    const { ends, of, ask, settle } = controlled();
    const first = of(tenant('a'));
    void ask('1');
    await settle();
    void ask('2');
    await settle();
    ends.get('1')!();
    await settle();
    expect(of(tenant('a'))).toBe(first);
    ends.get('2')!();
    await settle();
    expect(of(tenant('a'))).not.toBe(first);
  });

  test('what comes next is sent before the result is given', async () => {
    const order: unknown[] = [];
    const ended = Promise.withResolvers<void>();
    const turns = sharedBatches<string, string>(async (_, items) => {
      // As the pool does: a statement is sent in the next tick.
      process.nextTick(() => order.push(`sent ${items}`));
      await ended.promise;
      for (let n = items.includes('1') ? 0 : 5; n > 0; n -= 1) await immediate();
      return [...items];
    });
    const shared = new Reader({} as Database, tenant('a'));
    const asked: Promise<unknown>[] = [];
    for (const item of ['1', '2', '3']) {
      asked.push(
        turns(shared)
          .load(item)
          .then((value) => order.push(`given ${value}`)),
      );
      for (let n = 0; n < 5; n += 1) await immediate();
    }
    ended.resolve();
    await Promise.all(asked);
    expect(order).toEqual(['sent 1', 'sent 2', 'sent 3', 'given 1', 'given 2', 'given 3']);
  });
});

test.each([
  [[], []],
  [[1_000], [[1_000]]],
  [[500, 500], [[500, 500]]],
  [
    [500, 501],
    [[500], [501]],
  ],
  [
    [1, 1_500, 1, 999, 1],
    [[1], [1_500], [1, 999], [1]],
  ],
  [[0, 0], [[0, 0]]],
])('items of sizes %j become the chunks %j', (sizes, expected) => {
  expect(chunksOf(sizes as number[], (size) => size, 1_000)).toEqual(expected);
});

describe('closures that outlive a request', () => {
  const head = (position: number, changeId = `change ${position}`) => ({ position, changeId });
  /** A reader of a database that answers with these closures, of which nothing is counted. */
  function readerOf(tenantId = 'tnt_a') {
    const db = {
      sql: async ({ values }: { values: unknown[] }) =>
        (values.find(Array.isArray) as string[]).map((id) => ({
          id,
          ids: id.startsWith('large') ? 'x'.repeat(16_000_000 - 800 - `tnt_a ${id}`.length) : id,
          size: 1,
          head: '5 change-5',
          count: null,
        })),
    } as unknown as Database;
    return tenantReader(db, tenantId as TenantId);
  }

  test('take 64 MB at most, of which each takes a byte a character of its name and its ids, and 800 bytes', async () => {
    const reader = readerOf();
    const ids = ['large 1', 'large 2', 'large 3', `large ${'4'.repeat(9_000)}`];
    const cached = (...more: string[]) => [...ids, ...more].filter((id) => cachedClosure(reader, id));
    for (const id of ids) await readClosures(reader, [id], false);
    expect(cached()).toEqual(ids);
    // One more takes the place of what was not used for longest.
    for (const id of [ids[0]!, ids[2]!, ids[3]!]) cachedClosure(reader, id);
    await readClosures(reader, ['small'], false);
    expect(cached('small')).toEqual([ids[0], ids[2], ids[3], 'small']);
  });

  test('are of one database and one tenant', async () => {
    const [mine, theirs] = [readerOf(), readerOf()];
    await readClosures(mine, ['a'], false);
    expect(cachedClosure(mine, 'a')).toMatchObject({ ids: 'a', head: head(5, 'change-5') });
    expect(cachedClosure(theirs, 'a')).toBeUndefined();
    expect(cachedClosure(tenantReader(mine.db, 'tnt_b' as TenantId), 'a')).toBeUndefined();
  });

  test('are valid while their log is of the same history and none of their nestings has changed', () => {
    const change = (position: number, of: object) => ({
      ...head(position),
      groupId: null,
      changesMembers: false,
      changesNestings: false,
      ...of,
    });
    const tail = new Tail(head(5));
    tail.append([
      change(6, { groupId: 'grp_m', changesMembers: true }),
      change(7, { groupId: 'grp_n', changesNestings: true }),
      change(8, {}),
    ] as never);
    const isSame = (ids: string, one: Head, other: Head) =>
      isSameClosure(tail, { ids, size: 1, head: one }, one, other);
    // What the log has not, or no more, cannot be told to be valid.
    expect([4, 5, 8, 9].map((position) => isSame('grp_m', head(position), head(8)))).toEqual([
      false,
      true,
      true,
      false,
    ]);
    expect(isSame('grp_m', head(8), head(9))).toBe(false);
    expect(isSame('grp_m', head(6, 'change 6 of a lost history'), head(8))).toBe(false);
    // Whichever of the two is earlier.
    for (const position of [5, 6, 7, 8])
      for (const [one, other] of [
        [head(position), head(8)],
        [head(8), head(position)],
      ] as const)
        expect(isSame('grp_l,grp_n,grp_o', one, other), `${position}`).toBe(position >= 7);
  });
});

test('a value is loaded for its audience alone', async () => {
  const { tenantId, userIds } = await createTenant(db, 2);
  const [mine, theirs] = userIds;
  const user = openDirectory(db, plainUser(tenantId, mine!));
  const read = async (_: Reader, keys: readonly string[]) => keys.map((key) => key);
  const ofAdministrators = loader({ audience: 'administrators', read });
  const ofSelf = loader({ audience: 'self', read });
  const ofAnyone = loader({ audience: 'anyone', read });
  const asked = (directory: Directory, key: string) =>
    Promise.all([ofAdministrators(directory, key), ofSelf(directory, key), ofAnyone(directory, key)]);
  expect(await asked(user, mine!)).toEqual([null, mine, mine]);
  expect(await asked(user, theirs!)).toEqual([null, null, theirs]);
  expect(await asked(openAsAdmin(db, tenantId), mine!)).toEqual([mine, mine, mine]);
});
