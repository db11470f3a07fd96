// A Federation 2 subgraph from a Pothos builder: `_entities` and `_service` as the subgraph specification has them, and the
// SDL that a router composes (https://www.apollographql.com/docs/graphos/schema-design/federated-schemas/reference/subgraph-spec).
import { getDocumentNodeFromSchema } from '@graphql-tools/utils';
import type { ObjectParam } from '@pothos/core';
import { type DocumentNode, GraphQLScalarType, type GraphQLSchema, Kind, print, visit } from 'graphql';
import type { Builder } from './builder.ts';
import type { Context } from './context.ts';

type Types = Builder extends PothosSchemaTypes.SchemaBuilder<infer Types> ? Types : never;

type Subgraph = PothosSchemaTypes.BuildSchemaOptions<Types> & {
  /** The types with a `@key` that can be resolved. */
  readonly entities: readonly ObjectParam<Types>[];
  /** Name of the type of an entity that was loaded. */
  typeOf(entity: never): string | null;
  /** The entities in the order of their representations: null for each that is unknown, an error for one that is bad. */
  load(representations: readonly unknown[], context: Context): readonly unknown[];
};

/** Builds the schema with what a router asks of a subgraph; the SDL leaves that out again, as the specification allows. */
export function toSubgraphSchema(
  builder: Builder,
  { entities, typeOf, load, ...options }: Subgraph,
): GraphQLSchema {
  let sdl = '';
  builder.addScalarType('_Any', Representation);
  const Entity = builder.unionType('_Entity', {
    description: 'The types that other subgraphs may refer to.',
    types: [...entities],
    resolveType: (entity) => typeOf(entity as never),
  });
  const Service = builder.objectRef<{ sdl: string }>('_Service').implement({
    description: 'This subgraph, as a router composes it.',
    fields: (t) => ({
      sdl: t.exposeString('sdl', { description: 'The schema in SDL, with the directives of federation.' }),
    }),
  });
  builder.queryFields((t) => ({
    _entities: t.field({
      description:
        'The entities that a router asks for, in its order; null where there is none that you can see.',
      type: [Entity],
      nullable: { list: false, items: true },
      args: {
        representations: t.arg({
          type: ['_Any'],
          required: true,
          description: 'References to entities; at most 1,000.',
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
  description: 'A representation of an entity: its `__typename` and the fields of its key.',
});

const OF_ROUTERS = new Set(['_Any', '_Entity', '_Service', '_entities', '_service']);

/** The SDL of a subgraph, with its directives and without what each subgraph has for routers. */
export function subgraphDocument(schema: GraphQLSchema): DocumentNode {
  const unlessOfRouters = ({ name }: { name: { value: string } }) =>
    OF_ROUTERS.has(name.value) ? null : undefined;
  return visit(getDocumentNodeFromSchema(schema), {
    // The root types have their default names, so there is only `@link` to say.
    SchemaDefinition: ({ directives = [] }) => ({ kind: Kind.SCHEMA_EXTENSION, directives }),
    ScalarTypeDefinition: unlessOfRouters,
    UnionTypeDefinition: unlessOfRouters,
    ObjectTypeDefinition: unlessOfRouters,
    FieldDefinition: unlessOfRouters,
  });
}
