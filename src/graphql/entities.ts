// Federation's own part of the schema: `_entities`, bounded and open to the entities only, and descriptions for it all.
import type { GraphQLField, GraphQLNamedType, GraphQLSchema } from 'graphql';
import { refuse } from '../model/errors.ts';
import { MAX_IDS_PER_CALL } from '../model/groups.ts';
import { nodeTypeOf } from './global-ids.ts';

type Representation = { readonly __typename?: unknown; readonly id?: unknown };

const DESCRIPTIONS: Record<string, string> = {
  _Any: 'A representation of an entity: its `__typename` and the fields of its key.',
  _Entity: 'The types that other subgraphs may refer to.',
  _Service: 'This subgraph, as a router composes it.',
};

/**
 * Completes what the federation plugin adds to the query type. Representations are answered in their order, null for
 * each whose entity is unknown or hidden, or with an error for one that is none; those of one type that arrive together
 * are one statement.
 */
export function completeEntities(schema: GraphQLSchema): GraphQLSchema {
  const { _entities: entities, _service: service } = schema.getQueryType()!.getFields();
  describe(schema, entities!, service!);
  const { resolve } = entities!;
  const faultOf = representationCheck(schema);
  entities!.resolve = (root, args, context, info) => {
    const { representations } = args as { representations: readonly Representation[] };
    assertRepresentations(representations.length);
    const faults = representations.map(faultOf);
    // One whose key is no id of its type needs no statement to be unknown.
    const isAskedFor = (each: Representation, index: number) => !faults[index] && isPossible(each);
    const found = resolve!(
      root,
      { ...args, representations: representations.filter(isAskedFor) },
      context,
      info,
    );
    const iterator = (found as unknown[]).values();
    // An error in the place of an item is that item's alone.
    return representations.map((each, index) =>
      isAskedFor(each, index) ? iterator.next().value : (faults[index] ?? null),
    );
  };
  entities!.extensions = {
    ...entities!.extensions,
    complexity: ({ representations }: { representations: unknown[] }) => ({
      field: representations.length,
      multiplier: representations.length,
    }),
  };
  return schema;
}

const isPossible = ({ __typename, id }: Representation) => nodeTypeOf(String(id)) === __typename;

function assertRepresentations(count: number): void {
  if (count <= MAX_IDS_PER_CALL) return;
  throw refuse.limit(MAX_IDS_PER_CALL, `At most ${MAX_IDS_PER_CALL} representations can be given at once`);
}

/** What is wrong with the representation at that index; null for one that may be of an entity. */
function representationCheck(schema: GraphQLSchema) {
  const union = schema.getType('_Entity') as GraphQLNamedType & { getTypes(): readonly GraphQLNamedType[] };
  const entityNames = new Set<unknown>(union.getTypes().map(({ name }) => name));
  return (each: Representation | null, index: number): Error | null => {
    const fault = (field: string, message: string) =>
      refuse.validation([{ path: ['representations', String(index), field], message }]);
    if (!entityNames.has(each?.__typename)) {
      return fault('__typename', `must be one of ${[...entityNames].join(', ')}`);
    }
    return typeof each?.id === 'string' ? null : fault('id', 'must be an id');
  };
}

function describe(
  schema: GraphQLSchema,
  entities: GraphQLField<unknown, unknown>,
  service: GraphQLField<unknown, unknown>,
) {
  for (const [name, description] of Object.entries(DESCRIPTIONS))
    schema.getType(name)!.description = description;
  entities.description =
    'The entities that a router asks for, in its order; null where there is none that you can see.';
  for (const arg of entities.args) arg.description = 'References to entities; at most 1,000.';
  service.description = 'The SDL of this subgraph, for composition.';
}
