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
 * all groups in which memberships or nestings began or ended. One statement: its cost is that of the users whose memberships or
 * nestings changed, and of the closures of the groups above them, but not of all who are members there.
 */
export async function readChangedMembers(
  { query, tenantId, position }: WriteContext,
  groupIds: readonly GroupId[],
): Promise<ChangedMembers[]> {
  if (groupIds.length === 0) return [];
  const at = Prisma.sql`${position}::bigint`;
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
    -- Their closures, and those of groups whose own nesting changed, before and after.
    closure(root, id, is_after) as (
      select r.id, r.id, e.is_after
      from (select id from above union select child from changed_nestings) r cross join (values (false), (true)) e(is_after)
      union
      select c.root, n.child, c.is_after from closure c cross join lateral (
        select child_group_id as child from nestings
        where tenant_id = ${tenantId} and parent_group_id = c.id and (c.is_after or since < ${at})
        union all
        select child_group_id from nesting_history
        where not c.is_after and tenant_id = ${tenantId} and parent_group_id = c.id and until = ${at}
        offset 0) n),
    -- All whose membership anywhere can have changed: by their own, or by that of a group that has them.
    changed_users as materialized (
      select user_id from changed_memberships
      union
      select m.user_id
      from (select distinct c.id from closure c where c.root in (select child from changed_nestings)) g
      cross join lateral (
        select user_id from memberships where tenant_id = ${tenantId} and group_id = g.id
        union all
        select user_id from membership_history where tenant_id = ${tenantId} and group_id = g.id and until = ${at}
        offset 0) m),
    -- Their memberships, before and after: one that ended and began again at this position is two rows.
    held as materialized (
      select u.user_id, m.* from changed_users u cross join lateral (
        select group_id, since < ${at} as was, true as holds from memberships
        where tenant_id = ${tenantId} and user_id = u.user_id
        union all
        select group_id, true, false from membership_history
        where tenant_id = ${tenantId} and user_id = u.user_id and until = ${at}
        offset 0) m),
    differences as (
      select c.root, h.user_id, bool_or(c.is_after and h.holds) as is_joining
      from held h join closure c on c.id = h.group_id
      group by c.root, h.user_id
      having bool_or(c.is_after and h.holds) <> bool_or(not c.is_after and h.was))
    select root as "groupId", is_joining as "isJoining", count(*)::int as count,
      (array_agg(user_id order by user_id))[:${MAX_PAGE_SIZE}::int] as "userIds",
      encode(sha256(convert_to(string_agg(user_id, ',' order by user_id), 'UTF8')), 'hex') as digest
    from differences group by root, is_joining`);
}
