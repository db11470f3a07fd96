// Positions that clients have seen: what an answer tells of the tenants it read, and what a client sends back to read no older.
import { setTimeout as sleep } from 'node:timers/promises';
import { refuse } from '../../model/errors.ts';
import { isIdOf, type TenantId } from '../../model/ids.ts';
import { type Directory, endUser, tenantReader } from '../directory.ts';
import { noteReached, tenantOf } from '../loading/routing.ts';
import { readTail } from '../sharing/tail.ts';

export type Positions = ReadonlyMap<TenantId, number>;

/** Tenants in one text: more than one request reads. */
const MAX_TENANTS = 100;
/** Milliseconds to wait for a position: replication lags by a few; what takes longer was lost. */
const MAX_WAIT = 1_000;
const FIRST_PAUSE = 5;

/** Parses `tnt_…=42, tnt_…=7`. Refused with VALIDATION_FAILED: any other text. */
export function parsePositions(text: string): Positions {
  const positions = new Map<TenantId, number>();
  for (const part of text.split(',')) {
    const [tenantId = '', digits = '', ...rest] = part.trim().split('=');
    const isValid = isIdOf('tenant', tenantId) && /^(?:0|[1-9]\d{0,14})$/.test(digits) && rest.length === 0;
    if (!isValid || positions.size === MAX_TENANTS) {
      throw refuse.validation([
        { path: ['Coterie-Position'], message: 'must be tenants with positions, such as tnt_A=42, tnt_B=7' },
      ]);
    }
    positions.set(tenantId, Math.max(Number(digits), positions.get(tenantId) ?? 0));
  }
  return positions;
}

export const printPositions = (positions: Positions): string =>
  [...positions]
    .slice(0, MAX_TENANTS)
    .map(([tenantId, position]) => `${tenantId}=${position}`)
    .join(', ');

/** Begins a request: waits for the positions that it names, and notes what its answer holds at least. */
export async function beginRequest(directory: Directory, header: string | null): Promise<void> {
  if (header !== null) await awaitPositions(directory, parsePositions(header));
  // Without a database, what needs none is still answered. An end user is not told how much its tenant changes.
  if (directory.visibility.kind === 'tenant' && !endUser(directory))
    await noteReached(directory, directory).catch(() => {});
}

/**
 * Waits until the logs of the visible tenants have reached the positions. Refused with UNAVAILABLE if one is not reached: the
 * directory may have been restored to an earlier state. Tenants that the caller does not see are ignored.
 */
async function awaitPositions(directory: Directory, positions: Positions): Promise<void> {
  await Promise.all(
    [...positions].map(async ([tenantId, position]) => {
      if ((await tenantOf(directory, tenantId)) === tenantId)
        await awaitPosition(directory, tenantId, position);
    }),
  );
}

async function awaitPosition(directory: Directory, tenantId: TenantId, position: number): Promise<void> {
  const { db } = directory;
  // Asked of the log, whatever is known: the position may have been lost since.
  for (let waited = 0, pause = FIRST_PAUSE; ; waited += pause, pause *= 2) {
    const reached = (await readTail(tenantReader(db, tenantId)))?.head.position ?? -1;
    if (reached >= position) return directory.reached(tenantId, reached);
    if (waited > MAX_WAIT)
      throw refuse.unavailable(`The log of ${tenantId} has not reached the requested position ${position}`);
    await sleep(pause);
  }
}
