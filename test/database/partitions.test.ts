// One tenant is one partition: every statement below a tenant touches one partition of each table.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Client } from '../../src/database/client.ts';
import type { Database } from '../../src/database/database.ts';
import { openDatabase } from '../../src/database/open.ts';
import { demoRows } from '../../src/demo/demo.ts';
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
import {
  countEffectiveMembers,
  hasEffectiveMember,
  listEffectiveMembers,
} from '../../src/domain/queries/effective-members.ts';
import { countGroups, findGroup, listGroups } from '../../src/domain/queries/groups.ts';
import { childGroups, groupPath, listAncestors } from '../../src/domain/queries/hierarchy.ts';
import { countMembers, listMembers } from '../../src/domain/queries/members.ts';
import { nestedGroups, parentGroups } from '../../src/domain/queries/nesting.ts';
import { findTenant, listTenants } from '../../src/domain/queries/tenants.ts';
import { directGroups, effectiveGroups } from '../../src/domain/queries/user-groups.ts';
import { findUser, listUsers } from '../../src/domain/queries/users.ts';
import { importDirectory } from '../../src/import/import-directory.ts';
import { newId, type PartnerId, type TenantId } from '../../src/model/ids.ts';
import { partnerAdmin, plainUser, superAdmin, tenantAdmin } from '../support/directories.ts';
import { scatteredStatements, watchStatements } from '../support/partition-watch.ts';
import { PARTITIONED, partitionTables, scatteredTables } from '../support/partitioned.ts';
import { createDatabase } from '../support/postgresql.ts';
import { TEMPLATE } from '../support/template.ts';
import { PATIENT } from '../support/timeouts.ts';

const ROOT = join(import.meta.dirname, '../..');
const TENANT = 'tnt_Northwind0000000' as TenantId;
const PARTNER = 'prt_Meridian00000000' as PartnerId;
let client: pg.Client;
let db: Database;
let drop: () => Promise<void>;

beforeAll(async () => {
  const database = await createDatabase({ template: TEMPLATE });
  drop = database.drop;
  client = new Client(database.url);
  await client.connect();
  await partitionTables(client);
  watchStatements();
  db = await openDatabase({ url: database.url, dataDir: '', timeouts: PATIENT });
});
afterAll(async () => {
  await db.close();
  await client.end();
  await drop();
});

/** All that a caller can read, of some groups and users. */
async function readAll(directory: Directory, groupIds: string[], userIds: string[]): Promise<void> {
  const page = { first: 5, withTotal: true };
  for (const filter of [
    {},
    { tenantId: TENANT },
    { parentGroupId: groupIds[0]! },
    { memberUserId: userIds[0]! },
  ]) {
    for (const search of [undefined, 'e'])
      await listGroups(directory, {
        filter: { ...filter, ...(search && { search }) },
        page,
        projection: { nestedGroupCount: true },
      });
    await countGroups(directory, { filter });
  }
  await listTenants(directory, { page });
  await findTenant(directory, TENANT);
  await listUsers(directory, { tenantId: TENANT, search: 'a', page });
  for (const id of userIds) {
    await findUser(directory, id);
    await directGroups.page(directory, id, { page });
    await effectiveGroups.page(directory, id, { page });
  }
  for (const id of groupIds) {
    await findGroup(directory, id);
    await groupPath(directory, id);
    await listAncestors(directory, id);
    await childGroups.page(directory, id, { page });
    await childGroups.count(directory, id);
    await nestedGroups.page(directory, id, { page });
    await parentGroups.page(directory, id, { page });
    await countMembers(directory, id, {});
    for (const field of ['USER_ID', 'EMAIL', 'ADDED_AT'] as const)
      await listMembers(directory, id, { orderBy: { field, direction: 'ASC' }, page });
    await listMembers(directory, id, { search: 'a', page });
    await countMembers(directory, id, { search: 'a' });
    await countEffectiveMembers(directory, id, {});
    await countEffectiveMembers(directory, id, { membershipType: 'DIRECT', search: 'a' });
    await listEffectiveMembers(directory, id, { page });
    await listEffectiveMembers(directory, id, { search: 'a', page });
    await listEffectiveMembers(directory, id, { page: { ...page, offset: 2 } });
    await hasEffectiveMember(directory, id, userIds[0]!);
    directory.forget();
  }
}

test('all that is written and read below a tenant touches one partition of each table', async () => {
  await importDirectory(db, demoRows());
  await importDirectory(db, demoRows());
  const admin = openDirectory(db, tenantAdmin(TENANT));
  const listed = await listGroups(admin, { filter: { tenantId: TENANT }, page: { first: 100 } });
  const groupIds = listed.rows.map(({ id }) => id);
  const users = await listUsers(admin, { tenantId: TENANT, page: { first: 6 } });
  const userIds = users!.rows.map(({ id }) => id as string);
  const [userId] = userIds;
  const { group: parent } = await createGroup(admin, { tenantId: TENANT, name: 'Parent' });
  const { group } = await createGroup(admin, {
    tenantId: TENANT,
    name: 'Child',
    parentGroupId: parent.id,
    initialMemberIds: userIds,
  });
  const { group: nested } = await createGroup(admin, { tenantId: TENANT, name: 'Nested' });
  await addNestedGroups(admin, { groupId: parent.id, childGroupIds: [group.id] });
  await addNestedGroups(admin, { groupId: group.id, childGroupIds: [nested.id] });
  await addGroupMembers(admin, { groupId: nested.id, userIds });
  await updateGroup(admin, { id: nested.id, name: 'Renamed', parentGroupId: group.id });
  for (const caller of [
    tenantAdmin(TENANT),
    partnerAdmin(PARTNER),
    superAdmin,
    plainUser(TENANT, userId as never),
  ]) {
    const directory = openDirectory(db, caller);
    await readAll(
      directory,
      [parent.id, group.id, nested.id, groupIds[0]!, newId('group')],
      [userId!, newId('user')],
    );
    // What changes in between is counted by its difference, and what does not is read again by its closure.
    await removeGroupMembers(admin, { groupId: nested.id, userIds: [userIds[1]!] });
    await readAll(directory, [parent.id, group.id], [userId!]);
    await addGroupMembers(admin, { groupId: nested.id, userIds: [userIds[1]!] });
  }
  await updateGroupMembers(admin, { groupId: nested.id, usersToAdd: [], usersToRemove: [userIds[2]!] });
  for (const strategy of ['ORPHAN', 'CASCADE'] as const) {
    await deleteGroup(admin, { id: group.id, strategy });
    await restoreGroup(admin, { id: group.id, includeDescendants: true });
  }
  await removeNestedGroup(admin, { groupId: parent.id, childGroupId: group.id });
  const platform = openDirectory(db, superAdmin);
  await upsertUsers(platform, {
    tenantId: TENANT,
    users: [
      { id: userIds[3]!, email: 'new@example.org' },
      { id: newId('user'), email: 'other@example.org' },
    ],
  });
  await removeUsers(admin, { tenantId: TENANT, userIds: [userIds[4]!] });
  await eraseUsers(admin, { tenantId: TENANT, userIds: [userIds[4]!, userIds[5]!] });
  await client.query(`update groups set member_count = 9, search_key = 'stale' where id = '${nested.id}'`);
  expect((await checkDirectory(db)).length).toBeGreaterThan(0);
  await repairDirectory(db);
  expect(await checkDirectory(db)).toEqual([]);
  expect(await scatteredStatements()).toEqual([]);
});

test('a statement that does not name its tenant for each table is found', async () => {
  const faults: [string, string[]][] = [
    ['select from groups where id = $1 and tenant_id is not null', ['groups']],
    ['select from users u join memberships m on m.user_id = u.id where u.tenant_id = $1', ['memberships']],
    ['select from groups where (tenant_id = $1) is true', ['groups']],
  ];
  for (const [text, tables] of faults)
    expect(await scatteredTables(client, { text, values: [TENANT] }), text).toEqual(tables);
});

test('the file for a distributed engine distributes each table as the partitions are, and gives back each foreign key', async () => {
  const script = await readFile(join(ROOT, 'docs/citus.sql'), 'utf8');
  const distributed = [...script.matchAll(/create_distributed_table\('(\w+)', '(\w+)'/g)].map(
    ([, table, column]) => [table, column],
  );
  expect(Object.fromEntries(distributed)).toEqual(PARTITIONED);
  const constraints = (verb: string) =>
    [...script.matchAll(new RegExp(`${verb} CONSTRAINT (\\w+)`, 'g'))].map(([, name]) => name).toSorted();
  const { rows } = await client.query<{ name: string }>(
    `select distinct conname as name from pg_constraint c where contype = 'f' and conparentid = 0
      and conrelid::regclass::text = any($1) order by 1`,
    [Object.keys(PARTITIONED)],
  );
  expect(constraints('DROP')).toEqual(rows.map(({ name }) => name));
  expect(constraints('ADD')).toEqual(constraints('DROP'));
});
