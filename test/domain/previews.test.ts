// Previews of changes and their application: what each kind shows, what is refused, and that a preview leaves nothing.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Database, Prisma } from '../../src/database/database.ts';
import { addGroupMembers } from '../../src/domain/commands/add-members.ts';
import { deleteGroup } from '../../src/domain/commands/delete-group.ts';
import { applyChanges, previewChanges } from '../../src/domain/commands/preview-changes.ts';
import { removeUsers } from '../../src/domain/commands/remove-users.ts';
import { updateGroup } from '../../src/domain/commands/update-group.ts';
import { openDirectory } from '../../src/domain/directory.ts';
import { countEffectiveMembers } from '../../src/domain/queries/effective-members.ts';
import { findGroup } from '../../src/domain/queries/groups.ts';
import type { ChangeInput } from '../../src/model/change-inputs.ts';
import { newId, type TenantId } from '../../src/model/ids.ts';
import type { JsonValue } from '../../src/model/json.ts';
import {
  createTenant,
  openAsAdmin,
  partnerAdmin,
  plainUser,
  service,
  superAdmin,
} from '../support/directories.ts';
import {
  createWorld,
  edgesOf,
  FORBIDDEN,
  invalid,
  notFound,
  positionOf,
  refusal,
} from '../support/group-worlds.ts';
import { openTestDatabase, type TestDatabase, untilOneWaits } from '../support/postgresql.ts';

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await openTestDatabase();
  db = database.db;
});
afterAll(() => database.close());

/** Top ⊃ Mid ⊃ Low, Side apart; users 0 to 4, of whom 0 is in Low and 1 in Mid and Side. */
async function world() {
  const made = await createWorld(
    db,
    {
      Top: { nests: ['Mid'] },
      Mid: { nests: ['Low'], members: [1] },
      Low: { members: [0], parent: 'Top' },
      Side: { members: [1] },
    },
    5,
  );
  const { tenantId } = made;
  const open = () => openAsAdmin(db, tenantId);
  const preview = (...changes: ChangeInput[]) => previewChanges(open(), changes, 60_000);
  const apply = (previewHash: string, ...changes: ChangeInput[]) =>
    applyChanges(open(), { changes, previewHash });
  return { ...made, open, preview, apply };
}

type Effects = Awaited<ReturnType<typeof previewChanges>>;

/** Who joins and leaves, as `Group +user -user` with users by their place. */
const affected = ({ affectedGroups }: Effects, users: string[]) =>
  affectedGroups.map(({ group, joining, leaving }) => {
    const place = (id: string) => users.indexOf(id);
    const signs = [
      ...joining.userIds.map((id) => `+${place(id)}`),
      ...leaving.userIds.map((id) => `-${place(id)}`),
    ];
    return [group.name, ...signs].join(' ');
  });

test('each kind of change is previewed, and does what was shown', async () => {
  const { tenantId, users, ids, directory, preview, apply } = await world();
  const { Top, Mid, Low, Side } = ids;
  const changes: [ChangeInput, string[], object][] = [
    [
      { createGroup: { tenantId, name: 'New', parentGroupId: Top, initialMemberIds: [users[2]!] } },
      ['New +2'],
      { createdGroups: [{ name: 'New', createdBy: 0 }], addedMembershipCount: 1 },
    ],
    [
      { updateGroup: { id: Side, name: 'Aside', parentGroupId: Top } },
      [],
      {
        updatedGroups: [{ before: { name: 'Side' }, after: { name: 'Aside' } }],
        movedGroups: [{ group: { name: 'Aside' }, from: null, to: { groupId: Top } }],
      },
    ],
    [
      { addGroupMembers: { groupId: Low, userIds: [users[2]!, users[1]!] } },
      ['Low +1 +2', 'Mid +2', 'Top +2'],
      { addedMembershipCount: 2 },
    ],
    [
      { removeGroupMembers: { groupId: Low, userIds: [users[0]!] } },
      ['Low -0', 'Mid -0', 'Top -0'],
      { removedMembershipCount: 1 },
    ],
    [
      { updateGroupMembers: { groupId: Low, usersToAdd: [users[0]!], usersToRemove: [users[2]!] } },
      ['Low +0 -2', 'Mid +0 -2', 'Top +0 -2'],
      { addedMembershipCount: 1, removedMembershipCount: 1 },
    ],
    [{ addNestedGroups: { groupId: Side, childGroupIds: [Low] } }, ['Aside +0'], { addedNestingCount: 1 }],
    [
      { removeNestedGroup: { groupId: Mid, childGroupId: Low } },
      ['Mid -0', 'Top -0'],
      { removedNestingCount: 1 },
    ],
    [
      { deleteGroup: { id: Low, strategy: 'ORPHAN' } },
      ['Low -0 -1', 'Aside -0'],
      { deletedGroups: [{ groupId: Low }] },
    ],
    [{ restoreGroup: { id: Low } }, ['Low +0 +1', 'Aside +0'], { restoredGroups: [{ groupId: Low }] }],
    [
      { upsertUsers: { tenantId, users: [{ id: users[3]!, email: 'new@example.org' }] } },
      [],
      { updatedUsers: [{ userId: users[3], after: { email: 'new@example.org' } }] },
    ],
    [
      { removeUsers: { tenantId, userIds: [users[0]!] } },
      ['Low -0', 'Aside -0'],
      { removedUserIds: [users[0]] },
    ],
    [
      { eraseUsers: { tenantId, userIds: [users[1]!] } },
      ['Low -1', 'Mid -1', 'Aside -1', 'Top -1'],
      { erasedUserIds: [users[1]] },
    ],
  ];
  for (const [change, expected, outcome] of changes) {
    const shown = await preview(change);
    const [kind] = Object.keys(change);
    expect(affected(shown, users).sort(), kind).toEqual(expected.toSorted());
    expect(shown.outcomes, kind).toMatchObject([{ index: 0, refusal: null, ...outcome }]);
    const applied = await apply(shown.hash, change);
    expect(applied.hash, kind).toBe(shown.hash);
    expect(applied.position, kind).toBe(shown.position + 1);
    expect(affected(applied, users), kind).toEqual(affected(shown, users));
  }
  expect(await edgesOf(db, tenantId)).toContain(`New: ${users[2]} by usr_administrator`);
  expect(await findGroup(directory, Low)).toMatchObject({ memberCount: 0 });
});

test('changes see those before them, and all take one position', async () => {
  const { tenantId, users, ids, preview, apply, open } = await world();
  const changes: ChangeInput[] = [
    { addNestedGroups: { groupId: ids.Side, childGroupIds: [ids.Top] } },
    { createGroup: { tenantId, name: 'New', initialMemberIds: [users[4]!] } },
    { addGroupMembers: { groupId: ids.Low, userIds: [users[3]!] } },
    { updateGroup: { id: ids.Low, description: 'Deep' } },
  ];
  const shown = await preview(...changes);
  expect(affected(shown, users).sort()).toEqual(['Low +3', 'Mid +3', 'New +4', 'Side +0 +3', 'Top +3']);
  expect(shown.affectedGroups.find(({ group }) => group.name === 'New')!.group).toEqual({
    key: 'created:1',
    groupId: null,
    createdBy: 1,
    name: 'New',
  });
  const { position, outcomes } = await apply(shown.hash, ...changes);
  const rows = await db.sql<{ type: string }>(Prisma.sql`
    select type from changes where tenant_id = ${tenantId} and position = ${position}::bigint order by ordinal`);
  expect(rows.map(({ type }) => type)).toEqual([
    'group_nesting.added',
    'group.created',
    'group_membership.added',
    'group_membership.added',
    'group.updated',
  ]);
  expect(await positionOf(db, tenantId)).toBe(position);
  const { groupId } = outcomes[1]!.createdGroups[0]!;
  expect(await findGroup(open(), groupId)).toMatchObject({ name: 'New', memberCount: 1 });
});

test('a refusal stands in its place and leaves nothing; the application is refused with it whole', async () => {
  const { tenantId, users, ids, preview, apply } = await world();
  const changes: ChangeInput[] = [
    { addGroupMembers: { groupId: ids.Side, userIds: [users[2]!] } },
    { createGroup: { tenantId, name: 'New', initialMemberIds: [users[3]!, newId('user')] } },
    { addNestedGroups: { groupId: ids.Low, childGroupIds: [ids.Top] } },
    { createGroup: { tenantId, name: 'new' } },
    { createGroup: { tenantId, name: '' } },
  ];
  const shown = await preview(...changes);
  expect(shown.outcomes.map(({ refusal }) => refusal?.code ?? null)).toEqual([
    null,
    'UNKNOWN_USERS',
    'CYCLE',
    null,
    'VALIDATION_FAILED',
  ]);
  expect(affected(shown, users)).toEqual(['Side +2']);
  const before = [await edgesOf(db, tenantId), await positionOf(db, tenantId)];
  await expect(apply(shown.hash, ...changes)).rejects.toMatchObject({
    code: 'UNKNOWN_USERS',
    changeIndex: 1,
  });
  expect([await edgesOf(db, tenantId), await positionOf(db, tenantId)]).toEqual(before);
});

describe('a preview is out of date', () => {
  test('when somebody changed what it showed', async () => {
    const { tenantId, users, ids, preview, apply, open } = await world();
    const change = { addGroupMembers: { groupId: ids.Low, userIds: [users[1]!, users[2]!] } };
    const { hash } = await preview(change);
    await addGroupMembers(open(), { groupId: ids.Top, userIds: [users[2]!] });
    const before = [await edgesOf(db, tenantId), await positionOf(db, tenantId)];
    await expect(apply(hash, change)).rejects.toMatchObject({ code: 'PREVIEW_STALE' });
    expect([await edgesOf(db, tenantId), await positionOf(db, tenantId)]).toEqual(before);
    const again = await preview(change);
    expect(again.hash).not.toBe(hash);
    await apply(again.hash, change);
  });

  test('when it is that of other changes, though the effects be the same', async () => {
    const { tenantId, preview, apply } = await world();
    const create = (description: string) => ({ createGroup: { tenantId, name: 'New', description } });
    const { hash } = await preview(create('one'));
    await expect(apply(hash, create('other'))).rejects.toMatchObject({ code: 'PREVIEW_STALE' });
    await apply(hash, create('one'));
  });

  test('tell values of another structure apart', async () => {
    const { ids, preview, apply } = await world();
    const change = (x: JsonValue): ChangeInput => ({
      updateGroup: { id: ids.Side!, customAttributes: { x } },
    });
    const values: JsonValue[] = [{ a: 1 }, [['a', 1]], ['a', 1], { a: '1' }, {}, [], null, { a: [1] }, [[]]];
    const hashes = await Promise.all(values.map(async (x) => (await preview(change(x))).hash));
    expect(new Set(hashes).size).toBe(values.length);
    await expect(apply(hashes[0]!, change(values[1]!))).rejects.toMatchObject({ code: 'PREVIEW_STALE' });
    // The order of names is none.
    const orders = [{ x: { a: 1, b: 2 } }, { x: { b: 2, a: 1 } }].map((customAttributes) =>
      preview({ updateGroup: { id: ids.Side!, customAttributes } }),
    );
    expect(new Set((await Promise.all(orders)).map(({ hash }) => hash)).size).toBe(1);
  });

  test('when a field that it changes has another value', async () => {
    const { ids, preview, apply, open } = await world();
    const change = { updateGroup: { id: ids.Low, name: 'Deep' } };
    const { hash } = await preview(change);
    await updateGroup(open(), { id: ids.Low, name: 'Lower' });
    await expect(apply(hash, change)).rejects.toMatchObject({ code: 'PREVIEW_STALE' });
  });

  test('but not by what it did not show', async () => {
    const { users, ids, preview, apply, open } = await world();
    const changes = [
      { addGroupMembers: { groupId: ids.Low, userIds: [users[2]!] } },
      { updateGroup: { id: ids.Low, name: 'Deep' } },
    ];
    const { hash, position } = await preview(...changes);
    await addGroupMembers(open(), { groupId: ids.Top, userIds: [users[4]!] });
    await updateGroup(open(), { id: ids.Low, description: 'Deep down' });
    expect((await apply(hash, ...changes)).position).toBe(position + 3);
  });
});

test('the hash covers users beyond those that are listed', async () => {
  const { tenantId, userIds } = await createTenant(db, 150);
  const { ids } = await createWorld(db, { Big: {} }, 0);
  expect(ids.Big).toBeDefined();
  const open = () => openAsAdmin(db, tenantId);
  const create = { createGroup: { tenantId, name: 'Big', initialMemberIds: userIds } };
  const made = await previewChanges(open(), [create], 60_000);
  const [big] = made.affectedGroups;
  expect([big!.joining.count, big!.joining.userIds]).toEqual([150, userIds.toSorted().slice(0, 100)]);
  const { outcomes } = await applyChanges(open(), { changes: [create], previewHash: made.hash });
  const drop = { deleteGroup: { id: outcomes[0]!.createdGroups[0]!.groupId!, strategy: 'CASCADE' as const } };
  const { hash } = await previewChanges(open(), [drop], 60_000);
  // One of the last 50 leaves, another one of them comes: as many leave as before.
  await removeUsers(open(), { tenantId, userIds: [userIds.toSorted()[149]!] });
  const stale = applyChanges(open(), { changes: [drop], previewHash: hash });
  await expect(stale).rejects.toMatchObject({ code: 'PREVIEW_STALE' });
});

describe('at one position', () => {
  test('a deletion that could not be undone whole is refused, and so is its opposite', async () => {
    const { users, ids, preview } = await world();
    const codes = async (...changes: ChangeInput[]) =>
      (await preview(...changes)).outcomes.map(({ refusal }) => refusal?.code ?? 'done');
    const drop = (id: string) => ({ deleteGroup: { id, strategy: 'ORPHAN' as const } });
    const add = { addGroupMembers: { groupId: ids.Side, userIds: [users[4]!] } };
    expect(await codes(add, drop(ids.Side))).toEqual(['done', 'VALIDATION_FAILED']);
    expect(await codes(drop(ids.Side), { restoreGroup: { id: ids.Side } })).toEqual([
      'done',
      'VALIDATION_FAILED',
    ]);
    // Deleting Mid nests Low in Top in its place, and that nesting could not come back with Low.
    expect(await codes(drop(ids.Mid), drop(ids.Low))).toEqual(['done', 'VALIDATION_FAILED']);
    expect(await codes(drop(ids.Low), drop(ids.Mid))).toEqual(['done', 'done']);
  });

  test('a user who is created is not removed', async () => {
    const { tenantId } = await world();
    const id = newId('user');
    const create = { upsertUsers: { tenantId, users: [{ id, email: 'a@example.org' }] } };
    const remove = { removeUsers: { tenantId, userIds: [id] } };
    const { outcomes } = await previewChanges(openDirectory(db, superAdmin), [create, remove], 60_000);
    expect(outcomes.map(({ refusal }) => refusal?.code)).toEqual([undefined, 'VALIDATION_FAILED']);
    expect(outcomes[0]!.createdUserIds).toEqual([id]);
  });
});

describe('tenants and callers', () => {
  const rename = (id: string): ChangeInput => ({ updateGroup: { id, description: 'Other' } });

  test('all changes are of one tenant: another one that the caller sees is named, a hidden one is not', async () => {
    const [one, other] = [await world(), await world()];
    const changes = [
      rename(one.ids.Top),
      rename(other.ids.Top),
      { createGroup: { tenantId: other.tenantId, name: 'X' } },
    ];
    const codes = async (caller: Parameters<typeof openDirectory>[1]) =>
      (await previewChanges(openDirectory(db, caller), changes, 60_000)).outcomes.map(
        ({ refusal }) => refusal?.code,
      );
    expect(await codes(superAdmin)).toEqual([undefined, 'OTHER_TENANT', 'OTHER_TENANT']);
    expect(await codes(partnerAdmin(one.partnerId))).toEqual([undefined, 'NOT_FOUND', 'NOT_FOUND']);
    expect(await codes(one.directory.caller)).toEqual([undefined, 'NOT_FOUND', 'NOT_FOUND']);
    const never = newId('group');
    const { outcomes } = await one.preview(rename(one.ids.Top), rename(never));
    expect(outcomes[1]!.refusal).toMatchObject(notFound(never));
  });

  test('who may not change anything is refused whole', async () => {
    const { tenantId, users, ids } = await world();
    const as = (caller: Parameters<typeof openDirectory>[1]) =>
      refusal(previewChanges(openDirectory(db, caller), [rename(ids.Low)]));
    expect(await as(service(tenantId, false))).toEqual(FORBIDDEN);
    expect(await as(plainUser(tenantId, users[0] as never))).toEqual(notFound(tenantId));
    const elsewhere = await createTenant(db);
    expect(await as(partnerAdmin(elsewhere.partnerId))).toEqual(notFound(ids.Low));
  });

  test('a call has from 1 to 100 changes, each with one input', async () => {
    const { ids, preview } = await world();
    const change = rename(ids.Low);
    expect(await refusal(preview())).toEqual(invalid(['changes', 'must name a change']));
    expect(await refusal(preview(change, { ...change, deleteGroup: { id: ids.Low } }))).toEqual(
      invalid(['changes.1', 'must have one input']),
    );
    expect(await refusal(preview({}))).toEqual(invalid(['changes.0', 'must have one input']));
    expect(await refusal(preview(...Array<ChangeInput>(101).fill(change)))).toMatchObject({
      code: 'LIMIT_EXCEEDED',
      details: { limit: 100 },
    });
    expect((await preview(...Array<ChangeInput>(100).fill(change))).outcomes).toHaveLength(100);
  });
});

/** Counts the effective members of Top while `work` holds a preview open, and after it. */
test('other requests see nothing of a preview, neither while it runs nor after it', async () => {
  const { users, ids, open, tenantId } = await world();
  const count = () => countEffectiveMembers(open(), ids.Top);
  expect(await count()).toBe(2);
  const changes = [{ addGroupMembers: { groupId: ids.Low, userIds: [users[3]!, users[4]!] } }];
  const seen: (number | null)[] = [];
  const slow: Database = {
    ...db,
    transaction: (work, options) =>
      db.transaction(async (sql) => {
        let statements = 0;
        return work(async (statement) => {
          const rows = await sql(statement);
          statements += 1;
          if (statements > 3) seen.push(await count());
          return rows as never;
        });
      }, options),
  };
  const { affectedGroups } = await previewChanges(openAsAdmin(slow, tenantId), changes, 60_000);
  expect(affectedGroups).toHaveLength(3);
  expect(seen.length).toBeGreaterThan(2);
  expect(new Set([...seen, await count()])).toEqual(new Set([2]));
  expect(await countEffectiveMembers(openAsAdmin(slow, tenantId), ids.Top)).toBe(2);
});

test('a preview on the only connection of a pool does not wait for another one', async () => {
  const single = await openTestDatabase({ poolSize: 1 });
  const [one, other] = [
    await createWorld(single.db, { Low: {}, Mid: {}, Gone: {} }, 2),
    await createWorld(single.db, { Low: {} }),
  ];
  const { tenantId, ids, users } = one;
  await deleteGroup(one.directory, { id: ids.Gone });
  const changes: ChangeInput[] = [
    { createGroup: { tenantId, name: 'New', parentGroupId: ids.Low, initialMemberIds: users } },
    { updateGroup: { id: ids.Mid, parentGroupId: other.ids.Low } },
    { addGroupMembers: { groupId: ids.Low, userIds: users } },
    { updateGroupMembers: { groupId: ids.Low, usersToRemove: users } },
    { addNestedGroups: { groupId: ids.Mid, childGroupIds: [ids.Low, other.ids.Low] } },
    { addNestedGroups: { groupId: ids.Mid, childGroupIds: [ids.Low] } },
    { removeNestedGroup: { groupId: ids.Mid, childGroupId: ids.Low } },
    { restoreGroup: { id: ids.Gone } },
    { upsertUsers: { tenantId, users: [{ id: newId('user'), email: 'a@example.org' }] } },
    { removeUsers: { tenantId, userIds: users } },
    { eraseUsers: { tenantId, userIds: users } },
    { deleteGroup: { id: other.ids.Low } },
  ];
  const { outcomes } = await previewChanges(openDirectory(single.db, superAdmin), changes, 60_000);
  const refusals = outcomes.flatMap(({ index, refusal }) => (refusal ? [[index, refusal.code]] : []));
  expect(refusals).toEqual([
    [1, 'OTHER_TENANT'],
    [4, 'OTHER_TENANT'],
    [11, 'OTHER_TENANT'],
  ]);
  await single.close();
});

describe('the lock of the log', () => {
  test('is held no longer than the limit: the preview is refused, and those who wait go on', async () => {
    const { users, ids, open, tenantId } = await world();
    const slow: Database = {
      ...db,
      transaction: (work, options) =>
        db.transaction(
          (sql) =>
            work(async (statement) => {
              if (statement.text.includes('with recursive')) await sql(Prisma.sql`select pg_sleep(30)`);
              return (await sql(statement)) as never;
            }),
          options,
        ),
    };
    const change = { addGroupMembers: { groupId: ids.Low, userIds: [users[3]!] } };
    const preview = refusal(previewChanges(openAsAdmin(slow, tenantId), [change]));
    await vi.waitUntil(() => isAsleep(), { timeout: 5_000, interval: 5 });
    const begun = performance.now();
    const { added } = await addGroupMembers(open(), { groupId: ids.Low, userIds: [users[3]!] });
    expect(added).toEqual([users[3]]);
    expect(performance.now() - begun).toBeLessThan(5_000);
    expect(await preview).toMatchObject({ code: 'LIMIT_EXCEEDED', details: { limit: 1_000 } });
  });

  const isAsleep = async () =>
    (
      await db.sql(
        Prisma.sql`select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`,
      )
    ).length > 0;

  test('is waited for as by any change, and that is not counted', async () => {
    const { ids, preview, tenantId } = await world();
    let shown: Promise<unknown> = Promise.resolve();
    await db.transaction(async (sql) => {
      await sql(
        Prisma.sql`select from tenant_logs where tenant_id = ${tenantId as TenantId} for no key update`,
      );
      shown = preview({ deleteGroup: { id: ids.Side, strategy: 'CASCADE' } });
      await untilOneWaits(database);
      await sleep(50);
    });
    expect(await shown).toMatchObject({ outcomes: [{ refusal: null }] });
    await deleteGroup(openAsAdmin(db, tenantId), { id: ids.Side, strategy: 'CASCADE' });
  });
});
