// The whole schema, as a Federation 2 subgraph. Importing a file defines its types.
import './as-of.ts';
import './change-previews.ts';
import './change-lists.ts';
import './change-subscription.ts';
import './changes.ts';
import './deleted-groups.ts';
import './deletion.ts';
import './explanations.ts';
import './group-snapshots.ts';
import './groups.ts';
import './hierarchy.ts';
import './member-mutations.ts';
import './members.ts';
import './nesting.ts';
import './node.ts';
import './tenant-mutations.ts';
import './tenants.ts';
import './user-snapshots.ts';
import './users.ts';
import './viewer.ts';
import { builder } from './builder.ts';
import { toSubgraphSchema } from './federation.ts';
import { entities, loadEntities } from './federation-entities.ts';
import { nodeTypeOf } from './global-ids.ts';

/** The newest version that the composers of both Apollo and The Guild support. */
const FEDERATION = 'https://specs.apollo.dev/federation/v2.9';

/** Built once: the schema is the same for all callers, who are in the context. */
export const schema = toSubgraphSchema(builder, {
  entities,
  typeOf: ({ id }: { id: string }) => nodeTypeOf(id),
  load: loadEntities,
  schemaDirectives: { link: { url: FEDERATION, import: ['@key', '@shareable'] } },
});
