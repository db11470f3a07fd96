// Coterie's GraphQL.
import type { Variant } from '../queries.ts';
import { type Ask, memberPair, nodes, type Operations } from './operations.ts';

const PAGE = 'query ($after: String, $before: String, $first: Int, $last: Int)';
const ARGS = 'first: $first, last: $last, after: $after, before: $before';
const MEMBER = 'node { userId email }';

const mutation = (type: string, input: string) =>
  `mutation ($target: ID!, $value: ID!) { ${type[0]!.toLowerCase()}${type.slice(1)}(input: { ${input} }) {
    __typename ... on Error { code } } }`;

const TEXTS: Record<string, string> = {
  Q1: 'query ($id: ID!) { group(id: $id) { id name memberCount } }',
  Q2: `${PAGE} { groups(${ARGS}) { edges { node { id name memberCount nestedGroupCount } } } }`,
  Q3: `${PAGE} { groups(${ARGS}) { edges { node { id name members(first: 10) { totalCount edges { ${MEMBER} } } } } } }`,
  Q4: `${PAGE} { groups(${ARGS}) { edges { node { id name nestedGroups(first: 5) { edges { node { id name
    members(first: 5) { edges { ${MEMBER} } } } } } } } } }`,
  Q5: `query ($id: ID!) { group(id: $id) { id effectiveMembers(first: 20) { totalCount edges { ${MEMBER} } } } }`,
  deep: `${PAGE} { groups(${ARGS}) { edges { cursor node { id name } } pageInfo { hasNextPage hasPreviousPage } } }`,
  search: `query ($search: String) { groups(first: 20, filter: { search: $search }) { totalCount edges { node { id name } } } }`,
  user: 'query ($id: ID!) { user(id: $id) { id effectiveGroups(first: 20) { totalCount edges { node { id name } } } } }',
  entities: 'query ($refs: [_Any!]!) { _entities(representations: $refs) { ... on Group { id name type } } }',
  add: mutation('AddGroupMembers', 'groupId: $target, userIds: [$value]'),
  remove: mutation('RemoveGroupMembers', 'groupId: $target, userIds: [$value]'),
  nest: mutation('AddNestedGroups', 'groupId: $target, childGroupIds: [$value]'),
  unnest: mutation('RemoveNestedGroup', 'groupId: $target, childGroupId: $value'),
  rename:
    'mutation ($target: ID!, $value: String!) { updateGroup(input: { id: $target, name: $value }) { __typename ... on Error { code } } }',
  upsert: `mutation ($tenant: ID!, $target: ID!, $value: String!, $email: String!) { upsertUsers(input: { tenantId: $tenant,
    users: [{ id: $target, email: $email, displayName: $value }] }) { __typename ... on Error { code } } }`,
};

const post = (text: string, variables: object): Ask => ({
  path: '/graphql',
  body: { query: TEXTS[text], variables },
});

const size = (query: string) => (query === 'Q2' ? 50 : 20);

export const coterie: Operations = {
  ask(query, { tenant, group, user, ids, row = 0, search }: Variant, cursors) {
    switch (query) {
      case 'Q1':
        return post('Q1', { id: group });
      case 'Q5':
        return post('Q5', { id: group });
      case 'deep':
        return post('deep', { first: 50, after: cursors[row - 1] });
      case 'deep-back':
        // Backward from the end of the page that is asked for: the 50 rows before the row that follows it.
        return post('deep', { last: 50, before: cursors[row + 50]! });
      case 'search':
        return post('search', { search });
      case 'user':
        return post('user', { id: user });
      case 'entities':
        return post('entities', { refs: ids!.map((id) => ({ __typename: 'Group', id })) });
      case 'REST':
        return { path: `/api/v1/tenants/${tenant}/groups?page=${row / 50 + 1}&per_page=50` };
      default:
        return post(query, {
          first: size(query),
          after: row === 0 ? null : cursors[row - 1],
        });
    }
  },
  read(query, { data, pagination }) {
    switch (query) {
      case 'REST':
        return [
          pagination.total_items,
          data.map(({ id, name, group_type, member_count, parent_group_id }: Group) => [
            id,
            name,
            group_type,
            member_count,
            parent_group_id,
          ]),
        ];
      case 'Q1':
        return [data.group.id, data.group.name, data.group.memberCount];
      case 'Q5': {
        const { totalCount, ...page } = data.group.effectiveMembers;
        return [totalCount, nodes<never>(page).map(memberPair)];
      }
      case 'search':
        return [data.groups.totalCount, nodes<never>(data.groups).map(idAndName)];
      case 'user':
        return [data.user.effectiveGroups.totalCount, nodes<never>(data.user.effectiveGroups).map(idAndName)];
      case 'entities':
        return data._entities.map(({ id, name, type }: Group) => [id, name, type]);
      default:
        return nodes<Group>(data.groups).map(groupOf[query] ?? idAndName);
    }
  },
  walk: (_tenant, after) => post('deep', { first: 100, after }),
  cursors: ({ data }) => data.groups.edges.map(({ cursor }: { cursor: string }) => cursor),
  write: (write) => post(write.kind === 'M1' ? 'add' : write.kind, write),
};

// biome-ignore lint/suspicious/noExplicitAny: a group as any of the queries selects it.
type Group = any;
const idAndName = ({ id, name }: Group) => [id, name];
const groupOf: Record<string, (group: Group) => unknown> = {
  Q2: (group) => [...idAndName(group), group.memberCount, group.nestedGroupCount],
  Q3: (group) => [...idAndName(group), group.members.totalCount, nodes<never>(group.members).map(memberPair)],
  Q4: (group) => [
    ...idAndName(group),
    nodes<Group>(group.nestedGroups).map((nested) => [
      ...idAndName(nested),
      nodes<never>(nested.members).map(memberPair),
    ]),
  ],
};
