// Cursors: the values that a list was sorted by at one row, and the order that they belong to.
import type { Sql } from '../database/database.ts';
import { refuse } from '../model/errors.ts';
import type { Page, PageRequest } from '../model/page.ts';

/** How a list is sorted: all keys in one direction, the last one unique within the list. */
export type Ordering = {
  /** Names the order inside cursors, so that a cursor of another order is refused. */
  readonly tag: string;
  /** `alias` names the selected column that holds the key; at most one has none, and is selected as `sortValue`. */
  readonly keys: readonly { column: Sql; type: 'text' | 'timestamptz'; alias?: string }[];
  readonly descending: boolean;
};

/** Puts a bucket's rows, whose order across buckets is the plan's, into the list's order and cuts the surplus row. */
export function toPage<Raw extends object, Row extends object>(
  toRow: (raw: Raw) => Row,
  order: Ordering,
  page: PageRequest,
  bucket: Raw[],
): Page<Row> {
  const more = bucket.length > page.size;
  const raws = more ? bucket.slice(0, page.size) : bucket;
  if (page.fromEnd) raws.reverse();
  let cursors: string[] | undefined;
  return {
    rows: raws.map(toRow),
    // Most clients select none, or only the last.
    get cursors() {
      cursors ??= raws.map((raw) => encodeCursor(order, raw as Record<string, unknown>));
      return cursors;
    },
    hasNextPage: page.fromEnd ? page.before !== null : more,
    hasPreviousPage: page.fromEnd ? more : page.after !== null || page.offset > 0,
  };
}

function encodeCursor(order: Ordering, raw: Record<string, unknown>): string {
  const values = order.keys.map(({ alias = 'sortValue' }) => raw[alias]);
  return Buffer.from(JSON.stringify([order.tag, ...values])).toString('base64url');
}

/** The values of a cursor, one for each key of the order; refused with VALIDATION_FAILED for a cursor of another list. */
export function cursorValues(order: Ordering, cursor: string, path: string): string[] {
  try {
    const [tag, ...values] = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')) as unknown[];
    const fits =
      tag === order.tag &&
      values.length === order.keys.length &&
      values.every(
        (value, at) =>
          typeof value === 'string' &&
          !value.includes('\0') &&
          value.isWellFormed() &&
          (order.keys[at]!.type === 'text' || !Number.isNaN(Date.parse(value))),
      );
    if (fits) return values as string[];
  } catch {
    // Falls through to the refusal: the text is no cursor at all.
  }
  throw refuse.validation([{ path: [path], message: 'is not a cursor of this list in this order' }]);
}
