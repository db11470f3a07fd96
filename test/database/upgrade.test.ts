// Upgrades: the migration to the log carries a directory of the version before over, whole and in one transaction.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { KEY_RULES } from '../../src/database/case-keys.ts';
import { Client } from '../../src/database/client.ts';
import { type Database, Prisma } from '../../src/database/database.ts';
import { openDatabase } from '../../src/database/open.ts';
import { openPglite } from '../../src/database/pglite.ts';
import { openPostgresql } from '../../src/database/postgresql.ts';
import { addGroupMembers } from '../../src/domain/commands/add-members.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { deleteGroup } from '../../src/domain/commands/delete-group.ts';
import { restoreGroup } from '../../src/domain/commands/restore-group.ts';
import { upsertUsers } from '../../src/domain/commands/upsert-users.ts';
import { openDirectory } from '../../src/domain/directory.ts';
import { checkDirectory } from '../../src/domain/integrity/check.ts';
import { countEffectiveMembers, listEffectiveMembers } from '../../src/domain/queries/effective-members.ts';
import type { GroupId, TenantId } from '../../src/model/ids.ts';
import { openAsAdmin, platform, superAdmin } from '../support/directories.ts';
import { createDatabase } from '../support/postgresql.ts';
import { PATIENT } from '../support/timeouts.ts';
import {
  applyEarlierMigrations,
  INSERT_OLD_DIRECTORY,
  LOG_MIGRATION,
  OLD_DIRECTORY,
  type OldEvent,
  SCRIPTS,
  STATE,
} from '../support/version-before-log.ts';

type Created = Awaited<ReturnType<typeof createDatabase>>;
const nameOf = ({ url }: Created) => new URL(url).pathname.slice(1);

/** Runs a script of several statements. */
async function runOn(url: string, script: string): Promise<void> {
  const client = new Client(url);
  await client.connect();
  await client.query(script).finally(() => client.end());
}

const open = ({ url }: Created) => openDatabase({ url, dataDir: '', timeouts: PATIENT });

/** Rows of a statement without parameters. */
const read = <Row extends object>(db: Pick<Database, 'sql'>, statement: string) =>
  db.sql<Row>(Prisma.sql`${Prisma.raw(statement)}`);

/** An empty database of the version before; the directory in it; and the same one migrated. None is connected to. */
let empty: Created;
let before: Created;
let migrated: Created;
const made: Created[] = [];
async function copy(template: Created): Promise<Created> {
  const database = await createDatabase({ template: nameOf(template) });
  made.push(database);
  return database;
}

beforeAll(async () => {
  empty = await createDatabase();
  await applyEarlierMigrations((script) => runOn(empty.url, script));
  before = await copy(empty);
  await runOn(before.url, INSERT_OLD_DIRECTORY);
  migrated = await copy(before);
  await (await open(migrated)).close();
});
afterAll(async () => {
  for (const { drop } of [...made, empty]) await drop();
});

/** A script that is run on the version before, with what it becomes. */
async function migrate(script: string, template = empty): Promise<Database & AsyncDisposable> {
  const database = await copy(template);
  await runOn(database.url, script);
  const db = await open(database);
  return { ...db, [Symbol.asyncDispose]: () => db.close() };
}

async function openMigrated(): Promise<Database & AsyncDisposable> {
  const db = await open(await copy(migrated));
  return { ...db, [Symbol.asyncDispose]: () => db.close() };
}

const stateOf = async (db: Database) =>
  (await read<{ line: string }>(db, STATE)).map(({ line }) => line).sort();

/**
 * All positions of a directory with the times they were given for, in both tables of edges, the log and the users. `from` and
 * `to` are bounds of one interval.
 */
const POSITIONS = `
  select tenant_id, position, at from changes
  union all select tenant_id, since, created_at from users
  union all select tenant_id, since, added_at from memberships
  union all select tenant_id, since, added_at from membership_history
  union all select tenant_id, until, ended_at from membership_history
  union all select tenant_id, since, created_at from nestings
  union all select tenant_id, since, created_at from nesting_history
  union all select tenant_id, until, ended_at from nesting_history`;

/** Pairs of intervals of one edge that overlap, and intervals that hold at no position. */
const OVERLAPS = `
  with edges as (
    select tenant_id, group_id as a, user_id as b, since, until from membership_history
    union all select tenant_id, group_id, user_id, since, null from memberships
    union all select tenant_id, parent_group_id, child_group_id, since, until from nesting_history
    union all select tenant_id, parent_group_id, child_group_id, since, null from nestings)
  select one.* from edges one join edges other using (tenant_id, a, b)
  where one.since < other.since and (one.until is null or one.until > other.since)
  union all select * from edges where until <= since or since < 1`;

test('migrations change no rows, which would hold locks while servers of the version before run', () => {
  // The exceptions are the migration to the log and the one after it, which changes a row a tenant: those servers can use none of the tables after it, so they are stopped first,
  // and rows that were left to a later start would have no place to wait in.
  const rows = [...SCRIPTS].flatMap(([name, script]) =>
    (script.match(/^\s*(update|delete|insert|merge|with)\b.*/gim) ?? []).map((line) => [name, line.trim()]),
  );
  expect(rows.filter(([name]) => name !== LOG_MIGRATION)).toEqual([
    [
      '20261125030000_counts_and_covering_indexes',
      `INSERT INTO "backfills" ("name") VALUES ('member_counts');`,
    ],
    ['20261126171500_undo_of_orphan', `INSERT INTO "backfills" ("name") VALUES ('undo_of_orphan');`],
    ['20261127130000_group_and_user_history', 'UPDATE "tenant_logs" SET "exact_from" = "position";'],
  ]);
  expect([...SCRIPTS.keys()]).toContain(LOG_MIGRATION);
});

describe('a directory that the commands of the version before made', () => {
  test('has the groups, members and nestings that it had, and no fault', async () => {
    await using db = await openMigrated();
    expect(await stateOf(db)).toEqual(OLD_DIRECTORY.state);
    expect(await checkDirectory(db)).toEqual([]);
    const directory = openDirectory(db, superAdmin);
    for (const { id, users } of OLD_DIRECTORY.members) {
      const page = await listEffectiveMembers(directory, id as GroupId, { page: { first: 100 } });
      expect(page!.rows.map(({ userId }) => userId)).toEqual(users);
      expect(await countEffectiveMembers(directory, id as GroupId)).toBe(users.length);
    }
    expect(OLD_DIRECTORY.members.length).toBeGreaterThan(5);
  });

  test('has every event as a change: in its order, by its author, about its users, at its time', async () => {
    await using db = await openMigrated();
    for (const tenantId of ['tnt_one', 'tnt_two']) {
      const changes = await db.sql<{
        position: number;
        ordinal: number;
        changeId: string;
        at: Date;
      }>(Prisma.sql`
        select position::int as position, ordinal, change_id as "changeId", at from changes
        where tenant_id = ${tenantId} order by position, ordinal`);
      const events = OLD_DIRECTORY.group_events.filter((event) => event.tenant_id === tenantId);
      // The directory was made by one command at a time, and its rows are in the order in which they were stored.
      expect(
        await db.sql(Prisma.sql`
          select type, actor_id, actor_type, group_id, at, cause, user_ids, group_ids, data from changes
          where tenant_id = ${tenantId} order by position, ordinal`),
      ).toEqual(events.map(changeOf));
      expect(events.length).toBeGreaterThan(50);
      // A transaction is a position, and has an id; the last one's is that of the head if nothing came after it.
      const transactions = [...Map.groupBy(events, (event) => event.transaction_id).values()];
      const positions = [...Map.groupBy(changes, ({ position }) => position).values()];
      expect(positions.map(({ length }) => length)).toEqual(transactions.map(({ length }) => length));
      expect(positions.map((rows) => new Set(rows.map(({ changeId }) => changeId)).size)).toEqual(
        positions.map(() => 1),
      );
      expect(new Set(changes.map(({ changeId }) => changeId)).size).toBe(positions.length);
      expect(positions.flatMap((rows) => rows.map(({ ordinal }) => ordinal))).toEqual(
        positions.flatMap((rows) => rows.map((_, index) => index)),
      );
    }
  });

  test('has positions without a gap, in the order of times, up to the head, from which on they are exact', async () => {
    await using db = await openMigrated();
    const rows = await read<{ tenant_id: string; position: number; times: string[] }>(
      db,
      `select tenant_id, position::int as position, array_agg(distinct at::text) as times
        from (${POSITIONS}) p group by 1, 2 order by 1, position, min(at)`,
    );
    const heads = await read<{ tenant_id: string; position: number; exact_from: number; at: string }>(
      db,
      `select tenant_id, position::int as position, exact_from::int as exact_from, at::text from tenant_logs order by 1`,
    );
    expect(heads.map(({ tenant_id }) => tenant_id)).toEqual(['tnt_empty', 'tnt_one', 'tnt_two']);
    for (const { tenant_id, position: head, exact_from, at } of heads) {
      const own = rows.filter((row) => row.tenant_id === tenant_id);
      expect(own.map(({ position }) => position)).toEqual(
        Array.from({ length: head }, (_, index) => index + 1),
      );
      // Each position is of one time, and later positions are of later times.
      const times = own.map((row) => row.times);
      expect(times.every(({ length }) => length === 1)).toBe(true);
      expect(times.flat().map(Date.parse)).toEqual(
        times
          .flat()
          .map(Date.parse)
          .toSorted((a, b) => a - b),
      );
      expect(exact_from).toBe(head);
      if (own.length > 0) expect(at).toBe(own.at(-1)!.times[0]);
    }
    expect(heads[0]).toMatchObject({ position: 0, exact_from: 0 });
    expect(await read(db, OVERLAPS)).toEqual([]);
  });

  test('knows the tenant of each id, and who ended what, why and by which deletion', async () => {
    await using db = await openMigrated();
    const { users, groups, membership_history, nesting_history } = OLD_DIRECTORY;
    const byId = (one: { id: unknown }, other: { id: unknown }) =>
      String(one.id) < String(other.id) ? -1 : 1;
    // Users who were removed too, as far as the history names them.
    const removed = membership_history
      .map(({ user_id: id, tenant_id }) => ({ id, tenant_id }))
      .filter(({ id }, at, all) => all.findIndex((other) => other.id === id) === at)
      .filter(({ id }) => !users.some((user) => user.id === id));
    expect(removed.length).toBeGreaterThan(0);
    expect(await read(db, 'select id, tenant_id from ids order by id')).toEqual(
      [...users, ...groups, ...removed].map(({ id, tenant_id }) => ({ id, tenant_id })).sort(byId),
    );
    const columns = {
      membership_history: 'group_id, user_id, added_by, ended_by, cause, deletion_id',
      nesting_history:
        'parent_group_id, child_group_id, created_by, ended_by, cause, deletion_id, stands_for',
    };
    for (const [table, rows] of Object.entries({ membership_history, nesting_history })) {
      const names = columns[table as keyof typeof columns];
      const lines = rows.map((row) => JSON.stringify(names.split(', ').map((name) => row[name])));
      const stored = await read<object>(db, `select ${names} from ${table}`);
      expect(stored.map((row) => JSON.stringify(Object.values(row))).sort()).toEqual(lines.sort());
      expect(lines.length).toBeGreaterThan(10);
    }
  });

  test('goes on: the next change takes the next position, and the pages before it are still right', async () => {
    await using db = await openMigrated();
    const { id, users } = OLD_DIRECTORY.members[0]!;
    const tenantId = OLD_DIRECTORY.groups.find((group) => group.id === id)!.tenant_id as TenantId;
    const directory = openAsAdmin(db, tenantId);
    const ids = async () =>
      (await listEffectiveMembers(directory, id as GroupId, { page: { first: 100 } }))!.rows.map(
        ({ userId }) => userId,
      );
    expect(await ids()).toEqual(users);
    const [head] = await db.sql<{ position: number }>(
      Prisma.sql`select position::int as position from tenant_logs where tenant_id = ${tenantId}`,
    );
    const { position } = await createGroup(directory, {
      tenantId,
      name: 'After',
      initialMemberIds: [users[0]!],
    });
    expect(position).toBe(head!.position + 1);
    await upsertUsers(openDirectory(db, platform(true)), {
      tenantId,
      users: [{ id: 'usr_new', email: 'new@example.org' }],
    });
    await addGroupMembers(directory, { groupId: id, userIds: ['usr_new'] });
    expect(await ids()).toEqual([...users, 'usr_new'].sort());
    expect(await countEffectiveMembers(directory, id as GroupId)).toBe(users.length + 1);
    expect(await checkDirectory(db)).toEqual([]);
  });
});

/** The change that an event becomes. */
function changeOf(event: OldEvent) {
  const { cause, userIds, childGroupIds, ...data } = event.data;
  return {
    type: event.event_type,
    actor_id: event.actor_id,
    actor_type: event.actor_type,
    group_id: event.group_id,
    at: new Date(event.occurred_at),
    cause: cause ?? null,
    user_ids: userIds ?? null,
    group_ids: childGroupIds ?? null,
    data: event.event_type === 'group.created' ? { after: event.data } : data,
  };
}

describe('a deletion before the migration is undone as before it', () => {
  const { restorations } = OLD_DIRECTORY;

  test('of all kinds there is one', () => {
    const told = restorations.flatMap(({ notRestored }) => notRestored).join('\n');
    for (const reason of [
      'the user was removed',
      'the id now names another user',
      'The child has been moved since the deletion',
      'the other group is deleted',
      'The parent group is deleted',
    ])
      expect(told).toContain(reason);
    const gone = restorations.flatMap((restoration) => restoration.gone).join('\n');
    const come = restorations.flatMap((restoration) => restoration.come).join('\n');
    // Stand-ins end, members and nestings begin, and moved children return.
    expect(gone).toMatch(/nested in \S+ for {/);
    expect(come).toMatch(/^usr_\S+ in grp_/m);
    expect(come).toMatch(/^grp_\S+ nested in grp_\S+$/m);
    expect(gone).toMatch(/ below (nothing|grp_\S+), members: \d+$/m);
  });

  test.each(restorations.map((restoration) => [JSON.stringify(restoration.input), restoration] as const))(
    '%s',
    async (_name, { tenantId, input, restored, notRestored, gone, come }) => {
      await using db = await openMigrated();
      const outcome = await restoreGroup(openAsAdmin(db, tenantId as TenantId), input);
      expect(outcome.restoredGroupIds.toSorted()).toEqual(restored);
      expect(outcome.notRestored.map(({ kind, reason }) => `${kind} ${reason}`).sort()).toEqual(notRestored);
      const after = OLD_DIRECTORY.state.filter((line) => !gone.includes(line)).concat(come);
      expect(await stateOf(db)).toEqual(after.sort());
      expect(await checkDirectory(db)).toEqual([]);
      expect(await read(db, OVERLAPS)).toEqual([]);
    },
  );
});

/** Statements for a tenant with groups and users of the version before; times are seconds after a moment an hour ago. */
const BASE = new Date(Date.now() - 3_600_000);
const time = (seconds: number) =>
  `'${new Date(BASE.getTime() + seconds * 1_000).toISOString()}'::timestamptz`;
const TENANT = `delete from backfills;
  insert into partners (id, name) values ('prt_p', 'P');
  insert into tenants (id, partner_id, name, slug, created_at) values ('tnt_t', 'prt_p', 'T', 't', ${time(0)});`;
const user = (id: string, createdAt: number) => `
  insert into users (id, tenant_id, email, search_key, created_at)
  values ('usr_${id}', 'tnt_t', '${id}@example.org', '${id}@example.org', ${time(createdAt)});`;
const group = (id: string, deletedAt?: number) => `
  insert into groups (id, tenant_id, name, name_key, search_key, created_at, deleted_at, deletion_id) values ('grp_${id}', 'tnt_t',
    '${id}', lower('${id}'), lower('${id}'), ${time(0)}, ${deletedAt === undefined ? 'null, null' : `${time(deletedAt)}, 'del_${id}'`});`;
const membership = (groupId: string, userId: string, addedAt: number) => `
  insert into memberships (tenant_id, group_id, user_id, added_at, added_by)
  values ('tnt_t', 'grp_${groupId}', 'usr_${userId}', ${time(addedAt)}, 'usr_x');
  update groups set member_count = member_count + 1 where id = 'grp_${groupId}';`;
const ended = (
  groupId: string,
  userId: string,
  [addedAt, endedAt]: [number, number],
  { deletion = false, isRemoved = false } = {},
) => `
  insert into membership_history (tenant_id, group_id, user_id, added_at, added_by, ended_at, ended_by, cause, deletion_id,
    user_removed)
  values ('tnt_t', 'grp_${groupId}', 'usr_${userId}', ${time(addedAt)}, 'usr_x', ${time(endedAt)}, 'usr_y', 'REMOVED',
    ${deletion ? `'del_${groupId}'` : 'null'}, ${isRemoved});`;
const nesting = (parent: string, child: string, createdAt: number) => `
  insert into nestings (tenant_id, parent_group_id, child_group_id, created_at, created_by)
  values ('tnt_t', 'grp_${parent}', 'grp_${child}', ${time(createdAt)}, 'usr_x');`;
const endedNesting = (parent: string, child: string, [createdAt, endedAt]: [number, number]) => `
  insert into nesting_history (tenant_id, parent_group_id, child_group_id, created_at, created_by, ended_at, ended_by, cause)
  values ('tnt_t', 'grp_${parent}', 'grp_${child}', ${time(createdAt)}, 'usr_x', ${time(endedAt)}, 'usr_y', 'REMOVED');`;
const event = (
  groupId: string,
  at: number,
  transaction: number,
  data: object,
  type = 'group_membership.removed',
) => `
  insert into group_events (event_type, tenant_id, group_id, actor_id, actor_type, occurred_at, data, transaction_id)
  values ('${type}', 'tnt_t', 'grp_${groupId}', 'sync', 'service', ${time(at)}, '${JSON.stringify(data)}', '${transaction}');`;

const intervalsOf = (db: Database, sql = 'group_id || user_id') =>
  read<{ edge: string; since: number; until: number | null }>(
    db,
    sql === 'nestings'
      ? `select parent_group_id || ' ' || child_group_id as edge, since::int as since, until::int as until from (
          select parent_group_id, child_group_id, since, until from nesting_history
          union all select parent_group_id, child_group_id, since, null from nestings) e order by 1, 2`
      : `select group_id || ' ' || user_id as edge, since::int as since, until::int as until from (
          select group_id, user_id, since, until from membership_history
          union all select group_id, user_id, since, null from memberships) e order by 1, 2`,
  ).then((rows) => rows.map(({ edge, since, until }) => `${edge} ${since}-${until ?? ''}`));

describe('times as the start of a transaction, which is not the order of commits', () => {
  // Positions by time: users 0, then 5, 8, 10, 15, 20, 30.
  const crossed = (add: (times: [number, number]) => string, current: string) =>
    add([10, 5]) + add([8, 20]) + current;

  test.each([
    ['memberships', crossed((times) => ended('g', 'a', times), membership('g', 'a', 15)), 'grp_g usr_a'],
    ['nestings', crossed((times) => endedNesting('g', 'h', times), nesting('g', 'h', 15)), 'grp_g grp_h'],
  ])(
    '%s that ended before they began, or began before the one before had ended, follow each other',
    async (kind, edges, edge) => {
      await using db = await migrate(TENANT + user('a', 0) + group('g') + group('h') + edges);
      // Six positions of times; the last bounds are beyond them.
      expect(await intervalsOf(db, kind)).toEqual([`${edge} 4-5`, `${edge} 6-7`, `${edge} 8-`]);
      expect(await read(db, OVERLAPS)).toEqual([]);
      expect(
        await read(db, 'select position::int as position, exact_from::int as exact from tenant_logs'),
      ).toEqual([{ position: 8, exact: 8 }]);
      expect(await checkDirectory(db)).toEqual([]);
    },
  );

  test('two changes of one millisecond keep their order, and no interval is empty', async () => {
    await using db = await migrate(
      TENANT +
        user('a', 0) +
        group('g') +
        group('h') +
        ended('g', 'a', [30, 30]) +
        membership('g', 'a', 30) +
        endedNesting('g', 'h', [30, 30]) +
        nesting('g', 'h', 30) +
        // Stored in another order than their transactions were given their ids in.
        event('g', 30, 902, { userIds: ['usr_a'] }, 'group_membership.added') +
        event('g', 30, 901, { userIds: ['usr_a'], cause: 'REMOVED' }) +
        event('g', 30, 900, { userIds: ['usr_a'] }, 'group_membership.added') +
        event('h', 30, 900, { userIds: ['usr_a'] }, 'group_membership.added') +
        event('a', 30, 900, { userIds: ['usr_a'] }, 'group_membership.added'),
    );
    expect(await intervalsOf(db)).toEqual(['grp_g usr_a 2-3', 'grp_g usr_a 4-']);
    expect(await intervalsOf(db, 'nestings')).toEqual(['grp_g grp_h 2-3', 'grp_g grp_h 4-']);
    expect(
      await read(
        db,
        'select position::int as at, ordinal, type, group_id from changes order by position, ordinal',
      ),
    ).toEqual([
      { at: 2, ordinal: 0, type: 'group_membership.added', group_id: 'grp_g' },
      { at: 2, ordinal: 1, type: 'group_membership.added', group_id: 'grp_h' },
      { at: 2, ordinal: 2, type: 'group_membership.added', group_id: 'grp_a' },
      { at: 2, ordinal: 3, type: 'group_membership.removed', group_id: 'grp_g' },
      { at: 2, ordinal: 4, type: 'group_membership.added', group_id: 'grp_g' },
    ]);
    expect(await read(db, 'select position::int as at from tenant_logs')).toEqual([{ at: 4 }]);
    expect(await read(db, OVERLAPS)).toEqual([]);
  });

  test('events that name no users are carried over as they are', async () => {
    await using db = await migrate(
      TENANT +
        user('a', 0) +
        group('g') +
        event('g', 1, 900, {}) +
        event('g', 2, 901, { cause: 'USER_REMOVED' }) +
        event('g', 3, 902, { userIds: [], cause: 'REMOVED' }) +
        event('gone', 4, 903, { childGroupIds: ['grp_h'], through: 'grp_g' }, 'group_nesting.added') +
        event('g', 5, 904, { name: 'g', parentGroupId: null }, 'group.created') +
        event('g', 6, 905, { recounted: true }, 'group.repaired'),
    );
    const changes = await read(
      db,
      'select position::int as at, type, group_id, actor_id, cause, user_ids, group_ids, data from changes order by position',
    );
    const change = {
      type: 'group_membership.removed',
      group_id: 'grp_g',
      actor_id: 'sync',
      cause: null,
      user_ids: null,
    };
    expect(changes).toEqual([
      { ...change, at: 2, group_ids: null, data: {} },
      { ...change, at: 3, cause: 'USER_REMOVED', group_ids: null, data: {} },
      { ...change, at: 4, cause: 'REMOVED', user_ids: [], group_ids: null, data: {} },
      {
        ...change,
        at: 5,
        type: 'group_nesting.added',
        group_id: 'grp_gone',
        group_ids: ['grp_h'],
        data: { through: 'grp_g' },
      },
      {
        ...change,
        at: 6,
        type: 'group.created',
        group_ids: null,
        data: { after: { name: 'g', parentGroupId: null } },
      },
      { ...change, at: 7, type: 'group.repaired', group_ids: null, data: { recounted: true } },
    ]);
    // Nothing about the directory before the log can be asked of it in vain: the log is as long as its head says.
    const { position } = await createGroup(openAsAdmin(db, 'tnt_t' as TenantId), {
      tenantId: 'tnt_t',
      name: 'n',
    });
    expect(position).toBe(8);
    expect(await checkDirectory(db)).toEqual([]);
  });

  test('a clock that was ahead stays the time of the log, which never falls', async () => {
    await using db = await migrate(TENANT + user('a', 0) + group('g') + membership('g', 'a', 7_200));
    const [head] = await read<{ at: Date }>(db, 'select at from tenant_logs');
    expect(head!.at.getTime()).toBe(BASE.getTime() + 7_200_000);
    await createGroup(openAsAdmin(db, 'tnt_t' as TenantId), { tenantId: 'tnt_t', name: 'n' });
    expect(await read(db, 'select at from changes')).toEqual([head]);
  });
});

describe('users', () => {
  const admin = (db: Database) => openAsAdmin(db, 'tnt_t' as TenantId);
  const members = async (db: Database) =>
    (await read<{ line: string }>(db, STATE))
      .map(({ line }) => line)
      .filter((line) => line.startsWith('usr_'));

  test('who seem younger than their memberships keep them through a deletion', async () => {
    await using db = await migrate(
      TENANT +
        user('a', 10) +
        user('b', 20) +
        group('g') +
        membership('g', 'a', 5) +
        group('h', 30) +
        ended('h', 'b', [15, 30], { deletion: true }),
    );
    await deleteGroup(admin(db), { id: 'grp_g', strategy: 'CASCADE' });
    for (const id of ['grp_g', 'grp_h'])
      expect((await restoreGroup(admin(db), { id })).notRestored).toEqual([]);
    expect(await members(db)).toEqual(['usr_a in grp_g', 'usr_b in grp_h']);
  });

  test('who were created again get nothing of whom the id named before', async () => {
    await using db = await migrate(
      TENANT +
        user('a', 40) + // created again after the deletion, before backfills marked anybody
        user('b', 25) + // by a transaction that had started before the deletion, and waited for it and the removal
        user('c', 25) + // the same, whose membership seems to have begun even later
        user('d', 40) + // as the first, whose membership seems to have begun after its end
        user('e', 20) +
        group('h', 30) +
        ended('h', 'a', [10, 30], { deletion: true }) +
        ended('h', 'b', [10, 30], { deletion: true, isRemoved: true }) +
        ended('h', 'c', [28, 30], { deletion: true, isRemoved: true }) +
        ended('h', 'd', [50, 30], { deletion: true }),
    );
    // Each begins when it was created, and after what it must not get. The times are 10, 20, 25, 28, 30, 40 and 50.
    expect(await read(db, 'select id, since::int as since, until from users order by id')).toEqual([
      { id: 'usr_a', since: 6, until: null },
      { id: 'usr_b', since: 3, until: null },
      { id: 'usr_c', since: 5, until: null },
      { id: 'usr_d', since: 8, until: null },
      { id: 'usr_e', since: 2, until: null },
    ]);
    expect(await read(db, 'select position::int as position from tenant_logs')).toEqual([{ position: 8 }]);
    const { notRestored } = await restoreGroup(admin(db), { id: 'grp_h' });
    const reason = (id: string) =>
      `usr_${id} in grp_h: the user was removed, and the id now names another user`;
    expect(notRestored.map((row) => row.reason)).toEqual(['a', 'b', 'c', 'd'].map(reason));
    expect(await members(db)).toEqual([]);
  });
});

describe('what earlier migrations left to a start that there was not', () => {
  const PENDING = `insert into backfills values ('undo_of_orphan'), ('member_counts');`;
  const FORGET = `
    update groups set member_count = 0, moved_by = null, moved_children = null;
    update nestings set stands_for = null; update membership_history set user_removed = false;`;
  const known = (db: Database) =>
    read(
      db,
      `select name, moved_by, array(select unnest(moved_children) order by 1) as children, member_count from groups
        where deletion_id is not null or moved_by is not null order by id`,
    );

  test.each([
    ['whole', FORGET],
    ['to its half', `${FORGET.replaceAll(';', ` where tenant_id = 'tnt_one';`)}`],
  ])('is done %s by the migration', async (_name, forget) => {
    await using db = await migrate(PENDING + forget, before);
    await using asBefore = await openMigrated();
    // Only the latest deletion that moved a child is known.
    const latest = (rows: object[]) =>
      rows.map((row) => ({
        ...row,
        moved_by: (row as { moved_by: string[] | null }).moved_by?.slice(-1) ?? null,
      }));
    expect(latest(await known(db))).toEqual(latest(await known(asBefore)));
    const state = await stateOf(db);
    const withoutStandIns = (lines: string[]) => lines.map((line) => line.replace(/ for .*/, ''));
    expect(withoutStandIns(state)).toEqual(withoutStandIns(OLD_DIRECTORY.state));
    // Those that stood in are known again. One that somebody asked for since cannot be told from them, as before.
    const standIns = OLD_DIRECTORY.state.filter((line) => line.includes(' for '));
    expect(state).toEqual(expect.arrayContaining(standIns));
    expect(standIns.length).toBeGreaterThan(1);
    expect(await checkDirectory(db)).toEqual([]);
    const users = `select id, since::int as since from users order by id`;
    expect(await read(db, users)).toEqual(await read(asBefore, users));
    expect(await read(db, `select to_regclass('backfills') as backfills`)).toEqual([{ backfills: null }]);
  });

  test('leaves what is known: a nesting may stand for a later deletion too', async () => {
    const later = `update nestings set stands_for = stands_for || 'del_later'::text where stands_for is not null;`;
    await using db = await migrate(PENDING + later, before);
    const known = OLD_DIRECTORY.state.map((line) => line.replace(/( for .*)}$/, '$1,del_later}'));
    const standIns = known.filter((line) => line.includes(' for '));
    expect(await stateOf(db)).toEqual(expect.arrayContaining(standIns));
    expect(standIns.length).toBeGreaterThan(1);
  });

  test('is left out where a restoration can no longer ask for it', async () => {
    const tooOld = `
      update groups set deleted_at = deleted_at - interval '31 days';
      update nestings set created_at = created_at - interval '31 days';
      update group_events set occurred_at = occurred_at - interval '31 days';`;
    await using db = await migrate(PENDING + FORGET + tooOld, before);
    expect(
      await read(db, 'select id from groups where moved_by is not null or moved_children is not null'),
    ).toEqual([]);
    expect(await read(db, 'select * from nestings where stands_for is not null')).toEqual([]);
  });

  test('is not done again where nothing was left', async () => {
    await using db = await migrate(FORGET, before);
    expect(
      await read(db, 'select id from groups where moved_by is not null or moved_children is not null'),
    ).toEqual([]);
    expect(await read(db, 'select * from nestings where stands_for is not null')).toEqual([]);
    // Wrong counts are put right all the same.
    expect(await checkDirectory(db)).toEqual([]);
  });
});

test('a database that applied earlier texts of the migrations opens', async () => {
  const edited = `update _prisma_migrations set checksum = repeat('0', 64) where migration_name < '20261126';`;
  const index = 'drop index if exists group_events_tenant_id_transaction_id_idx;';
  await using db = await migrate(edited + index, before);
  expect(await stateOf(db)).toEqual(OLD_DIRECTORY.state);
  expect(await read(db, 'select distinct key_rules from tenants')).toEqual([{ key_rules: KEY_RULES }]);
});

test('a migration that fails changes nothing: the version before can go on', async () => {
  const database = await copy(before);
  // In the way of one of its last statements.
  await runOn(database.url, 'create table groups_deletion_idx (id int)');
  await expect(openDatabase({ url: database.url, dataDir: '' })).rejects.toThrow(LOG_MIGRATION);
  const db = openPostgresql({ url: database.url });
  const events = await read<{ n: number }>(db, 'select count(*)::int as n from group_events');
  expect(events).toEqual([{ n: OLD_DIRECTORY.group_events.length }]);
  const tables = `select table_name, column_name from information_schema.columns where table_schema = 'public'
    and table_name not in ('groups_deletion_idx', '_prisma_migrations') order by 1, 2`;
  const original = openPostgresql({ url: before.url });
  expect(await read(db, tables)).toEqual(await read(original, tables));
  await original.close();
  expect(await stateOf(db as Database)).toEqual(OLD_DIRECTORY.state);
  await db.close();
});

test('servers that start at once migrate once', async () => {
  const database = await copy(before);
  const opened = await Promise.all([open(database), open(database), open(database)]);
  expect(await stateOf(opened[0]!)).toEqual(OLD_DIRECTORY.state);
  expect(await read(opened[1]!, 'select count(*)::int as n from changes')).toEqual([
    { n: OLD_DIRECTORY.group_events.length },
  ]);
  await Promise.all(opened.map((db) => db.close()));
});

test('an embedded directory of the version before opens, answers, and opens again', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'coterie-upgrade-'));
  const old = await openPglite(folder);
  await applyEarlierMigrations((script) => old.engine.exec(script));
  await old.engine.exec(INSERT_OLD_DIRECTORY);
  await old.close();
  const { tenantId, input, restored, gone, come } = OLD_DIRECTORY.restorations.at(-1)!;
  const db = await openDatabase({ dataDir: folder });
  expect(await stateOf(db)).toEqual(OLD_DIRECTORY.state);
  expect(await checkDirectory(db)).toEqual([]);
  const { restoredGroupIds } = await restoreGroup(openAsAdmin(db, tenantId as TenantId), input);
  expect(restoredGroupIds.toSorted()).toEqual(restored);
  await db.close();
  const again = await openDatabase({ dataDir: folder });
  const after = OLD_DIRECTORY.state.filter((line) => !gone.includes(line)).concat(come);
  expect(await stateOf(again)).toEqual(after.sort());
  const changes = await read<{ n: number }>(again, 'select count(*)::int as n from changes');
  expect(changes[0]!.n).toBeGreaterThan(OLD_DIRECTORY.group_events.length);
  expect(await checkDirectory(again)).toEqual([]);
  await again.close();
  await rm(folder, { recursive: true });
});
