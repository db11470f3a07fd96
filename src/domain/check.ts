// Checks the whole directory against its own rules: what the domain promises, read back from the tables.
import { type Database, Prisma, type Query } from '../database/database.ts';
import { MAX_DEPTH, nameKey, searchKey } from '../model/groups.ts';
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

/** One breach: what rule, and where. Derived columns alone can be repaired. */
export type Fault = { kind: FaultKind; message: string };

/** Rows whose derived columns are compared at a time. */
const CHUNK = 5_000;

/** Every fault of the directory, or of one tenant; empty when it keeps its rules. */
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
    select 'edge-across-tenants', g.id || ' is filed under ' || p.id from groups g join groups p on p.id = g.parent_group_id
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
    select 'edge-at-deleted-group', g.id || ' is filed under ' || p.id from groups g join groups p on p.id = g.parent_group_id
    where g.deleted_at is null and p.deleted_at is not null and ${inTenant('g.tenant_id')}
    union all
    select 'sibling-names', string_agg(id, ', ' order by id) || ' share a name under ' || coalesce(parent_group_id, 'the root')
    from groups where deleted_at is null and ${inTenant('tenant_id')}
    group by tenant_id, parent_group_id, name_key having count(*) > 1`);
  const nesting = await sql<GraphEdge>(Prisma.sql`
    select parent_group_id as parent, child_group_id as child from nestings where ${inTenant('tenant_id')}`);
  const hierarchy = await sql<GraphEdge>(Prisma.sql`
    select parent_group_id as parent, id as child from groups
    where parent_group_id is not null and deleted_at is null and ${inTenant('tenant_id')}`);
  const derived = await staleColumns(sql, tenantId);
  const counts = await staleCounts(sql, tenantId);
  return [
    ...shape('nesting', nesting),
    ...shape('hierarchy', hierarchy),
    ...edges,
    ...derived.map(({ table, id }) => ({
      kind: 'derived-column' as const,
      message: `${table} ${id}: the keys for names and search do not match its text`,
    })),
    ...counts.map(({ id, stored, counted }) => ({
      kind: 'derived-column' as const,
      message: `group ${id}: its member count is ${stored}, and it has ${counted} members`,
    })),
  ];
}

/** Rewrites derived columns from what they derive from; gives the number of rows. Other faults need a decision. */
export async function repairDirectory(db: Database): Promise<number> {
  const stale = await staleColumns(db.sql, null);
  await db.transaction(async (sql) => {
    for (const row of stale) {
      await sql(
        row.table === 'group'
          ? Prisma.sql`update groups set name_key = ${row.nameKey}, search_key = ${row.searchKey} where id = ${row.id}`
          : Prisma.sql`
              with updated as (
                update users set search_key = ${row.searchKey} where id = ${row.id} returning tenant_id)
              update tenants set user_version = user_version + 1 where id in (select tenant_id from updated)`,
      );
    }
  });
  // Under the lock of its row no member comes or goes between counting and storing.
  const counts = await staleCounts(db.sql, null);
  await db.transaction(async (sql) => {
    for (const { id } of counts) {
      await sql(Prisma.sql`select id from groups where id = ${id} for update`);
      await sql(Prisma.sql`
        update groups set membership_version = membership_version + 1,
          member_count = (select count(*)::int from memberships m where m.group_id = groups.id)
        where id = ${id}`);
      await sql(Prisma.sql`
        insert into group_events (event_type, tenant_id, group_id, actor_id, actor_type, data)
        select 'group.repaired', tenant_id, id, 'check-directory', 'service', '{}' from groups where id = ${id}`);
    }
  });
  return stale.length + counts.length;
}

async function staleCounts(sql: Query, tenantId: string | null) {
  const scoped = tenantId === null ? Prisma.empty : Prisma.sql`where tenant_id = ${tenantId}`;
  return sql<{ id: string; stored: number; counted: number }>(Prisma.sql`
    select g.id, g.member_count as stored, coalesce(m.n, 0) as counted
    from (select id, member_count from groups ${scoped}) g
    left join (select group_id, count(*)::int as n from memberships ${scoped} group by group_id) m on m.group_id = g.id
    where g.member_count <> coalesce(m.n, 0) order by g.id`);
}

function shape(relation: 'nesting' | 'hierarchy', edges: GraphEdge[]): Fault[] {
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

type Stale = { table: 'group' | 'user'; id: string; nameKey: string; searchKey: string };

async function staleColumns(sql: Query, tenantId: string | null): Promise<Stale[]> {
  const stale: Stale[] = [];
  const scoped = tenantId === null ? Prisma.empty : Prisma.sql`and tenant_id = ${tenantId}`;
  type Keyed = { id: string; first: string; second: string | null; nameKey: string; searchKey: string };
  for (const table of ['group', 'user'] as const) {
    for (let after = ''; ; ) {
      const rows = await sql<Keyed>(
        table === 'group'
          ? Prisma.sql`select id, name as first, description as second, name_key as "nameKey", search_key as "searchKey"
              from groups where id > ${after} ${scoped} order by id limit ${CHUNK}`
          : Prisma.sql`select id, email as first, display_name as second, '' as "nameKey", search_key as "searchKey"
              from users where id > ${after} ${scoped} order by id limit ${CHUNK}`,
      );
      for (const row of rows) {
        const expected = {
          nameKey: table === 'group' ? nameKey(row.first) : '',
          searchKey: searchKey(row.first, row.second),
        };
        if (row.nameKey !== expected.nameKey || row.searchKey !== expected.searchKey) {
          stale.push({ table, id: row.id, ...expected });
        }
      }
      if (rows.length < CHUNK) break;
      after = rows.at(-1)!.id;
    }
  }
  return stale;
}
