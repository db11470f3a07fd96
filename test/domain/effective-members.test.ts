// Who is an effective member: after every kind of write, in the process that wrote and in another that knew better before;
// the same seen from the user; and how far what is known may be carried forward.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Database, Prisma } from '../../src/database/database.ts';
import { openDatabase } from '../../src/database/open.ts';
import { updateGroupMembers } from '../../src/domain/commands/change-members.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { deleteGroup } from '../../src/domain/commands/delete-group.ts';
import { addNestedGroups, removeNestedGroup } from '../../src/domain/commands/nest-groups.ts';
import { removeUsers } from '../../src/domain/commands/remove-users.ts';
import { restoreGroup } from '../../src/domain/commands/restore-group.ts';
import { updateGroup } from '../../src/domain/commands/update-group.ts';
import { upsertUsers } from '../../src/domain/commands/upsert-users.ts';
import { type Directory, openDirectory } from '../../src/domain/directory.ts';
import { repairDirectory } from '../../src/domain/integrity/check.ts';
import {
  countEffectiveMembers,
  hasEffectiveMember,
  listEffectiveMembers,
} from '../../src/domain/queries/effective-members.ts';
import { countMembers, listMembers } from '../../src/domain/queries/members.ts';
import { directGroups, effectiveGroups } from '../../src/domain/queries/user-groups.ts';
import { visibleGroupIds } from '../../src/domain/queries/visible-groups.ts';
import { addMembers, removeMembers } from '../../src/domain/writes/memberships.ts';
import { importDirectory } from '../../src/import/import-directory.ts';
import type { Caller } from '../../src/model/caller.ts';
import { DirectoryError } from '../../src/model/errors.ts';
import { type GroupId, newId, type TenantId, type UserId } from '../../src/model/ids.ts';
import { createTenant, openAsAdmin, plainUser, tenantAdmin } from '../support/directories.ts';
import { appendChanges } from '../support/logs.ts';
import { Model } from '../support/model.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { randomFrom } from '../support/random.ts';
import {
  groupOf,
  randomGroups,
  StoredDirectory,
  type StoredGroup,
  storeGroups,
  storeUsers,
  usersOf,
} from '../support/random-graph.ts';
import { seed } from '../support/seed.ts';
import { PATIENT } from '../support/timeouts.ts';

/** Rows of a tenant's log that are followed at once, and users that a count is carried forward by. */
const MAX_ROWS = 5_000;
const MAX_USERS = 2_000;

let database: TestDatabase;
let here: Database;
let there: Database;
beforeAll(async () => {
  database = await openTestDatabase();
  here = database.db;
  // Another pool, with a memory of its own: as good as another process.
  there = await openDatabase({ url: database.url, dataDir: '', timeouts: PATIENT });
});
afterAll(async () => {
  await there.close();
  await database.close();
});

const ROOT: Caller = {
  subject: 'usr_root',
  role: 'SUPER_ADMIN',
  visibility: { kind: 'all' },
  mayChange: true,
};

/** A database with a memory of its own, as a process that has just started. */
const freshMemory = (): Database => ({ ...database.db });

describe('after each of many random writes', () => {
  const random = randomFrom(seed);
  const STEPS = 30;
  const pick = <Item>(items: readonly Item[]): Item => items[random(items.length)]!;
  const some = <Item>(items: readonly Item[]): Item[] =>
    items.length === 0 ? [] : [...new Set([pick(items), pick(items)])];

  /** Does something to the directory and to the model, and gives what came of it in each: done, or refused with a code. */
  async function step(directory: Directory, tenantId: TenantId, model: Model) {
    const live = [...model.groups.values()].filter((group) => group.deletion === null).map(({ id }) => id);
    const gone = [...model.groups.keys()].filter((id) => !live.includes(id));
    const users = [...model.users];
    const group = pick(live);
    const other = pick(live);
    const userIds = some(users);
    const strategy = pick(['BLOCK', 'ORPHAN', 'CASCADE'] as const);
    type Step = [string, () => Promise<unknown>, () => unknown];
    const create = (name: string, parent: string | null): Step => {
      const id = { made: '' };
      return [
        `create ${name} below ${parent}`,
        async () => {
          const input = { tenantId, name, parentGroupId: parent, initialMemberIds: userIds };
          id.made = (await createGroup(directory, input)).group.id;
        },
        () => model.create(id.made, name, parent, userIds),
      ];
    };
    const steps: Step[] = [
      create(`New ${random(1_000_000)}`, random(2) && live.length > 0 ? group : null),
      [
        `change ${group}`,
        () => updateGroupMembers(directory, { groupId: group, usersToAdd: userIds }),
        () => model.change(group, userIds, []),
      ],
      [
        `remove from ${group}`,
        () => updateGroupMembers(directory, { groupId: group, usersToRemove: userIds }),
        () => model.change(group, [], userIds),
      ],
      [
        `swap in ${group}`,
        () =>
          updateGroupMembers(directory, {
            groupId: group,
            usersToAdd: userIds.slice(1),
            usersToRemove: userIds.slice(0, 1),
          }),
        () => model.change(group, userIds.slice(1), userIds.slice(0, 1)),
      ],
      ...[1, 2].map((): Step => {
        const children = some(live);
        return [
          `nest ${children} in ${other}`,
          () => addNestedGroups(directory, { groupId: other, childGroupIds: children }),
          () => model.nest(other, children),
        ];
      }),
      [
        `unnest from ${group}`,
        () => removeNestedGroup(directory, { groupId: group, childGroupId: model.nested(group)[0] ?? other }),
        () => model.unnest(group, model.nested(group)[0] ?? other),
      ],
      [
        `file ${group}`,
        () => updateGroup(directory, { id: group, parentGroupId: other }),
        () => model.update(group, { parent: other }),
      ],
      [
        `delete ${group} ${strategy}`,
        () => deleteGroup(directory, { id: group, strategy }),
        () => model.delete(group, strategy),
      ],
    ];
    if (gone.length > 0) {
      const [id, includeDescendants] = [pick(gone), random(2) === 0];
      const back: Step = [
        `restore ${id} ${includeDescendants}`,
        () => restoreGroup(directory, { id, includeDescendants }),
        () => model.restore(id, includeDescendants),
      ];
      steps.push(back, back);
    }
    if (users.length > 3) {
      const leaving = pick(users);
      steps.push([
        `remove user ${leaving}`,
        () => removeUsers(directory, { tenantId, userIds: [leaving] }),
        () => {
          model.users.delete(leaving);
          model.memberships = model.memberships.filter(({ user }) => user !== leaving);
          return { ok: null };
        },
      ]);
    }
    // A lonely group is no fun: what is left is created again.
    const [name, work, modelled] = live.length < 3 ? steps[0]! : pick(steps);
    let code: string | null = null;
    try {
      await work();
    } catch (error) {
      if (!(error instanceof DirectoryError)) throw error;
      code = error.code;
    }
    const outcome = modelled() as { code?: string };
    return { name, code, expected: outcome.code ?? null };
  }

  /** Compares all that is read of effective membership, in requests of one process. */
  async function compare(db: Database, tenantId: TenantId, model: Model) {
    const directory = openAsAdmin(db, tenantId);
    const ids = [...model.groups.keys()];
    const users = [...model.users];
    const isLive = (id: string) => model.groups.get(id)!.deletion === null;
    const groups = await Promise.all(
      ids.map(async (id) => ({
        count: await countEffectiveMembers(directory, id),
        members: (await listEffectiveMembers(directory, id, { page: { first: 100 } }))!.rows.map(
          ({ userId, membershipType }) => `${userId} ${membershipType}`,
        ),
        direct: await countMembers(directory, id),
        holds: await Promise.all(users.map((user) => hasEffectiveMember(directory, id, user))),
      })),
    );
    expect(groups).toEqual(
      ids.map((id) => {
        const effective = isLive(id) ? model.effectiveMembers(id) : [];
        const direct = model.members(id);
        return {
          count: effective.length,
          members: effective.map((user) => `${user} ${direct.includes(user) ? 'DIRECT' : 'INHERITED'}`),
          direct: direct.length,
          holds: users.map((user) => effective.includes(user)),
        };
      }),
    );
    const page = { first: 100 };
    const lists = await Promise.all(
      users.map(async (user) => ({
        effective: (await effectiveGroups.page(directory, user, { page }))!.rows
          .map(({ id }) => id as string)
          .sort(),
        direct: (await directGroups.page(directory, user, { page }))!.rows
          .map(({ id }) => id as string)
          .sort(),
        counts: [await effectiveGroups.count(directory, user), await directGroups.count(directory, user)],
      })),
    );
    expect(lists).toEqual(
      users.map((user) => {
        const effective = ids.filter((id) => isLive(id) && model.effectiveMembers(id).includes(user)).sort();
        const direct = ids.filter((id) => model.members(id).includes(user)).sort();
        return { effective, direct, counts: [effective.length, direct.length] };
      }),
    );
  }

  test('both processes say what the model says', async () => {
    const { tenantId, userIds } = await createTenant(here, 6);
    const model = new Model(userIds);
    const done: string[] = [];
    for (let at = 0; at < STEPS; at += 1) {
      const directory = openAsAdmin(at % 2 ? here : there, tenantId);
      const { name, code, expected } =
        at < 5 ? await first(directory, tenantId, model, at) : await step(directory, tenantId, model);
      done.push(`${name} ${code ?? 'done'}`);
      expect(code, done.join('\n')).toBe(expected);
      await Promise.all([here, there].map((db) => compare(db, tenantId, model))).catch((error) => {
        error.message += `\n${done.join('\n')}`;
        throw error;
      });
    }
  });

  async function first(directory: Directory, tenantId: TenantId, model: Model, at: number) {
    const members = some([...model.users]);
    const name = `First ${at}`;
    const { group } = await createGroup(directory, { tenantId, name, initialMemberIds: members });
    model.create(group.id, name, null, members);
    return { name, code: null, expected: null };
  }
});

/** Root nests left and right, and both nest the leaf; users 0 to 3 are in them in this order, 4 and 5 in none. */
async function diamond() {
  const { tenantId, partnerId, userIds } = await createTenant(here, 6);
  const users = [...userIds].sort();
  const leaf = groupOf(users.slice(3, 4));
  const left = groupOf(users.slice(1, 2), [leaf.id]);
  const right = groupOf(users.slice(2, 3), [leaf.id]);
  const root = groupOf(users.slice(0, 1), [left.id, right.id]);
  const elsewhere = groupOf(users.slice(4, 5));
  await storeGroups(here, tenantId, [root, left, right, leaf, elsewhere]);
  // The log begins with a change: an empty one is not read on.
  await appendChanges(here, tenantId);
  const ids = { root: root.id, left: left.id, right: right.id, leaf: leaf.id, elsewhere: elsewhere.id };
  /** Places of the effective members among the users, as both processes have them: the page, the count, each user alone. */
  const members = async (groupId: string = root.id) => {
    const [first, second] = await Promise.all(
      [here, there].map(async (db) => {
        const directory = openAsAdmin(db, tenantId);
        const [page, count, ...holds] = await Promise.all([
          listEffectiveMembers(directory, groupId, { page: { first: 100 } }),
          countEffectiveMembers(directory, groupId),
          ...users.map((user) => hasEffectiveMember(directory, groupId, user)),
        ]);
        const places = page!.rows.map(({ userId }) => users.indexOf(userId as UserId));
        expect(count).toBe(places.length);
        expect(users.flatMap((_, at) => (holds[at] ? [at] : []))).toEqual(places);
        return places;
      }),
    );
    expect(second).toEqual(first);
    return first!;
  };
  return { tenantId, partnerId, users, ...ids, members };
}

type Diamond = Awaited<ReturnType<typeof diamond>>;
type Write = (directory: Directory, diamond: Diamond) => Promise<unknown>;
const elsewhere: Write = (directory, { elsewhere: groupId, users }) =>
  updateGroupMembers(directory, { groupId, usersToAdd: users.slice(5) });

test.each<[string, Write, number[]]>([
  [
    'members added below',
    (directory, { leaf, users }) =>
      updateGroupMembers(directory, { groupId: leaf, usersToAdd: users.slice(2, 6) }),
    [0, 1, 2, 3, 4, 5],
  ],
  [
    'members removed below',
    (directory, { leaf, users }) =>
      updateGroupMembers(directory, { groupId: leaf, usersToRemove: users.slice(3, 4) }),
    [0, 1, 2],
  ],
  [
    'a member removed who is one by another group too',
    async (directory, { leaf, left, users }) => {
      await updateGroupMembers(directory, { groupId: left, usersToAdd: users.slice(3, 4) });
      await updateGroupMembers(directory, { groupId: leaf, usersToRemove: users.slice(3, 4) });
    },
    [0, 1, 2, 3],
  ],
  ['members added elsewhere', elsewhere, [0, 1, 2, 3]],
  [
    'a group nested below',
    (directory, { leaf, elsewhere: child }) =>
      addNestedGroups(directory, { groupId: leaf, childGroupIds: [child] }),
    [0, 1, 2, 3, 4],
  ],
  [
    'one arm of the diamond unnested',
    (directory, { left, leaf }) => removeNestedGroup(directory, { groupId: left, childGroupId: leaf }),
    [0, 1, 2, 3],
  ],
  [
    'both arms of the diamond unnested',
    async (directory, { left, right, leaf }) => {
      await removeNestedGroup(directory, { groupId: left, childGroupId: leaf });
      await removeNestedGroup(directory, { groupId: right, childGroupId: leaf });
    },
    [0, 1, 2],
  ],
  [
    'a group deleted whose nested groups are nested above it',
    async (directory, { root, left, right }) => {
      await removeNestedGroup(directory, { groupId: root, childGroupId: right });
      await deleteGroup(directory, { id: left, strategy: 'ORPHAN' });
    },
    [0, 3],
  ],
  [
    'a group deleted with all below it in the hierarchy',
    async (directory, { left, leaf }) => {
      await updateGroup(directory, { id: leaf, parentGroupId: left });
      await deleteGroup(directory, { id: left, strategy: 'CASCADE' });
    },
    [0, 2],
  ],
  [
    'a deletion that was refused',
    (directory, { left }) =>
      expect(deleteGroup(directory, { id: left, strategy: 'BLOCK' })).rejects.toMatchObject({
        code: 'GROUP_NOT_EMPTY',
      }),
    [0, 1, 2, 3],
  ],
  [
    'a group restored with those that were deleted with it',
    async (directory, { left, leaf }) => {
      await updateGroup(directory, { id: leaf, parentGroupId: left });
      await deleteGroup(directory, { id: left, strategy: 'CASCADE' });
      await restoreGroup(directory, { id: left, includeDescendants: true });
    },
    [0, 1, 2, 3],
  ],
  [
    'a user removed from the directory',
    (directory, { tenantId, users }) => removeUsers(directory, { tenantId, userIds: users.slice(1, 2) }),
    [0, 2, 3],
  ],
  [
    'a user renamed',
    (directory, { tenantId, users }) =>
      upsertUsers(directory, { tenantId, users: [{ id: users[0]!, email: 'new@example.org' }] }),
    [0, 1, 2, 3],
  ],
  [
    'a change that was rolled back',
    (directory, { tenantId, leaf, users }) =>
      expect(
        directory.transact(tenantId, async (tx) => {
          await addMembers(tx, { groupId: leaf as GroupId, userIds: users.slice(4), actor: tx.actor });
          await removeMembers(tx, leaf as GroupId, users.slice(3, 4));
          throw new Error('on purpose');
        }),
      ).rejects.toThrow(),
    [0, 1, 2, 3],
  ],
  [
    'more changes than are followed',
    async (directory, { tenantId, leaf, users }) => {
      await appendChanges(directory.db, tenantId, { changes: MAX_ROWS, groupId: leaf });
      await updateGroupMembers(directory, { groupId: leaf, usersToAdd: users.slice(4, 5) });
    },
    [0, 1, 2, 3, 4],
  ],
  [
    'an import of a membership and a nesting',
    ({ db }, directory) =>
      importInto(db, directory, [
        { section: 'memberships', row: { groupId: directory.leaf, userId: directory.users[5] } },
        { section: 'nestings', row: { parentGroupId: directory.right, childGroupId: directory.elsewhere } },
      ]),
    [0, 1, 2, 3, 4, 5],
  ],
  [
    'an import of a membership alone',
    ({ db }, directory) =>
      importInto(db, directory, [
        { section: 'memberships', row: { groupId: directory.leaf, userId: directory.users[5] } },
      ]),
    [0, 1, 2, 3, 5],
  ],
])('%s: both processes see it at once, whichever wrote', async (_name, write, expected) => {
  for (const writer of [here, there]) {
    const directory = await diamond();
    expect(await directory.members()).toEqual([0, 1, 2, 3]);
    await write(openAsAdmin(writer, directory.tenantId), directory);
    expect(await directory.members()).toEqual(expected);
    // Also what was carried forward is carried forward once more.
    await updateGroupMembers(openAsAdmin(writer, directory.tenantId), {
      groupId: directory.root,
      usersToAdd: directory.users.slice(5),
    }).catch(() => null);
    expect(await directory.members()).toEqual([...new Set([...expected, 5])]);
  }
});

/** Imports edges into the directory, beside the groups and users that they join. */
async function importInto(
  db: Database,
  { tenantId, partnerId, users, right, leaf, elsewhere: other }: Diamond,
  edges: { section: string; row: object }[],
) {
  const rows = [
    { section: 'partners', row: { id: partnerId, name: 'Partner' } },
    { section: 'tenants', row: { id: tenantId, partnerId, name: 'Tenant', slug: tenantId } },
    { section: 'users', row: { id: users[5], tenantId, email: `${users[5]!.toLowerCase()}@example.org` } },
    ...[right, leaf, other].map((id) => ({ section: 'groups', row: { id, tenantId, name: id } })),
    ...edges,
  ];
  const report = await importDirectory(
    db,
    rows.map((row, index) => ({ index, ...row })),
  );
  expect(report).toMatchObject({ faults: [], tenants: [{ faults: [] }] });
}

test('a name that was repaired is found in both processes, and a count that was', async () => {
  const { tenantId, users, root, leaf } = await diamond();
  const read = async (db: Database) => {
    const directory = openAsAdmin(db, tenantId);
    return {
      found: (await listEffectiveMembers(directory, root, { search: 'repaired', page: {} }))!.rows.length,
      total: await countEffectiveMembers(directory, root, { search: 'repaired' }),
      names: (await listMembers(directory, leaf, { page: {} }))!.rows.map(({ email }) => email),
      effective: (await listEffectiveMembers(directory, leaf, { page: {} }))!.rows.map(({ email }) => email),
      count: await countEffectiveMembers(directory, leaf),
      direct: await countMembers(directory, leaf),
    };
  };
  // Somebody had written to the tables beside the application.
  await here.sql(Prisma.sql`update groups set member_count = 7 where id = ${leaf}`);
  await here.sql(Prisma.sql`update users set email = 'repaired@example.org' where id = ${users[3]!}`);
  const before = { found: 0, total: 0, names: ['repaired@example.org'], effective: ['repaired@example.org'] };
  for (const db of [here, there]) expect(await read(db)).toMatchObject({ ...before, count: 7 });
  await repairDirectory(there);
  const after = { ...before, found: 1, total: 1, count: 1, direct: 1 };
  for (const db of [here, there]) expect(await read(db)).toEqual(after);
});

test('what a change in progress has written is not seen, and is seen when it ends, however late', async () => {
  const { tenantId, users, leaf, root, members } = await diamond();
  expect(await members()).toEqual([0, 1, 2, 3]);
  const written = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const slow = openAsAdmin(there, tenantId).transact(tenantId, async (tx) => {
    await addMembers(tx, { groupId: leaf as GroupId, userIds: users.slice(5), actor: tx.actor });
    await removeMembers(tx, leaf as GroupId, users.slice(3, 4));
    written.resolve();
    await gate.promise;
    return {};
  });
  await written.promise;
  const next = updateGroupMembers(openAsAdmin(here, tenantId), { groupId: root, usersToAdd: [users[4]!] });
  try {
    expect(await members()).toEqual([0, 1, 2, 3]);
    expect(await members()).toEqual([0, 1, 2, 3]);
  } finally {
    gate.resolve();
    await slow;
  }
  await next;
  expect(await members()).toEqual([0, 1, 2, 4, 5]);
});

/** What a statement is for. */
function kindOf(statement: string): string {
  const kinds: [string, string][] = [
    ['was_member', 'carried'],
    ['left join lateral (\n      select c.position', 'log'],
    ['string_agg(id', 'nestings'],
  ];
  return kinds.find(([text]) => statement.includes(text))?.[1] ?? statement;
}

/** Counts of groups in one request of a process of its own, with what its statements were for. */
function counter(tenantId: TenantId) {
  const db = freshMemory();
  const counts = async (...groupIds: string[]) => {
    const directory = openAsAdmin(db, tenantId);
    const statements: string[] = [];
    const stop = db.onStatement((text) => statements.push(kindOf(text)));
    try {
      const result = await Promise.all(groupIds.map((id) => countEffectiveMembers(directory, id)));
      return { counts: result, statements };
    } finally {
      stop();
    }
  };
  return { db, counts };
}

describe('a count takes', () => {
  test('one statement where nothing is known or nothing below has changed, and one more where something did', async () => {
    const { tenantId, users, root, leaf, left, elsewhere: other } = await diamond();
    const admin = openAsAdmin(here, tenantId);
    const { counts } = counter(tenantId);
    expect(await counts(root)).toEqual({ counts: [4], statements: ['nestings'] });
    expect(await counts(root)).toEqual({ counts: [4], statements: ['log'] });
    expect(await counts(root, leaf)).toEqual({ counts: [4, 1], statements: ['log', 'nestings'] });
    await updateGroupMembers(admin, { groupId: leaf, usersToAdd: users.slice(3) });
    expect(await counts(left, root, leaf)).toEqual({
      counts: [4, 6, 3],
      statements: ['log', 'carried', 'nestings'],
    });
    expect(await counts(left, root, leaf)).toEqual({ counts: [4, 6, 3], statements: ['log'] });
    const unknown = newId('group');
    expect(await counts(unknown, root)).toEqual({ counts: [0, 6], statements: ['log', 'nestings'] });
    await removeNestedGroup(admin, { groupId: left, childGroupId: leaf });
    // That is below the root too, and not below the leaf.
    expect(await counts(leaf)).toEqual({ counts: [3], statements: ['log'] });
    expect(await counts(left, root, leaf)).toEqual({ counts: [1, 6, 3], statements: ['log', 'nestings'] });
    expect(await counts(left, root, leaf)).toEqual({ counts: [1, 6, 3], statements: ['log'] });
    // One nesting elsewhere, of whatever groups, is nothing to those that it is not below.
    await addNestedGroups(admin, { groupId: other, childGroupIds: [leaf, root] });
    expect(await counts(left, root, leaf)).toEqual({ counts: [1, 6, 3], statements: ['log'] });
    // Neither is what has nothing to do with who is a member.
    await removeNestedGroup(admin, { groupId: other, childGroupId: leaf });
    await updateGroup(admin, { id: leaf, description: 'As before' });
    await upsertUsers(admin, { tenantId, users: [{ id: users[0]!, email: 'renamed@example.org' }] });
    expect(await counts(left, root, leaf)).toEqual({ counts: [1, 6, 3], statements: ['log'] });
    await updateGroupMembers(admin, { groupId: leaf, usersToRemove: users.slice(4) });
    expect(await counts(root)).toEqual({ counts: [4], statements: ['log', 'carried'] });
  });

  test('two statements for a group that is gone', async () => {
    const { tenantId, elsewhere: other } = await diamond();
    const { counts } = counter(tenantId);
    expect((await counts(other)).counts).toEqual([1]);
    await deleteGroup(openAsAdmin(here, tenantId), { id: other, strategy: 'ORPHAN' });
    expect(await counts(other)).toEqual({ counts: [0], statements: ['log', 'nestings'] });
    expect(await counter(tenantId).counts(other)).toEqual({ counts: [0], statements: ['nestings'] });
  });

  /** Counts, while something happens before the statement that carries them on. */
  const countWhile = async (tenantId: TenantId, groupId: string, meanwhile: () => Promise<unknown>) => {
    const { db, counts } = counter(tenantId);
    const { sql } = db;
    await counts(groupId);
    return async () => {
      const interrupted: Database['sql'] = async (statement) => {
        if (kindOf(statement.text) === 'carried') await meanwhile();
        return sql(statement);
      };
      Object.assign(db, { sql: interrupted });
      const first = await counts(groupId);
      Object.assign(db, { sql });
      return [first, await counts(groupId)];
    };
  };

  test('no notice of what is committed while it is carried on, and all of it the next time', async () => {
    const { tenantId, users, root, left, right, leaf, elsewhere: other } = await diamond();
    const admin = openAsAdmin(there, tenantId);
    const change = (groupId: string, usersToAdd: UserId[], usersToRemove: UserId[] = []) =>
      updateGroupMembers(admin, { groupId, usersToAdd, usersToRemove });
    // Somebody joins a group that had not changed, and members of the one that had come and go.
    const joined = await countWhile(tenantId, root, async () => {
      await change(right, users.slice(5));
      await change(leaf, users.slice(2, 3), users.slice(4, 5));
    });
    await change(leaf, users.slice(4, 5));
    expect(await joined()).toEqual([
      { counts: [5], statements: ['log', 'carried'] },
      { counts: [5], statements: ['log', 'carried'] },
    ]);
    const nested = await countWhile(tenantId, root, () =>
      addNestedGroups(admin, { groupId: left, childGroupIds: [other] }),
    );
    await change(right, [], users.slice(5));
    expect(await nested()).toEqual([
      { counts: [4], statements: ['log', 'carried'] },
      { counts: [5], statements: ['log', 'nestings'] },
    ]);
    const deleted = await countWhile(tenantId, other, () =>
      deleteGroup(admin, { id: other, strategy: 'ORPHAN' }),
    );
    await change(other, users);
    expect(await deleted()).toEqual([
      { counts: [6], statements: ['log', 'carried'] },
      { counts: [0], statements: ['log', 'nestings'] },
    ]);
  });

  test('as many for groups of two tenants, each by what happened in its own', async () => {
    const [first, second] = [await diamond(), await diamond()];
    const db = freshMemory();
    const ids = [second.root, first.root, second.left, first.leaf];
    const counts = async () => {
      const directory = openDirectory(db, ROOT);
      const statements: string[] = [];
      // Which tenants the groups are of is asked once, and remembered.
      const stop = db.onStatement((text) => {
        if (!text.includes('from ids')) statements.push(kindOf(text));
      });
      const result = await Promise.all(ids.map((id) => countEffectiveMembers(directory, id)));
      stop();
      return { result, statements: statements.sort() };
    };
    expect(await counts()).toEqual({
      result: [4, 4, 2, 1],
      statements: ['log', 'log', 'nestings', 'nestings'],
    });
    const write = ({ tenantId, leaf }: Diamond, usersToAdd: UserId[], usersToRemove: UserId[]) =>
      updateGroupMembers(openAsAdmin(here, tenantId), { groupId: leaf, usersToAdd, usersToRemove });
    await write(first, first.users.slice(4), []);
    await write(second, second.users.slice(1, 2), second.users.slice(3, 4));
    expect(await counts()).toEqual({
      result: [3, 6, 1, 3],
      statements: ['carried', 'carried', 'log', 'log'],
    });
    await removeNestedGroup(openAsAdmin(here, second.tenantId), {
      groupId: second.root,
      childGroupId: second.left,
    });
    await write(first, [], first.users.slice(0, 4));
    expect(await counts()).toEqual({
      result: [3, 5, 1, 2],
      statements: ['carried', 'log', 'log', 'nestings'],
    });
  });

  test('nothing more for a group of which a page was read, and one for a group of which none but a page was', async () => {
    const { tenantId, root, left } = await diamond();
    const { db, counts } = counter(tenantId);
    await listEffectiveMembers(openAsAdmin(db, tenantId), root, { page: { first: 2 } });
    expect(await counts(root)).toEqual({ counts: [4], statements: ['nestings'] });
    await counts(left);
    await listEffectiveMembers(openAsAdmin(db, tenantId), left, { page: { first: 2 } });
    expect(await counts(root, left)).toEqual({ counts: [4, 2], statements: ['log'] });
  });

  test('no more, however much happens elsewhere, if it is asked for in between', async () => {
    const { tenantId, root, left, elsewhere: groupId, users, leaf } = await diamond();
    const { counts } = counter(tenantId);
    const happen = (changes: number) =>
      appendChanges(here, tenantId, { changes, type: 'group_membership.added', groupId });
    await counts(root, left);
    for (let at = 0; at < 2; at += 1) {
      await happen(MAX_ROWS);
      expect(await counts(root, left)).toEqual({ counts: [4, 2], statements: ['log'] });
    }
    await happen(MAX_ROWS - 1);
    await updateGroupMembers(openAsAdmin(here, tenantId), { groupId: leaf, usersToAdd: users.slice(5) });
    expect(await counts(root)).toEqual({ counts: [5], statements: ['log', 'carried'] });
    await happen(MAX_ROWS + 1);
    expect(await counts(root)).toEqual({ counts: [5], statements: ['log', 'nestings'] });
    expect(await counts(root)).toEqual({ counts: [5], statements: ['log'] });
  });

  test('what there is to follow up to 2,000 users, and starts from scratch beyond', async () => {
    const { tenantId, root, leaf, left } = await diamond();
    const users = usersOf(MAX_USERS + 1);
    await storeUsers(here, tenantId, users);
    const ids = users.map(({ id }) => id);
    const { counts } = counter(tenantId);
    const admin = openAsAdmin(here, tenantId);
    const change = async (usersToAdd: UserId[], usersToRemove: UserId[] = []) => {
      for (let at = 0; at < MAX_USERS + 1; at += 1_000) {
        const some = (ids: UserId[]) => ids.slice(at, at + 1_000);
        await updateGroupMembers(admin, {
          groupId: leaf,
          usersToAdd: some(usersToAdd),
          usersToRemove: some(usersToRemove),
        });
      }
    };
    await counts(root, left);
    await change(ids.slice(1));
    expect(await counts(root)).toEqual({ counts: [MAX_USERS + 4], statements: ['log', 'carried'] });
    await change(ids.slice(0, 1));
    // The one is behind by one user, the other by all of them.
    expect(await counts(root, left)).toEqual({
      counts: [MAX_USERS + 5, MAX_USERS + 3],
      statements: ['log', 'carried', 'nestings'],
    });
    // Each counts that has changed, though it came and went again.
    await change([], ids);
    await change(ids);
    expect(await counts(root)).toEqual({
      counts: [MAX_USERS + 5],
      statements: ['log', 'carried', 'nestings'],
    });
  });
});

test('a count that could not be caught up with is taken anew the next time', async () => {
  const { tenantId, users, root, leaf } = await diamond();
  const { db, counts } = counter(tenantId);
  await counts(root);
  await updateGroupMembers(openAsAdmin(here, tenantId), { groupId: leaf, usersToAdd: users.slice(5) });
  const { sql } = db;
  const failing: Database['sql'] = (statement) =>
    kindOf(statement.text) === 'carried' ? Promise.reject(new Error('too much')) : sql(statement);
  Object.assign(db, { sql: failing });
  await expect(counts(root)).rejects.toThrow('too much');
  Object.assign(db, { sql });
  expect(await counts(root)).toEqual({ counts: [5], statements: ['nestings'] });
});

test('a question of what has changed that fails is an error, and what is known stays known', async () => {
  const { tenantId, root } = await diamond();
  const { db, counts } = counter(tenantId);
  await counts(root);
  const { sql } = db;
  Object.assign(db, { sql: () => Promise.reject(new Error('out of reach')) });
  await expect(counts(root)).rejects.toThrow('out of reach');
  Object.assign(db, { sql });
  expect(await counts(root)).toEqual({ counts: [4], statements: ['log'] });
});

describe('of a random directory, seen from its users', () => {
  const random = randomFrom(seed + 1);
  let stored: StoredDirectory;
  let stranger: { tenantId: TenantId; userIds: UserId[] };
  beforeAll(async () => {
    const { tenantId } = await createTenant(here);
    stranger = await createTenant(here, 1);
    const users = usersOf(24);
    stored = new StoredDirectory(tenantId, users, randomGroups(users.slice(0, 20), 60, random));
    await stored.store(here);
    await storeGroups(here, stranger.tenantId, [groupOf(stranger.userIds)]);
  });

  const open = (caller: Caller = tenantAdmin(stored.tenantId)) => openDirectory(here, caller);
  const cursorOf = ({ name, id }: StoredGroup) =>
    Buffer.from(JSON.stringify(['name', name.toLowerCase(), id])).toString('base64url');
  const lists = [
    { name: 'groups', list: directGroups.page, count: directGroups.count, direct: true },
    { name: 'effective groups', list: effectiveGroups.page, count: effectiveGroups.count, direct: false },
  ];

  test.each(lists)('$name by name and id, at every boundary, both ways', async ({ list, count, direct }) => {
    const directory = open();
    await Promise.all(
      stored.users.map(async ({ id: userId }) => {
        const all = stored.groupsOf(userId, { direct });
        expect(await count(directory, userId)).toBe(all.length);
        const read = async (page: object) => {
          const found = await list(directory, userId, { page });
          return {
            ids: found!.rows.map(({ id }) => id),
            cursors: found!.cursors,
            more: [found!.hasPreviousPage, found!.hasNextPage],
          };
        };
        const whole = { ids: all.map(({ id }) => id), cursors: all.map(cursorOf) };
        expect(await read({ first: 100 })).toEqual({ ...whole, more: [false, false] });
        expect(await read({ last: 100 })).toEqual({ ...whole, more: [false, false] });
        const cut = (from: number, to: number) => ({
          ids: whole.ids.slice(from, to),
          cursors: whole.cursors.slice(from, to),
        });
        for (const [at, group] of all.entries()) {
          if (all.length > 8 && at % 3) continue;
          const cursor = cursorOf(group);
          expect(await read({ first: 2, after: cursor })).toEqual({
            ...cut(at + 1, at + 3),
            more: [true, all.length > at + 3],
          });
          expect(await read({ last: 2, before: cursor })).toEqual({
            ...cut(Math.max(0, at - 2), at),
            more: [at > 2, true],
          });
        }
      }),
    );
  });

  test('rows are whole for an administrator, and id, name and type for the user', async () => {
    const user = stored.users.find(({ id }) => stored.groupsOf(id, { direct: true }).length > 1)!;
    for (const { list, count, direct } of lists) {
      const groups = stored.groupsOf(user.id, { direct });
      const page = { first: 100 };
      const rows = (await list(open(), user.id, { page }))!.rows;
      const shown = (group: StoredGroup) => ({
        id: group.id,
        tenantId: stored.tenantId,
        name: group.name,
        type: 'SECURITY',
      });
      expect(rows).toMatchObject(
        groups.map((group) => ({
          ...shown(group),
          parentGroupId: group.parent,
          version: 1,
          memberCount: group.members.length,
        })),
      );
      const counted = (await list(open(), user.id, { page, projection: { nestedGroupCount: true } }))!.rows;
      expect(counted.map(({ nestedGroupCount }) => nestedGroupCount)).toEqual(
        groups.map(({ children }) => children.length),
      );
      const own = open(plainUser(stored.tenantId, user.id));
      const projection = { nestedGroupCount: true };
      expect((await list(own, user.id, { page, projection }))!.rows).toEqual(groups.map(shown));
      expect((await list(own, user.id, { page: { first: 1 } }))!).toMatchObject({
        cursors: [cursorOf(groups[0]!)],
        hasNextPage: groups.length > 1,
      });
      expect(await count(own, user.id)).toBe(groups.length);
      // Of others it learns nothing, not even that there is nothing.
      for (const other of [stored.users[23]!.id, stranger.userIds[0]!, 'usr_nobody']) {
        expect(await list(own, other, { page })).toBeNull();
        expect(await count(own, other)).toBeNull();
      }
      const foreign = open(tenantAdmin(stranger.tenantId));
      expect((await list(foreign, user.id, { page }))!.rows).toEqual([]);
      expect(await count(foreign, user.id)).toBe(0);
    }
  });

  test('who is a member of what, by every caller', async () => {
    const groups = stored.groups.slice(0, 24);
    const users = stored.users.map(({ id }) => id);
    const truth = new Map(
      groups.map(({ id }) => [id, new Set<string>(stored.members(id).map(({ userId }) => userId))]),
    );
    const pairs = groups.flatMap(({ id }) => users.map((user) => [id, user] as const));
    const ask = (caller: Caller) => {
      const directory = open(caller);
      return Promise.all(pairs.map(([group, user]) => hasEffectiveMember(directory, group, user)));
    };
    const right = pairs.map(([group, user]) => truth.get(group)!.has(user));
    expect(right).toContain(true);
    const base = { subject: 'someone', mayChange: false };
    expect(await ask(tenantAdmin(stored.tenantId))).toEqual(right);
    expect(await ask({ ...base, role: 'SUPER_ADMIN', visibility: { kind: 'all' } })).toEqual(right);
    expect(await ask(tenantAdmin(stranger.tenantId))).toEqual(pairs.map(() => false));
    const [self] = users;
    expect(await ask(plainUser(stored.tenantId, self!))).toEqual(
      pairs.map(([group, user]) => user === self && truth.get(group)!.has(user)),
    );
    // A token of another tenant that claims the same subject.
    expect(await ask(plainUser(stranger.tenantId, self!))).toEqual(pairs.map(() => false));
  });

  test('the groups that users see, also when many ask at once; an administrator sees no fewer than all', async () => {
    const seen = await Promise.all(
      stored.users.map(({ id }) => visibleGroupIds(open(plainUser(stored.tenantId, id)))),
    );
    expect(seen.map((ids) => [...ids].sort())).toEqual(
      stored.users.map(({ id }) =>
        stored
          .groupsOf(id, { direct: false })
          .map((group) => group.id)
          .sort(),
      ),
    );
    expect(await visibleGroupIds(open())).toEqual(new Set());
    // A token of another tenant that claims the same subject sees none of them.
    expect(await visibleGroupIds(open(plainUser(stranger.tenantId, stored.users[0]!.id)))).toEqual(new Set());
  });

  test('what is no id of a group and a user is not looked for', async () => {
    const statements: string[] = [];
    const [group] = stored.groups;
    const [user] = stored.users;
    const stop = here.onStatement((text) => statements.push(text));
    const asked = [
      [user!.id, user!.id],
      [group!.id, group!.id],
      ['nonsense', user!.id],
      [group!.id, ''],
      [`${group!.id}\0`, user!.id],
    ];
    for (const [groupId, userId] of asked)
      expect(await hasEffectiveMember(open(), groupId!, userId!)).toBe(false);
    stop();
    expect(statements).toEqual([]);
  });

  test('many questions of one request are one statement', async () => {
    const statements: string[] = [];
    const directory = open();
    const stop = here.onStatement((text) => statements.push(text));
    await Promise.all(
      stored.groups.flatMap(({ id }) =>
        stored.users.slice(0, 5).map((user) => hasEffectiveMember(directory, id, user.id)),
      ),
    );
    stop();
    expect(statements).toHaveLength(1);
  });
});
