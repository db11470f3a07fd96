// Appends events to a tenant's log, in the transaction of the change that they record.
import { Prisma, type Query } from '../../database/database.ts';
import type { GroupId, TenantId } from '../../model/ids.ts';

/** The author of a change, as stored in events; the history stores the id. */
export type Actor = { id: string; type: 'user' | 'service' };

/** Event types, named by the identity platform. */
export type GroupEventType =
  | 'group.created'
  | 'group.updated'
  | 'group.deleted'
  | 'group.restored'
  | 'group.repaired'
  | 'group_membership.added'
  | 'group_membership.removed'
  | 'group_nesting.added'
  | 'group_nesting.removed';

export type GroupEvent = { type: GroupEventType; groupId: GroupId; data: object };

/** Events per statement: bounds the size of its parameters, while a deletion of thousands of groups takes one round trip. */
const EVENTS_PER_STATEMENT = 10_000;

/** Appends events in the given order. */
export async function appendEvents(
  query: Query,
  tenantId: TenantId,
  actor: Actor,
  events: readonly GroupEvent[],
): Promise<void> {
  for (let start = 0; start < events.length; start += EVENTS_PER_STATEMENT) {
    const chunk = events.slice(start, start + EVENTS_PER_STATEMENT);
    await query(Prisma.sql`
      insert into group_events (event_type, tenant_id, group_id, actor_id, actor_type, data)
      select e.type, ${tenantId}, e.group_id, ${actor.id}, ${actor.type}, e.data::jsonb
      from unnest(${chunk.map(({ type }) => type)}::text[], ${chunk.map(({ groupId }) => groupId)}::text[],
        ${chunk.map(({ data }) => JSON.stringify(data))}::text[]) with ordinality e(type, group_id, data, ordinal)
      order by e.ordinal`);
  }
}
