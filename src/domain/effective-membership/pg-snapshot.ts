// PostgreSQL's snapshots as cache versions: what a statement saw, and which transactions it did not see.
// (PostgreSQL, "Transaction ID and Snapshot Information Functions".)
import { Prisma, type Sql } from '../../database/database.ts';

const startOfRun = Prisma.sql`extract(epoch from pg_postmaster_start_time())::text`;

/**
 * The snapshot of the current statement, as text: the server's start, a space, and a `pg_snapshot`. The start tells a
 * promoted or restored server apart, which may give out the same transaction ids again.
 */
export const currentSnapshot: Sql = Prisma.sql`${startOfRun} || ' ' || pg_current_snapshot()::text`;

/** Predicate for snapshots that were taken since the server started. */
export const isOfThisRun = (snapshot: Sql): Sql =>
  Prisma.sql`split_part(${snapshot}, ' ', 1) = ${startOfRun}`;

/** `run`: the server's start, in seconds. `open`: transactions below `xmax` that were in progress. */
type Snapshot = { run: number; xmax: number; open: ReadonlySet<string> };

export function parseSnapshot(text: string): Snapshot {
  const [run, snapshot = ''] = text.split(' ');
  const [, xmax, open] = snapshot.split(':');
  return { run: Number(run), xmax: Number(xmax), open: new Set(open ? open.split(',') : []) };
}

/** Whether a transaction that is visible now was visible in the snapshot. */
export const wasVisible = (transactionId: string, { xmax, open }: Snapshot): boolean =>
  Number(transactionId) < xmax && !open.has(transactionId);

/** Snapshots that one statement looks up events for: each is a probe of the index of events. */
const MAX_SNAPSHOTS = 8;

/**
 * Rounds each snapshot down to one of at most `MAX_SNAPSHOTS` among them. An older snapshot only adds changes that the
 * entry has seen already: none is missed.
 */
export function notNewer(snapshots: readonly string[]): Map<string, string> {
  const parsed = [...new Set(snapshots)].map((text) => ({ text, ...parseSnapshot(text) }));
  parsed.sort((a, b) => a.run - b.run || a.xmax - b.xmax || b.open.size - a.open.size);
  const step = Math.ceil(parsed.length / MAX_SNAPSHOTS);
  return new Map(parsed.map(({ text }, index) => [text, parsed[index - (index % step)]!.text]));
}
