// Changes as a Relay app sends them: the payload brings objects up to date, and the lists that are named to it.
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

export const CreateGroup = graphql`
  mutation mutationsCreateGroupMutation($input: CreateGroupInput!, $connections: [ID!]!) {
    createGroup(input: $input) {
      __typename
      ... on CreateGroupPayload {
        group @appendNode(connections: $connections, edgeTypeName: "GroupEdge") {
          id
          ...directoryGroupRow
        }
      }
      ... on Error { code message }
    }
  }
`;

export const DeleteGroup = graphql`
  mutation mutationsDeleteGroupMutation($input: DeleteGroupInput!, $connections: [ID!]!) {
    deleteGroup(input: $input) {
      __typename
      ... on DeleteGroupPayload {
        deletedGroupIds @deleteEdge(connections: $connections)
        movedGroups { id parent { id } path }
      }
      ... on Error { code message }
    }
  }
`;

export const PreviewChanges = graphql`
  query mutationsPreviewChangesQuery($changes: [ChangeInput!]!) {
    previewChanges(changes: $changes) {
      hash
      effects {
        outcomes { refusal { code message } }
        affectedGroups(first: 10) {
          edges { node { group { name } joiningCount leavingCount leaving(first: 3) { userId } } }
        }
      }
    }
  }
`;
