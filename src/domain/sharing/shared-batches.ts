// Batches of what concurrent requests ask of one tenant: while some are in flight, the others collect the next one.
import DataLoader from 'dataloader';
import { Semaphore } from '../../database/semaphore.ts';
import { perDatabase, Reader } from '../directory.ts';

/**
 * Max in-flight batches of a visibility, of all kinds together; later callers join the next ones. One would leave the database
 * idle between two statements; more would make the batches smaller, and let a request of many kinds take all connections. A
 * batch that takes longer than `MAX_HOLD_MS` no longer counts.
 */
const MAX_IN_FLIGHT = 2;

/**
 * Creates a function that returns the DataLoader of a database, a visibility and a kind. The loader collects items while
 * `MAX_IN_FLIGHT` batches are running. It caches nothing, and is dropped as soon as its visibility is idle.
 */
export function sharedBatches<Item, Result>(
  work: (directory: Reader, items: readonly Item[]) => Promise<(Result | Error)[]>,
) {
  type Active = { semaphore: Semaphore; ofKind: Map<string, DataLoader<Item, Result>> };
  const activeBatches = perDatabase(() => new Map<string, Active>());
  return ({ db, visibility }: Reader, kind = ''): DataLoader<Item, Result> => {
    const key = Object.values(visibility).join(' ');
    const active = activeBatches(db);
    let batchesOf = active.get(key);
    if (!batchesOf) {
      batchesOf = { semaphore: new Semaphore(MAX_IN_FLIGHT, () => active.delete(key)), ofKind: new Map() };
      active.set(key, batchesOf);
    }
    const { semaphore, ofKind } = batchesOf;
    const existing = ofKind.get(kind);
    if (existing) return existing;
    const read = (items: readonly Item[]) => semaphore.hold(work(new Reader(db, visibility), items));
    const batchScheduleFn = (dispatch: () => void) => semaphore.enqueue(dispatch);
    const batches = new DataLoader<Item, Result>(read, { cache: false, batchScheduleFn });
    ofKind.set(kind, batches);
    return batches;
  };
}
