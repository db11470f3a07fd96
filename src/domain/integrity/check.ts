// Checks the stored directory against the domain's invariants, and repairs derived columns.

import { findClashes, findStaleKeys, rewriteStaleKeys } from '../../database/case-keys.ts';
import { type Database, Prisma, type Query, type Sql } from '../../database/database.ts';
import { MAX_DEPTH } from '../../model/groups.ts';
import type { GroupId, TenantId } from '../../model/ids.ts';
import type { Actor } from '../log/changes.ts';
import { change } from '../log/write-context.ts';
import { type GraphEdge, topology } from './topology.ts';

export type FaultKind =
  | 'nesting-cycle'
  | 'nesting-depth'
  | 'hierarchy-cycle'
  | 'hierarchy-depth'
  | 'edge-across-tenants'
  | 'edge-at-deleted-group'
  | 'edge-at-removed-user'
  | 'id-of-other-tenant'
  | 'interval'
  | 'log'
  | 'sibling-names'
  | 'derived-column';

/** The author of repairs. */
const ACTOR: Actor = { id: 'check-directory', type: 'service' };

/** A violated invariant, and where. Only faults of derived columns can be repaired. */
export type Fault = { kind: FaultKind; message: string };

/** All faults of the directory, or of one tenant. */
export async function checkDirectory(db: Database, tenantId: string | null = null): Promise<Fault[]> {
  const inTenant = conditionOf(tenantId);
  const { sql } = db;
  const edges = await sql<Fault>(Prisma.sql`
    select 'edge-across-tenants' as kind, 'membership of ' || m.user_id || ' in ' || m.group_id as message
    from memberships m join ids g on g.id = m.group_id join ids u on u.id = m.user_id
    where (g.tenant_id <> m.tenant_id or u.tenant_id <> m.tenant_id) and ${inTenant('m.tenant_id')}
    union all
    select 'edge-across-tenants', 'nesting of ' || n.child_group_id || ' in ' || n.parent_group_id
    from nestings n join ids p on p.id = n.parent_group_id join ids c on c.id = n.child_group_id
    where (p.tenant_id <> n.tenant_id or c.tenant_id <> n.tenant_id) and ${inTenant('n.tenant_id')}
    union all
    select 'edge-across-tenants', g.id || ' has the parent ' || p.id from groups g join ids p on p.id = g.parent_group_id
    where p.tenant_id <> g.tenant_id and ${inTenant('g.tenant_id')}
    union all
    select 'edge-at-deleted-group', 'membership of ' || m.user_id || ' in ' || m.group_id
    from memberships m join groups g on g.tenant_id = m.tenant_id and g.id = m.group_id
    where g.deleted_at is not null and ${inTenant('m.tenant_id')}
    union all
    select 'edge-at-deleted-group', 'nesting of ' || n.child_group_id || ' in ' || n.parent_group_id
    from nestings n join groups p on p.tenant_id = n.tenant_id and p.id = n.parent_group_id
      join groups c on c.tenant_id = n.tenant_id and c.id = n.child_group_id
    where (p.deleted_at is not null or c.deleted_at is not null) and ${inTenant('n.tenant_id')}
    union all
    select 'edge-at-deleted-group', g.id || ' has the parent ' || p.id from groups g
      join groups p on p.tenant_id = g.tenant_id and p.id = g.parent_group_id
    where g.deleted_at is null and p.deleted_at is not null and ${inTenant('g.tenant_id')}
    union all
    select 'edge-at-removed-user', 'membership of ' || m.user_id || ' in ' || m.group_id
    from memberships m join users u on u.tenant_id = m.tenant_id and u.id = m.user_id
    where u.until is not null and ${inTenant('m.tenant_id')}`);
  const nesting = await sql<GraphEdge>(Prisma.sql`
    select parent_group_id as parent, child_group_id as child from nestings where ${inTenant('tenant_id')}`);
  const hierarchy = await sql<GraphEdge>(Prisma.sql`
    select parent_group_id as parent, id as child from groups
    where parent_group_id is not null and deleted_at is null and ${inTenant('tenant_id')}`);
  const log = await findLogFaults(sql, inTenant);
  const clashes = await findClashes(sql, tenantId);
  const keys = await findStaleKeys(sql, tenantId);
  const counts = await findStaleCounts(sql, tenantId);
  return [
    ...topologyFaults('nesting', nesting),
    ...topologyFaults('hierarchy', hierarchy),
    ...edges,
    ...log,
    ...clashes.map((message) => ({ kind: 'sibling-names' as const, message })),
    ...keys.map(({ table, id }) => ({
      kind: 'derived-column' as const,
      message: `${table} ${id}: the keys for names and search do not match its text`,
    })),
    ...counts.map(({ id, stored, counted }) => ({
      kind: 'derived-column' as const,
      message: `group ${id}: its member count is ${stored}, and it has ${counted} members`,
    })),
  ];
}

/** The condition for rows of the tenant; of all tenants for null. */
const conditionOf = (tenantId: string | null) => (column: string) =>
  tenantId === null ? Prisma.sql`true` : Prisma.sql`${Prisma.raw(column)} = ${tenantId}`;

/** Recomputes stale derived columns, and returns the number of rows repaired. Other faults need a decision. */
export async function repairDirectory(db: Database): Promise<number> {
  const tenants = await db.sql<{ id: string }>(Prisma.sql`select id from tenants order by id`);
  let keys = 0;
  for (const { id } of tenants) keys += await rewriteStaleKeys(db, id);
  const counts = await findStaleCounts(db.sql, null);
  for (const [tenantId, groups] of Map.groupBy(counts, (group) => group.tenantId)) {
    await change(db, { tenantId, actor: ACTOR }, async ({ query, record }) => {
      const ids = groups.map(({ id }) => id);
      await query(Prisma.sql`
        update groups g set member_count = (
          select count(*)::int from memberships m where m.tenant_id = ${tenantId} and m.group_id = g.id)
        where g.tenant_id = ${tenantId} and g.id = any(${ids}::text[])`);
      record({ type: 'directory.repaired', data: { recounted: ids } });
      return {};
    });
  }
  return keys + counts.length;
}

/**
 * Ids without their tenant, edges, groups and users that were twice at one position, positions without a change, and what is
 * beyond the head.
 */
function findLogFaults(query: Query, inTenant: (column: string) => Sql): Promise<Fault[]> {
  const overlaps = (kind: string, what: string, since = 'since', isPresent = 'true') => Prisma.sql`
    select 'interval', ${kind} || ' ' || e.what || ' from position ' || e.since
    from (
      select *, lag(until) over (partition by tenant_id, what order by since) as before from (
        select tenant_id, ${Prisma.raw(what)} as what, since, until from ${Prisma.raw(kind)}_history
        union all
        select tenant_id, ${Prisma.raw(what)}, ${Prisma.raw(since)}, null from ${Prisma.raw(kind)}s
        where ${Prisma.raw(isPresent)}) i
      where ${inTenant('i.tenant_id')}) e
    where e.before > e.since`;
  return query<Fault>(Prisma.sql`
    select 'id-of-other-tenant' as kind, o.id || ' is of ' || o.tenant_id || ', and its id of ' || coalesce(i.tenant_id, 'none')
      as message
    from (select id, tenant_id from users union all select id, tenant_id from groups) o left join ids i on i.id = o.id
    where i.tenant_id is distinct from o.tenant_id and ${inTenant('o.tenant_id')}
    union all
    ${overlaps('membership', "'of ' || user_id || ' in ' || group_id")}
    union all
    ${overlaps('nesting', "'of ' || child_group_id || ' in ' || parent_group_id")}
    union all
    ${overlaps('group', 'id', 'version_since', 'deleted_at is null')}
    union all
    ${overlaps('user', 'id', 'version_since', 'until is null')}
    union all
    select 'log', 'tenant ' || l.tenant_id || ' has changes at ' || c.n || ' of the positions from ' || l.exact_from + 1 || ' to '
      || l.position
    from tenant_logs l cross join lateral (
      select count(distinct position) as n from changes c
      where c.tenant_id = l.tenant_id and c.position > l.exact_from and c.position <= l.position) c
    where c.n <> l.position - l.exact_from and ${inTenant('l.tenant_id')}
    union all
    select 'log', 'tenant ' || l.tenant_id || ' is at position ' || l.position || ', and has rows of position ' || r.last
    from tenant_logs l cross join lateral (
      select greatest(
        (select max(position) from changes where tenant_id = l.tenant_id),
        (select max(greatest(since, until)) from users where tenant_id = l.tenant_id),
        (select max(since) from memberships where tenant_id = l.tenant_id),
        (select max(since) from nestings where tenant_id = l.tenant_id),
        (select max(until) from membership_history where tenant_id = l.tenant_id),
        (select max(until) from nesting_history where tenant_id = l.tenant_id),
        (select max(version_since) from groups where tenant_id = l.tenant_id),
        (select max(version_since) from users where tenant_id = l.tenant_id),
        (select max(until) from group_history where tenant_id = l.tenant_id),
        (select max(until) from user_history where tenant_id = l.tenant_id)) as last) r
    where r.last > l.position and ${inTenant('l.tenant_id')}
    union all
    select 'log', 'tenant ' || t.id || ' has no log' from tenants t
    where not exists (select from tenant_logs l where l.tenant_id = t.id) and ${inTenant('t.id')}
    union all
    select distinct 'log', 'tenant ' || l.tenant_id || ' has another change at position ' || l.position || ' than its head says'
    from tenant_logs l join changes c on c.tenant_id = l.tenant_id and c.position = l.position
    where c.change_id <> l.change_id and ${inTenant('l.tenant_id')}`);
}

async function findStaleCounts(query: Query, tenantId: string | null) {
  const isInTenant = conditionOf(tenantId)('tenant_id');
  return query<{ id: GroupId; tenantId: TenantId; stored: number; counted: number }>(Prisma.sql`
    select g.id, g.tenant_id as "tenantId", g.member_count as stored, coalesce(m.n, 0) as counted
    from (select id, tenant_id, member_count from groups where ${isInTenant}) g
    left join (select tenant_id, group_id, count(*)::int as n from memberships where ${isInTenant} group by 1, 2) m
      on m.tenant_id = g.tenant_id and m.group_id = g.id
    where g.member_count <> coalesce(m.n, 0) order by g.id`);
}

function topologyFaults(relation: 'nesting' | 'hierarchy', edges: GraphEdge[]): Fault[] {
  const { depth, cyclic } = topology(edges);
  const faults: Fault[] = [];
  if (cyclic.length > 0) {
    faults.push({ kind: `${relation}-cycle`, message: `on a cycle or below one: ${cyclic.join(', ')}` });
  }
  if (depth > MAX_DEPTH) {
    faults.push({
      kind: `${relation}-depth`,
      message: `a path of ${depth} groups; at most ${MAX_DEPTH} are allowed`,
    });
  }
  return faults;
}
