// Changes as a Relay app sends them: the payload alone brings its store up to date.
import { graphql } from 'relay-runtime';

export const RenameGroup = graphql`
  mutation mutationsRenameGroupMutation($input: UpdateGroupInput!) {
    updateGroup(input: $input) {
      __typename
      ... on UpdateGroupPayload { group { ...groupHeader } }
      ... on Error { code message }
    }
  }
`;

export const DeleteGroup = graphql`
  mutation mutationsDeleteGroupMutation($input: DeleteGroupInput!) {
    deleteGroup(input: $input) {
      __typename
      ... on DeleteGroupPayload {
        deletedGroupIds @deleteRecord
        movedGroups { id parent { id } path }
      }
      ... on Error { code message }
    }
  }
`;
