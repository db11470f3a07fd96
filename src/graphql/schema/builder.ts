// The Pothos builder: plugins, scalars and Relay conventions. The types of the directory are defined elsewhere.

import SchemaBuilder from '@pothos/core';
import ComplexityPlugin from '@pothos/plugin-complexity';
import DirectivesPlugin from '@pothos/plugin-directives';
import ErrorsPlugin from '@pothos/plugin-errors';
import PrismaPlugin from '@pothos/plugin-prisma';
import RelayPlugin from '@pothos/plugin-relay';
import { GraphQLDateTime } from 'graphql-scalars';
import type PrismaTypes from '../../database/generated/pothos.ts';
import { getDatamodel } from '../../database/generated/pothos.ts';
import type { AnyGroup } from '../../domain/rows/groups.ts';
import type { TenantRow } from '../../domain/rows/tenants.ts';
import type { UserRow } from '../../domain/rows/users.ts';
import type { JsonObject } from '../../model/json.ts';
import { fieldCost } from './complexity.ts';
import type { Context } from './context.ts';
import { nodeTypeOf } from './global-ids.ts';
import { JSONObject } from './json-object.ts';
import { Position } from './position.ts';

/** Types of Prisma models are backed by the domain's rows, which contain only what the caller may see, not by table rows. */
type Rows = { Group: AnyGroup; User: UserRow; Tenant: TenantRow };
type Models = {
  [Model in keyof PrismaTypes]: Model extends keyof Rows
    ? Omit<PrismaTypes[Model], 'Shape'> & { Shape: Rows[Model] }
    : PrismaTypes[Model];
};

/**
 * Extensions that make a field of a Pothos plugin what `t.expose` makes of ours: a property of the row, without a resolver.
 * Reading a property is faster than calling a resolver for each row, and the plugin's resolver of `id` is asynchronous.
 */
const exposed = (name: string) => ({ pothosExposedField: name });

/** The options of a node type's `id`: the id of the row. */
export const exposedId = { resolve: ({ id }: { id: string }) => id, extensions: exposed('id') };

function noClient(): never {
  throw new Error('Rows are loaded by the domain: define the field with a resolver, not as a relation');
}

export const builder = new SchemaBuilder<{
  Context: Context;
  PrismaTypes: Models;
  Scalars: {
    ID: { Input: string; Output: string };
    DateTime: { Input: Date; Output: Date };
    JSONObject: { Input: JsonObject; Output: JsonObject };
    Position: { Input: number; Output: number };
    BigInt: { Input: never; Output: bigint };
    _Any: { Input: unknown; Output: never };
  };
  Directives: {
    key: { locations: 'OBJECT'; args: { fields: string } };
    shareable: { locations: 'OBJECT' | 'FIELD_DEFINITION'; args: Record<string, never> };
    link: { locations: 'SCHEMA'; args: { url: string; import: readonly string[] } };
  };
  Connection: { countTotal: () => number | null | Promise<number | null> };
  DefaultEdgesNullability: { list: false; items: false };
  DefaultNodeNullability: false;
}>({
  plugins: [ErrorsPlugin, ComplexityPlugin, RelayPlugin, PrismaPlugin, DirectivesPlugin],
  // Pothos gets the models but no client: its own queries would not be restricted to the caller's tenants.
  prisma: { client: noClient, dmmf: getDatamodel() },
  // The plugin only computes costs (operation-cost.ts). limits.ts enforces the limit, before anything is executed.
  complexity: { disabled: true, fieldComplexity: fieldCost },
  errors: { directResult: true },
  // The format that `getDocumentNodeFromSchema` prints (federation.ts).
  directives: { useGraphQLToolsUnorderedDirectives: true },
  relay: {
    cursorType: 'String',
    clientMutationId: 'omit',
    encodeGlobalID: (_type, id) => String(id),
    decodeGlobalID: (id) => ({ typename: nodeTypeOf(id) ?? '', id }),
    idFieldOptions: {
      description: 'Global id: the same in REST, for `node` and as the federation key.',
    },
    nodeTypeOptions: {
      description: 'An object with a global id, which `node` and `nodes` can look up.',
      // A member alone has no id of its own.
      resolveType: (value) => nodeTypeOf((value as { id?: string }).id ?? '') ?? 'Member',
    },
    // Defined in node.ts, where an id of no known type is null and not an error.
    nodeQueryOptions: false,
    nodesQueryOptions: false,
    edgesFieldOptions: {
      description: 'The items of this page, in the order of the list.',
      nullable: { list: false, items: false },
      complexity: { field: 1, multiplier: 1 },
    },
    nodeFieldOptions: {
      description: 'The item.',
      nullable: false,
      complexity: 0,
      extensions: exposed('node'),
    },
    cursorFieldOptions: { description: 'Opaque cursor of this item, for `after` and `before`.' },
    pageInfoFieldOptions: {
      description: 'Cursors of this page, and whether more items follow or precede it.',
      complexity: 0,
    },
    pageInfoTypeOptions: {
      description:
        'Cursors of a page, and whether more items follow or precede it (Relay Cursor Connections).',
      directives: { shareable: {} },
    },
    hasNextPageFieldOptions: { description: 'Whether more items follow this page.' },
    hasPreviousPageFieldOptions: { description: 'Whether more items precede this page.' },
    startCursorFieldOptions: { description: 'Cursor of the first item; null if the page is empty.' },
    endCursorFieldOptions: { description: 'Cursor of the last item; null if the page is empty.' },
    firstArgOptions: {
      description: 'Number of items from the start, 0 to 100. The default is 20 if `last` is omitted too.',
    },
    afterArgOptions: { description: 'Only items after this cursor.' },
    lastArgOptions: {
      description: 'Number of items from the end, 0 to 100. Cannot be combined with `first`.',
    },
    beforeArgOptions: { description: 'Only items before this cursor.' },
  },
});

export type Builder = typeof builder;

builder.addScalarType('DateTime', GraphQLDateTime);
builder.addScalarType('JSONObject', JSONObject);
builder.addScalarType('Position', Position);

builder.queryType({ description: 'All reads.' });
builder.mutationType({
  description: 'All changes. Each mutation is one transaction, and returns its payload or a typed error.',
});
