// What a field costs: the objects it could return. Sums and the limit are computed elsewhere, from these.
import { type GraphQLField, getNamedType, isLeafType } from 'graphql';
import { DEFAULT_PAGE_SIZE, type PageArgs } from '../../model/page.ts';

/** A list without a page size: how many rows it is taken to have. */
export const UNPAGED_LIST_SIZE = 20;

/** Without a cost of its own: a leaf is free, an object costs one, a list what its assumed length costs. */
export function fieldCost(_args: unknown, _context: unknown, field: GraphQLField<unknown, never>) {
  if (isLeafType(getNamedType(field.type))) return 0;
  const isList = String(field.type).startsWith('[');
  const size = isList ? UNPAGED_LIST_SIZE : 1;
  return { field: size, multiplier: size };
}

/** A connection: one, and what is selected below it as often as its page has rows. */
export function connectionCost({ first, last }: PageArgs) {
  return { field: 1, multiplier: Math.max(0, first ?? last ?? DEFAULT_PAGE_SIZE) };
}
