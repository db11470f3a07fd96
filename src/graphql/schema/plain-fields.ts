// Fields that are the property of their name: read as it is, where Pothos would call a resolver, for some even an async one.
import { type GraphQLSchema, isObjectType } from 'graphql';

/** By type; the rows have these properties, and null where a caller may not see them. */
const PLAIN: Record<string, readonly string[]> = {
  Group: ['id', 'type', 'version', 'customAttributes', 'createdAt', 'updatedAt'],
  User: ['id'],
  Tenant: ['id'],
  Member: ['user', 'membershipType', 'addedAt'],
};

/** Takes their resolvers away. */
export function readPlainFields(schema: GraphQLSchema): GraphQLSchema {
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type)) continue;
    const names = type.name.endsWith('Edge') ? ['node'] : (PLAIN[type.name] ?? []);
    for (const name of names) delete type.getFields()[name]!.resolve;
  }
  return schema;
}
