// GraphiQL, served from the package, with operations to start from.
import { hash } from 'node:crypto';
import { renderGraphiQL } from '@graphql-yoga/render-graphiql';

const EXAMPLES = [
  `# Who am I, and which groups do I see?
query Welcome {
  viewer { subject role mayChange }
  groups(first: 10) {
    totalCount
    edges { node { id name type path memberCount effectiveMemberCount } }
    pageInfo { hasNextPage endCursor }
  }
}`,
  `# Who is in a group, directly or through nesting?
query EffectiveMembers($search: String = "engineering") {
  groups(first: 3, filter: { search: $search }) {
    edges { node {
      name
      nestedGroups(first: 5) { edges { node { name memberCount } } }
      effectiveMembers(first: 5) {
        totalCount
        edges { node { email membershipType } }
      }
    } }
  }
}`,
  `# Where is a group filed, and what lies below it?
query Hierarchy {
  groups(first: 5, filter: { parentGroupId: null }) {
    edges { node {
      name
      children(first: 10) { edges { node { name path } } }
    } }
  }
}`,
  `# Create a group: pick a tenant's id from the first query below.
query Tenants { tenants { edges { node { id name partner { name } } } } }

mutation CreateGroup($tenantId: ID!) {
  createGroup(input: { tenantId: $tenantId, name: "Book club" }) {
    __typename
    ... on CreateGroupPayload { group { id name version } }
    ... on Error { message code }
  }
}`,
];

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

/** The page, made when it is first asked for; with a development token, its Authorization header is filled in. */
export function graphiqlPage(developmentToken: string | null): () => Response {
  let page: { html: Buffer; policy: string } | undefined;
  return () => {
    page ??= render(developmentToken);
    return new Response(new Uint8Array(page.html), {
      headers: {
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'no-store',
        'content-security-policy': page.policy,
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
    defaultQuery: EXAMPLES[0]!,
    defaultTabs: EXAMPLES.map((query) => ({ query, headers })),
    shouldPersistHeaders: false,
    defaultEditorToolsVisibility: 'headers',
  });
  // Its one script ends the body.
  const script = html.slice(html.indexOf('<script>') + '<script>'.length, html.lastIndexOf('</script>'));
  return { html: Buffer.from(html), policy: policy(script) };
}
