// What is derived from edges, kept by the statements that change them: parts of SQL for those statements.
import { Prisma, type Sql } from '../../database/database.ts';
import type { TenantId } from '../../model/ids.ts';

/**
 * The CTE `counted`, for a statement whose CTE `added` or `ended` returns `group_id` of each membership that it wrote:
 * sets the groups' counts right and raises their versions. The groups' rows are locked last, and until the commit. An
 * event must tell of the change in the same transaction: by it, what others keep in memory is no longer believed.
 */
export function countMemberships(cte: 'added' | 'ended', tenantId: TenantId): Sql {
  const edges = Prisma.raw(cte);
  const sign = Prisma.raw(cte === 'added' ? '+' : '-');
  return Prisma.sql`counted as (
    update groups g set member_count = g.member_count ${sign} e.n, membership_version = g.membership_version + 1
    from (select group_id, count(*)::int as n from ${edges} group by group_id) e
    where g.tenant_id = ${tenantId} and g.id = e.group_id)`;
}

/** The CTE `seen`, for a statement whose CTE `updated` changed users: raises the tenant's version of them. */
export function noticeUsers(tenantId: TenantId): Sql {
  return Prisma.sql`seen as (
    update tenants set user_version = user_version + 1 where id = ${tenantId} and exists (select from updated))`;
}

/** The CTE `noticed`, for a statement whose CTE `added` or `ended` wrote nestings: raises the tenant's version of them. */
export function noticeNestings(cte: 'added' | 'ended', tenantId: TenantId): Sql {
  return Prisma.sql`noticed as (
    update tenants set nesting_version = nesting_version + 1
    where id = ${tenantId} and exists (select from ${Prisma.raw(cte)}))`;
}
