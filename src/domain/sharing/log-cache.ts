// LRU caches that outlive a request: bounded by bytes, and each entry valid as long as the log has no change of its sources.
import { LRUCache } from 'lru-cache';
import { perDatabase, type Reader } from '../directory.ts';
import type { Head } from '../log/changes.ts';
import { noteHead, type Sources, type Tail } from './tail.ts';

/** Bytes of one cache: a few of them fit into a small container's memory. */
const MAX_BYTES = 64_000_000;
/** Bytes of an entry besides its key and value, as measured. */
const ENTRY_BYTES = 800;

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

/** Bytes of sources: ids are ASCII. Groups that stand for both kinds are one text. */
function sourcesBytes({ members = '', nestings = '', users = [] }: Sources): number {
  return members.length + (nestings === members ? 0 : nestings.length) + textBytes(users);
}

/** A cached value, the position at which it is known to be valid, and what it was read from. */
export type Entry<Value> = { value: Value; head: Head; sources: Sources };

export const isSameHead = (one: Head, other: Head) =>
  one.position === other.position && one.changeId === other.changeId;
export const earlier = (one: Head, other: Head) => (other.position < one.position ? other : one);
export const later = (one: Head, other: Head) => (other.position > one.position ? other : one);

/** Whether what was read at one head is the same at another, earlier or later. Not if the log has lost one of them. */
export const isSameAt = (tail: Tail, other: Head, { head, sources }: Omit<Entry<unknown>, 'value'>) =>
  tail.holds(head) && tail.holds(other) && !tail.hasChanged(sources, earlier(head, other));

/** A size-bounded LRU cache, one per database. Keys are those of one tenant. */
export function logCache<Value extends object>(bytesOf: (value: Value) => number) {
  const entries = perDatabase(
    () =>
      new LRUCache<string, Entry<Value>>({
        maxSize: MAX_BYTES,
        sizeCalculation: ({ value, sources }, key) =>
          ENTRY_BYTES + textBytes(key) + sourcesBytes(sources) + bytesOf(value),
      }),
  );
  const keyOf = ({ tenantId }: Reader, key: string) => `${tenantId} ${key}`;
  return {
    /** The entry, valid or not. */
    peek: (reader: Reader, key: string): Entry<Value> | undefined =>
      entries(reader.db).get(keyOf(reader, key)),
    /** The entry if it is valid at the head of the tail. */
    get(reader: Reader, key: string, tail: Tail): Entry<Value> | undefined {
      const entry = entries(reader.db).get(keyOf(reader, key));
      if (!entry || !isSameAt(tail, tail.head, entry)) return undefined;
      entry.head = tail.head;
      return entry;
    },
    set(reader: Reader, key: string, entry: Entry<Value>): Entry<Value> {
      noteHead(reader, entry.head);
      entries(reader.db).set(keyOf(reader, key), entry);
      return entry;
    },
    delete: (reader: Reader, key: string) => entries(reader.db).delete(keyOf(reader, key)),
  };
}
