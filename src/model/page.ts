// Pages of a list: arguments and results, by cursor (Relay Cursor Connections Specification) or by page number.
import { decodeCursor, encodeCursor } from './cursors.ts';
import { refuse } from './errors.ts';

/** Page size without an argument. */
export const DEFAULT_PAGE_SIZE = 20;
/** The largest page: enough for any screen, small enough to stay one cheap statement. */
export const MAX_PAGE_SIZE = 100;

/** The largest page number: beyond the end of any list, while its offset is still exact in JSON and SQL. */
export const MAX_PAGE_NUMBER = 1_000_000_000;

export type PageArgs = {
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
  /** Rows to skip, for lists read by page number. The database reads skipped rows, so cursors are cheaper. */
  offset?: number | undefined;
  /** Whether pageInfo is not selected. The page may then report that no other page exists. */
  skipPageInfo?: boolean;
  /** Whether the number of rows on all pages is read too, from the same state as the page. */
  withTotal?: boolean;
};

/** A validated page request: the first or, if `backward`, the last `size` rows between the two cursors. */
export type PageRequest = {
  readonly size: number;
  readonly backward: boolean;
  readonly after: string | null;
  readonly before: string | null;
  readonly offset: number;
  readonly skipPageInfo: boolean;
  readonly withTotal: boolean;
};

/** A page of rows, in the list's order also if `backward`. */
export type Page<Row> = {
  readonly rows: readonly Row[];
  readonly cursors: readonly string[];
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
  /** The number of rows on all pages, if the page was read with it. */
  readonly total?: number | undefined;
};

/** The page with its rows replaced one for one. */
export function withRows<Row>(page: Page<unknown>, rows: readonly Row[]): Page<Row> {
  const { cursors, hasNextPage, hasPreviousPage, total } = page;
  return { rows, cursors, hasNextPage, hasPreviousPage, total };
}

/** The page of an empty list. */
export const EMPTY_PAGE: Page<never> = {
  rows: [],
  cursors: [],
  hasNextPage: false,
  hasPreviousPage: false,
  total: 0,
};

/** The arguments of a page by its number, starting at 1. */
export const numberedPage = (page: number, perPage: number): PageArgs => ({
  first: perPage,
  offset: (page - 1) * perPage,
});

/** Validates the Relay arguments. Refuses `first` with `last`, and sizes outside 0–100; 0 is useful with totalCount. */
export function pageRequest({
  first,
  after,
  last,
  before,
  offset = 0,
  skipPageInfo = false,
  withTotal = false,
}: PageArgs): PageRequest {
  if (first != null && last != null) {
    throw refuse.validation([{ path: ['last'], message: 'cannot be combined with first' }]);
  }
  const backward = last != null;
  const size = first ?? last ?? DEFAULT_PAGE_SIZE;
  if (!Number.isInteger(size) || size < 0 || size > MAX_PAGE_SIZE) {
    throw refuse.validation([
      { path: [backward ? 'last' : 'first'], message: `must be between 0 and ${MAX_PAGE_SIZE}` },
    ]);
  }
  return { size, backward, after: after ?? null, before: before ?? null, offset, skipPageInfo, withTotal };
}

/** A page of a list that is in memory, in the order of its keys. A cursor is a key. */
export function arrayPage<Row>(
  items: readonly Row[],
  args: PageArgs,
  keyOf: (row: Row) => string,
): Page<Row> {
  const { size, backward, after, before } = pageRequest(args);
  const order = { tag: 'key', keys: [{ type: 'text' }] } as const;
  const [low] = after === null ? [] : decodeCursor(order, after, 'after');
  const [high] = before === null ? [] : decodeCursor(order, before, 'before');
  const between = items.filter(
    (item) => (low === undefined || keyOf(item) > low) && (high === undefined || keyOf(item) < high),
  );
  const rows = backward ? between.slice(Math.max(0, between.length - size)) : between.slice(0, size);
  const more = between.length > rows.length;
  return {
    rows,
    cursors: rows.map((row) => encodeCursor(order, [keyOf(row)])),
    hasNextPage: backward ? before !== null : more,
    hasPreviousPage: backward ? more : after !== null,
    total: items.length,
  };
}
