// Makes directory.json: a directory of the version before the log, by that version's own commands, and what it answers.
// Run in its root, at commit 868d82e, after `npm ci`: node --import=./src/require-node.mjs PATH/make.mjs > PATH/directory.json

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const load = (path) => import(pathToFileURL(join(process.cwd(), 'src', path)).href);
const { openDatabase } = await load('database/open.ts');
const { Prisma } = await load('database/database.ts');
const { KEY_RULES } = await load('database/case-keys.ts');
const { openDirectory } = await load('domain/directory.ts');
const { createGroup } = await load('domain/commands/create-group.ts');
const { updateGroup } = await load('domain/commands/update-group.ts');
const { deleteGroup } = await load('domain/commands/delete-group.ts');
const { restoreGroup } = await load('domain/commands/restore-group.ts');
const { addGroupMembers } = await load('domain/commands/add-members.ts');
const { removeGroupMembers } = await load('domain/commands/change-members.ts');
const { addNestedGroups, removeNestedGroup } = await load('domain/commands/nest-groups.ts');
const { upsertUsers } = await load('domain/commands/upsert-users.ts');
const { removeUsers } = await load('domain/commands/remove-users.ts');

const TABLES = [
  'partners',
  'tenants',
  'users',
  'groups',
  'memberships',
  'nestings',
  'membership_history',
  'nesting_history',
  'group_events',
];
const TENANTS = ['tnt_one', 'tnt_two', 'tnt_empty'];
const caller = (tenantId) => ({
  role: 'TENANT_ADMIN',
  subject: 'usr_administrator',
  visibility: { kind: 'tenant', tenantId },
  mayChange: true,
});
const sync = { role: 'PLATFORM', subject: 'sync', visibility: { kind: 'all' }, mayChange: true };

/** A generator of the same numbers each time (mulberry32), so that a second run makes a directory like the first one. */
function randomOf(seed) {
  let state = seed;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return (items) => items[Math.floor(next() * items.length)];
}

/** The rows of a table as they are stored, in that order. */
const rowsOf = async (db, table) =>
  (await db.sql(Prisma.sql`select to_json(t) as row from ${Prisma.raw(table)} t order by ctid`)).map(
    ({ row }) => row,
  );

const dump = async (db) =>
  Object.fromEntries(await Promise.all(TABLES.map(async (table) => [table, await rowsOf(db, table)])));

async function openCopy(tables) {
  const db = await openDatabase({ dataDir: 'memory://' });
  for (const table of TABLES) {
    await db.sql(Prisma.sql`
      insert into ${Prisma.raw(table)}
      select * from json_populate_recordset(null::${Prisma.raw(table)}, ${JSON.stringify(tables[table])}::json)`);
  }
  return db;
}

/** Groups with their parents, memberships and nestings, as text. */
async function stateOf(db) {
  const rows = await db.sql(Prisma.sql`
    select id || ' below ' || coalesce(parent_group_id, 'nothing') || ', members: ' || member_count
      || case when deleted_at is null then '' else ', deleted' end as line from groups
    union all select user_id || ' in ' || group_id from memberships
    union all select child_group_id || ' nested in ' || parent_group_id || coalesce(' for ' || stands_for::text, '') from nestings`);
  return rows.map(({ line }) => line).sort();
}

/** The user's effective groups, and each group's effective members, by walking all nestings. */
const effectiveMembers = (db) =>
  db.sql(Prisma.sql`
    with recursive reach(id, below) as (
      select id, id from groups where deleted_at is null
      union select reach.id, n.child_group_id from reach join nestings n on n.parent_group_id = reach.below)
    select reach.id, array_agg(distinct m.user_id order by m.user_id) as users
    from reach join memberships m on m.group_id = reach.below group by 1 order by 1`);

async function fill(db, tenantId, seed) {
  const pick = randomOf(seed);
  const directory = openDirectory(db, caller(tenantId));
  const platform = openDirectory(db, sync);
  const users = Array.from({ length: 8 }, (_, index) => `usr_${tenantId.slice(4)}_${index}`);
  const save = (ids) =>
    upsertUsers(platform, {
      tenantId,
      users: ids.map((id) => ({ id, email: `${id}@example.org`, displayName: id })),
    });
  await save(users);
  const groups = [];
  const create = async (more = {}) => {
    const name = `Group ${groups.length}`;
    const { group } = await createGroup(directory, { tenantId, name, ...more });
    groups.push(group.id);
    return group.id;
  };
  for (let index = 0; index < 4; index++) await create();
  // Anything: what is refused changes nothing.
  const steps = [
    () => create({ parentGroupId: pick([null, pick(groups)]), initialMemberIds: [pick(users)] }),
    () => updateGroup(directory, { id: pick(groups), parentGroupId: pick([null, pick(groups)]) }),
    () => deleteGroup(directory, { id: pick(groups), strategy: pick(['ORPHAN', 'CASCADE']) }),
    () => restoreGroup(directory, { id: pick(groups), includeDescendants: pick([true, false]) }),
    () => removeUsers(platform, { tenantId, userIds: [pick(users)] }),
    () => save([pick(users)]),
    () => removeNestedGroup(directory, { groupId: pick(groups), childGroupId: pick(groups) }),
    ...Array.from(
      { length: 2 },
      () => () => removeGroupMembers(directory, { groupId: pick(groups), userIds: [pick(users)] }),
    ),
    ...Array.from(
      { length: 4 },
      () => () => addGroupMembers(directory, { groupId: pick(groups), userIds: [pick(users)] }),
    ),
    ...Array.from(
      { length: 4 },
      () => () => addNestedGroups(directory, { groupId: pick(groups), childGroupIds: [pick(groups)] }),
    ),
  ];
  for (let step = 0; step < 80; step++) await pick(steps)().catch(() => {});
  await save(users);
  // What a restoration undoes: stand-ins, moved children, members removed since, and a user created again.
  const root = await create();
  const above = await create();
  const team = await create({ parentGroupId: root, initialMemberIds: [users[0]] });
  const child = await create({ parentGroupId: team, initialMemberIds: [users[0], users[1]] });
  const twice = await create({ parentGroupId: team });
  const below = await create({ initialMemberIds: [users[2]] });
  const other = await create({ initialMemberIds: [users[1], users[0], users[7]] });
  await addNestedGroups(directory, { groupId: above, childGroupIds: [team] });
  await addNestedGroups(directory, { groupId: team, childGroupIds: [below, other] });
  await deleteGroup(directory, { id: team, strategy: 'ORPHAN' });
  await deleteGroup(directory, { id: other, strategy: 'CASCADE' });
  const second = await create({ parentGroupId: root });
  await updateGroup(directory, { id: twice, parentGroupId: second });
  await deleteGroup(directory, { id: second, strategy: 'ORPHAN' });
  await removeUsers(platform, { tenantId, userIds: [users[1], users[7]] });
  await save([users[7]]);
  await removeGroupMembers(directory, { groupId: child, userIds: [users[0]] });
  await addGroupMembers(directory, { groupId: child, userIds: [users[0], users[7]] });
}

/** What becomes of each restoration, alone: lines that go and come, and what could not be restored. */
async function restorationsOf(tables) {
  const restorations = [];
  for (const { id, tenant_id: tenantId, deleted_at } of tables.groups) {
    if (deleted_at === null) continue;
    for (const includeDescendants of [false, true]) {
      const db = await openCopy(tables);
      const before = await stateOf(db);
      const input = { id, includeDescendants };
      const outcome = await restoreGroup(openDirectory(db, caller(tenantId)), input).then(
        ({ restoredGroupIds, notRestored }) => ({
          restored: restoredGroupIds.toSorted(),
          notRestored: notRestored.map(({ kind, reason }) => `${kind} ${reason}`).sort(),
        }),
        ({ code }) => ({ code }),
      );
      const after = await stateOf(db);
      await db.close();
      restorations.push({
        tenantId,
        input,
        ...outcome,
        gone: before.filter((line) => !after.includes(line)),
        come: after.filter((line) => !before.includes(line)),
      });
    }
  }
  return restorations;
}

const db = await openDatabase({ dataDir: 'memory://' });
await db.sql(Prisma.sql`insert into partners (id, name) values ('prt_one', 'Partner')`);
for (const id of TENANTS) {
  await db.sql(Prisma.sql`
    insert into tenants (id, partner_id, name, slug, key_rules) values (${id}, 'prt_one', ${id}, ${id}, ${KEY_RULES}::int[])`);
}
await fill(db, TENANTS[0], 1);
await fill(db, TENANTS[1], 2);
const tables = await dump(db);
const state = await stateOf(db);
const members = await effectiveMembers(db);
await db.close();
const restorations = await restorationsOf(tables);
/** A line for each row. */
const lines = (rows) => `[\n${rows.map((row) => JSON.stringify(row)).join(',\n')}\n]`;
const file = Object.entries({ ...tables, state, members, restorations }).map(
  ([name, rows]) => `"${name}": ${lines(rows)}`,
);
process.stdout.write(`{\n${file.join(',\n')}\n}\n`);
