// Builds a Federation 2 subgraph from a Pothos builder: `_entities`, `_service`, and the SDL that a router composes
// (https://www.apollographql.com/docs/graphos/schema-design/federated-schemas/reference/subgraph-spec).
import { getDocumentNodeFromSchema } from '@graphql-tools/utils';
import type { ObjectParam } from '@pothos/core';
import { type DocumentNode, GraphQLScalarType, type GraphQLSchema, Kind, parse, print, visit } from 'graphql';
import type { Builder } from './builder.ts';
import type { Context } from './context.ts';

type Types = Builder extends PothosSchemaTypes.SchemaBuilder<infer Types> ? Types : never;

type Subgraph = PothosSchemaTypes.BuildSchemaOptions<Types> & {
  /** The types with a `@key` that can be resolved. */
  readonly entities: readonly ObjectParam<Types>[];
  /** The type name of a loaded entity. */
  typeOf(entity: never): string | null;
  /** Loads entities in the order of their representations: null for an unknown one, an error for an invalid one. */
  load(representations: readonly unknown[], context: Context): readonly unknown[];
};

/** Builds the schema with the fields that a router queries. The SDL omits these fields, as the specification allows. */
export function toSubgraphSchema(
  builder: Builder,
  { entities, typeOf, load, ...options }: Subgraph,
): GraphQLSchema {
  let sdl = '';
  builder.addScalarType('_Any', Representation);
  const Entity = builder.unionType('_Entity', {
    description: 'The types that other subgraphs can reference.',
    types: [...entities],
    resolveType: (entity) => typeOf(entity as never),
  });
  const Service = builder.objectRef<{ sdl: string }>('_Service').implement({
    description: 'This subgraph, for composition.',
    fields: (t) => ({
      sdl: t.exposeString('sdl', { description: 'The schema in SDL, with federation directives.' }),
    }),
  });
  builder.queryFields((t) => ({
    _entities: t.field({
      description:
        'The entities of the representations, in their order; null for entities that do not exist or that you cannot see.',
      type: [Entity],
      nullable: { list: false, items: true },
      args: {
        representations: t.arg({
          type: ['_Any'],
          required: true,
          description: 'Representations of entities; at most 1,000.',
        }),
      },
      complexity: ({ representations }) => ({
        field: representations.length,
        multiplier: representations.length,
      }),
      resolve: (_root, { representations }, context) => load(representations, context) as never,
    }),
    _service: t.field({
      description: 'The SDL of this subgraph, for composition.',
      type: Service,
      nullable: false,
      resolve: () => ({ sdl }),
    }),
  }));
  const schema = builder.toSchema(options);
  sdl = print(subgraphDocument(schema));
  return schema;
}

const Representation = new GraphQLScalarType({
  name: '_Any',
  description: 'A representation of an entity: its `__typename` and its key fields.',
});

const ROUTER_NAMES = new Set(['_Any', '_Entity', '_Service', '_entities', '_service']);

/** The SDL of a subgraph with its directives, without the types and fields that every subgraph has for routers. */
export function subgraphDocument(schema: GraphQLSchema): DocumentNode {
  const omitForRouter = ({ name }: { name: { value: string } }) =>
    ROUTER_NAMES.has(name.value) ? null : undefined;
  const document = visit(getDocumentNodeFromSchema(schema), {
    // The root types have their default names, so only the `@link` directive needs to be printed.
    SchemaDefinition: ({ directives = [] }) => ({ kind: Kind.SCHEMA_EXTENSION, directives }),
    ScalarTypeDefinition: omitForRouter,
    UnionTypeDefinition: omitForRouter,
    ObjectTypeDefinition: omitForRouter,
    FieldDefinition: omitForRouter,
  });
  return { ...document, definitions: [...document.definitions, ...ONE_OF.definitions] };
}

/** Composers that are older than `@oneOf` accept it where it is defined. */
const ONE_OF = parse(`"""Exactly one field of the input must be given."""
directive @oneOf on INPUT_OBJECT`);
