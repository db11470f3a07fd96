// What an operation may cost: the objects it could return, computed from its page sizes before it runs.
import { complexityFromQuery } from '@pothos/plugin-complexity';
import {
  type DefinitionNode,
  type DocumentNode,
  type GraphQLSchema,
  getOperationAST,
  Kind,
  type OperationDefinitionNode,
} from 'graphql';

type Operation = {
  schema: GraphQLSchema;
  document: DocumentNode;
  operationName?: string | null | undefined;
  variableValues?: Record<string, unknown> | null | undefined;
};

/**
 * Objects that the operation could return at most. Fields of type leaf are free. It follows from the document and the
 * values of declared variables alone; throws the GraphQLError of variables that do not fit.
 */
export function operationCost({ schema, document, operationName, variableValues }: Operation): number {
  const operation = getOperationAST(document, operationName);
  if (!operation) return 0;
  // The plugin takes the first operation it meets, so it is given only the one that will run.
  const definitions = definitionsOf(document, operation);
  const { complexity } = complexityFromQuery(
    { ...document, definitions },
    { schema, ctx: {}, variables: variableValues ?? {} },
  );
  return complexity;
}

/** What the operation is made of: itself, and the document's fragments. */
export function definitionsOf(document: DocumentNode, operation: OperationDefinitionNode): DefinitionNode[] {
  return [operation, ...document.definitions.filter(({ kind }) => kind === Kind.FRAGMENT_DEFINITION)];
}
