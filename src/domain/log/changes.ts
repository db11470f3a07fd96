// What happened, as the tenant's log holds it: the types of changes, and their insertion at a position.
import { Prisma, type Sql } from '../../database/database.ts';
import type { GroupId, TenantId } from '../../model/ids.ts';

/** The author of a change, as stored in the log; the history stores the id. */
export type Actor = { id: string; type: 'user' | 'service' };

/** Types of changes; those of groups are named by the identity platform. */
export type ChangeType =
  | 'group.created'
  | 'group.updated'
  | 'group.deleted'
  | 'group.restored'
  | 'group_membership.added'
  | 'group_membership.removed'
  | 'group_nesting.added'
  | 'group_nesting.removed'
  | 'users.upserted'
  | 'users.removed'
  | 'users.erased'
  | 'tenant.updated'
  | 'directory.repaired';

/** Why an edge ended. */
export type EndCause = 'REMOVED' | 'GROUP_DELETED' | 'GROUP_RESTORED' | 'USER_REMOVED';

export type Change = {
  type: ChangeType;
  /** The group that changed; omitted for changes of users and of the whole directory. */
  groupId?: GroupId;
  /** Users added, removed or changed; for a deletion and a restoration of a group, those whose memberships ended or began. */
  userIds?: readonly string[];
  /** Groups whose nesting in the group began or ended. */
  groupIds?: readonly string[];
  cause?: EndCause;
  data?: object;
  /** The author, if it is not the transaction's. */
  actor?: Actor;
};

/** The head of a tenant's log. `changeId` tells its change from another one that took the position in a lost history. */
export type Head = { position: number; changeId: string };

/** Ids per statement, unless one change alone has more: bounds the size of its parameters. A change counts as one, too. */
const IDS_PER_STATEMENT = 50_000;

/** The changes in chunks, each with the ordinal of its first. */
function* chunks(changes: readonly Change[]): Generator<{ start: number; chunk: readonly Change[] }> {
  let start = 0;
  let size = 0;
  for (const [index, { userIds = [], groupIds = [] }] of changes.entries()) {
    const ids = 1 + userIds.length + groupIds.length;
    if (size > 0 && size + ids > IDS_PER_STATEMENT) {
      yield { start, chunk: changes.slice(start, index) };
      [start, size] = [index, 0];
    }
    size += ids;
  }
  if (size > 0) yield { start, chunk: changes.slice(start) };
}

/** Sends the statements that insert the changes of a position, in the given order. */
export function insertChanges(
  send: (statement: Sql) => void,
  { tenantId, head, at, actor }: { tenantId: TenantId; head: Head; at: Date; actor: Actor },
  changes: readonly Change[],
): void {
  for (const { start, chunk } of chunks(changes)) {
    const column = <Value>(of: (change: Change) => Value) => chunk.map(of);
    // Arrays of ids travel as text: SQL has no arrays of arrays of different lengths. Ids contain no comma.
    const joined = (ids: readonly string[] | undefined) => ids?.join(',') ?? null;
    send(Prisma.sql`
      insert into changes (tenant_id, position, ordinal, change_id, at, type, actor_id, actor_type, cause, group_id, user_ids,
        group_ids, data)
      select ${tenantId}, ${head.position}::bigint, ${start}::int + c.ordinal::int - 1, ${head.changeId}::uuid,
        ${at}::timestamptz, c.type, c.actor_id, c.actor_type, c.cause, c.group_id, string_to_array(c.user_ids, ','),
        string_to_array(c.group_ids, ','), c.data::jsonb
      from unnest(${column(({ type }) => type)}::text[], ${column((change) => (change.actor ?? actor).id)}::text[],
        ${column((change) => (change.actor ?? actor).type)}::text[], ${column(({ cause }) => cause ?? null)}::text[],
        ${column(({ groupId }) => groupId ?? null)}::text[], ${column(({ userIds }) => joined(userIds))}::text[],
        ${column(({ groupIds }) => joined(groupIds))}::text[], ${column(({ data = {} }) => JSON.stringify(data))}::text[])
        with ordinality c(type, actor_id, actor_type, cause, group_id, user_ids, group_ids, data, ordinal)`);
  }
}
