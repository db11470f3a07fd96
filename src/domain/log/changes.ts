// What happened, as the tenant's log holds it: changes, and their insertion at a position.
import { Prisma, type Sql } from '../../database/database.ts';
import type { ChangeType } from '../../model/changes.ts';
import { chunksOf } from '../../model/chunks.ts';
import type { GroupId, TenantId } from '../../model/ids.ts';

/** The author of a change, as stored in the log; the history stores the id. */
export type Actor = { id: string; type: 'user' | 'service' };

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

const sizeOf = ({ userIds = [], groupIds = [] }: Change) => 1 + userIds.length + groupIds.length;

/** Sends the statements that insert the changes of a position, in the given order. */
export function insertChanges(
  send: (statement: Sql) => void,
  { tenantId, head, at, actor }: { tenantId: TenantId; head: Head; at: Date; actor: Actor },
  changes: readonly Change[],
): void {
  let ordinal = 0;
  for (const chunk of chunksOf(changes, sizeOf, IDS_PER_STATEMENT)) {
    const rows = chunk.map(({ groupId, userIds, groupIds, data = {}, actor: author = actor, ...change }) => ({
      ...change,
      ordinal: ordinal++,
      actor_id: author.id,
      actor_type: author.type,
      group_id: groupId,
      user_ids: userIds,
      group_ids: groupIds,
      data,
    }));
    send(Prisma.sql`
      insert into changes (tenant_id, position, change_id, at, ordinal, type, actor_id, actor_type, cause, group_id, user_ids,
        group_ids, data)
      select ${tenantId}, ${head.position}::bigint, ${head.changeId}::uuid, ${at}::timestamptz, c.*
      from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) c(ordinal int, type text, actor_id text, actor_type text,
        cause text, group_id text, user_ids text[], group_ids text[], data jsonb)`);
  }
}
