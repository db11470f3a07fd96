// A tenant's screen: its groups and its users, each list paged by the tenant's node.
import { graphql } from 'relay-runtime';

export const TenantScreen = graphql`
  query tenantScreenQuery($id: ID!) {
    tenant(id: $id) {
      ...tenantGroups @arguments(first: 2)
      ...tenantUsers @arguments(first: 2)
      ...tenantChanges @arguments(first: 2)
      ...tenantDeletedGroups @arguments(first: 2)
    }
  }
`;

export const TenantGroups = graphql`
  fragment tenantGroups on Tenant
  @argumentDefinitions(first: { type: "Int" }, after: { type: "String" }, filter: { type: "GroupFilter" })
  @refetchable(queryName: "tenantGroupsPageQuery") {
    groups(first: $first, after: $after, filter: $filter) @connection(key: "tenant_groups") {
      totalCount
      edges { node { id name } }
    }
  }
`;

export const TenantUsers = graphql`
  fragment tenantUsers on Tenant
  @argumentDefinitions(
    first: { type: "Int" }
    after: { type: "String" }
    last: { type: "Int" }
    before: { type: "String" }
    search: { type: "String" }
  )
  @refetchable(queryName: "tenantUsersPageQuery") {
    users(first: $first, after: $after, last: $last, before: $before, search: $search)
      @connection(key: "tenant_users") {
      edges { node { id email displayName } }
    }
  }
`;

export const TenantChanges = graphql`
  fragment tenantChanges on Tenant
  @argumentDefinitions(first: { type: "Int" }, after: { type: "String" })
  @refetchable(queryName: "tenantChangesPageQuery") {
    changes(first: $first, after: $after) @connection(key: "tenant_changes") {
      edges { node { __typename position at actor { subject } ... on GroupChange { groupId } } }
    }
  }
`;

export const TenantDeletedGroups = graphql`
  fragment tenantDeletedGroups on Tenant
  @argumentDefinitions(first: { type: "Int" }, after: { type: "String" })
  @refetchable(queryName: "tenantDeletedGroupsPageQuery") {
    deletedGroups(first: $first, after: $after) @connection(key: "tenant_deletedGroups") {
      edges { node { groupId name deletedAt deletedBy } }
    }
  }
`;
