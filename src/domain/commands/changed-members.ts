// Who became or ceased to be an effective member at the position of an open change, read inside its transaction.
import { Prisma } from '../../database/database.ts';
import type { GroupId, UserId } from '../../model/ids.ts';
import { MAX_PAGE_SIZE } from '../../model/page.ts';
import type { WriteContext } from '../log/write-context.ts';

/** Users who join a group, or leave it: how many, the first of them by id, and a digest of all ids. */
export type ChangedMembers = {
  groupId: GroupId;
  isJoining: boolean;
  count: number;
  userIds: UserId[];
  digest: string;
};

/**
 * The groups whose effective members differ before and after the change, with the users that make the difference. `groupIds`:
 * all groups in which memberships or nestings began or ended. One statement: its cost is that of the users whose memberships
 * changed, or who are in a group whose nesting changed, with all that their groups are nested in; and of a walk over the groups
 * nested in those that are affected. It does not grow with those who are members there besides.
 */
export async function readChangedMembers(
  { query, send, tenantId, position }: WriteContext,
  groupIds: readonly GroupId[],
): Promise<ChangedMembers[]> {
  if (groupIds.length === 0) return [];
  const at = Prisma.sql`${position}::bigint`;
  /** The groups nested in a group before or after the change. */
  const childrenOf = (id: Prisma.Sql) => Prisma.sql`
        select child_group_id as child from nestings where tenant_id = ${tenantId} and parent_group_id = ${id}
        union all
        select child_group_id from nesting_history where tenant_id = ${tenantId} and parent_group_id = ${id} and until = ${at}
        offset 0`;
  // Recursions are estimated by far too high: compiling the statement would take longer than running it.
  send(Prisma.sql`set local jit = off`);
  return query<ChangedMembers>(Prisma.sql`
    with recursive
    seeds as materialized (select unnest(${[...groupIds]}::text[]) collate "C" as id),
    changed_memberships as materialized (
      select s.id as group_id, m.user_id from seeds s cross join lateral (
        select user_id from memberships where tenant_id = ${tenantId} and group_id = s.id and since = ${at}
        union
        select user_id from membership_history where tenant_id = ${tenantId} and group_id = s.id and until = ${at}
        offset 0) m),
    changed_nestings as materialized (
      select s.id as parent, n.child from seeds s cross join lateral (
        select child_group_id as child from nestings where tenant_id = ${tenantId} and parent_group_id = s.id and since = ${at}
        union
        select child_group_id from nesting_history where tenant_id = ${tenantId} and parent_group_id = s.id and until = ${at}
        offset 0) n),
    -- The groups in which something changed, and all above them, before or after.
    above(id) as (
      select id from (select group_id as id from changed_memberships union select parent from changed_nestings) c
      union
      select n.parent from above cross join lateral (
        select parent_group_id as parent from nestings where tenant_id = ${tenantId} and child_group_id = above.id
        union all
        select parent_group_id from nesting_history
        where tenant_id = ${tenantId} and child_group_id = above.id and until = ${at}
        offset 0) n),
    -- Those and the groups in them, before or after: no path between changes and affected groups leaves them.
    within(id) as (
      select id from (select id from above union select child from changed_nestings) r
      union
      select n.child from within cross join lateral (${childrenOf(Prisma.sql`within.id`)}) n),
    -- The groups of users who have or had them by a nesting that changed.
    carried(id) as (
      select child from changed_nestings
      union
      select n.child from carried cross join lateral (${childrenOf(Prisma.sql`carried.id`)}) n),
    -- All whose effective memberships can have changed.
    changed_users as materialized (
      select user_id from changed_memberships
      union
      select m.user_id from carried cross join lateral (
        select user_id from memberships where tenant_id = ${tenantId} and group_id = carried.id
        union all
        select user_id from membership_history where tenant_id = ${tenantId} and group_id = carried.id and until = ${at}
        offset 0) m),
    -- Their memberships there: one that ended and began again at this position is two rows.
    held as materialized (
      select u.user_id, m.* from changed_users u cross join lateral (
        select group_id, since < ${at} as was, true as holds from memberships
        where tenant_id = ${tenantId} and user_id = u.user_id
        union all
        select group_id, true, false from membership_history
        where tenant_id = ${tenantId} and user_id = u.user_id and until = ${at}
        offset 0) m
      join within w on w.id = m.group_id),
    -- Before and after, or both at once if no nesting changed.
    states(before, after) as materialized (
      select before, after from (values (true, true), (true, false), (false, true)) s(before, after)
      where (before and after) = not exists (select from changed_nestings)),
    -- What each of their groups is nested in, upward: users have few groups, but groups have many.
    reached(id, root, before, after) as (
      select h.group_id, h.group_id, s.before, s.after from (select distinct group_id from held) h cross join states s
      union
      select r.id, n.parent, r.before, r.after from reached r cross join lateral (
        select parent_group_id as parent from nestings
        where tenant_id = ${tenantId} and child_group_id = r.root and (r.after or since < ${at})
        union all
        select parent_group_id from nesting_history
        where not r.after and tenant_id = ${tenantId} and child_group_id = r.root and until = ${at}
        offset 0) n
      join within w on w.id = n.parent),
    differences as (
      select r.root, h.user_id, bool_or(r.after and h.holds) as is_joining
      from held h join reached r on r.id = h.group_id
      group by r.root, h.user_id
      having bool_or(r.after and h.holds) <> bool_or(r.before and h.was))
    select root as "groupId", is_joining as "isJoining", count(*)::int as count,
      (array_agg(user_id order by user_id))[:${MAX_PAGE_SIZE}::int] as "userIds",
      encode(sha256(convert_to(string_agg(user_id, ',' order by user_id), 'UTF8')), 'hex') as digest
    from differences group by root, is_joining`);
}
