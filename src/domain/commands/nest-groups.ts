// Nests groups in a group, and ends a nesting.

import { Prisma } from '../../database/database.ts';
import { refuse } from '../../model/errors.ts';
import { MAX_DEPTH } from '../../model/groups.ts';
import type { GroupId } from '../../model/ids.ts';
import { parseInput } from '../../model/input.ts';
import {
  type AddNestedGroupsInput,
  addNestedGroupsInput,
  MAX_CHILDREN_PER_CALL,
  type RemoveNestedGroupInput,
  removeNestedGroupInput,
} from '../../model/nesting.ts';
import type { Directory, Positioned } from '../directory.ts';
import type { WriteContext } from '../log/write-context.ts';
import { requireGroup } from '../queries/groups.ts';
import { type Group, groupsWithIds } from '../rows/groups.ts';
import { endNestings, nest } from '../writes/edges.ts';
import { requireLiveGroup } from '../writes/groups.ts';
import { isTooDeep, loadNestingGraph, type NestingGraph } from './rules/nesting-graph.ts';
import { notInTenant, requireGroupToChange } from './rules/targets.ts';

export type Nested = Positioned & { group: Group; added: string[]; unchanged: string[] };
export type Unnested = Positioned & { group: Group; childGroup: Group };

/**
 * Nests all groups in a group, or none; groups that are nested in it already are returned as `unchanged`.
 * Refused: NOT_FOUND, FORBIDDEN, OTHER_TENANT, CYCLE with its path, LIMIT_EXCEEDED (depth, or more than 100 children).
 */
export async function addNestedGroups(directory: Directory, input: AddNestedGroupsInput): Promise<Nested> {
  const { groupId, childGroupIds } = parseInput(addNestedGroupsInput, input);
  const { length } = childGroupIds;
  const message = `A call may nest at most ${MAX_CHILDREN_PER_CALL} groups; this one names ${length}`;
  if (length > MAX_CHILDREN_PER_CALL) throw refuse.limit(MAX_CHILDREN_PER_CALL, message);
  const children = [...new Set(childGroupIds)];
  const { tenantId } = await requireGroupToChange(directory, groupId);
  return directory.transact(tenantId, async (tx) => {
    const group = await requireLiveGroup(tx, groupId);
    await assertLiveInTenant(directory, tx, children);
    const graph = await loadNestingGraph(tx, { parents: [groupId], children });
    const added = children.filter((child) => !graph.has({ parent: groupId, child }));
    for (const child of added) await assertNoCycle(tx, graph, groupId, child);
    if (added.some((child) => isTooDeep(graph, groupId, child)))
      throw refuse.limit(MAX_DEPTH, `The nesting would be more than ${MAX_DEPTH} groups deep`);
    await nest(
      tx,
      children.map((child) => ({ parent: groupId, child })),
    );
    if (added.length > 0) tx.record({ type: 'group_nesting.added', groupId, groupIds: added });
    return { group, added, unchanged: children.filter((child) => !added.includes(child)) };
  });
}

/** Ends a nesting. Refused: NOT_FOUND for either group or if the child is not nested in the group, FORBIDDEN. */
export async function removeNestedGroup(
  directory: Directory,
  input: RemoveNestedGroupInput,
): Promise<Unnested> {
  const { groupId, childGroupId } = parseInput(removeNestedGroupInput, input);
  const { tenantId } = await requireGroup(directory, groupId);
  const childGroup = await requireGroupToChange(directory, childGroupId);
  return directory.transact(tenantId, async (tx) => {
    const group = await requireLiveGroup(tx, groupId);
    const ended = await endNestings(tx, {
      where: Prisma.sql`parent_group_id = ${groupId} and child_group_id = ${childGroupId}`,
      cause: 'REMOVED',
    });
    if (ended.length === 0)
      throw refuse.notFound(childGroupId, `${childGroupId} is not nested in ${groupId}`);
    tx.record({ type: 'group_nesting.removed', groupId, groupIds: [childGroupId], cause: 'REMOVED' });
    return { group, childGroup };
  });
}

async function assertNoCycle(tx: WriteContext, graph: NestingGraph, parent: GroupId, child: string) {
  const path = graph.shortestPath(child, parent);
  if (!path) return;
  const ids = [parent, ...path];
  const rows = await tx.query<{ id: string; name: string }>(Prisma.sql`
    select g.id, g.name from ${groupsWithIds(tx.tenantId, ids)}`);
  const names = new Map(rows.map(({ id, name }) => [id, name]));
  throw refuse.cycle(ids.map((id) => ({ id, name: names.get(id) ?? id })));
}

async function assertLiveInTenant(directory: Directory, tx: WriteContext, ids: readonly string[]) {
  const rows = await tx.query<{ id: string }>(Prisma.sql`
    select g.id from ${groupsWithIds(tx.tenantId, ids)} where g.deleted_at is null`);
  const live = new Set(rows.map((row) => row.id));
  const missing = ids.find((id) => !live.has(id));
  if (missing !== undefined) throw await notInTenant(directory, tx, missing);
}
