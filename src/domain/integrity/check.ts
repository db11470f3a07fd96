// Checks the stored directory against the domain's invariants, and repairs derived columns.

import { findClashes, findStaleKeys, rewriteStaleKeys } from '../../database/case-keys.ts';
import { type Database, Prisma, type Query } from '../../database/database.ts';
import { MAX_DEPTH } from '../../model/groups.ts';
import type { GroupId, TenantId } from '../../model/ids.ts';
import type { Actor } from '../log/events.ts';
import { type WriteContext, withWriteContext } from '../log/write-context.ts';
import { type GraphEdge, topology } from './topology.ts';

export type FaultKind =
  | 'nesting-cycle'
  | 'nesting-depth'
  | 'hierarchy-cycle'
  | 'hierarchy-depth'
  | 'edge-across-tenants'
  | 'edge-at-deleted-group'
  | 'sibling-names'
  | 'derived-column';

/** The author of repairs. */
const ACTOR: Actor = { id: 'check-directory', type: 'service' };

/** A violated invariant, and where. Only faults of derived columns can be repaired. */
export type Fault = { kind: FaultKind; message: string };

/** All faults of the directory, or of one tenant. */
export async function checkDirectory(db: Database, tenantId: string | null = null): Promise<Fault[]> {
  const inTenant = (column: string) =>
    tenantId === null ? Prisma.sql`true` : Prisma.sql`${Prisma.raw(column)} = ${tenantId}`;
  const { sql } = db;
  const edges = await sql<{ kind: FaultKind; message: string }>(Prisma.sql`
    select 'edge-across-tenants' as kind, 'membership of ' || m.user_id || ' in ' || m.group_id as message
    from memberships m join groups g on g.id = m.group_id join users u on u.id = m.user_id
    where (g.tenant_id <> m.tenant_id or u.tenant_id <> m.tenant_id) and ${inTenant('m.tenant_id')}
    union all
    select 'edge-across-tenants', 'nesting of ' || n.child_group_id || ' in ' || n.parent_group_id
    from nestings n join groups p on p.id = n.parent_group_id join groups c on c.id = n.child_group_id
    where (p.tenant_id <> n.tenant_id or c.tenant_id <> n.tenant_id) and ${inTenant('n.tenant_id')}
    union all
    select 'edge-across-tenants', g.id || ' has the parent ' || p.id from groups g join groups p on p.id = g.parent_group_id
    where p.tenant_id <> g.tenant_id and ${inTenant('g.tenant_id')}
    union all
    select 'edge-at-deleted-group', 'membership of ' || m.user_id || ' in ' || m.group_id
    from memberships m join groups g on g.id = m.group_id
    where g.deleted_at is not null and ${inTenant('m.tenant_id')}
    union all
    select 'edge-at-deleted-group', 'nesting of ' || n.child_group_id || ' in ' || n.parent_group_id
    from nestings n join groups p on p.id = n.parent_group_id join groups c on c.id = n.child_group_id
    where (p.deleted_at is not null or c.deleted_at is not null) and ${inTenant('n.tenant_id')}
    union all
    select 'edge-at-deleted-group', g.id || ' has the parent ' || p.id from groups g join groups p on p.id = g.parent_group_id
    where g.deleted_at is null and p.deleted_at is not null and ${inTenant('g.tenant_id')}`);
  const nesting = await sql<GraphEdge>(Prisma.sql`
    select parent_group_id as parent, child_group_id as child from nestings where ${inTenant('tenant_id')}`);
  const hierarchy = await sql<GraphEdge>(Prisma.sql`
    select parent_group_id as parent, id as child from groups
    where parent_group_id is not null and deleted_at is null and ${inTenant('tenant_id')}`);
  const clashes = await findClashes(sql, tenantId);
  const keys = await findStaleKeys(sql, tenantId);
  const counts = await findStaleCounts(sql, tenantId);
  return [
    ...topologyFaults('nesting', nesting),
    ...topologyFaults('hierarchy', hierarchy),
    ...edges,
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

/** Recomputes stale derived columns, and returns the number of rows repaired. Other faults need a decision. */
export async function repairDirectory(db: Database): Promise<number> {
  const tenants = await db.sql<{ id: string }>(Prisma.sql`select id from tenants order by id`);
  let keys = 0;
  for (const { id } of tenants) keys += await rewriteStaleKeys(db, id);
  const counts = await findStaleCounts(db.sql, null);
  for (const [tenantId, groups] of Map.groupBy(counts, (group) => group.tenantId)) {
    await db.transaction((query) =>
      withWriteContext({ query, tenantId, actor: ACTOR }, async (tx) => {
        for (const { id } of groups) await recountMembers(tx, id);
      }),
    );
  }
  return keys + counts.length;
}

/** Locks the group's row, so that no member is added or removed between counting and storing. */
async function recountMembers({ query, tenantId, record }: WriteContext, id: GroupId): Promise<void> {
  await query(Prisma.sql`select id from groups where tenant_id = ${tenantId} and id = ${id} for update`);
  await query(Prisma.sql`
    update groups set membership_version = membership_version + 1,
      member_count = (select count(*)::int from memberships m where m.group_id = groups.id)
    where tenant_id = ${tenantId} and id = ${id}`);
  record({ type: 'group.repaired', groupId: id, data: {} });
}

async function findStaleCounts(query: Query, tenantId: string | null) {
  const inTenant = tenantId === null ? Prisma.empty : Prisma.sql`where tenant_id = ${tenantId}`;
  return query<{ id: GroupId; tenantId: TenantId; stored: number; counted: number }>(Prisma.sql`
    select g.id, g.tenant_id as "tenantId", g.member_count as stored, coalesce(m.n, 0) as counted
    from (select id, tenant_id, member_count from groups ${inTenant}) g
    left join (select group_id, count(*)::int as n from memberships ${inTenant} group by group_id) m on m.group_id = g.id
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
