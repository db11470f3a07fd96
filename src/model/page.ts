// Pages of a list: what may be asked for, and what comes back (Relay Cursor Connections Specification).
import { refuse } from './errors.ts';

/** Page size without an argument. */
export const DEFAULT_PAGE_SIZE = 20;
/** The largest page: enough for any screen, small enough to stay one cheap statement. */
export const MAX_PAGE_SIZE = 100;

export type PageArgs = {
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
  /** Whether there are pages before and after will not be asked; the page may then say that there are none. */
  rowsOnly?: boolean;
};

/** A validated page request: `size` rows counted from the front or from the back, between the two cursors. */
export type PageRequest = {
  readonly size: number;
  readonly fromEnd: boolean;
  readonly after: string | null;
  readonly before: string | null;
  readonly rowsOnly: boolean;
};

/** Rows in the list's order, whichever end they were counted from. */
export type Page<Row> = {
  readonly rows: readonly Row[];
  readonly cursors: readonly string[];
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
};

/** Checks the four Relay arguments; refuses `first` with `last`, and sizes outside 1–100. */
export function pageRequest({ first, after, last, before, rowsOnly = false }: PageArgs): PageRequest {
  if (first != null && last != null) {
    throw refuse.validation([{ path: ['last'], message: 'cannot be combined with first' }]);
  }
  const fromEnd = last != null;
  const size = first ?? last ?? DEFAULT_PAGE_SIZE;
  if (!Number.isInteger(size) || size < 1 || size > MAX_PAGE_SIZE) {
    throw refuse.validation([
      { path: [fromEnd ? 'last' : 'first'], message: `must be between 1 and ${MAX_PAGE_SIZE}` },
    ]);
  }
  return { size, fromEnd, after: after ?? null, before: before ?? null, rowsOnly };
}
