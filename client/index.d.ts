// The types of `graphql`: documents are typed from their text. Written by hand; introspection.d.ts is generated.
import type { initGraphQLTada } from 'gql.tada';
import type { introspection } from './introspection.d.ts';

export declare const graphql: initGraphQLTada<{
  introspection: introspection;
  scalars: {
    /** Decimal digits: a number of any size. */
    BigInt: string;
    /** A time as of RFC 3339, in UTC. */
    DateTime: string;
    JSONObject: Record<string, unknown>;
    /** Decimal digits: a position of a tenant's log. */
    Position: string;
  };
}>;
export type { FragmentOf, ResultOf, VariablesOf } from 'gql.tada';
export { maskFragments, readFragment } from 'gql.tada';
