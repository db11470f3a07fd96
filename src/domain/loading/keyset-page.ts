// Keyset pages: their cursors, and how raw rows become a page. A cursor holds an order's tag and one row's sort values.
import type { Sql } from '../../database/database.ts';
import { refuse } from '../../model/errors.ts';
import type { Page, PageRequest } from '../../model/page.ts';

/** A sort order: all keys in one direction, the last one unique within the list. */
export type Ordering = {
  /** Names the order in cursors, so that a cursor of another order is refused. */
  readonly tag: string;
  /** `alias` names the selected column that holds the key. At most one key has none: it is selected as `sortValue`. */
  readonly keys: readonly { column: Sql; type: 'text' | 'timestamptz' | 'bigint'; alias?: string }[];
  readonly descending: boolean;
};

/** Characters of a cursor: more than the longest key needs, a user's email address and name. */
const MAX_LENGTH = 10_000;

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
      encode(
        this.order,
        this.order.keys.map(({ alias = 'sortValue' }) => raw[alias as keyof Raw]),
      ),
    );
    return this.encoded;
  }
}

/** The page with its rows replaced one for one, and with another total if there is one. */
export function withRows<Row>(page: Page<unknown>, rows: readonly Row[], total = page.total): Page<Row> {
  const { cursors, hasNextPage, hasPreviousPage } = page;
  return { rows, cursors, hasNextPage, hasPreviousPage, total };
}

const encode = (order: Ordering, values: readonly unknown[]): string =>
  Buffer.from(JSON.stringify([order.tag, ...values])).toString('base64url');

/** The values of a page's cursors, one for each key of the order; empty without a cursor. */
export type Cursors = { after: readonly string[]; before: readonly string[] };

export const cursorsOf = (order: Ordering, { after, before }: PageRequest): Cursors => ({
  after: after === null ? [] : cursorValues(order, after, 'after'),
  before: before === null ? [] : cursorValues(order, before, 'before'),
});

/**
 * The values of a cursor, one for each key of the order. Refused with VALIDATION_FAILED: cursors of another order, and
 * text that is not exactly what `encode` writes, because PostgreSQL might read it differently.
 */
function cursorValues(order: Ordering, cursor: string, path: string): string[] {
  try {
    const [tag, ...values] = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')) as unknown[];
    const isValid =
      cursor.length <= MAX_LENGTH &&
      tag === order.tag &&
      values.length === order.keys.length &&
      values.every(
        (value, index) =>
          typeof value === 'string' &&
          !value.includes('\0') &&
          value.isWellFormed() &&
          FORMATS[order.keys[index]!.type](value),
      ) &&
      encode(order, values) === cursor;
    if (isValid) return values as string[];
  } catch {
    // Not JSON in base64url: refused below.
  }
  throw refuse.validation([{ path: [path], message: 'is not a cursor of this list in this order' }]);
}

/** Whether a text of a cursor is a value of its type. */
const FORMATS = {
  text: () => true,
  bigint: (text: string) => /^(?:0|[1-9]\d{0,14})$/.test(text),
  timestamptz: (text: string) => isTime(text),
};

/** Whether the text is a time as cursors hold it: `Date` parses many that PostgreSQL does not. Throws if `Date` parses none. */
const isTime = (text: string) => /^(?!0000)\d{4}-/.test(text) && new Date(text).toISOString() === text;
