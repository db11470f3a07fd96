// A page and its total are of one state, which really was: another process changes the list between any two statements.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Database, Prisma } from '../../src/database/database.ts';
import { openDatabase } from '../../src/database/open.ts';
import { addGroupMembers } from '../../src/domain/commands/add-members.ts';
import { removeGroupMembers } from '../../src/domain/commands/change-members.ts';
import { addNestedGroups, removeNestedGroup } from '../../src/domain/commands/nest-groups.ts';
import { updateGroup } from '../../src/domain/commands/update-group.ts';
import { upsertUsers } from '../../src/domain/commands/upsert-users.ts';
import { type Directory, openDirectory } from '../../src/domain/directory.ts';
import { listEffectiveMembers } from '../../src/domain/queries/effective-members.ts';
import { listGroups } from '../../src/domain/queries/groups.ts';
import { childGroups } from '../../src/domain/queries/hierarchy.ts';
import { listMembers } from '../../src/domain/queries/members.ts';
import { nestedGroups, parentGroups } from '../../src/domain/queries/nesting.ts';
import { listTenants } from '../../src/domain/queries/tenants.ts';
import { directGroups, effectiveGroups } from '../../src/domain/queries/user-groups.ts';
import { listUsers } from '../../src/domain/queries/users.ts';
import type { Caller } from '../../src/model/caller.ts';
import { newId, type UserId } from '../../src/model/ids.ts';
import type { Page, PageArgs } from '../../src/model/page.ts';
import { partnerAdmin, plainUser, superAdmin, tenantAdmin } from '../support/directories.ts';
import { createWorld, type GroupSpec } from '../support/group-worlds.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { type Claims, startApp, type TestApp } from '../support/server.ts';
import { PATIENT } from '../support/timeouts.ts';

let database: TestDatabase;
let db: Database;
/** The other process: it changes everything, and nothing is read by it. */
let other: Database;
beforeAll(async () => {
  database = await openTestDatabase();
  db = database.db;
  other = await openDatabase({ url: database.url, dataDir: '', timeouts: PATIENT });
});
afterAll(async () => {
  await other.close();
  await database.close();
});

/** How many items a list may have; each change adds or removes one of them. */
const ITEMS = 7;
const ITEM = Array.from({ length: ITEMS }, (_, index) => index);
const key = (index: number) => `item${index}`;

/** A hub, whose lists change, and items: each a group that may be in them, with a user of its own. */
const createHub = () =>
  createWorld(
    db,
    {
      Hub: {},
      Leaf: {},
      Between: { nests: ['Leaf'] },
      ...Object.fromEntries(ITEM.map((index): [string, GroupSpec] => [key(index), { members: [index] }])),
    },
    ITEMS + 1,
  );
type World = Awaited<ReturnType<typeof createHub>>;

type Kind = {
  /** Puts an item into the list, or takes it out. */
  toggle(world: World, index: number, present: boolean): Promise<unknown>;
  read(directory: Directory, world: World, page: PageArgs): Promise<Page<object> | null>;
  callerOf?(world: World): Caller;
  /** Selection of the connection for GraphQL, and the path for REST, if it has the list. */
  graphql?(world: World): string;
  rest?(world: World): string;
  /** Ids of what is in the list besides the items. */
  always?(world: World): string[];
  /** Ids of the items: of groups, unless it is a list of others. */
  of?: 'users' | 'tenants';
};

const admin = ({ tenantId }: World) => openDirectory(other, tenantAdmin(tenantId));
const group = ({ ids }: World, index: number) => (ids as Record<string, string>)[key(index)]!;
const memberOf =
  (groupOf: (world: World, index: number) => string, userOf: (world: World, index: number) => string) =>
  (world: World, index: number, present: boolean) => {
    const input = { groupId: groupOf(world, index), userIds: [userOf(world, index) as UserId] };
    return (present ? addGroupMembers : removeGroupMembers)(admin(world), input);
  };
const nestedIn =
  (parentOf: (world: World, index: number) => string, childOf: (world: World, index: number) => string) =>
  (world: World, index: number, present: boolean) => {
    const [groupId, childGroupId] = [parentOf(world, index), childOf(world, index)];
    return present
      ? addNestedGroups(admin(world), { groupId, childGroupIds: [childGroupId] })
      : removeNestedGroup(admin(world), { groupId, childGroupId });
  };
const update =
  (change: (world: World, index: number, present: boolean) => object) =>
  (world: World, index: number, present: boolean) =>
    updateGroup(admin(world), { id: group(world, index), ...change(world, index, present) });

const hub = ({ ids }: World) => (ids as Record<string, string>).Hub!;
const leaf = ({ ids }: World) => (ids as Record<string, string>).Leaf!;
const between = ({ ids }: World) => (ids as Record<string, string>).Between!;
const last = ({ users }: World) => users[ITEMS]!;
const userAt = ({ users }: World, index: number) => users[index]!;

const onMembers = { toggle: memberOf(hub, userAt), of: 'users' } as const;
const onLeaf = { toggle: memberOf(leaf, userAt), of: 'users' } as const;
const onNestings = { toggle: nestedIn(hub, group), of: 'users' } as const;
const onChildren = {
  toggle: update((world, _index, present) => ({ parentGroupId: present ? hub(world) : null })),
};
const onNames = {
  toggle: update((_world, index, present) => ({ name: `${present ? 'Listed' : 'Other'} ${index}` })),
};
const onUsers = {
  toggle: (world: World, index: number, present: boolean) =>
    upsertUsers(admin(world), {
      tenantId: world.tenantId,
      users: [
        { id: userAt(world, index) as UserId, email: `${index}@${present ? 'listed' : 'other'}.example` },
      ],
    }),
  of: 'users',
} as const;
const ofUser = { toggle: memberOf(group, last) };
const ofPartner = {
  toggle: ({ partnerId }: World, index: number, present: boolean) => {
    const id = `tnt_${partnerId.slice(4)}${index}`;
    return present
      ? other.sql(Prisma.sql`insert into tenants (id, partner_id, name, slug) values (${id}, ${partnerId}, ${id}, ${id})
          on conflict (id) do update set partner_id = excluded.partner_id`)
      : other.sql(Prisma.sql`
          with elsewhere as (insert into partners (id, name) values (${newId('partner')}, 'Elsewhere') returning id)
          update tenants set partner_id = elsewhere.id from elsewhere where tenants.id = ${id}`);
  },
  of: 'tenants',
} as const;

const ofGroup = (field: string) => (world: World) => `group(id: "${hub(world)}") { list: ${field} }`;
const ofTenant =
  (field: string) =>
  ({ tenantId }: World) =>
    `tenant(id: "${tenantId}") { list: ${field} }`;
const MEMBERS = '{ totalCount edges { node { id: userId } } }';
const NODES = '{ totalCount edges { node { id } } }';
const byPath = (path: string) => (world: World) => `/api/v1/admin/groups/${hub(world)}/${path}?per_page=100`;

const KINDS: Record<string, Kind> = {
  members: {
    ...onMembers,
    read: (directory, world, page) => listMembers(directory, hub(world), { page }),
    graphql: ofGroup(`members(first: 100) ${MEMBERS}`),
    rest: byPath('members'),
  },
  'members by addition': {
    ...onMembers,
    read: (directory, world, page) =>
      listMembers(directory, hub(world), { orderBy: { field: 'ADDED_AT', direction: 'DESC' }, page }),
    graphql: ofGroup(`members(first: 100, orderBy: { field: ADDED_AT, direction: DESC }) ${MEMBERS}`),
  },
  'members by email': {
    ...onMembers,
    read: (directory, world, page) =>
      listMembers(directory, hub(world), { orderBy: { field: 'EMAIL', direction: 'ASC' }, page }),
  },
  'members that a search finds': {
    ...onMembers,
    read: (directory, world, page) => listMembers(directory, hub(world), { search: 'usr_', page }),
    graphql: ofGroup(`members(first: 100, search: "usr_") ${MEMBERS}`),
  },
  'members that a search finds by their new names': {
    ...onUsers,
    toggle: async (world, index, present) => {
      await memberOf(hub, userAt)(world, index, true);
      return onUsers.toggle(world, index, present);
    },
    read: (directory, world, page) => listMembers(directory, hub(world), { search: 'listed', page }),
  },
  'effective members of a group below': {
    toggle: async (world, index, present) => {
      await nestedIn(hub, between)(world, index, true);
      return onLeaf.toggle(world, index, present);
    },
    of: 'users',
    read: (directory, world, page) => listEffectiveMembers(directory, hub(world), { page }),
    graphql: ofGroup(`effectiveMembers(first: 100) ${MEMBERS}`),
    rest: byPath('effective-members'),
  },
  'effective members of two groups': {
    toggle: async (world, index, present) => {
      await nestedIn(hub, between)(world, index, true);
      return memberOf(index % 2 === 0 ? hub : leaf, userAt)(world, index, present);
    },
    of: 'users',
    read: (directory, world, page) => listEffectiveMembers(directory, hub(world), { page }),
    graphql: ofGroup(`effectiveMembers(first: 100) ${MEMBERS}`),
    rest: byPath('effective-members'),
  },
  'effective members of groups that are nested': {
    ...onNestings,
    read: (directory, world, page) => listEffectiveMembers(directory, hub(world), { page }),
    graphql: ofGroup(`effectiveMembers(first: 100) ${MEMBERS}`),
    rest: byPath('effective-members'),
  },
  'effective members that a search finds': {
    ...onNestings,
    read: (directory, world, page) => listEffectiveMembers(directory, hub(world), { search: 'usr_', page }),
    graphql: ofGroup(`effectiveMembers(first: 100, search: "usr_") ${MEMBERS}`),
  },
  'inherited members': {
    ...onNestings,
    read: (directory, world, page) =>
      listEffectiveMembers(directory, hub(world), { membershipType: 'INHERITED', page }),
  },
  'nested groups': {
    toggle: nestedIn(hub, group),
    read: (directory, world, page) => nestedGroups.page(directory, hub(world), { page }),
    graphql: ofGroup(`nestedGroups(first: 100) ${NODES}`),
    rest: byPath('nested-groups'),
  },
  'parent groups': {
    toggle: nestedIn(group, hub),
    read: (directory, world, page) => parentGroups.page(directory, hub(world), { page }),
    graphql: ofGroup(`parentGroups(first: 100) ${NODES}`),
    rest: byPath('parent-groups'),
  },
  children: {
    ...onChildren,
    read: (directory, world, page) => childGroups.page(directory, hub(world), { page }),
    graphql: ofGroup(`children(first: 100) ${NODES}`),
  },
  'groups under a parent': {
    ...onChildren,
    read: (directory, world, page) =>
      listGroups(directory, { filter: { parentGroupId: hub(world) as never }, page }),
    graphql: (world) => `list: groups(first: 100, filter: { parentGroupId: "${hub(world)}" }) ${NODES}`,
    rest: (world) => `/api/v1/tenants/${world.tenantId}/groups?per_page=100&parent_group_id=${hub(world)}`,
  },
  'groups of a member': {
    ...ofUser,
    read: (directory, world, page) =>
      listGroups(directory, { filter: { memberUserId: last(world) as UserId }, page }),
    rest: (world) => `/api/v1/tenants/${world.tenantId}/groups?per_page=100&user_id=${last(world)}`,
  },
  'groups that a search finds': {
    ...onNames,
    read: (directory, { tenantId }, page) =>
      listGroups(directory, { filter: { search: 'listed', tenantId }, page }),
    graphql: ofTenant(`groups(first: 100, filter: { search: "listed" }) ${NODES}`),
    rest: (world) => `/api/v1/admin/groups/?per_page=100&search=listed&tenant_id=${world.tenantId}`,
  },
  'groups of several tenants': {
    ...onNames,
    callerOf: ({ partnerId }) => partnerAdmin(partnerId),
    read: (directory, _world, page) => listGroups(directory, { filter: { search: 'listed' }, page }),
  },
  'groups of an end user': {
    ...ofUser,
    callerOf: (world) => plainUser(world.tenantId, last(world) as UserId),
    read: (directory, _world, page) => listGroups(directory, { page }),
  },
  'direct groups of a user': {
    ...ofUser,
    read: (directory, world, page) => directGroups.page(directory, last(world), { page }),
    graphql: (world) => `user(id: "${last(world)}") { list: groups(first: 100) ${NODES} }`,
  },
  'effective groups of a user': {
    toggle: async (world, index, present) => {
      await memberOf(leaf, last)(world, index, true);
      return nestedIn(group, leaf)(world, index, present);
    },
    // Beside the items it is in two groups for good.
    always: (world) => [leaf(world), between(world)],
    read: (directory, world, page) => effectiveGroups.page(directory, last(world), { page }),
    graphql: (world) => `user(id: "${last(world)}") { list: effectiveGroups(first: 100) ${NODES} }`,
  },
  'users that a search finds': {
    ...onUsers,
    read: (directory, { tenantId }, page) => listUsers(directory, { tenantId, search: 'listed', page }),
    graphql: ofTenant(`users(first: 100, search: "listed") ${NODES}`),
  },
  tenants: {
    ...ofPartner,
    callerOf: ({ partnerId }) => partnerAdmin(partnerId),
    always: ({ tenantId }) => [tenantId],
    read: (directory, _world, page) => listTenants(directory, { page }),
  },
};

type Answer = { ids: string[]; total: number };
const idOf = (row: object) => ('userId' in row ? row.userId : (row as { id: unknown }).id) as string;

/** A list that changes whenever the process that reads it has read a statement which `isTime` says, counted from 0. */
async function createChanging(kind: Kind) {
  const world = await createHub();
  const itemIds = ITEM.map((index) => {
    if (kind.of === 'tenants') return `tnt_${world.partnerId.slice(4)}${index}`;
    return kind.of === 'users' ? userAt(world, index) : group(world, index);
  });
  const always = kind.always?.(world) ?? [];
  const present = new Set<number>();
  const states: string[][] = [];
  const toggle = async (index: number) => {
    const isAdded = !present.has(index);
    await kind.toggle(world, index, isAdded);
    if (isAdded) present.add(index);
    else present.delete(index);
    states.push([...always, ...[...present].map((item) => itemIds[item]!)]);
  };
  // Every second item, to begin with.
  for (const index of [0, 2, 4, 6]) await toggle(index);
  let [statement, next] = [0, 0];
  let isTime = (_statement: number) => false;
  const changing: Database = {
    ...db,
    sql: async (sql) => {
      const rows = await db.sql<never>(sql);
      // As a concurrent statement would be one of its own: it is counted when it has been read.
      if (isTime(statement++)) {
        next = (next + 3) % ITEMS;
        await toggle(next);
      }
      return rows;
    },
  };
  /** Reads, and holds the answer to the states that the list had since it was asked for. */
  const check = async (size: number, read: () => Promise<Answer>, when: (statement: number) => boolean) => {
    const from = states.length - 1;
    [statement, isTime] = [0, when];
    const answer = await read();
    isTime = () => false;
    const since = states.slice(from);
    const isOf = (state: string[]) =>
      answer.total === state.length &&
      answer.ids.length === Math.min(size, state.length) &&
      answer.ids.every((id) => state.includes(id));
    expect(new Set(answer.ids).size).toBe(answer.ids.length);
    expect({ answer, since, isOfOne: since.some(isOf) }).toMatchObject({ isOfOne: true });
    return since.length - 1;
  };
  return { world, changing, check };
}

/** When the list changes: never, after every statement of a request, or after one of them. */
const TIMES: ((statement: number) => boolean)[] = [
  () => false,
  () => true,
  ...[0, 1, 2, 3].map((place) => (statement: number) => statement === place),
];

describe.each(Object.entries(KINDS))('%s', (_kind, kind) => {
  test('have a page and a total of one state, with caches that are cold and warm', async () => {
    let changes = 0;
    for (const when of TIMES) {
      const { world, changing, check } = await createChanging(kind);
      const callers = kind.callerOf ? [kind.callerOf(world)] : [tenantAdmin(world.tenantId), superAdmin];
      for (const [at, size] of [100, 100, 100, 3, 100, 3].entries()) {
        const directory = openDirectory(changing, callers[at % callers.length]!);
        const read = async () => {
          const page = await kind.read(directory, world, { first: size, withTotal: true });
          return { ids: page!.rows.map(idOf), total: page!.total! };
        };
        changes += await check(size, read, when);
      }
    }
    // It did change while it was read.
    expect(changes).toBeGreaterThan(5);
  });
});

const withApis = Object.entries(KINDS).filter(([, { graphql, rest }]) => graphql ?? rest);

describe.each(withApis)('%s', (_kind, { graphql, rest, ...kind }) => {
  test('have a page and a total of one state in every API', async () => {
    for (const when of TIMES.slice(1)) {
      const { world, changing, check } = await createChanging(kind);
      const app: TestApp = await startApp(changing);
      const claims: Claims = { sub: 'usr_admin', role: 'tenant_admin', tenant_id: world.tenantId };
      const byGraphql = async () => {
        const data = await app.data(claims, `{ ${graphql!(world)} }`);
        const { list } = 'list' in data ? data : Object.values<{ list: never }>(data)[0]!;
        const { totalCount, edges } = list as { totalCount: number; edges: { node: { id: string } }[] };
        return { ids: edges.map(({ node }) => node.id), total: totalCount };
      };
      const byRest = async () => {
        const { status, body } = await app.rest(claims, `GET ${rest!(world)}`);
        expect(status).toBe(200);
        const ids = body.data.map(
          ({ user_id, group_id, id }: Record<string, string>) => user_id ?? group_id ?? id,
        );
        return { ids, total: body.pagination.total_items };
      };
      for (const read of [...(graphql ? [byGraphql, byGraphql] : []), ...(rest ? [byRest, byRest] : [])])
        await check(100, read, when);
    }
  });
});
