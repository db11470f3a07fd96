// The change feed: the log of a tenant read on from a cursor, for as long as somebody listens.
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChangeTypeName } from '../../model/changes.ts';
import { isDirectoryError, isTemporary, refuse } from '../../model/errors.ts';
import { isIdOf, type TenantId } from '../../model/ids.ts';
import type { Directory } from '../directory.ts';
import type { ChangeProjection, ChangeRow } from '../rows/changes.ts';
import { headWatch } from '../sharing/head-watch.ts';
import { findHeadCursor, listChanges } from './changes.ts';
import { findTenant } from './tenants.ts';

/** Changes read at once: a listener that does not take them holds no more. */
const BATCH = 50;
/** Milliseconds after which the rest of a batch is read again: what the caller sees, and what is erased, may have changed. */
const FRESH = 50;
/** Milliseconds until a batch is read again after an error of the database that may be temporary. */
const RETRY = 250;

export type FeedArgs = {
  tenantId: string;
  /** A cursor or a position; from now on by default. */
  after?: string | null | undefined;
  types?: readonly ChangeTypeName[] | null | undefined;
  projection?: ChangeProjection;
};

/** The changes of a feed, each once and in the order of the log. `return` ends it, also while it waits. */
export type Feed = AsyncIterable<ChangeRow> & Required<Pick<AsyncIterator<ChangeRow>, 'next' | 'return'>>;

/**
 * Opens a feed. It waits for the database while that is away. It ends when the caller no longer sees the tenant, and throws
 * CURSOR_EXPIRED when the log has lost the last change that was read, UNAUTHENTICATED when the caller's token expires.
 * Refused: NOT_FOUND (also for an end user), VALIDATION_FAILED, CURSOR_EXPIRED.
 */
export async function openFeed(directory: Directory, args: FeedArgs): Promise<Feed> {
  const { tenantId, types, projection = {} } = args;
  if (!isIdOf('tenant', tenantId) || !(await findTenant(directory, tenantId)))
    throw refuse.notFound(tenantId);
  const cursor = args.after ?? (await findHeadCursor(directory, tenantId));
  if (cursor === null) throw refuse.notFound(tenantId);
  // Refuses a cursor that the log does not hold before the feed begins.
  await listChanges(directory, tenantId, { page: { first: 0, after: cursor } });
  const ending = new AbortController();
  const changes = follow(directory, { tenantId, cursor, types, projection }, ending.signal);
  const feed: Feed = {
    next: () => changes.next(),
    return: () => {
      ending.abort();
      return changes.return();
    },
    [Symbol.asyncIterator]: () => feed,
  };
  return feed;
}

type Following = Required<Pick<FeedArgs, 'types' | 'projection'>> & { tenantId: TenantId; cursor: string };

async function* follow(
  directory: Directory,
  { tenantId, cursor, types, projection }: Following,
  signal: AbortSignal,
): AsyncGenerator<ChangeRow, void, void> {
  const until = directory.caller.expiresAt ?? Number.POSITIVE_INFINITY;
  const assertCurrent = () => {
    if (Date.now() >= until) throw refuse.unauthenticated('The token has expired');
  };
  let after = cursor;
  let head: string | null | undefined;
  for (;;) {
    // The head is noted before what it stands for is read: a later one wakes the feed again.
    head = await headWatch(directory.db).changed(directory.db, tenantId, { seen: head, until, signal });
    if (signal.aborted) return;
    assertCurrent();
    for (let isDone = false; !isDone; ) {
      const page = await readBatch(directory, tenantId, { types, projection, page: { first: BATCH, after } });
      if (signal.aborted) return;
      if (page === 'gone') return;
      if (page === 'later') {
        assertCurrent();
        await sleep(RETRY, undefined, { ref: false });
        continue;
      }
      const readAt = Date.now();
      isDone = !page.hasNextPage;
      for (const [index, change] of page.rows.entries()) {
        assertCurrent();
        if (index > 0 && Date.now() - readAt > FRESH) {
          isDone = false;
          break;
        }
        // What resolvers read of a change is read now, and not kept.
        directory.forget();
        yield change;
        after = page.cursors[index]!;
      }
    }
    directory.forget();
  }
}

/** A page of the log; `gone` if the caller no longer sees the tenant; `later` if the database is away. */
async function readBatch(directory: Directory, tenantId: TenantId, args: Parameters<typeof listChanges>[2]) {
  directory.forget();
  try {
    if (!(await findTenant(directory, tenantId))) return 'gone';
    return (await listChanges(directory, tenantId, args)) ?? 'gone';
  } catch (error) {
    if (isDirectoryError(error) && isTemporary(error)) return 'later';
    throw error;
  }
}
