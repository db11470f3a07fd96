// The subgraph that Apollo's compatibility tests ask for, made by what makes ours and served by the same server.
import SchemaBuilder from '@pothos/core';
import DirectivesPlugin from '@pothos/plugin-directives';
import { DirectiveLocation, GraphQLDirective } from 'graphql';
import { createYoga } from 'graphql-yoga';
import { toSubgraphSchema } from '../../src/graphql/schema/federation.ts';
import { type Listening, listenTo } from './subgraphs.ts';

type ProductRow = {
  id: string;
  sku: string;
  package: string;
  variation: { id: string };
  research: Research[];
};
type Research = { study: { caseNumber: string; description: string }; outcome: null };
type Deprecated = { sku: string; package: string; reason: string };
type User = { email: string; totalProductsCreated?: number; yearsOfEmployment?: number };

const research = (caseNumber: string, description: string): Research => ({
  study: { caseNumber, description },
  outcome: null,
});
const PRODUCTS: ProductRow[] = [
  {
    id: 'apollo-federation',
    sku: 'federation',
    package: '@apollo/federation',
    variation: { id: 'OSS' },
    research: [research('1234', 'Federation Study')],
  },
  {
    id: 'apollo-studio',
    sku: 'studio',
    package: '',
    variation: { id: 'platform' },
    research: [research('1235', 'Studio Study')],
  },
];
const DEPRECATED: Deprecated = {
  sku: 'apollo-federation-v1',
  package: '@apollo/federation-v1',
  reason: 'Migrate to Federation V2',
};
const CREATOR: User = { email: 'support@apollographql.com', totalProductsCreated: 1_337 };

type Key = { __typename: string } & Record<string, unknown>;

const builder = new SchemaBuilder<{ DefaultFieldNullability: true }>({
  plugins: [DirectivesPlugin],
  directives: { useGraphQLToolsUnorderedDirectives: true },
  // The types of every plugin that ours has are in force here too.
} as never);

const key = (fields: string) => ({ fields });
const external = { external: {} };

const UserRef = builder.objectRef<User>('User').implement({
  directives: { key: key('email'), extends: {} },
  fields: (t) => ({
    email: t.exposeID('email', { nullable: false, directives: external }),
    totalProductsCreated: t.exposeInt('totalProductsCreated', { directives: external }),
    yearsOfEmployment: t.int({
      nullable: false,
      directives: external,
      resolve: ({ yearsOfEmployment }) => yearsOfEmployment!,
    }),
    name: t.string({ directives: { override: { from: 'users' } }, resolve: () => 'Jane Smith' }),
    averageProductsCreatedPerYear: t.int({
      directives: { requires: { fields: 'totalProductsCreated yearsOfEmployment' } },
      resolve: ({ totalProductsCreated, yearsOfEmployment }) =>
        Math.round(totalProductsCreated! / yearsOfEmployment!),
    }),
  }),
});

const Variation = builder
  .objectRef<{ id: string }>('ProductVariation')
  .implement({ fields: (t) => ({ id: t.exposeID('id', { nullable: false }) }) });
const CaseStudy = builder.objectRef<Research['study']>('CaseStudy').implement({
  fields: (t) => ({
    caseNumber: t.exposeID('caseNumber', { nullable: false }),
    description: t.exposeString('description'),
  }),
});
const Dimension = builder
  .objectRef<{ size: string; weight: number; unit: string }>('ProductDimension')
  .implement({
    directives: { shareable: {} },
    fields: (t) => ({
      size: t.exposeString('size'),
      weight: t.exposeFloat('weight'),
      unit: t.exposeString('unit', { directives: { inaccessible: {} } }),
    }),
  });

const ResearchRef = builder.objectRef<Research>('ProductResearch').implement({
  directives: { key: key('study { caseNumber }') },
  fields: (t) => ({
    study: t.field({ type: CaseStudy, nullable: false, resolve: ({ study }) => study }),
    outcome: t.exposeString('outcome'),
  }),
});

const DeprecatedRef = builder.objectRef<Deprecated>('DeprecatedProduct').implement({
  directives: { key: key('sku package') },
  fields: (t) => ({
    sku: t.exposeString('sku', { nullable: false }),
    package: t.exposeString('package', { nullable: false }),
    reason: t.exposeString('reason'),
    createdBy: t.field({ type: UserRef, resolve: () => CREATOR }),
  }),
});
const deprecatedBy = (key: Record<string, unknown>) =>
  key.sku === DEPRECATED.sku && key.package === DEPRECATED.package ? DEPRECATED : null;

const Product = builder.objectRef<ProductRow>('Product').implement({
  directives: { custom: {}, key: [key('id'), key('sku package'), key('sku variation { id }')] as never },
  fields: (t) => ({
    id: t.exposeID('id', { nullable: false }),
    sku: t.exposeString('sku'),
    package: t.exposeString('package'),
    variation: t.field({ type: Variation, resolve: ({ variation }) => variation }),
    dimensions: t.field({ type: Dimension, resolve: () => ({ size: 'small', weight: 1, unit: 'kg' }) }),
    createdBy: t.field({
      type: UserRef,
      directives: { provides: { fields: 'totalProductsCreated' } },
      resolve: () => CREATOR,
    }),
    notes: t.string({ directives: { tag: { name: 'internal' } }, resolve: () => null }),
    research: t.field({
      type: [ResearchRef],
      nullable: { list: false, items: false },
      resolve: (product) => product.research,
    }),
  }),
});

const Inventory = builder.objectRef<{ id: string }>('Inventory').implement({
  directives: { key: key('id'), interfaceObject: {} },
  fields: (t) => ({
    id: t.exposeID('id', { nullable: false }),
    deprecatedProducts: t.field({
      type: [DeprecatedRef],
      nullable: { list: false, items: false },
      resolve: () => [DEPRECATED],
    }),
  }),
});

builder.queryType({
  fields: (t) => ({
    product: t.field({
      type: Product,
      args: { id: t.arg.id({ required: true }) },
      resolve: (_root, { id }) => PRODUCTS.find((product) => product.id === id),
    }),
    deprecatedProduct: t.field({
      type: DeprecatedRef,
      deprecationReason: 'Use product query instead',
      args: { sku: t.arg.string({ required: true }), package: t.arg.string({ required: true }) },
      resolve: (_root, key) => deprecatedBy(key),
    }),
  }),
});

/** How each entity is found by its keys. */
const FINDERS: Record<string, (key: Key) => object | null | undefined> = {
  DeprecatedProduct: deprecatedBy,
  Inventory: ({ id }) => ({ id }),
  Product: ({ id, sku, package: ofPackage, variation }) =>
    PRODUCTS.find((product) =>
      id
        ? product.id === id
        : product.sku === sku &&
          (ofPackage
            ? product.package === ofPackage
            : product.variation.id === (variation as ProductRow['variation']).id),
    ),
  ProductResearch: ({ study }) =>
    PRODUCTS.flatMap((product) => product.research).find(
      (each) => each.study.caseNumber === (study as Research['study']).caseNumber,
    ),
  User: (user) => ({ ...user, ...(user.email === CREATOR.email && CREATOR) }),
};

const link = [
  {
    // The tests know federation up to 2.3.
    url: 'https://specs.apollo.dev/federation/v2.3',
    import: [
      '@composeDirective',
      '@extends',
      '@external',
      '@inaccessible',
      '@interfaceObject',
      '@key',
      '@override',
      '@provides',
      '@requires',
      '@shareable',
      '@tag',
    ],
  },
  { url: 'https://myspecs.dev/myCustomDirective/v1.0', import: ['@custom'] },
];
const schema = toSubgraphSchema(builder as never, {
  entities: [DeprecatedRef, Inventory, Product, ResearchRef, UserRef] as never,
  typeOf: ({ __typename }: Key) => __typename,
  load: (keys) =>
    (keys as Key[]).map((key) => {
      const entity = FINDERS[key.__typename]!(key);
      return entity ? { ...entity, __typename: key.__typename } : null;
    }),
  schemaDirectives: { link, composeDirective: { name: '@custom' } } as never,
  directives: [new GraphQLDirective({ name: 'custom', locations: [DirectiveLocation.OBJECT] })],
});

export const startProducts = (): Promise<Listening> => listenTo(createYoga({ schema, logging: false }));
