// Plans that hold for every tenant: statements are prepared once, for an average tenant, and run for the largest too.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { Client } from '../../src/database/client.ts';
import { Prisma, type Sql } from '../../src/database/database.ts';
import { dropSuffixes } from '../../src/database/name-keys.ts';
import { addGroupMembers } from '../../src/domain/commands/add-members.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { deleteGroup } from '../../src/domain/commands/delete-group.ts';
import { addNestedGroups } from '../../src/domain/commands/nest-groups.ts';
import { restoreGroup } from '../../src/domain/commands/restore-group.ts';
import { assertNameFree } from '../../src/domain/commands/rules/placement.ts';
import { openDirectory } from '../../src/domain/directory.ts';
import type { WriteContext } from '../../src/domain/log/write-context.ts';
import { listChanges, listGroupHistory, listUserHistory } from '../../src/domain/queries/changes.ts';
import { countEffectiveMembers, listEffectiveMembers } from '../../src/domain/queries/effective-members.ts';
import { findGroup, listGroups } from '../../src/domain/queries/groups.ts';
import { countMembers, listMembers } from '../../src/domain/queries/members.ts';
import { parentGroups } from '../../src/domain/queries/nesting.ts';
import { directGroups, effectiveGroups } from '../../src/domain/queries/user-groups.ts';
import { listUsers } from '../../src/domain/queries/users.ts';
import { newId } from '../../src/model/ids.ts';
import { createTenant, openAsAdmin, superAdmin } from '../support/directories.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.close());

/** The plan for any values of the one statement that this reads by, or the one with that text. */
async function planOf(read: () => Promise<unknown>, having = ''): Promise<string> {
  const statements = new Set<string>();
  const stop = database.db.onStatement((text) => text.includes(having) && statements.add(text));
  await read();
  stop();
  expect(statements.size).toBe(1);
  const client = new Client(database.url);
  await client.connect();
  const { rows } = await client.query<{ 'QUERY PLAN': string }>(
    `explain (generic_plan) ${[...statements][0]}`,
  );
  await client.end();
  return rows.map((row) => row['QUERY PLAN']).join('\n');
}

test('groups are found by their ids, not by reading their tenant', async () => {
  const { db } = database;
  const { tenantId, partnerId } = await createTenant(db);
  // One tenant with nearly all groups among many with a few: the average one has few.
  await db.sql(Prisma.sql`
    insert into tenants (id, partner_id, name, slug)
    select 'tnt_small' || n, ${partnerId}, 'Small', 'small' || n from generate_series(1, 200) n`);
  await db.sql(Prisma.sql`
    insert into groups (id, tenant_id, name, name_key, search_key)
    select 'grp_plan' || n, case when n <= 1000 then 'tnt_small' || (n % 200 + 1) else ${tenantId} end,
      'Group ' || n, 'group ' || n, 'group ' || n from generate_series(1, 20000) n`);
  await db.sql(Prisma.sql`
    insert into nestings (tenant_id, parent_group_id, child_group_id, created_by)
    select case when n <= 1000 then 'tnt_small' || (n % 200 + 1) else ${tenantId} end, 'grp_plan' || n, 'grp_plan' || n + 200, ''
    from generate_series(1, 19000) n where (n <= 800 or n > 1000) and n / 200 % 2 = 0`);
  await db.sql(Prisma.sql`analyze groups, nestings, tenants`);
  const [id, other, userId] = ['grp_plan5000', 'grp_plan5001', newId('user')];
  const admin = () => openAsAdmin(db, tenantId);
  const nest = () => addNestedGroups(admin(), { groupId: id, childGroupIds: [other] });
  const byId: [string, () => Promise<unknown>][] = [
    ['from', () => findGroup(admin(), id)],
    ['select member_count', () => countMembers(admin(), id)],
    ['i(id)', () => addGroupMembers(admin(), { groupId: id, userIds: [userId] }).catch(() => {})],
    ['select g.id from', nest],
  ];
  for (const [text, work] of byId) expect(await planOf(work, text)).toContain('using groups_pkey on groups');
  const graph = await planOf(nest, 'with recursive');
  const conditions = graph.split('\n').filter((line) => line.includes('Index Cond'));
  expect(conditions).toHaveLength(5);
  for (const condition of conditions)
    expect(condition).toMatch(/tenant_id = .* AND \((child|parent)_group_id = /);
});

test('the tenant of an id is found by the id', async () => {
  const { db } = database;
  const { tenantId } = await createTenant(db);
  await db.sql(Prisma.sql`
    insert into ids (id, tenant_id) select 'usr_routed' || n, ${tenantId} from generate_series(1, 20000) n`);
  await db.sql(Prisma.sql`analyze ids`);
  const root = openDirectory(db, superAdmin);
  const plan = await planOf(() => findGroup(root, 'grp_routed'), ' from ids');
  expect(plan).toMatch(/(using|Bitmap Index Scan on) ids_pkey/);
});

test('what has changed is found by its positions, not by reading the log of its tenant', async () => {
  const { db } = database;
  const { tenantId } = await createTenant(db);
  const admin = openAsAdmin(db, tenantId);
  const { group } = await createGroup(admin, { tenantId, name: 'Group' });
  await db.sql(Prisma.sql`
    insert into changes (tenant_id, position, ordinal, change_id, at, type, actor_id, actor_type, group_id, data)
    select ${tenantId}, n, 0, gen_random_uuid(), now(), 'group.updated', 'test', 'user', ${group.id}, '{}'
    from generate_series(2, 20000) n`);
  await db.sql(Prisma.sql`
    update tenant_logs l set position = c.position, change_id = c.change_id from changes c
    where l.tenant_id = ${tenantId} and c.tenant_id = l.tenant_id and c.position = 20000`);
  await db.sql(Prisma.sql`analyze changes`);
  await countEffectiveMembers(openAsAdmin(db, tenantId), group.id);
  const plan = await planOf(() => countEffectiveMembers(openAsAdmin(db, tenantId), group.id));
  const scans = plan.split('\n').filter((line) => line.includes(' on changes'));
  expect(scans.length).toBeGreaterThan(0);
  for (const scan of scans) expect(scan).toContain('using changes_pkey on changes');
  expect(plan).toMatch(/Index Cond: \(\(tenant_id = \S+\) AND \("?position"? >/);
});

test('what a deletion ended is found by the deletion, not by reading the history of its tenant', async () => {
  const { db } = database;
  const { tenantId } = await createTenant(db, 1);
  const admin = openAsAdmin(db, tenantId);
  await db.sql(Prisma.sql`
    insert into membership_history
      (tenant_id, group_id, user_id, since, until, added_at, added_by, ended_at, ended_by, cause, deletion_id)
    select ${tenantId}, 'grp_old' || n % 100, 'usr_old', n, n + 1, now(), '', now(), '', 'GROUP_DELETED', 'del_old' || n
    from generate_series(1, 20000) n`);
  await db.sql(Prisma.sql`
    insert into nesting_history
      (tenant_id, parent_group_id, child_group_id, since, until, created_at, created_by, ended_at, ended_by, cause, deletion_id)
    select ${tenantId}, 'grp_old' || n % 100, 'grp_new', n, n + 1, now(), '', now(), '', 'GROUP_DELETED', 'del_old' || n
    from generate_series(1, 20000) n`);
  await db.sql(Prisma.sql`analyze membership_history, nesting_history`);
  for (const [text, index] of [
    ['insert into memberships', 'membership_history_deletion_idx'],
    ['as "isReused"', 'membership_history_deletion_idx'],
    ['as live', 'nesting_history_deletion_idx'],
  ] as const) {
    const { id } = (await createGroup(admin, { tenantId, name: 'Group' })).group;
    await deleteGroup(admin, { id });
    expect(await planOf(() => restoreGroup(admin, { id }), text)).toContain(index);
    await deleteGroup(admin, { id });
  }
});

test('members in the order of their addition are read from its index, as many as the page needs', async () => {
  const { db } = database;
  const { tenantId } = await createTenant(db);
  const { group } = await createGroup(openAsAdmin(db, tenantId), { tenantId, name: 'Group' });
  await db.sql(Prisma.sql`
    insert into users (tenant_id, id, email, search_key)
    select ${tenantId}, 'usr_added' || n, '', '' from generate_series(1, 20000) n`);
  await db.sql(Prisma.sql`
    insert into memberships (tenant_id, group_id, user_id, added_by, since)
    select ${tenantId}, ${group.id}, 'usr_added' || n, '', n from generate_series(1, 20000) n`);
  await db.sql(Prisma.sql`analyze users, memberships`);
  const orderBy = { field: 'ADDED_AT', direction: 'DESC' } as const;
  const page = () => listMembers(openAsAdmin(db, tenantId), group.id, { orderBy, page: { first: 2 } });
  const plan = await planOf(page, 'from memberships');
  expect(plan).toMatch(
    /Index (Only )?Scan Backward using memberships_group_id_since_user_id_idx on memberships/,
  );
});

test('the total of a page is counted once, not for each row', async () => {
  const { db } = database;
  const { tenantId, userIds } = await createTenant(db, 30);
  const [user] = userIds;
  const admin = openAsAdmin(db, tenantId);
  const { group } = await createGroup(admin, { tenantId, name: 'All', initialMemberIds: userIds });
  for (const name of ['One', 'Two', 'Three', 'Four']) {
    const above = await createGroup(admin, { tenantId, name, initialMemberIds: [user!] });
    await addNestedGroups(admin, { groupId: above.group.id, childGroupIds: [group.id] });
  }
  const statements: Sql[] = [];
  const watched = {
    ...db,
    sql: (statement: Sql) => statements.push(statement) && db.sql(statement),
  } as typeof db;
  const directory = openAsAdmin(watched, tenantId);
  const page = { first: 5, withTotal: true };
  const lists: [number, () => Promise<{ rows: readonly unknown[]; total?: number | undefined } | null>][] = [
    [5, () => effectiveGroups.page(directory, user!, { page })],
    [5, () => directGroups.page(directory, user!, { page })],
    [30, () => listMembers(directory, group.id, { page, search: 'usr' })],
    [30, () => listEffectiveMembers(directory, group.id, { page, search: 'usr' })],
    [4, () => parentGroups.page(directory, group.id, { page: { ...page, first: 4 } })],
  ];
  for (const [total, read] of lists) {
    statements.length = 0;
    const found = await read();
    expect(found).toMatchObject({ total });
    expect(found!.rows.length).toBeGreaterThan(3);
    const statement = statements.find(({ text }) => text.includes('as total'))!;
    const client = new Client(database.url);
    await client.connect();
    const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>({
      text: `explain (analyze, format json) ${statement.text}`,
      values: statement.values as unknown[],
    });
    await client.end();
    const counts = nodesOf(rows[0]!['QUERY PLAN'][0].Plan).filter((node) =>
      ['Aggregate', 'WindowAgg'].includes(node['Node Type']),
    );
    expect(counts.length).toBeGreaterThan(0);
    for (const node of counts) expect(node['Actual Loops']).toBe(1);
  }
});

type PlanNode = { 'Node Type': string; 'Actual Loops': number; Plans?: PlanNode[] };
const nodesOf = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(nodesOf)];

test('what is searched, and the groups of a user, are read once for the first page and its total', async () => {
  const { db } = database;
  const { tenantId, userIds } = await createTenant(db, 1);
  const [id = ''] = userIds;
  const admin = () => openAsAdmin(db, tenantId);
  const page = { first: 2, withTotal: true };
  const filter = { tenantId, search: 'abc' };
  const lists: [read: () => Promise<unknown>, once: RegExp][] = [
    [() => effectiveGroups.page(admin(), id, { page }), /Recursive Union/g],
    [() => listUsers(admin(), { tenantId, search: 'abc', page }), /Scan.* on users u/g],
    [() => listGroups(admin(), { filter, page }), /Scan.* on groups g/g],
  ];
  for (const [read, once] of lists) expect((await planOf(read)).match(once)).toHaveLength(1);
});

test('names of siblings are compared by a range of their unique index, not by reading all siblings', async () => {
  const { db } = database;
  const { tenantId } = await createTenant(db);
  const admin = openAsAdmin(db, tenantId);
  await db.sql(Prisma.sql`
    insert into groups (id, tenant_id, name, name_key, search_key)
    select 'grp_sibling' || n, ${tenantId}, 'Sibling ' || n, 'sibling ' || n, 'sibling ' || n from generate_series(1, 20000) n`);
  const { group } = await createGroup(admin, { tenantId, name: 'Parent' });
  const id = group.id;
  for (let index = 0; index < 20; index += 1)
    await createGroup(admin, { tenantId, name: `Child ${index}`, parentGroupId: id });
  await db.sql(Prisma.sql`analyze groups`);
  const place = { parentGroupId: null, name: 'Sibling 5' };
  const plans = [
    await planOf(() => assertNameFree({ query: db.sql, tenantId } as WriteContext, place).catch(() => {})),
    await planOf(() => dropSuffixes(db.sql, tenantId, [place])),
    await planOf(() => deleteGroup(admin, { id, strategy: 'ORPHAN' }), 'taken'),
  ];
  for (const plan of plans) {
    const scans = plan.split('\n').filter((line) => line.includes('groups_live_sibling_name_key')).length;
    const ranges = plan.match(/Index Cond: .*name_key >= .*name_key < /g)?.length;
    expect({ plan, scans: scans > 0, ranges }).toEqual({ plan, scans: true, ranges: scans });
    expect(plan).not.toContain('Seq Scan on groups');
  }
});

test('pages of the log and of histories read no more of it than they show, however rare the types are', async () => {
  const { db } = database;
  const { tenantId, userIds } = await createTenant(db, 1);
  const directory = openAsAdmin(db, tenantId);
  const { group } = await createGroup(directory, { tenantId, name: 'Logged' });
  await db.sql(Prisma.sql`
    insert into changes (tenant_id, position, ordinal, change_id, at, type, actor_id, actor_type, group_id, user_ids, data)
    select ${tenantId}, n, 0, gen_random_uuid(), now(), case when n % 100 = 0 then 'group.created' else 'group_membership.added' end,
      'usr_a', 'user', case when n % 3 > 0 then 'grp_' || n % 50 end, array['usr_' || n % 1000], '{}'
    from generate_series(2, 30000) n`);
  await db.sql(Prisma.sql`analyze changes`);
  const page = {};
  const types = ['GROUP_CREATED', 'USERS_ERASED'] as const;
  const open = () => openAsAdmin(db, tenantId);
  const having = 'change_id as';
  expect(await planOf(() => listChanges(open(), tenantId, { page }), having)).toMatch(
    /Index Scan using changes_pkey/,
  );
  const byType = await planOf(() => listChanges(open(), tenantId, { types, page }), having);
  expect(byType.match(/Index Scan using changes_tenant_id_type_position_ordinal_idx/g)).toHaveLength(2);
  expect(await planOf(() => listGroupHistory(open(), group.id, { page }), having)).toMatch(
    /Index Scan Backward using changes_tenant_id_group_id_position_ordinal_idx/,
  );
  expect(await planOf(() => listUserHistory(open(), userIds[0]!, { page }), having)).toMatch(
    /changes_users_idx/,
  );
});
