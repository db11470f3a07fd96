// The documents of a scripted session: Apollo Client and urql send the same.

const ROW = '__typename id name memberCount effectiveMemberCount';
const PAGE = 'pageInfo { hasNextPage endCursor }';

/** A group with the first children filed under it, and whose members count in it. */
export const GROUP = `query Group($id: ID!, $first: Int!, $after: String) {
  group(id: $id) {
    ${ROW} nestedGroupCount
    children(first: $first, after: $after) { totalCount edges { node { ${ROW} parent { id } } } ${PAGE} }
  }
}`;

/** A list of which no payload selects anything. */
export const GROUPS = `query Groups($filter: GroupFilter) {
  groups(first: 100, filter: $filter) { totalCount edges { node { __typename id name } } }
}`;

export const CREATE = `mutation Create($input: CreateGroupInput!) {
  createGroup(input: $input) {
    __typename
    ... on CreateGroupPayload { group { __typename id name } }
    ... on Error { code message }
  }
}`;

export const USER = `query User($id: ID!) {
  user(id: $id) { __typename id groups { totalCount edges { node { __typename id name } } } }
}`;

/** What changed beside the group itself is in the payload: the parent that lost it, and the one that has it now. */
export const MOVE = `mutation Move($input: UpdateGroupInput!) {
  updateGroup(input: $input) {
    __typename
    ... on UpdateGroupPayload {
      group { ${ROW} parent { __typename id children(first: 100) { totalCount edges { node { __typename id name } } ${PAGE} } } }
      previousParent { __typename id children(first: 100) { totalCount edges { node { __typename id name } } ${PAGE} } }
    }
    ... on Error { code message }
  }
}`;

export const RENAME = `mutation Rename($input: UpdateGroupInput!) {
  updateGroup(input: $input) {
    __typename
    ... on UpdateGroupPayload { group { __typename id name version } }
    ... on Error { code message }
  }
}`;

export const ADD_MEMBERS = `mutation AddMembers($input: AddGroupMembersInput!) {
  addGroupMembers(input: $input) {
    __typename
    ... on AddGroupMembersPayload {
      group { ${ROW} }
      users { __typename id groups { totalCount edges { node { __typename id name } } } }
    }
    ... on Error { code message }
  }
}`;

export const NEST = `mutation Nest($input: AddNestedGroupsInput!) {
  addNestedGroups(input: $input) {
    __typename
    ... on AddNestedGroupsPayload {
      group { ${ROW} nestedGroupCount }
      childGroups { __typename id parentGroups { totalCount } }
    }
    ... on Error { code message }
  }
}`;

export const DELETE = `mutation Delete($input: DeleteGroupInput!) {
  deleteGroup(input: $input) {
    __typename
    ... on DeleteGroupPayload { deletedGroupIds parent { ${ROW} nestedGroupCount children(first: 100) { totalCount } } }
    ... on Error { code message }
  }
}`;
