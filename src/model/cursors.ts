// Cursors of keyset pages: the tag of an order and one row's sort values, as JSON in base64url.
import { refuse } from './errors.ts';

export type CursorType = 'text' | 'timestamptz' | 'bigint';
/** What tells cursors of one order from those of another: its name, and the types of its keys. */
type CursorOrder = { readonly tag: string; readonly keys: readonly { readonly type: CursorType }[] };

/** Characters of a cursor: more than the longest key needs, a user's email address and name. */
const MAX_LENGTH = 10_000;

/** The cursor of a row with these sort values. */
export const encodeCursor = ({ tag }: CursorOrder, values: readonly unknown[]): string =>
  Buffer.from(JSON.stringify([tag, ...values])).toString('base64url');

/**
 * The values of a cursor, one for each key of the order. Refused with VALIDATION_FAILED: cursors of another order, and
 * text that is not exactly what `encodeCursor` writes, because PostgreSQL might read it differently.
 */
export function decodeCursor(order: CursorOrder, cursor: string, path: string): string[] {
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
      encodeCursor(order, values) === cursor;
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
