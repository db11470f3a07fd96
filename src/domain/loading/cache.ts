// What outlives a request in memory: bounded by the bytes that it takes, and not by the directory's size.
import { LRUCache } from 'lru-cache';
import { perDatabase } from '../directory.ts';

/** Bytes of each kind that is kept, by what its values were found to take. */
const MAX_BYTES = 64_000_000;
const ENTRY_BYTES = 600;

/** What the objects of a row of a kept page were found to take at most. */
const ROW_BYTES = 500;

/** What a kept page's rows take: their objects, and the texts in them. */
export function rowsBytes(rows: readonly object[]): number {
  return rows.reduce((sum, row) => sum + ROW_BYTES + textBytes(row), 0);
}

/** A character takes two bytes where one of the text is not of Latin-1. */
function textBytes(value: unknown): number {
  if (typeof value === 'string') return 2 * value.length;
  if (typeof value !== 'object' || value === null) return 0;
  return Object.values(value).reduce((sum: number, inner) => sum + textBytes(inner), 0);
}

/** One memory for each database, of values by name, which take `bytesOf` beside their names; for `ttl` milliseconds, or as long as there is room. */
export function boundedCache<Value extends object>(bytesOf: (value: Value) => number, ttl = 0) {
  return perDatabase(
    () =>
      new LRUCache<string, Value>({
        maxSize: MAX_BYTES,
        sizeCalculation: (value, name) => ENTRY_BYTES + textBytes(name) + bytesOf(value),
        ttl,
      }),
  );
}
