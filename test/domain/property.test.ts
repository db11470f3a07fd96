// Random sequences of changes against a plain in-memory model: same results, same refusals, the same state at each position of
// the log, and a clean directory after.

import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Database, Prisma } from '../../src/database/database.ts';
import { openPostgresql } from '../../src/database/postgresql.ts';
import { updateGroupMembers } from '../../src/domain/commands/change-members.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { deleteGroup } from '../../src/domain/commands/delete-group.ts';
import { addNestedGroups, removeNestedGroup } from '../../src/domain/commands/nest-groups.ts';
import { removeUsers } from '../../src/domain/commands/remove-users.ts';
import { restoreGroup } from '../../src/domain/commands/restore-group.ts';
import { updateGroup } from '../../src/domain/commands/update-group.ts';
import { upsertUsers } from '../../src/domain/commands/upsert-users.ts';
import { type Directory, openDirectory } from '../../src/domain/directory.ts';
import { checkDirectory } from '../../src/domain/integrity/check.ts';
import {
  countEffectiveMembers,
  hasEffectiveMember,
  listEffectiveMembers,
} from '../../src/domain/queries/effective-members.ts';
import { listGroups } from '../../src/domain/queries/groups.ts';
import { groupPath } from '../../src/domain/queries/hierarchy.ts';
import { countMembers } from '../../src/domain/queries/members.ts';
import { explainMembership } from '../../src/domain/queries/membership-explanations.ts';
import { nestedGroups } from '../../src/domain/queries/nesting.ts';
import { listUsers } from '../../src/domain/queries/users.ts';
import { DirectoryError } from '../../src/model/errors.ts';
import type { TenantId } from '../../src/model/ids.ts';
import { createTenant, openAsAdmin, superAdmin } from '../support/directories.ts';
import { positionOf } from '../support/group-worlds.ts';
import { Model, type Outcome } from '../support/model.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { seed } from '../support/seed.ts';
import { PATIENT } from '../support/timeouts.ts';

/** At least this many sequences (each a tenant of its own in one database). */
const SEQUENCES = Number(process.env.SEQUENCES ?? 300);
/** Of each sequence, so many positions are read as of then; `all` reads each. */
const PAST = process.env.PAST ?? '2';
const USERS = 5;
/** Groups are named by their place in the order of creation; the last place is an id that was never issued. */
const place = fc.nat({ max: 6 });
const user = fc.nat({ max: USERS });
const name = fc.constantFrom('A', 'a', 'B', 'C', 'D', 'E/F', 'g\\h');

type Command =
  | { kind: 'create'; name: string; parent: number | null; members: number[] }
  | { kind: 'update'; at: number; name: string | null; parent: number | null | undefined }
  | { kind: 'nest'; at: number; children: number[] }
  | { kind: 'unnest'; at: number; child: number }
  | { kind: 'change'; at: number; add: number[]; remove: number[] }
  | { kind: 'delete'; at: number; strategy: 'BLOCK' | 'ORPHAN' | 'CASCADE' }
  | { kind: 'restore'; at: number; includeDescendants: boolean }
  | { kind: 'removeUsers' | 'createUsers'; users: number[] }
  | { kind: 'read' };

const create = fc.record({
  kind: fc.constant('create' as const),
  name,
  parent: fc.option(place, { freq: 3 }),
  members: fc.array(fc.nat({ max: USERS - 1 }), { maxLength: 3 }),
});
const nest = fc.record({
  kind: fc.constant('nest' as const),
  at: place,
  children: fc.array(place, { minLength: 1, maxLength: 3 }),
});
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 4, arbitrary: create },
  { weight: 5, arbitrary: nest },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('update' as const),
      at: place,
      name: fc.option(name),
      parent: fc.oneof(fc.constant(undefined), fc.constant(null), place),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('unnest' as const), at: place, child: place }) },
  {
    weight: 3,
    arbitrary: fc
      .record({
        kind: fc.constant('change' as const),
        at: place,
        add: fc.array(user, { maxLength: 3 }),
        remove: fc.array(user, { maxLength: 3 }),
      })
      .filter(({ add, remove }) => !add.some((each) => remove.includes(each))),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('delete' as const),
      at: place,
      strategy: fc.constantFrom('BLOCK' as const, 'ORPHAN' as const, 'CASCADE' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('restore' as const),
      at: place,
      includeDescendants: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('removeUsers' as const, 'createUsers' as const),
      users: fc.uniqueArray(fc.nat({ max: USERS - 1 }), { maxLength: 2 }),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: 'read' as const }) },
);
const sequence = fc
  .tuple(
    fc.array(create, { minLength: 5, maxLength: 8 }),
    fc.array(command, { minLength: 10, maxLength: 30, size: 'max' }),
  )
  .map(([first, rest]) => [...first, ...rest]);

let database: TestDatabase;
/** The database as another server sees it, whose caches know of the changes by the log alone. */
let elsewhere: Database;
beforeAll(async () => {
  database = await openTestDatabase();
  elsewhere = openPostgresql({ url: database.url, timeouts: PATIENT });
});
afterAll(async () => {
  await elsewhere.close();
  await database.close();
});

const sort = (values: string[]) => [...values].sort();

async function outcome(work: () => Promise<unknown>): Promise<Outcome> {
  try {
    return { ok: await work() };
  } catch (error) {
    if (error instanceof DirectoryError) return { code: error.code };
    throw error;
  }
}

/** Runs one command on both, and gives both outcomes in the model's form. */
async function run(
  directory: Directory,
  model: Model,
  tenantId: string,
  userIds: string[],
  command: Exclude<Command, { kind: 'read' }>,
): Promise<[Outcome, Outcome]> {
  const created = [...model.groups.keys()];
  const group = (at: number) => created[at] ?? 'grp_neverissued00000';
  const who = (ats: number[]) => ats.map((at) => userIds[at] ?? 'usr_neverissued00000');
  switch (command.kind) {
    case 'create': {
      const parent = command.parent === null ? null : group(command.parent);
      const initialMemberIds = who(command.members);
      let id = 'grp_refused000000000';
      const real = await outcome(async () => {
        const made = await createGroup(directory, {
          tenantId,
          name: command.name,
          parentGroupId: parent,
          initialMemberIds,
        });
        id = made.group.id;
        return id;
      });
      return [real, model.create(id, command.name, parent, initialMemberIds)];
    }
    case 'update': {
      const { at, name: wanted, parent } = command;
      const parentGroupId = parent == null ? parent : group(parent);
      const change = {
        ...(wanted !== null && { name: wanted }),
        ...(parent !== undefined && { parent: parentGroupId ?? null }),
      };
      const real = await outcome(async () => {
        const input = {
          id: group(at),
          ...(wanted !== null && { name: wanted }),
          ...(parent !== undefined && { parentGroupId }),
        };
        return (await updateGroup(directory, input)).group.id;
      });
      return [real, model.update(group(at), change)];
    }
    case 'nest': {
      const childGroupIds = command.children.map(group);
      const real = await outcome(async () => {
        const { added, unchanged } = await addNestedGroups(directory, {
          groupId: group(command.at),
          childGroupIds,
        });
        return { added, unchanged };
      });
      return [real, model.nest(group(command.at), childGroupIds)];
    }
    case 'unnest': {
      const input = { groupId: group(command.at), childGroupId: group(command.child) };
      const real = await outcome(async () => (await removeNestedGroup(directory, input)).childGroup.id);
      return [real, model.unnest(input.groupId, input.childGroupId)];
    }
    case 'change': {
      const [usersToAdd, usersToRemove] = [who(command.add), who(command.remove)];
      const real = await outcome(async () => {
        const { added, removed, unchanged } = await updateGroupMembers(directory, {
          groupId: group(command.at),
          usersToAdd,
          usersToRemove,
        });
        return { added, removed, unchanged };
      });
      return [real, model.change(group(command.at), usersToAdd, usersToRemove)];
    }
    case 'delete': {
      const { at, strategy } = command;
      const real = await outcome(async () => {
        const done = await deleteGroup(directory, { id: group(at), strategy });
        return {
          deleted: sort(done.deletedGroupIds),
          moved: sort(done.movedGroups.map((row) => row.id)),
          memberships: done.removedMembershipCount,
        };
      });
      return [real, model.delete(group(at), strategy)];
    }
    case 'restore': {
      const { at, includeDescendants } = command;
      const real = await outcome(async () => {
        const { restoredGroupIds, notRestored } = await restoreGroup(directory, {
          id: group(at),
          includeDescendants,
        });
        return {
          restored: sort(restoredGroupIds),
          lost: sort(notRestored.map(({ kind, id }) => `${kind} ${id}`)),
        };
      });
      return [real, model.restore(group(at), includeDescendants)];
    }
    case 'removeUsers': {
      const ids = who(command.users);
      const real = await outcome(async () => {
        const { removed, endedMembershipCount } = await removeUsers(directory, { tenantId, userIds: ids });
        return { removed, memberships: endedMembershipCount };
      });
      return [real, model.removeUsers(ids)];
    }
    case 'createUsers': {
      const ids = who(command.users);
      const users = ids.map((id) => ({ id, email: `${id.toLowerCase()}@example.org` }));
      const sync = openDirectory(directory.db, superAdmin);
      const real = await outcome(async () => (await upsertUsers(sync, { tenantId, users })).created);
      return [real, model.createUsers(ids)];
    }
  }
}

/** Everything that can be read, now or as of a position, is what the model says. */
async function compare(directory: Directory, model: Model, userIds: readonly string[]): Promise<void> {
  const page = { first: 100 };
  const { rows } = await listGroups(directory, { page });
  const live = [...model.groups.values()].filter((group) => group.deletion === null);
  const users = await listUsers(directory, { tenantId: directory.tenantId, page });
  expect(users!.rows.map(({ id }) => id)).toEqual(sort([...model.users]));
  expect(sort(rows.map((row) => row.id))).toEqual(sort(live.map((group) => group.id)));
  await Promise.all(
    live.map(async ({ id, parent, name }) => {
      const row = rows.find((found) => found.id === id)!;
      expect(row.parentGroupId).toBe(parent);
      expect(row.name).toBe(name);
      const members = await listEffectiveMembers(directory, id, { page });
      expect(members!.rows.map((member) => member.userId)).toEqual(model.effectiveMembers(id));
      const direct = members!.rows.filter((member) => member.membershipType === 'DIRECT');
      expect(direct.map((member) => member.userId)).toEqual(model.members(id));
      expect(await countEffectiveMembers(directory, id)).toBe(model.effectiveMembers(id).length);
      expect(await countMembers(directory, id)).toBe(model.members(id).length);
      for (const userId of userIds) {
        const explained = await explainMembership(directory, { groupId: id, userId, maxPaths: 100 });
        const isMember = model.effectiveMembers(id).includes(userId);
        const paths = model.paths(id, userId);
        expect(await hasEffectiveMember(directory, id, userId)).toBe(isMember);
        expect(explained).toMatchObject({ isMember, pathCount: BigInt(paths.length) });
        const listed = explained!.paths.map((path) => path.map((step) => step.groupId).join(' '));
        expect(sort(listed)).toEqual(sort(paths));
      }
      const nested = await nestedGroups.page(directory, id, { page });
      expect(sort(nested!.rows.map((child) => child.id))).toEqual(model.nested(id));
      const path = model.path(id).map((segment) => segment.replaceAll(/[\\/]/g, (char) => `\\${char}`));
      expect(await groupPath(directory, id)).toBe(path.length ? path.join('/') : null);
    }),
  );
}

/** Some of the positions from 0 on, or all. */
const someOf = (length: number): number[] => {
  const positions = Array.from({ length }, (_, position) => position);
  const step = PAST === 'all' ? 1 : Math.ceil(length / Number(PAST));
  return positions.filter((position) => position % step === length % step);
};

/** The edges at each position of the log, from 0 on, as the history has them. */
async function pastEdges(db: Database, tenantId: TenantId): Promise<string[][]> {
  const rows = await db.sql<{ edges: string[] }>(Prisma.sql`
    select array(
      select edge from (
        select group_id || ' ' || user_id as edge, since, null::bigint as until from memberships where tenant_id = ${tenantId}
        union all
        select group_id || ' ' || user_id, since, until from membership_history where tenant_id = ${tenantId}
        union all
        select parent_group_id || ' > ' || child_group_id, since, null from nestings where tenant_id = ${tenantId}
        union all
        select parent_group_id || ' > ' || child_group_id, since, until from nesting_history where tenant_id = ${tenantId}
      ) e where since <= p and (until is null or until > p)) as edges
    from tenant_logs l, generate_series(0, l.position) p where l.tenant_id = ${tenantId} order by p`);
  return rows.map(({ edges }) => sort(edges));
}

test(`${SEQUENCES} random sequences do what the model does`, { timeout: 15 * 60_000 }, async () => {
  const seen = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(sequence, async (commands) => {
      const { tenantId, userIds } = await createTenant(database.db, USERS);
      const directory = openAsAdmin(database.db, tenantId);
      const model = new Model(userIds);
      const states = [model.copy()];
      for (const each of commands) {
        if (each.kind === 'read') {
          await compare(openAsAdmin(elsewhere, tenantId), model, userIds);
          continue;
        }
        const before = model.state();
        const [real, expected] = await run(directory, model, tenantId, userIds, each);
        expect(real, JSON.stringify(each)).toEqual(expected);
        // A change takes the next position; one that is refused or without effect takes none.
        if (model.state() !== before) states.push(model.copy());
        expect(await positionOf(database.db, tenantId), JSON.stringify(each)).toBe(states.length - 1);
        const kind = `${each.kind} ${'code' in real! ? real.code : 'done'}`;
        seen.set(kind, (seen.get(kind) ?? 0) + 1);
      }
      await compare(directory, model, userIds);
      await compare(openAsAdmin(elsewhere, tenantId), model, userIds);
      expect(await pastEdges(database.db, tenantId)).toEqual(states.map((state) => state.edges()));
      for (const position of someOf(states.length))
        await compare(directory.at(tenantId, position), states[position]!, userIds);
      expect(await checkDirectory(database.db, tenantId)).toEqual([]);
    }),
    { numRuns: SEQUENCES, seed },
  );
  // The sequences must have met what they are there for: every operation done, and each refusal of the graph.
  for (const kind of [
    'nest done',
    'nest CYCLE',
    'update CYCLE',
    'update NAME_TAKEN',
    'delete GROUP_NOT_EMPTY',
    'restore done',
    'change UNKNOWN_USERS',
    'removeUsers done',
    'createUsers done',
  ]) {
    expect(seen.get(kind) ?? 0, kind).toBeGreaterThan(0);
  }
});
