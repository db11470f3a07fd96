// Deletions and restorations of a few groups in every order: whatever both of its ends are back for is back.

import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Database, Prisma } from '../../src/database/database.ts';
import { deleteGroup } from '../../src/domain/commands/delete-group.ts';
import { restoreGroup } from '../../src/domain/commands/restore-group.ts';
import { checkDirectory } from '../../src/domain/integrity/check.ts';
import type { TenantId } from '../../src/model/ids.ts';
import { createWorld, type GroupSpec } from '../support/group-worlds.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { seed } from '../support/seed.ts';

/** How many random sequences there are for each world. */
const SEQUENCES = Number(process.env.SEQUENCES ?? 40);

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await openTestDatabase();
  db = database.db;
});
afterAll(() => database.close());

type World = Record<string, GroupSpec>;
type Step = { group: string } & (
  | { kind: 'delete'; strategy: 'ORPHAN' | 'CASCADE' }
  | { kind: 'restore'; includeDescendants: boolean }
);

/** A chain of nestings and the same chain of the hierarchy, each with a member. */
const CHAIN: World = {
  P: { members: [0], nests: ['T'] },
  T: { members: [1], nests: ['M'], parent: 'P' },
  M: { members: [2], nests: ['C'], parent: 'T' },
  C: { members: [3], parent: 'M' },
};
const WORLDS: Record<string, World> = {
  'a chain': CHAIN,
  'a chain that is nested the other way': {
    P: { members: [0] },
    T: { members: [1], nests: ['P'], parent: 'P' },
    M: { members: [2], nests: ['T'], parent: 'T' },
    C: { members: [3], nests: ['M'], parent: 'M' },
  },
  'two ways to one group': {
    P: { nests: ['T', 'M', 'C'] },
    T: { members: [0], nests: ['C', 'L'], parent: 'P' },
    M: { members: [1], nests: ['C'], parent: 'P' },
    C: { members: [2], nests: ['L'], parent: 'T' },
    L: { members: [3], parent: 'C' },
  },
  'groups of one name': Object.fromEntries(
    Object.entries(CHAIN).map(([key, spec]) => [key, { ...spec, name: 'Ops' }]),
  ),
};

type State = {
  live: Set<string>;
  parents: Record<string, string | null>;
  /** Direct memberships `Group: user` and nestings `Parent > Child`. */
  edges: Set<string>;
  /** Nestings that stand for deleted groups. */
  standIns: string[];
};

/** The directory by the keys of its groups. */
async function read(tenantId: TenantId, users: string[]): Promise<State> {
  const key = (id: string) => id.split('_').at(-1)!;
  const groups = await db.sql<{ id: string; parent: string | null; live: boolean }>(Prisma.sql`
    select id, parent_group_id as parent, deleted_at is null as live from groups where tenant_id = ${tenantId}`);
  const members = await db.sql<{ group: string; user: string }>(Prisma.sql`
    select group_id as group, user_id as user from memberships where tenant_id = ${tenantId}`);
  const nestings = await db.sql<{ parent: string; child: string; stands: boolean }>(Prisma.sql`
    select parent_group_id as parent, child_group_id as child, stands_for is not null as stands
    from nestings where tenant_id = ${tenantId}`);
  const nesting = ({ parent, child }: { parent: string; child: string }) => `${key(parent)} > ${key(child)}`;
  const live = groups.filter((group) => group.live);
  return {
    live: new Set(live.map(({ id }) => key(id))),
    parents: Object.fromEntries(live.map(({ id, parent }) => [key(id), parent && key(parent)])),
    edges: new Set([
      ...members.map(({ group, user }) => `${key(group)}: ${users.indexOf(user)}`),
      ...nestings.map(nesting),
    ]),
    standIns: nestings.filter(({ stands }) => stands).map(nesting),
  };
}

/** Pairs `Group: user` of effective members. */
function effective({ live, edges }: State): string[] {
  const nestings = [...edges].map((edge) => edge.split(' > ')).filter((ends) => ends.length === 2);
  return [...live].flatMap((group) => {
    const reached = new Set([group]);
    for (const at of reached) for (const [parent, child] of nestings) if (parent === at) reached.add(child!);
    const memberships = [...edges].map((edge) => edge.split(': ')).filter((ends) => ends.length === 2);
    return memberships.filter(([at]) => reached.has(at!)).map(([, user]) => `${group}: ${user}`);
  });
}

/** What a world holds between groups that are live: no order of deletions and restorations may lose any of it. */
function owed(world: World, live: Set<string>) {
  const specs = Object.entries(world).filter(([key]) => live.has(key));
  const edges = specs.flatMap(([key, { members = [], nests = [] }]) => [
    ...members.map((user) => `${key}: ${user}`),
    ...nests.filter((child) => live.has(child)).map((child) => `${key} > ${child}`),
  ]);
  const parents = specs.filter(([, { parent }]) => parent === undefined || live.has(parent));
  return { edges, parents: Object.fromEntries(parents.map(([key, spec]) => [key, spec.parent ?? null])) };
}

/** Takes the steps, then restores what is still deleted; steps that are refused are left out. */
async function play(world: World, steps: Step[], last: string[]): Promise<void> {
  const { tenantId, directory, users, ids } = await createWorld(db, world, 4);
  const begin = await read(tenantId, users);
  let before = begin;
  const restore = async (group: string, includeDescendants: boolean) => {
    const { notRestored } = await restoreGroup(directory, { id: ids[group]!, includeDescendants });
    const after = await read(tenantId, users);
    const expected = owed(world, after.live);
    expect([...after.edges]).toEqual(expect.arrayContaining(expected.edges));
    expect(after.parents).toMatchObject(expected.parents);
    // A restoration takes no effective member from a group that was live before it, unless it says by which nesting.
    if (!notRestored.some(({ reason }) => reason.endsWith('it stood in for a group that has been restored')))
      expect(effective(after)).toEqual(expect.arrayContaining(effective(before)));
    for (const { kind, reason } of notRestored.filter((lost) => lost.kind === 'NESTING')) {
      const ends = reason
        .match(/\w+ in \w+/)![0]
        .split(' in ')
        .map((id) => id.split('_').at(-1));
      expect(after.edges, `${kind} ${reason}`).not.toContain(`${ends[1]} > ${ends[0]}`);
    }
    before = after;
    return notRestored;
  };
  /** What the work gives; null if it is refused: the group is deleted or live already, or a name is taken. */
  const attempt = <Value>(work: Promise<Value>): Promise<Value | null> =>
    work.catch((error) => {
      if (['NAME_TAKEN', 'NOT_FOUND'].includes(error.code)) return null;
      throw error;
    });
  for (const step of steps) {
    if (step.kind === 'restore') await attempt(restore(step.group, step.includeDescendants));
    else {
      await attempt(deleteGroup(directory, { id: ids[step.group]!, strategy: step.strategy }));
      before = await read(tenantId, users);
    }
  }
  let lost: unknown[] = [];
  // Who is refused for a name that another group still holds comes after that one.
  for (let round = 0; round < last.length; round += 1) {
    for (const group of last.filter((key) => !before.live.has(key))) {
      lost = (await attempt(restore(group, false))) ?? lost;
    }
  }
  expect(before).toEqual(begin);
  expect(lost).toEqual([]);
  expect(await checkDirectory(db, tenantId)).toEqual([]);
}

test.each(Object.entries(WORLDS))(
  '%s: two groups deleted in either order and any way, and all restored in either order',
  { timeout: 5 * 60_000 },
  async (_name, world) => {
    const all = Object.keys(world);
    const pairs = all.flatMap((first) =>
      all.filter((each) => each !== first).map((second) => [first, second]),
    );
    const strategies = [
      ['ORPHAN', 'ORPHAN'],
      ['ORPHAN', 'CASCADE'],
      ['CASCADE', 'ORPHAN'],
      ['CASCADE', 'CASCADE'],
    ] as const;
    for (const pair of pairs) {
      const rest = all.filter((group) => !pair.includes(group));
      const plays = strategies.flatMap((each) =>
        [pair, pair.toReversed()].map(async (order) => {
          const steps = pair.map((group, at) => ({
            kind: 'delete' as const,
            group,
            strategy: each[at]!,
          }));
          await play(world, steps, [...order, ...rest]).catch((error) => {
            throw new Error(JSON.stringify({ steps, order }), { cause: error });
          });
        }),
      );
      await Promise.all(plays);
    }
  },
);

test.each(Object.entries(WORLDS))(
  '%s: random deletions and restorations, and then the rest is restored',
  { timeout: 5 * 60_000 },
  async (_name, world) => {
    const group = fc.constantFrom(...Object.keys(world));
    const step: fc.Arbitrary<Step> = fc.oneof(
      fc.record({
        kind: fc.constant('delete' as const),
        group,
        strategy: fc.constantFrom('ORPHAN' as const, 'CASCADE' as const),
      }),
      fc.record({ kind: fc.constant('restore' as const), group, includeDescendants: fc.boolean() }),
    );
    const all = Object.keys(world);
    const last = fc.shuffledSubarray(all, { minLength: all.length });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 12 }), last, (steps, order) =>
        play(world, steps, order),
      ),
      { numRuns: SEQUENCES, seed },
    );
  },
);
