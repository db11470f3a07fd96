// The change feed without HTTP: what a listener has read, what it is shown of it, and how a feed ends.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Database, Prisma, type Sql } from '../../src/database/database.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { eraseUsers } from '../../src/domain/commands/remove-users.ts';
import { updateGroup } from '../../src/domain/commands/update-group.ts';
import { upsertUsers } from '../../src/domain/commands/upsert-users.ts';
import { openDirectory } from '../../src/domain/directory.ts';
import { openFeed } from '../../src/domain/queries/change-feed.ts';
import { listChanges } from '../../src/domain/queries/changes.ts';
import { findGroup } from '../../src/domain/queries/groups.ts';
import { printLogCursor } from '../../src/model/log-cursors.ts';
import { createTenant, openAsAdmin, partnerAdmin, plainUser, superAdmin } from '../support/directories.ts';
import { refusal } from '../support/group-worlds.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await openTestDatabase();
  db = database.db;
});
afterAll(() => database.close());

test('a listener that takes its time is shown each change with its group as it is then', async () => {
  const { tenantId } = await createTenant(db);
  const directory = openAsAdmin(db, tenantId);
  const { group } = await createGroup(directory, { tenantId, name: 'Old' });
  await updateGroup(directory, { id: group.id, description: 'Text' });
  // Both changes are of one batch.
  const listener = openAsAdmin(db, tenantId);
  const feed = await openFeed(listener, { tenantId, after: '0' });
  await feed.next();
  expect((await findGroup(listener, group.id))!.name).toBe('Old');
  await updateGroup(openAsAdmin(db, tenantId), { id: group.id, name: 'New' });
  expect((await feed.next()).value).toMatchObject({ position: 2 });
  expect((await findGroup(listener, group.id))!.name).toBe('New');
  await feed.return();
});

describe('a listener that takes its time', () => {
  const pause = () => new Promise((resolve) => setTimeout(resolve, 100));

  test('is shown nothing more of a tenant that it no longer sees', async () => {
    const { tenantId, partnerId } = await createTenant(db);
    const { partnerId: other } = await createTenant(db);
    const directory = openAsAdmin(db, tenantId);
    for (const name of ['One', 'Two', 'Three']) await createGroup(directory, { tenantId, name });
    const feed = await openFeed(openDirectory(db, partnerAdmin(partnerId)), { tenantId, after: '0' });
    expect((await feed.next()).value).toMatchObject({ position: 1 });
    await db.sql(Prisma.sql`update tenants set partner_id = ${other} where id = ${tenantId}`);
    await pause();
    expect((await feed.next()).done).toBe(true);
  });

  test('is shown no personal data that was erased meanwhile, and each change once', async () => {
    const { tenantId, userIds } = await createTenant(db, 1);
    const upsert = (displayName: string) =>
      upsertUsers(openDirectory(db, superAdmin), {
        tenantId,
        users: [{ id: userIds[0]!, email: 'ann@example.org', displayName }],
      });
    for (const name of ['Ann', 'Anne', 'Anna']) await upsert(name);
    const [first] = (await listChanges(openAsAdmin(db, tenantId), tenantId, { page: { first: 1 } }))!.rows;
    const feed = await openFeed(openAsAdmin(db, tenantId), {
      tenantId,
      after: printLogCursor(first!),
      projection: { data: true },
    });
    await feed.next();
    await eraseUsers(openAsAdmin(db, tenantId), { tenantId, userIds });
    await pause();
    const rest = [(await feed.next()).value, (await feed.next()).value, (await feed.next()).value];
    expect(JSON.stringify(rest)).not.toMatch(/Ann|example/);
    expect(rest.map((change) => change!.type)).toEqual(['users.upserted', 'users.removed', 'users.erased']);
    await feed.return();
  });
});

test('a log of more than a batch comes whole, and a feed can end in the middle of it', async () => {
  const { tenantId } = await createTenant(db);
  const directory = openAsAdmin(db, tenantId);
  for (let at = 0; at < 120; at += 1) await createGroup(directory, { tenantId, name: `Group ${at}` });
  const read = async (after: string, count: number) => {
    const feed = await openFeed(openAsAdmin(db, tenantId), { tenantId, after });
    const cursors: string[] = [];
    while (cursors.length < count) cursors.push(printLogCursor((await feed.next()).value));
    await feed.return();
    expect((await feed.next()).done).toBe(true);
    return cursors;
  };
  const all = await read('0', 120);
  expect(all.map((cursor) => cursor.split('.')[0])).toEqual(
    Array.from({ length: 120 }, (_, at) => String(at + 1)),
  );
  expect(await read(all[69]!, 50)).toEqual(all.slice(70));
});

test('a feed waits for a database that is away, and skips and doubles nothing', async () => {
  const { tenantId } = await createTenant(db);
  let isAway = false;
  const shaky = {
    ...db,
    sql: (statement: Sql) =>
      // The heads are still told: what has changed cannot be read.
      isAway && !statement.text.includes(' as head')
        ? Promise.reject(Object.assign(new Error('terminating connection'), { code: '57P01' }))
        : db.sql(statement),
  } as Database;
  const feed = await openFeed(openDirectory(shaky, superAdmin), { tenantId, after: '0' });
  const create = (name: string) => createGroup(openAsAdmin(db, tenantId), { tenantId, name });
  const taken: unknown[] = [];
  for (const [at, away] of [
    [1, 0],
    [2, 100],
    [3, 600],
  ] as const) {
    const next = feed.next();
    isAway = away > 0;
    await create(`Group ${at}`);
    await new Promise((resolve) => setTimeout(resolve, away));
    isAway = false;
    taken.push((await next).value!.position);
  }
  expect(taken).toEqual([1, 2, 3]);
  await feed.return();
});

test('a feed that waits ends as soon as it is told to', async () => {
  const { tenantId } = await createTenant(db);
  const feed = await openFeed(openAsAdmin(db, tenantId), { tenantId });
  const waiting = feed.next();
  await new Promise((resolve) => setTimeout(resolve, 200));
  const started = performance.now();
  await feed.return();
  expect(await waiting).toEqual({ done: true, value: undefined });
  expect(performance.now() - started).toBeLessThan(1_000);
});

test('a feed is refused to end users', async () => {
  const { tenantId, userIds } = await createTenant(db, 1);
  const user = openDirectory(db, plainUser(tenantId, userIds[0]!));
  expect(await refusal(openFeed(user, { tenantId, after: '0' }))).toMatchObject({ code: 'NOT_FOUND' });
});
