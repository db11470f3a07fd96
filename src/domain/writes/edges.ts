// Statements that begin and end memberships and nestings at the position of a change, and maintain member counts.
import { Prisma, type Sql } from '../../database/database.ts';
import type { GroupId, UserId } from '../../model/ids.ts';
import type { EndCause } from '../log/changes.ts';
import type { WriteContext } from '../log/write-context.ts';

/** Which edges of the tenant end, and why. `deletionId`: the deletion that ends them, if any. */
type Ending = { where: Sql; cause: EndCause; deletionId?: string };

export type Membership = { groupId: GroupId; userId: UserId };
export type Nesting = { parentGroupId: GroupId; childGroupId: GroupId };

/**
 * Adds the memberships that `source` selects as (group_id, user_id, added_by), and returns those that did not exist. All
 * groups and users must be live in the tenant.
 */
export async function beginMemberships(tx: WriteContext, source: Sql): Promise<Membership[]> {
  const { query, tenantId, position, at } = tx;
  const begun = await query<Membership>(Prisma.sql`
    insert into memberships (tenant_id, group_id, user_id, since, added_at, added_by)
    select ${tenantId}, s.group_id, s.user_id, ${position}::bigint, ${at}::timestamptz, s.added_by from (${source}) s
    order by s.group_id, s.user_id
    on conflict (tenant_id, group_id, user_id) do nothing returning group_id as "groupId", user_id as "userId"`);
  adjustMemberCounts(tx, begun, 1);
  return begun;
}

/** Moves matching memberships to the history, and returns them. One that this very change began leaves none. */
export async function endMemberships(tx: WriteContext, ending: Ending): Promise<Membership[]> {
  const { query, tenantId, actor, position, at } = tx;
  const { where, cause, deletionId } = ending;
  await query(Prisma.sql`
    insert into membership_history (tenant_id, group_id, user_id, since, until, added_at, added_by, ended_at, ended_by, cause,
      deletion_id)
    select tenant_id, group_id, user_id, since, ${position}::bigint, added_at, added_by, ${at}::timestamptz, ${actor.id},
      ${cause}, ${deletionId ?? null}
    from memberships where tenant_id = ${tenantId} and since < ${position}::bigint and ${where}`);
  const ended = await query<Membership>(Prisma.sql`
    delete from memberships where tenant_id = ${tenantId} and ${where} returning group_id as "groupId", user_id as "userId"`);
  adjustMemberCounts(tx, ended, -1);
  return ended;
}

function adjustMemberCounts(
  { send, tenantId }: WriteContext,
  memberships: readonly Membership[],
  sign: 1 | -1,
): void {
  if (memberships.length === 0) return;
  const groups = [...Map.groupBy(memberships, ({ groupId }) => groupId)];
  send(Prisma.sql`
    update groups g set member_count = g.member_count + c.n
    from unnest(${groups.map(([id]) => id)}::text[], ${groups.map(([, { length }]) => sign * length)}::int[]) c(id, n)
    where g.tenant_id = ${tenantId} and g.id = c.id`);
}

/**
 * Adds the nestings that `source` selects as (parent, child, stands_for), and returns those that did not exist. The caller
 * must have checked that they close no cycle and no path gets more than 32 groups.
 */
export function beginNestings(
  { query, tenantId, actor, position, at }: WriteContext,
  source: Sql,
): Promise<Nesting[]> {
  return query<Nesting>(Prisma.sql`
    insert into nestings (tenant_id, parent_group_id, child_group_id, since, created_at, created_by, stands_for)
    select ${tenantId}, s.parent, s.child, ${position}::bigint, ${at}::timestamptz, ${actor.id}, s.stands_for from (${source}) s
    on conflict (tenant_id, parent_group_id, child_group_id) do nothing
    returning parent_group_id as "parentGroupId", child_group_id as "childGroupId"`);
}

/** Moves matching nestings to the history, and returns them. One that this very change began leaves none. */
export async function endNestings(
  { query, tenantId, actor, position, at }: WriteContext,
  ending: Ending,
): Promise<Nesting[]> {
  const { where, cause, deletionId } = ending;
  await query(Prisma.sql`
    insert into nesting_history (tenant_id, parent_group_id, child_group_id, since, until, created_at, created_by, ended_at,
      ended_by, cause, deletion_id, stands_for)
    select tenant_id, parent_group_id, child_group_id, since, ${position}::bigint, created_at, created_by, ${at}::timestamptz,
      ${actor.id}, ${cause}, ${deletionId ?? null}, stands_for
    from nestings where tenant_id = ${tenantId} and since < ${position}::bigint and ${where}`);
  return query<Nesting>(Prisma.sql`
    delete from nestings where tenant_id = ${tenantId} and ${where}
    returning parent_group_id as "parentGroupId", child_group_id as "childGroupId"`);
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
