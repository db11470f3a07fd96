// The GraphQL of contenders/mercurius.ts.
import type { Variant } from '../queries.ts';
import type { Ask, Operations } from './operations.ts';

const ONE = 'query ($tenant: ID!, $id: ID!)';
const PAGE = 'query ($tenant: ID!, $first: Int!, $after: String!)';
const GROUPS = 'groups(tenant: $tenant, first: $first, after: $after)';

const TEXTS: Record<string, string> = {
  Q1: `${ONE} { group(tenant: $tenant, id: $id) { id name memberCount } }`,
  Q2: `${PAGE} { ${GROUPS} { id name memberCount nestedGroupCount } }`,
  Q3: `${PAGE} { ${GROUPS} { id name memberCount members(first: 10) { userId email } } }`,
  Q4: `${PAGE} { ${GROUPS} { id name nestedGroups(first: 5) { id name members(first: 5) { userId email } } } }`,
  Q5: `${ONE} { list: effectiveMembers(tenant: $tenant, id: $id) { totalCount nodes { userId email } } }`,
  deep: `${PAGE} { ${GROUPS} { id name cursor } }`,
  'deep-back': `${PAGE} { groups: groupsBefore(tenant: $tenant, first: $first, after: $after) { id name cursor } }`,
  REST: `query ($tenant: ID!, $offset: Int!) { list: numberedGroups(tenant: $tenant, offset: $offset) {
    totalCount nodes { id name type memberCount parentGroupId } } }`,
  search:
    'query ($tenant: ID!, $search: String!) { list: search(tenant: $tenant, search: $search) { totalCount nodes { id name } } }',
  user: `${ONE} { list: effectiveGroups(tenant: $tenant, id: $id) { totalCount nodes { id name } } }`,
  entities:
    'query ($tenant: ID!, $ids: [ID!]!) { groups: groupsByIds(tenant: $tenant, ids: $ids) { id name type } }',
  write: `mutation ($kind: String!, $tenant: ID!, $target: ID!, $value: String!, $email: String) {
    write(kind: $kind, tenant: $tenant, target: $target, value: $value, email: $email) }`,
};

const post = (text: string, variables: object): Ask => ({
  path: '/graphql',
  body: { query: TEXTS[text], variables },
});

// biome-ignore lint/suspicious/noExplicitAny: a row as any of the queries selects it.
type Row = any;
const idAndName = ({ id, name }: Row) => [id, name];
const member = ({ userId, email }: Row) => [userId, email];
const rowOf: Record<string, (row: Row) => unknown> = {
  Q2: (group) => [...idAndName(group), group.memberCount, group.nestedGroupCount],
  Q3: (group) => [...idAndName(group), group.memberCount, group.members.map(member)],
  Q4: (group) => [
    ...idAndName(group),
    group.nestedGroups.map((nested: Row) => [...idAndName(nested), nested.members.map(member)]),
  ],
  Q5: member,
  REST: ({ id, name, type, memberCount, parentGroupId }) => [id, name, type, memberCount, parentGroupId],
  entities: ({ id, name, type }) => [id, name, type],
};

export const mercurius: Operations = {
  ask(query, { tenant, group, user, ids, row = 0, search }: Variant, cursors) {
    const after = row === 0 ? ' ' : cursors[row - 1];
    switch (query) {
      case 'deep':
        return post('deep', { tenant, first: 50, after });
      case 'deep-back':
        return post('deep-back', { tenant, first: 50, after: cursors[row + 50] });
      case 'REST':
        return post('REST', { tenant, offset: row });
      case 'search':
        return post('search', { tenant, search: `%${search}%` });
      case 'entities':
        return post('entities', { tenant, ids });
      case 'Q1':
      case 'Q5':
      case 'user':
        return post(query, { tenant, id: group ?? user });
      default:
        return post(query, { tenant, first: query === 'Q2' ? 50 : 20, after });
    }
  },
  read(query, { data }) {
    if (query === 'Q1') return [data.group.id, data.group.name, data.group.memberCount];
    const one = rowOf[query] ?? idAndName;
    return data.list ? [data.list.totalCount, data.list.nodes.map(one)] : data.groups.map(one);
  },
  walk: (tenant, after) => post('deep', { tenant, first: 100, after: after ?? ' ' }),
  cursors: ({ data }) => data.groups.map(({ cursor }: Row) => cursor),
  write: (write) => post('write', write),
};
