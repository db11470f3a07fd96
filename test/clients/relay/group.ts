// A group's screen: its members, direct and effective, its place in the hierarchy, and the two ends of its nestings.
import { graphql } from 'relay-runtime';

export const GroupScreen = graphql`
  query groupScreenQuery($id: ID!, $userId: ID!) {
    group(id: $id) {
      ...groupHeader
      ...groupMembers @arguments(first: 2)
      ...groupEffectiveMembers @arguments(first: 2)
      ...groupChildren @arguments(first: 1)
      ...groupNested @arguments(first: 1)
      ...groupParents @arguments(first: 1)
      ...groupHistory @arguments(first: 1)
      hasEffectiveMember(userId: $userId)
    }
  }
`;

export const Header = graphql`
  fragment groupHeader on Group @throwOnFieldError @refetchable(queryName: "groupHeaderRefetchQuery") {
    id
    name
    description
    type
    customAttributes
    version
    createdAt
    updatedAt
    tenant { id name }
    parent { id name }
    ancestors { id name }
  }
`;

export const Members = graphql`
  fragment groupMembers on Group
  @argumentDefinitions(
    first: { type: "Int" }
    after: { type: "String" }
    last: { type: "Int" }
    before: { type: "String" }
    search: { type: "String" }
    orderBy: { type: "MemberOrder" }
  )
  @refetchable(queryName: "groupMembersPageQuery") {
    memberCount
    members(first: $first, after: $after, last: $last, before: $before, search: $search, orderBy: $orderBy)
      @connection(key: "group_members", filters: ["search", "orderBy"]) {
      totalCount
      edges { node { userId email displayName membershipType addedAt user { id } } }
    }
  }
`;

export const EffectiveMembers = graphql`
  fragment groupEffectiveMembers on Group
  @argumentDefinitions(
    first: { type: "Int" }
    after: { type: "String" }
    last: { type: "Int" }
    before: { type: "String" }
    membershipType: { type: "MembershipType" }
  )
  @refetchable(queryName: "groupEffectiveMembersPageQuery") {
    effectiveMemberCount
    effectiveMembers(first: $first, after: $after, last: $last, before: $before, membershipType: $membershipType)
      @connection(key: "group_effectiveMembers", filters: ["membershipType"]) {
      edges { node { userId email membershipType } }
    }
  }
`;

export const Children = graphql`
  fragment groupChildren on Group
  @argumentDefinitions(first: { type: "Int" }, after: { type: "String" })
  @refetchable(queryName: "groupChildrenPageQuery") {
    children(first: $first, after: $after) @connection(key: "group_children") {
      edges { node { id name path } }
    }
  }
`;

export const Nested = graphql`
  fragment groupNested on Group
  @argumentDefinitions(first: { type: "Int" }, after: { type: "String" })
  @refetchable(queryName: "groupNestedPageQuery") {
    nestedGroupCount
    nestedGroups(first: $first, after: $after) @connection(key: "group_nestedGroups") {
      edges { node { id name } }
    }
  }
`;

export const Parents = graphql`
  fragment groupParents on Group
  @argumentDefinitions(first: { type: "Int" }, after: { type: "String" })
  @refetchable(queryName: "groupParentsPageQuery") {
    parentGroups(first: $first, after: $after) @connection(key: "group_parentGroups") {
      edges { node { id name } }
    }
  }
`;

export const History = graphql`
  fragment groupHistory on Group
  @argumentDefinitions(first: { type: "Int" }, after: { type: "String" })
  @refetchable(queryName: "groupHistoryPageQuery") {
    history(first: $first, after: $after) @connection(key: "group_history") {
      edges { node { __typename at actor { subject } ... on GroupUpdated { before { name } after { name } } } }
    }
  }
`;
