// Columns that derive from edges and users, as parts of the statements that change those.
import { Prisma, type Sql } from '../../database/database.ts';
import type { TenantId } from '../../model/ids.ts';

/**
 * The CTE `counted`, for a statement whose CTE `added` or `ended` returns `group_id` of each membership that it wrote:
 * adjusts the groups' member counts and bumps their versions. Groups' rows are locked last, and until the commit. An event
 * must record the change in the same transaction: by it, caches are invalidated.
 */
export function adjustMemberCounts(cte: 'added' | 'ended', tenantId: TenantId): Sql {
  const edges = Prisma.raw(cte);
  const sign = Prisma.raw(cte === 'added' ? '+' : '-');
  return Prisma.sql`counted as (
    update groups g set member_count = g.member_count ${sign} e.n, membership_version = g.membership_version + 1
    from (select group_id, count(*)::int as n from ${edges} group by group_id) e
    where g.tenant_id = ${tenantId} and g.id = e.group_id)`;
}

/** The CTE `bumped`, for a statement whose CTE `updated` changed users: bumps the tenant's version of them. */
export function bumpUserVersion(tenantId: TenantId): Sql {
  return Prisma.sql`bumped as (
    update tenants set user_version = user_version + 1 where id = ${tenantId} and exists (select from updated))`;
}

/** The CTE `bumped`, for a statement whose CTE `added` or `ended` wrote nestings: bumps the tenant's version of them. */
export function bumpNestingVersion(cte: 'added' | 'ended', tenantId: TenantId): Sql {
  return Prisma.sql`bumped as (
    update tenants set nesting_version = nesting_version + 1
    where id = ${tenantId} and exists (select from ${Prisma.raw(cte)}))`;
}
