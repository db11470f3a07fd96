// Keyset pages: how raw rows become a page, and its cursors.
import type { Sql } from '../../database/database.ts';
import { type CursorType, decodeCursor, encodeCursor } from '../../model/cursors.ts';
import type { Page, PageRequest } from '../../model/page.ts';

/** A sort order: all keys in one direction, the last one unique within the list. */
export type Ordering = {
  readonly tag: string;
  /** `alias` names the selected column that holds the key. At most one key has none: it is selected as `sortValue`. */
  readonly keys: readonly { column: Sql; type: CursorType; alias?: string }[];
  readonly descending: boolean;
};

/** Fetches one extra row to compute hasNextPage, unless pageInfo isn't selected. No limit is 0: an empty page fetches one. */
export const rowsToRead = ({ size, skipPageInfo }: PageRequest): number =>
  skipPageInfo && size > 0 ? size : size + 1;

/**
 * The page of one parent, made of its raw rows in query order: without the extra row, and reversed if it was read backward. It
 * encodes its cursors on first use: most clients select none, or only the last.
 */
export class SortedPage<Raw extends object, Row extends object> implements Page<Row> {
  readonly rows: readonly Row[];
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
  readonly total: number | undefined;
  private readonly raws: readonly Raw[];
  private readonly order: Ordering;
  private encoded: string[] | undefined;

  constructor(
    toRow: (raw: Raw) => Row,
    order: Ordering,
    { size, backward, after, before, offset }: PageRequest,
    fetched: Raw[],
    total?: number,
  ) {
    const more = fetched.length > size;
    const raws = more ? fetched.slice(0, size) : fetched;
    if (backward) raws.reverse();
    this.rows = raws.map(toRow);
    this.hasNextPage = backward ? before !== null : more;
    this.hasPreviousPage = backward ? more : after !== null || offset > 0;
    this.total = total;
    this.raws = raws;
    this.order = order;
  }

  // A class, because V8 gives each object literal with an accessor its own hidden class, which retains the closure.
  get cursors(): readonly string[] {
    this.encoded ??= this.raws.map((raw) =>
      encodeCursor(
        this.order,
        this.order.keys.map(({ alias = 'sortValue' }) => raw[alias as keyof Raw]),
      ),
    );
    return this.encoded;
  }
}

/** The values of a page's cursors, one for each key of the order; empty without a cursor. */
export type Cursors = { after: readonly string[]; before: readonly string[] };

export const cursorsOf = (order: Ordering, { after, before }: PageRequest): Cursors => ({
  after: after === null ? [] : decodeCursor(order, after, 'after'),
  before: before === null ? [] : decodeCursor(order, before, 'before'),
});
