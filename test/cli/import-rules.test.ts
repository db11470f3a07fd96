// Import, rule by rule: what is refused leaves every table as it was, and what is stored is told exactly.

import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { KEY_RULES } from '../../src/database/case-keys.ts';
import { type Database, Prisma } from '../../src/database/database.ts';
import { openDatabase } from '../../src/database/open.ts';
import { deleteGroup } from '../../src/domain/commands/delete-group.ts';
import { removeUsers } from '../../src/domain/commands/remove-users.ts';
import { openDirectory } from '../../src/domain/directory.ts';
import { checkDirectory } from '../../src/domain/integrity/check.ts';
import { countEffectiveMembers, listEffectiveMembers } from '../../src/domain/queries/effective-members.ts';
import { findGroup } from '../../src/domain/queries/groups.ts';
import { countMembers } from '../../src/domain/queries/members.ts';
import { importDirectory } from '../../src/import/import-directory.ts';
import { readImportFile } from '../../src/import/read-file.ts';
import { printReport } from '../../src/import/report.ts';
import type { SourceRow } from '../../src/import/rows.ts';
import { newId, type TenantId } from '../../src/model/ids.ts';
import { openAsAdmin, superAdmin } from '../support/directories.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await openTestDatabase();
  db = database.db;
});
afterAll(() => database.close());

const run = (statement: string) => db.sql<Record<string, unknown>>(Prisma.raw(statement) as never);

type Tables = Record<string, Record<string, unknown>[]>;

/** A good file of one tenant: two users; A, below it B with both users, nested in A; C. Ids end in a word of its own. */
function world() {
  const word = newId('tenant').slice(4);
  const tenantId = `tnt_${word}` as TenantId;
  const id = (kind: string, name: string) => `${kind}_${name}${word.slice(1)}`;
  const [ann, bob] = [id('usr', 'a'), id('usr', 'b')];
  const [a, b, c] = [id('grp', 'A'), id('grp', 'B'), id('grp', 'C')];
  const partnerId = id('prt', 'P');
  const tables: Tables = {
    partners: [{ id: partnerId, name: 'Partner' }],
    tenants: [{ id: tenantId, partnerId, name: 'Tenant', slug: word }],
    users: [
      { id: ann, tenantId, email: `ann@${word}.org`, displayName: 'Ann' },
      { id: bob, tenantId, email: `bob@${word}.org` },
    ],
    groups: [
      { id: a, tenantId, name: 'A', description: 'First', customAttributes: { level: 1 } },
      { id: b, tenantId, name: 'B', groupType: 'DISTRIBUTION', parentGroupId: a },
      { id: c, tenantId, name: 'C' },
    ],
    memberships: [
      { groupId: b, userId: ann },
      { groupId: b, userId: bob },
    ],
    nestings: [{ parentGroupId: a, childGroupId: b }],
  };
  return { word, tenantId, partnerId, ann, bob, a, b, c, tables, id };
}
type World = ReturnType<typeof world>;

const rowsOf = (tables: Tables): SourceRow[] =>
  Object.entries(tables).flatMap(([section, rows]) => rows.map((row, index) => ({ section, index, row })));
const load = (tables: Tables) => importDirectory(db, rowsOf(tables));
/** The tables with rows added. */
const plus = (tables: Tables, more: Tables): Tables =>
  Object.fromEntries(
    Object.entries({ ...tables, ...more }).map(([name]) => [
      name,
      [...(tables[name] ?? []), ...(more[name] ?? [])],
    ]),
  );
/** The tables with the columns of one row replaced. */
const changed = (tables: Tables, section: string, index: number, columns: object): Tables => ({
  ...tables,
  [section]: tables[section]!.map((row, at) => (at === index ? { ...row, ...columns } : row)),
});

/** Everything that the tables hold of a tenant, its log and its ids included. */
async function contents(tenantId: string) {
  const of = (table: string, column = 'tenant_id') =>
    run(
      `select to_jsonb(t) as row from ${table} t where ${column} = '${tenantId}' order by to_jsonb(t)::text`,
    );
  return Promise.all([
    of('tenants', 'id'),
    ...[
      'users',
      'groups',
      'memberships',
      'nestings',
      'membership_history',
      'nesting_history',
      'group_history',
      'user_history',
      'tenant_logs',
      'changes',
      'ids',
    ].map((table) => of(table)),
  ]);
}
const EMPTY = Array.from({ length: 12 }, () => []);

const none = { created: 0, updated: 0, unchanged: 0 };

test('a new tenant is stored as the file says', async () => {
  const { tables, tenantId, partnerId, ann, bob, a, b, c, word } = world();
  expect(await load(tables)).toEqual({
    tenants: [
      {
        tenantId,
        name: 'Tenant',
        faults: [],
        tallies: {
          users: { ...none, created: 2 },
          groups: { ...none, created: 3 },
          memberships: { ...none, created: 2 },
          nestings: { ...none, created: 1 },
        },
      },
    ],
    faults: [],
  });
  expect(await run(`select id, partner_id, name, slug from tenants where id = '${tenantId}'`)).toEqual([
    { id: tenantId, partner_id: partnerId, name: 'Tenant', slug: word },
  ]);
  expect(await run(`select name from partners where id = '${partnerId}'`)).toEqual([{ name: 'Partner' }]);
  expect(
    await run(`select id, email, display_name from users where tenant_id = '${tenantId}' order by email`),
  ).toEqual([
    { id: ann, email: `ann@${word}.org`, display_name: 'Ann' },
    { id: bob, email: `bob@${word}.org`, display_name: null },
  ]);
  expect(
    await run(`select id, parent_group_id, name, description, type::text, custom_attributes, version, member_count, deleted_at
      from groups where tenant_id = '${tenantId}' order by name`),
  ).toEqual(
    [
      {
        id: a,
        parent_group_id: null,
        name: 'A',
        description: 'First',
        type: 'SECURITY',
        custom_attributes: { level: 1 },
        member_count: 0,
      },
      {
        id: b,
        parent_group_id: a,
        name: 'B',
        description: null,
        type: 'DISTRIBUTION',
        custom_attributes: null,
        member_count: 2,
      },
      {
        id: c,
        parent_group_id: null,
        name: 'C',
        description: null,
        type: 'SECURITY',
        custom_attributes: null,
        member_count: 0,
      },
    ].map((row) => ({ ...row, version: 1, deleted_at: null })),
  );
  expect(
    await run(
      `select group_id, user_id, added_by from memberships where tenant_id = '${tenantId}' order by user_id`,
    ),
  ).toEqual([
    { group_id: b, user_id: ann, added_by: 'import' },
    { group_id: b, user_id: bob, added_by: 'import' },
  ]);
  expect(
    await run(
      `select parent_group_id, child_group_id, created_by from nestings where tenant_id = '${tenantId}'`,
    ),
  ).toEqual([{ parent_group_id: a, child_group_id: b, created_by: 'import' }]);
  const change = (type: string, columns: object) => ({
    position: 1,
    type,
    group_id: null,
    actor_id: 'import',
    actor_type: 'service',
    user_ids: null,
    group_ids: null,
    data: {},
    ...columns,
  });
  const created = (group_id: string, fields: object) => {
    const after = {
      name: '',
      description: null,
      type: 'SECURITY',
      parentGroupId: null,
      customAttributes: null,
    };
    return change('group.created', { group_id, data: { after: { ...after, ...fields } } });
  };
  // The file is one change of the tenant: users first, then groups, which the edges need.
  expect(
    await run(`select position::int as position, type, group_id, actor_id, actor_type, user_ids, group_ids, data from changes
      where tenant_id = '${tenantId}' order by ordinal`),
  ).toEqual([
    change('users.upserted', { user_ids: [ann, bob] }),
    created(a, { name: 'A', description: 'First', customAttributes: { level: 1 } }),
    created(b, { name: 'B', type: 'DISTRIBUTION', parentGroupId: a }),
    created(c, { name: 'C' }),
    change('group_membership.added', { group_id: b, user_ids: [ann, bob] }),
    change('group_nesting.added', { group_id: a, group_ids: [b] }),
  ]);
  expect(
    await run(`select distinct l.position::int as position, l.change_id = c.change_id as is_head, l.at = c.at and l.at = u.created_at
        and l.at = g.created_at and l.at = m.added_at and l.at = n.created_at as is_one_time, u.since::int as users,
        m.since::int as memberships, n.since::int as nestings
      from tenant_logs l join changes c using (tenant_id) join users u using (tenant_id) join groups g using (tenant_id)
        join memberships m using (tenant_id) join nestings n using (tenant_id) where tenant_id = '${tenantId}'`),
  ).toEqual([{ position: 1, is_head: true, is_one_time: true, users: 1, memberships: 1, nestings: 1 }]);
  expect(await run(`select id from ids where tenant_id = '${tenantId}' order by id`)).toEqual(
    [a, b, c, ann, bob].map((id) => ({ id })),
  );
  expect(await checkDirectory(db, tenantId)).toEqual([]);
});

test('the same file again changes nothing: no version, no time, no position of the log', async () => {
  const { tables, tenantId } = world();
  await load(tables);
  const before = await contents(tenantId);
  const { tenants } = await load(tables);
  expect(tenants[0]!.tallies).toEqual({
    users: { ...none, unchanged: 2 },
    groups: { ...none, unchanged: 3 },
    memberships: { ...none, unchanged: 2 },
    nestings: { ...none, unchanged: 1 },
  });
  expect(await contents(tenantId)).toEqual(before);
});

/** A change of the file, what it changes in the tallies, and what is then stored. */
const changes: [string, (w: World) => Tables, Record<string, object>, (w: World) => [string, object[]]][] = [
  [
    "a tenant's name and slug",
    ({ tables, word }) => changed(tables, 'tenants', 0, { name: 'Other', slug: `${word}2` }),
    {},
    ({ tenantId, word }) => [
      `select name, slug from tenants where id = '${tenantId}'`,
      [{ name: 'Other', slug: `${word}2` }],
    ],
  ],
  [
    "a tenant's slug alone",
    ({ tables, word }) => changed(tables, 'tenants', 0, { slug: `${word}2` }),
    {},
    ({ tenantId, word }) => [
      `select name, slug from tenants where id = '${tenantId}'`,
      [{ name: 'Tenant', slug: `${word}2` }],
    ],
  ],
  [
    "a partner's name",
    ({ tables }) => changed(tables, 'partners', 0, { name: 'Other' }),
    {},
    ({ partnerId }) => [`select name from partners where id = '${partnerId}'`, [{ name: 'Other' }]],
  ],
  [
    'an address',
    ({ tables }) => changed(tables, 'users', 0, { email: 'new@example.org' }),
    { users: { created: 0, updated: 1, unchanged: 1 } },
    ({ ann }) => [
      `select email, display_name, search_key, updated_at > created_at as later from users where id = '${ann}'`,
      [{ email: 'new@example.org', display_name: 'Ann', search_key: 'new@example.org\nann', later: true }],
    ],
  ],
  [
    'a display name that is gone',
    ({ tables }) => changed(tables, 'users', 0, { displayName: null }),
    { users: { created: 0, updated: 1, unchanged: 1 } },
    ({ ann }) => [`select display_name from users where id = '${ann}'`, [{ display_name: null }]],
  ],
  [
    "a group's name",
    ({ tables }) => changed(tables, 'groups', 0, { name: 'Á' }),
    { groups: { created: 0, updated: 1, unchanged: 2 } },
    ({ a }) => [
      `select name, name_key, search_key, version, updated_at > created_at as later from groups where id = '${a}'`,
      [{ name: 'Á', name_key: 'á', search_key: 'a\nfirst', version: 2, later: true }],
    ],
  ],
  [
    "a group's description that is gone",
    ({ tables }) => changed(tables, 'groups', 0, { description: null }),
    { groups: { created: 0, updated: 1, unchanged: 2 } },
    ({ a }) => [
      `select description, version from groups where id = '${a}'`,
      [{ description: null, version: 2 }],
    ],
  ],
  [
    "a group's parent",
    ({ tables, c }) => changed(tables, 'groups', 1, { parentGroupId: c }),
    { groups: { created: 0, updated: 1, unchanged: 2 } },
    ({ b, c }) => [
      `select parent_group_id, version from groups where id = '${b}'`,
      [{ parent_group_id: c, version: 2 }],
    ],
  ],
  [
    "a group's attributes",
    ({ tables }) => changed(tables, 'groups', 0, { customAttributes: { level: 2 } }),
    { groups: { created: 0, updated: 1, unchanged: 2 } },
    ({ a }) => [
      `select custom_attributes, version from groups where id = '${a}'`,
      [{ custom_attributes: { level: 2 }, version: 2 }],
    ],
  ],
  [
    'first attributes',
    ({ tables }) => changed(tables, 'groups', 2, { customAttributes: {} }),
    { groups: { created: 0, updated: 1, unchanged: 2 } },
    ({ c }) => [
      `select custom_attributes, version from groups where id = '${c}'`,
      [{ custom_attributes: {}, version: 2 }],
    ],
  ],
  [
    'attributes that the file no longer names are left alone',
    ({ tables }) => changed(tables, 'groups', 0, { customAttributes: undefined }),
    {},
    ({ a }) => [
      `select custom_attributes, version from groups where id = '${a}'`,
      [{ custom_attributes: { level: 1 }, version: 1 }],
    ],
  ],
  [
    'one more of each',
    ({ tables, tenantId, id, ann, a, c }) =>
      plus(tables, {
        users: [{ id: id('usr', 'c'), tenantId, email: 'c@example.org' }],
        groups: [{ id: id('grp', 'D'), tenantId, name: 'D' }],
        memberships: [
          { groupId: a, userId: ann },
          { groupId: c, userId: id('usr', 'c') },
        ],
        nestings: [{ parentGroupId: c, childGroupId: id('grp', 'D') }],
      }),
    {
      users: { created: 1, updated: 0, unchanged: 2 },
      groups: { created: 1, updated: 0, unchanged: 3 },
      memberships: { created: 2, updated: 0, unchanged: 2 },
      nestings: { created: 1, updated: 0, unchanged: 1 },
    },
    ({ tenantId }) => [
      `select name, member_count from groups where tenant_id = '${tenantId}' order by name`,
      [
        { name: 'A', member_count: 1 },
        { name: 'B', member_count: 2 },
        { name: 'C', member_count: 1 },
        { name: 'D', member_count: 0 },
      ],
    ],
  ],
];

test.each(changes)('a changed file changes %s', async (_name, change, tallies, stored) => {
  const w = world();
  await load(w.tables);
  const { tenants, faults } = await load(change(w));
  expect(faults).toEqual([]);
  expect(tenants[0]!.faults).toEqual([]);
  expect(tenants[0]!.tallies).toEqual({
    users: { ...none, unchanged: 2 },
    groups: { ...none, unchanged: 3 },
    memberships: { ...none, unchanged: 2 },
    nestings: { ...none, unchanged: 1 },
    ...tallies,
  });
  const [query, rows] = stored(w);
  expect(await run(query)).toEqual(rows);
  expect(await checkDirectory(db, w.tenantId)).toEqual([]);
});

test('what changed is recorded, before and after it', async () => {
  const { tables, tenantId, b, c, bob, word } = world();
  await load(tables);
  const renamed = changed(tables, 'groups', 1, { name: 'Bee', parentGroupId: c });
  await load(changed(renamed, 'users', 1, { displayName: 'Bob' }));
  const fields = { description: null, type: 'DISTRIBUTION', customAttributes: null };
  const email = `bob@${word}.org`;
  expect(
    await run(`select type, actor_id, user_ids, group_id, data from changes
      where tenant_id = '${tenantId}' and position = 2 order by ordinal`),
  ).toEqual([
    {
      type: 'users.upserted',
      actor_id: 'import',
      user_ids: [bob],
      group_id: null,
      data: {
        users: [{ id: bob, before: { email, displayName: null }, after: { email, displayName: 'Bob' } }],
      },
    },
    {
      type: 'group.updated',
      actor_id: 'import',
      user_ids: null,
      group_id: b,
      data: {
        changed: ['name', 'parentGroupId'],
        before: { ...fields, name: 'B', parentGroupId: tables.groups![1]!.parentGroupId },
        after: { ...fields, name: 'Bee', parentGroupId: c },
      },
    },
  ]);
  expect(
    await run(`select position::int as position from tenant_logs where tenant_id = '${tenantId}'`),
  ).toEqual([{ position: 2 }]);
});

/** What spoils a file, and every fault that is then told. */
const refusals: [string, (w: World) => Tables, (w: World) => string[]][] = [
  [
    'a user twice',
    ({ tables }) => plus(tables, { users: [tables.users![1]!] }),
    ({ bob }) => [`user ${bob} is in the file twice`],
  ],
  [
    'a group twice',
    ({ tables }) => plus(tables, { groups: [tables.groups![2]!] }),
    ({ c }) => [`group ${c} is in the file twice`],
  ],
  [
    'siblings of one name at the root',
    ({ tables, tenantId, id }) => plus(tables, { groups: [{ id: id('grp', 'D'), tenantId, name: ' a ' }] }),
    ({ a, id }) => [`groups ${a} and ${id('grp', 'D')} have the same name and parent`],
  ],
  [
    'siblings of one name below a group',
    ({ tables, tenantId, id, a }) =>
      plus(tables, { groups: [{ id: id('grp', 'D'), tenantId, name: 'b', parentGroupId: a }] }),
    ({ b, id }) => [`groups ${b} and ${id('grp', 'D')} have the same name and parent`],
  ],
  [
    'an unknown parent',
    ({ tables }) => changed(tables, 'groups', 2, { parentGroupId: 'grp_nowhere' }),
    ({ c }) => [`group ${c}: its parent grp_nowhere is not in the tenant`],
  ],
  [
    'a hierarchy cycle',
    ({ tables, b }) => changed(tables, 'groups', 0, { parentGroupId: b }),
    ({ a, b }) => [`the hierarchy has a cycle among ${[a, b].sort().join(', ')}`],
  ],
  [
    'a nesting cycle',
    ({ tables, a, b }) => plus(tables, { nestings: [{ parentGroupId: b, childGroupId: a }] }),
    ({ a, b }) => [`the nesting has a cycle among ${[a, b].sort().join(', ')}`],
  ],
  [
    'an unknown user',
    ({ tables, a }) => plus(tables, { memberships: [{ groupId: a, userId: 'usr_nobody' }] }),
    ({ a }) => [`membership of usr_nobody in ${a}: no such user in the tenant`],
  ],
  [
    'an unknown nested group',
    ({ tables, a }) => plus(tables, { nestings: [{ parentGroupId: a, childGroupId: 'grp_nowhere' }] }),
    ({ a }) => [`nesting of grp_nowhere in ${a}: no such group in the tenant`],
  ],
  [
    'a partner that does not exist',
    ({ tables }) => changed(tables, 'tenants', 0, { partnerId: 'prt_nowhere' }),
    ({ tenantId }) => [`tenant ${tenantId}: no such partner prt_nowhere`],
  ],
  [
    'a user without an address',
    ({ tables }) => changed(tables, 'users', 1, { email: 'bob' }),
    () => ['users[1]: email must be an email address'],
  ],
  [
    'a group without a name, of an unknown type',
    ({ tables }) => changed(tables, 'groups', 1, { name: ' ', groupType: 'OTHER' }),
    () => [expect.stringMatching(/^groups\[1\]: name must not be empty; groupType /) as never],
  ],
  [
    'a name of 256 characters',
    ({ tables }) => changed(tables, 'groups', 1, { name: 'x'.repeat(256) }),
    () => ['groups[1]: name must have at most 255 characters'],
  ],
  [
    'a description of 4,097 characters',
    ({ tables }) => changed(tables, 'groups', 1, { description: 'x'.repeat(4_097) }),
    () => ['groups[1]: description must have at most 4096 characters'],
  ],
  [
    'attributes of nine levels',
    ({ tables }) =>
      changed(tables, 'groups', 1, { customAttributes: JSON.parse(`${'{"a":'.repeat(9)}1${'}'.repeat(9)}`) }),
    () => ['groups[1]: customAttributes must have at most 8 levels'],
  ],
  [
    'a membership that is none, of a group of the file',
    ({ tables, a }) => plus(tables, { memberships: [{ groupId: a }] }),
    () => [expect.stringMatching(/^memberships\[2\]: userId /) as never],
  ],
  [
    'several at once',
    ({ tables, a }) =>
      plus(tables, {
        memberships: [
          { groupId: a, userId: 'usr_no1' },
          { groupId: a, userId: 'usr_no2' },
        ],
        nestings: [{ parentGroupId: a, childGroupId: 'grp_no1' }],
      }),
    ({ a }) => [
      `membership of usr_no1 in ${a}: no such user in the tenant`,
      `membership of usr_no2 in ${a}: no such user in the tenant`,
      `nesting of grp_no1 in ${a}: no such group in the tenant`,
    ],
  ],
];

test.each(refusals)(
  '%s: nothing of a new tenant is stored, and nothing of a known one changes',
  async (_name, spoil, faults) => {
    const fresh = world();
    expect(await load(spoil(fresh))).toEqual({
      tenants: [{ tenantId: fresh.tenantId, name: 'Tenant', faults: faults(fresh), tallies: null }],
      faults: [],
    });
    expect(await contents(fresh.tenantId)).toEqual(EMPTY);

    const known = world();
    await load(known.tables);
    const before = await contents(known.tenantId);
    const more = changed(known.tables, 'tenants', 0, { name: 'Changed' });
    more.users = [
      ...more.users!,
      { id: known.id('usr', 'z'), tenantId: known.tenantId, email: 'z@example.org' },
    ];
    const report = await load(spoil({ ...known, tables: more }));
    expect(report.tenants.map(({ tallies }) => tallies)).toEqual([null]);
    expect(await contents(known.tenantId)).toEqual(before);
  },
);

test('a tenant of another partner, and groups and users of another tenant, are refused', async () => {
  const [first, second] = [world(), world()];
  await load(first.tables);
  await load(second.tables);
  const before = await contents(first.tenantId);
  const moved = changed(first.tables, 'tenants', 0, { partnerId: second.partnerId, name: 'Moved' });
  expect((await load(moved)).tenants[0]!.faults).toEqual([
    `tenant ${first.tenantId} belongs to another partner`,
  ]);
  const third = world();
  const stolen = plus(third.tables, {
    users: [{ id: first.ann, tenantId: third.tenantId, email: 'stolen@example.org' }],
    groups: [{ id: first.c, tenantId: third.tenantId, name: 'Stolen' }],
  });
  expect((await load(stolen)).tenants[0]!.faults).toEqual([
    `group ${first.c} belongs to another tenant`,
    `user ${first.ann} belongs to another tenant`,
  ]);
  expect(await contents(first.tenantId)).toEqual(before);
  expect(await contents(third.tenantId)).toEqual(EMPTY);
});

test('a removed user of the file is created again as another one, and another tenant cannot have the id', async () => {
  const w = world();
  await load(w.tables);
  await removeUsers(openDirectory(db, superAdmin), { tenantId: w.tenantId, userIds: [w.bob] });
  const other = world();
  const taken = plus(other.tables, {
    users: [{ id: w.bob, tenantId: other.tenantId, email: 'taken@example.org' }],
  });
  expect((await load(taken)).tenants[0]!.faults).toEqual([`user ${w.bob} belongs to another tenant`]);
  expect(await contents(other.tenantId)).toEqual(EMPTY);
  const { tenants } = await load(w.tables);
  expect(tenants[0]!.faults).toEqual([]);
  expect(tenants[0]!.tallies).toMatchObject({
    users: { created: 1, updated: 0, unchanged: 1 },
    memberships: { created: 1, updated: 0, unchanged: 1 },
  });
  expect(await run(`select since::int as since, until from users where id = '${w.bob}'`)).toEqual([
    { since: 3, until: null },
  ]);
  expect(
    await run(
      `select type, user_ids from changes where tenant_id = '${w.tenantId}' and position = 3 order by ordinal`,
    ),
  ).toEqual([
    { type: 'users.upserted', user_ids: [w.bob] },
    { type: 'group_membership.added', user_ids: [w.bob] },
  ]);
  expect(await checkDirectory(db, w.tenantId)).toEqual([]);
});

test('members and nestings of another tenant are refused', async () => {
  const [first, second] = [world(), world()];
  await load(first.tables);
  const report = await load(
    plus(second.tables, {
      memberships: [{ groupId: second.a, userId: first.ann }],
      nestings: [{ parentGroupId: second.a, childGroupId: first.c }],
    }),
  );
  expect(report.tenants[0]!.faults).toEqual([
    `membership of ${first.ann} in ${second.a}: no such user in the tenant`,
    `nesting of ${first.c} in ${second.a}: no such group in the tenant`,
  ]);
});

test('a deleted group is not brought back, nor filed under, nor is its type or name in the way', async () => {
  const w = world();
  await load(w.tables);
  const admin = openAsAdmin(db, w.tenantId);
  await deleteGroup(admin, { id: w.c, strategy: 'BLOCK' });
  const before = await contents(w.tenantId);
  expect((await load(w.tables)).tenants[0]!.faults).toEqual([
    `group ${w.c} is deleted in the directory; restore it first`,
  ]);
  const under = {
    ...w.tables,
    groups: [w.tables.groups![0]!, { ...w.tables.groups![1]!, parentGroupId: w.c }],
  };
  expect((await load(under)).tenants[0]!.faults).toEqual([
    `group ${w.b}: its parent ${w.c} is not in the tenant`,
  ]);
  expect(await contents(w.tenantId)).toEqual(before);
  const successor = [
    ...w.tables.groups!.slice(0, 2),
    { id: w.id('grp', 'D'), tenantId: w.tenantId, name: 'C' },
  ];
  expect((await load({ ...w.tables, groups: successor })).tenants[0]!.faults).toEqual([]);
});

test('a type that is fixed is not changed', async () => {
  const w = world();
  await load(w.tables);
  const retyped = changed(changed(w.tables, 'groups', 0, { groupType: 'DISTRIBUTION' }), 'groups', 1, {
    groupType: null,
  });
  expect((await load(retyped)).tenants[0]!.faults).toEqual([
    `group ${w.a}: the type cannot be changed`,
    `group ${w.b}: the type cannot be changed`,
  ]);
});

test('what the file says is judged together with what is stored', async () => {
  const w = world();
  await load(w.tables);
  const bare = { ...w.tables, groups: [w.tables.groups![2]!], memberships: [], nestings: [] };
  // Known from before: the user of a membership, the parent and the nested group.
  const more = {
    ...bare,
    users: [],
    groups: [{ ...w.tables.groups![2]!, parentGroupId: w.b }],
    memberships: [{ groupId: w.c, userId: w.ann }],
    nestings: [{ parentGroupId: w.c, childGroupId: w.a }],
  };
  expect((await load(more)).tenants[0]!.faults).toEqual([]);
  const closed = {
    ...bare,
    groups: [{ ...w.tables.groups![0]!, parentGroupId: w.c }],
    nestings: [{ parentGroupId: w.a, childGroupId: w.c }],
  };
  expect((await load(closed)).tenants[0]!.faults).toEqual([
    `the hierarchy has a cycle among ${[w.a, w.b, w.c].sort().join(', ')}`,
    expect.stringMatching(/nesting of .* no such group|is not in the file|the nesting has a cycle/),
  ]);
  const clash = { ...bare, groups: [{ ...w.tables.groups![2]!, name: 'A', parentGroupId: null }] };
  expect((await load(clash)).tenants[0]!.faults).toEqual([
    `groups ${w.a} and ${w.c} have the same name and parent`,
  ]);
});

/** A chain below C of so many groups, with C: filed under, and nested in, the one before. */
function chain(w: World, length: number, relation: 'hierarchy' | 'nesting'): Tables {
  const ids = [w.c, ...Array.from({ length: length - 1 }, (_, index) => w.id('grp', `X${index}`))];
  return plus(w.tables, {
    groups: ids.slice(1).map((id, index) => ({
      id,
      tenantId: w.tenantId,
      name: `X${index}`,
      ...(relation === 'hierarchy' && { parentGroupId: ids[index] }),
    })),
    nestings:
      relation === 'nesting'
        ? ids.slice(1).map((id, index) => ({ parentGroupId: ids[index], childGroupId: id }))
        : [],
  });
}

test.each(['hierarchy', 'nesting'] as const)(
  'a %s of 32 levels is stored, one of 33 is not',
  async (relation) => {
    const deep = world();
    expect((await load(chain(deep, 32, relation))).tenants[0]!.faults).toEqual([]);
    const deeper = world();
    expect((await load(chain(deeper, 33, relation))).tenants[0]!.faults).toEqual([
      `the ${relation} is 33 groups deep; at most 32 are allowed`,
    ]);
    expect(await contents(deeper.tenantId)).toEqual(EMPTY);
  },
);

test('rows of no tenant of the file are told apart, and the tenants are stored', async () => {
  const w = world();
  const report = await importDirectory(db, [
    ...rowsOf(w.tables),
    { section: 'memberships', index: 2, row: { groupId: 'grp_nowhere', userId: w.ann } },
    { section: 'nestings', index: 1, row: { parentGroupId: 'grp_nowhere', childGroupId: w.a } },
    { section: 'partners', index: 1, row: { id: 'prt_nameless' } },
    { section: 'users', index: 2, row: 'nonsense' },
    { section: 'comments', index: 0, row: { anything: true } },
    { section: 'toString', index: 0, row: {} },
  ]);
  expect(report.faults).toEqual([
    expect.stringMatching(/^partners\[1\]: name /),
    expect.stringMatching(/^users\[2\]: /),
    'memberships[2]: its group is not in the file',
    'nestings[1]: its group is not in the file',
    'comments: unknown section; its 1 rows are not stored',
    'toString: unknown section; its 1 rows are not stored',
  ]);
  expect(report.tenants[0]!.faults).toEqual([]);
  expect(
    (await run(`select count(*)::int as n from memberships where tenant_id = '${w.tenantId}'`))[0],
  ).toEqual({ n: 2 });
});

test('a tenant or partner may be named twice, but not differently', async () => {
  const w = world();
  const [partner, tenant] = [w.tables.partners![0]!, w.tables.tenants![0]!];
  const same = await load(plus(w.tables, { partners: [partner], tenants: [tenant] }));
  expect(same.tenants.map(({ name, faults }) => [name, faults])).toEqual([['Tenant', []]]);
  expect(same.faults).toEqual([]);
  const before = await contents(w.tenantId);
  const other = await load(
    plus(w.tables, { partners: [{ ...partner, name: 'Last' }], tenants: [{ ...tenant, name: 'Last' }] }),
  );
  expect(other.tenants.map(({ name, faults }) => [name, faults])).toEqual([
    ['Tenant', [`tenants[1]: tenant ${w.tenantId} is in the file twice, with different values`]],
  ]);
  expect(other.faults).toEqual([
    `partners[1]: partner ${w.partnerId} is in the file twice, with different values`,
  ]);
  expect(await contents(w.tenantId)).toEqual(before);
});

test('of two tenants the bad one is refused and the good one stored; progress is told for each', async () => {
  const [good, bad] = [world(), world()];
  const spoilt = plus(bad.tables, { memberships: [{ groupId: bad.a, userId: 'usr_nobody' }] });
  const progress: number[][] = [];
  const report = await importDirectory(db, [...rowsOf(spoilt), ...rowsOf(good.tables)], {
    onTenant: (done, total) => progress.push([done, total]),
  });
  expect(report.tenants.map(({ tenantId, tallies }) => [tenantId, tallies !== null])).toEqual([
    [bad.tenantId, false],
    [good.tenantId, true],
  ]);
  expect(progress).toEqual([
    [1, 2],
    [2, 2],
  ]);
  expect(await contents(bad.tenantId)).toEqual(EMPTY);
});

test('text is kept as it is, line separators included', async () => {
  const w = world();
  const description = 'a\u2028b\u2029c\nd\r\ne "quoted" \\ 日本 🚀';
  expect((await load(changed(w.tables, 'groups', 0, { description }))).tenants[0]!.faults).toEqual([]);
  expect(await run(`select description from groups where id = '${w.a}'`)).toEqual([{ description }]);
});

test('more rows than one statement takes are all stored, counted and told', async () => {
  const w = world();
  const count = 10_003;
  const users = Array.from({ length: count }, (_, index) => ({
    id: `usr_${w.word.slice(0, 10)}${String(index).padStart(6, '0')}`,
    tenantId: w.tenantId,
    email: `u${index}@example.org`,
  }));
  const large: Tables = {
    ...w.tables,
    users,
    memberships: users.map(({ id }) => ({ groupId: w.a, userId: id })),
    nestings: [],
  };
  const { tenants } = await load(large);
  expect(tenants[0]!.tallies).toEqual({
    users: { ...none, created: count },
    groups: { ...none, created: 3 },
    memberships: { ...none, created: count },
    nestings: none,
  });
  expect(await countMembers(openAsAdmin(db, w.tenantId), w.a)).toBe(count);
  const told = await run(`select type, sum(cardinality(user_ids))::int as n from changes
    where tenant_id = '${w.tenantId}' and user_ids is not null group by type order by type`);
  expect(told).toEqual([
    { type: 'group_membership.added', n: count },
    { type: 'users.upserted', n: count },
  ]);
  const again = await load(changed(large, 'users', 10_001, { displayName: 'New' }));
  expect(again.tenants[0]!.tallies!.users).toEqual({ created: 0, updated: 1, unchanged: count - 1 });
});

test('an import is seen at once by a server that is open beside it', async () => {
  const w = world();
  await load(w.tables);
  const server = await openDatabase({ url: database.url, dataDir: '' });
  try {
    const look = async () => {
      const directory = openAsAdmin(server, w.tenantId);
      const page = await listEffectiveMembers(directory, w.a, { page: {} });
      const group = await findGroup(directory, w.b);
      return {
        name: group!.name,
        count: await countEffectiveMembers(directory, w.a),
        direct: await countMembers(directory, w.b),
        members: page!.rows.map(({ userId }) => userId),
      };
    };
    expect(await look()).toEqual({ name: 'B', count: 2, direct: 2, members: [w.ann, w.bob] });
    const carl = w.id('usr', 'c');
    await load(
      plus(changed(w.tables, 'groups', 1, { name: 'Bee' }), {
        users: [{ id: carl, tenantId: w.tenantId, email: 'zzz@example.org' }],
        memberships: [
          { groupId: w.b, userId: carl },
          { groupId: w.c, userId: carl },
        ],
        nestings: [{ parentGroupId: w.a, childGroupId: w.c }],
      }),
    );
    expect(await look()).toEqual({ name: 'Bee', count: 3, direct: 3, members: [w.ann, w.bob, carl] });
  } finally {
    await server.close();
  }
});

async function readAll(text: string): Promise<{ rows: SourceRow[]; bytes: number }> {
  const path = join(await mkdtemp(join(tmpdir(), 'coterie-import-test-')), 'file.json');
  await writeFile(path, text);
  const rows: SourceRow[] = [];
  let bytes = 0;
  for await (const row of readImportFile(path, (count) => {
    bytes += count;
  }))
    rows.push(row);
  return { rows, bytes };
}

test('a file is read row by row, each with its place', async () => {
  const text = JSON.stringify({
    version: 1,
    partners: [{ id: 'prt_1', name: 'P' }],
    empty: [],
    users: [{ id: 'usr_1', deep: { list: [1, [2], { three: '3' }] } }, { id: 'usr_2' }],
    note: 'text',
    groups: [{ id: 'grp_1' }],
  });
  expect(await readAll(text)).toEqual({
    rows: [
      { section: 'version', index: null, row: undefined },
      { section: 'partners', index: 0, row: { id: 'prt_1', name: 'P' } },
      { section: 'users', index: 0, row: { id: 'usr_1', deep: { list: [1, [2], { three: '3' }] } } },
      { section: 'users', index: 1, row: { id: 'usr_2' } },
      { section: 'note', index: null, row: undefined },
      { section: 'groups', index: 0, row: { id: 'grp_1' } },
    ],
    bytes: Buffer.byteLength(text),
  });
});

test.each([
  ['a list', '[{"id":"usr_1"}]', /must hold a JSON object/],
  ['no JSON', '{"users": [}', /./],
  ['JSON that breaks off', '{"users": [{"id":', /./],
])('a file that holds %s is refused', async (_name, text, message) => {
  await expect(readAll(text)).rejects.toThrow(message);
});

test('a file that is not there is refused', async () => {
  const rows = readImportFile(join(tmpdir(), 'coterie-no-such-file.json'));
  await expect(rows.next()).rejects.toThrow(/ENOENT/);
});

test('the report names what was done, what was refused and at most twenty reasons', () => {
  const lines: string[] = [];
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => lines.push(String(text)) > 0);
  const faults = Array.from({ length: 22 }, (_, index) => `fault ${index}`);
  const tallies = {
    users: { created: 1, updated: 2, unchanged: 3 },
    groups: none,
    memberships: none,
    nestings: none,
  };
  try {
    const good = { tenantId: 'tnt_1', name: 'Good', faults: [], tallies };
    const bad = { tenantId: 'tnt_2', name: 'Bad', faults, tallies: null };
    expect(printReport({ tenants: [good], faults: [] })).toBe(true);
    expect(printReport({ tenants: [good, bad], faults: [] })).toBe(false);
    expect(printReport({ tenants: [good], faults: faults.slice(0, 20) })).toBe(false);
    expect(printReport({ tenants: [], faults: [], skipped: ['version', 'note'] })).toBe(true);
  } finally {
    write.mockRestore();
  }
  const told =
    'Good (tnt_1): users: 1 created, 2 updated, 3 unchanged; groups: 0 created, 0 updated, 0 unchanged; memberships: 0 created, 0 updated, 0 unchanged; nestings: 0 created, 0 updated, 0 unchanged\n';
  const shown = faults.slice(0, 20).map((fault) => `  ${fault}\n`);
  expect(lines).toEqual([
    told,
    told,
    'Bad (tnt_2): refused; nothing was stored\n',
    ...shown,
    '  … and 2 more\n',
    told,
    'Not stored, because they belong to no tenant of the file:\n',
    ...shown,
    'Skipped keys without rows: version, note\n',
  ]);
});

test('a name that two stored siblings have is taken, and the other one’s alone when the file renames one', async () => {
  const { tables, tenantId, a, c } = world();
  await load(tables);
  expect(await run(`select key_rules from tenants where id = '${tenantId}'`)).toEqual([
    { key_rules: KEY_RULES },
  ]);
  // As new rules for keys leave siblings whose names have become the same.
  await run(
    `update groups set name = 'a', name_key = 'a' || chr(31) || id, search_key = 'a' where id = '${c}'`,
  );
  const groups = (...rows: object[]) => ({ ...tables, groups: rows as Tables[string] });
  const third = { id: newId('group'), tenantId, name: 'A' };
  const refused = await load(groups(third));
  expect(refused.tenants[0]!.faults).toEqual([expect.stringContaining('have the same name and parent')]);
  await load(groups({ id: a, tenantId, name: 'Other' }));
  expect(await run(`select name_key from groups where id = '${c}'`)).toEqual([{ name_key: 'a' }]);
  expect(await checkDirectory(db, tenantId)).toEqual([]);
});
