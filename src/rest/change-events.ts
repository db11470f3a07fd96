// Changes as events of the platform: their schema, and the conversion from rows of the log.
import { z } from '@hono/zod-openapi';
import type { ChangeData, ChangeRow, RecordedGroup } from '../domain/rows/changes.ts';
import type { TenantRow } from '../domain/rows/tenants.ts';
import { EVENT_TYPES } from '../model/changes.ts';
import { printLogCursor } from '../model/log-cursors.ts';

export const EventType = z.enum(EVENT_TYPES).openapi('EventType', {
  description: 'The type of an event.',
});

export const ChangeEvent = z
  .object({
    event_id: z
      .string()
      .openapi({ description: 'Id of the event: unique, and the same whenever it is read.' }),
    event_type: EventType,
    timestamp: z.iso.datetime().openapi({ description: 'When it happened.' }),
    resource: z
      .object({
        type: z.enum(['group', 'tenant']).openapi({ description: 'What the id names.' }),
        id: z.string().openapi({ description: 'Id of the group that changed; of the tenant if none did.' }),
      })
      .openapi({ description: 'What changed.' }),
    actor: z
      .object({
        id: z.string().openapi({ description: "Subject of the author's token." }),
        type: z
          .enum(['user', 'service'])
          .openapi({ description: 'Whether the author is a user or a service.' }),
      })
      .openapi({ description: 'Who changed it.' }),
    data: z.record(z.string(), z.unknown()).openapi({
      description:
        'Details of the type: `user_ids`, `child_group_ids`, `cause`, `before`, `after` and others.',
    }),
    tenant_id: z.string().openapi({ description: 'Id of the tenant.' }),
    partner_id: z.string().openapi({ description: 'Id of the partner that owns the tenant.' }),
    position: z.string().openapi({ description: "Position of the change in the tenant's log." }),
    cursor: z
      .string()
      .openapi({ description: 'Cursor to go on from after this event. It can be kept for ever.' }),
  })
  .openapi('ChangeEvent', { description: "A change of a tenant's directory." });

/** The event of a change. All users of one change are in one event: `data.user_ids`. */
export function changeEvent(
  change: ChangeRow,
  { partnerId }: Pick<TenantRow, 'partnerId'>,
): z.infer<typeof ChangeEvent> {
  const { tenantId, groupId, changeId, ordinal } = change;
  return {
    // The id of a change is random, and each of its rows has an ordinal of its own.
    event_id: `${changeId}.${ordinal}`,
    event_type: change.type,
    timestamp: change.at.toISOString(),
    resource: groupId === null ? { type: 'tenant', id: tenantId } : { type: 'group', id: groupId },
    actor: { id: change.actorId, type: change.actorType },
    data: dataOf(change),
    tenant_id: tenantId,
    partner_id: partnerId,
    position: String(change.position),
    cursor: printLogCursor(change),
  };
}

function dataOf({ data = {}, userIds, groupIds, cause, type }: ChangeRow): Record<string, unknown> {
  const { before, after, changed, strategy, parentGroupId, through, users, recounted }: ChangeData = data;
  const details = {
    user_ids: userIds?.length || type.startsWith('group_membership') ? userIds : undefined,
    child_group_ids: groupIds?.length ? groupIds : undefined,
    cause: cause ?? undefined,
    changed: changed?.map((field) => FIELDS[field as keyof typeof FIELDS] ?? field),
    before: before && fieldsOf(before),
    after: after && fieldsOf(after),
    strategy,
    parent_group_id: parentGroupId,
    through_group_id: through,
    upserts: users?.map(({ id, ...values }) => ({ user_id: id, ...recorded(values) })),
    repaired_group_ids: recounted,
  };
  return Object.fromEntries(Object.entries(details).filter(([, value]) => value !== undefined));
}

/** Fields of groups as REST names them. */
const FIELDS = {
  name: 'name',
  description: 'description',
  parentGroupId: 'parent_group_id',
  customAttributes: 'custom_attributes',
  type: 'group_type',
} as const satisfies Record<keyof RecordedGroup, string>;

const fieldsOf = (values: object): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(values).map(([field, value]) => [FIELDS[field as keyof typeof FIELDS] ?? field, value]),
  );

/** The values of a user before and after; nothing once it is erased. */
const recorded = (values: { before?: RecordedValues; after?: RecordedValues }) =>
  Object.fromEntries(
    Object.entries(values).map(([when, { email, displayName }]) => [
      when,
      { email, display_name: displayName },
    ]),
  );
type RecordedValues = { email: string; displayName: string | null };
