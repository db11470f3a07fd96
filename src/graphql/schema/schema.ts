// The whole schema, as a Federation 2 subgraph; importing a noun's file defines its part.
import './deletion.ts';
import './groups.ts';
import './hierarchy.ts';
import './member-mutations.ts';
import './members.ts';
import './nesting.ts';
import './node.ts';
import './tenants.ts';
import './users.ts';
import './viewer.ts';
import { builder } from './builder.ts';
import { entities, loadEntities } from './entities.ts';
import { toSubgraphSchema } from './federation.ts';
import { nodeTypeOf } from './global-ids.ts';

/** The newest version that both Apollo's and The Guild's composers know. */
const FEDERATION = 'https://specs.apollo.dev/federation/v2.9';

/** Built once: the schema knows no caller, the context brings it. */
export const schema = toSubgraphSchema(builder, {
  entities,
  typeOf: ({ id }: { id: string }) => nodeTypeOf(id),
  load: loadEntities,
  schemaDirectives: { link: { url: FEDERATION, import: ['@key', '@shareable'] } },
});
