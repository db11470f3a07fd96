// Positions that clients have seen, and send back to read no older state.
import { setTimeout as sleep } from 'node:timers/promises';
import { refuse } from '../../model/errors.ts';
import type { TenantId } from '../../model/ids.ts';
import { parsePositions } from '../../model/positions.ts';
import { type Directory, endUser, tenantReader } from '../directory.ts';
import { noteReached, tenantOf } from '../loading/routing.ts';
import { readTail } from '../sharing/tail.ts';

/** Milliseconds to wait for a position: replication lags by a few; what takes longer was lost. */
const MAX_WAIT = 1_000;
const FIRST_PAUSE = 5;

/**
 * Begins a request: waits for the positions that it names, and notes what its answer holds at least. Refused with UNAVAILABLE if
 * one is not reached: the directory may have been restored to an earlier state. Tenants that the caller does not see are ignored.
 */
export async function beginRequest(directory: Directory, header: string | null): Promise<void> {
  const positions = header === null ? [] : [...parsePositions(header)];
  await Promise.all(positions.map(([tenantId, position]) => awaitPosition(directory, tenantId, position)));
  // Without a database, what needs none is still answered. An end user is not told how much its tenant changes.
  if (directory.visibility.kind === 'tenant' && !endUser(directory))
    await noteReached(directory, directory).catch(() => {});
}

async function awaitPosition(directory: Directory, tenantId: TenantId, position: number): Promise<void> {
  if ((await tenantOf(directory, tenantId)) !== tenantId) return;
  const reader = tenantReader(directory.db, tenantId);
  // Asked of the log, whatever is known: the position may have been lost since.
  for (let waited = 0, pause = FIRST_PAUSE; ; waited += pause, pause *= 2) {
    const reached = (await readTail(reader))?.head.position ?? -1;
    if (reached >= position) return directory.reached(tenantId, reached);
    if (waited > MAX_WAIT)
      throw refuse.unavailable(`The log of ${tenantId} has not reached the requested position ${position}`);
    await sleep(pause);
  }
}
