// What requests that wait at the same time share: one statement where callers see the same, and never more than that.
import { setImmediate as immediate } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Database, Prisma } from '../../src/database/database.ts';
import { addGroupMembers } from '../../src/domain/commands/add-members.ts';
import { removeGroupMembers } from '../../src/domain/commands/change-members.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { upsertUsers } from '../../src/domain/commands/upsert-users.ts';
import { type Directory, openDirectory, Reader, tenantReader } from '../../src/domain/directory.ts';
import { inChunks, loader } from '../../src/domain/loading/batching.ts';
import { findGroup } from '../../src/domain/queries/groups.ts';
import { countMembers, listMembers } from '../../src/domain/queries/members.ts';
import { logCache, rowsBytes } from '../../src/domain/sharing/log-cache.ts';
import { sharedBatches } from '../../src/domain/sharing/shared-batches.ts';
import { Tail } from '../../src/domain/sharing/tail.ts';
import type { Visibility } from '../../src/model/caller.ts';
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
  // Two kinds of pages, and before them the log that tells how long they may be kept.
  expect(statements.map((text) => (text.includes('from memberships') ? 'pages' : 'log'))).toEqual([
    'log',
    'pages',
    'pages',
  ]);
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
      for (const kind of [undefined, 'x', 'y']) void ask(`${at}${kind}`, visibility, kind);
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
])('items of sizes %j are worked on as %j', async (sizes, expected) => {
  const chunks: (readonly number[])[] = [];
  const results = await inChunks(
    sizes,
    (size) => size,
    async (chunk) => {
      chunks.push(chunk);
      // The last chunk is the first to end.
      for (let n = 10 - chunks.length; n > 0; n -= 1) await immediate();
      return chunk.map((size) => -size);
    },
  );
  expect(chunks).toEqual(expected);
  expect(results).toEqual(sizes.map((size) => -size));
});

describe('what outlives a request', () => {
  const head = (position: number, changeId = `change ${position}`) => ({ position, changeId });
  const tenantOf = (db: Database, id = 'tnt_a') => tenantReader(db, id as TenantId);

  test('is kept within 64 MB, of which each entry takes two bytes a character of its name, its value and 800 bytes', () => {
    const cache = logCache<{ bytes: number }>(({ bytes }) => bytes);
    const reader = tenantOf({} as Database);
    const set = (key: string, bytes: number) =>
      cache.set(reader, key, { value: { bytes }, head: head(0), sources: {} });
    // An entry of exactly a quarter, by value and by name, which begins with the tenant's.
    const quarter = (key: string) => set(key, 16_000_000 - 800 - 2 * `tnt_a ${key}`.length);
    const kept = () => ['a', 'b', 'c', 'd'.repeat(9_000), 'e'].filter((key) => cache.peek(reader, key));
    for (const key of ['a', 'b', 'c', 'd'.repeat(9_000)]) quarter(key);
    expect(kept()).toEqual(['a', 'b', 'c', 'd'.repeat(9_000)]);
    // One entry more takes the place of what was not used for longest.
    expect(cache.peek(reader, 'a')!.value).toEqual({ bytes: 16_000_000 - 800 - 14 });
    for (const key of ['c', 'd'.repeat(9_000), 'a']) cache.peek(reader, key);
    set('e', 0);
    expect(kept()).toEqual(['a', 'c', 'd'.repeat(9_000), 'e']);
    set('too large', 64_000_000);
    expect(cache.peek(reader, 'too large')).toBeUndefined();
    expect(kept()).toHaveLength(4);
  });

  test('takes what the objects of its rows and all texts in them take', () => {
    expect(rowsBytes([])).toBe(0);
    expect(rowsBytes([{ id: 'abc', no: 7, none: null, at: new Date(0) }])).toBe(506);
    expect(rowsBytes([{ id: 'a', user: { email: 'bc' } }, { id: '' }])).toBe(1_006);
  });

  test('is of one database, one tenant and one cache', () => {
    const [mine, theirs] = [{} as Database, {} as Database];
    const [cache, other] = [logCache<object>(() => 0), logCache<object>(() => 0)];
    const value = { of: 'mine' };
    cache.set(tenantOf(mine), 'a', { value, head: head(3), sources: {} });
    expect(cache.peek(tenantOf(mine), 'a')!.value).toBe(value);
    expect(cache.peek(tenantOf(theirs), 'a')).toBeUndefined();
    expect(cache.peek(tenantOf(mine, 'tnt_b'), 'a')).toBeUndefined();
    expect(other.peek(tenantOf(mine), 'a')).toBeUndefined();
    const tail = new Tail(head(3));
    expect(cache.get(tenantOf(mine), 'a', tail)!.value).toBe(value);
    expect(cache.get(tenantOf(mine, 'tnt_b'), 'a', tail)).toBeUndefined();
    expect(cache.get(tenantOf(theirs), 'a', tail)).toBeUndefined();
  });

  test('is given again while its log is of the same history and no source of it has changed', () => {
    const reader = tenantOf({} as Database);
    const cache = logCache<object>(() => 0);
    const value = {};
    const set = (position: number, sources = {}, changeId?: string) =>
      cache.set(reader, 'a', { value, head: head(position, changeId), sources });
    const isGiven = (tail: Tail) => cache.get(reader, 'a', tail)?.value === value;
    const change = (position: number, of: object) => ({
      ...head(position),
      groupId: null,
      userIds: null,
      changesMembers: false,
      changesNestings: false,
      changesAnything: false,
      ...of,
    });
    const tail = new Tail(head(5));
    tail.append([
      change(6, { groupId: 'grp_m', changesMembers: true }),
      change(7, { groupId: 'grp_n', changesNestings: true }),
      change(8, { userIds: ['usr_u'] }),
    ] as never);
    // What the log has not, or no more, cannot be told to be valid.
    for (const position of [4, 9]) {
      set(position);
      expect(isGiven(tail), `${position}`).toBe(false);
    }
    set(6, {}, 'change 6 of a lost history');
    expect(isGiven(tail)).toBe(false);
    const sources: [object, number][] = [
      [{}, 5],
      [{ members: 'grp_l,grp_m,grp_o' }, 6],
      [{ nestings: 'grp_n' }, 7],
      [{ users: ['usr_t', 'usr_u'] }, 8],
      [{ members: 'grp_n', nestings: 'grp_m', users: ['usr_t'] }, 5],
      [{ members: 'grp_m', nestings: 'grp_n', users: ['usr_u'] }, 8],
    ];
    for (const [some, from] of sources) {
      for (const position of [5, 6, 7, 8]) {
        set(position, some);
        expect(isGiven(tail), `${JSON.stringify(some)} at ${position}`).toBe(position >= from);
      }
    }
    // One that was found valid is valid from then on.
    set(5);
    expect(isGiven(tail)).toBe(true);
    expect(cache.peek(reader, 'a')!.head).toEqual(head(8));
  });

  test('as a page of members is given again until they change, and for its arguments alone', async () => {
    const { tenantId, userIds } = await createTenant(db, 3);
    const [groupId, other] = await createGroups(tenantId, 2);
    const admin = openAsAdmin(db, tenantId);
    await addGroupMembers(admin, { groupId: groupId!, userIds });
    const ids = userIds.toSorted();
    /** The users of a page, and whether it was read. */
    const read = async (args: object = {}, id = groupId!) => {
      statements.splice(0);
      const page = await listMembers(openAsAdmin(db, tenantId), id, { page: { first: 2 }, ...args });
      const reads = statements.filter((text) => text.includes('from memberships')).length;
      // One statement asks the log; where nothing is cached yet, what is known of it will do.
      expect(statements.length - reads).toBeLessThanOrEqual(1);
      if (reads === 0) expect(statements).toHaveLength(1);
      return [page!.rows.map((row) => row.userId), reads];
    };
    const descending = { orderBy: { field: 'USER_ID', direction: 'DESC' } };
    expect(await read()).toEqual([ids.slice(0, 2), 1]);
    expect(await read()).toEqual([ids.slice(0, 2), 0]);
    expect(await read({ page: { first: 3 } })).toEqual([ids, 1]);
    expect(await read({ page: { last: 2 } })).toEqual([ids.slice(1), 1]);
    expect(await read({ page: { first: 2, withTotal: true } })).toEqual([ids.slice(0, 2), 1]);
    expect(await read(descending)).toEqual([ids.slice(1).reverse(), 1]);
    expect(await read({}, other)).toEqual([[], 1]);
    for (const args of [{}, { page: { first: 3 } }, { page: { last: 2 } }, descending])
      expect((await read(args))[1], JSON.stringify(args)).toBe(0);
    // Changes of other groups, and of users who are not on the page, leave it as it is.
    await addGroupMembers(admin, { groupId: other!, userIds: [ids[0]!] });
    await upsertUsers(admin, { tenantId, users: [{ id: ids[2]!, email: 'renamed@example.org' }] });
    expect(await read()).toEqual([ids.slice(0, 2), 0]);
    expect(await read({ page: { first: 3 } })).toEqual([ids, 1]);
    expect(await read({}, other)).toEqual([ids.slice(0, 1), 1]);
    await removeGroupMembers(admin, { groupId: groupId!, userIds: [ids[0]!] });
    expect(await read()).toEqual([ids.slice(1), 1]);
    expect(await read()).toEqual([ids.slice(1), 0]);
    // A change of any user may change what a search finds, and the order by email: such pages are not cached.
    for (const args of [{ search: 'usr_' }, { orderBy: { field: 'EMAIL', direction: 'ASC' } }]) {
      await read(args);
      expect((await read(args))[1], JSON.stringify(args)).toBe(1);
    }
  });

  test('is no page that was read before a change which others had seen when it was kept', async () => {
    const { tenantId, userIds } = await createTenant(db, 2);
    const [groupId, other] = await createGroups(tenantId, 2);
    await addGroupMembers(openAsAdmin(db, tenantId), { groupId: groupId!, userIds });
    const ids = userIds.toSorted();
    let isFirst = true;
    const slow: Database = {
      ...db,
      sql: async (statement) => {
        const rows = await db.sql<never>(statement);
        if (
          isFirst &&
          statement.text.includes('from memberships') &&
          statement.values.flat().includes(groupId)
        ) {
          isFirst = false;
          // Before the page reaches its reader, a member is removed, and others of the process learn of it.
          await removeGroupMembers(openAsAdmin(slow, tenantId), { groupId: groupId!, userIds: [ids[0]!] });
          await read(other!);
          await read(other!);
        }
        return rows;
      },
    };
    const read = async (id: string) =>
      (await listMembers(openAsAdmin(slow, tenantId), id, { page: {} }))!.rows.map((row) => row.userId);
    await read(other!);
    expect(await read(groupId!)).toEqual(ids);
    expect(isFirst).toBe(false);
    expect(await read(groupId!)).toEqual(ids.slice(1));
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
