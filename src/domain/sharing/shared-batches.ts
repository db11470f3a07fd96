// Batches of what concurrent requests ask of one tenant: while some are in flight, the others collect the next one.
import DataLoader from 'dataloader';
import { Semaphore } from '../../database/semaphore.ts';
import { perDatabase, Reader } from '../directory.ts';

/**
 * Max in-flight batches per batch key; later callers join the next one. One would leave the database idle between two
 * statements, and more would make the batches smaller. A batch that takes longer than `MAX_HOLD_MS` no longer counts.
 */
const MAX_IN_FLIGHT = 2;

/**
 * Creates a function that returns the DataLoader of a database, a visibility, a position and a kind. The loader collects items
 * while `MAX_IN_FLIGHT` batches are running. It caches nothing, and is dropped as soon as it is idle.
 */
export function sharedBatches<Item, Result>(
  work: (directory: Reader, items: readonly Item[]) => Promise<(Result | Error)[]>,
) {
  type Batches = DataLoader<Item, Result>;
  const activeBatches = perDatabase(() => new Map<string, Batches>());
  return ({ db, visibility, asOf }: Reader, kind = ''): Batches => {
    const active = activeBatches(db);
    const batchKey = `${Object.values(visibility).join(' ')} ${asOf}\n${kind}`;
    const existing = active.get(batchKey);
    if (existing) return existing;
    const semaphore = new Semaphore(MAX_IN_FLIGHT, () => active.delete(batchKey));
    const batches: Batches = new DataLoader(
      (items) => semaphore.hold(work(new Reader(db, visibility, asOf), items)),
      {
        cache: false,
        batchScheduleFn: (dispatch) => semaphore.enqueue(dispatch),
      },
    );
    active.set(batchKey, batches);
    return batches;
  };
}
