// Statements on direct memberships: who is known, adding them, and ending them into history.
import { Prisma, type Query, type Sql } from '../../database/database.ts';
import { refuse } from '../../model/errors.ts';
import { MAX_IDS_PER_CALL } from '../../model/groups.ts';
import type { GroupId, TenantId } from '../../model/ids.ts';
import type { Directory } from '../directory.ts';
import { actorOf, recordEvent } from '../log/events.ts';
import { countMemberships, noticeNestings } from './derived.ts';

/** Why an edge ended. */
export type EndCause = 'REMOVED' | 'GROUP_DELETED' | 'GROUP_RESTORED' | 'USER_REMOVED';

/** Refused with LIMIT_EXCEEDED above 1,000 ids in one call. */
export function assertBatchSize(...batches: readonly (readonly unknown[])[]): void {
  const size = batches.reduce((sum, batch) => sum + batch.length, 0);
  if (size > MAX_IDS_PER_CALL) {
    throw refuse.limit(
      MAX_IDS_PER_CALL,
      `A call may name ${MAX_IDS_PER_CALL} ids, and this one names ${size}`,
    );
  }
}

/** Refused with UNKNOWN_USERS unless each user is of the tenant; keeps them from being removed until the transaction ends. */
export async function assertKnownUsers(
  sql: Query,
  tenantId: TenantId,
  userIds: readonly string[],
): Promise<void> {
  if (userIds.length === 0) return;
  const known = await sql<{ id: string }>(Prisma.sql`
    select id from users where tenant_id = ${tenantId} and id = any(${[...userIds]}::text[]) order by id for key share`);
  const ids = new Set(known.map((user) => user.id));
  const unknown = [...new Set(userIds)].filter((id) => !ids.has(id));
  if (unknown.length > 0) throw refuse.unknownUsers(unknown);
}

type Batch = { tenantId: TenantId; groupId: GroupId; userIds: readonly string[] };

/** Adds members and gives the ids of those that were not members before, in the order asked. */
export async function insertMemberships(directory: Directory, sql: Query, batch: Batch): Promise<string[]> {
  const { tenantId, groupId, userIds } = batch;
  await assertKnownUsers(sql, tenantId, userIds);
  if (userIds.length === 0) return [];
  const rows = await sql<{ id: string }>(Prisma.sql`
    with added as (
      insert into memberships (tenant_id, group_id, user_id, added_by)
      select ${tenantId}, ${groupId}, id, ${actorOf(directory).id}
      from (select distinct unnest(${[...userIds]}::text[]) as id order by 1) u
      on conflict (group_id, user_id) do nothing returning group_id, user_id),
    ${countMemberships('added', tenantId)}
    select user_id as id from added`);
  const added = inOrder(userIds, rows);
  if (added.length > 0) {
    await recordEvent(directory, sql, {
      type: 'group_membership.added',
      tenantId,
      groupId,
      data: { userIds: added },
    });
  }
  return added;
}

/** Ends memberships and gives the ids of those that were members, in the order asked. */
export async function endMemberships(directory: Directory, sql: Query, batch: Batch): Promise<string[]> {
  const { tenantId, groupId, userIds } = batch;
  if (userIds.length === 0) return [];
  const rows = await moveMemberships(directory, sql, {
    tenantId,
    where: Prisma.sql`group_id = ${groupId} and user_id = any(${[...userIds]}::text[])`,
    cause: 'REMOVED',
  });
  const removed = inOrder(
    userIds,
    rows.map((row) => ({ id: row.userId })),
  );
  if (removed.length > 0) {
    await recordEvent(directory, sql, {
      type: 'group_membership.removed',
      tenantId,
      groupId,
      data: { userIds: removed, cause: 'REMOVED' },
    });
  }
  return removed;
}

type Ending = { tenantId: TenantId; where: Sql; cause: EndCause; deletionId?: string };

/** Moves the memberships of the tenant that match to the history; gives whom they joined to what. */
export function moveMemberships(directory: Directory, sql: Query, ending: Ending) {
  const { tenantId, where, cause, deletionId } = ending;
  return sql<{ groupId: GroupId; userId: string }>(Prisma.sql`
    with ended as (
      delete from memberships where tenant_id = ${tenantId} and ${where}
      returning tenant_id, group_id, user_id, added_at, added_by),
    ${countMemberships('ended', tenantId)}
    insert into membership_history (tenant_id, group_id, user_id, added_at, added_by, ended_at, ended_by, cause, deletion_id)
    select tenant_id, group_id, user_id, added_at, added_by, now(), ${actorOf(directory).id}, ${cause}, ${deletionId ?? null}
    from ended returning group_id as "groupId", user_id as "userId"`);
}

/** Moves the nestings of the tenant that match to the history; gives their ends. */
export function moveNestings(directory: Directory, sql: Query, ending: Ending) {
  const { tenantId, where, cause, deletionId } = ending;
  return sql<{ parentGroupId: GroupId; childGroupId: GroupId }>(Prisma.sql`
    with ended as (
      delete from nestings where tenant_id = ${tenantId} and ${where}
      returning tenant_id, parent_group_id, child_group_id, created_at, created_by, stands_for),
    ${noticeNestings('ended', tenantId)}
    insert into nesting_history
      (tenant_id, parent_group_id, child_group_id, created_at, created_by, ended_at, ended_by, cause, deletion_id, stands_for)
    select tenant_id, parent_group_id, child_group_id, created_at, created_by, now(), ${actorOf(directory).id}, ${cause},
      ${deletionId ?? null}, stands_for
    from ended returning parent_group_id as "parentGroupId", child_group_id as "childGroupId"`);
}

type NewNestings = { tenantId: TenantId; parentGroupId: GroupId; childGroupIds: readonly string[] };

/** Stores edges that were judged before; those that exist are left as they are. */
export async function insertNestings(
  directory: Directory,
  sql: Query,
  { tenantId, parentGroupId, childGroupIds }: NewNestings,
): Promise<void> {
  if (childGroupIds.length === 0) return;
  await sql(Prisma.sql`
    with added as (
      insert into nestings (tenant_id, parent_group_id, child_group_id, created_by)
      select ${tenantId}, ${parentGroupId}, id, ${actorOf(directory).id} from unnest(${[...childGroupIds]}::text[]) c(id)
      on conflict (parent_group_id, child_group_id) do nothing returning child_group_id),
    ${noticeNestings('added', tenantId)}
    select from added`);
}

/** Makes nestings that stand for deleted groups be there for their own sake: a restore does not end what was asked for. */
export async function claimNestings(
  sql: Query,
  tenantId: TenantId,
  edges: readonly { parent: string; child: string }[],
): Promise<void> {
  await sql(Prisma.sql`
    update nestings n set stands_for = null
    from unnest(${edges.map((edge) => edge.parent)}::text[], ${edges.map((edge) => edge.child)}::text[]) e(parent, child)
    where n.tenant_id = ${tenantId} and n.parent_group_id = e.parent and n.child_group_id = e.child and n.stands_for is not null`);
}

/** Those of the asked ids that are among the rows: each once, in the order asked. */
function inOrder(asked: readonly string[], rows: readonly { id: string }[]): string[] {
  const found = new Set(rows.map((row) => row.id));
  return [...new Set(asked)].filter((id) => found.has(id));
}
