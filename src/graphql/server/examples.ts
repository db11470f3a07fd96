// The example operations that GraphiQL starts with: some queries, and one for each mutation.

/** A tab of GraphiQL. It holds one operation, so that it runs without a choice of operation. */
export type Example = { readonly query: string; readonly variables?: Record<string, unknown> };

const NORTHWIND = 'tnt_Northwind0000000';
const RESEARCH = 'grp_north006Research';
const FINANCE = 'grp_north015Finance0';
/** The hash of a preview that creates the club. */
const CHESS_CLUB = '1c0e77822669098984e50d14e58ee48552f784918ab3e0b35c9c296eb58bcdf4';

/**
 * The tabs, on the development data. Lines are short enough for the editor in a narrow window. Each mutation returns its
 * payload when it runs for the first time, in any order.
 */
export const EXAMPLES: readonly Example[] = [
  {
    query: `# Who am I, and which groups can I see?
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
  {
    query: `# Why is this user a member of the group?
query Why($group: ID!, $user: ID!) {
  group(id: $group) {
    name
    explainMembership(userId: $user) {
      membershipType pathCount
      paths { steps {
        group { id name }
        sinceAt addedBy
      } }
      lastLost { at by cause group { name } }
    }
  }
}`,
    variables: { group: 'grp_north021Oncall00', user: 'usr_north00180000000' },
  },
  {
    query: `# As of a position, or of a time (at).
query AsOf($tenant: ID!, $position: Position!) {
  tenant(id: $tenant) {
    position
    asOf(position: $position) {
      at
      groups(first: 5) {
        totalCount
        edges { node {
          groupId name path
          effectiveMembers(first: 2) {
            totalCount
            edges { node { email } }
          }
        } }
      }
    }
  }
}`,
    variables: { tenant: NORTHWIND, position: '1' },
  },
  {
    query: `# What happened in a tenant, and who did it?
query Changes($tenant: ID!, $after: String) {
  tenant(id: $tenant) {
    position
    changes(first: 10, after: $after) {
      edges { cursor node {
        __typename position at
        actor { subject type }
        ... on GroupChange { group { id name } }
        ... on UsersChange { userIds }
      } }
    }
  }
}`,
    variables: { tenant: NORTHWIND, after: '0' },
  },
  {
    query: `# Changes as they happen: make one elsewhere.
subscription Feed($tenant: ID!) {
  changes(tenantId: $tenant) {
    __typename cursor at
    actor { subject }
    ... on GroupChange { group { id name } }
    ... on UsersChange { userIds }
  }
}`,
    variables: { tenant: NORTHWIND },
  },
  {
    query: `# What would these changes do?
query WhatIf($changes: [ChangeInput!]!) {
  previewChanges(changes: $changes) {
    hash
    effects {
      outcomes { index refusal { code message } }
      affectedGroups { edges { node {
        group { name }
        joiningCount leavingCount
      } } }
    }
  }
}`,
    variables: {
      changes: [
        { removeNestedGroup: { groupId: 'grp_north021Oncall00', childGroupId: 'grp_north022Firstlin' } },
      ],
    },
  },
  mutation('createGroup', 'Names are unique among siblings.', 'group { id name path version }', {
    tenantId: NORTHWIND,
    name: 'Book club',
    type: 'DISTRIBUTION',
    initialMemberIds: ['usr_north00030000000'],
  }),
  mutation(
    'updateGroup',
    'Omitted fields stay unchanged; null clears.',
    'group { id name description version }',
    {
      id: RESEARCH,
      description: 'What comes next',
    },
  ),
  mutation(
    'deleteGroup',
    'The strategy is BLOCK, ORPHAN or CASCADE.',
    'deletedGroupIds\n      movedGroups { id name path }\n      removedMembershipCount',
    { id: FINANCE, strategy: 'ORPHAN' },
  ),
  {
    query: `# Deletes a group first, in order to restore it.
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
    'Existing members are left unchanged.',
    'added unchanged\n      group { id name memberCount }',
    {
      groupId: RESEARCH,
      userIds: ['usr_north00030000000', 'usr_north00620000000'],
    },
  ),
  mutation(
    'removeGroupMembers',
    'Only direct memberships are removed.',
    'removed unchanged\n      group { id memberCount }',
    {
      groupId: RESEARCH,
      userIds: ['usr_north00580000000'],
    },
  ),
  mutation(
    'updateGroupMembers',
    'Adds and removes in one transaction.',
    'added removed unchanged\n      group { id memberCount }',
    {
      groupId: 'grp_north005Quality0',
      usersToAdd: ['usr_north00030000000'],
      usersToRemove: ['usr_north00040000000'],
    },
  ),
  mutation(
    'setGroupMembers',
    'Adds who is missing, removes the others.',
    'added removed\n      group { id memberCount }',
    {
      groupId: 'grp_north005Quality0',
      userIds: ['usr_north00030000000', 'usr_north00050000000'],
    },
  ),
  mutation(
    'addNestedGroups',
    'Members of children become effective members.',
    'added unchanged\n      group { id effectiveMemberCount }',
    { groupId: 'grp_north028ArchiveO', childGroupIds: ['grp_north030SiteGhen'] },
  ),
  mutation(
    'removeNestedGroup',
    'Their effective membership ends.',
    'group { id effectiveMemberCount }\n      childGroup { id name }',
    { groupId: 'grp_north018People00', childGroupId: 'grp_north020Learning' },
  ),
  mutation('upsertUsers', 'Creates or updates users, by id.', 'created updated', {
    tenantId: NORTHWIND,
    users: [{ id: 'usr_north09990000000', email: 'zoe.zhang@northwind.example', displayName: 'Zoe Zhang' }],
  }),
  mutation('removeUsers', 'Also removes their memberships.', 'removed\n      endedMembershipCount', {
    tenantId: NORTHWIND,
    userIds: ['usr_north01900000000'],
  }),
  mutation(
    'eraseUsers',
    'Removes them, and blanks their names for good.',
    'erased\n      endedMembershipCount',
    {
      tenantId: NORTHWIND,
      userIds: ['usr_north01910000000'],
    },
  ),
  mutation('createTenant', 'For those who see all tenants.', 'tenant { id name slug }', {
    partnerId: 'prt_Meridian00000000',
    name: 'Contoso',
    slug: 'contoso',
  }),
  mutation('updateTenant', 'For those who see all tenants.', 'tenant { id name slug }', {
    id: NORTHWIND,
    name: 'Northwind Traders',
  }),
  mutation(
    'applyChanges',
    'The hash is that of a preview of the changes.',
    'effects { outcomes {\n        createdGroups { groupId }\n      } }',
    { changes: [{ createGroup: { tenantId: NORTHWIND, name: 'Chess club' } }], previewHash: CHESS_CLUB },
  ),
];

function mutation(name: string, comment: string, payload: string, input: object): Example {
  const title = `${name[0]!.toUpperCase()}${name.slice(1)}`;
  const query = `# ${comment}
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
