// GraphiQL, served from the package, with operations to start from.
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

/** The page; with a development token, its Authorization header is filled in. */
export function graphiqlPage(developmentToken: string | null): string {
  const headers = developmentToken
    ? JSON.stringify({ authorization: `Bearer ${developmentToken}` }, null, 2)
    : '{\n  "authorization": "Bearer …"\n}';
  return renderGraphiQL({
    title: 'Coterie',
    endpoint: '/graphql',
    headers,
    defaultQuery: EXAMPLES[0]!,
    defaultTabs: EXAMPLES.map((query) => ({ query, headers })),
    shouldPersistHeaders: false,
    defaultEditorToolsVisibility: 'headers',
  });
}
