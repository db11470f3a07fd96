// Deleting groups softly, by a strategy that says what becomes of their children. See restore-group.ts for the way back.

import { Prisma } from '../../database/database.ts';
import { dropSuffixes, hasNameAt, plainKey } from '../../database/name-keys.ts';
import { type NotEmptyCounts, refuse } from '../../model/errors.ts';
import { type DeleteGroupInput, deleteGroupInput } from '../../model/groups.ts';
import { type DeletionId, type GroupId, newId } from '../../model/ids.ts';
import { parseInput } from '../../model/input.ts';
import type { Directory } from '../directory.ts';
import type { WriteContext } from '../log/write-context.ts';
import { type Group, groupColumns } from '../rows/groups.ts';
import { beginNestings, endMemberships, endNestings } from '../writes/edges.ts';
import { lockGroup } from '../writes/groups.ts';
import { assertExpectedVersion, requireGroupToChange } from './rules/targets.ts';

export type Deleted = {
  deletedGroupIds: GroupId[];
  /** What the group was filed under. */
  parentGroupId: string | null;
  movedGroups: Group[];
  removedMembershipCount: number;
};

/**
 * Deletes a group. BLOCK (default) refuses with GROUP_NOT_EMPTY; ORPHAN moves its children up, refused with
 * NAME_TAKEN and the clashing names, and nests its nested groups wherever it was nested; CASCADE deletes the
 * hierarchy below. Also refused: NOT_FOUND, VERSION_CONFLICT.
 */
export async function deleteGroup(directory: Directory, input: DeleteGroupInput): Promise<Deleted> {
  const { id, strategy, expectedVersion } = parseInput(deleteGroupInput, input);
  const { tenantId } = await requireGroupToChange(directory, id);
  return directory.transact(tenantId, async (tx) => {
    const deletionId = newId('deletion');
    const group = await lockGroup(tx, id, 'for update');
    assertExpectedVersion(group, expectedVersion);
    switch (strategy ?? 'BLOCK') {
      case 'BLOCK':
        await assertEmpty(tx, group);
        return finish(tx, { group, ids: [id], deletionId, strategy: 'BLOCK', movedGroups: [] });
      case 'ORPHAN': {
        await assertNamesFree(tx, group);
        await nestThrough(tx, group, deletionId);
        // A child may have the group's name, which must be free before it is moved up.
        await markDeleted(tx, [id], deletionId);
        const movedGroups = await moveChildrenUp(tx, group, deletionId);
        return finish(tx, { group, ids: [id], deletionId, strategy: 'ORPHAN', movedGroups });
      }
      case 'CASCADE': {
        const ids = await lockHierarchyBelow(tx, group);
        return finish(tx, { group, ids, deletionId, strategy: 'CASCADE', movedGroups: [] });
      }
    }
  });
}

type Ending = {
  group: Group;
  ids: GroupId[];
  deletionId: DeletionId;
  strategy: string;
  movedGroups: Group[];
};

async function finish(
  tx: WriteContext,
  { group, ids, deletionId, strategy, movedGroups }: Ending,
): Promise<Deleted> {
  const { parentGroupId } = group;
  await markDeleted(tx, ids, deletionId);
  await dropSuffixes(tx.query, tx.tenantId, [group]);
  const memberships = await endMemberships(tx, {
    where: Prisma.sql`group_id = any(${ids}::text[])`,
    cause: 'GROUP_DELETED',
    deletionId,
  });
  await endNestings(tx, {
    where: Prisma.sql`(parent_group_id = any(${ids}::text[]) or child_group_id = any(${ids}::text[]))`,
    cause: 'GROUP_DELETED',
    deletionId,
  });
  const removed = Map.groupBy(memberships, (membership) => membership.groupId);
  for (const groupId of ids) {
    const removedMembershipCount = removed.get(groupId)?.length ?? 0;
    tx.record({ type: 'group.deleted', groupId, data: { strategy, deletionId, removedMembershipCount } });
  }
  return { deletedGroupIds: ids, parentGroupId, movedGroups, removedMembershipCount: memberships.length };
}

async function markDeleted(
  { query, tenantId }: WriteContext,
  ids: GroupId[],
  deletionId: DeletionId,
): Promise<void> {
  await query(Prisma.sql`
    update groups set deleted_at = now(), deletion_id = ${deletionId}
    where tenant_id = ${tenantId} and id = any(${ids}::text[]) and deleted_at is null`);
}

async function assertEmpty({ query, tenantId }: WriteContext, { id }: Group): Promise<void> {
  const [counts] = await query<NotEmptyCounts>(Prisma.sql`
    select (select count(*)::int from memberships where tenant_id = ${tenantId} and group_id = ${id}) as members,
      (select count(*)::int from groups where tenant_id = ${tenantId} and parent_group_id = ${id} and deleted_at is null) as children,
      (select count(*)::int from nestings where tenant_id = ${tenantId} and parent_group_id = ${id}) as "nestedGroups"`);
  const { members, children, nestedGroups } = counts!;
  if (members + children + nestedGroups > 0) throw refuse.groupNotEmpty({ members, children, nestedGroups });
}

/** The names that children would clash with one level up; the deleted group's own name is free again. */
async function assertNamesFree(
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
 * Nests each nested group into every group that this one is nested in, so that nobody loses a membership. These nestings
 * stand for the deletion until the group is restored, or somebody asks for them; those that stand for others, for it too.
 */
async function nestThrough(tx: WriteContext, { id }: Group, deletionId: DeletionId): Promise<void> {
  const { query, tenantId } = tx;
  await query(Prisma.sql`
    update nestings n set stands_for = array_append(n.stands_for, ${deletionId}::text)
    from nestings above join nestings below on below.tenant_id = above.tenant_id and below.parent_group_id = above.child_group_id
    where above.tenant_id = ${tenantId} and above.child_group_id = ${id} and n.tenant_id = above.tenant_id
      and n.parent_group_id = above.parent_group_id and n.child_group_id = below.child_group_id and n.stands_for is not null`);
  const edges = await beginNestings(
    tx,
    Prisma.sql`select above.parent_group_id as parent, below.child_group_id as child, array[${deletionId}::text] as stands_for
      from nestings above join nestings below on below.parent_group_id = above.child_group_id
      where above.child_group_id = ${id} and above.tenant_id = ${tenantId}`,
  );
  for (const [groupId, added] of Map.groupBy(edges, (edge) => edge.parentGroupId)) {
    const childGroupIds = added.map((edge) => edge.childGroupId);
    tx.record({ type: 'group_nesting.added', groupId, data: { childGroupIds, through: id } });
  }
}

/** Files the children under the group's parent, and writes down that the deletion did it. */
async function moveChildrenUp(
  { query, tenantId, record }: WriteContext,
  { id, parentGroupId }: Group,
  deletionId: DeletionId,
): Promise<Group[]> {
  const moved = await query<Group>(Prisma.sql`
    update groups as g set parent_group_id = ${parentGroupId}, version = g.version + 1, updated_at = now(),
      moved_by = array_append(g.moved_by, ${deletionId}::text)
    where g.tenant_id = ${tenantId} and g.parent_group_id = ${id} and g.deleted_at is null
    returning ${groupColumns}`);
  await query(Prisma.sql`
    update groups set moved_children = ${moved.map((child) => child.id)}::text[] where tenant_id = ${tenantId} and id = ${id}`);
  for (const child of moved) {
    const data = { changed: ['parentGroupId'], before: { parentGroupId: id }, after: { parentGroupId } };
    record({ type: 'group.updated', groupId: child.id, data });
  }
  return moved.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The group and all below it in the hierarchy, nearest first, locked against new members. */
async function lockHierarchyBelow({ query, tenantId }: WriteContext, { id }: Group): Promise<GroupId[]> {
  const below = await query<{ id: GroupId; level: number }>(Prisma.sql`
    with recursive down(id, level) as (
      select ${id}::text collate "C", 0
      union all
      select g.id, down.level + 1 from down join groups g on g.parent_group_id = down.id
      where g.tenant_id = ${tenantId} and g.deleted_at is null)
    select id, level from down order by level, id`);
  const ids = below.map((row) => row.id);
  await query(Prisma.sql`
    select id from groups where tenant_id = ${tenantId} and id = any(${ids}::text[]) order by id for update`);
  return ids;
}
