// The cost of an operation: the number of objects that it could return, computed from its page sizes before it runs.
import { complexityFromQuery } from '@pothos/plugin-complexity';
import {
  type DefinitionNode,
  type DocumentNode,
  type GraphQLSchema,
  getOperationAST,
  Kind,
  type OperationDefinitionNode,
} from 'graphql';
import type { CostContext } from '../schema/complexity.ts';

type Operation = {
  schema: GraphQLSchema;
  document: DocumentNode;
  operationName?: string | null | undefined;
  variableValues?: Record<string, unknown> | null | undefined;
};

/**
 * The maximum number of objects that the operation could return; fields of leaf types are free. Depends on nothing but
 * the document and the values of its declared variables. Throws the GraphQLError of invalid variables.
 */
export function operationCost({ schema, document, operationName, variableValues }: Operation): number {
  const operation = getOperationAST(document, operationName);
  if (!operation) return 0;
  // Each selection by itself: what a list costs can depend on the arguments of its mutation.
  return operation.selectionSet.selections.reduce((sum, selection) => {
    const part = { ...operation, selectionSet: { ...operation.selectionSet, selections: [selection] } };
    // The plugin computes the first operation of a document, so the others are removed.
    const definitions = definitionsOf(document, part);
    const ctx: CostContext = { isAlone: selection.kind === Kind.FIELD };
    const options = { schema, ctx, variables: variableValues ?? {} };
    return sum + complexityFromQuery({ ...document, definitions }, options).complexity;
  }, 0);
}

/** The operation, followed by all fragments of the document. */
export function definitionsOf(document: DocumentNode, operation: OperationDefinitionNode): DefinitionNode[] {
  return [operation, ...document.definitions.filter(({ kind }) => kind === Kind.FRAGMENT_DEFINITION)];
}
