// What each kind of caller sees and changes: each mutation with success by those who may, and what an end user is told.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Prisma } from '../../src/database/database.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { deleteGroup } from '../../src/domain/commands/delete-group.ts';
import { addNestedGroups } from '../../src/domain/commands/nest-groups.ts';
import { updateGroup } from '../../src/domain/commands/update-group.ts';
import { newId, type PartnerId } from '../../src/model/ids.ts';
import { createTenant, openAsAdmin } from '../support/directories.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { type Claims, SUPER_ADMIN, startApp, type TestApp } from '../support/server.ts';

let database: TestDatabase;
let server: TestApp;
beforeAll(async () => {
  database = await openTestDatabase();
  server = await startApp(database.db);
});
afterAll(() => database.close());

/** A tenant with groups for every mutation; user `a` is a member of all but `outer` and `deleted`. */
async function createWorld(partner?: PartnerId) {
  const { db } = database;
  const { tenantId, partnerId, userIds } = await createTenant(db, 4);
  if (partner) await db.sql(Prisma.sql`update tenants set partner_id = ${partner} where id = ${tenantId}`);
  const directory = openAsAdmin(db, tenantId);
  const [a, b, c, d] = userIds as string[] as [string, string, string, string];
  const create = async (name: string, initialMemberIds: string[] = [], more: object = {}) =>
    (await createGroup(directory, { tenantId, name, initialMemberIds, ...more })).group.id as string;
  const group = await create('Group', [a, b]);
  const child = await create('Child', [a], { parentGroupId: group });
  const loose = await create('Loose', [a]);
  const deleted = await create('Deleted', [b]);
  await addNestedGroups(directory, { groupId: group, childGroupIds: [child] });
  await deleteGroup(directory, { id: deleted, strategy: 'CASCADE' });
  return { tenantId, partnerId: partner ?? partnerId, group, child, loose, deleted, a, b, c, d };
}
type World = Awaited<ReturnType<typeof createWorld>>;

/** All that a change could touch. */
const snapshot = ({ tenantId }: World) =>
  database.db.sql(Prisma.sql`
    select (select json_agg(g order by id) from groups g where tenant_id = ${tenantId}) as groups,
      (select json_agg(u order by id) from users u where tenant_id = ${tenantId}) as users,
      (select json_agg(m order by group_id, user_id) from memberships m where tenant_id = ${tenantId}) as memberships,
      (select json_agg(n order by child_group_id) from nestings n where tenant_id = ${tenantId}) as nestings,
      (select json_agg(l) from tenant_logs l where tenant_id = ${tenantId}) as log,
      (select json_agg(c order by position, ordinal) from changes c where tenant_id = ${tenantId}) as changes`);

/** An input, what to ask of the payload, what it must be, and what is told to who does not see it. */
type Mutation = { input: object; payload: string; expected: object; hidden: string; seenByMember: boolean };

/** Each mutation on a world, in an order in which all of them can be done. */
const mutationsOn = ({
  tenantId,
  group,
  child,
  loose,
  deleted,
  a,
  b,
  c,
  d,
}: World): Record<string, Mutation> => ({
  createGroup: {
    input: {
      tenantId,
      name: 'Created',
      type: 'DISTRIBUTION',
      parentGroupId: group,
      initialMemberIds: [c, a],
    },
    payload: 'group { name type path version memberCount tenant { id } }',
    expected: {
      group: {
        name: 'Created',
        type: 'DISTRIBUTION',
        path: 'Group',
        version: 1,
        memberCount: 2,
        tenant: { id: tenantId },
      },
    },
    hidden: tenantId,
    seenByMember: false,
  },
  updateGroup: {
    input: { id: loose, name: 'Moved', parentGroupId: group, expectedVersion: 1 },
    payload: 'group { id name path version } previousParent { id }',
    expected: { group: { id: loose, name: 'Moved', path: 'Group', version: 2 }, previousParent: null },
    hidden: loose,
    seenByMember: true,
  },
  addGroupMembers: {
    input: { groupId: group, userIds: [d, b, c] },
    payload: 'group { id memberCount } added unchanged users { id }',
    expected: {
      group: { id: group, memberCount: 4 },
      added: [d, c],
      unchanged: [b],
      users: [{ id: d }, { id: c }],
    },
    hidden: group,
    seenByMember: true,
  },
  setGroupMembers: {
    input: { groupId: loose, userIds: [d, a] },
    payload: 'group { id memberCount viewerCan { update delete changeMembers changeNesting } } added removed',
    expected: {
      group: {
        id: loose,
        memberCount: 2,
        viewerCan: { update: true, delete: true, changeMembers: true, changeNesting: true },
      },
      added: expect.arrayContaining([d]),
      removed: expect.any(Array),
    },
    hidden: loose,
    seenByMember: true,
  },
  removeGroupMembers: {
    input: { groupId: group, userIds: [c, b] },
    payload: 'group { id memberCount } removed unchanged users { id }',
    expected: {
      group: { id: group, memberCount: 2 },
      removed: [c, b],
      unchanged: [],
      users: [{ id: c }, { id: b }],
    },
    hidden: group,
    seenByMember: true,
  },
  updateGroupMembers: {
    input: { groupId: group, usersToAdd: [c, b, d], usersToRemove: [a] },
    payload: 'group { id memberCount } added removed unchanged users { id }',
    expected: {
      group: { id: group, memberCount: 3 },
      added: [c, b],
      removed: [a],
      unchanged: [d],
      users: [{ id: c }, { id: b }, { id: a }],
    },
    hidden: group,
    seenByMember: true,
  },
  addNestedGroups: {
    input: { groupId: group, childGroupIds: [loose, child] },
    payload: 'group { id nestedGroupCount effectiveMemberCount } added unchanged childGroups { id }',
    expected: {
      group: { id: group, nestedGroupCount: 2, effectiveMemberCount: 4 },
      added: [loose],
      unchanged: [child],
      childGroups: [{ id: loose }],
    },
    hidden: group,
    seenByMember: true,
  },
  removeNestedGroup: {
    input: { groupId: group, childGroupId: child },
    payload: 'group { id nestedGroupCount } childGroup { id memberCount }',
    expected: { group: { id: group, nestedGroupCount: 1 }, childGroup: { id: child, memberCount: 1 } },
    hidden: group,
    seenByMember: true,
  },
  deleteGroup: {
    input: { id: child, strategy: 'CASCADE' },
    payload: 'deletedGroupIds movedGroups { id } removedMembershipCount parent { id }',
    expected: { deletedGroupIds: [child], movedGroups: [], removedMembershipCount: 1, parent: { id: group } },
    hidden: child,
    seenByMember: true,
  },
  restoreGroup: {
    input: { id: deleted },
    payload: 'group { id name memberCount } restoredGroupIds notRestored { kind }',
    expected: {
      group: { id: deleted, name: 'Deleted', memberCount: 1 },
      restoredGroupIds: [deleted],
      notRestored: [],
    },
    hidden: deleted,
    seenByMember: false,
  },
  upsertUsers: {
    input: { tenantId, users: [{ id: b, email: 'b@example.org', displayName: 'Bea' }] },
    payload: 'users { id email displayName tenant { id } } created updated',
    expected: {
      users: [{ id: b, email: 'b@example.org', displayName: 'Bea', tenant: { id: tenantId } }],
      created: [],
      updated: [b],
    },
    hidden: tenantId,
    seenByMember: false,
  },
  removeUsers: {
    input: { tenantId, userIds: [b] },
    payload: 'removed endedMembershipCount',
    expected: { removed: [b], endedMembershipCount: 2 },
    hidden: tenantId,
    seenByMember: false,
  },
  eraseUsers: {
    input: { tenantId, userIds: [c, b] },
    payload: 'erased endedMembershipCount',
    expected: { erased: [c, b], endedMembershipCount: 2 },
    hidden: tenantId,
    seenByMember: false,
  },
});

async function mutate(claims: Claims, name: string, { input, payload }: Mutation) {
  const type = `${name[0]!.toUpperCase()}${name.slice(1)}`;
  const { body } = await server.ask(
    claims,
    `mutation ($input: ${type}Input!) { ${name}(input: $input) {
      __typename ... on ${type}Payload { ${payload} } ... on NotFoundError { missingId } ... on Error { code message } } }`,
    { input },
  );
  return body.errors
    ? { refused: body.errors.map(({ message, extensions }) => [extensions.code, message]), data: body.data }
    : (body.data![name] as unknown as object);
}

const partnerAdmin = ({ partnerId }: World): Claims => ({
  sub: 'usr_partneradmin',
  role: 'partner_admin',
  partner_id: partnerId,
});
const tenantAdmin = ({ tenantId }: World): Claims => ({
  sub: 'usr_tenantadmin',
  role: 'tenant_admin',
  tenant_id: tenantId,
});
const service = ({ tenantId }: World, scope: string): Claims => ({
  sub: 'client',
  tenant_id: tenantId,
  scope,
});
const platform = (scope: string): Claims => ({ sub: 'sync', platform_token: true, scope });
const member = ({ tenantId, a }: World): Claims => ({ sub: a, tenant_id: tenantId });

test('the table has every mutation', async () => {
  const { __schema } = await server.data(SUPER_ADMIN, '{ __schema { mutationType { fields { name } } } }');
  const names = __schema.mutationType.fields.map(({ name }: { name: string }) => name);
  // `applyChanges` needs the hash of a preview: previews.test.ts tries it as each caller; tenants.test.ts those of tenants.
  const elsewhere = ['applyChanges', 'createTenant', 'updateTenant'];
  const alone = names.filter((name: string) => !elsewhere.includes(name));
  expect(Object.keys(mutationsOn(await createWorld())).toSorted()).toEqual(alone.toSorted());
});

describe('every mutation succeeds', () => {
  test.each<[string, (world: World) => Claims]>([
    ['a super administrator', () => SUPER_ADMIN],
    ['a service of the platform that writes', () => platform('admin:write')],
    ['a service of the platform that reads and writes', () => platform('admin:read admin:write')],
    ['a tenant administrator', tenantAdmin],
    ['a service of the tenant that writes', (world) => service(world, 'groups:write')],
    ['a service of the tenant that reads and writes', (world) => service(world, 'groups:read groups:write')],
  ])('for %s', async (_name, claimsOf) => {
    const world = await createWorld();
    for (const [name, mutation] of Object.entries(mutationsOn(world))) {
      const type = `${name[0]!.toUpperCase()}${name.slice(1)}Payload`;
      expect(await mutate(claimsOf(world), name, mutation), name).toEqual({
        __typename: type,
        ...mutation.expected,
      });
    }
  });

  test('for a partner administrator, in each of its tenants and in no other', async () => {
    const first = await createWorld();
    const second = await createWorld(first.partnerId);
    const foreign = await createWorld();
    const before = await snapshot(foreign);
    const claims = partnerAdmin(first);
    for (const world of [first, second]) {
      for (const [name, mutation] of Object.entries(mutationsOn(world)))
        expect(await mutate(claims, name, mutation), name).toMatchObject(mutation.expected);
    }
    for (const [name, mutation] of Object.entries(mutationsOn(foreign)))
      expect(await mutate(claims, name, mutation), name).toMatchObject({ __typename: 'NotFoundError' });
    expect(await snapshot(foreign)).toEqual(before);
  });
});

describe('every mutation is refused', () => {
  test.each<[string, (world: World) => Claims]>([
    ['a service of the tenant that reads', (world) => service(world, 'groups:read')],
    ['a service of the platform that reads', () => platform('admin:read')],
  ])('to %s, and nothing is changed', async (_name, claimsOf) => {
    const world = await createWorld();
    const before = await snapshot(world);
    for (const [name, mutation] of Object.entries(mutationsOn(world))) {
      expect(await mutate(claimsOf(world), name, mutation), name).toEqual({
        refused: [['FORBIDDEN', 'You may see this, but not change it']],
        data: { [name]: null },
      });
    }
    expect(await snapshot(world)).toEqual(before);
  });

  test('to an end user: what it sees may not be changed, what it does not see is not found', async () => {
    const world = await createWorld();
    const before = await snapshot(world);
    for (const [name, mutation] of Object.entries(mutationsOn(world))) {
      const outcome = await mutate(member(world), name, mutation);
      if (mutation.seenByMember)
        expect(outcome, name).toMatchObject({
          refused: [['FORBIDDEN', 'You may see this, but not change it']],
        });
      else expect(outcome, name).toMatchObject({ __typename: 'NotFoundError', missingId: mutation.hidden });
    }
    expect(await snapshot(world)).toEqual(before);
  });

  test.each<[string, (other: World) => Claims]>([
    ['a tenant administrator', tenantAdmin],
    ['a partner administrator', partnerAdmin],
    ['a service that writes', (other) => service(other, 'groups:write')],
    ['a service that reads', (other) => service(other, 'groups:read')],
    ['a user', member],
  ])('to %s of elsewhere, as not found', async (_name, claimsOf) => {
    const world = await createWorld();
    const claims = claimsOf(await createWorld());
    const before = await snapshot(world);
    for (const [name, mutation] of Object.entries(mutationsOn(world))) {
      const outcome = (await mutate(claims, name, mutation)) as { message?: string };
      expect(outcome, name).toMatchObject({ __typename: 'NotFoundError', missingId: mutation.hidden });
      expect(outcome.message).toMatch(
        name === 'restoreGroup'
          ? 'is not a group deleted in the last 30 days'
          : `${mutation.hidden} was not found`,
      );
    }
    expect(await snapshot(world)).toEqual(before);
  });
});

test('what a document changes, its later mutations see', async () => {
  const { group, a, b, c } = await createWorld();
  const answer = await server.data(
    SUPER_ADMIN,
    `mutation {
      before: removeGroupMembers(input: { groupId: "${group}", userIds: [] }) { ...on RemoveGroupMembersPayload { group { ...it } } }
      first: addGroupMembers(input: { groupId: "${group}", userIds: ["${c}"] }) { ...on AddGroupMembersPayload { group { ...it } } }
      second: removeGroupMembers(input: { groupId: "${group}", userIds: ["${a}", "${b}"] }) { ...on RemoveGroupMembersPayload { group { ...it } } }
      third: updateGroup(input: { id: "${group}", name: "Renamed" }) { ...on UpdateGroupPayload { group { ...it } } }
      fourth: addGroupMembers(input: { groupId: "${group}", userIds: [] }) { ...on AddGroupMembersPayload { group { ...it } } }
    }
    fragment it on Group { name memberCount members { totalCount edges { node { userId } } } effectiveMemberCount }`,
  );
  const state = (name: string, effective: number, ...ids: string[]) => ({
    group: {
      name,
      memberCount: ids.length,
      members: { totalCount: ids.length, edges: ids.toSorted().map((userId) => ({ node: { userId } })) },
      effectiveMemberCount: effective,
    },
  });
  expect(answer).toEqual({
    before: state('Group', 2, a, b),
    first: state('Group', 3, a, b, c),
    // `a` is still in the nested group.
    second: state('Group', 2, c),
    third: state('Renamed', 2, c),
    fourth: state('Renamed', 2, c),
  });
});

describe('an end user', () => {
  /** In `Seen` directly and in `Above` by it; `Folder`, `Below` and `Other` are hidden. */
  async function createHome() {
    const { db } = database;
    const { tenantId, partnerId, userIds } = await createTenant(db, 2);
    const [self, other] = userIds as string[] as [string, string];
    const directory = openAsAdmin(db, tenantId);
    const create = async (name: string, more: object = {}) =>
      (await createGroup(directory, { tenantId, name, ...more })).group.id as string;
    const folder = await create('Folder');
    const seen = await create('Seen', {
      description: 'Plugh',
      type: 'DISTRIBUTION',
      parentGroupId: folder,
      customAttributes: { word: 'Plugh' },
      initialMemberIds: [self, other],
    });
    const above = await create('Above', { description: 'Plugh too' });
    const below = await create('Below', { parentGroupId: seen });
    await create('Other', { initialMemberIds: [other] });
    await addNestedGroups(directory, { groupId: above, childGroupIds: [seen] });
    await addNestedGroups(directory, { groupId: seen, childGroupIds: [below] });
    await updateGroup(directory, { id: seen, description: 'Plugh!' });
    const claims: Claims = { sub: self, tenant_id: tenantId };
    return { tenantId, partnerId, self, other, folder, seen, above, below, claims };
  }

  const HIDDEN = `tenant { id } description customAttributes version createdAt updatedAt parent { id } path ancestors { id }
    children { totalCount } members { totalCount } memberCount nestedGroups { totalCount } nestedGroupCount
    parentGroups { totalCount } effectiveMembers { totalCount } effectiveMemberCount`;
  const NOTHING = {
    tenant: null,
    description: null,
    customAttributes: null,
    version: null,
    createdAt: null,
    updatedAt: null,
    parent: null,
    path: null,
    ancestors: null,
    children: null,
    members: null,
    memberCount: null,
    nestedGroups: null,
    nestedGroupCount: null,
    parentGroups: null,
    effectiveMembers: null,
    effectiveMemberCount: null,
  };

  test('sees of its groups id, name and type, and whether it is in them, wherever it meets them', async () => {
    const { self, other, seen, above, below, folder, claims } = await createHome();
    const fields = `id name type ${HIDDEN} me: hasEffectiveMember myself: hasEffectiveMember(userId: "${self}")
      other: hasEffectiveMember(userId: "${other}")`;
    const shown = (id: string, name: string, type: string) => ({
      id,
      name,
      type,
      ...NOTHING,
      me: true,
      myself: true,
      other: false,
    });
    const first = shown(seen, 'Seen', 'DISTRIBUTION');
    const second = shown(above, 'Above', 'SECURITY');
    const data = await server.data(
      claims,
      `{ group(id: "${seen}") { ...it } inherited: group(id: "${above}") { ...it } below: group(id: "${below}") { id }
        folder: group(id: "${folder}") { id } node(id: "${seen}") { ... on Group { ...it } }
        nodes(ids: ["${folder}", "${above}", "${below}"]) { ... on Group { ...it } } } fragment it on Group { ${fields} }`,
    );
    expect(data).toEqual({
      group: first,
      inherited: second,
      below: null,
      folder: null,
      node: first,
      nodes: [null, second, null],
    });
    const lists = await server.data(
      claims,
      `{ groups { ...page } user(id: "${self}") { groups { ...page } effectiveGroups { ...page } } }
      fragment page on GroupConnection { totalCount edges { node { ${fields} } } }`,
    );
    const page = (...nodes: object[]) => ({
      totalCount: nodes.length,
      edges: nodes.map((node) => ({ node })),
    });
    expect(lists).toEqual({
      groups: page(second, first),
      user: { groups: page(first), effectiveGroups: page(second, first) },
    });
  });

  test('sees itself, and neither its tenant, nor a partner, nor another user', async () => {
    const { tenantId, partnerId, self, other, claims } = await createHome();
    const email = `${self}@example.org`.toLowerCase();
    const data = await server.data(
      claims,
      `{ tenant(id: "${tenantId}") { id } tenants { totalCount edges { node { id } } pageInfo { hasNextPage } }
        user(id: "${self}") { id email displayName tenant { id } } other: user(id: "${other}") { id }
        node(id: "${tenantId}") { id } partner: node(id: "${partnerId}") { id }
        nodes(ids: ["${tenantId}", "${self}", "${other}"]) { id }
        viewer { subject role mayChange user { id email } tenant { id } partner { id } } }`,
    );
    expect(data).toEqual({
      tenant: null,
      tenants: { totalCount: 0, edges: [], pageInfo: { hasNextPage: false } },
      user: { id: self, email, displayName: null, tenant: null },
      other: null,
      node: null,
      partner: null,
      nodes: [null, { id: self }, null],
      viewer: {
        subject: self,
        role: 'USER',
        mayChange: false,
        user: { id: self, email },
        tenant: null,
        partner: null,
      },
    });
    const { _entities } = await server.data(
      claims,
      'query ($of: [_Any!]!) { _entities(representations: $of) { ... on User { id tenant { id } } ... on Tenant { id } } }',
      {
        of: [
          { __typename: 'Tenant', id: tenantId },
          { __typename: 'User', id: self },
          { __typename: 'User', id: other },
        ],
      },
    );
    expect(_entities).toEqual([null, { id: self, tenant: null }, null]);
  });

  test.each<[string, (home: Awaited<ReturnType<typeof createHome>>) => object, string[]]>([
    ['nothing', () => ({}), ['Above', 'Seen']],
    ['a word of hidden descriptions', () => ({ filter: { search: 'plugh' } }), []],
    ['a word of both', () => ({ filter: { search: 'seen\nplugh' } }), []],
    ['a part of a name', () => ({ filter: { search: 'EE' } }), ['Seen']],
    ['the name of a hidden group', () => ({ filter: { search: 'below' } }), []],
    ['a type', () => ({ filter: { type: 'DISTRIBUTION' } }), ['Seen']],
    ['its tenant', ({ tenantId }) => ({ filter: { tenantId } }), ['Above', 'Seen']],
    ['another tenant', () => ({ filter: { tenantId: newId('tenant') } }), []],
    ['its partner', ({ partnerId }) => ({ filter: { partnerId } }), []],
    ['roots', () => ({ filter: { parentGroupId: null } }), []],
    ['where it is filed', ({ folder }) => ({ filter: { parentGroupId: folder } }), []],
    ['what is filed in its group', ({ seen }) => ({ filter: { parentGroupId: seen } }), []],
    ['its own membership', ({ self }) => ({ filter: { memberUserId: self } }), ['Seen']],
    ["another's membership", ({ other }) => ({ filter: { memberUserId: other } }), []],
    ['names, descending', () => ({ orderBy: { field: 'NAME', direction: 'DESC' } }), ['Seen', 'Above']],
    ['times of creation', () => ({ orderBy: { field: 'CREATED_AT', direction: 'ASC' } }), []],
    [
      'nulls',
      () => ({ filter: { search: null, tenantId: null, partnerId: null, memberUserId: null } }),
      ['Above', 'Seen'],
    ],
  ])('by %s finds no more than it may know', async (_name, argsOf, expected) => {
    const home = await createHome();
    const { groups } = await server.data(
      home.claims,
      `query ($filter: GroupFilter, $orderBy: GroupOrder) { groups(filter: $filter, orderBy: $orderBy) {
        totalCount pageInfo { hasNextPage hasPreviousPage } edges { node { name description } } } }`,
      argsOf(home),
    );
    const byCreation = JSON.stringify(argsOf(home)).includes('CREATED_AT');
    expect(groups).toEqual({
      totalCount: byCreation ? groups.totalCount : expected.length,
      pageInfo: { hasNextPage: false, hasPreviousPage: false },
      edges: expected.map((name) => ({ node: { name, description: null } })),
    });
  });

  test('whom its tenant does not have sees nothing of it', async () => {
    const { tenantId, seen } = await createHome();
    const { userIds } = await createTenant(database.db, 1);
    const data = await server.data(
      { sub: userIds[0], tenant_id: tenantId },
      `{ viewer { role user { id } } groups { totalCount } group(id: "${seen}") { id } user(id: "${userIds[0]}") { id } }`,
    );
    expect(data).toEqual({
      viewer: { role: 'USER', user: null },
      groups: { totalCount: 0 },
      group: null,
      user: null,
    });
  });
});

describe('the viewer', () => {
  test.each<[string, (world: World) => Claims, (world: World) => object]>([
    [
      'a super administrator',
      () => SUPER_ADMIN,
      () => ({ subject: 'usr_root', role: 'SUPER_ADMIN', mayChange: true }),
    ],
    [
      'a service of the platform',
      () => platform('admin:write'),
      () => ({ subject: 'sync', role: 'PLATFORM', mayChange: true }),
    ],
    [
      'a service of the platform that reads',
      () => platform('admin:read'),
      () => ({ subject: 'sync', role: 'PLATFORM', mayChange: false }),
    ],
    [
      'a partner administrator',
      partnerAdmin,
      ({ partnerId }) => ({
        subject: 'usr_partneradmin',
        role: 'PARTNER_ADMIN',
        mayChange: true,
        partner: { id: partnerId, name: 'Partner' },
      }),
    ],
    [
      'a tenant administrator, who is a user of it',
      (world) => ({ ...tenantAdmin(world), sub: world.a }),
      ({ tenantId, a }) => ({
        subject: a,
        role: 'TENANT_ADMIN',
        mayChange: true,
        user: { id: a },
        tenant: { id: tenantId, name: 'Tenant' },
      }),
    ],
    [
      'a service of the tenant',
      (world) => service(world, 'groups:write'),
      ({ tenantId }) => ({
        subject: 'client',
        role: 'SERVICE',
        mayChange: true,
        tenant: { id: tenantId, name: 'Tenant' },
      }),
    ],
    [
      'a service of the tenant that reads',
      (world) => service(world, 'groups:read'),
      ({ tenantId }) => ({
        subject: 'client',
        role: 'SERVICE',
        mayChange: false,
        tenant: { id: tenantId, name: 'Tenant' },
      }),
    ],
  ])('is %s', async (_name, claimsOf, expected) => {
    const world = await createWorld();
    const { viewer } = await server.data(
      claimsOf(world),
      '{ viewer { subject role mayChange user { id } tenant { id name } partner { id name } } }',
    );
    expect(viewer).toEqual({ user: null, tenant: null, partner: null, ...expected(world) });
  });
});

describe('groups are listed', () => {
  test('of all tenants in sight and of no other, also one by one', async () => {
    const first = await createWorld();
    const second = await createWorld(first.partnerId);
    const foreign = await createWorld();
    const list = async (claims: Claims, filter: object = {}) => {
      const { groups } = await server.data(
        claims,
        'query ($filter: GroupFilter) { groups(first: 100, filter: $filter) { totalCount edges { node { id tenant { id partner { id } } } } } }',
        { filter },
      );
      const nodes = groups.edges.map(({ node }: { node: object }) => node);
      expect(groups.totalCount).toBe(nodes.length);
      return (nodes as { id: string }[]).toSorted((one, other) => (one.id < other.id ? -1 : 1));
    };
    const of = (...worlds: World[]) =>
      worlds
        .flatMap(({ tenantId, partnerId, group, child, loose }) =>
          [group, child, loose].map((id) => ({ id, tenant: { id: tenantId, partner: { id: partnerId } } })),
        )
        .toSorted((one, other) => (one.id < other.id ? -1 : 1));
    const partner = partnerAdmin(first);
    expect(await list(partner)).toEqual(of(first, second));
    expect(await list(partner, { tenantId: second.tenantId })).toEqual(of(second));
    expect(await list(partner, { partnerId: first.partnerId })).toEqual(of(first, second));
    expect(await list(partner, { tenantId: foreign.tenantId })).toEqual([]);
    expect(await list(partner, { partnerId: foreign.partnerId })).toEqual([]);
    expect(await list(tenantAdmin(second))).toEqual(of(second));
    expect(await list(tenantAdmin(second), { partnerId: first.partnerId })).toEqual(of(second));
    expect(await list(service(first, 'groups:read'))).toEqual(of(first));
    for (const claims of [SUPER_ADMIN, platform('admin:read')]) {
      expect(await list(claims, { tenantId: foreign.tenantId })).toEqual(of(foreign));
      expect(await list(claims, { partnerId: first.partnerId })).toEqual(of(first, second));
    }
    const ids = [first.group, second.group, foreign.group, first.deleted];
    const nodes = async (claims: Claims) =>
      (await server.data(claims, 'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids })).nodes.map(
        (node: { id: string } | null) => node?.id ?? null,
      );
    expect(await nodes(partner)).toEqual([first.group, second.group, null, null]);
    expect(await nodes(tenantAdmin(second))).toEqual([null, second.group, null, null]);
    expect(await nodes(SUPER_ADMIN)).toEqual([first.group, second.group, foreign.group, null]);
  });
});
