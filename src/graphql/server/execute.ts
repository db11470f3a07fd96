// Executes operations with graphql-js, and sorts the errors of the result.
import { type ExecutionArgs, type ExecutionResult, execute, type GraphQLError } from 'graphql';

/**
 * Executes an operation as graphql-js does, which lists errors in the order in which fields happen to fail. Here errors
 * are sorted by their location in the document, then by their path, so that equal requests get equal responses.
 */
export async function executeInOrder(args: ExecutionArgs): Promise<ExecutionResult> {
  const result = await execute(args);
  return result.errors ? { ...result, errors: result.errors.toSorted(byPosition) } : result;
}

function byPosition(a: GraphQLError, b: GraphQLError): number {
  const [left, right] = [positionOf(a), positionOf(b)];
  const index = left.findIndex((part, index) => part !== right[index]);
  if (index === -1) return 0;
  const [leftPart, rightPart] = [left[index]!, right[index]];
  return rightPart === undefined || leftPart > rightPart ? 1 : -1;
}

const positionOf = ({ locations, path }: GraphQLError) => [
  locations?.[0]?.line ?? 0,
  locations?.[0]?.column ?? 0,
  ...(path ?? []),
];
