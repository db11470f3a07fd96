// Waits for changes of tenants: one statement reads the heads of all logs that somebody waits for, as long as somebody does.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Database, Prisma } from '../../database/database.ts';
import type { TenantId } from '../../model/ids.ts';
import { perDatabase } from '../directory.ts';

/** Milliseconds between two reads of the heads: what is seen of a change by other processes is late by half of it. */
const INTERVAL = 50;
/** Milliseconds until the heads are read again after an error of the database. */
const RETRY = 250;

/** A head as text; null for a tenant that has no log; undefined if the wait was given up. */
type Seen = string | null | undefined;
type Waiter = { seen: Seen; until: number; resolve(head: Seen): void };

export class HeadWatch {
  readonly #waiters = new Map<TenantId, Set<Waiter>>();
  #isReading = false;

  /**
   * Resolves with the head of the tenant once it is another one than `seen`, at the next read if `seen` is undefined. Resolves
   * with undefined if the signal aborts, or at the time `until`. Errors of the database are waited out.
   */
  changed(
    db: Database,
    tenantId: TenantId,
    { seen, until, signal }: { seen: Seen; until: number; signal: AbortSignal },
  ): Promise<Seen> {
    if (signal.aborted) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const giveUp = () => waiter.resolve(undefined);
      const waiters = this.#waiters.get(tenantId) ?? new Set();
      const waiter: Waiter = {
        seen,
        until,
        resolve: (head) => {
          signal.removeEventListener('abort', giveUp);
          waiters.delete(waiter);
          if (waiters.size === 0 && this.#waiters.get(tenantId) === waiters) this.#waiters.delete(tenantId);
          resolve(head);
        },
      };
      signal.addEventListener('abort', giveUp);
      this.#waiters.set(tenantId, waiters.add(waiter));
      if (!this.#isReading) this.#read(db).catch(() => {});
    });
  }

  async #read(db: Database): Promise<void> {
    this.#isReading = true;
    while (this.#waiters.size > 0) {
      const heads = await headsOf(db, [...this.#waiters.keys()]).catch(() => null);
      const now = Date.now();
      for (const [tenantId, waiters] of this.#waiters)
        for (const waiter of waiters) {
          const head = heads && (heads.get(tenantId) ?? null);
          if (now >= waiter.until) waiter.resolve(undefined);
          else if (heads && head !== waiter.seen) waiter.resolve(head);
        }
      await sleep(heads ? INTERVAL : RETRY, undefined, { ref: false });
    }
    this.#isReading = false;
  }
}

async function headsOf(db: Database, tenantIds: readonly TenantId[]): Promise<Map<TenantId, string>> {
  const rows = await db.sql<{ tenantId: TenantId; head: string }>(Prisma.sql`
    select tenant_id as "tenantId", position || ' ' || change_id as head from tenant_logs
    where tenant_id = any(${[...tenantIds]}::text[])`);
  return new Map(rows.map(({ tenantId, head }) => [tenantId, head]));
}

export const headWatch = perDatabase(() => new HeadWatch());
