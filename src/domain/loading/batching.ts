// Batches what concurrent requests need into one statement: a round trip costs server and database more than most
// statements do.
import DataLoader from 'dataloader';
import { chunksOf } from '../../model/chunks.ts';
import {
  type Audience,
  type Directory,
  HIDDEN,
  type Hidden,
  isFor,
  perDirectory,
  type Reader,
} from '../directory.ts';
import { sharedBatches } from '../sharing/shared-batches.ts';
import { readInGroups, readRouted } from './routing.ts';
import { onStandby } from './standby.ts';

/** Keys of one statement, unless one request alone has more: large enough for most batches, and never a slow statement. */
const MAX_KEYS = 1_000;

/** Reads the values of keys, in their order; an Error in place of a value fails that key only. */
export type Read<Key, Value> = (directory: Reader, keys: readonly Key[]) => Promise<(Value | Error)[]>;
type KeyOf<Key> = (key: Key) => string;

type LoaderOptions<Key, Value, A extends Audience> = {
  /** Who may load the values. */
  audience: A;
  read: Read<Key, Value>;
  /** The key as text; keys with the same text are one key. */
  keyOf?: KeyOf<Key>;
  /** Id of the user that a value is about, for the audience `self`; by default the key. */
  subjectOf?: KeyOf<Key>;
  /** The id whose tenant has the value, null for values of any tenant; by default the key. */
  idOf?: (key: Key) => string | null;
  /** Keys of one kind are read together: their statements have the same text. By default all are of one. */
  kindOf?: KeyOf<Key>;
};

/**
 * Creates a function that loads one value, or null for callers outside the audience. A DataLoader of each directory
 * caches the values; its batches are merged with those of other requests that read the same tenant. `read` receives each
 * key once, and keys of one tenant and one kind at a time. A batch is read after the last request joined it, so each request
 * sees every change that was acknowledged before it asked.
 */
export function loader<Key, Value, const A extends Audience>({
  audience,
  read,
  keyOf = String,
  subjectOf = keyOf,
  idOf = keyOf,
  kindOf = () => '',
}: LoaderOptions<Key, Value, A>) {
  const batchesOf = sharedBatches<readonly Key[], (Value | Error)[]>(async (reader, batches) => {
    const chunks = chunksOf(batches, (batch) => batch.length, MAX_KEYS);
    const values = chunks.map((chunk) => readMerged(onStandby(reader), chunk, read, keyOf));
    return (await Promise.all(values)).flat();
  });
  const readKinds = (reader: Reader, keys: readonly Key[]) =>
    readInGroups(
      keys,
      (index) => kindOf(keys[index]!),
      (kind, some) => batchesOf(reader, kind).load(some),
    );
  const loaderOf = perDirectory(
    (directory) =>
      new DataLoader<Key, Value, string>((keys) => readRouted(directory, keys, idOf, readKinds), {
        cacheKeyFn: keyOf,
      }),
  );
  return (directory: Directory, key: Key): Promise<Value | Hidden<A>> =>
    isFor(directory, audience, subjectOf(key))
      ? loaderOf(directory).load(key)
      : (HIDDEN as Promise<Hidden<A>>);
}

async function readMerged<Key, Value>(
  directory: Reader,
  batches: readonly (readonly Key[])[],
  read: Read<Key, Value>,
  keyOf: KeyOf<Key>,
): Promise<(Value | Error)[][]> {
  const readAlone = (batch: readonly Key[]) =>
    read(directory, batch).catch((error) => batch.map(() => error));
  if (batches.length === 1) return [await readAlone(batches[0]!)];
  const unique = new Map<string, Key>();
  for (const batch of batches) for (const key of batch) unique.set(keyOf(key), key);
  const values = await read(directory, [...unique.values()]).catch(() => null);
  // One request may ask for too much; read each batch alone, so that the others do not fail with it.
  if (!values) return Promise.all(batches.map(readAlone));
  const byKey = new Map([...unique.keys()].map((key, index) => [key, values[index]!]));
  return batches.map((batch) => batch.map((key) => byKey.get(keyOf(key))!));
}
