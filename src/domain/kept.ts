// What outlives a request in memory: bounded by the bytes that it takes, and not by the directory's size.
import { LRUCache } from 'lru-cache';
import { perDatabase } from './directory.ts';

/** Bytes of each kind that is kept, by what its values were found to take. */
const MAX_BYTES = 64_000_000;
const ENTRY_BYTES = 600;

/** What a row of a kept page was found to take. */
export const ROW_BYTES = 600;

/** One memory for each database, of values by name, which take `bytesOf` beside their names; for `ttl` milliseconds, or as long as there is room. */
export function kept<Value extends object>(bytesOf: (value: Value) => number, ttl = 0) {
  return perDatabase(
    () =>
      new LRUCache<string, Value>({
        maxSize: MAX_BYTES,
        sizeCalculation: (value, name) => ENTRY_BYTES + name.length + bytesOf(value),
        ttl,
      }),
  );
}
