// What happened to groups, appended in the transaction that did it (event names of the identity platform).
import { Prisma, type Query } from '../../database/database.ts';
import { isUserCaller } from '../../model/caller.ts';
import type { GroupId, TenantId } from '../../model/ids.ts';
import type { Directory } from '../directory.ts';

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

export type GroupEventInput = {
  type: GroupEventType;
  tenantId: TenantId;
  groupId: GroupId;
  data: object;
};

/** Who is written down as the author of a change. */
export type Actor = { id: string; type: 'user' | 'service' };

export function actorOf({ caller }: Directory): Actor {
  const service = !isUserCaller(caller) && (caller.role === 'SERVICE' || caller.role === 'PLATFORM');
  return { id: caller.subject, type: service ? 'service' : 'user' };
}

/** Appends one event. */
export async function recordEvent(directory: Directory, sql: Query, event: GroupEventInput): Promise<void> {
  await recordEvents(directory, sql, [event]);
}

/** Appends events in one statement, in their order. */
export async function recordEvents(
  directory: Directory,
  sql: Query,
  events: GroupEventInput[],
): Promise<void> {
  if (events.length === 0) return;
  const actor = actorOf(directory);
  await sql(Prisma.sql`
    insert into group_events (event_type, tenant_id, group_id, actor_id, actor_type, data)
    select e.type, e.tenant_id, e.group_id, ${actor.id}, ${actor.type}, e.data::jsonb
    from unnest(${events.map((event) => event.type)}::text[], ${events.map((event) => event.tenantId)}::text[],
      ${events.map((event) => event.groupId)}::text[],
      ${events.map((event) => JSON.stringify(event.data))}::text[])
      with ordinality e(type, tenant_id, group_id, data, o)
    order by e.o`);
}
