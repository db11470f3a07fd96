// PostGraphile's GraphQL over the functions in contenders/postgraphile.sql.
import type { Variant } from '../queries.ts';
import type { Ask, Operations } from './operations.ts';

const PAGE = 'query ($tenant: String!, $after: Cursor, $before: Cursor, $first: Int, $last: Int)';
const GROUPS = `allGroups(first: $first, last: $last, after: $after, before: $before,
  condition: { tenantId: $tenant, deletedAt: null }, orderBy: [NAME_KEY_ASC, PRIMARY_KEY_ASC])`;
const ONE = 'query ($tenant: String!, $id: String!)';
const MEMBERS = 'edges { node { rowId email } }';

const TEXTS: Record<string, string> = {
  Q1: `${ONE} { groupByTenantIdAndRowId(tenantId: $tenant, rowId: $id) { rowId name countedMembers } }`,
  Q2: `${PAGE} { ${GROUPS} { edges { node { rowId name countedMembers countedNestedGroups } } } }`,
  Q3: `${PAGE} { ${GROUPS} { edges { node { rowId name directMembers(first: 10) { totalCount ${MEMBERS} } } } } }`,
  Q4: `${PAGE} { ${GROUPS} { edges { node { rowId name nestedGroups(first: 5) { edges { node { rowId name
    directMembers(first: 5) { ${MEMBERS} } } } } } } } }`,
  Q5: `${ONE} { groupByTenantIdAndRowId(tenantId: $tenant, rowId: $id) { rowId effectiveMembers(first: 20) { totalCount ${MEMBERS} } } }`,
  deep: `${PAGE} { ${GROUPS} { edges { cursor node { rowId name } } pageInfo { hasNextPage hasPreviousPage } } }`,
  // PostGraphile has no REST: the same content.
  REST: `query ($tenant: String!, $offset: Int) { allGroups(first: 50, offset: $offset,
    condition: { tenantId: $tenant, deletedAt: null }, orderBy: [NAME_KEY_ASC, PRIMARY_KEY_ASC]) {
    totalCount edges { node { rowId name type countedMembers parentGroupId } } } }`,
  search: `query ($tenant: String!, $search: String!) { searchGroups(tenant: $tenant, term: $search, first: 20) {
    totalCount edges { node { rowId name } } } }`,
  user: `${ONE} { userByTenantIdAndRowId(tenantId: $tenant, rowId: $id) { rowId effectiveGroups(first: 20) {
    totalCount edges { node { rowId name } } } } }`,
  entities:
    'query ($tenant: String!, $ids: [String]) { groupsByIds(tenant: $tenant, ids: $ids) { edges { node { rowId name type } } } }',
  M1: `mutation ($tenant: String!, $group: String!, $user: String!) {
    addGroupMember(input: { tenant: $tenant, groupId: $group, userId: $user }) { result } }`,
};

const post = (text: string, variables: object): Ask => ({
  path: '/graphql',
  body: { query: TEXTS[text], variables },
});

const size = (query: string) => (query.startsWith('Q2') ? 50 : 20);

export const postgraphile: Operations = {
  ask(query, { tenant, group, user, ids, page, search }: Variant, cursors) {
    switch (query) {
      case 'Q1':
        return post('Q1', { tenant, id: group });
      case 'Q5a':
      case 'Q5b':
        return post('Q5', { tenant, id: group });
      case 'deep':
        return post('deep', { tenant, first: 50, after: cursors[page! - 1] });
      case 'deep-back':
        return post('deep', { tenant, last: 50, before: cursors[page!]! });
      case 'search':
        return post('search', { tenant, search });
      case 'user':
        return post('user', { tenant, id: user });
      case 'entities':
        return post('entities', { tenant, ids });
      case 'REST':
        return post('REST', { tenant, offset: page! * 50 });
      case 'M1':
        return null;
      default:
        return post(query.slice(0, 2), {
          tenant,
          first: size(query),
          after: page === 0 ? null : cursors[page! - 1],
        });
    }
  },
  read(query, { data }) {
    switch (query) {
      case 'Q1':
        return [
          data.groupByTenantIdAndRowId.rowId,
          data.groupByTenantIdAndRowId.name,
          data.groupByTenantIdAndRowId.countedMembers,
        ];
      case 'Q5a':
      case 'Q5b':
        return [
          data.groupByTenantIdAndRowId.effectiveMembers.totalCount,
          rows(data.groupByTenantIdAndRowId.effectiveMembers).map(member),
        ];
      case 'REST':
        return [
          data.allGroups.totalCount,
          rows(data.allGroups).map(({ rowId, name, type, countedMembers, parentGroupId }) => [
            rowId,
            name,
            type,
            countedMembers,
            parentGroupId,
          ]),
        ];
      case 'search':
        return [data.searchGroups.totalCount, rows(data.searchGroups).map(idAndName)];
      case 'user':
        return [
          data.userByTenantIdAndRowId.effectiveGroups.totalCount,
          rows(data.userByTenantIdAndRowId.effectiveGroups).map(idAndName),
        ];
      case 'entities':
        return rows(data.groupsByIds).map(({ rowId, name, type }) => [rowId, name, type]);
      default:
        return rows(data.allGroups).map(groupOf[query.slice(0, 2)] ?? idAndName);
    }
  },
  walk: (tenant, after) => post('deep', { tenant, first: 50, after }),
  cursor: ({ data }) => data.allGroups.edges.at(-1).cursor,
  addMember: (addition) => post('M1', addition),
};

// biome-ignore lint/suspicious/noExplicitAny: a row as any of the queries selects it.
type Row = any;
const rows = ({ edges }: Row): Row[] => edges.map((edge: Row) => edge.node);
const idAndName = ({ rowId, name }: Row) => [rowId, name];
const member = ({ rowId, email }: Row) => [rowId, email];
const groupOf: Record<string, (group: Row) => unknown> = {
  Q2: (group) => [...idAndName(group), group.countedMembers, group.countedNestedGroups],
  Q3: (group) => [...idAndName(group), group.directMembers.totalCount, rows(group.directMembers).map(member)],
  Q4: (group) => [
    ...idAndName(group),
    rows(group.nestedGroups).map((nested) => [...idAndName(nested), rows(nested.directMembers).map(member)]),
  ],
};
