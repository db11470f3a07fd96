// The deleted groups of a tenant: who deleted them and when, what a restoration brings back, and who sees that.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Prisma } from '../../src/database/database.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { deleteGroup } from '../../src/domain/commands/delete-group.ts';
import { addNestedGroups } from '../../src/domain/commands/nest-groups.ts';
import { removeUsers } from '../../src/domain/commands/remove-users.ts';
import { restoreGroup } from '../../src/domain/commands/restore-group.ts';
import { createTenant, openAsAdmin } from '../support/directories.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { type Claims, startApp, type TestApp } from '../support/server.ts';

let database: TestDatabase;
let server: TestApp;
beforeAll(async () => {
  database = await openTestDatabase();
  server = await startApp(database.db);
});
afterAll(() => database.close());

const LIST = `query ($id: ID!, $search: String, $after: String) { tenant(id: $id) {
  deletedGroups(first: 2, search: $search, after: $after) { totalCount pageInfo { hasNextPage endCursor } edges { node {
    groupId name description type parent { name } deletedAt deletedBy strategy restorableUntil membershipCount
  } } } } }`;
const PREVIEW = `query ($id: ID!) { tenant(id: $id) { deletedGroups(first: 3) { edges { node { name restorePreview { effects {
  outcomes { refusal { code } addedMembershipCount addedNestingCount notRestored { kind objectId } }
  affectedGroups { edges { node { group { name } joiningCount } } } } } } } } } }`;

test('are listed, latest first, with what a restoration brings back', async () => {
  const { db } = database;
  const { tenantId, userIds } = await createTenant(db, 4);
  const directory = openAsAdmin(db, tenantId);
  const create = async (name: string, more: object = {}) =>
    (await createGroup(directory, { tenantId, name, ...more })).group.id;
  const root = await create('Root');
  const users = userIds as string[];
  const team = await create('Team', { parentGroupId: root, description: 'Reads', initialMemberIds: users });
  const part = await create('Part', { parentGroupId: team, initialMemberIds: users.slice(0, 1) });
  await addNestedGroups(directory, { groupId: root, childGroupIds: [team] });
  const old = await create('Old');
  await deleteGroup(directory, { id: old });
  await deleteGroup(directory, { id: team, strategy: 'CASCADE' });
  await removeUsers(directory, { tenantId, userIds: [users[3]!] });
  const admin: Claims = { sub: 'usr_admin', role: 'tenant_admin', tenant_id: tenantId };
  const list = async (variables: object = {}, claims = admin) =>
    (await server.data(claims, LIST, { id: tenantId, ...variables })).tenant?.deletedGroups;
  const first = await list();
  const nodes = first.edges.map(({ node }: { node: object }) => node);
  const second = await list({ after: first.pageInfo.endCursor });
  expect([first.totalCount, second.totalCount, second.pageInfo.hasNextPage]).toEqual([3, 3, false]);
  nodes.push(...second.edges.map(({ node }: { node: object }) => node));
  const found = nodes.find(({ groupId }: { groupId: string }) => groupId === team);
  expect(found).toMatchObject({
    name: 'Team',
    description: 'Reads',
    type: 'SECURITY',
    parent: { name: 'Root' },
    deletedBy: 'usr_administrator',
    strategy: 'CASCADE',
    membershipCount: 3,
  });
  const days = (Date.parse(found.restorableUntil) - Date.parse(found.deletedAt)) / 86_400_000;
  expect(days).toBe(30);
  expect(nodes.find(({ groupId }: { groupId: string }) => groupId === part)).toMatchObject({
    parent: null,
    membershipCount: 1,
  });
  expect(nodes.at(-1)).toMatchObject({ groupId: old, strategy: 'BLOCK', membershipCount: 0, parent: null });
  expect((await list({ search: 'reads team' })).totalCount).toBe(1);
  // What is previewed is what happens.
  const previews = (await server.data(admin, PREVIEW, { id: tenantId })).tenant.deletedGroups.edges;
  const { restorePreview } = previews.find(
    ({ node }: { node: { name: string } }) => node.name === 'Team',
  ).node;
  expect(restorePreview.effects).toEqual({
    outcomes: [
      {
        refusal: null,
        addedMembershipCount: 3,
        addedNestingCount: 1,
        notRestored: [{ kind: 'MEMBERSHIP', objectId: users[3] }],
      },
    ],
    affectedGroups: {
      edges: expect.arrayContaining([
        { node: { group: { name: 'Root' }, joiningCount: 3 } },
        { node: { group: { name: 'Team' }, joiningCount: 3 } },
      ]),
    },
  });
  const { group } = await restoreGroup(openAsAdmin(db, tenantId), { id: team });
  expect(group.memberCount).toBe(3);
  expect((await list()).totalCount).toBe(2);
  // After 30 days a group cannot be restored any more.
  await db.sql(Prisma.sql`update groups set deleted_at = deleted_at - interval '30 days' where id = ${old}`);
  expect((await list()).edges.map(({ node }: { node: { groupId: string } }) => node.groupId)).toEqual([part]);
});

test('are told to those who see the tenant', async () => {
  const { db } = database;
  const { tenantId, partnerId, userIds } = await createTenant(db, 1);
  const directory = openAsAdmin(db, tenantId);
  const initialMemberIds = userIds as string[];
  const { group } = await createGroup(directory, { tenantId, name: 'Gone', initialMemberIds });
  await deleteGroup(directory, { id: group.id, strategy: 'CASCADE' });
  const told = async (claims: Claims) =>
    (await server.data(claims, LIST, { id: tenantId })).tenant?.deletedGroups?.totalCount ?? null;
  const stranger = await createTenant(db);
  const callers: [Claims, number | null][] = [
    [{ sub: 'usr_partner', role: 'partner_admin', partner_id: partnerId }, 1],
    [{ sub: 'client', tenant_id: tenantId, scope: 'groups:read' }, 1],
    [{ sub: userIds[0]!, tenant_id: tenantId }, null],
    [{ sub: 'usr_admin', role: 'tenant_admin', tenant_id: stranger.tenantId }, null],
  ];
  for (const [claims, count] of callers) expect(await told(claims), JSON.stringify(claims)).toBe(count);
});
