// Where restored groups are filed: under their parents, and with the children that return to them.
import { Prisma } from '../../database/database.ts';
import { plainKey } from '../../database/name-keys.ts';
import { MAX_DEPTH } from '../../model/groups.ts';
import type { GroupId } from '../../model/ids.ts';
import type { WriteContext } from '../log/write-context.ts';
import type { Group } from '../rows/groups.ts';
import type { Restoration } from './restoration.ts';

/** A group that is being restored. `level`: its distance from the group that was asked for. */
export type Returning = Pick<Group, 'id' | 'parentGroupId'> & {
  level: number;
  nameKey: string;
  movedChildren: string[];
};

/** The group and, on request, the groups below it that the same deletion took: parents before children. */
export async function deletedTree(
  { query, tenantId }: WriteContext,
  { id, deletionId }: Pick<Group, 'id'> & { deletionId: string },
  includeDescendants: boolean,
): Promise<Returning[]> {
  return query<Returning>(Prisma.sql`
    with recursive down(id, level) as (
      select ${id}::text collate "C", 0
      union all
      select g.id, down.level + 1 from down join groups g on g.parent_group_id = down.id
      where ${includeDescendants} and g.tenant_id = ${tenantId} and g.deletion_id = ${deletionId})
    select g.id, g.parent_group_id as "parentGroupId",
      ${plainKey(Prisma.sql`g.name_key`)} as "nameKey", coalesce(g.moved_children, '{}') as "movedChildren", down.level
    from down join groups g on g.tenant_id = ${tenantId} and g.id = down.id order by down.level, g.id`);
}

/**
 * Gives the parent that the first group of the tree returns to. It becomes a root if the tree would be too deep there, or
 * if the parent is deleted: then the restoration of the parent brings it back, as it does with children that ORPHAN moved.
 */
export async function returnToParent({ tx, notRestored }: Restoration, tree: Returning[]) {
  const { query, tenantId } = tx;
  const { id, parentGroupId } = tree[0]!;
  if (parentGroupId === null) return null;
  const above = await query<{ id: string }>(Prisma.sql`
    with recursive up(id, parent_group_id, level) as (
      select id, parent_group_id, 1 from groups
      where tenant_id = ${tenantId} and id = ${parentGroupId} and deleted_at is null
      union all
      select g.id, g.parent_group_id, up.level + 1 from up join groups g on g.id = up.parent_group_id
      where g.tenant_id = ${tenantId} and up.level <= ${MAX_DEPTH})
    select id from up`);
  const levels = tree.at(-1)!.level + 1;
  if (above.length > 0 && above.length + levels <= MAX_DEPTH) return parentGroupId;
  const reason =
    above.length === 0
      ? 'The parent group is deleted; the group came back as a root'
      : `The hierarchy would have more than ${MAX_DEPTH} levels; the group came back as a root`;
  notRestored.push({ kind: 'PARENT', id: parentGroupId, reason });
  await query(Prisma.sql`
    with parent as (
      update groups set moved_children = array_append(moved_children, ${id}::text)
      where tenant_id = ${tenantId} and id = ${parentGroupId} and deleted_at is not null returning deletion_id)
    update groups set parent_group_id = null,
      moved_by = nullif(moved_by || array(select deletion_id from parent), '{}')
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

/** Whether two groups that are no siblings yet have the same name; siblings that share one already may stay together. */
const clash = (one: Named, other: Named): boolean =>
  one.parentGroupId !== other.parentGroupId && one.nameKey === other.nameKey;

/** A child, and where it was filed before. */
type Move = Pick<Group, 'id' | 'name' | 'parentGroupId'> & { to: GroupId };

/**
 * Files children that were moved away from the groups of the tree under them again. Reports those that are deleted, that
 * somebody has moved since, or that do not fit any more. Gives the moves of live children, to be recorded.
 */
export async function returnChildren(
  { tx, deletionId, notRestored }: Restoration,
  tree: Returning[],
): Promise<Move[]> {
  const moves: Move[] = [];
  for (const group of tree) {
    if (group.movedChildren.length === 0) continue;
    const above = await ancestorIds(tx, group);
    const siblings: Named[] = tree.filter((each) => each.parentGroupId === group.id);
    const back: MovedChild[] = [];
    for (const child of await movedChildren(tx, group)) {
      const { id, live } = child;
      const lose = (reason: string) => notRestored.push({ kind: 'CHILD', id, reason });
      const isMovedBy = child.movedBy.includes(deletionId);
      if (!live) {
        lose('The child is deleted');
        // Its own restoration brings it back to this group.
        if (isMovedBy) back.push(child);
      } else if (!isMovedBy) lose('The child was moved since');
      else if (above.includes(id)) lose('The group is filed below the child now');
      else if (above.length + child.height > MAX_DEPTH)
        lose(`The hierarchy would have more than ${MAX_DEPTH} levels`);
      else if (siblings.some((sibling) => clash(sibling, child))) lose('Another child has that name now');
      else {
        siblings.push(child);
        back.push(child);
      }
    }
    await fileUnder(tx, group, deletionId, back);
    for (const { id, name, parentGroupId, live } of back)
      if (live) moves.push({ id, name, parentGroupId, to: group.id });
  }
  return moves;
}

function movedChildren({ query, tenantId }: WriteContext, { movedChildren: ids }: Returning) {
  return query<MovedChild>(Prisma.sql`
    with recursive down(child, id, level) as (
      select c.id, c.id, 1 from unnest(${ids}::text[] collate "C") c(id)
      union all
      select down.child, g.id, down.level + 1 from down join groups g on g.parent_group_id = down.id
      where g.tenant_id = ${tenantId} and g.deleted_at is null and down.level <= ${MAX_DEPTH})
    select g.id, g.name, g.parent_group_id as "parentGroupId", ${plainKey(Prisma.sql`g.name_key`)} as "nameKey",
      g.deleted_at is null as live,
      coalesce(g.moved_by, '{}') as "movedBy", (select max(level)::int from down where down.child = g.id) as height
    from groups g where g.tenant_id = ${tenantId} and g.id = any(${ids}::text[]) order by g.name_key, g.id`);
}

/** Files the children under the group. Deletions that moved them after this one have nothing to bring back any more. */
async function fileUnder(
  { query, tenantId }: WriteContext,
  { id }: Returning,
  deletionId: string,
  children: MovedChild[],
): Promise<void> {
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
  await query(Prisma.sql`
    update groups set parent_group_id = ${id}, version = version + 1, updated_at = now(),
      moved_by = nullif(moved_by[: array_position(moved_by, ${deletionId}::text) - 1], '{}')
    where tenant_id = ${tenantId} and id = any(${children.map((child) => child.id)}::text[])`);
}

/** The group and those above it in the hierarchy. */
async function ancestorIds({ query, tenantId }: WriteContext, { id }: Returning): Promise<string[]> {
  const rows = await query<{ id: string }>(Prisma.sql`
    with recursive up(id, parent_group_id, level) as (
      select id, parent_group_id, 1 from groups where tenant_id = ${tenantId} and id = ${id}
      union all
      select g.id, g.parent_group_id, up.level + 1 from up join groups g on g.id = up.parent_group_id
      where g.tenant_id = ${tenantId} and up.level <= ${MAX_DEPTH})
    select id from up`);
  return rows.map((row) => row.id);
}
