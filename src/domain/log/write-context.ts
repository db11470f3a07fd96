// What every change of a tenant works with: one transaction, one actor, and the events that it records.

import { Prisma, type Query } from '../../database/database.ts';
import { type Caller, isUserCaller } from '../../model/caller.ts';
import type { TenantId } from '../../model/ids.ts';
import { type Actor, appendEvents, type GroupEvent } from './events.ts';

/** A change of one tenant, in one transaction. */
export type WriteContext = {
  /** Runs SQL inside the transaction. */
  readonly query: Query;
  readonly tenantId: TenantId;
  readonly actor: Actor;
  /** Records events; they are appended in this order, when the work is done. */
  record(...events: readonly GroupEvent[]): void;
};

export function actorOf(caller: Caller): Actor {
  const service = !isUserCaller(caller) && (caller.role === 'SERVICE' || caller.role === 'PLATFORM');
  return { id: caller.subject, type: service ? 'service' : 'user' };
}

/** Runs the work of a change inside the transaction of `query`, then appends what it recorded. */
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
 * Locks the tenant until the transaction ends, so that one change at a time judges and alters its graph; false if the tenant
 * is not visible. It must be the transaction's first statement: under READ COMMITTED each later statement then sees what
 * the change before it committed.
 */
export async function lockTenant(query: Query, tenantId: TenantId, isVisible: Prisma.Sql): Promise<boolean> {
  const [tenant] = await query(
    Prisma.sql`select id from tenants where id = ${tenantId} and ${isVisible} for no key update`,
  );
  return tenant !== undefined;
}
