// Import: whole tenants or nothing of them, each reason named, and nothing twice.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Prisma } from '../../src/database/database.ts';
import { demoRows, seedDemo } from '../../src/demo/demo.ts';
import { checkDirectory, repairDirectory } from '../../src/domain/integrity/check.ts';
import { findGroup } from '../../src/domain/queries/groups.ts';
import { listMembers } from '../../src/domain/queries/members.ts';
import { importDirectory } from '../../src/import/import-directory.ts';
import type { SourceRow } from '../../src/import/rows.ts';
import type { TenantId } from '../../src/model/ids.ts';
import { openAsAdmin } from '../support/directories.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.close());

type Tables = Record<string, object[]>;
const rowsOf = (tables: Tables): SourceRow[] =>
  Object.entries(tables).flatMap(([section, rows]) => rows.map((row, index) => ({ section, index, row })));

/** A small good file for a tenant of that name, to be spoilt by each test. */
function file(word: string, more: Tables = {}): SourceRow[] {
  const tenantId = `tnt_${word}`;
  const group = (name: string, parentGroupId: string | null = null) => ({
    id: `grp_${word}${name}`,
    tenantId,
    name,
    description: null,
    groupType: 'SECURITY',
    parentGroupId,
  });
  const tables: Tables = {
    partners: [{ id: 'prt_P', name: 'P' }],
    tenants: [{ id: tenantId, partnerId: 'prt_P', name: word, slug: word }],
    users: [{ id: `usr_${word}`, tenantId, email: 'a@example.org', displayName: null }],
    groups: [group('A'), group('B', `grp_${word}A`)],
    memberships: [{ groupId: `grp_${word}B`, userId: `usr_${word}` }],
    nestings: [{ parentGroupId: `grp_${word}A`, childGroupId: `grp_${word}B` }],
  };
  const sections = new Set([...Object.keys(tables), ...Object.keys(more)]);
  return rowsOf(
    Object.fromEntries([...sections].map((name) => [name, [...(tables[name] ?? []), ...(more[name] ?? [])]])),
  );
}

const stored = (tenantId: string) =>
  database.db.sql<{ n: number }>(
    Prisma.sql`select count(*)::int as n from groups where tenant_id = ${tenantId}`,
  );

test('the demo directory loads, keeps the rules, and loads again without a change', async () => {
  const first = await seedDemo(database.db);
  expect(first.tenants.map((tenant) => tenant.faults)).toEqual([[], [], []]);
  const rows = [...demoRows()];
  const count = (section: string) => rows.filter((row) => row.section === section).length;
  expect([count('partners'), count('tenants'), count('users'), count('groups')]).toEqual([2, 3, 400, 90]);
  const again = await seedDemo(database.db);
  for (const { tallies } of again.tenants) {
    for (const { created, updated } of Object.values(tallies!)) expect([created, updated]).toEqual([0, 0]);
  }
  expect(await checkDirectory(database.db)).toEqual([]);
});

test.each([
  [
    'a nesting cycle',
    'Cycle',
    { nestings: [{ parentGroupId: 'grp_CycleB', childGroupId: 'grp_CycleA' }] },
    /nesting has a cycle/,
  ],
  [
    'a sibling of the same name',
    'Twin',
    { groups: [{ id: 'grp_TwinC', tenantId: 'tnt_Twin', name: 'a', parentGroupId: null }] },
    /same name and parent/,
  ],
  [
    'an unknown member',
    'Who',
    { memberships: [{ groupId: 'grp_WhoA', userId: 'usr_nobody' }] },
    /usr_nobody in grp_WhoA: no such user/,
  ],
  [
    'an unknown parent',
    'Lost',
    { groups: [{ id: 'grp_LostC', tenantId: 'tnt_Lost', name: 'C', parentGroupId: 'grp_gone' }] },
    /its parent grp_gone/,
  ],
  [
    'a row that breaks a rule',
    'Bad',
    { users: [{ id: 'usr_Bad2', tenantId: 'tnt_Bad', email: 'no address' }] },
    /users\[1\]: email must be an email address/,
  ],
])('%s: nothing of the tenant is stored, and the reason is named', async (_name, word, more, reason) => {
  const report = await importDirectory(database.db, [...file(`${word}Good`), ...file(word, more as Tables)]);
  const [good, bad] = report.tenants;
  expect(good?.faults).toEqual([]);
  expect(bad?.tallies).toBeNull();
  expect(bad?.faults.join('\n')).toMatch(reason);
  expect(await stored(`tnt_${word}`)).toEqual([{ n: 0 }]);
});

test('an edge into another tenant, and a row of no tenant, are refused', async () => {
  const report = await importDirectory(database.db, [
    ...file('One'),
    ...file('Two', {
      memberships: [
        { groupId: 'grp_TwoA', userId: 'usr_One' },
        { groupId: 'grp_nowhere', userId: 'usr_One' },
      ],
    }),
  ]);
  expect(report.tenants[1]?.faults).toEqual([
    'membership of usr_One in grp_TwoA: no such user in the tenant',
  ]);
  expect(report.faults).toEqual(['memberships[2]: its group is not in the file']);
});

test('changes in the file are taken over, and recorded', async () => {
  const { db } = database;
  await importDirectory(db, file('Change'));
  const names = async () => {
    const directory = openAsAdmin(db, 'tnt_Change' as TenantId);
    const group = await findGroup(directory, 'grp_ChangeB');
    const members = await listMembers(directory, group!.id, { projection: { user: true }, page: {} });
    return members!.rows.map(({ user }) => user!.displayName);
  };
  expect(await names()).toEqual([null]);
  const changes: Record<string, object> = { groups: { description: 'New' }, users: { displayName: 'Ann' } };
  const rows = file('Change').map((row) =>
    row.index === 0 ? { ...row, row: { ...(row.row as object), ...changes[row.section] } } : row,
  );
  const report = await importDirectory(database.db, rows);
  expect(report.tenants[0]?.tallies?.groups).toEqual({ created: 0, updated: 1, unchanged: 1 });
  expect(await names()).toEqual(['Ann']);
  const events = await db.sql(Prisma.sql`
    select type, actor_id as actor from changes where group_id = 'grp_ChangeA' order by position, ordinal`);
  expect(events).toContainEqual({ type: 'group.updated', actor: 'import' });
});

test('check-directory finds each fault that is planted, and repairs what is derived', async () => {
  const { db, close } = await openTestDatabase();
  await importDirectory(db, [...file('X'), ...file('Y')]);
  // A database would refuse most of these: what a restored dump or a hand at the console could leave behind.
  for (const plant of [
    `alter table memberships drop constraint memberships_tenant_id_group_id_fkey`,
    `alter table groups drop constraint groups_tenant_id_parent_group_id_fkey`,
    `drop index groups_live_sibling_name_key`,
    `insert into memberships (tenant_id, group_id, user_id, added_by) values ('tnt_Y', 'grp_XA', 'usr_Y', 'x')`,
    `insert into nestings (tenant_id, parent_group_id, child_group_id, created_by) values ('tnt_Y', 'grp_YB', 'grp_YA', 'x')`,
    `update groups set deleted_at = now(), deletion_id = 'del_1' where id = 'grp_XB'`,
    `update groups set parent_group_id = 'grp_YB' where id = 'grp_YA'`,
    `insert into groups (id, tenant_id, name, name_key, search_key) values ('grp_X2', 'tnt_X', 'A', 'a', 'a')`,
    `update users set search_key = 'stale' where id = 'usr_X'`,
    `update groups set member_count = member_count + 7 where id = 'grp_YB'`,
    `update ids set tenant_id = 'tnt_Y' where id = 'grp_XB'`,
    `insert into membership_history (tenant_id, group_id, user_id, since, until, added_at, added_by, ended_at, ended_by, cause)
     values ('tnt_X', 'grp_XB', 'usr_X', 0, 2, now(), 'x', now(), 'x', 'REMOVED')`,
    `delete from changes where tenant_id = 'tnt_Y'`,
  ]) {
    await db.sql(Prisma.raw(plant) as never);
  }
  const kinds = new Set((await checkDirectory(db)).map((fault) => fault.kind));
  expect(kinds).toEqual(
    new Set([
      'nesting-cycle',
      'hierarchy-cycle',
      'edge-across-tenants',
      'edge-at-deleted-group',
      'id-of-other-tenant',
      'interval',
      'log',
      'sibling-names',
      'derived-column',
    ]),
  );
  // A search key, and the count that was planted. The membership across tenants is of no group of its tenant, so no count has it.
  expect(await repairDirectory(db)).toBe(2);
  expect((await checkDirectory(db)).map((fault) => fault.kind)).not.toContain('derived-column');
  await close();
});
