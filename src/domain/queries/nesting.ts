// Nesting: groups in groups, whose members count in the parent. An acyclic graph of at most 32 levels.
import { Prisma, type Query } from '../../database/database.ts';
import { refuse } from '../../model/errors.ts';
import { MAX_DEPTH } from '../../model/groups.ts';
import type { GroupId, TenantId } from '../../model/ids.ts';
import { readInput } from '../../model/input.ts';
import {
  type AddNestedGroupsInput,
  addNestedGroupsInput,
  MAX_CHILDREN_PER_CALL,
  type RemoveNestedGroupInput,
  removeNestedGroupInput,
} from '../../model/nesting.ts';
import type { Page, PageArgs } from '../../model/page.ts';
import { loadNestingGraph, type NestingGraph } from '../commands/rules/nesting-graph.ts';
import { foreign, requireGroup } from '../commands/rules/targets.ts';
import { assertMayChange, change, type Directory, plainUser } from '../directory.ts';
import { list } from '../loading/list.ts';
import { actorOf, recordEvent, recordEvents } from '../log/events.ts';
import { lockGraph } from '../log/lock.ts';
import { groupOrdering, listColumns, lockGroup, toGroupRow } from '../rows/groups.ts';
import type { GroupExtras, GroupRow } from '../rows/rows.ts';
import { noticeNestings } from '../writes/derived.ts';
import { moveNestings } from '../writes/edges.ts';

const nestedGroups = list<GroupExtras, GroupRow>({
  columns: listColumns,
  toRow: toGroupRow,
  order: () => groupOrdering({}),
  from: (directory) => Prisma.sql`from nestings n join groups g on g.id = n.child_group_id
    where n.parent_group_id = k.id and g.deleted_at is null and ${directory.scope(Prisma.sql`n.tenant_id`)}`,
  fromForCount: (directory) =>
    Prisma.sql`from nestings n where n.parent_group_id = k.id and ${directory.scope(Prisma.sql`n.tenant_id`)}`,
});

const parentGroups = list<GroupExtras, GroupRow>({
  columns: listColumns,
  toRow: toGroupRow,
  order: () => groupOrdering({}),
  from: (directory) => Prisma.sql`from nestings n join groups g on g.id = n.parent_group_id
    where n.child_group_id = k.id and g.deleted_at is null and ${directory.scope(Prisma.sql`n.tenant_id`)}`,
  fromForCount: (directory) =>
    Prisma.sql`from nestings n where n.child_group_id = k.id and ${directory.scope(Prisma.sql`n.tenant_id`)}`,
});

type ListArgs = { page: PageArgs; extras?: GroupExtras };
type GroupPage = Promise<Page<GroupRow> | null>;

/** Groups nested directly in this one, by name. Null for a plain user. */
export async function listNestedGroups(
  directory: Directory,
  id: string,
  { page, extras = {} }: ListArgs,
): GroupPage {
  return plainUser(directory) ? null : nestedGroups.page(directory, id, extras, page);
}

/** All groups nested directly in this one, by name. Null for a plain user; refused with LIMIT_EXCEEDED above 10,000. */
export async function listAllNestedGroups(
  directory: Directory,
  id: string,
): Promise<readonly GroupRow[] | null> {
  return plainUser(directory) ? null : nestedGroups.whole(directory, id, {});
}

/** How many groups are nested directly in this one. Null for a plain user. */
export async function countNestedGroups(directory: Directory, id: string): Promise<number | null> {
  return plainUser(directory) ? null : nestedGroups.count(directory, id, {});
}

/** Groups that this one is nested in directly, by name. Null for a plain user. */
export async function listParentGroups(
  directory: Directory,
  id: string,
  { page, extras = {} }: ListArgs,
): GroupPage {
  return plainUser(directory) ? null : parentGroups.page(directory, id, extras, page);
}

/** How many groups this one is nested in directly. Null for a plain user. */
export async function countParentGroups(directory: Directory, id: string): Promise<number | null> {
  return plainUser(directory) ? null : parentGroups.count(directory, id, {});
}

type Nested = { group: GroupRow; added: string[]; unchanged: string[] };

/**
 * Nests groups in a group; those nested already are `unchanged`. Refused: NOT_FOUND, OTHER_TENANT, CYCLE with its
 * path, LIMIT_EXCEEDED (depth, or more than 100 children in a call).
 */
export async function addNestedGroups(directory: Directory, input: AddNestedGroupsInput): Promise<Nested> {
  const { groupId, childGroupIds } = readInput(addNestedGroupsInput, input);
  if (childGroupIds.length > MAX_CHILDREN_PER_CALL) {
    throw refuse.limit(
      MAX_CHILDREN_PER_CALL,
      `A call may nest ${MAX_CHILDREN_PER_CALL} groups, and this one names ${childGroupIds.length}`,
    );
  }
  const children = [...new Set(childGroupIds)];
  const { tenantId } = await requireGroup(directory, groupId);
  assertMayChange(directory);
  return change(directory, async (sql) => {
    await lockGraph(directory, sql, tenantId);
    const group = await lockGroup(sql, tenantId, groupId);
    await assertLiveInTenant(directory, sql, tenantId, children);
    const graph = await loadNestingGraph(sql, tenantId, { parents: [groupId], children });
    const added = children.filter((child) => !graph.has({ parent: groupId, child }));
    for (const child of added) await assertNoCycle(sql, tenantId, graph, groupId, child);
    for (const child of added) assertDepth(graph, groupId, child);
    await insertNestings(directory, sql, { tenantId, parentGroupId: groupId, childGroupIds: added });
    await claimNestings(
      sql,
      tenantId,
      children.map((child) => ({ parent: groupId, child })),
    );
    if (added.length > 0) {
      await recordEvent(directory, sql, {
        type: 'group_nesting.added',
        tenantId,
        groupId,
        data: { childGroupIds: added },
      });
    }
    return { group, added, unchanged: children.filter((child) => !added.includes(child)) };
  });
}

/** Ends a nesting. Refused: NOT_FOUND for either group, and for a child that is not nested in the group. */
export async function removeNestedGroup(
  directory: Directory,
  input: RemoveNestedGroupInput,
): Promise<{ group: GroupRow; childGroup: GroupRow }> {
  const { groupId, childGroupId } = readInput(removeNestedGroupInput, input);
  const { tenantId } = await requireGroup(directory, groupId);
  const childGroup = await requireGroup(directory, childGroupId);
  assertMayChange(directory);
  return change(directory, async (sql) => {
    await lockGraph(directory, sql, tenantId);
    const group = await lockGroup(sql, tenantId, groupId);
    const ended = await moveNestings(directory, sql, {
      tenantId,
      where: Prisma.sql`parent_group_id = ${groupId} and child_group_id = ${childGroupId}`,
      cause: 'REMOVED',
    });
    if (ended.length === 0)
      throw refuse.notFound(childGroupId, `${childGroupId} is not nested in ${groupId}`);
    await recordEvents(directory, sql, [
      {
        type: 'group_nesting.removed',
        tenantId,
        groupId,
        data: { childGroupIds: [childGroupId], cause: 'REMOVED' },
      },
    ]);
    return { group, childGroup };
  });
}

type NewNestings = { tenantId: TenantId; parentGroupId: GroupId; childGroupIds: readonly string[] };

/** Stores edges that were judged before; those that exist are left as they are. */
export async function insertNestings(
  directory: Directory,
  sql: Query,
  { tenantId, parentGroupId, childGroupIds }: NewNestings,
): Promise<void> {
  if (childGroupIds.length === 0) return;
  await sql(Prisma.sql`
    with added as (
      insert into nestings (tenant_id, parent_group_id, child_group_id, created_by)
      select ${tenantId}, ${parentGroupId}, id, ${actorOf(directory).id} from unnest(${[...childGroupIds]}::text[]) c(id)
      on conflict (parent_group_id, child_group_id) do nothing returning child_group_id),
    ${noticeNestings('added', tenantId)}
    select from added`);
}

/** Makes nestings that stand for deleted groups be there for their own sake: a restore does not end what was asked for. */
export async function claimNestings(
  sql: Query,
  tenantId: TenantId,
  edges: readonly { parent: string; child: string }[],
): Promise<void> {
  await sql(Prisma.sql`
    update nestings n set stands_for = null
    from unnest(${edges.map((edge) => edge.parent)}::text[], ${edges.map((edge) => edge.child)}::text[]) e(parent, child)
    where n.tenant_id = ${tenantId} and n.parent_group_id = e.parent and n.child_group_id = e.child and n.stands_for is not null`);
}

/** Whether a path through the new edge would have more than 32 groups. */
export function isTooDeep(graph: NestingGraph, parent: string, child: string): boolean {
  return graph.depthAbove(parent) + graph.depthBelow(child) > MAX_DEPTH;
}

function assertDepth(graph: NestingGraph, parent: string, child: string): void {
  if (!isTooDeep(graph, parent, child)) return;
  throw refuse.limit(MAX_DEPTH, `The nesting would be more than ${MAX_DEPTH} groups deep`);
}

async function assertNoCycle(
  sql: Query,
  tenantId: TenantId,
  graph: NestingGraph,
  parent: GroupId,
  child: string,
) {
  const back = graph.pathDown(child, parent);
  if (!back) return;
  const ids = [parent, ...back];
  const rows = await sql<{ id: string; name: string }>(Prisma.sql`
    select id, name from groups where tenant_id = ${tenantId} and id = any(${ids}::text[])`);
  const names = new Map(rows.map(({ id, name }) => [id, name]));
  throw refuse.cycle(ids.map((id) => ({ id, name: names.get(id) ?? id })));
}

async function assertLiveInTenant(
  directory: Directory,
  sql: Query,
  tenantId: TenantId,
  ids: readonly string[],
) {
  const rows = await sql<{ id: string }>(Prisma.sql`
    select id from groups where tenant_id = ${tenantId} and deleted_at is null and id = any(${[...ids]}::text[])`);
  const live = new Set(rows.map((row) => row.id));
  const missing = ids.find((id) => !live.has(id));
  if (missing !== undefined) throw await foreign(directory, sql, missing);
}
