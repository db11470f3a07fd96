// Pages of a list: what may be asked for, and what comes back (Relay Cursor Connections Specification, or numbered).
import { refuse } from './errors.ts';

/** Page size without an argument. */
export const DEFAULT_PAGE_SIZE = 20;
/** The largest page: enough for any screen, small enough to stay one cheap statement. */
export const MAX_PAGE_SIZE = 100;

/** The last page that may be asked for by number: beyond any list, and its offset is still exact in JSON and SQL. */
export const MAX_PAGE_NUMBER = 1_000_000_000;

export type PageArgs = {
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
  /** Rows to pass over first, for lists that are read by page number. What is passed over is read: cursors are cheaper. */
  offset?: number | undefined;
  /** Whether there are pages before and after will not be asked; the page may then say that there are none. */
  skipPageInfo?: boolean;
};

/** A validated page request: `size` rows counted from the front or from the back, between the two cursors. */
export type PageRequest = {
  readonly size: number;
  readonly backward: boolean;
  readonly after: string | null;
  readonly before: string | null;
  readonly offset: number;
  readonly skipPageInfo: boolean;
};

/** Rows in the list's order, whichever end they were counted from. */
export type Page<Row> = {
  readonly rows: readonly Row[];
  readonly cursors: readonly string[];
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
};

/** The page of a list without rows. */
export const EMPTY_PAGE: Page<never> = { rows: [], cursors: [], hasNextPage: false, hasPreviousPage: false };

/** The arguments of the page with that number, the first being 1. */
export const numberedPage = (page: number, perPage: number): PageArgs => ({
  first: perPage,
  offset: (page - 1) * perPage,
});

/** Checks the four Relay arguments; refuses `first` with `last`, and sizes outside 0–100. A page of none has its total still. */
export function pageRequest({
  first,
  after,
  last,
  before,
  offset = 0,
  skipPageInfo = false,
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
  return { size, backward, after: after ?? null, before: before ?? null, offset, skipPageInfo };
}
