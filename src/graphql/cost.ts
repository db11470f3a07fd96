// What an operation may cost: the objects it could return, computed from its page sizes before it runs.
import { complexityFromQuery } from '@pothos/plugin-complexity';
import { type DocumentNode, type GraphQLSchema, getOperationAST, Kind } from 'graphql';

type Operation = {
  schema: GraphQLSchema;
  document: DocumentNode;
  operationName?: string | null | undefined;
  variableValues?: Record<string, unknown> | null | undefined;
};

/** Objects that the operation could return at most. Fields of type leaf are free. */
export function operationCost({ schema, document, operationName, variableValues }: Operation): number {
  const operation = getOperationAST(document, operationName);
  if (!operation) return 0;
  // The plugin takes the first operation it meets, so it is given only the one that will run.
  const definitions = document.definitions.filter(
    (definition) => definition === operation || definition.kind === Kind.FRAGMENT_DEFINITION,
  );
  const { complexity } = complexityFromQuery(
    { ...document, definitions },
    { schema, ctx: {}, variables: variableValues ?? {} },
  );
  return complexity;
}
