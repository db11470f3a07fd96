// A restoration and what it reports; its first part puts groups back under their parents, with the children that ORPHAN moved.
import { Prisma } from '../../database/database.ts';
import { plainKey } from '../../database/name-keys.ts';
import { MAX_DEPTH } from '../../model/groups.ts';
import type { GroupId } from '../../model/ids.ts';
import type { WriteContext } from '../log/write-context.ts';
import { loadAncestors } from '../queries/hierarchy.ts';
import type { Group } from '../rows/groups.ts';
import { endGroupVersions } from '../writes/versions.ts';
import { withSubtrees } from './rules/placement.ts';

export type NotRestoredKind = 'PARENT' | 'CHILD' | 'MEMBERSHIP' | 'NESTING';
/** What could not be restored, and why. `id`: the parent or child group, the user, or the other group of a nesting. */
export type NotRestored = { kind: NotRestoredKind; id: string; reason: string };

/** The groups `ids`, deleted by one deletion, are being restored; each step appends to `notRestored`. */
export type Restoration = {
  tx: WriteContext;
  ids: GroupId[];
  deletionId: string;
  notRestored: NotRestored[];
};

/** A group that is being restored. `level`: 1 for the requested group. */
type DeletedGroup = Pick<Group, 'id' | 'parentGroupId'> & {
  level: number;
  nameKey: string;
  movedChildren: string[];
};

/** The group and, on request, the descendants that the same deletion took; parents before children. */
export async function loadDeletedSubtree(
  tx: WriteContext,
  { id, deletionId }: Pick<Group, 'id'> & { deletionId: string },
  includeDescendants: boolean,
): Promise<DeletedGroup[]> {
  return tx.query<DeletedGroup>(Prisma.sql`
    ${withSubtrees(tx, [id], Prisma.sql`${includeDescendants} and g.deletion_id = ${deletionId}`)}
    select g.id, g.parent_group_id as "parentGroupId",
      ${plainKey(Prisma.sql`g.name_key`)} as "nameKey", coalesce(g.moved_children, '{}') as "movedChildren", down.level
    from down join groups g on g.tenant_id = ${tx.tenantId} and g.id = down.id order by down.level, g.id`);
}

/**
 * Returns the parent of the restored subtree's root. The root becomes a root of the tenant if the hierarchy would be too
 * deep, or if its parent is deleted: restoring the parent then moves it back, like a child that ORPHAN moved.
 */
export async function restoreParent({ tx, notRestored }: Restoration, subtree: DeletedGroup[]) {
  const { query, tenantId } = tx;
  const { id, parentGroupId } = subtree[0]!;
  if (parentGroupId === null) return null;
  const [ancestors = []] = await loadAncestors(query, tenantId, [parentGroupId], 'live');
  const levels = subtree.at(-1)!.level;
  if (ancestors.length > 0 && ancestors.length + levels <= MAX_DEPTH) return parentGroupId;
  const reason =
    ancestors.length === 0
      ? 'The parent group is deleted; the group was restored as a root'
      : `The hierarchy would have more than ${MAX_DEPTH} levels; the group was restored as a root`;
  notRestored.push({ kind: 'PARENT', id: parentGroupId, reason });
  const parents = await query<{ deletionId: string }>(Prisma.sql`
    update groups set moved_children = array_append(moved_children, ${id}::text)
    where tenant_id = ${tenantId} and id = ${parentGroupId} and deleted_at is not null returning deletion_id as "deletionId"`);
  await query(Prisma.sql`
    update groups set parent_group_id = null,
      moved_by = nullif(moved_by || ${parents.map((parent) => parent.deletionId)}::text[], '{}')
    where tenant_id = ${tenantId} and id = ${id}`);
  return null;
}

type MovedChild = Pick<Group, 'id' | 'name' | 'parentGroupId'> & {
  nameKey: string;
  live: boolean;
  movedBy: string[];
  height: number;
};

type Named = Pick<MovedChild, 'nameKey' | 'parentGroupId'>;

/** Whether two groups with different parents have the same name. Siblings that already share a name may stay siblings. */
const namesClash = (one: Named, other: Named): boolean =>
  one.parentGroupId !== other.parentGroupId && one.nameKey === other.nameKey;

/** A child that moves from `parentGroupId` to the restored group `to`. */
type Move = Pick<Group, 'id' | 'name' | 'parentGroupId'> & { to: GroupId };

/**
 * Moves children back that the deletion moved away from the restored groups. Reports children that are deleted, have been
 * moved since, or no longer fit. Returns the moves of live children, so that the caller can record them.
 */
export async function restoreChildren(
  { tx, deletionId, notRestored }: Restoration,
  subtree: DeletedGroup[],
): Promise<Move[]> {
  const moves: Move[] = [];
  for (const group of subtree) {
    if (group.movedChildren.length === 0) continue;
    // The group itself is still marked as deleted.
    const [ancestors = []] = await loadAncestors(tx.query, tx.tenantId, [group.id], 'live or deleted');
    const siblings: Named[] = subtree.filter(({ parentGroupId }) => parentGroupId === group.id);
    const returning: MovedChild[] = [];
    for (const child of await loadMovedChildren(tx, group)) {
      const { id, live } = child;
      const report = (reason: string) => notRestored.push({ kind: 'CHILD', id, reason });
      const isMovedBy = child.movedBy.includes(deletionId);
      if (!live) {
        report('The child is deleted');
        // Its own restoration puts it under this group.
        if (isMovedBy) returning.push(child);
      } else if (!isMovedBy) report('The child has been moved since the deletion');
      else if (ancestors.some((ancestor) => ancestor.id === id)) report('The group is now below the child');
      else if (ancestors.length + child.height > MAX_DEPTH)
        report(`The hierarchy would have more than ${MAX_DEPTH} levels`);
      else if (siblings.some((sibling) => namesClash(sibling, child)))
        report('Another child now has this name');
      else {
        siblings.push(child);
        returning.push(child);
      }
    }
    await moveBack(tx, group, deletionId, returning);
    for (const { id, name, parentGroupId, live } of returning)
      if (live) moves.push({ id, name, parentGroupId, to: group.id });
  }
  return moves;
}

/** The children that were moved away from the group, with the height of each one's subtree. */
function loadMovedChildren(tx: WriteContext, { movedChildren: ids }: DeletedGroup) {
  return tx.query<MovedChild>(Prisma.sql`
    ${withSubtrees(tx, ids)}
    select g.id, g.name, g.parent_group_id as "parentGroupId", ${plainKey(Prisma.sql`g.name_key`)} as "nameKey",
      g.deleted_at is null as live,
      coalesce(g.moved_by, '{}') as "movedBy", (select max(level)::int from down where down.root = g.id) as height
    from groups g where g.tenant_id = ${tx.tenantId} and g.id = any(${ids}::text[]) order by g.name_key, g.id`);
}

/** Moves the children back to the group. Later deletions that moved them too no longer list them. */
async function moveBack(tx: WriteContext, { id }: DeletedGroup, deletionId: string, children: MovedChild[]) {
  const { query, tenantId, at, position } = tx;
  if (children.length === 0) return;
  const later = children.flatMap((child) =>
    child.movedBy.slice(child.movedBy.indexOf(deletionId) + 1).map((by) => ({ by, child: child.id })),
  );
  if (later.length > 0) {
    const deletions = later.map(({ by }) => by);
    await query(Prisma.sql`
      update groups g set moved_children = array(select c.id from unnest(g.moved_children) c(id)
        where (g.deletion_id, c.id) not in (
          select * from unnest(${deletions}::text[], ${later.map(({ child }) => child)}::text[])))
      where g.tenant_id = ${tenantId} and g.deletion_id = any(${deletions}::text[])`);
  }
  const ids = children.map((child) => child.id);
  endGroupVersions(tx, Prisma.sql`id = any(${ids}::text[])`);
  await query(Prisma.sql`
    update groups set parent_group_id = ${id}, version = version + 1, updated_at = ${at}::timestamptz,
      version_since = ${position}::bigint,
      moved_by = nullif(moved_by[: array_position(moved_by, ${deletionId}::text) - 1], '{}')
    where tenant_id = ${tenantId} and id = any(${ids}::text[])`);
}
