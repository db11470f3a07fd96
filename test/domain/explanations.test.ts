// Why a user is an effective member, and what took that away: against brute force, and after each kind of change.
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addGroupMembers } from '../../src/domain/commands/add-members.ts';
import { removeGroupMembers, updateGroupMembers } from '../../src/domain/commands/change-members.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { deleteGroup } from '../../src/domain/commands/delete-group.ts';
import { addNestedGroups, removeNestedGroup } from '../../src/domain/commands/nest-groups.ts';
import { applyChanges, previewChanges } from '../../src/domain/commands/preview-changes.ts';
import { eraseUsers, removeUsers } from '../../src/domain/commands/remove-users.ts';
import { restoreGroup } from '../../src/domain/commands/restore-group.ts';
import { updateGroup } from '../../src/domain/commands/update-group.ts';
import { upsertUsers } from '../../src/domain/commands/upsert-users.ts';
import { openDirectory } from '../../src/domain/directory.ts';
import {
  countPaths,
  type Interval,
  lastLostEdge,
  type PastGraph,
  type PathGraph,
  type PathNode,
  shortestPaths,
} from '../../src/domain/effective-membership/paths.ts';
import { hasEffectiveMember } from '../../src/domain/queries/effective-members.ts';
import { findGroup } from '../../src/domain/queries/groups.ts';
import {
  explainMembership,
  groupBefore,
  lastLostMembership,
  pathSteps,
} from '../../src/domain/queries/membership-explanations.ts';
import { DirectoryError } from '../../src/model/errors.ts';
import { newId, type UserId } from '../../src/model/ids.ts';
import { createTenant, openAsAdmin, plainUser, superAdmin, tenantAdmin } from '../support/directories.ts';
import { positionOf } from '../support/group-worlds.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { randomFrom } from '../support/random.ts';
import { groupOf, type StoredGroup, storeGroups, storeUsers, usersOf } from '../support/random-graph.ts';
import { seed } from '../support/seed.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.close());

describe('paths of small graphs', () => {
  /** Groups 0 to 6; edges lead from a smaller to a larger one, so that none is on a cycle. */
  const graphs = fc.record({
    members: fc.uniqueArray(fc.nat(6), { maxLength: 4 }),
    edges: fc.uniqueArray(fc.tuple(fc.nat(6), fc.nat(6)), { maxLength: 14, selector: String }),
  });
  type Made = { members: number[]; edges: [number, number][] };

  /** All paths from 0, by brute force: from the direct group up, shortest first. */
  function allPaths({ members, edges }: Made): string[][] {
    const below = (at: number): string[][] => [
      ...(members.includes(at) ? [[String(at)]] : []),
      ...edges
        .filter(([parent, child]) => parent === at && child > at)
        .flatMap(([, child]) => below(child).map((path) => [...path, String(at)])),
    ];
    const fromTop = (path: string[]) => path.toReversed().join();
    return below(0).sort(
      (one, other) => one.length - other.length || (fromTop(one) < fromTop(other) ? -1 : 1),
    );
  }

  /** The graph as the statement reads it: only groups above the user. */
  function graphOf(made: Made): PathGraph {
    const onPath = new Set(made.members.map(String));
    for (const id of onPath)
      for (const [parent, child] of made.edges)
        if (String(child) === id && child > parent) onPath.add(String(parent));
    const nodes = [...onPath].map((id): [string, PathNode] => {
      const children = made.edges
        .filter(([parent, child]) => String(parent) === id && child > parent && onPath.has(String(child)))
        .map(([, child]) => ({ id: String(child), since: child }))
        .sort((one, other) => (one.id < other.id ? -1 : 1));
      return [id, { memberSince: made.members.includes(Number(id)) ? 9 : null, children }];
    });
    return new Map(nodes);
  }

  test('are counted and listed as brute force does', () => {
    fc.assert(
      fc.property(graphs, fc.integer({ min: 1, max: 8 }), (made, limit) => {
        const expected = allPaths(made);
        const graph = graphOf(made);
        expect(countPaths(graph, '0')).toBe(BigInt(expected.length));
        const listed = shortestPaths(graph, '0', limit);
        expect(listed.map((path) => path.map(({ groupId }) => groupId))).toEqual(expected.slice(0, limit));
        for (const path of listed)
          expect(path.map(({ since }) => since)).toEqual(
            path.map((_, at) => (at === 0 ? 9 : Number(path[at - 1]!.groupId))),
          );
      }),
      { numRuns: 1_000, seed },
    );
  });

  test('that go in circles over time lose what brute force finds lost', () => {
    const interval = fc.tuple(fc.nat(8), fc.option(fc.integer({ min: 1, max: 9 }), { freq: 3 })).map(
      ([since, length]): Interval => ({
        since,
        until: length === null ? Number.POSITIVE_INFINITY : since + length,
      }),
    );
    const past = fc.record({
      members: fc.array(fc.tuple(fc.nat(4), interval), { maxLength: 6 }),
      edges: fc.array(fc.tuple(fc.nat(4), fc.nat(4), interval), { maxLength: 12 }),
    });
    fc.assert(
      fc.property(past, ({ members, edges }) => {
        const ids = [0, 1, 2, 3, 4];
        const graph: PastGraph = {
          memberships: new Map(
            ids.map((at) => [String(at), members.filter(([id]) => id === at).map(([, held]) => held)]),
          ),
          parents: new Map(
            ids.map((at) => [
              String(at),
              edges
                .filter(([, child]) => child === at)
                .map(([parent, , held]) => ({ id: String(parent), ...held })),
            ]),
          ),
        };
        const holds = ({ since, until }: Interval, position: number) => since <= position && position < until;
        const isMember = (position: number) => {
          const reached = new Set(members.filter(([, held]) => holds(held, position)).map(([id]) => id));
          for (const id of reached)
            for (const [parent, child, held] of edges)
              if (child === id && holds(held, position)) reached.add(parent);
          return reached.has(0);
        };
        const losses = Array.from({ length: 30 }, (_, at) => at + 1).filter(
          (position) => isMember(position - 1) && !isMember(position),
        );
        const lost = lastLostEdge(graph, '0');
        expect(lost?.until ?? null).toBe(losses.at(-1) ?? null);
        if (!lost) return;
        // What ended then is one of the edges, and it held until then.
        const ended = lost.child === null ? members.map(([id, held]) => [id, null, held] as const) : edges;
        expect(
          ended.some(
            ([id, child, held]) =>
              String(id) === lost.groupId &&
              (child === null ? null : String(child)) === lost.child &&
              held.since === lost.since &&
              held.until === lost.until,
          ),
        ).toBe(true);
      }),
      { numRuns: 2_000, seed },
    );
  });
});

/** A chain of seven groups, the user in the lowest, and a group aside. */
async function world() {
  const { db } = database;
  const { tenantId, userIds } = await createTenant(db, 2);
  const admin = openAsAdmin(db, tenantId);
  const chain: string[] = [];
  for (const name of ['Top', 'Two', 'Three', 'Four', 'Five', 'Six', 'Low', 'Aside']) {
    const { group } = await createGroup(openAsAdmin(db, tenantId), { tenantId, name });
    chain.push(group.id);
  }
  for (let at = 0; at < 6; at += 1)
    await addNestedGroups(admin, { groupId: chain[at]!, childGroupIds: [chain[at + 1]!] });
  const [user, other] = userIds as [UserId, UserId];
  await addGroupMembers(admin, { groupId: chain[6]!, userIds: [user] });
  const ask = () => openAsAdmin(db, tenantId);
  return {
    tenantId,
    user,
    other,
    admin,
    chain,
    top: chain[0]!,
    low: chain[6]!,
    aside: chain[7]!,
    explain: (groupId = chain[0]!, userId: string = user) => explainMembership(ask(), { groupId, userId }),
    lost: (groupId = chain[0]!, userId: string = user) => lastLostMembership(ask(), { groupId, userId }),
    position: () => positionOf(db, tenantId),
  };
}

test('a membership is explained by its paths, each step with since when and by whom', async () => {
  const { admin, chain, user, top, low, aside, explain, tenantId, position } = await world();
  await addNestedGroups(admin, { groupId: top, childGroupIds: [aside] });
  const nested = await position();
  await addGroupMembers(openDirectory(database.db, { ...tenantAdmin(tenantId), subject: 'usr_other' }), {
    groupId: aside,
    userIds: [user],
  });
  const explanation = (await explain())!;
  expect(explanation).toMatchObject({ isMember: true, membershipType: 'INHERITED', pathCount: 2n });
  expect(explanation.paths.map((path) => path.map(({ groupId }) => groupId))).toEqual([
    [aside, top],
    chain.slice(0, 7).toReversed(),
  ]);
  const steps = await pathSteps(admin, user, explanation.paths[0]!);
  expect(steps).toEqual([
    { groupId: aside, since: nested + 1, sinceAt: expect.any(Date), addedBy: 'usr_other' },
    { groupId: top, since: nested, sinceAt: expect.any(Date), addedBy: 'usr_administrator' },
  ]);
  // Steps are of the state in which the path was read, though it has ended since.
  await removeNestedGroup(admin, { groupId: top, childGroupId: aside });
  await removeGroupMembers(admin, { groupId: aside, userIds: [user] });
  expect(await pathSteps(openAsAdmin(database.db, tenantId), user, explanation.paths[0]!)).toEqual(steps);
  expect(await explain(low)).toMatchObject({ isMember: true, membershipType: 'DIRECT', pathCount: 1n });
  expect(await explain(top, newId('user'))).toMatchObject({
    isMember: false,
    membershipType: null,
    pathCount: 0n,
    paths: [],
  });
});

test('what is listed is bounded, and the count is not', async () => {
  const { db } = database;
  const { tenantId, userIds } = await createTenant(db, 1);
  // Layers of groups, each nested in all of the layer above: 31 groups deep, 30,720 nestings, 32 to the power of 30 paths.
  const layers: StoredGroup[][] = [];
  for (let depth = 0; depth < 30; depth += 1) {
    const below = layers.at(-1)?.map(({ id }) => id) ?? [];
    layers.push(Array.from({ length: 32 }, () => groupOf(depth === 0 ? (userIds as never) : [], below)));
  }
  const top = groupOf(
    [],
    layers.at(-1)!.map(({ id }) => id),
  );
  await storeGroups(db, tenantId, [...layers.flat(), top]);
  const admin = openAsAdmin(db, tenantId);
  const pair = { groupId: top.id, userId: userIds[0]! };
  const explanation = (await explainMembership(admin, { ...pair, maxPaths: 100 }))!;
  expect(explanation.pathCount).toBe(32n ** 30n);
  expect(explanation.paths).toHaveLength(100);
  expect(new Set(explanation.paths.map((path) => JSON.stringify(path))).size).toBe(100);
  for (const path of explanation.paths) expect(path).toHaveLength(31);
  expect(await lastLostMembership(admin, pair)).toBeNull();
  for (const maxPaths of [0, 101, 1.5, -1])
    await expect(explainMembership(admin, { ...pair, maxPaths })).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
      details: { fields: [{ path: ['maxPaths'], message: 'must be between 1 and 100' }] },
    });
  expect((await explainMembership(admin, pair))!.paths).toHaveLength(10);
});

describe('what took a membership away is', () => {
  test('nothing, as long as it was never lost, and for whom is none of the tenant', async () => {
    const { lost, top, user, admin, low, aside, other, position } = await world();
    expect(await lost()).toBeNull();
    expect(await lost(top, other)).toBeNull();
    expect(await lost(newId('group'))).toBeNull();
    expect(await lost(top, newId('user'))).toBeNull();
    const stranger = await createTenant(database.db, 1);
    expect(
      await lastLostMembership(openAsAdmin(database.db, stranger.tenantId), { groupId: top, userId: user }),
    ).toBeNull();
    // By another path, or by another edge at the same position, it was held all the time.
    await addNestedGroups(admin, { groupId: top, childGroupIds: [aside] });
    await addGroupMembers(admin, { groupId: aside, userIds: [user] });
    await removeGroupMembers(admin, { groupId: low, userIds: [user] });
    expect(await lost()).toBeNull();
    expect(await lost(low)).toMatchObject({ position: await position() });
  });

  test('the removal of a member', async () => {
    const { lost, admin, low, user, top, position } = await world();
    await removeGroupMembers(admin, { groupId: low, userIds: [user] });
    const removal = {
      position: await position(),
      at: expect.any(Date),
      by: 'usr_administrator',
      cause: 'REMOVED',
      tenantId: expect.any(String),
      groupId: low,
      nestedGroupId: null,
    };
    expect(await lost()).toEqual(removal);
    expect(await lost(low)).toEqual(removal);
    // A change that is not about it does not matter, and neither that it is held again.
    await addNestedGroups(admin, { groupId: top, childGroupIds: [low] });
    await addGroupMembers(admin, { groupId: low, userIds: [user] });
    expect(await lost()).toEqual(removal);
  });

  test('the end of a nesting six levels below', async () => {
    const { lost, admin, chain, low, position } = await world();
    await removeNestedGroup(admin, { groupId: chain[5]!, childGroupId: low });
    expect(await lost()).toMatchObject({
      position: await position(),
      cause: 'REMOVED',
      groupId: chain[5],
      nestedGroupId: low,
    });
    // Named as they were.
    await updateGroup(admin, { id: low, name: 'Renamed' });
    const named = async (id: string) => (await groupBefore(admin, (await lost())!, id))!.row.name;
    expect([await named(chain[5]!), await named(low)]).toEqual(['Six', 'Low']);
    expect(await lost(low)).toBeNull();
  });

  test('the deletion of a group, in the middle or of the one the user is in', async () => {
    for (const at of [3, 6]) {
      const { lost, admin, chain, position } = await world();
      await deleteGroup(admin, { id: chain[at]!, strategy: 'CASCADE' });
      expect(await lost()).toMatchObject({
        position: await position(),
        cause: 'GROUP_DELETED',
        groupId: chain[at],
        nestedGroupId: at === 3 ? chain[4] : null,
      });
      await restoreGroup(admin, { id: chain[at]! });
      expect(await lost()).toMatchObject({ position: (await position()) - 1 });
    }
  });

  test('not a deletion whose stand-in holds it, but the end of the stand-in', async () => {
    const { lost, admin, chain, position } = await world();
    await deleteGroup(admin, { id: chain[3]!, strategy: 'ORPHAN' });
    expect(await lost()).toBeNull();
    await removeNestedGroup(admin, { groupId: chain[2]!, childGroupId: chain[4]! });
    expect(await lost()).toMatchObject({ position: await position(), cause: 'REMOVED', groupId: chain[2] });
  });

  test('the removal of the user, of whom a later one with the id has no past', async () => {
    const { lost, explain, admin, low, user, top, tenantId, position } = await world();
    await removeUsers(admin, { tenantId, userIds: [user] });
    const removal = { position: await position(), cause: 'USER_REMOVED', groupId: low } as const;
    expect(await lost()).toMatchObject(removal);
    expect(await explain()).toMatchObject({ isMember: false });
    await eraseUsers(admin, { tenantId, userIds: [user] });
    expect(await lost()).toMatchObject(removal);
    await upsertUsers(openDirectory(database.db, superAdmin), {
      tenantId,
      users: [{ id: user, email: 'again@example.org' }],
    });
    expect(await lost(top)).toBeNull();
  });

  test('found after random changes, at the position at which it was lost', async () => {
    const { db } = database;
    const random = randomFrom(seed);
    const { tenantId, userIds } = await createTenant(db, 3);
    const users = userIds as string[];
    const groups: string[] = [];
    for (let at = 0; at < 6; at += 1) {
      const { group } = await createGroup(openAsAdmin(db, tenantId), { tenantId, name: `Group ${at}` });
      groups.push(group.id);
    }
    const pick = <Item>(items: readonly Item[]): Item => items[random(items.length)]!;
    const admin = () => openAsAdmin(db, tenantId);
    const changes = [
      () => addGroupMembers(admin(), { groupId: pick(groups), userIds: [pick(users)] }),
      () => removeGroupMembers(admin(), { groupId: pick(groups), userIds: [pick(users)] }),
      () =>
        updateGroupMembers(admin(), {
          groupId: pick(groups),
          usersToAdd: [users[0]!],
          usersToRemove: [users[1]!],
        }),
      () => addNestedGroups(admin(), { groupId: pick(groups), childGroupIds: [pick(groups)] }),
      () => addNestedGroups(admin(), { groupId: pick(groups), childGroupIds: [pick(groups)] }),
      () => removeNestedGroup(admin(), { groupId: pick(groups), childGroupId: pick(groups) }),
      () => deleteGroup(admin(), { id: pick(groups), strategy: pick(['ORPHAN', 'CASCADE'] as const) }),
      () => restoreGroup(admin(), { id: pick(groups) }),
      () => restoreGroup(admin(), { id: pick(groups) }),
    ];
    const pairs = groups.flatMap((groupId) => users.map((userId) => ({ groupId, userId })));
    const held = new Set<string>();
    const losses = new Map<string, number>();
    for (let times = 0; times < 250; times += 1) {
      await pick(changes)().catch((error) => {
        if (!(error instanceof DirectoryError)) throw error;
      });
      const position = await positionOf(db, tenantId);
      const directory = admin();
      await Promise.all(
        pairs.map(async (pair) => {
          const key = `${pair.groupId} ${pair.userId}`;
          const isMember = await hasEffectiveMember(directory, pair.groupId, pair.userId);
          if (!isMember && held.delete(key)) losses.set(key, position);
          if (isMember) held.add(key);
          const explanation = (await explainMembership(directory, pair))!;
          expect(explanation.isMember).toBe(isMember);
          expect(explanation.pathCount > 0n).toBe(isMember);
          expect((await lastLostMembership(directory, pair))?.position ?? null, key).toBe(
            losses.get(key) ?? null,
          );
        }),
      );
    }
    expect(losses.size).toBeGreaterThan(5);
  });
});

test('an end user is told about itself alone', async () => {
  const { tenantId, user, other, top, low, admin } = await world();
  const own = openDirectory(database.db, plainUser(tenantId, user));
  expect(await explainMembership(own, { groupId: top, userId: user })).toMatchObject({ pathCount: 1n });
  expect(await explainMembership(own, { groupId: top, userId: other })).toBeNull();
  expect(await lastLostMembership(own, { groupId: top, userId: other })).toBeNull();
  await removeGroupMembers(admin, { groupId: low, userIds: [user] });
  const later = openDirectory(database.db, plainUser(tenantId, user));
  expect(await lastLostMembership(later, { groupId: top, userId: user })).toMatchObject({ cause: 'REMOVED' });
});

test('an end user is shown of a group that it was in what it is shown of one that it is in, if it is in it again', async () => {
  const { tenantId, user, top, low, admin } = await world();
  await removeGroupMembers(admin, { groupId: low, userIds: [user] });
  const pair = { groupId: top, userId: user };
  const gone = openDirectory(database.db, plainUser(tenantId, user));
  expect(await groupBefore(gone, (await lastLostMembership(gone, pair))!, low)).toBeNull();
  await addGroupMembers(admin, { groupId: low, userIds: [user] });
  const again = openDirectory(database.db, plainUser(tenantId, user));
  const { row } = (await groupBefore(again, (await lastLostMembership(again, pair))!, low))!;
  expect(row).toEqual(await findGroup(again, low));
  expect(row).not.toHaveProperty('memberCount');
});

test('memberships that began at one position are told apart when they end', async () => {
  const { tenantId, user, low, aside, admin, lost, position } = await world();
  const userIds = [user];
  await removeGroupMembers(admin, { groupId: low, userIds });
  const changes = [low, aside].map((groupId) => ({ addGroupMembers: { groupId, userIds } }));
  const { hash } = await previewChanges(openAsAdmin(database.db, tenantId), changes);
  await applyChanges(openAsAdmin(database.db, tenantId), { changes, previewHash: hash });
  const ended = new Map<string, number>();
  for (const groupId of [aside, low]) {
    await removeGroupMembers(admin, { groupId, userIds });
    ended.set(groupId, await position());
  }
  for (const [groupId, at] of ended) {
    expect(await lost(groupId)).toMatchObject({ position: at, groupId });
    // As of the position of its end it is lost, and one before it is not.
    const past = (of: number) => openAsAdmin(database.db, tenantId).at(tenantId, of);
    expect(await lastLostMembership(past(at), { groupId, userId: user })).toMatchObject({ position: at });
    const before = await lastLostMembership(past(at - 1), { groupId, userId: user });
    expect(before?.position ?? 0).toBeLessThan(at);
  }
});

test('explanations of many groups and users take one statement', async () => {
  const { db } = database;
  const { tenantId } = await createTenant(db);
  const users = usersOf(20);
  await storeUsers(db, tenantId, users);
  const groups = Array.from({ length: 20 }, () => groupOf(users.map(({ id }) => id)));
  await storeGroups(db, tenantId, groups);
  const statements: string[] = [];
  const stop = db.onStatement((text) => statements.push(text));
  const admin = openAsAdmin(db, tenantId);
  const found = await Promise.all(
    groups.flatMap(({ id }) =>
      users.map((user) => explainMembership(admin, { groupId: id, userId: user.id })),
    ),
  );
  stop();
  expect(found.every((explanation) => explanation?.membershipType === 'DIRECT')).toBe(true);
  expect(statements).toHaveLength(1);
});
