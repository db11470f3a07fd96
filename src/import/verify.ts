// Judges a tenant's rows together with what the directory already holds, before anything is written.
import { Prisma, type Query } from '../database/database.ts';
import { topology } from '../domain/integrity/topology.ts';
import { MAX_DEPTH } from '../model/groups.ts';
import { nameKey } from '../model/text.ts';
import type { TenantRows } from './spool.ts';

type StoredGroup = {
  id: string;
  tenantId: string;
  name: string;
  type: string;
  parentGroupId: string | null;
  deleted: boolean;
};

/** Every reason why the rows cannot be stored as they are; empty when they can. */
export async function verifyTenant(sql: Query, tenantId: string, rows: TenantRows): Promise<string[]> {
  const { users, groups, memberships, nestings } = rows;
  const faults = [...twice('user', users), ...twice('group', groups)];
  const stored = await sql<StoredGroup>(Prisma.sql`
    select id, tenant_id as "tenantId", name, type::text as type, parent_group_id as "parentGroupId",
      deleted_at is not null as deleted
    from groups where tenant_id = ${tenantId} or id = any(${groups.map((group) => group.id)}::text[]) order by id`);
  const storedById = new Map(stored.map((group) => [group.id, group]));
  for (const { id, groupType } of groups) {
    const before = storedById.get(id);
    if (!before) continue;
    if (before.tenantId !== tenantId) faults.push(`group ${id} belongs to another tenant`);
    else if (before.deleted) faults.push(`group ${id} was deleted here; restore it first`);
    else if (groupType !== undefined && before.type !== (groupType ?? 'SECURITY'))
      faults.push(`group ${id}: its type is fixed at creation`);
  }
  const live = new Map(
    stored
      .filter((group) => group.tenantId === tenantId && !group.deleted)
      .map(({ id, name, parentGroupId }) => [id, { name, parentGroupId }] as const),
  );
  for (const { id, name, parentGroupId } of groups)
    live.set(id as string, { name, parentGroupId: placeOf(parentGroupId, live.get(id)?.parentGroupId) });
  faults.push(...verifyHierarchy(live, new Set(groups.map(({ id }) => id))));

  const takenElsewhere = await sql<{ id: string }>(Prisma.sql`
    select id from users where tenant_id <> ${tenantId} and id = any(${users.map((user) => user.id)}::text[])`);
  faults.push(...takenElsewhere.map(({ id }) => `user ${id} belongs to another tenant`));
  const known = await sql<{ id: string }>(Prisma.sql`
    select id from users where tenant_id = ${tenantId}
      and id = any(${[...new Set(memberships.map((membership) => membership.userId))]}::text[])`);
  const userIds = new Set<string>([...users.map((user) => user.id), ...known.map((user) => user.id)]);
  for (const { groupId, userId } of memberships) {
    if (!userIds.has(userId))
      faults.push(`membership of ${userId} in ${groupId}: no such user in the tenant`);
  }

  const before = await sql<{ parent: string; child: string }>(Prisma.sql`
    select parent_group_id as parent, child_group_id as child from nestings where tenant_id = ${tenantId}`);
  for (const { parentGroupId, childGroupId } of nestings) {
    if (!live.has(childGroupId))
      faults.push(`nesting of ${childGroupId} in ${parentGroupId}: no such group in the tenant`);
  }
  const pairs = new Map(
    [...before, ...nestings.map((edge) => ({ parent: edge.parentGroupId, child: edge.childGroupId }))].map(
      (edge) => [`${edge.parent} ${edge.child}`, edge] as const,
    ),
  );
  faults.push(...shapeFaults('nesting', [...pairs.values()]));
  return faults;
}

function twice(kind: string, rows: { id: string }[]): string[] {
  const seen = new Set<string>();
  return rows
    .filter(({ id }) => seen.has(id) || !seen.add(id))
    .map(({ id }) => `${kind} ${id} stands in the file twice`);
}

/** Where a group is filed: absent in the file, it stays where it is stored. */
const placeOf = (given: string | null | undefined, stored: string | null | undefined): string | null =>
  (given === undefined ? stored : given) ?? null;

function verifyHierarchy(
  live: Map<string, { name: string; parentGroupId: string | null }>,
  inFile: Set<string>,
): string[] {
  const faults: string[] = [];
  const siblings = new Map<string, string>();
  const edges: { parent: string; child: string }[] = [];
  for (const [id, { name, parentGroupId }] of live) {
    const place = `${parentGroupId ?? ''}\n${nameKey(name)}`;
    const taken = siblings.get(place);
    // Of stored groups alone the file says nothing.
    if (taken && (inFile.has(taken) || inFile.has(id)))
      faults.push(`groups ${taken} and ${id} have the same name and parent`);
    siblings.set(place, id);
    if (parentGroupId === null) continue;
    if (!live.has(parentGroupId))
      faults.push(`group ${id}: its parent ${parentGroupId} is not in the tenant`);
    edges.push({ parent: parentGroupId, child: id });
  }
  return [...faults, ...shapeFaults('hierarchy', edges)];
}

function shapeFaults(relation: string, edges: { parent: string; child: string }[]): string[] {
  const { depth, cyclic } = topology(edges);
  if (cyclic.length > 0) return [`the ${relation} has a cycle among ${cyclic.join(', ')}`];
  return depth > MAX_DEPTH
    ? [`the ${relation} is ${depth} groups deep; at most ${MAX_DEPTH} are allowed`]
    : [];
}
