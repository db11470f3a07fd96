// The subgraph that Apollo's compatibility tests ask for, built by the plugins that build ours and served by the same server.
import SchemaBuilder from '@pothos/core';
import DirectivesPlugin from '@pothos/plugin-directives';
import FederationPlugin from '@pothos/plugin-federation';
import { DirectiveLocation, GraphQLDirective } from 'graphql';
import { createYoga } from 'graphql-yoga';
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

type SchemaTypes = {
  DefaultFieldNullability: true;
  Directives: {
    custom: { locations: 'OBJECT' };
    link: { locations: 'SCHEMA'; args: Record<string, unknown> };
  };
};
const builder = new SchemaBuilder<SchemaTypes>({
  plugins: [DirectivesPlugin, FederationPlugin],
  // The types of every plugin that ours has are in force here too.
} as never);

const UserRef = builder
  .externalRef(
    'User',
    builder.selection<{ email: string }>('email'),
    (user): User => ({
      ...user,
      ...(user.email === CREATOR.email && CREATOR),
    }),
  )
  .implement({
    externalFields: (t) => ({
      email: t.id({ nullable: false }),
      totalProductsCreated: t.int(),
      yearsOfEmployment: t.int({ nullable: false }),
    }),
    fields: (t) => ({
      name: t.string({ override: { from: 'users' }, resolve: () => 'Jane Smith' }),
      averageProductsCreatedPerYear: t.int({
        requires: builder.selection<{ totalProductsCreated: number; yearsOfEmployment: number }>(
          'totalProductsCreated yearsOfEmployment',
        ),
        resolve: ({ totalProductsCreated, yearsOfEmployment }) =>
          Math.round(totalProductsCreated / yearsOfEmployment),
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
    shareable: true,
    fields: (t) => ({
      size: t.exposeString('size'),
      weight: t.exposeFloat('weight'),
      unit: t.exposeString('unit', { inaccessible: true }),
    }),
  });

const ResearchRef = builder.objectRef<Research>('ProductResearch').implement({
  fields: (t) => ({
    study: t.field({ type: CaseStudy, nullable: false, resolve: ({ study }) => study }),
    outcome: t.exposeString('outcome'),
  }),
});
builder.asEntity(ResearchRef, {
  key: builder.selection<{ study: { caseNumber: string } }>('study { caseNumber }'),
  resolveReference: (key) =>
    PRODUCTS.flatMap((product) => product.research).find(
      ({ study }) => study.caseNumber === key.study.caseNumber,
    ),
});

const DeprecatedRef = builder.objectRef<Deprecated>('DeprecatedProduct').implement({
  fields: (t) => ({
    sku: t.exposeString('sku', { nullable: false }),
    package: t.exposeString('package', { nullable: false }),
    reason: t.exposeString('reason'),
    createdBy: t.field({ type: UserRef, resolve: () => CREATOR }),
  }),
});
const deprecatedBy = (key: { sku: string; package: string }) =>
  key.sku === DEPRECATED.sku && key.package === DEPRECATED.package ? DEPRECATED : null;
builder.asEntity(DeprecatedRef, {
  key: builder.selection<{ sku: string; package: string }>('sku package'),
  resolveReference: deprecatedBy,
});

const Product = builder.objectRef<ProductRow>('Product').implement({
  directives: { custom: {} },
  fields: (t) => ({
    id: t.exposeID('id', { nullable: false }),
    sku: t.exposeString('sku'),
    package: t.exposeString('package'),
    variation: t.field({ type: Variation, resolve: ({ variation }) => variation }),
    dimensions: t.field({ type: Dimension, resolve: () => ({ size: 'small', weight: 1, unit: 'kg' }) }),
    createdBy: t.field({
      type: UserRef.provides<{ totalProductsCreated: number }>('totalProductsCreated'),
      resolve: () => CREATOR as Required<User>,
    }),
    notes: t.string({ tag: 'internal', resolve: () => null }),
    research: t.field({
      type: [ResearchRef],
      nullable: { list: false, items: false },
      resolve: (product) => product.research,
    }),
  }),
});
builder.asEntity(Product, {
  key: [
    builder.selection<{ id: string }>('id'),
    builder.selection<{ sku: string; package: string }>('sku package'),
    builder.selection<{ sku: string; variation: { id: string } }>('sku variation { id }'),
  ],
  resolveReference: (key) =>
    PRODUCTS.find((product) =>
      'id' in key
        ? product.id === key.id
        : product.sku === key.sku &&
          ('package' in key ? product.package === key.package : product.variation.id === key.variation.id),
    ),
});

const Inventory = builder.objectRef<{ id: string }>('Inventory').implement({
  fields: (t) => ({
    id: t.exposeID('id', { nullable: false }),
    deprecatedProducts: t.field({
      type: [DeprecatedRef],
      nullable: { list: false, items: false },
      resolve: () => [DEPRECATED],
    }),
  }),
});
builder.asEntity(Inventory, {
  key: builder.selection<{ id: string }>('id'),
  interfaceObject: true,
  resolveReference: ({ id }) => ({ id }),
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

/** The tests know federation up to 2.3. */
const schema = builder.toSubGraphSchema({
  linkUrl: 'https://specs.apollo.dev/federation/v2.3',
  composeDirectives: ['@custom'],
  directives: [new GraphQLDirective({ name: 'custom', locations: [DirectiveLocation.OBJECT] })],
  schemaDirectives: { link: { url: 'https://myspecs.dev/myCustomDirective/v1.0', import: ['@custom'] } },
});

export const startProducts = (): Promise<Listening> => listenTo(createYoga({ schema, logging: false }));
