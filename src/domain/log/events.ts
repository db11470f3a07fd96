// The log of a tenant: what happened to its groups, appended by the transaction that did it.
import { Prisma, type Query } from '../../database/database.ts';
import type { GroupId, TenantId } from '../../model/ids.ts';

/** The author of a change, as history and events name it. */
export type Actor = { id: string; type: 'user' | 'service' };

/** Event names of the identity platform. */
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

/** Events in one statement: bounded, so that its parameters stay small. */
const CHUNK = 10_000;

/** Appends events in their order. */
export async function appendEvents(
  query: Query,
  tenantId: TenantId,
  actor: Actor,
  events: readonly GroupEvent[],
): Promise<void> {
  for (let start = 0; start < events.length; start += CHUNK) {
    const chunk = events.slice(start, start + CHUNK);
    await query(Prisma.sql`
      insert into group_events (event_type, tenant_id, group_id, actor_id, actor_type, data)
      select e.type, ${tenantId}, e.group_id, ${actor.id}, ${actor.type}, e.data::jsonb
      from unnest(${chunk.map(({ type }) => type)}::text[], ${chunk.map(({ groupId }) => groupId)}::text[],
        ${chunk.map(({ data }) => JSON.stringify(data))}::text[]) with ordinality e(type, group_id, data, ordinal)
      order by e.ordinal`);
  }
}
