// Work of several requests that are waiting at the same time, done by one statement: a round trip costs both of its ends
// more than most statements do.
import DataLoader from 'dataloader';
import {
  type Audience,
  type Directory,
  HIDDEN,
  type Hidden,
  isFor,
  perDatabase,
  perDirectory,
  type Reader,
  readerOf,
} from '../directory.ts';
import { Semaphore } from './semaphore.ts';

/** Statements of one kind that are under way at once for one sight: who comes later shares the next one. */
const MAX_IN_FLIGHT = 2;
/** Keys of one statement, unless one request alone has more. */
const MAX_KEYS = 1_000;

/** Reads what keys stand for, in their order; an Error in place of a value is that key's alone. */
export type Read<Key, Value> = (directory: Reader, keys: readonly Key[]) => Promise<(Value | Error)[]>;
type KeyOf<Key> = (key: Key) => string;

type LoaderOptions<Key, Value, A extends Audience> = {
  /** Whom the values are for. */
  audience: A;
  read: Read<Key, Value>;
  /** The key as text. */
  keyOf?: KeyOf<Key>;
  /** The user that a value is about, for the audience `self`; the key itself unless told otherwise. */
  subjectOf?: KeyOf<Key>;
};

/**
 * Gives a function that loads one value: null for callers outside the audience. Values are cached for each directory by
 * a DataLoader, whose batches are read together with those of other requests whose callers see the same tenants.
 * `read` gets each key once.
 */
export function loader<Key, Value, const A extends Audience>({
  audience,
  read,
  keyOf = String,
  subjectOf = keyOf,
}: LoaderOptions<Key, Value, A>) {
  const together = batchAcrossRequests(read, keyOf);
  const loaderOf = perDirectory(
    (directory) =>
      new DataLoader<Key, Value, string>((keys) => together(directory, keys), { cacheKeyFn: keyOf }),
  );
  return (directory: Directory, key: Key): Promise<Value | Hidden<A>> =>
    isFor(directory, audience, subjectOf(key))
      ? loaderOf(directory).load(key)
      : (HIDDEN as Promise<Hidden<A>>);
}

/**
 * Reads keys together with those that other requests want at the same time, where callers see the same tenants and
 * `kind` is the same. Nothing is kept: what a request is given was read after it had asked, so it holds every change
 * that was acknowledged by then.
 */
export function batchAcrossRequests<Key, Value>(read: Read<Key, Value>, keyOf: KeyOf<Key> = String) {
  const turns = sharedBatches<readonly Key[], (Value | Error)[]>((directory, batches) =>
    inChunks(
      batches,
      (batch) => batch.length,
      (chunk) => readTogether(directory, chunk, read, keyOf),
    ),
  );
  return (directory: Reader, keys: readonly Key[], kind?: string): Promise<(Value | Error)[]> =>
    turns(directory, kind).load(keys);
}

/** The results of items in their order; `work` is given as many at a time as are not larger than `MAX_KEYS` together. */
export async function inChunks<Item, Result>(
  items: readonly Item[],
  sizeOf: (item: Item) => number,
  work: (chunk: readonly Item[]) => Promise<Result[]>,
): Promise<Result[]> {
  const chunks: Item[][] = [];
  let room = -1;
  for (const item of items) {
    room -= sizeOf(item);
    if (room < 0) {
      room = MAX_KEYS - sizeOf(item);
      chunks.push([]);
    }
    chunks.at(-1)!.push(item);
  }
  return (await Promise.all(chunks.map(work))).flat() as Result[];
}

async function readTogether<Key, Value>(
  directory: Reader,
  batches: readonly (readonly Key[])[],
  read: Read<Key, Value>,
  keyOf: KeyOf<Key>,
): Promise<(Value | Error)[][]> {
  if (batches.length === 1) return [await read(directory, batches[0]!)];
  const unique = new Map<string, Key>();
  for (const batch of batches) for (const key of batch) unique.set(keyOf(key), key);
  const values = await read(directory, [...unique.values()]).catch(() => null);
  // What one request asks for may be too much for a statement: the others do not fail with it.
  if (!values)
    return Promise.all(
      batches.map((batch) => read(directory, batch).catch((error) => batch.map(() => error))),
    );
  const byKey = new Map([...unique.keys()].map((key, at) => [key, values[at]!]));
  return batches.map((batch) => batch.map((key) => byKey.get(keyOf(key))!));
}

/**
 * Gives the DataLoader of a database, a sight and a kind, which collects what arrives until one of `atOnce` turns is
 * free. Nothing is answered from before: it has no cache, and is forgotten as soon as nothing waits.
 */
export function sharedBatches<Item, Result>(
  work: (directory: Reader, items: readonly Item[]) => Promise<(Result | Error)[]>,
  atOnce = MAX_IN_FLIGHT,
) {
  type Collected = DataLoader<Item, Result>;
  const collecting = perDatabase(() => new Map<string, Collected>());
  return ({ db, visibility }: Reader, kind = ''): Collected => {
    const open = collecting(db);
    const name = `${Object.values(visibility).join(' ')}\n${kind}`;
    const known = open.get(name);
    if (known) return known;
    const turns = new Semaphore(atOnce, () => open.delete(name));
    const made: Collected = new DataLoader((items) => turns.take(work(readerOf(db, visibility), items)), {
      cache: false,
      batchScheduleFn: (dispatch) => turns.ask(dispatch),
    });
    open.set(name, made);
    return made;
  };
}
