// PostGraphile's GraphQL over the functions in contenders/postgraphile.sql.
import type { WriteKind } from '../contenders/statements.ts';
import type { Variant } from '../queries.ts';
import type { Ask, Operations } from './operations.ts';

const PAGE = 'query ($tenant: String!, $after: Cursor, $before: Cursor, $first: Int, $last: Int)';
const GROUPS = `allGroups(first: $first, last: $last, after: $after, before: $before,
  condition: { tenantId: $tenant, deletedAt: null }, orderBy: [NAME_KEY_ASC, PRIMARY_KEY_ASC])`;
const ONE = 'query ($tenant: String!, $id: String!)';
const MEMBERS = 'rowId email';

const TEXTS: Record<string, string> = {
  Q1: `${ONE} { groupByTenantIdAndRowId(tenantId: $tenant, rowId: $id) { rowId name memberCount } }`,
  Q2: `${PAGE} { ${GROUPS} { edges { node { rowId name memberCount countedNestedGroups } } } }`,
  Q3: `${PAGE} { ${GROUPS} { edges { node { rowId name memberCount directMembersList(upTo: 10) { ${MEMBERS} } } } } }`,
  Q4: `${PAGE} { ${GROUPS} { edges { node { rowId name nestedGroupsList(upTo: 5) { rowId name
    directMembersList(upTo: 5) { ${MEMBERS} } } } } } }`,
  Q5: `${ONE} { groupByTenantIdAndRowId(tenantId: $tenant, rowId: $id) { rowId effectiveMemberCount effectiveMembersList(upTo: 20) { ${MEMBERS} } } }`,
  deep: `${PAGE} { ${GROUPS} { edges { cursor node { rowId name } } pageInfo { hasNextPage hasPreviousPage } } }`,
  // PostGraphile has no REST: the same content.
  REST: `query ($tenant: String!, $offset: Int) { allGroups(first: 50, offset: $offset,
    condition: { tenantId: $tenant, deletedAt: null }, orderBy: [NAME_KEY_ASC, PRIMARY_KEY_ASC]) {
    totalCount edges { node { rowId name type memberCount parentGroupId } } } }`,
  search: `query ($tenant: String!, $search: String!) { searchGroupsCount(tenant: $tenant, term: $search)
    searchGroupsList(tenant: $tenant, term: $search, upTo: 20) { rowId name } }`,
  user: `${ONE} { userByTenantIdAndRowId(tenantId: $tenant, rowId: $id) { rowId effectiveGroupCount effectiveGroupsList(upTo: 20) { rowId name } } }`,
  entities:
    'query ($tenant: String!, $ids: [String]) { groupsByIdsList(tenant: $tenant, ids: $ids) { rowId name type } }',
};

const post = (text: string, variables: object): Ask => ({
  path: '/graphql',
  body: { query: TEXTS[text], variables },
});

/** The function of the write; its name is all that differs. */
const writing = (
  kind: WriteKind,
) => `mutation ($tenant: String!, $target: String!, $value: String!, $email: String) {
  write${kind === 'M1' ? 'M1' : kind[0]!.toUpperCase() + kind.slice(1)}(input: { tenant: $tenant, target: $target, value: $value, email: $email }) { result } }`;

const size = (query: string) => (query === 'Q2' ? 50 : 20);

export const postgraphile: Operations = {
  ask(query, { tenant, group, user, ids, row = 0, search }: Variant, cursors) {
    switch (query) {
      case 'Q1':
        return post('Q1', { tenant, id: group });
      case 'Q5':
        return post('Q5', { tenant, id: group });
      case 'deep':
        return post('deep', { tenant, first: 50, after: cursors[row - 1] });
      case 'deep-back':
        return post('deep', { tenant, last: 50, before: cursors[row + 50]! });
      case 'search':
        return post('search', { tenant, search });
      case 'user':
        return post('user', { tenant, id: user });
      case 'entities':
        return post('entities', { tenant, ids });
      case 'REST':
        return post('REST', { tenant, offset: row });
      default:
        return post(query, {
          tenant,
          first: size(query),
          after: row === 0 ? null : cursors[row - 1],
        });
    }
  },
  read(query, { data }) {
    switch (query) {
      case 'Q1':
        return [
          data.groupByTenantIdAndRowId.rowId,
          data.groupByTenantIdAndRowId.name,
          data.groupByTenantIdAndRowId.memberCount,
        ];
      case 'Q5':
        return [
          data.groupByTenantIdAndRowId.effectiveMemberCount,
          data.groupByTenantIdAndRowId.effectiveMembersList.map(member),
        ];
      case 'REST':
        return [
          data.allGroups.totalCount,
          rows(data.allGroups).map(({ rowId, name, type, memberCount, parentGroupId }) => [
            rowId,
            name,
            type,
            memberCount,
            parentGroupId,
          ]),
        ];
      case 'search':
        return [data.searchGroupsCount, data.searchGroupsList.map(idAndName)];
      case 'user':
        return [
          data.userByTenantIdAndRowId.effectiveGroupCount,
          data.userByTenantIdAndRowId.effectiveGroupsList.map(idAndName),
        ];
      case 'entities':
        return data.groupsByIdsList.map(({ rowId, name, type }: Row) => [rowId, name, type]);
      default:
        return rows(data.allGroups).map(groupOf[query] ?? idAndName);
    }
  },
  walk: (tenant, after) => post('deep', { tenant, first: 100, after }),
  cursors: ({ data }) => data.allGroups.edges.map(({ cursor }: { cursor: string }) => cursor),
  write: (write) => ({ path: '/graphql', body: { query: writing(write.kind), variables: write } }),
};

// biome-ignore lint/suspicious/noExplicitAny: a row as any of the queries selects it.
type Row = any;
const rows = ({ edges }: Row): Row[] => edges.map((edge: Row) => edge.node);
const idAndName = ({ rowId, name }: Row) => [rowId, name];
const member = ({ rowId, email }: Row) => [rowId, email];
const groupOf: Record<string, (group: Row) => unknown> = {
  Q2: (group) => [...idAndName(group), group.memberCount, group.countedNestedGroups],
  Q3: (group) => [...idAndName(group), group.memberCount, group.directMembersList.map(member)],
  Q4: (group) => [
    ...idAndName(group),
    group.nestedGroupsList.map((nested: Row) => [...idAndName(nested), nested.directMembersList.map(member)]),
  ],
};
