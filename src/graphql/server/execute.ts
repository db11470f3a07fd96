// Executes operations by graphql-js, with the errors of an answer in the order of the document.
import { type ExecutionArgs, type ExecutionResult, execute, type GraphQLError } from 'graphql';

/**
 * The answer of graphql-js, which tells errors as fields happen to fail: here those that stand first in the document come
 * first, and those of one field in the order of their paths.
 */
export async function executeInOrder(args: ExecutionArgs): Promise<ExecutionResult> {
  const result = await execute(args);
  return result.errors ? { ...result, errors: result.errors.toSorted(byPlace) } : result;
}

function byPlace(a: GraphQLError, b: GraphQLError): number {
  const [left, right] = [placeOf(a), placeOf(b)];
  const differing = left.findIndex((step, index) => step !== right[index]);
  if (differing === -1) return 0;
  const [first, second] = [left[differing]!, right[differing]];
  return second === undefined || first > second ? 1 : -1;
}

const placeOf = ({ locations, path }: GraphQLError) => [
  locations?.[0]?.line ?? 0,
  locations?.[0]?.column ?? 0,
  ...(path ?? []),
];
