// Generates the OpenAPI 3.1 document from the schemas that validate requests and type responses.
import packageJson from '../../package.json' with { type: 'json' };
import { addOperations, createApi } from './api.ts';

/** The tags of the operations, with their descriptions; those of groups are of the reference. */
const TAGS = [
  { name: 'Admin groups', description: 'Groups of all tenants visible to you.' },
  { name: 'Groups', description: 'The directory of one tenant.' },
  {
    name: 'Access evaluation',
    description: "OpenID AuthZEN's Authorization API 1.0 over effective membership.",
  },
  { name: 'Changes', description: 'What happened in one tenant.' },
];

/** The document that `/openapi.json` serves and `npm run openapi` writes. */
export function openApiDocument() {
  const api = createApi();
  addOperations(api);
  const { webhooks: _none, ...document } = api.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Coterie',
      version: packageJson.version,
      description:
        'A multi-tenant directory of groups, members and nested groups. The same operations over GraphQL: `/graphql`.',
      license: { name: 'MIT', url: 'https://opensource.org/license/mit' },
      contact: { name: 'The maintainers of Coterie' },
    },
    servers: [{ url: '/', description: 'This server.' }],
    security: [{ bearerAuth: [] }],
    tags: TAGS,
  });
  return document;
}

/** The text of openapi.json. */
export const printOpenApi = (): string => `${JSON.stringify(openApiDocument(), null, 2)}\n`;
