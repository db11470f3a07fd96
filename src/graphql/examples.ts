// Operations to start from in GraphiQL: some queries, and each mutation with variables that hold in the demo directory.

/** A tab: one operation, so that it runs without being chosen first. */
export type Example = { readonly query: string; readonly variables?: Record<string, unknown> };

const NORTHWIND = 'tnt_Northwind0000000';
const RESEARCH = 'grp_north006Research';
const FINANCE = 'grp_north015Finance0';

/** In lines that the editor shows whole on a narrow window; in any order each answers with its payload at first. */
export const EXAMPLES: readonly Example[] = [
  {
    query: `# Who am I, and which groups do I see?
query Welcome {
  viewer { subject role mayChange }
  groups(first: 10) {
    totalCount
    edges { node {
      id name type path
      memberCount effectiveMemberCount
    } }
    pageInfo { hasNextPage endCursor }
  }
}`,
  },
  {
    query: `# Who is in a group, directly or by nesting?
query Members($search: String) {
  groups(first: 3, filter: { search: $search }) {
    edges { node {
      id name
      nestedGroups(first: 5) {
        edges { node { name memberCount } }
      }
      effectiveMembers(first: 5) {
        totalCount
        edges { node { email membershipType } }
      }
    } }
  }
}`,
    variables: { search: 'engineering' },
  },
  {
    query: `# What is filed below the roots of a tenant?
query Hierarchy($filter: GroupFilter) {
  groups(first: 5, filter: $filter) {
    edges { node {
      id name
      children(first: 10) {
        edges { node { id name path } }
      }
    } }
  }
}`,
    variables: { filter: { tenantId: NORTHWIND, parentGroupId: null } },
  },
  mutation('createGroup', 'A name is free once among its siblings.', 'group { id name path version }', {
    tenantId: NORTHWIND,
    name: 'Book club',
    type: 'DISTRIBUTION',
    initialMemberIds: ['usr_north00030000000'],
  }),
  mutation('updateGroup', 'What is absent stays; null clears.', 'group { id name description version }', {
    id: RESEARCH,
    description: 'What comes next',
  }),
  mutation(
    'deleteGroup',
    'BLOCK, ORPHAN or CASCADE: what of its children?',
    'deletedGroupIds\n      movedGroups { id name path }\n      removedMembershipCount',
    { id: FINANCE, strategy: 'ORPHAN' },
  ),
  {
    query: `# Deletes a group first, to have one to restore.
mutation RestoreGroup(
  $delete: DeleteGroupInput!
  $restore: RestoreGroupInput!
) {
  deleteGroup(input: $delete) {
    __typename
    ... on DeleteGroupPayload {
      movedGroups { id name path }
    }
    ... on Error { code message }
  }
  restoreGroup(input: $restore) {
    __typename
    ... on RestoreGroupPayload {
      group { id name children { totalCount } }
      notRestored { kind objectId reason }
    }
    ... on Error { code message }
  }
}`,
    variables: { delete: { id: FINANCE, strategy: 'ORPHAN' }, restore: { id: FINANCE } },
  },
  mutation(
    'addGroupMembers',
    'Who is a member stays one.',
    'added unchanged\n      group { id name memberCount }',
    {
      groupId: RESEARCH,
      userIds: ['usr_north00030000000', 'usr_north00620000000'],
    },
  ),
  mutation(
    'removeGroupMembers',
    'Only direct memberships end.',
    'removed unchanged\n      group { id memberCount }',
    {
      groupId: RESEARCH,
      userIds: ['usr_north00580000000'],
    },
  ),
  mutation(
    'updateGroupMembers',
    'Both at once, all or nothing.',
    'added removed unchanged\n      group { id memberCount }',
    {
      groupId: 'grp_north005Quality0',
      usersToAdd: ['usr_north00030000000'],
      usersToRemove: ['usr_north00040000000'],
    },
  ),
  mutation(
    'addNestedGroups',
    "The children's members count in the group.",
    'added unchanged\n      group { id effectiveMemberCount }',
    { groupId: 'grp_north028ArchiveO', childGroupIds: ['grp_north030SiteGhen'] },
  ),
  mutation(
    'removeNestedGroup',
    'They count in it no longer.',
    'group { id effectiveMemberCount }\n      childGroup { id name }',
    { groupId: 'grp_north018People00', childGroupId: 'grp_north020Learning' },
  ),
  mutation('upsertUsers', 'Users as the identity provider tells them.', 'created updated', {
    tenantId: NORTHWIND,
    users: [{ id: 'usr_north09990000000', email: 'zoe.zhang@northwind.example', displayName: 'Zoe Zhang' }],
  }),
  mutation('removeUsers', 'Their memberships end.', 'removed\n      endedMembershipCount', {
    tenantId: NORTHWIND,
    userIds: ['usr_north01900000000'],
  }),
];

function mutation(name: string, remark: string, payload: string, input: object): Example {
  const title = `${name[0]!.toUpperCase()}${name.slice(1)}`;
  const query = `# ${remark}
mutation ${title}(
  $input: ${title}Input!
) {
  ${name}(input: $input) {
    __typename
    ... on ${title}Payload {
      ${payload}
    }
    ... on Error { code message }
  }
}`;
  return { query, variables: { input } };
}
