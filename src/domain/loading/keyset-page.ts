// Cursors: the values that a list was sorted by at one row, and the order that they belong to.
import type { Sql } from '../../database/database.ts';
import { refuse } from '../../model/errors.ts';
import type { Page, PageRequest } from '../../model/page.ts';

/** How a list is sorted: all keys in one direction, the last one unique within the list. */
export type Ordering = {
  /** Names the order inside cursors, so that a cursor of another order is refused. */
  readonly tag: string;
  /** `alias` names the selected column that holds the key; at most one has none, and is selected as `sortValue`. */
  readonly keys: readonly { column: Sql; type: 'text' | 'timestamptz'; alias?: string }[];
  readonly descending: boolean;
};

/** Longer than a cursor of any list: its longest key is a user's email and name. */
const MAX_LENGTH = 10_000;

/** One row more than the page holds says whether another page follows; who does not ask need not read it, unless it holds none. */
export const rowsToRead = ({ size, skipPageInfo }: PageRequest): number =>
  skipPageInfo && size > 0 ? size : size + 1;

/** Puts a bucket's rows, whose order across buckets is the plan's, into the list's order and cuts the surplus row. */
export function toPage<Raw extends object, Row extends object>(
  toRow: (raw: Raw) => Row,
  order: Ordering,
  page: PageRequest,
  bucket: Raw[],
): Page<Row> {
  const more = bucket.length > page.size;
  const raws = more ? bucket.slice(0, page.size) : bucket;
  if (page.backward) raws.reverse();
  const hasNextPage = page.backward ? page.before !== null : more;
  const hasPreviousPage = page.backward ? more : page.after !== null || page.offset > 0;
  return new SortedPage(raws.map(toRow), raws, order, hasNextPage, hasPreviousPage);
}

/** A page whose cursors are made when they are asked for: most clients select none, or only the last. */
class SortedPage<Raw extends object, Row> implements Page<Row> {
  readonly rows: readonly Row[];
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
  private readonly raws: readonly Raw[];
  private readonly order: Ordering;
  private made: string[] | undefined;

  constructor(
    rows: readonly Row[],
    raws: readonly Raw[],
    order: Ordering,
    hasNextPage: boolean,
    hasPreviousPage: boolean,
  ) {
    this.rows = rows;
    this.raws = raws;
    this.order = order;
    this.hasNextPage = hasNextPage;
    this.hasPreviousPage = hasPreviousPage;
  }

  // On the prototype: an accessor of a literal gives each object a hidden class of its own, which keeps what it closes over.
  get cursors(): readonly string[] {
    this.made ??= this.raws.map((raw) => encodeCursor(this.order, raw as Record<string, unknown>));
    return this.made;
  }
}

/** The page with other rows in the same places. */
export function withRows<Row>(page: Page<unknown>, rows: readonly Row[]): Page<Row> {
  const { cursors, hasNextPage, hasPreviousPage } = page;
  return { rows, cursors, hasNextPage, hasPreviousPage };
}

function encodeCursor(order: Ordering, raw: Record<string, unknown>): string {
  const values = order.keys.map(({ alias = 'sortValue' }) => raw[alias]);
  return written(order, values);
}

const written = (order: Ordering, values: readonly unknown[]): string =>
  Buffer.from(JSON.stringify([order.tag, ...values])).toString('base64url');

/**
 * The values of a cursor, one for each key of the order; refused with VALIDATION_FAILED for a cursor of another list, and
 * for any text that is not exactly as cursors are written: what reads it later may read it otherwise.
 */
export function cursorValues(order: Ordering, cursor: string, path: string): string[] {
  try {
    const [tag, ...values] = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')) as unknown[];
    const fits =
      cursor.length <= MAX_LENGTH &&
      tag === order.tag &&
      values.length === order.keys.length &&
      values.every(
        (value, at) =>
          typeof value === 'string' &&
          !value.includes('\0') &&
          value.isWellFormed() &&
          (order.keys[at]!.type === 'text' || isTime(value)),
      ) &&
      written(order, values) === cursor;
    if (fits) return values as string[];
  } catch {
    // Falls through to the refusal: the text is no cursor at all.
  }
  throw refuse.validation([{ path: [path], message: 'is not a cursor of this list in this order' }]);
}

/** Whether the text is a time as cursors hold it; many that `Date` reads, PostgreSQL does not. Throws for what is no time at all. */
const isTime = (text: string) => /^(?!0000)\d{4}-/.test(text) && new Date(text).toISOString() === text;
