// LRU caches that outlive a request, bounded by the bytes they take rather than by the size of the directory.
import { LRUCache } from 'lru-cache';
import { perDatabase } from '../directory.ts';

/** Bytes of one cache: a few of them fit into a small container's memory. */
const MAX_BYTES = 64_000_000;
/** Bytes of an entry besides its key and value, as measured. */
const ENTRY_BYTES = 600;

/** Bytes of a cached row's objects without their texts: the largest measured. */
const ROW_BYTES = 500;

/** Bytes of cached rows: their objects and the texts in them. */
export function rowsBytes(rows: readonly object[]): number {
  return rows.reduce((sum, row) => sum + ROW_BYTES + textBytes(row), 0);
}

/** Two bytes a character: V8 needs them as soon as one character is not Latin-1. */
function textBytes(value: unknown): number {
  if (typeof value === 'string') return 2 * value.length;
  if (typeof value !== 'object' || value === null) return 0;
  return Object.values(value).reduce((sum: number, inner) => sum + textBytes(inner), 0);
}

/** A size-bounded LRU cache, one per database. Entries expire after `ttl` milliseconds; 0 means never. */
export function boundedCache<Value extends object>(bytesOf: (value: Value) => number, ttl = 0) {
  return perDatabase(
    () =>
      new LRUCache<string, Value>({
        maxSize: MAX_BYTES,
        sizeCalculation: (value, key) => ENTRY_BYTES + textBytes(key) + bytesOf(value),
        ttl,
      }),
  );
}
