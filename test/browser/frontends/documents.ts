// The documents of the frontends. Relay's compiler is given them too: their names begin with that of its module.

export const PAGE = `query documentsPageQuery($tenant: ID!, $first: Int, $after: String, $last: Int, $before: String) {
  tenant(id: $tenant) {
    id
    groups(first: $first, after: $after, last: $last, before: $before, filter: { parentGroupId: null }) {
      edges { node { __typename id name } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
}`;

export const RENAME = `mutation documentsRenameMutation($input: UpdateGroupInput!) {
  updateGroup(input: $input) {
    __typename
    ... on UpdateGroupPayload { group { __typename id name version } }
    ... on Error { message }
  }
}`;
