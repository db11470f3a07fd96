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
 * each whose entity is unknown or hidden; those of one type that arrive together are one statement.
 */
export function completeEntities(schema: GraphQLSchema): GraphQLSchema {
  const { _entities: entities, _service: service } = schema.getQueryType()!.getFields();
  describe(schema, entities!, service!);
  const { resolve } = entities!;
  const assertRepresentations = representationCheck(schema);
  entities!.resolve = (root, args, context, info) => {
    assertRepresentations(args.representations);
    // One whose key is no id of its type needs no statement to be unknown.
    const found = resolve!(
      root,
      { ...args, representations: args.representations.filter(isPossible) },
      context,
      info,
    );
    const iterator = (found as unknown[]).values();
    return args.representations.map((each: Representation) =>
      isPossible(each) ? iterator.next().value : null,
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

function representationCheck(schema: GraphQLSchema) {
  const union = schema.getType('_Entity') as GraphQLNamedType & { getTypes(): readonly GraphQLNamedType[] };
  const entityNames = new Set<unknown>(union.getTypes().map(({ name }) => name));
  return (representations: readonly (Representation | null)[]) => {
    if (representations.length > MAX_IDS_PER_CALL) {
      throw refuse.limit(
        MAX_IDS_PER_CALL,
        `At most ${MAX_IDS_PER_CALL} representations can be given at once`,
      );
    }
    const faults = representations.flatMap((each, index) => {
      const path = ['representations', String(index)];
      if (!entityNames.has(each?.__typename)) {
        return [{ path: [...path, '__typename'], message: `must be one of ${[...entityNames].join(', ')}` }];
      }
      return typeof each?.id === 'string' ? [] : [{ path: [...path, 'id'], message: 'must be an id' }];
    });
    if (faults.length > 0) throw refuse.validation(faults);
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
