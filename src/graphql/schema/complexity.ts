// The cost of a field: the number of objects that it could return. operation-cost.ts adds them up.
import { type GraphQLField, getNamedType, isLeafType } from 'graphql';
import { DEFAULT_PAGE_SIZE, type PageArgs } from '../../model/page.ts';

/** The length that is assumed for a list without a page size: the default page size of connections. */
export const UNPAGED_LIST_SIZE = 20;

/** The default cost of a field: 0 for a leaf, 1 for an object, and the assumed length for a list. */
export function fieldCost(_args: unknown, _context: unknown, field: GraphQLField<unknown, never>) {
  if (isLeafType(getNamedType(field.type))) return 0;
  const isList = String(field.type).startsWith('[');
  const size = isList ? UNPAGED_LIST_SIZE : 1;
  return { field: size, multiplier: size };
}

/** The cost of a connection: 1, plus the cost of its selection for each item of the page. */
export function connectionCost({ first, last }: PageArgs) {
  return { field: 1, multiplier: Math.max(0, first ?? last ?? DEFAULT_PAGE_SIZE) };
}

/**
 * What is known while the cost of one selection of an operation is computed. `named`: how many ids the input of its mutation
 * names; absent unless the selection is that mutation alone.
 */
export type CostContext = { isAlone?: boolean; named?: number };

/** The cost of a mutation whose payload lists what its input named: notes how many ids that were. */
export const costOfNamed =
  <Input>(count: (input: Input) => number) =>
  ({ input }: { input: Input }, context: object) => {
    const cost = context as CostContext;
    if (cost.isAlone) cost.named = count(input);
    return { field: 1, multiplier: 1 };
  };

/** The cost of a payload's list of what the input named: at most `max` objects. */
export const namedListCost = (max: number) => (_args: object, context: object) => {
  const size = Math.min(max, (context as CostContext).named ?? max);
  return { field: size, multiplier: size };
};
