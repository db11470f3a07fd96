// The typed documents of a client: gql.tada, which is the only runtime, with the types of this package's schema.
import { initGraphQLTada } from 'gql.tada';

export const graphql = initGraphQLTada();
export { maskFragments, readFragment } from 'gql.tada';
