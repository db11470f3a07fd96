// Screens of an invented Relay app: every connection of the schema, each paged as a screen would page it.
import { graphql } from 'relay-runtime';

export const DirectoryScreen = graphql`
  query directoryScreenQuery($first: Int!) {
    viewer { subject role mayChange user { id } tenant { id } }
    ...directoryTenants @arguments(first: $first)
    ...directoryGroups @arguments(first: $first, orderBy: { field: NAME })
  }
`;

export const Tenants = graphql`
  fragment directoryTenants on Query
  @argumentDefinitions(first: { type: "Int" }, after: { type: "String" })
  @refetchable(queryName: "directoryTenantsPageQuery") {
    tenants(first: $first, after: $after) @connection(key: "directory_tenants") {
      totalCount
      edges {
        node {
          id
          name
          slug
          partner { id name }
        }
      }
    }
  }
`;

export const Groups = graphql`
  fragment directoryGroups on Query
  @argumentDefinitions(
    first: { type: "Int" }
    after: { type: "String" }
    last: { type: "Int" }
    before: { type: "String" }
    filter: { type: "GroupFilter" }
    orderBy: { type: "GroupOrder" }
  )
  @refetchable(queryName: "directoryGroupsPageQuery") {
    groups(first: $first, after: $after, last: $last, before: $before, filter: $filter, orderBy: $orderBy)
      @connection(key: "directory_groups", filters: ["filter", "orderBy"]) {
      edges {
        cursor
        node {
          id
          ...directoryGroupRow
        }
      }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
`;

export const GroupRow = graphql`
  fragment directoryGroupRow on Group {
    name
    type
    path
    memberCount
    effectiveMemberCount
    nestedGroupCount
  }
`;
