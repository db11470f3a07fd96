// The Pothos builder: plugins, scalars and Relay's conventions. It defines no types of the directory.

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

/** The entities carry the domain's rows, which hold what the caller may see, not the tables' columns. */
type Rows = { Group: AnyGroup; User: UserRow; Tenant: TenantRow };
type Models = {
  [Model in keyof PrismaTypes]: Model extends keyof Rows
    ? Omit<PrismaTypes[Model], 'Shape'> & { Shape: Rows[Model] }
    : PrismaTypes[Model];
};

/**
 * Marks a field that Pothos defines as `t.expose` marks ours: the property of its name, without a resolver. Executors read
 * a property at once; a resolver is called for each row, and that of a node's id is asynchronous.
 */
const exposed = (name: string) => ({ pothosExposedField: name });

/** The id of a node type: the row's own. */
export const exposedId = { resolve: ({ id }: { id: string }) => id, extensions: exposed('id') };

function noClient(): never {
  throw new Error('Entities are loaded by the domain: give the field a resolver in place of a relation');
}

export const builder = new SchemaBuilder<{
  Context: Context;
  PrismaTypes: Models;
  Scalars: {
    ID: { Input: string; Output: string };
    DateTime: { Input: Date; Output: Date };
    JSONObject: { Input: JsonObject; Output: JsonObject };
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
  // Pothos knows the models, but loads nothing itself: what it read would not be limited to the caller's tenants.
  prisma: { client: noClient, dmmf: getDatamodel() },
  // Only the arithmetic of the plugin is used: the limit is enforced before anything is executed.
  complexity: { disabled: true, fieldComplexity: fieldCost },
  errors: { directResult: true },
  // In the form that prints them: `federation.ts`.
  directives: { useGraphQLToolsUnorderedDirectives: true },
  relay: {
    cursorType: 'String',
    clientMutationId: 'omit',
    encodeGlobalID: (_type, id) => String(id),
    decodeGlobalID: (id) => ({ typename: nodeTypeOf(id) ?? '', id }),
    idFieldOptions: {
      description: 'The global id: it is the same in REST, in `node` and as federation key.',
    },
    nodeTypeOptions: {
      description: 'An object with a global id, which `node` and `nodes` find again.',
      resolveType: (value) => nodeTypeOf((value as { id: string }).id) ?? undefined,
    },
    // Defined in node: an id that names no type is null there, not an error.
    nodeQueryOptions: false,
    nodesQueryOptions: false,
    edgesFieldOptions: {
      description: 'The rows of this page, in the order of the list.',
      nullable: { list: false, items: false },
      complexity: { field: 1, multiplier: 1 },
    },
    nodeFieldOptions: {
      description: 'The row itself.',
      nullable: false,
      complexity: 0,
      extensions: exposed('node'),
    },
    cursorFieldOptions: { description: 'Opaque position of this row, for `after` and `before`.' },
    pageInfoFieldOptions: { description: 'Where this page lies in the list.', complexity: 0 },
    pageInfoTypeOptions: {
      description: 'Where a page lies in its list (Relay Cursor Connections).',
      directives: { shareable: {} },
    },
    hasNextPageFieldOptions: { description: 'Whether rows follow this page.' },
    hasPreviousPageFieldOptions: { description: 'Whether rows precede this page.' },
    startCursorFieldOptions: { description: 'Cursor of the first row; null on an empty page.' },
    endCursorFieldOptions: { description: 'Cursor of the last row; null on an empty page.' },
    firstArgOptions: { description: 'Rows from the start, 0 to 100; 20 without `first` and `last`.' },
    afterArgOptions: { description: 'Only rows after this cursor.' },
    lastArgOptions: { description: 'Rows from the end, 0 to 100; not together with `first`.' },
    beforeArgOptions: { description: 'Only rows before this cursor.' },
  },
});

export type Builder = typeof builder;

builder.addScalarType('DateTime', GraphQLDateTime);
builder.addScalarType('JSONObject', JSONObject);

builder.queryType({ description: 'Everything that can be read.' });
builder.mutationType({
  description:
    'Everything that can be changed. Each change is one transaction, and answers with its payload or a typed error.',
});
