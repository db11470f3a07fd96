// CTEs that maintain derived columns in the statements that change edges and users.
import { Prisma, type Sql } from '../../database/database.ts';
import type { TenantId } from '../../model/ids.ts';

/**
 * The CTE `counted`: adjusts member counts and bumps membership versions. The statement's CTE `added` or `ended` must
 * return the `group_id` of each membership written. Group rows are locked last, until the commit. The same transaction
 * must record an event of the change, because cache entries are validated against the log.
 */
export function adjustMemberCounts(cte: 'added' | 'ended', tenantId: TenantId): Sql {
  const edges = Prisma.raw(cte);
  const sign = Prisma.raw(cte === 'added' ? '+' : '-');
  return Prisma.sql`counted as (
    update groups g set member_count = g.member_count ${sign} e.n, membership_version = g.membership_version + 1
    from (select group_id, count(*)::int as n from ${edges} group by group_id) e
    where g.tenant_id = ${tenantId} and g.id = e.group_id)`;
}

/** The CTE `bumped`: bumps the tenant's user version if the statement's CTE `updated` changed users. */
export function bumpUserVersion(tenantId: TenantId): Sql {
  return Prisma.sql`bumped as (
    update tenants set user_version = user_version + 1 where id = ${tenantId} and exists (select from updated))`;
}

/** The CTE `bumped`: bumps the tenant's nesting version if the statement's CTE `added` or `ended` wrote nestings. */
export function bumpNestingVersion(cte: 'added' | 'ended', tenantId: TenantId): Sql {
  return Prisma.sql`bumped as (
    update tenants set nesting_version = nesting_version + 1
    where id = ${tenantId} and exists (select from ${Prisma.raw(cte)}))`;
}
