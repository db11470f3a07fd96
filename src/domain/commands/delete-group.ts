// Soft-deletes a group; the strategy says what happens to its children. The inverse is restore-group.ts.

import { Prisma } from '../../database/database.ts';
import { dropSuffixes, hasNameAt, plainKey } from '../../database/name-keys.ts';
import { type NotEmptyCounts, refuse } from '../../model/errors.ts';
import { type DeleteGroupInput, deleteGroupInput } from '../../model/groups.ts';
import { type DeletionId, type GroupId, newId } from '../../model/ids.ts';
import { parseInput } from '../../model/input.ts';
import type { Directory, Positioned } from '../directory.ts';
import type { WriteContext } from '../log/write-context.ts';
import { type Group, groupColumns } from '../rows/groups.ts';
import { beginNestings, endMemberships, endNestings } from '../writes/edges.ts';
import { requireLiveGroup } from '../writes/groups.ts';
import { endGroupVersions } from '../writes/versions.ts';
import { recordGroups, recordMove, recordNestings } from './recorded-edges.ts';
import { withSubtrees } from './rules/placement.ts';
import { assertExpectedVersion, requireGroupToChange } from './rules/targets.ts';

export type Deleted = Positioned & {
  deletedGroupIds: GroupId[];
  /** The parent that the group had; null if it was a root. */
  parentGroupId: string | null;
  movedGroups: Group[];
  removedMembershipCount: number;
};

/**
 * Deletes a group. BLOCK (the default) requires an empty group. ORPHAN moves the children to the group's parent, and nests
 * the nested groups in each group that this one was nested in. CASCADE also deletes all descendants.
 * Refused: NOT_FOUND, FORBIDDEN, VERSION_CONFLICT, GROUP_NOT_EMPTY (BLOCK), NAME_TAKEN with the clashing names (ORPHAN).
 */
export async function deleteGroup(directory: Directory, input: DeleteGroupInput): Promise<Deleted> {
  const { id, expectedVersion, ...options } = parseInput(deleteGroupInput, input);
  const strategy = options.strategy ?? 'BLOCK';
  const { tenantId } = await requireGroupToChange(directory, id);
  return directory.transact(tenantId, async (tx) => {
    const deletionId = newId('deletion');
    const group = await requireLiveGroup(tx, id);
    assertExpectedVersion(group, expectedVersion);
    const ids = strategy === 'CASCADE' ? await subtreeOf(tx, group) : [id];
    if (strategy === 'BLOCK') await assertEmpty(tx, group);
    if (strategy === 'ORPHAN') {
      await assertChildNamesFree(tx, group);
      await addStandInNestings(tx, group, deletionId);
    }
    endGroupVersions(tx, Prisma.sql`id = any(${ids}::text[])`);
    await tx.query(Prisma.sql`
      update groups set deleted_at = ${tx.at}::timestamptz, deletion_id = ${deletionId}
      where tenant_id = ${tenantId} and id = any(${ids}::text[]) and deleted_at is null`);
    // After the mark, which frees the group's name: a child may have the same one.
    const movedGroups = strategy === 'ORPHAN' ? await moveChildrenUp(tx, group, deletionId) : [];
    await dropSuffixes(tx.query, tenantId, [group]);
    const removedMembershipCount = await endEdges(tx, ids, { strategy, deletionId });
    return { deletedGroupIds: ids, parentGroupId: group.parentGroupId, movedGroups, removedMembershipCount };
  });
}

/** Ends the memberships and nestings of the deleted groups, and records the deletions; returns the number of memberships. */
async function endEdges(
  tx: WriteContext,
  ids: GroupId[],
  data: { strategy: string; deletionId: DeletionId },
): Promise<number> {
  const ending = { cause: 'GROUP_DELETED', deletionId: data.deletionId } as const;
  const where = Prisma.sql`group_id = any(${ids}::text[])`;
  const memberships = await endMemberships(tx, { where, ...ending });
  const nestings = await endNestings(tx, {
    where: Prisma.sql`(parent_group_id = any(${ids}::text[]) or child_group_id = any(${ids}::text[]))`,
    ...ending,
  });
  const deleted = { type: 'group.deleted', data } as const;
  recordGroups(tx, { memberships, nestings }, new Map(ids.map((id) => [id, deleted])), {
    type: 'group_nesting.removed',
    cause: 'GROUP_DELETED',
  });
  return memberships.length;
}

async function assertEmpty({ query, tenantId }: WriteContext, { id }: Group): Promise<void> {
  const [counts] = await query<NotEmptyCounts>(Prisma.sql`
    select (select count(*)::int from memberships where tenant_id = ${tenantId} and group_id = ${id}) as members,
      (select count(*)::int from groups
        where tenant_id = ${tenantId} and parent_group_id = ${id} and deleted_at is null) as children,
      (select count(*)::int from nestings where tenant_id = ${tenantId} and parent_group_id = ${id}) as "nestedGroups"`);
  const { members, children, nestedGroups } = counts!;
  if (members + children + nestedGroups > 0) throw refuse.groupNotEmpty({ members, children, nestedGroups });
}

/** Refuses with the names of children that the parent's other children already have. The group's own name becomes free. */
async function assertChildNamesFree(
  { query, tenantId }: WriteContext,
  { id, parentGroupId }: Group,
): Promise<void> {
  const key = plainKey(Prisma.sql`child.name_key`);
  const taken = hasNameAt(Prisma.sql`taken`, { tenantId, parentGroupId, key });
  const clashes = await query<{ name: string }>(Prisma.sql`
    select child.name from groups child
    where child.tenant_id = ${tenantId} and child.parent_group_id = ${id} and child.deleted_at is null
      and exists (select from groups taken where taken.id <> ${id} and ${taken} offset 0)
    order by child.name_key`);
  if (clashes.length > 0) throw refuse.nameTaken(clashes.map((clash) => clash.name));
}

/**
 * Nests each nested group in every group that this one is nested in, so that no user loses an effective membership. Such
 * a stand-in nesting lists the deletions that it stands in for in `stands_for`. It ends when they are undone, unless
 * somebody has requested it in the meantime. Existing stand-ins get this deletion added.
 */
async function addStandInNestings(tx: WriteContext, { id }: Group, deletionId: DeletionId): Promise<void> {
  const { query, tenantId } = tx;
  await query(Prisma.sql`
    update nestings n set stands_for = array_append(n.stands_for, ${deletionId}::text)
    from nestings above join nestings below on below.tenant_id = above.tenant_id and below.parent_group_id = above.child_group_id
    where above.tenant_id = ${tenantId} and above.child_group_id = ${id} and n.tenant_id = above.tenant_id
      and n.parent_group_id = above.parent_group_id and n.child_group_id = below.child_group_id and n.stands_for is not null`);
  const edges = await beginNestings(
    tx,
    Prisma.sql`select above.parent_group_id as parent, below.child_group_id as child, array[${deletionId}::text] as stands_for
      from nestings above join nestings below on below.tenant_id = ${tenantId} and below.parent_group_id = above.child_group_id
      where above.tenant_id = ${tenantId} and above.child_group_id = ${id}`,
  );
  recordNestings(tx, edges, { type: 'group_nesting.added', data: { through: id } });
}

/** Moves the children to the group's parent, and stores on both sides that this deletion moved them. Sorted by name. */
async function moveChildrenUp(
  tx: WriteContext,
  { id, parentGroupId }: Group,
  deletionId: DeletionId,
): Promise<Group[]> {
  const { query, tenantId, at, position } = tx;
  endGroupVersions(tx, Prisma.sql`parent_group_id = ${id}`);
  const moved = await query<Group>(Prisma.sql`
    update groups as g set parent_group_id = ${parentGroupId}, version = g.version + 1,
      updated_at = ${at}::timestamptz, version_since = ${position}::bigint,
      moved_by = array_append(g.moved_by, ${deletionId}::text)
    where g.tenant_id = ${tenantId} and g.parent_group_id = ${id} and g.deleted_at is null
    returning ${groupColumns}`);
  await query(Prisma.sql`
    update groups set moved_children = ${moved.map((child) => child.id)}::text[] where tenant_id = ${tenantId} and id = ${id}`);
  for (const child of moved) recordMove(tx, child.id, id, parentGroupId);
  return moved.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The ids of the group and its descendants, nearest first. */
async function subtreeOf(tx: WriteContext, { id }: Group): Promise<GroupId[]> {
  const subtree = await tx.query<{ id: GroupId }>(Prisma.sql`
    ${withSubtrees(tx, [id])} select id from down order by level, id`);
  return subtree.map((row) => row.id);
}
