// A person's screen: the groups it is a direct and an effective member of.
import { graphql } from 'relay-runtime';

export const UserScreen = graphql`
  query userScreenQuery($ids: [ID!]!) {
    nodes(ids: $ids) {
      ...userGroups @alias @arguments(first: 1)
      ...userEffectiveGroups @alias @arguments(first: 1)
      ...userHistory @alias @arguments(first: 1)
    }
  }
`;

export const UserGroups = graphql`
  fragment userGroups on User
  @argumentDefinitions(first: { type: "Int" }, after: { type: "String" })
  @refetchable(queryName: "userGroupsPageQuery") {
    email
    groups(first: $first, after: $after) @connection(key: "user_groups") {
      edges { node { id name } }
    }
  }
`;

export const UserEffectiveGroups = graphql`
  fragment userEffectiveGroups on User
  @argumentDefinitions(
    first: { type: "Int" }
    after: { type: "String" }
    last: { type: "Int" }
    before: { type: "String" }
  )
  @refetchable(queryName: "userEffectiveGroupsPageQuery") {
    effectiveGroups(first: $first, after: $after, last: $last, before: $before)
      @connection(key: "user_effectiveGroups") {
      edges { node { id name } }
    }
  }
`;

export const UserHistory = graphql`
  fragment userHistory on User
  @argumentDefinitions(first: { type: "Int" }, after: { type: "String" })
  @refetchable(queryName: "userHistoryPageQuery") {
    history(first: $first, after: $after) @connection(key: "user_history") {
      edges { node { __typename at actor { subject } ... on MembersRemoved { cause group { name } } } }
    }
  }
`;
