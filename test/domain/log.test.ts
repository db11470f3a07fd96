// The tenant's log: each change takes the next position, in the order of commits, and the past can be read from it.
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { refreshCaseKeys } from '../../src/database/case-keys.ts';
import { type Database, Prisma, type Sql } from '../../src/database/database.ts';
import { openPostgresql } from '../../src/database/postgresql.ts';
import { addGroupMembers } from '../../src/domain/commands/add-members.ts';
import { removeGroupMembers, updateGroupMembers } from '../../src/domain/commands/change-members.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { deleteGroup } from '../../src/domain/commands/delete-group.ts';
import { addNestedGroups, removeNestedGroup } from '../../src/domain/commands/nest-groups.ts';
import { eraseUsers, removeUsers } from '../../src/domain/commands/remove-users.ts';
import { restoreGroup } from '../../src/domain/commands/restore-group.ts';
import { updateGroup } from '../../src/domain/commands/update-group.ts';
import { upsertUsers } from '../../src/domain/commands/upsert-users.ts';
import { type Directory, openDirectory } from '../../src/domain/directory.ts';
import { checkDirectory, repairDirectory } from '../../src/domain/integrity/check.ts';
import { countEffectiveMembers, listEffectiveMembers } from '../../src/domain/queries/effective-members.ts';
import { addMembers, removeMembers } from '../../src/domain/writes/memberships.ts';
import { importDirectory } from '../../src/import/import-directory.ts';
import { newId, type TenantId } from '../../src/model/ids.ts';
import { createTenant, openAsAdmin, superAdmin } from '../support/directories.ts';
import { createWorld, edgesOf, holdGraph, positionOf, refusal } from '../support/group-worlds.ts';
import { openTestDatabase, type TestDatabase, untilOneWaits } from '../support/postgresql.ts';
import { randomFrom } from '../support/random.ts';
import { seed } from '../support/seed.ts';
import { PATIENT } from '../support/timeouts.ts';

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await openTestDatabase();
  db = database.db;
});
afterAll(() => database.close());

type ChangeRow = {
  position: number;
  ordinal: number;
  changeId: string;
  at: Date;
  type: string;
  groupId: string | null;
  userIds: string[] | null;
  groupIds: string[] | null;
};
const changesOf = (tenantId: TenantId) =>
  db.sql<ChangeRow>(Prisma.sql`
    select position::int as position, ordinal, change_id as "changeId", at, type, group_id as "groupId", user_ids as "userIds",
      group_ids as "groupIds"
    from changes where tenant_id = ${tenantId} order by position, ordinal`);

const headOf = async (tenantId: TenantId) =>
  (
    await db.sql<{ position: number; changeId: string; at: Date }>(Prisma.sql`
      select position::int as position, change_id as "changeId", at from tenant_logs where tenant_id = ${tenantId}`)
  )[0]!;

/** Expects what holds of any log: positions without a gap, each of one change, at a time that never falls; and intervals. */
async function expectWellFormed(tenantId: TenantId): Promise<ChangeRow[]> {
  const changes = await changesOf(tenantId);
  const head = await headOf(tenantId);
  const byPosition = Map.groupBy(changes, ({ position }) => position);
  expect([...byPosition.keys()]).toEqual(Array.from({ length: head.position }, (_, index) => index + 1));
  for (const [position, rows] of byPosition) {
    expect(rows.map(({ ordinal }) => ordinal)).toEqual(rows.map((_, index) => index));
    expect(new Set(rows.map(({ changeId, at }) => `${changeId} ${at.getTime()}`)).size, `${position}`).toBe(
      1,
    );
  }
  expect(new Set(changes.map(({ changeId }) => changeId)).size).toBe(head.position);
  const last = changes.at(-1);
  expect(last && [last.changeId, last.at]).toEqual(last && [head.changeId, head.at]);
  const times = changes.map(({ at }) => at.getTime());
  expect(times).toEqual(times.toSorted((one, other) => one - other));
  const intervals = await db.sql<{ edge: string; since: number; until: number | null }>(Prisma.sql`
    select group_id || ' ' || user_id as edge, since::int as since, until::int as until from (
      select group_id, user_id, since, until from membership_history where tenant_id = ${tenantId}
      union all select group_id, user_id, since, null from memberships where tenant_id = ${tenantId}) m
    union all
    select parent_group_id || ' > ' || child_group_id, since::int, until::int from (
      select parent_group_id, child_group_id, since, until from nesting_history where tenant_id = ${tenantId}
      union all select parent_group_id, child_group_id, since, null from nestings where tenant_id = ${tenantId}) n
    order by 1, 2`);
  for (const [edge, rows] of Map.groupBy(intervals, (interval) => interval.edge)) {
    let before = 0;
    for (const { since, until } of rows) {
      expect(since, edge).toBeGreaterThanOrEqual(before);
      expect(until ?? Number.POSITIVE_INFINITY, edge).toBeGreaterThan(since);
      before = until ?? Number.POSITIVE_INFINITY;
    }
  }
  expect(await checkDirectory(db, tenantId)).toEqual([]);
  return changes;
}

/** The memberships at a position, by the history. */
const membershipsAt = async (tenantId: TenantId, position: number) =>
  (
    await db.sql<{ pair: string }>(Prisma.sql`
      select group_id || ' ' || user_id as pair from (
        select group_id, user_id, since, null::bigint as until from memberships where tenant_id = ${tenantId}
        union all select group_id, user_id, since, until from membership_history where tenant_id = ${tenantId}) m
      where since <= ${position}::bigint and (until is null or until > ${position}::bigint) order by 1`)
  ).map(({ pair }) => pair);

/** Memberships of the tenant before its first change, and at each position by what the log tells alone. */
function replay(changes: ChangeRow[]): string[][] {
  const states: string[][] = [[]];
  const current = new Set<string>();
  for (const { position, type, groupId, userIds } of changes) {
    for (const id of groupId === null ? [] : (userIds ?? [])) {
      if (['group_membership.added', 'group.restored'].includes(type)) current.add(`${groupId} ${id}`);
      if (['group_membership.removed', 'group.deleted'].includes(type)) current.delete(`${groupId} ${id}`);
    }
    states[position] = [...current].sort();
  }
  return states;
}

describe('ten writers of one tenant, by five servers', () => {
  const EFFECTIVE = 500;
  type Snapshot = { position: number; positions: number; last: number; pairs: string[] };

  test('take one position after the other, and each state of the past was a real one', {
    timeout: 240_000,
  }, async () => {
    const { tenantId, userIds } = await createTenant(db, 3);
    const pools = Array.from({ length: 5 }, () =>
      openPostgresql({ url: database.url, poolSize: 3, timeouts: PATIENT }),
    );
    const groups: string[] = [];
    for (const name of ['A', 'B'])
      groups.push((await createGroup(openAsAdmin(db, tenantId), { tenantId, name })).group.id);
    let [acknowledged, effective] = [groups.length, 0];
    const writer = async (at: number) => {
      const random = randomFrom(seed + at);
      const directory = openAsAdmin(pools[at % pools.length]!, tenantId);
      for (let round = 0; effective < EFFECTIVE; round += 1) {
        const groupId = groups[random(groups.length)]!;
        const user = userIds[random(userIds.length)]!;
        const before = acknowledged;
        const change = await [
          () => addGroupMembers(directory, { groupId, userIds: [user] }),
          () => removeGroupMembers(directory, { groupId, userIds: [user] }),
          () => updateGroupMembers(directory, { groupId, usersToAdd: [user] }),
          () => updateGroupMembers(directory, { groupId, usersToRemove: [user, userIds[0]!] }),
        ][(round + at) % 4]!();
        const {
          added = [],
          removed = [],
          position,
        } = change as { added?: string[]; removed?: string[] } & typeof change;
        const isEffective = added.length + removed.length > 0;
        // What was acknowledged before this was asked for has come before it.
        if (isEffective) expect(position).toBeGreaterThan(before);
        else expect(position).toBeGreaterThanOrEqual(before);
        acknowledged = Math.max(acknowledged, position);
        if (isEffective) effective += 1;
      }
    };
    const snapshots: Snapshot[] = [];
    let isDone = false;
    const sampler = async () => {
      while (!isDone) {
        const [snapshot] = await db.sql<Snapshot>(Prisma.sql`
          select position::int as position,
            (select count(distinct position)::int from changes where tenant_id = ${tenantId}) as positions,
            (select max(position)::int from changes where tenant_id = ${tenantId}) as last,
            array(select group_id || ' ' || user_id from memberships where tenant_id = ${tenantId} order by 1) as pairs
          from tenant_logs where tenant_id = ${tenantId}`);
        snapshots.push(snapshot!);
      }
    };
    const sampling = sampler();
    await Promise.all(Array.from({ length: 10 }, (_, at) => writer(at))).finally(() => {
      isDone = true;
    });
    await sampling;
    await Promise.all(pools.map((pool) => pool.close()));

    const changes = await expectWellFormed(tenantId);
    const head = await headOf(tenantId);
    expect(head.position).toBe(acknowledged);
    const changed = changes.filter(({ type }) => type.startsWith('group_membership.'));
    expect(changed.length).toBeGreaterThanOrEqual(EFFECTIVE);
    // Whoever sees a position sees all changes up to it and none after it.
    expect(snapshots.length).toBeGreaterThan(20);
    for (const { position, positions, last } of snapshots)
      expect([positions, last]).toEqual([position, position]);
    const order = snapshots.map(({ position }) => position);
    expect(order).toEqual(order.toSorted((one, other) => one - other));
    const replayed = replay(changes);
    const random = randomFrom(seed);
    const drawn = Array.from({ length: 60 }, () => snapshots[random(snapshots.length)]!);
    for (const { position, pairs } of [snapshots[0]!, ...drawn, snapshots.at(-1)!]) {
      expect(await membershipsAt(tenantId, position), `${position}`).toEqual(pairs);
      expect(replayed[position], `${position}`).toEqual(pairs);
    }
    expect(await membershipsAt(tenantId, head.position)).toEqual(replayed[head.position]);
  });
});

describe('the time of a change', () => {
  test('never falls, even if the clock of the server is behind that of the log', async () => {
    const { tenantId, userIds } = await createTenant(db, 2);
    const directory = openAsAdmin(db, tenantId);
    const first = (await createGroup(directory, { tenantId, name: 'First', initialMemberIds: userIds }))
      .group;
    await db.sql(Prisma.sql`
      update tenant_logs set at = clock_timestamp() + interval '1 day' where tenant_id = ${tenantId}`);
    const { at } = await headOf(tenantId);
    const { group } = await createGroup(directory, { tenantId, name: 'Late', initialMemberIds: userIds });
    await removeGroupMembers(directory, { groupId: group.id, userIds: [userIds[0]!] });
    await updateGroup(directory, { id: group.id, description: 'late' });
    await addNestedGroups(directory, { groupId: first.id, childGroupIds: [group.id] });
    await deleteGroup(directory, { id: group.id, strategy: 'CASCADE' });
    const deleted = await db.sql(Prisma.sql`
      select created_at as "createdAt", updated_at as "updatedAt", deleted_at as "deletedAt" from groups where id = ${group.id}`);
    expect(deleted).toEqual([{ createdAt: at, updatedAt: at, deletedAt: at }]);
    expect((await restoreGroup(directory, { id: group.id })).notRestored).toEqual([]);
    await removeUsers(directory, { tenantId, userIds: [userIds[1]!] });
    const times = (await expectWellFormed(tenantId)).slice(2).map((change) => change.at);
    expect(times).toEqual(times.map(() => at));
    const ended = await db.sql<{ addedAt: Date; endedAt: Date }>(Prisma.sql`
      select added_at as "addedAt", ended_at as "endedAt" from membership_history where tenant_id = ${tenantId}
      union all select created_at, ended_at from nesting_history where tenant_id = ${tenantId}`);
    expect(ended).toHaveLength(5);
    for (const { addedAt, endedAt } of ended) {
      expect(endedAt).toEqual(at);
      expect(addedAt.getTime()).toBeLessThanOrEqual(at.getTime());
    }
  });

  test('is read after the wait for the change before, and is that of the server again', async () => {
    const { tenantId } = await createTenant(db);
    let creating: ReturnType<typeof createGroup>;
    let released = new Date(0);
    await db.transaction(async (sql) => {
      await sql(holdGraph(tenantId));
      creating = createGroup(openAsAdmin(db, tenantId), { tenantId, name: 'Waits' });
      await untilOneWaits(database);
      // The log's time is in the past by far: it does not hold the clock back.
      await sql(Prisma.sql`update tenant_logs set at = '2001-01-01' where tenant_id = ${tenantId}`);
      [{ at: released }] = (await sql<{ at: Date }>(
        Prisma.sql`select date_trunc('milliseconds', clock_timestamp()) as at`,
      )) as [{ at: Date }];
    });
    await creating!;
    const { at } = await headOf(tenantId);
    expect(at.getTime()).toBeGreaterThanOrEqual(released.getTime());
    expect(at.getTime()).toBeLessThan(released.getTime() + 60_000);
  });
});

/** Every command, each with an effect on a world of its own, and without one or refused. */
type World = Awaited<ReturnType<typeof loggedWorld>>;
async function loggedWorld() {
  const world = await createWorld(
    db,
    {
      Top: { members: [0], nests: ['Group'] },
      Group: { parent: 'Top', members: [0, 1], nests: ['Leaf'] },
      Child: { parent: 'Group', members: [1] },
      Leaf: { members: [2] },
      Gone: { members: [2] },
    },
    4,
  );
  await deleteGroup(world.directory, { id: world.ids.Gone, strategy: 'CASCADE' });
  return { ...world, users: world.users as [string, string, string, string] };
}
type Command = (directory: Directory, world: World) => Promise<{ position: number }>;
type Variants = Record<'effective' | 'without effect' | 'refused', Command | null>;
const UNKNOWN = 'usr_unknown';
const COMMANDS: Record<string, Variants> = {
  createGroup: {
    effective: (directory, { tenantId, users }) =>
      createGroup(directory, { tenantId, name: 'New', initialMemberIds: [users[3]] }),
    'without effect': null,
    refused: (directory, { tenantId, users }) =>
      createGroup(directory, { tenantId, name: 'New', initialMemberIds: [users[3], UNKNOWN] }),
  },
  updateGroup: {
    effective: (directory, { ids }) => updateGroup(directory, { id: ids.Group, parentGroupId: null }),
    'without effect': (directory, { ids }) => updateGroup(directory, { id: ids.Group, name: 'Group' }),
    refused: (directory, { ids }) => updateGroup(directory, { id: ids.Top, parentGroupId: ids.Child }),
  },
  addGroupMembers: {
    effective: (directory, { ids, users }) =>
      addGroupMembers(directory, { groupId: ids.Leaf, userIds: [users[3]] }),
    'without effect': (directory, { ids, users }) =>
      addGroupMembers(directory, { groupId: ids.Leaf, userIds: [users[2]] }),
    refused: (directory, { ids, users }) =>
      addGroupMembers(directory, { groupId: ids.Leaf, userIds: [users[3], UNKNOWN] }),
  },
  removeGroupMembers: {
    effective: (directory, { ids, users }) =>
      removeGroupMembers(directory, { groupId: ids.Group, userIds: [users[1]] }),
    'without effect': (directory, { ids, users }) =>
      removeGroupMembers(directory, { groupId: ids.Group, userIds: [users[3]] }),
    refused: (directory, { ids, users }) =>
      removeGroupMembers(directory, { groupId: ids.Group, userIds: [users[1], UNKNOWN] }),
  },
  updateGroupMembers: {
    effective: (directory, { ids, users }) =>
      updateGroupMembers(directory, { groupId: ids.Leaf, usersToAdd: [users[1]], usersToRemove: [users[2]] }),
    'without effect': (directory, { ids, users }) =>
      updateGroupMembers(directory, { groupId: ids.Leaf, usersToAdd: [users[2]], usersToRemove: [users[1]] }),
    refused: (directory, { ids, users }) =>
      updateGroupMembers(directory, { groupId: ids.Leaf, usersToAdd: [users[1]], usersToRemove: [UNKNOWN] }),
  },
  addNestedGroups: {
    effective: (directory, { ids }) =>
      addNestedGroups(directory, { groupId: ids.Top, childGroupIds: [ids.Child] }),
    'without effect': (directory, { ids }) =>
      addNestedGroups(directory, { groupId: ids.Top, childGroupIds: [ids.Group] }),
    refused: (directory, { ids }) =>
      addNestedGroups(directory, { groupId: ids.Leaf, childGroupIds: [ids.Child, ids.Top] }),
  },
  removeNestedGroup: {
    effective: (directory, { ids }) =>
      removeNestedGroup(directory, { groupId: ids.Group, childGroupId: ids.Leaf }),
    'without effect': null,
    refused: (directory, { ids }) =>
      removeNestedGroup(directory, { groupId: ids.Group, childGroupId: ids.Child }),
  },
  'deleteGroup, ORPHAN': {
    effective: (directory, { ids }) => deleteGroup(directory, { id: ids.Group, strategy: 'ORPHAN' }),
    'without effect': null,
    refused: (directory, { ids }) =>
      deleteGroup(directory, { id: ids.Group, strategy: 'ORPHAN', expectedVersion: 99 }),
  },
  'deleteGroup, CASCADE': {
    effective: (directory, { ids }) => deleteGroup(directory, { id: ids.Group, strategy: 'CASCADE' }),
    'without effect': null,
    refused: (directory, { ids }) => deleteGroup(directory, { id: ids.Group }),
  },
  restoreGroup: {
    effective: (directory, { ids }) => restoreGroup(directory, { id: ids.Gone }),
    'without effect': null,
    refused: (directory, { ids }) => restoreGroup(directory, { id: ids.Top }),
  },
  upsertUsers: {
    effective: (directory, { tenantId, users }) =>
      upsertUsers(directory, { tenantId, users: [{ id: users[0], email: 'renamed@example.org' }] }),
    'without effect': (directory, { tenantId, users }) =>
      upsertUsers(directory, {
        tenantId,
        users: [{ id: users[0], email: `${users[0].toLowerCase()}@example.org` }],
      }),
    refused: (directory, { tenantId, users }) =>
      upsertUsers(directory, {
        tenantId,
        users: [
          { id: users[0], email: 'renamed@example.org' },
          { id: UNKNOWN, email: 'a@example.org' },
        ],
      }),
  },
  removeUsers: {
    effective: (directory, { tenantId, users }) => removeUsers(directory, { tenantId, userIds: [users[1]] }),
    'without effect': (directory, { tenantId }) => removeUsers(directory, { tenantId, userIds: [] }),
    refused: (directory, { tenantId, users }) =>
      removeUsers(directory, { tenantId, userIds: [users[1], UNKNOWN] }),
  },
  eraseUsers: {
    effective: (directory, { tenantId, users }) => eraseUsers(directory, { tenantId, userIds: [users[2]] }),
    'without effect': (directory, { tenantId }) => eraseUsers(directory, { tenantId, userIds: [] }),
    refused: (directory, { tenantId, users }) =>
      eraseUsers(directory, { tenantId, userIds: [users[1], UNKNOWN] }),
  },
};

describe.each(Object.entries(COMMANDS))('%s', (_name, variants) => {
  test('takes the next position, and answers it', async () => {
    const world = await loggedWorld();
    const { position } = await variants.effective!(world.directory, world);
    expect([position, await positionOf(db, world.tenantId)]).toEqual([2, 2]);
    await expectWellFormed(world.tenantId);
  });

  test.each(['without effect', 'refused'] as const)('%s leaves nothing behind', async (variant) => {
    const command = variants[variant];
    if (command === null) return;
    const world = await loggedWorld();
    const before = [await headOf(world.tenantId), await edgesOf(db, world.tenantId)];
    const outcome = await command(world.directory, world).then(
      ({ position }) => position,
      ({ code }) => code,
    );
    expect(outcome).toEqual(variant === 'refused' ? expect.any(String) : 1);
    expect([await headOf(world.tenantId), await edgesOf(db, world.tenantId)]).toEqual(before);
    await expectWellFormed(world.tenantId);
  });

  test('that fails at its end leaves nothing behind, and its position to the next', async () => {
    const world = await loggedWorld();
    const { tenantId } = world;
    const before = [await headOf(tenantId), await edgesOf(db, tenantId)];
    const broken: Database = {
      ...db,
      transaction: (work) =>
        db.transaction(async (sql) => {
          await work(sql);
          throw Object.assign(new Error('ended'), { code: 'P0001' });
        }),
    };
    await expect(variants.effective!(openDirectory(broken, world.directory.caller), world)).rejects.toThrow(
      'ended',
    );
    expect([await headOf(tenantId), await edgesOf(db, tenantId)]).toEqual(before);
    expect(await variants.effective!(world.directory, world)).toMatchObject({ position: 2 });
    await expectWellFormed(tenantId);
  });

  test('waits for the change before of its tenant, and for none of another', async () => {
    const [held, free] = [await loggedWorld(), await loggedWorld()];
    let outcome: Promise<{ position: number }>;
    await db.transaction(async (sql) => {
      await sql(holdGraph(held.tenantId));
      expect(await variants.effective!(free.directory, free)).toMatchObject({ position: 2 });
      let isEnded = false;
      outcome = variants.effective!(held.directory, held).finally(() => {
        isEnded = true;
      });
      await vi.waitUntil(async () => isEnded || (await waitsForLog()), { timeout: 30_000, interval: 5 });
      expect(isEnded).toBe(false);
    });
    expect(await outcome!).toMatchObject({ position: 2 });
  });

  test('is seen by another server that had cached what it changes', async () => {
    const world = await loggedWorld();
    const { tenantId, ids, directory } = world;
    const elsewhere = openPostgresql({ url: database.url, timeouts: PATIENT });
    const shown = async () => {
      const there = openAsAdmin(elsewhere, tenantId);
      const groups = Object.values(ids);
      return Promise.all(
        groups.map(async (id) => {
          const { rows } = (await listEffectiveMembers(there, id, { page: {} }))!;
          return [
            await countEffectiveMembers(there, id),
            rows.map((row) => `${row.userId} ${row.email} ${row.membershipType}`),
          ];
        }),
      );
    };
    await shown();
    await shown();
    await variants.effective!(directory, world);
    const cached = await shown();
    const fresh = openPostgresql({ url: database.url, timeouts: PATIENT });
    const expected = await Promise.all(
      Object.values(ids).map((id) => effectiveMembersOf(fresh, tenantId, id)),
    );
    expect(cached).toEqual(expected.map((members) => [members.length, members]));
    await Promise.all([elsewhere.close(), fresh.close()]);
  });
});

/** Effective members without any cache: user, email, and how. */
async function effectiveMembersOf(from: Database, tenantId: TenantId, groupId: string): Promise<string[]> {
  const rows = await from.sql<{ member: string }>(Prisma.sql`
    with recursive down(id) as (
      select id from groups where tenant_id = ${tenantId} and id = ${groupId} and deleted_at is null
      union select n.child_group_id from down join nestings n on n.tenant_id = ${tenantId} and n.parent_group_id = down.id)
    select u.id || ' ' || u.email || ' '
      || case when bool_or(m.group_id = ${groupId}) then 'DIRECT' else 'INHERITED' end as member
    from down join memberships m on m.tenant_id = ${tenantId} and m.group_id = down.id
      join users u on u.tenant_id = ${tenantId} and u.id = m.user_id
    group by u.id, u.email order by u.id`);
  return rows.map(({ member }) => member);
}

/** Whether a statement waits for a row of a log. */
async function waitsForLog(): Promise<boolean> {
  const rows = await db.sql(Prisma.sql`
    select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
      and query like '%from tenant_logs%for no key update%'`);
  return rows.length > 0;
}

describe('changes of one tenant', () => {
  test('queue: each works after the one before has ended, with a position of its own', async () => {
    const { tenantId } = await createTenant(db);
    const order: string[] = [];
    const run = (name: string) =>
      openAsAdmin(db, tenantId).transact(tenantId, async (tx) => {
        order.push(`${name} at ${tx.position}`);
        await tx.query(Prisma.sql`select pg_sleep(0.02)`);
        tx.record({ type: 'users.upserted', userIds: [`usr_${name}`] });
        order.push(`${name} ends`);
        return { name };
      });
    const done = await Promise.all(['a', 'b', 'c', 'd', 'e'].map(run));
    const inOrder = done.toSorted((one, other) => one.position - other.position);
    expect(inOrder.map(({ position }) => position)).toEqual([1, 2, 3, 4, 5]);
    expect(order).toEqual(
      inOrder.flatMap(({ name, position }) => [`${name} at ${position}`, `${name} ends`]),
    );
    await expectWellFormed(tenantId);
  });

  test('are recorded as they come, all at one position, however many they are', async () => {
    const { tenantId } = await createTenant(db);
    const count = 20_050;
    await openAsAdmin(db, tenantId).transact(tenantId, async ({ record }) => {
      for (let n = 0; n < count; n += 1) record({ type: 'users.upserted', userIds: [`usr_${n}`] });
      return {};
    });
    const changes = await expectWellFormed(tenantId);
    expect(changes.map(({ userIds }) => userIds)).toEqual(
      Array.from({ length: count }, (_, n) => [`usr_${n}`]),
    );
  });

  test('wait also for the import, the repair and the refresh of keys, and those for them', async () => {
    const { tenantId, partnerId } = await createTenant(db);
    const { group } = await createGroup(openAsAdmin(db, tenantId), { tenantId, name: 'Group' });
    const behindLog = async (work: () => Promise<unknown>) => {
      let outcome: Promise<unknown>;
      await db.transaction(async (sql) => {
        await sql(holdGraph(tenantId));
        let isEnded = false;
        outcome = work().finally(() => {
          isEnded = true;
        });
        await vi.waitUntil(async () => isEnded || (await waitsForLog()), { timeout: 30_000, interval: 5 });
        expect(isEnded).toBe(false);
      });
      return outcome!;
    };
    await db.sql(Prisma.sql`update groups set member_count = 3 where id = ${group.id}`);
    await behindLog(() => repairDirectory(db));
    await db.sql(Prisma.sql`update tenants set key_rules = '{}' where id = ${tenantId}`);
    await behindLog(() => refreshCaseKeys(db, () => {}));
    await behindLog(() => importDirectory(db, importOf({ tenantId, partnerId }, newId('user'))));
    await expectWellFormed(tenantId);
    expect(await positionOf(db, tenantId)).toBe(3);
  });
});

/** The rows of a file that imports one user into a tenant. */
const importOf = (
  { tenantId, partnerId }: { tenantId: string; partnerId: string },
  id: string,
  more: object[] = [],
) => [
  { section: 'partners', index: 0, row: { id: partnerId, name: 'Partner' } },
  { section: 'tenants', index: 0, row: { id: tenantId, partnerId, name: 'Tenant', slug: tenantId } },
  { section: 'users', index: 0, row: { id, tenantId, email: 'imported@example.org', displayName: null } },
  ...more.map((row, index) => ({ section: 'groups', index, row })),
];

describe('a removed user', () => {
  test('is another person when created again: no restoration takes it for the first', async () => {
    const [byImport, bySync] = [await createTenant(db, 3), await createTenant(db, 3)];
    for (const tenant of [byImport, bySync]) {
      const { tenantId } = tenant;
      const [first, staying, removed] = tenant.userIds as string[] as [string, string, string];
      const directory = openDirectory(db, superAdmin);
      const create = async (name: string) =>
        (await createGroup(directory, { tenantId, name, initialMemberIds: tenant.userIds })).group.id;
      const [old, young] = [await create('Old'), await create('Young')];
      await deleteGroup(directory, { id: old, strategy: 'CASCADE' });
      await removeUsers(directory, { tenantId, userIds: [first, removed] });
      if (tenant === byImport) {
        expect((await importDirectory(db, importOf(tenant, first))).tenants[0]!.faults).toEqual([]);
      } else {
        await upsertUsers(directory, { tenantId, users: [{ id: first, email: 'again@example.org' }] });
      }
      await addGroupMembers(directory, { groupId: young, userIds: [first] });
      await deleteGroup(directory, { id: young, strategy: 'CASCADE' });
      const reason = (id: string, group: string, why: string) => ({
        kind: 'MEMBERSHIP',
        id,
        reason: `${id} in ${group}: ${why}`,
      });
      expect((await restoreGroup(directory, { id: old })).notRestored).toEqual(
        [
          reason(first, old, 'the user was removed, and the id now names another user'),
          reason(removed, old, 'the user was removed'),
        ].toSorted((one, other) => (one.id < other.id ? -1 : 1)),
      );
      // Of the second person it was, and so it comes back.
      expect((await restoreGroup(directory, { id: young })).notRestored).toEqual([]);
      const { position } = await headOf(tenantId);
      expect(await membershipsAt(tenantId, position)).toEqual(
        [`${old} ${staying}`, `${young} ${staying}`, `${young} ${first}`].toSorted(),
      );
      await expectWellFormed(tenantId);
    }
  });

  test.each(['removed', 'erased'])('leaves its id to its tenant, also if it is %s', async (how) => {
    const [own, other] = [await createTenant(db, 1), await createTenant(db)];
    const id = own.userIds[0]!;
    const directory = openDirectory(db, superAdmin);
    const gone = (await createGroup(directory, { tenantId: own.tenantId, name: 'Gone' })).group.id;
    await deleteGroup(directory, { id: gone });
    await (how === 'erased' ? eraseUsers : removeUsers)(directory, { tenantId: own.tenantId, userIds: [id] });
    const taken = upsertUsers(directory, {
      tenantId: other.tenantId,
      users: [{ id, email: 'a@example.org' }],
    });
    expect(await refusal(taken)).toEqual({
      code: 'OTHER_TENANT',
      message: `${id} belongs to another tenant`,
      details: { id },
    });
    const group = {
      id: gone,
      tenantId: other.tenantId,
      name: 'Taken',
      description: null,
      parentGroupId: null,
    };
    const report = await importDirectory(db, importOf(other, id, [group]));
    expect(report.tenants[0]!.faults).toEqual([
      `group ${gone} belongs to another tenant`,
      `user ${id} belongs to another tenant`,
    ]);
    expect(await positionOf(db, other.tenantId)).toBe(0);
    expect(await db.sql(Prisma.sql`select 1 from users where tenant_id = ${other.tenantId}`)).toEqual([]);
    // Its own tenant may give it again.
    const again = { tenantId: own.tenantId, users: [{ id, email: 'a@example.org' }] };
    expect(await upsertUsers(directory, again)).toMatchObject({ created: [id] });
    await expectWellFormed(own.tenantId);
  });

  test('that is erased leaves no personal data in any table, and its id everywhere', async () => {
    const { tenantId, userIds } = await createTenant(db, 2);
    const [erased, other] = userIds as string[] as [string, string];
    const directory = openDirectory(db, superAdmin);
    const sync = (id: string, word: string, displayName: string | null = `Name ${word}`) =>
      upsertUsers(directory, { tenantId, users: [{ id, email: `${word}@example.org`, displayName }] });
    await sync(erased, 'Secret1');
    await upsertUsers(directory, {
      tenantId,
      users: [
        { id: other, email: 'Public1@example.org', displayName: 'Name Public1' },
        { id: erased, email: 'Secret2@example.org', displayName: 'Name Secret2' },
      ],
    });
    const { group } = await createGroup(directory, { tenantId, name: 'Group', initialMemberIds: userIds });
    await deleteGroup(directory, { id: group.id, strategy: 'CASCADE' });
    // Also of an earlier person with the id.
    await removeUsers(directory, { tenantId, userIds: [erased] });
    await sync(erased, 'Secret3');
    await sync(erased, 'Secret4', null);
    const tables = await db.sql<{ name: string }>(Prisma.sql`
      select table_name as name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'
        and table_name !~ '_[0-9]$'`);
    const found = async (word: string) => {
      const names: string[] = [];
      for (const { name } of tables) {
        const rows = await db.sql(
          Prisma.sql`select 1 from ${Prisma.raw(`"${name}"`)} t where t::text ilike ${`%${word}%`} limit 1`,
        );
        if (rows.length > 0) names.push(name);
      }
      return names.sort();
    };
    expect(await found('secret')).toEqual(['changes', 'user_history', 'users']);
    const idIn = await found(erased);
    const before = await changesOf(tenantId);
    await eraseUsers(directory, { tenantId, userIds: [erased] });
    expect(await found('secret')).toEqual([]);
    expect(await found(erased)).toEqual(idIn);
    expect(idIn).toEqual(['changes', 'ids', 'membership_history', 'user_history', 'users']);
    expect(await found('public1')).toEqual(['changes', 'users']);
    // What happened, and to whom, stays told.
    expect((await changesOf(tenantId)).slice(0, before.length)).toEqual(before);
    const data = await db.sql<{ users: object[] }>(Prisma.sql`
      select data -> 'users' as users from changes where tenant_id = ${tenantId} and data ? 'users' order by position`);
    expect(data.map(({ users }) => users)).toEqual([
      [{ id: erased }],
      expect.arrayContaining([
        { id: erased },
        { id: other, before: expect.anything(), after: expect.anything() },
      ]),
      [{ id: erased }],
    ]);
    const { notRestored } = await restoreGroup(directory, { id: group.id });
    expect(notRestored).toEqual([
      { kind: 'MEMBERSHIP', id: erased, reason: `${erased} in ${group.id}: the user was removed` },
    ]);
    expect(await membershipsAt(tenantId, 3)).toEqual(
      [`${group.id} ${erased}`, `${group.id} ${other}`].toSorted(),
    );
    await expectWellFormed(tenantId);
  });
});

test('a change is seen by another server also behind more of them than it reads at once', async () => {
  const { tenantId, ids, users, directory } = await loggedWorld();
  const elsewhere = openPostgresql({ url: database.url, timeouts: PATIENT });
  const shown = async () => {
    const there = openAsAdmin(elsewhere, tenantId);
    const { rows } = (await listEffectiveMembers(there, ids.Group, { page: {} }))!;
    return [await countEffectiveMembers(there, ids.Group), rows.map(({ userId }) => userId)];
  };
  /** One change, whose last row tells of a member. */
  const change = (count: number, isRemoval: boolean) =>
    directory.transact(tenantId, async (tx) => {
      const row = { type: 'users.upserted' as const, userIds: [users[3]] };
      for (let n = 1; n < count; n += 1) tx.record(row);
      if (isRemoval) await removeMembers(tx, ids.Leaf, [users[2]]);
      else await addMembers(tx, { groupId: ids.Leaf, userIds: [users[2]], actor: tx.actor });
      return {};
    });
  expect(await shown()).toEqual([3, users.slice(0, 3)]);
  for (const [at, count] of [4_999, 5_000, 5_001, 12_000].entries()) {
    await change(count, at % 2 === 0);
    const expected = at % 2 === 0 ? users.slice(0, 2) : users.slice(0, 3);
    expect(await shown(), `${count}`).toEqual([expected.length, expected]);
  }
  await elsewhere.close();
});

test('a position that was given again after its change was lost is not taken for the first', async () => {
  const world = await loggedWorld();
  const { tenantId, ids, users, directory } = world;
  const elsewhere = openPostgresql({ url: database.url, timeouts: PATIENT });
  const shown = async () => {
    const there = openAsAdmin(elsewhere, tenantId);
    const { rows } = (await listEffectiveMembers(there, ids.Top, { page: {} }))!;
    return [await countEffectiveMembers(there, ids.Top), rows.map(({ userId }) => userId)];
  };
  const before = await headOf(tenantId);
  await shown();
  await addGroupMembers(directory, { groupId: ids.Leaf, userIds: [users[3]] });
  expect(await shown()).toEqual([4, users]);
  // As a standby that had not received the last change, and then takes another one.
  const lost: Sql[] = [
    Prisma.sql`delete from memberships where tenant_id = ${tenantId} and since = 2`,
    Prisma.sql`update groups set member_count = member_count - 1 where tenant_id = ${tenantId} and id = ${ids.Leaf}`,
    Prisma.sql`delete from changes where tenant_id = ${tenantId} and position = 2`,
    Prisma.sql`update tenant_logs set position = 1, change_id = ${before.changeId}::uuid where tenant_id = ${tenantId}`,
  ];
  await db.transaction(async (sql) => {
    for (const statement of lost) await sql(statement);
  });
  await removeGroupMembers(directory, { groupId: ids.Group, userIds: [users[1]] });
  expect(await positionOf(db, tenantId)).toBe(2);
  expect(await shown()).toEqual([2, [users[0], users[2]]]);
  await expectWellFormed(tenantId);
  await elsewhere.close();
});
