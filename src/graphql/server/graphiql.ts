// GraphiQL, served from the package, with operations to start from: some queries, and each mutation.
import { hash } from 'node:crypto';
import { renderGraphiQL } from '@graphql-yoga/render-graphiql';

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

/**
 * The script of the page alone may run, and talks to this server alone; styles are let through, which the editor writes
 * into elements, and its workers come from blobs. No other site can frame it to have somebody click in it.
 */
const policy = (script: string) =>
  [
    "default-src 'none'",
    `script-src 'sha256-${hash('sha256', script, 'base64')}'`,
    'worker-src blob:',
    "style-src 'unsafe-inline'",
    'img-src data:',
    'font-src data:',
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');

/**
 * More tabs than fit beside each other are scrolled out of sight without a sign; this way they stand in rows. And a tab
 * that is pressed is moved from under the mouse, before it has been clicked: it stays.
 */
const STYLE = `
  .graphiql-container .graphiql-session-header { height: auto }
  .graphiql-container .graphiql-tabs { flex-wrap: wrap }
  .graphiql-container .graphiql-tab { transform: none !important }`;

/** The page, made when it is first asked for; with a development token, its Authorization header is filled in. */
export function graphiqlPage(developmentToken: string | null): () => Response {
  let page: ReturnType<typeof render> | undefined;
  return () => {
    page ??= render(developmentToken);
    return new Response(new Uint8Array(page.html), {
      headers: {
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'no-store',
        'content-security-policy': page.policy,
        etag: page.etag,
      },
    });
  };
}

function render(developmentToken: string | null) {
  const headers = developmentToken
    ? JSON.stringify({ authorization: `Bearer ${developmentToken}` }, null, 2)
    : '{\n  "authorization": "Bearer …"\n}';
  const html = renderGraphiQL({
    title: 'Coterie',
    endpoint: '/graphql',
    headers,
    defaultQuery: EXAMPLES[0]!.query,
    defaultTabs: EXAMPLES.map(({ query, variables }) => ({
      query,
      variables: variables ? JSON.stringify(variables, null, 2) : null,
      headers,
    })),
    shouldPersistHeaders: false,
    // Whoever has no token yet has to fill one in first.
    defaultEditorToolsVisibility: developmentToken ? 'variables' : 'headers',
  }).replace('</head>', `<style>${STYLE}</style></head>`);
  // Its one script ends the body.
  const script = html.slice(html.indexOf('<script>') + '<script>'.length, html.lastIndexOf('</script>'));
  return {
    html: Buffer.from(html),
    policy: policy(script),
    etag: `"${hash('sha256', html, 'base64url')}"`,
  };
}
