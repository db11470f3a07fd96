// The write context of a change: one tenant, one transaction, one actor, and the events recorded.

import { Prisma, type Query } from '../../database/database.ts';
import { type Caller, isUserCaller } from '../../model/caller.ts';
import type { TenantId } from '../../model/ids.ts';
import { type Actor, appendEvents, type GroupEvent } from './events.ts';

export type WriteContext = {
  /** Runs SQL inside the transaction. */
  readonly query: Query;
  readonly tenantId: TenantId;
  readonly actor: Actor;
  /** Records events. They are appended to the log in this order at the end of the transaction. */
  record(...events: readonly GroupEvent[]): void;
};

/** The caller as the author of a change. */
export function actorOf(caller: Caller): Actor {
  const service = !isUserCaller(caller) && (caller.role === 'SERVICE' || caller.role === 'PLATFORM');
  return { id: caller.subject, type: service ? 'service' : 'user' };
}

/** Runs `work` inside the transaction of `query`, then appends the events that it recorded. */
export async function withWriteContext<Result>(
  { query, tenantId, actor }: Pick<WriteContext, 'query' | 'tenantId' | 'actor'>,
  work: (tx: WriteContext) => Promise<Result>,
): Promise<Result> {
  const events: GroupEvent[] = [];
  const record = (...recorded: readonly GroupEvent[]) => {
    events.push(...recorded);
  };
  const result = await work({ query, tenantId, actor, record });
  await appendEvents(query, tenantId, actor, events);
  return result;
}

/**
 * Locks the tenant until the transaction ends, so that changes of one tenant run one at a time; false if the tenant is not
 * visible. It must be the first statement of the transaction: under READ COMMITTED, later statements then see everything
 * that the previous change committed.
 */
export async function lockTenant(query: Query, tenantId: TenantId, isVisible: Prisma.Sql): Promise<boolean> {
  const [tenant] = await query(
    Prisma.sql`select id from tenants where id = ${tenantId} and ${isVisible} for no key update`,
  );
  return tenant !== undefined;
}
