// One table of cases, run through GraphQL and through both halves of REST: the same result, or the same refusal in the
// same words. Each case starts from the same directory in a tenant of its own; ids are read as the names they stand for.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Prisma } from '../src/database/database.ts';
import { openDirectory } from '../src/domain/directory.ts';
import { createGroup } from '../src/domain/groups.ts';
import { newId } from '../src/model/ids.ts';
import { createTenant, tenantAdmin } from './support/directories.ts';
import { restRefusal } from './support/faces.ts';
import { openTestDatabase, type TestDatabase } from './support/postgresql.ts';
import { type Claims, startApp, type TestApp } from './support/server.ts';

let database: TestDatabase;
let server: TestApp;
/** A group of a tenant that nobody here sees. */
let hidden: string;
/** The world that is only read. */
let shared: World;
beforeAll(async () => {
  database = await openTestDatabase();
  server = await startApp(database.db);
  const { tenantId } = await createTenant(database.db);
  const directory = openDirectory(database.db, tenantAdmin(tenantId));
  hidden = (await createGroup(directory, { tenantId, name: 'Hidden' })).group.id;
  shared = await createWorld();
});
afterAll(() => database.close());

/** A tenant with users `u0`…`u3`, and groups by name. */
type World = { tenant: string; ids: Map<string, string>; callers: Record<string, Claims | null> };

/** Each group of a world: where it is filed, its members, the groups nested in it, and what is not as by default. */
const GROUPS: Record<string, [parent: string | null, members: string[], nested: string[], more?: object]> = {
  Top: [null, ['u0'], ['Left', 'Right'], { description: 'first', customAttributes: { a: [1] } }],
  Left: ['Top', ['u1'], ['Bottom']],
  Right: ['Top', ['u1', 'u2'], [], { type: 'DISTRIBUTION' }],
  Bottom: [null, ['u3'], []],
  RIGHT: ['Left', [], []],
  Empty: [null, [], []],
};

/** Written by SQL: a hundred cases, three times each, would take the operations half a minute to prepare. */
async function createWorld(): Promise<World> {
  const { db } = database;
  const { tenantId, userIds } = await createTenant(db, 4);
  const ids = new Map([['tenant', tenantId as string]]);
  for (const [at, id] of userIds.toSorted().entries()) ids.set(`u${at}`, id);
  for (const name of Object.keys(GROUPS)) ids.set(name, newId('group'));
  const id = (name: string) => ids.get(name)!;
  const rows = Object.entries(GROUPS).map(([name, [parent, , , more]]) => ({
    id: id(name),
    name,
    key: name.toLowerCase(),
    parent: parent && id(parent),
    ...more,
  }));
  const edges = (at: 1 | 2) =>
    JSON.stringify(
      Object.entries(GROUPS).flatMap(([name, group]) => group[at].map((end) => [id(name), id(end)])),
    );
  await db.sql(Prisma.sql`
    insert into groups (id, tenant_id, parent_group_id, name, name_key, search_key, description, type, custom_attributes)
    select g.id, ${tenantId}, g.parent, g.name, g.key, concat_ws(E'\n', g.key, g.description), g.description,
      coalesce(g.type, 'SECURITY')::"GroupType", g."customAttributes"
    from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb)
      g(id text, name text, key text, parent text, description text, type text, "customAttributes" jsonb)`);
  await db.sql(Prisma.sql`
    insert into memberships (tenant_id, group_id, user_id, added_by)
    select ${tenantId}, e->>0, e->>1, 'usr_admin' from jsonb_array_elements(${edges(1)}::text::jsonb) e`);
  await db.sql(Prisma.sql`
    insert into nestings (tenant_id, parent_group_id, child_group_id, created_by)
    select ${tenantId}, e->>0, e->>1, 'usr_admin' from jsonb_array_elements(${edges(2)}::text::jsonb) e`);
  ids.set('Hidden', hidden);
  ids.set('nobody', 'usr_neverIssued00000');
  ids.set('nothing', 'grp_neverIssued00000');
  const callers = {
    admin: { sub: 'usr_admin', role: 'tenant_admin', tenant_id: tenantId },
    reader: { sub: 'client', tenant_id: tenantId, scope: 'groups:read' },
    writer: { sub: 'client', tenant_id: tenantId, scope: 'groups:write' },
    user: { sub: id('u2'), tenant_id: tenantId },
    stranger: { sub: 'usr_admin', role: 'tenant_admin', tenant_id: 'tnt_elsewhere0000000' },
    nobody: null,
  };
  return { tenant: tenantId, ids, callers };
}

/** What a case says of one operation; names stand for ids. */
type Args = Record<string, unknown> & { group?: string };
type Outcome = unknown;
type Asked = { world: World; caller: Claims | null; args: Args };
type Face = (operation: string, asked: Asked) => Promise<Outcome>;

const idOf = (world: World, name: unknown) => world.ids.get(name as string) ?? (name as string);
const idsOf = (world: World, names: unknown) =>
  (names as string[] | undefined)?.map((name) => idOf(world, name));

/** The outcome with names for ids, and what a face refuses with reduced to what both can say. */
function readable(world: World, outcome: Outcome): Outcome {
  let text = JSON.stringify(outcome);
  for (const [name, id] of world.ids) text = text.replaceAll(id, `<${name}>`);
  return JSON.parse(text.replaceAll(/grp_[A-Za-z0-9]{16}/g, '<new>'));
}

// biome-ignore lint/suspicious/noExplicitAny: bodies of both faces, read field by field.
type Body = any;

const GROUP = `id name description type version path memberCount nestedGroupCount customAttributes parent { id }`;
const fromGraphQL = {
  group: (group: Body) => ({ ...group, parent: group.parent?.id ?? null }),
  item: ({ node }: Body) => ({
    id: node.id,
    name: node.name,
    type: node.type,
    memberCount: node.memberCount,
    parent: node.parent?.id ?? null,
  }),
  nested: ({ node }: Body) => ({ id: node.id, name: node.name, memberCount: node.memberCount }),
  member: ({ node }: Body) => node,
};

const CONNECTIONS: Record<string, [field: string, selection: string, read: (edge: Body) => object]> = {
  members: ['members', 'userId email displayName membershipType', fromGraphQL.member],
  effectiveMembers: ['effectiveMembers', 'userId email displayName membershipType', fromGraphQL.member],
  nestedGroups: ['nestedGroups', 'id name memberCount', fromGraphQL.nested],
  parentGroups: ['parentGroups', 'id name memberCount', fromGraphQL.nested],
};

const graphql: Face = async (operation, { world, caller, args }) => {
  const ask = async (text: string, variables: object): Promise<Body> => {
    const { body } = await server.ask(caller, text, variables);
    const [error] = body.errors ?? [];
    if (error) throw { code: error.extensions.code, message: error.message, details: {} };
    return body.data;
  };
  const mutate = async (payload: string, input: object, details = '') => {
    const type = `${operation[0]!.toUpperCase()}${operation.slice(1)}`;
    const data = await ask(
      `mutation ($input: ${type}Input!) { ${operation}(input: $input) { ... on ${type}Payload { ${payload} } ... on Error { code message } ${details} } }`,
      { input },
    );
    const { code, message, ...rest } = data[operation];
    if (code) throw { code, message, details: rest };
    return rest;
  };
  const { group, ...more } = args;
  const id = group === undefined ? undefined : idOf(world, group);
  const notFound = { code: 'NOT_FOUND', message: `${id} was not found`, details: {} };
  switch (operation) {
    case 'group': {
      const { group: found } = await ask(`query ($id: ID!) { group(id: $id) { ${GROUP} } }`, { id });
      if (!found) throw notFound;
      return fromGraphQL.group(found);
    }
    case 'groups': {
      const { search, type, parent, member, page = 1, size = 20 } = more as Body;
      const filter = {
        tenantId: world.tenant,
        search,
        type,
        parentGroupId: parent && idOf(world, parent),
        memberUserId: member && idOf(world, member),
      };
      const text = `query ($filter: GroupFilter, $first: Int) { groups(filter: $filter, first: $first) { totalCount edges { node { id name type memberCount parent { id } } } } }`;
      const { groups } = await ask(text, { filter, first: page * size });
      return {
        total: groups.totalCount,
        rows: groups.edges.slice((page - 1) * size).map(fromGraphQL.item),
      };
    }
    case 'members':
    case 'effectiveMembers':
    case 'nestedGroups':
    case 'parentGroups': {
      const [field, selection, read] = CONNECTIONS[operation]!;
      const text = `query ($id: ID!) { group(id: $id) { list: ${field}(first: 100) { totalCount edges { node { ${selection} } } } } }`;
      const { group: found } = await ask(text, { id });
      if (!found?.list) throw notFound;
      return { total: found.list.totalCount, rows: found.list.edges.map(read) };
    }
    case 'createGroup': {
      const { parent, members, ...fields } = more as Body;
      const input = {
        tenantId: world.tenant,
        parentGroupId: parent && idOf(world, parent),
        initialMemberIds: idsOf(world, members),
        ...fields,
      };
      const details =
        '... on NameTakenError { names } ... on UnknownUsersError { userIds } ... on LimitError { limit }';
      return fromGraphQL.group((await mutate(`group { ${GROUP} }`, input, details)).group);
    }
    case 'updateGroup': {
      const { parent, version, ...fields } = more as Body;
      const input = {
        id,
        ...('parent' in more && { parentGroupId: parent && idOf(world, parent) }),
        expectedVersion: version,
        ...fields,
      };
      const details =
        '... on NameTakenError { names } ... on CycleError { path { id: groupId name } } ... on VersionConflictError { currentVersion }';
      return fromGraphQL.group((await mutate(`group { ${GROUP} }`, input, details)).group);
    }
    case 'deleteGroup': {
      const { strategy, version } = more as Body;
      const details =
        '... on NameTakenError { names } ... on GroupNotEmptyError { counts { members children nestedGroups } } ... on VersionConflictError { currentVersion }';
      await mutate('deletedGroupIds', { id, strategy, expectedVersion: version }, details);
      return 'done';
    }
    case 'addGroupMembers':
      return mutate(
        'added unchanged',
        { groupId: id, userIds: idsOf(world, more.users) },
        '... on UnknownUsersError { userIds } ... on LimitError { limit }',
      );
    case 'removeGroupMembers':
      await mutate('removed', { groupId: id, userIds: idsOf(world, more.users) });
      return 'done';
    case 'updateGroupMembers':
      return mutate(
        'added removed unchanged',
        { groupId: id, usersToAdd: idsOf(world, more.add), usersToRemove: idsOf(world, more.remove) },
        '... on UnknownUsersError { userIds }',
      );
    case 'addNestedGroups':
      return mutate(
        'added unchanged',
        { groupId: id, childGroupIds: idsOf(world, more.children) },
        '... on CycleError { path { id: groupId name } } ... on LimitError { limit }',
      );
    case 'removeNestedGroup':
      await mutate('group { id }', { groupId: id, childGroupId: idOf(world, more.child) });
      return 'done';
    default:
      throw new Error(`GraphQL has no ${operation}`);
  }
};

const fromRest = {
  group: ({ body, headers }: Body) => ({
    id: body.data.id,
    name: body.data.name,
    description: body.data.description ?? null,
    type: body.data.group_type,
    version: headers.get('etag') === null ? null : Number(headers.get('etag').slice(1, -1)),
    path: body.data.parent_group_path ?? null,
    memberCount: body.data.member_count ?? null,
    nestedGroupCount: body.data.nested_group_count ?? null,
    customAttributes: body.data.custom_attributes ?? null,
    parent: body.data.parent_group_id ?? null,
  }),
  item: (item: Body) => ({
    id: item.id,
    name: item.name,
    type: item.group_type,
    memberCount: item.member_count ?? null,
    parent: item.parent_group_id ?? null,
  }),
  nested: (item: Body) => ({ id: item.group_id, name: item.name, memberCount: item.member_count }),
  member: (item: Body) => ({
    userId: item.user_id,
    email: item.email,
    displayName: item.display_name,
    membershipType: item.membership_type,
  }),
};

/** Calls of one half of REST; null for what that half does not have. */
const rest =
  (half: 'tenant' | 'admin'): Face =>
  async (operation, { world, caller, args }) => {
    const { group, ...more } = args as Body;
    const list = half === 'tenant' ? `/api/v1/tenants/${world.tenant}/groups` : '/api/v1/admin/groups';
    const one = `${list}/${idOf(world, group)}`;
    const call = async (line: string, body?: object, headers?: Record<string, string>) => {
      const answer = await server.rest(caller, line, body, headers);
      const refusal = restRefusal(answer);
      if (!refusal) return answer;
      const { user_ids: userIds, current_version: currentVersion, ...details } = refusal.details;
      throw {
        ...refusal,
        details: { ...details, ...(userIds && { userIds }), ...(currentVersion && { currentVersion }) },
      };
    };
    const page = async (line: string, read: (item: Body) => object) => {
      const { body } = await call(line);
      return { total: body.pagination.total_items, rows: body.data.map(read) };
    };
    const ifMatch: Record<string, string> = more.version ? { 'if-match': `"${more.version}"` } : {};
    switch (`${half} ${operation}`) {
      case 'tenant group':
      case 'admin group':
        return fromRest.group(await call(`GET ${one}`));
      case 'tenant groups':
      case 'admin groups': {
        const { search, type, parent, member, page: number = 1, size = 20 } = more;
        if (half === 'admin' && (parent || member)) return null;
        const query = new URLSearchParams({
          page: number,
          per_page: size,
          ...(search && { search }),
          ...(type && { [half === 'tenant' ? 'type' : 'group_type']: type }),
          ...(parent && { parent_group_id: idOf(world, parent) }),
          ...(member && { user_id: idOf(world, member) }),
          ...(half === 'admin' && { tenant_id: world.tenant }),
        });
        return page(`GET ${list}?${query}`, fromRest.item);
      }
      case 'admin members':
        return page(`GET ${one}/members`, fromRest.member);
      case 'admin effectiveMembers':
        return page(`GET ${one}/effective-members`, fromRest.member);
      case 'admin nestedGroups':
        return page(`GET ${one}/nested-groups`, fromRest.nested);
      case 'admin parentGroups':
        return page(`GET ${one}/parent-groups`, fromRest.nested);
      case 'tenant createGroup':
      case 'admin createGroup': {
        const { parent, members, type, customAttributes, ...fields } = more;
        const body = {
          ...fields,
          group_type: type,
          parent_group_id: parent && idOf(world, parent),
          initial_members: idsOf(world, members),
          custom_attributes: customAttributes,
          tenant_id: world.tenant,
        };
        return fromRest.group(await call(`POST ${list}`, body));
      }
      case 'tenant updateGroup':
      case 'admin updateGroup': {
        const { parent, version, customAttributes, ...fields } = more;
        const body = {
          ...fields,
          ...('parent' in more && { parent_group_id: parent && idOf(world, parent) }),
          custom_attributes: customAttributes,
        };
        return fromRest.group(await call(`PATCH ${one}`, body, ifMatch));
      }
      case 'admin deleteGroup':
        if (more.strategy !== 'ORPHAN') return null;
        await call(`DELETE ${one}`, undefined, ifMatch);
        return 'done';
      case 'tenant deleteGroup':
        await call(`DELETE ${one}${more.strategy ? `?strategy=${more.strategy}` : ''}`, undefined, ifMatch);
        return 'done';
      case 'admin addGroupMembers':
        return (await call(`POST ${one}/members`, { user_ids: idsOf(world, more.users) })).body.data;
      case 'admin removeGroupMembers':
        await call(`DELETE ${one}/members/${idOf(world, more.users[0])}`);
        return 'done';
      case 'tenant updateGroupMembers': {
        const body = { users_to_add: idsOf(world, more.add), users_to_remove: idsOf(world, more.remove) };
        return (await call(`PUT ${one}/members`, body)).body.data;
      }
      case 'admin addNestedGroups':
        return (await call(`POST ${one}/nested-groups`, { group_ids: idsOf(world, more.children) })).body
          .data;
      case 'admin removeNestedGroup':
        await call(`DELETE ${one}/nested-groups/${idOf(world, more.child)}`);
        return 'done';
      default:
        return null;
    }
  };

const many = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, at) => `${prefix}_many${at}`);

/** Operation, arguments, and what it comes to: `ok` or a code. Without a caller an administrator asks. */
const CASES: [operation: string, args: Args, expected: string, caller?: string][] = [
  ['group', { group: 'Top' }, 'ok'],
  ['group', { group: 'RIGHT' }, 'ok'],
  ['group', { group: 'Right' }, 'ok', 'reader'],
  ['group', { group: 'Right' }, 'ok', 'user'],
  ['group', { group: 'Top' }, 'ok', 'user'],
  ['group', { group: 'Left' }, 'NOT_FOUND', 'user'],
  ['group', { group: 'Top' }, 'NOT_FOUND', 'stranger'],
  ['group', { group: 'nothing' }, 'NOT_FOUND'],
  ['group', { group: 'Hidden' }, 'NOT_FOUND'],
  ['group', { group: 'Top' }, 'UNAUTHENTICATED', 'nobody'],
  ['groups', {}, 'ok'],
  ['groups', {}, 'ok', 'user'],
  ['groups', { search: 'RIGHT' }, 'ok', 'user'],
  ['groups', { page: 2, size: 4 }, 'ok'],
  ['groups', { page: 3, size: 2 }, 'ok'],
  ['groups', { search: 'fIrS' }, 'ok'],
  ['groups', { type: 'DISTRIBUTION' }, 'ok'],
  ['groups', { parent: 'Top' }, 'ok'],
  ['groups', { parent: 'Hidden' }, 'ok'],
  ['groups', { member: 'u1' }, 'ok'],
  ['groups', { member: 'u1', type: 'SECURITY', search: 'ef', parent: 'Top' }, 'ok'],
  ['groups', { size: 101 }, 'VALIDATION_FAILED'],
  ['groups', { search: 'x'.repeat(256) }, 'VALIDATION_FAILED'],
  ['groups', {}, 'UNAUTHENTICATED', 'nobody'],
  ['members', { group: 'Right' }, 'ok'],
  ['members', { group: 'Right' }, 'NOT_FOUND', 'user'],
  ['members', { group: 'Hidden' }, 'NOT_FOUND'],
  ['effectiveMembers', { group: 'Top' }, 'ok'],
  ['effectiveMembers', { group: 'Left' }, 'ok', 'reader'],
  ['effectiveMembers', { group: 'nothing' }, 'NOT_FOUND'],
  ['nestedGroups', { group: 'Top' }, 'ok'],
  ['nestedGroups', { group: 'Top' }, 'NOT_FOUND', 'user'],
  ['parentGroups', { group: 'Bottom' }, 'ok'],
  ['parentGroups', { group: 'Hidden' }, 'NOT_FOUND'],
  ['createGroup', { name: ' New ', parent: 'Left', members: ['u0', 'u3'], description: 'd' }, 'ok'],
  [
    'createGroup',
    { name: 'Other', type: 'DISTRIBUTION', customAttributes: { a: { b: null } } },
    'ok',
    'writer',
  ],
  ['createGroup', { name: 'top' }, 'NAME_TAKEN'],
  ['createGroup', { name: '  ' }, 'VALIDATION_FAILED'],
  ['createGroup', { name: 'x'.repeat(256) }, 'VALIDATION_FAILED'],
  ['createGroup', { name: 'Line\nbreak' }, 'VALIDATION_FAILED'],
  ['createGroup', { name: 'New', description: 'x'.repeat(4_097) }, 'VALIDATION_FAILED'],
  ['createGroup', { name: 'New', members: ['u0', 'nobody'] }, 'UNKNOWN_USERS'],
  ['createGroup', { name: 'New', members: many('usr', 1_001) }, 'LIMIT_EXCEEDED'],
  ['createGroup', { name: 'New', parent: 'nothing' }, 'NOT_FOUND'],
  ['createGroup', { name: 'New', parent: 'Hidden' }, 'NOT_FOUND'],
  ['createGroup', { name: 'New' }, 'FORBIDDEN', 'reader'],
  ['createGroup', { name: 'New' }, 'NOT_FOUND', 'user'],
  ['createGroup', { name: 'New' }, 'NOT_FOUND', 'stranger'],
  ['createGroup', { name: 'New' }, 'UNAUTHENTICATED', 'nobody'],
  ['updateGroup', { group: 'Left', name: 'Links', description: 'd', customAttributes: { b: 2 } }, 'ok'],
  ['updateGroup', { group: 'Top', description: null, customAttributes: null }, 'ok'],
  ['updateGroup', { group: 'Bottom', parent: 'Right' }, 'ok'],
  ['updateGroup', { group: 'Left', parent: null }, 'ok'],
  ['updateGroup', { group: 'Left', name: 'Left' }, 'ok'],
  ['updateGroup', { group: 'Left', name: 'Links', version: 1 }, 'ok'],
  ['updateGroup', { group: 'Left', name: 'Links', version: 7 }, 'VERSION_CONFLICT'],
  ['updateGroup', { group: 'Left', name: 'rIGHT' }, 'NAME_TAKEN'],
  ['updateGroup', { group: 'Top', parent: 'RIGHT' }, 'CYCLE'],
  ['updateGroup', { group: 'Top', parent: 'Top' }, 'CYCLE'],
  ['updateGroup', { group: 'Top', parent: 'Hidden' }, 'NOT_FOUND'],
  ['updateGroup', { group: 'Top', name: null }, 'VALIDATION_FAILED'],
  ['updateGroup', { group: 'Hidden', name: 'Mine' }, 'NOT_FOUND'],
  ['updateGroup', { group: 'Left', name: 'Links' }, 'FORBIDDEN', 'reader'],
  ['updateGroup', { group: 'Right', name: 'Rechts' }, 'FORBIDDEN', 'user'],
  ['updateGroup', { group: 'Left', name: 'Links' }, 'NOT_FOUND', 'user'],
  ['deleteGroup', { group: 'Empty' }, 'ok'],
  ['deleteGroup', { group: 'Left' }, 'GROUP_NOT_EMPTY'],
  ['deleteGroup', { group: 'Left', strategy: 'BLOCK' }, 'GROUP_NOT_EMPTY'],
  ['deleteGroup', { group: 'Left', strategy: 'ORPHAN' }, 'NAME_TAKEN'],
  ['deleteGroup', { group: 'Top', strategy: 'ORPHAN' }, 'ok'],
  ['deleteGroup', { group: 'Top', strategy: 'CASCADE' }, 'ok'],
  ['deleteGroup', { group: 'Empty', strategy: 'ORPHAN', version: 2 }, 'VERSION_CONFLICT'],
  ['deleteGroup', { group: 'Empty', strategy: 'ORPHAN', version: 1 }, 'ok'],
  ['deleteGroup', { group: 'Hidden', strategy: 'ORPHAN' }, 'NOT_FOUND'],
  ['deleteGroup', { group: 'Empty', strategy: 'ORPHAN' }, 'FORBIDDEN', 'reader'],
  ['deleteGroup', { group: 'Right', strategy: 'ORPHAN' }, 'FORBIDDEN', 'user'],
  ['addGroupMembers', { group: 'Top', users: ['u3', 'u0', 'u3'] }, 'ok'],
  ['addGroupMembers', { group: 'Top', users: [] }, 'ok'],
  ['addGroupMembers', { group: 'Top', users: ['u3', 'nobody'] }, 'UNKNOWN_USERS'],
  ['addGroupMembers', { group: 'Top', users: many('usr', 1_001) }, 'LIMIT_EXCEEDED'],
  ['addGroupMembers', { group: 'Hidden', users: ['u3'] }, 'NOT_FOUND'],
  ['addGroupMembers', { group: 'Top', users: ['u3'] }, 'FORBIDDEN', 'reader'],
  ['removeGroupMembers', { group: 'Right', users: ['u1'] }, 'ok'],
  ['removeGroupMembers', { group: 'Right', users: ['u3'] }, 'ok'],
  ['removeGroupMembers', { group: 'nothing', users: ['u1'] }, 'NOT_FOUND'],
  ['removeGroupMembers', { group: 'Right', users: ['u1'] }, 'FORBIDDEN', 'reader'],
  ['updateGroupMembers', { group: 'Right', add: ['u0', 'u1'], remove: ['u2', 'u3'] }, 'ok'],
  ['updateGroupMembers', { group: 'Right' }, 'ok'],
  ['updateGroupMembers', { group: 'Right', add: ['u0'], remove: ['u0'] }, 'VALIDATION_FAILED'],
  ['updateGroupMembers', { group: 'Right', add: ['nobody'] }, 'UNKNOWN_USERS'],
  ['updateGroupMembers', { group: 'Hidden', add: ['u0'] }, 'NOT_FOUND'],
  ['updateGroupMembers', { group: 'Right', add: ['u0'] }, 'FORBIDDEN', 'user'],
  ['addNestedGroups', { group: 'Right', children: ['Empty', 'Bottom'] }, 'ok'],
  ['addNestedGroups', { group: 'Top', children: ['Left', 'Empty'] }, 'ok'],
  ['addNestedGroups', { group: 'Bottom', children: ['Top'] }, 'CYCLE'],
  ['addNestedGroups', { group: 'Bottom', children: ['Bottom'] }, 'CYCLE'],
  ['addNestedGroups', { group: 'Bottom', children: ['Hidden'] }, 'NOT_FOUND'],
  ['addNestedGroups', { group: 'Bottom', children: many('grp', 101) }, 'LIMIT_EXCEEDED'],
  ['addNestedGroups', { group: 'Bottom', children: ['Empty'] }, 'FORBIDDEN', 'reader'],
  ['removeNestedGroup', { group: 'Top', child: 'Left' }, 'ok'],
  ['removeNestedGroup', { group: 'Top', child: 'Bottom' }, 'NOT_FOUND'],
  ['removeNestedGroup', { group: 'Top', child: 'nothing' }, 'NOT_FOUND'],
  ['removeNestedGroup', { group: 'Top', child: 'Left' }, 'FORBIDDEN', 'reader'],
];

const READS = new Set(['group', 'groups', 'members', 'effectiveMembers', 'nestedGroups', 'parentGroups']);

/** What is left of a world: all its live rows, as a check that both faces did the same. */
async function leftOf({ tenant }: World): Promise<unknown> {
  return database.db.sql(Prisma.sql`
    select (select json_agg(json_build_array(g.name, g.type, g.description, g.custom_attributes, g.version, p.name) order by g.name)
        from groups g left join groups p on p.id = g.parent_group_id where g.tenant_id = ${tenant} and g.deleted_at is null) as groups,
      (select json_agg(json_build_array(g.name, m.user_id) order by g.name, m.user_id)
        from memberships m join groups g on g.id = m.group_id where m.tenant_id = ${tenant}) as memberships,
      (select json_agg(json_build_array(p.name, c.name) order by p.name, c.name) from nestings n
        join groups p on p.id = n.parent_group_id join groups c on c.id = n.child_group_id where n.tenant_id = ${tenant}) as nestings`);
}

type Result = { code: string; outcome: Outcome; left: Outcome };

async function run(face: Face, operation: string, args: Args, caller: string): Promise<Result | null> {
  const world = READS.has(operation) ? shared : await createWorld();
  const asked = { world, caller: world.callers[caller]!, args };
  let code = 'ok';
  let outcome: Outcome;
  try {
    outcome = await face(operation, asked);
    if (outcome === null) return null;
  } catch (error) {
    if (error instanceof Error) throw error;
    const refusal = error as { code: string; message: string; details: object };
    code = refusal.code;
    // Faults of the input are told in each face's own field names.
    outcome = code === 'VALIDATION_FAILED' ? { code } : refusal;
  }
  return {
    code,
    outcome: readable(world, outcome),
    left: READS.has(operation) ? null : readable(world, await leftOf(world)),
  };
}

describe.each(CASES.map((each) => [each[0], each] as const))(
  '%s',
  (_operation, [operation, args, expected, caller]) => {
    const title = JSON.stringify(args);
    test(`${title.length > 80 ? `${title.slice(0, 80)}…` : title} by ${caller ?? 'admin'}: ${expected}`, async () => {
      const who = caller ?? 'admin';
      const first = (await run(graphql, operation, args, who))!;
      expect(first.code, JSON.stringify(first.outcome)).toBe(expected);
      const others = [
        await run(rest('tenant'), operation, args, who),
        await run(rest('admin'), operation, args, who),
      ].filter((result) => result !== null);
      expect(others.length).toBeGreaterThan(0);
      for (const other of others) expect(other).toEqual(first);
    });
  },
);

test('every operation that both faces have is in the table, refused and not', () => {
  const operations = new Set(CASES.map(([operation]) => operation));
  expect(operations.size).toBe(14);
  for (const operation of operations) {
    const codes = CASES.filter(([name]) => name === operation).map(([, , expected]) => expected);
    expect(codes).toContain('ok');
    expect(codes.some((code) => code !== 'ok')).toBe(true);
  }
});
