// Nesting: what is nested and taken out, what is refused with which path, and what is written down.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Database, Prisma } from '../../src/database/database.ts';
import { addGroupMembers } from '../../src/domain/commands/add-members.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { deleteGroup } from '../../src/domain/commands/delete-group.ts';
import { addNestedGroups, removeNestedGroup } from '../../src/domain/commands/nest-groups.ts';
import { isTooDeep, NestingGraph } from '../../src/domain/commands/rules/nesting-graph.ts';
import { type Directory, openDirectory } from '../../src/domain/directory.ts';
import { checkDirectory } from '../../src/domain/integrity/check.ts';
import { listEffectiveMembers } from '../../src/domain/queries/effective-members.ts';
import { findGroup } from '../../src/domain/queries/groups.ts';
import { nestedGroups, parentGroups } from '../../src/domain/queries/nesting.ts';
import { newId, type TenantId } from '../../src/model/ids.ts';
import {
  createTenant,
  openAsAdmin,
  partnerAdmin,
  plainUser,
  platform,
  service,
  superAdmin,
  tenantAdmin,
} from '../support/directories.ts';
import { behind, FORBIDDEN, holdGraph, markDeleted, notFound, refusal } from '../support/group-worlds.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await openTestDatabase();
  db = database.db;
});
afterAll(() => database.close());

/** A tenant with groups of these names, and who is nested in whom, as `A > B`. */
async function createWorld<Name extends string>(names: Name[], edges: string[] = [], userCount = 0) {
  const { tenantId, partnerId, userIds } = await createTenant(db, userCount);
  const directory = openAsAdmin(db, tenantId);
  const ids = Object.fromEntries(names.map((name): [string, string] => [name, newId('group')])) as Record<
    Name,
    string
  >;
  // Written by SQL: a chain is dozens of groups.
  await db.sql(Prisma.sql`
    insert into groups (id, tenant_id, name, name_key, search_key)
    select id, ${tenantId}, name, lower(name), lower(name)
    from unnest(${Object.values(ids)}::text[], ${names}::text[]) g(id, name)`);
  const ends = edges.map((edge) => edge.split(' > ').map((name) => ids[name as Name]) as [string, string]);
  await db.sql(Prisma.sql`
    insert into nestings (tenant_id, parent_group_id, child_group_id, created_by)
    select ${tenantId}, p, c, 'usr_first'
    from unnest(${ends.map(([parent]) => parent)}::text[], ${ends.map(([, child]) => child)}::text[]) e(p, c)`);
  return { tenantId, partnerId, userIds, directory, ids };
}

/** Names of a chain, and its edges from the first down to the last. */
function chain<Prefix extends string>(prefix: Prefix, length: number) {
  const names = Array.from({ length }, (_, at) => `${prefix}${at + 1}` as `${Prefix}${number}`);
  return { names, edges: names.slice(1).map((name, at) => `${names[at]} > ${name}`) };
}

const edgesOf = async (tenantId: TenantId) =>
  (
    await db.sql<{ edge: string }>(Prisma.sql`
      select p.name || ' > ' || c.name || ' by ' || n.created_by as edge
      from nestings n join groups p on p.id = n.parent_group_id join groups c on c.id = n.child_group_id
      where n.tenant_id = ${tenantId} order by 1`)
  ).map(({ edge }) => edge);

const eventsOf = (tenantId: TenantId) =>
  db.sql(Prisma.sql`
    select position::int as position, type, group_id as "groupId", actor_type || ' ' || actor_id as actor, user_ids as "userIds",
      group_ids as "groupIds", cause, data
    from changes where tenant_id = ${tenantId} order by position, ordinal`);
/** Of what `eventsOf` reads: what a nesting has not. */
const NOTHING_ELSE = { userIds: null, cause: null, data: {} };

const versionsOf = async (tenantId: TenantId) =>
  (
    await db.sql<{ position: number; groups: number[] }>(Prisma.sql`
      select position::int as position,
        (select array_agg(distinct version) from groups where tenant_id = ${tenantId}) as groups
      from tenant_logs where tenant_id = ${tenantId}`)
  )[0]!;

const otherTenant = (id: string) => ({
  code: 'OTHER_TENANT',
  message: `${id} belongs to another tenant`,
  details: { id },
});

const nest = (directory: Directory, groupId: string, ...childGroupIds: string[]) =>
  addNestedGroups(directory, { groupId, childGroupIds });
const unnest = (directory: Directory, groupId: string, childGroupId: string) =>
  removeNestedGroup(directory, { groupId, childGroupId });

describe('nesting groups', () => {
  test('tells which are new and which were nested already, each once and as asked', async () => {
    const { tenantId, directory, ids } = await createWorld(['A', 'B', 'C', 'D', 'E'], ['A > C', 'A > B']);
    const { A, B, C, D, E } = ids;
    const group = (await findGroup(directory, A))!;
    expect(await nest(directory, A, E, C, D, E, B)).toEqual({
      group,
      added: [E, D],
      unchanged: [C, B],
      position: 1,
    });
    expect(await edgesOf(tenantId)).toEqual([
      'A > B by usr_first',
      'A > C by usr_first',
      'A > D by usr_administrator',
      'A > E by usr_administrator',
    ]);
    expect(await versionsOf(tenantId)).toEqual({ position: 1, groups: [1] });
    expect(await eventsOf(tenantId)).toEqual([
      {
        ...NOTHING_ELSE,
        position: 1,
        type: 'group_nesting.added',
        groupId: A,
        actor: 'user usr_administrator',
        groupIds: [E, D],
      },
    ]);
    expect(await nestedGroups.count(directory, A)).toBe(4);
  });

  test('that are nested, or none, changes nothing', async () => {
    const { tenantId, directory, ids } = await createWorld(['A', 'B', 'C'], ['A > C', 'A > B']);
    const { A, B, C } = ids;
    expect(await nest(directory, A, C, B)).toMatchObject({ added: [], unchanged: [C, B], position: 0 });
    expect(await nest(directory, A)).toMatchObject({
      group: { id: A },
      added: [],
      unchanged: [],
      position: 0,
    });
    expect(await edgesOf(tenantId)).toEqual(['A > B by usr_first', 'A > C by usr_first']);
    expect(await versionsOf(tenantId)).toEqual({ position: 0, groups: [1] });
    expect(await eventsOf(tenantId)).toEqual([]);
  });

  test('is written down as of a service, where it was one', async () => {
    const { tenantId, ids } = await createWorld(['A', 'B']);
    await nest(openDirectory(db, service(tenantId, true)), ids.A, ids.B);
    await unnest(openDirectory(db, platform(true)), ids.A, ids.B);
    expect(await eventsOf(tenantId)).toEqual([
      {
        ...NOTHING_ELSE,
        position: 1,
        type: 'group_nesting.added',
        groupId: ids.A,
        actor: 'service client',
        groupIds: [ids.B],
      },
      {
        ...NOTHING_ELSE,
        position: 2,
        type: 'group_nesting.removed',
        groupId: ids.A,
        actor: 'service sync',
        groupIds: [ids.B],
        cause: 'REMOVED',
      },
    ]);
  });

  test('takes 100 groups and no more, whole or not at all', async () => {
    const { names } = chain('G', 101);
    const { tenantId, directory, ids } = await createWorld(['A', ...names]);
    const children = names.map((name) => ids[name]!);
    expect(await refusal(nest(directory, ids.A, ...children))).toEqual({
      code: 'LIMIT_EXCEEDED',
      message: 'A call may nest at most 100 groups; this one names 101',
      details: { limit: 100 },
    });
    const missing = newId('group');
    expect(await refusal(nest(directory, ids.A, ...children.slice(0, 99), missing))).toEqual(
      notFound(missing),
    );
    expect(await edgesOf(tenantId)).toEqual([]);
    expect((await nest(directory, ids.A, ...children.slice(0, 100))).added).toEqual(children.slice(0, 100));
    expect(await nestedGroups.count(directory, ids.A)).toBe(100);
  });
});

describe('a cycle is refused with its shortest path', () => {
  const world = () =>
    createWorld(
      ['A', 'B', 'C', 'D', 'E', 'Apart', 'Other'],
      // A diamond with a longer way beside it.
      ['A > B', 'A > C', 'B > D', 'C > D', 'D > E', 'B > E', 'A > Apart'],
    );
  const NAMES: [from: string, children: string[], path: string[]][] = [
    ['A', ['A'], ['A', 'A']],
    ['E', ['E'], ['E', 'E']],
    ['B', ['A'], ['B', 'A', 'B']],
    ['E', ['A'], ['E', 'A', 'B', 'E']],
    ['D', ['C'], ['D', 'C', 'D']],
    ['E', ['Other', 'Apart', 'D'], ['E', 'D', 'E']],
  ];
  test.each(NAMES)('%s in %j', async (parent, children, path) => {
    const { tenantId, directory, ids } = await world();
    const before = await edgesOf(tenantId);
    const id = (name: string) => ids[name as keyof typeof ids];
    expect(await refusal(nest(directory, id(parent), ...children.map(id)))).toEqual({
      code: 'CYCLE',
      message: `This would close a cycle: ${path.join(' → ')}`,
      details: { path: path.map((name) => ({ id: id(name), name })) },
    });
    expect(await edgesOf(tenantId)).toEqual(before);
    expect(await versionsOf(tenantId)).toEqual({ position: 0, groups: [1] });
    expect(await eventsOf(tenantId)).toEqual([]);
  });

  test('and what only looks like one is not', async () => {
    const { tenantId, directory, ids } = await world();
    // Another way down, and a second parent.
    expect((await nest(directory, ids.A, ids.E, ids.D)).added).toEqual([ids.E, ids.D]);
    expect((await nest(directory, ids.Apart, ids.B)).added).toEqual([ids.B]);
    expect(await checkDirectory(db, tenantId)).toEqual([]);
  });
});

describe('32 levels hold, and 33 are refused', () => {
  const tooDeep = {
    code: 'LIMIT_EXCEEDED',
    message: 'The nesting would be more than 32 groups deep',
    details: { limit: 32 },
  };

  /** Two chains, to be joined from the last of the one to the first of the other; short ways beside the long ones. */
  async function createChains(above: number, below: number) {
    const [upper, lower] = [chain('Up', above), chain('Down', below)];
    const [last, first] = [`Up${above}`, 'Down1'];
    const edges = [...upper.edges, ...lower.edges];
    if (above > 1) edges.push(`Short > ${last}`);
    if (below > 1) edges.push(`${first} > Brief`);
    const names: string[] = [...upper.names, ...lower.names, 'Short', 'Brief', 'Above', 'Below'];
    const world = await createWorld(names, edges);
    const id = (name: string) => world.ids[name]!;
    return { ...world, top: id('Up1'), last: id(last), first: id(first), bottom: id(`Down${below}`), id };
  }

  test.each([
    [1, 31],
    [31, 1],
    [16, 16],
  ])('%i above and %i below', async (above, below) => {
    const { tenantId, directory, top, last, first, bottom, id } = await createChains(above, below);
    expect((await nest(directory, last, first)).added).toEqual([first]);
    expect(await refusal(nest(directory, id('Above'), top))).toEqual(tooDeep);
    expect(await refusal(nest(directory, bottom, id('Below')))).toEqual(tooDeep);
    expect(await edgesOf(tenantId)).toContainEqual(expect.stringMatching(/ by usr_administrator$/));
    expect(await checkDirectory(db, tenantId)).toEqual([]);
  });

  test.each([
    [1, 32],
    [32, 1],
    [17, 16],
  ])('%i above and %i below', async (above, below) => {
    const { tenantId, directory, last, first, id } = await createChains(above, below);
    const before = await edgesOf(tenantId);
    // One of several is enough.
    expect(await refusal(nest(directory, last, first))).toEqual(tooDeep);
    if (above < 32) expect(await refusal(nest(directory, last, id('Below'), first))).toEqual(tooDeep);
    expect(await edgesOf(tenantId)).toEqual(before);
  });
});

describe('taking out', () => {
  test('ends that nesting alone, and keeps it in the history', async () => {
    const { tenantId, directory, ids } = await createWorld(
      ['A', 'B', 'C', 'D'],
      ['A > B', 'A > C', 'D > B', 'B > C'],
    );
    const { A, B } = ids;
    const [stored] = await db.sql<{ at: Date }>(Prisma.sql`
      select created_at as at from nestings where parent_group_id = ${A} and child_group_id = ${B}`);
    const group = (await findGroup(directory, A))!;
    const childGroup = await findGroup(directory, B);
    expect(await unnest(directory, A, B)).toEqual({ group, childGroup, position: 1 });
    expect(await edgesOf(tenantId)).toEqual([
      'A > C by usr_first',
      'B > C by usr_first',
      'D > B by usr_first',
    ]);
    expect(await versionsOf(tenantId)).toEqual({ position: 1, groups: [1] });
    expect(await eventsOf(tenantId)).toEqual([
      {
        ...NOTHING_ELSE,
        position: 1,
        type: 'group_nesting.removed',
        groupId: A,
        actor: 'user usr_administrator',
        groupIds: [B],
        cause: 'REMOVED',
      },
    ]);
    const history = await db.sql<{ endedAt: Date }>(Prisma.sql`
      select tenant_id as "tenantId", parent_group_id as parent, child_group_id as child, since::int as since,
        until::int as until, created_at as "createdAt", created_by as "createdBy", ended_at as "endedAt",
        ended_by as "endedBy", cause, deletion_id as "deletionId"
      from nesting_history where tenant_id = ${tenantId}`);
    expect(history).toEqual([
      {
        tenantId,
        parent: A,
        child: B,
        since: 0,
        until: 1,
        createdAt: stored!.at,
        createdBy: 'usr_first',
        endedAt: expect.any(Date),
        endedBy: 'usr_administrator',
        cause: 'REMOVED',
        deletionId: null,
      },
    ]);
    expect(history[0]!.endedAt.getTime()).toBeGreaterThanOrEqual(stored!.at.getTime());
  });

  test('refuses what is not nested there, directly and in that direction', async () => {
    const { tenantId, directory, ids } = await createWorld(['A', 'B', 'C'], ['A > B', 'B > C']);
    const before = await edgesOf(tenantId);
    for (const [parent, child] of [
      ['B', 'A'],
      ['A', 'C'],
      ['A', 'A'],
    ] as const) {
      expect(await refusal(unnest(directory, ids[parent], ids[child]))).toEqual({
        code: 'NOT_FOUND',
        message: `${ids[child]} is not nested in ${ids[parent]}`,
        details: { id: ids[child] },
      });
    }
    await unnest(directory, ids.A, ids.B);
    expect(await refusal(unnest(directory, ids.A, ids.B))).toMatchObject({ code: 'NOT_FOUND' });
    expect(await edgesOf(tenantId)).toEqual(before.slice(1));
    expect(await versionsOf(tenantId)).toEqual({ position: 1, groups: [1] });
    expect(await eventsOf(tenantId)).toHaveLength(1);
  });
});

describe('groups that are not there', () => {
  test('deleted, hidden and never issued ones are not found, at either end', async () => {
    const { tenantId, directory, ids } = await createWorld(['A', 'B', 'Gone'], ['A > B']);
    const foreign = await createWorld(['X', 'Y'], ['X > Y']);
    await deleteGroup(directory, { id: ids.Gone });
    for (const id of [ids.Gone, foreign.ids.X, newId('group')]) {
      expect(await refusal(nest(directory, ids.A, ids.B, id))).toEqual(notFound(id));
      expect(await refusal(nest(directory, id, ids.A))).toEqual(notFound(id));
      expect(await refusal(unnest(directory, ids.A, id))).toEqual(notFound(id));
      expect(await refusal(unnest(directory, id, ids.A))).toEqual(notFound(id));
    }
    // The first that is missing, as asked.
    const missing = [newId('group'), newId('group')].sort().reverse() as string[];
    expect(await refusal(nest(directory, ids.A, ...missing))).toEqual(notFound(missing[0]!));
    expect(await edgesOf(tenantId)).toEqual(['A > B by usr_first']);
    expect(await edgesOf(foreign.tenantId)).toEqual(['X > Y by usr_first']);
  });

  test('one of another tenant is called that by who sees both, and is not found by others', async () => {
    const { tenantId, partnerId, directory, ids } = await createWorld(['A', 'B']);
    const sister = await createWorld(['S', 'Gone']);
    await db.sql(Prisma.sql`update tenants set partner_id = ${partnerId} where id = ${sister.tenantId}`);
    await deleteGroup(sister.directory, { id: sister.ids.Gone });
    const stranger = await createWorld(['X']);
    const partner = openDirectory(db, partnerAdmin(partnerId));
    const everyone = openDirectory(db, superAdmin);
    expect(await refusal(nest(partner, ids.A, ids.B, sister.ids.S))).toEqual(otherTenant(sister.ids.S));
    expect(await refusal(nest(partner, ids.A, stranger.ids.X))).toEqual(notFound(stranger.ids.X));
    expect(await refusal(nest(everyone, ids.A, stranger.ids.X))).toEqual(otherTenant(stranger.ids.X));
    expect(await refusal(nest(everyone, ids.A, sister.ids.Gone))).toEqual(notFound(sister.ids.Gone));
    expect(await refusal(nest(directory, ids.A, sister.ids.S))).toEqual(notFound(sister.ids.S));
    // Both are there, and still no edge of one tenant's group to the other's.
    expect(await refusal(unnest(everyone, ids.A, sister.ids.S))).toEqual({
      ...notFound(sister.ids.S),
      message: `${sister.ids.S} is not nested in ${ids.A}`,
    });
    expect(await edgesOf(tenantId)).toEqual([]);
  });

  test('are told before who may not change is refused', async () => {
    const { tenantId, userIds, directory, ids } = await createWorld(['A', 'B', 'C'], ['A > B'], 1);
    await addGroupMembers(directory, { groupId: ids.B, userIds });
    const reader = openDirectory(db, service(tenantId, false));
    const overseer = openDirectory(db, platform(false));
    const member = openDirectory(db, plainUser(tenantId, userIds[0]!));
    for (const caller of [reader, overseer, member]) {
      expect(await refusal(nest(caller, ids.A, ids.B))).toEqual(FORBIDDEN);
      expect(await refusal(unnest(caller, ids.A, ids.B))).toEqual(FORBIDDEN);
    }
    expect(await refusal(nest(member, ids.C, ids.A))).toEqual(notFound(ids.C));
    expect(await refusal(unnest(member, ids.A, ids.C))).toEqual(notFound(ids.C));
    expect(await edgesOf(tenantId)).toEqual(['A > B by usr_first']);
  });

  test('ids that are none are refused where they stand', async () => {
    const { directory, ids } = await createWorld(['A']);
    const message = 'must be a group id, such as grp_ followed by letters and digits';
    expect(await refusal(nest(directory, ids.A, ids.A, newId('user')))).toMatchObject({
      code: 'VALIDATION_FAILED',
      details: { fields: [{ path: ['childGroupIds', '1'], message }] },
    });
    expect(await refusal(unnest(directory, 'A', 'B'))).toMatchObject({
      code: 'VALIDATION_FAILED',
      details: {
        fields: [
          { path: ['groupId'], message },
          { path: ['childGroupId'], message },
        ],
      },
    });
  });
});

describe('lists', () => {
  test('hold what is nested directly, by name, page by page', async () => {
    const { tenantId, partnerId, directory, ids } = await createWorld(
      ['Top', 'b', 'C', 'a', 'Deep'],
      ['Top > b', 'Top > C', 'Top > a', 'C > Deep', 'b > Deep'],
    );
    const names = (page: { rows: readonly { name: string }[] } | null) => page!.rows.map(({ name }) => name);
    expect(names(await nestedGroups.page(directory, ids.Top, { page: {} }))).toEqual(['a', 'b', 'C']);
    const first = (await nestedGroups.page(directory, ids.Top, { page: { first: 2 } }))!;
    expect(names(first)).toEqual(['a', 'b']);
    expect(first.hasNextPage).toBe(true);
    const second = (await nestedGroups.page(directory, ids.Top, {
      page: { first: 2, after: first.cursors[1]! },
    }))!;
    expect([names(second), second.hasNextPage]).toEqual([['C'], false]);
    expect((await nestedGroups.all(directory, ids.Top))!.map(({ id }) => id)).toEqual([ids.a, ids.b, ids.C]);
    expect(names(await parentGroups.page(directory, ids.Deep, { page: {} }))).toEqual(['b', 'C']);
    expect(names(await parentGroups.page(directory, ids.Top, { page: {} }))).toEqual([]);
    expect(names(await nestedGroups.page(directory, ids.Deep, { page: {} }))).toEqual([]);
    const counts = async (of: Directory) => [
      await nestedGroups.count(of, ids.Top),
      await nestedGroups.count(of, ids.Deep),
      await parentGroups.count(of, ids.Deep),
      await parentGroups.count(of, ids.Top),
    ];
    for (const caller of [
      tenantAdmin(tenantId),
      partnerAdmin(partnerId),
      superAdmin,
      service(tenantId, false),
    ])
      expect(await counts(openDirectory(db, caller))).toEqual([3, 0, 2, 0]);
    // What is nested in each, where it was asked for with the list.
    const counted = await nestedGroups.page(directory, ids.Top, {
      page: {},
      projection: { nestedGroupCount: true },
    });
    expect(counted!.rows.map(({ nestedGroupCount }) => nestedGroupCount)).toEqual([0, 1, 1]);
    const above = await parentGroups.page(directory, ids.Deep, {
      page: {},
      projection: { nestedGroupCount: true },
    });
    expect(above!.rows.map(({ nestedGroupCount }) => nestedGroupCount)).toEqual([1, 1]);
  });

  test('tell nothing to other tenants, partners and end users', async () => {
    const { tenantId, userIds, directory, ids } = await createWorld(['A', 'B'], ['A > B'], 1);
    await addGroupMembers(directory, { groupId: ids.B, userIds });
    const stranger = await createTenant(db);
    for (const caller of [tenantAdmin(stranger.tenantId), partnerAdmin(stranger.partnerId)]) {
      const outside = openDirectory(db, caller);
      expect((await nestedGroups.page(outside, ids.A, { page: {} }))!.rows).toEqual([]);
      expect((await parentGroups.page(outside, ids.B, { page: {} }))!.rows).toEqual([]);
      expect(await nestedGroups.all(outside, ids.A)).toEqual([]);
      expect(await nestedGroups.count(outside, ids.A)).toBe(0);
      expect(await parentGroups.count(outside, ids.B)).toBe(0);
    }
    const member = openDirectory(db, plainUser(tenantId, userIds[0]!));
    expect(await nestedGroups.page(member, ids.A, { page: {} })).toBeNull();
    expect(await parentGroups.page(member, ids.B, { page: {} })).toBeNull();
    expect(await nestedGroups.all(member, ids.A)).toBeNull();
    expect(await nestedGroups.count(member, ids.A)).toBeNull();
    expect(await parentGroups.count(member, ids.B)).toBeNull();
  });
});

describe('a change that waits for another of the tenant', () => {
  const after = (tenantId: TenantId, change: Prisma.Sql[], work: () => Promise<unknown>) =>
    behind(db, [holdGraph(tenantId), ...change], work);
  const insert = (tenantId: TenantId, parent: string, child: string) => Prisma.sql`
    insert into nestings (tenant_id, parent_group_id, child_group_id, created_by)
    values (${tenantId}, ${parent}, ${child}, 'usr_other')`;

  test('is refused the cycle that it would close', async () => {
    const { tenantId, directory, ids } = await createWorld(['A', 'B']);
    const work = () => nest(directory, ids.B, ids.A);
    expect(await after(tenantId, [insert(tenantId, ids.A, ids.B)], work)).toMatchObject({ code: 'CYCLE' });
    expect(await edgesOf(tenantId)).toEqual(['A > B by usr_other']);
  });

  test('finds no group that was deleted meanwhile, at either end', async () => {
    const { tenantId, directory, ids } = await createWorld(['A', 'B', 'C', 'D'], ['C > D']);
    expect(await after(tenantId, [markDeleted(ids.A)], () => nest(directory, ids.A, ids.C))).toEqual(
      notFound(ids.A),
    );
    expect(await after(tenantId, [markDeleted(ids.B)], () => nest(directory, ids.C, ids.B))).toEqual(
      notFound(ids.B),
    );
    expect(await after(tenantId, [markDeleted(ids.C)], () => unnest(directory, ids.C, ids.D))).toEqual(
      notFound(ids.C),
    );
    expect(await edgesOf(tenantId)).toEqual(['C > D by usr_first']);
  });

  test('finds nested what was nested meanwhile', async () => {
    const { tenantId, directory, ids } = await createWorld(['A', 'B']);
    const work = () =>
      nest(directory, ids.A, ids.B).then((result) => expect(result.unchanged).toEqual([ids.B]));
    expect(await after(tenantId, [insert(tenantId, ids.A, ids.B)], work)).toBe('done');
    expect(await eventsOf(tenantId)).toEqual([]);
  });
});

test('members of what is nested count above it, until it is taken out', async () => {
  const { tenantId, userIds, directory, ids } = await createWorld(['Top', 'Middle', 'Elsewhere'], [], 2);
  const { group: leaf } = await createGroup(directory, { tenantId, name: 'Leaf', initialMemberIds: userIds });
  const members = async (id: string) =>
    (await listEffectiveMembers(openAsAdmin(db, tenantId), id, { page: {} }))!.rows.length;
  await nest(directory, ids.Top, ids.Middle);
  await nest(directory, ids.Middle, leaf.id);
  expect(await Promise.all([ids.Top, ids.Middle, ids.Elsewhere].map(members))).toEqual([2, 2, 0]);
  await unnest(directory, ids.Top, ids.Middle);
  expect(await Promise.all([ids.Top, ids.Middle, ids.Elsewhere].map(members))).toEqual([0, 2, 0]);
});

describe('the graph in memory', () => {
  const graphOf = (...edges: string[]) => {
    const graph = new NestingGraph();
    for (const edge of edges) {
      const [parent, child] = edge.split('') as [string, string];
      graph.add({ parent, child });
    }
    return graph;
  };

  test('knows its edges in their direction', () => {
    const graph = graphOf('ab', 'ac', 'bc');
    expect([graph.has({ parent: 'a', child: 'b' }), graph.has({ parent: 'b', child: 'a' })]).toEqual([
      true,
      false,
    ]);
    expect([graph.has({ parent: 'a', child: 'c' }), graph.has({ parent: 'x', child: 'a' })]).toEqual([
      true,
      false,
    ]);
  });

  test('finds a shortest path down, and none up or apart', () => {
    const graph = graphOf('ab', 'bc', 'cd', 'ax', 'xd', 'de');
    expect(graph.shortestPath('a', 'e')).toEqual(['a', 'x', 'd', 'e']);
    expect(graph.shortestPath('a', 'a')).toEqual(['a']);
    expect(graph.shortestPath('b', 'e')).toEqual(['b', 'c', 'd', 'e']);
    expect(graph.shortestPath('e', 'a')).toBeNull();
    expect(graph.shortestPath('x', 'b')).toBeNull();
  });

  test('counts the groups of the longest paths', () => {
    const graph = graphOf('ae', 'ab', 'bc', 'cd', 'de', 'ef');
    expect([...'abcdefz'].map((id) => graph.depthAbove(id))).toEqual([1, 2, 3, 4, 5, 6, 1]);
    expect([...'abcdefz'].map((id) => graph.depthBelow(id))).toEqual([6, 5, 4, 3, 2, 1, 1]);
  });

  test('is too deep from 33 on', () => {
    const letters = Array.from({ length: 33 }, (_, at) => String.fromCharCode(97 + at));
    const graph = graphOf(...letters.slice(1, 32).map((letter, at) => `${letters[at]}${letter}`));
    expect(graph.depthBelow('a')).toBe(32);
    expect(isTooDeep(graph, 'new', 'a')).toBe(true);
    expect(isTooDeep(graph, 'new', 'b')).toBe(false);
    expect(isTooDeep(graph, letters[31]!, 'new')).toBe(true);
    expect(isTooDeep(graph, letters[30]!, 'new')).toBe(false);
  });

  test('is walked in no time, however many ways there are', () => {
    // A ladder of 20 diamonds has a million paths.
    const graph = new NestingGraph();
    for (let at = 0; at < 60; at += 3) {
      for (const side of [at + 1, at + 2]) {
        graph.add({ parent: `${at}`, child: `${side}` });
        graph.add({ parent: `${side}`, child: `${at + 3}` });
      }
    }
    expect([graph.depthBelow('0'), graph.depthAbove('60'), graph.shortestPath('0', '60')!.length]).toEqual([
      41, 41, 41,
    ]);
  });
});
