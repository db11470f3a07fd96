// Cursors of a tenant's log: `42.3.9f8e7d6c` is the change with ordinal 3 at position 42, by the start of its change id.
import { refuse } from './errors.ts';

/**
 * A place in the log, behind a change. Without an ordinal it is behind the whole position, and without a change id it is in
 * whatever history the log has: a position of a mutation is a cursor too.
 */
export type LogCursor = { position: number; ordinal: number | null; change: string | null };

/** Characters of a change id in a cursor: enough to tell a change from one that took its position in a lost history. */
const CHANGE_LENGTH = 8;

const FORMAT = /^(0|[1-9]\d{0,14})(?:\.(0|[1-9]\d{0,8})?\.([0-9a-f]{8}))?$/;

type Place = { position: number; ordinal?: number; changeId: string };

/** The cursor of a change; without an ordinal of all changes at its position. */
export const printLogCursor = ({ position, ordinal, changeId }: Place): string =>
  `${position}.${ordinal ?? ''}.${changeId.slice(0, CHANGE_LENGTH)}`;

/** Refused with VALIDATION_FAILED: text that is neither a cursor nor a position. */
export function parseLogCursor(text: string, path: string): LogCursor {
  const [, position, ordinal, change = null] = FORMAT.exec(text) ?? [];
  if (position === undefined)
    throw refuse.validation([{ path: [path], message: 'is not a cursor of a change, nor a position' }]);
  return { position: Number(position), ordinal: ordinal === undefined ? null : Number(ordinal), change };
}
