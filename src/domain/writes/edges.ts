// Statements that begin and end memberships and nestings; each also maintains member counts and versions.
import { Prisma, type Sql } from '../../database/database.ts';
import type { GroupId, UserId } from '../../model/ids.ts';
import type { WriteContext } from '../log/write-context.ts';
import { adjustMemberCounts, bumpNestingVersion } from './derived-columns.ts';

/** Why an edge ended. */
export type EndCause = 'REMOVED' | 'GROUP_DELETED' | 'GROUP_RESTORED' | 'USER_REMOVED';
/** Which edges of the tenant end, and why. `deletionId`: the deletion that ends them, if any. */
type Ending = { where: Sql; cause: EndCause; deletionId?: string };

export type Membership = { groupId: GroupId; userId: UserId };
export type Nesting = { parentGroupId: GroupId; childGroupId: GroupId };

/**
 * Adds the memberships that `source` selects as (group_id, user_id), and returns those that did not exist. All groups and
 * users must be in the tenant.
 */
export function beginMemberships(
  { query, tenantId, actor }: WriteContext,
  source: Sql,
): Promise<Membership[]> {
  return query<Membership>(Prisma.sql`
    with added as (
      insert into memberships (tenant_id, group_id, user_id, added_by)
      select ${tenantId}, s.group_id, s.user_id, ${actor.id} from (${source}) s
      order by s.group_id, s.user_id
      on conflict (group_id, user_id) do nothing returning group_id, user_id),
    ${adjustMemberCounts('added', tenantId)}
    select group_id as "groupId", user_id as "userId" from added`);
}

/** Moves matching memberships to the history, and returns them. */
export function endMemberships(
  { query, tenantId, actor }: WriteContext,
  ending: Ending,
): Promise<Membership[]> {
  const { where, cause, deletionId } = ending;
  return query<Membership>(Prisma.sql`
    with ended as (
      delete from memberships where tenant_id = ${tenantId} and ${where}
      returning tenant_id, group_id, user_id, added_at, added_by),
    ${adjustMemberCounts('ended', tenantId)}
    insert into membership_history (tenant_id, group_id, user_id, added_at, added_by, ended_at, ended_by, cause, deletion_id)
    select tenant_id, group_id, user_id, added_at, added_by, now(), ${actor.id}, ${cause}, ${deletionId ?? null}
    from ended returning group_id as "groupId", user_id as "userId"`);
}

/**
 * Adds the nestings that `source` selects as (parent, child, stands_for), and returns those that did not exist. The caller
 * must have checked that they close no cycle and no path gets more than 32 groups.
 */
export function beginNestings({ query, tenantId, actor }: WriteContext, source: Sql): Promise<Nesting[]> {
  return query<Nesting>(Prisma.sql`
    with added as (
      insert into nestings (tenant_id, parent_group_id, child_group_id, created_by, stands_for)
      select ${tenantId}, s.parent, s.child, ${actor.id}, s.stands_for from (${source}) s
      on conflict (parent_group_id, child_group_id) do nothing returning parent_group_id, child_group_id),
    ${bumpNestingVersion('added', tenantId)}
    select parent_group_id as "parentGroupId", child_group_id as "childGroupId" from added`);
}

/** Moves matching nestings to the history, and returns them. */
export function endNestings({ query, tenantId, actor }: WriteContext, ending: Ending): Promise<Nesting[]> {
  const { where, cause, deletionId } = ending;
  return query<Nesting>(Prisma.sql`
    with ended as (
      delete from nestings where tenant_id = ${tenantId} and ${where}
      returning tenant_id, parent_group_id, child_group_id, created_at, created_by, stands_for),
    ${bumpNestingVersion('ended', tenantId)}
    insert into nesting_history
      (tenant_id, parent_group_id, child_group_id, created_at, created_by, ended_at, ended_by, cause, deletion_id, stands_for)
    select tenant_id, parent_group_id, child_group_id, created_at, created_by, now(), ${actor.id}, ${cause},
      ${deletionId ?? null}, stands_for
    from ended returning parent_group_id as "parentGroupId", child_group_id as "childGroupId"`);
}

type Edge = { parent: string; child: string };

const edgeRows = (edges: readonly Edge[]): Sql =>
  Prisma.sql`unnest(${edges.map(({ parent }) => parent)}::text[], ${edges.map(({ child }) => child)}::text[]) e(parent, child)`;

/** Adds requested nestings, and returns those that did not exist. Existing stand-ins among them become requested ones. */
export async function nest(tx: WriteContext, edges: readonly Edge[]): Promise<Nesting[]> {
  if (edges.length === 0) return [];
  const added = await beginNestings(
    tx,
    Prisma.sql`select parent, child, null::text[] as stands_for from ${edgeRows(edges)}`,
  );
  await claimNestings(tx, edges);
  return added;
}

/** Turns stand-in nestings into requested ones, which no restoration ends. */
export async function claimNestings(
  { query, tenantId }: WriteContext,
  edges: readonly Edge[],
): Promise<void> {
  await query(Prisma.sql`
    update nestings n set stands_for = null from ${edgeRows(edges)}
    where n.tenant_id = ${tenantId} and n.parent_group_id = e.parent and n.child_group_id = e.child
      and n.stands_for is not null`);
}
