// Checks a tenant's rows against the domain's rules, together with the rows already stored, before anything is written.
import { Prisma, type Query } from '../database/database.ts';
import { type GraphEdge, topology } from '../domain/integrity/topology.ts';
import { MAX_DEPTH } from '../model/groups.ts';
import { nameKey } from '../model/text.ts';
import type { TenantRows } from './spool.ts';

type StoredGroup = {
  id: string;
  name: string;
  type: string;
  parentGroupId: string | null;
  deleted: boolean;
};

/** All faults of the rows; empty if they can be stored. Must run under the tenant's lock. */
export async function verifyTenant(query: Query, tenantId: string, rows: TenantRows): Promise<string[]> {
  const { users, groups, memberships, nestings } = rows;
  const faults = [...duplicates('user', users), ...duplicates('group', groups)];
  const stored = await query<StoredGroup>(Prisma.sql`
    select id, name, type, parent_group_id as "parentGroupId", deleted_at is not null as deleted
    from groups where tenant_id = ${tenantId} order by id`);
  const storedById = new Map(stored.map((group) => [group.id, group]));
  const foreign = await foreignIds(query, tenantId, rows);
  for (const { id } of groups) if (foreign.has(id)) faults.push(`group ${id} belongs to another tenant`);
  for (const { id, groupType } of groups) {
    const existing = storedById.get(id);
    if (!existing) continue;
    if (existing.deleted) faults.push(`group ${id} is deleted in the directory; restore it first`);
    else if (groupType !== undefined && existing.type !== (groupType ?? 'SECURITY'))
      faults.push(`group ${id}: the type cannot be changed`);
  }
  const live = new Map(
    stored
      .filter((group) => !group.deleted)
      .map(({ id, name, parentGroupId }) => [id, { name, parentGroupId }] as const),
  );
  for (const { id, name, parentGroupId } of groups)
    live.set(id as string, { name, parentGroupId: parentOf(parentGroupId, live.get(id)?.parentGroupId) });
  for (const fault of verifyHierarchy(live, new Set(groups.map(({ id }) => id)))) faults.push(fault);

  for (const { id } of users) if (foreign.has(id)) faults.push(`user ${id} belongs to another tenant`);
  const storedUsers = await query<{ id: string }>(Prisma.sql`
    select id from users where tenant_id = ${tenantId} and until is null
      and id = any(${[...new Set(memberships.map((membership) => membership.userId))]}::text[])`);
  const userIds = new Set<string>([...users.map((user) => user.id), ...storedUsers.map((user) => user.id)]);
  for (const { groupId, userId } of memberships) {
    if (!userIds.has(userId))
      faults.push(`membership of ${userId} in ${groupId}: no such user in the tenant`);
  }

  const storedNestings = await query<GraphEdge>(Prisma.sql`
    select parent_group_id as parent, child_group_id as child from nestings where tenant_id = ${tenantId}`);
  for (const { parentGroupId, childGroupId } of nestings) {
    if (!live.has(childGroupId))
      faults.push(`nesting of ${childGroupId} in ${parentGroupId}: no such group in the tenant`);
  }
  const pairs = new Map(
    [
      ...storedNestings,
      ...nestings.map((edge) => ({ parent: edge.parentGroupId, child: edge.childGroupId })),
    ].map((edge) => [`${edge.parent} ${edge.child}`, edge] as const),
  );
  for (const fault of topologyFaults('nesting', [...pairs.values()])) faults.push(fault);
  return faults;
}

/** Those of the file's ids of users and groups that another tenant has, or had. */
async function foreignIds(
  query: Query,
  tenantId: string,
  { users, groups }: TenantRows,
): Promise<Set<string>> {
  const ids = [...users, ...groups].map(({ id }) => id);
  const foreign = await query<{ id: string }>(Prisma.sql`
    select id from ids where tenant_id <> ${tenantId} and id = any(${ids}::text[])`);
  return new Set(foreign.map(({ id }) => id));
}

function duplicates(kind: string, rows: { id: string }[]): string[] {
  const seen = new Set<string>();
  return rows
    .filter(({ id }) => seen.has(id) || !seen.add(id))
    .map(({ id }) => `${kind} ${id} is in the file twice`);
}

/** The parent of a group after the import: omitted in the file, the stored one. */
const parentOf = (given: string | null | undefined, stored: string | null | undefined): string | null =>
  (given === undefined ? stored : given) ?? null;

function verifyHierarchy(
  live: Map<string, { name: string; parentGroupId: string | null }>,
  inFile: Set<string>,
): string[] {
  const faults: string[] = [];
  const siblings = new Map<string, string>();
  const edges: GraphEdge[] = [];
  for (const [id, { name, parentGroupId }] of live) {
    const place = `${parentGroupId ?? ''}\n${nameKey(name)}`;
    const sibling = siblings.get(place);
    // Two stored groups that the file does not name are not the file's fault.
    if (sibling && (inFile.has(sibling) || inFile.has(id)))
      faults.push(`groups ${sibling} and ${id} have the same name and parent`);
    siblings.set(place, id);
    if (parentGroupId === null) continue;
    if (!live.has(parentGroupId))
      faults.push(`group ${id}: its parent ${parentGroupId} is not in the tenant`);
    edges.push({ parent: parentGroupId, child: id });
  }
  return [...faults, ...topologyFaults('hierarchy', edges)];
}

function topologyFaults(relation: string, edges: GraphEdge[]): string[] {
  const { depth, cyclic } = topology(edges);
  if (cyclic.length > 0) return [`the ${relation} has a cycle among ${cyclic.join(', ')}`];
  return depth > MAX_DEPTH
    ? [`the ${relation} is ${depth} groups deep; at most ${MAX_DEPTH} are allowed`]
    : [];
}
