// The operations that both faces have, asked of each in its own words and answered in the same ones.
import { restRefusal } from './faces.ts';
import { idOf, idsOf, type World } from './parity-world.ts';
import type { Claims, TestApp } from './server.ts';

/** What a case says of one operation; names stand for ids. */
export type Args = Record<string, unknown> & { group?: string };
export type Outcome = unknown;
type Asked = { world: World; caller: Claims | null; args: Args };
export type Face = (operation: string, asked: Asked) => Promise<Outcome>;

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

export const graphqlFace =
  (server: TestApp): Face =>
  async (operation, { world, caller, args }) => {
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
    version: headers.get('etag') === null ? null : Number.parseInt(headers.get('etag').slice(3), 10),
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
export const restFace =
  (server: TestApp, half: 'tenant' | 'admin'): Face =>
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
