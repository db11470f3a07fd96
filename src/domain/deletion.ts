// Deleting groups softly, by a strategy that says what becomes of their children. See restore.ts for the way back.
import { Prisma, type Query } from '../database/database.ts';
import { dropSuffixes, hasNameAt, plainKey } from '../database/name-keys.ts';
import { type NotEmptyCounts, refuse } from '../model/errors.ts';
import { type DeleteGroupInput, deleteGroupInput } from '../model/groups.ts';
import { type DeletionId, type GroupId, newId } from '../model/ids.ts';
import { readInput } from '../model/input.ts';
import { noticeNestings } from './derived.ts';
import { assertMayChange, change, type Directory } from './directory.ts';
import { actorOf, recordEvents } from './events.ts';
import { lockGraph } from './graph-lock.ts';
import { groupColumns } from './group-rows.ts';
import { moveMemberships, moveNestings } from './memberships.ts';
import type { GroupRow } from './rows.ts';
import { assertExpectedVersion, requireGroup } from './targets.ts';

export type Deleted = {
  deletedGroupIds: GroupId[];
  /** What the group was filed under. */
  parentGroupId: string | null;
  movedGroups: GroupRow[];
  removedMembershipCount: number;
};

/**
 * Deletes a group. BLOCK (default) refuses with GROUP_NOT_EMPTY; ORPHAN moves its children up, refused with
 * NAME_TAKEN and the clashing names, and nests its nested groups wherever it was nested; CASCADE deletes the
 * hierarchy below. Also refused: NOT_FOUND, VERSION_CONFLICT.
 */
export async function deleteGroup(directory: Directory, input: DeleteGroupInput): Promise<Deleted> {
  const { id, strategy, expectedVersion } = readInput(deleteGroupInput, input);
  const { tenantId } = await requireGroup(directory, id);
  assertMayChange(directory);
  return change(directory, async (sql) => {
    await lockGraph(directory, sql, tenantId);
    const deletionId = newId('deletion');
    const [group] = await sql<GroupRow>(Prisma.sql`
      select ${groupColumns} from groups g where g.tenant_id = ${tenantId} and g.id = ${id} and g.deleted_at is null
      for update`);
    if (!group) throw refuse.notFound(id);
    assertExpectedVersion(group, expectedVersion);
    switch (strategy ?? 'BLOCK') {
      case 'BLOCK':
        await assertEmpty(sql, group);
        return finish(directory, sql, { group, ids: [id], deletionId, strategy: 'BLOCK', movedGroups: [] });
      case 'ORPHAN': {
        await assertNamesFree(sql, group);
        await nestThrough(directory, sql, group, deletionId);
        await markDeleted(sql, group, [id], deletionId);
        const movedGroups = await moveChildrenUp(directory, sql, group, deletionId);
        return finish(directory, sql, { group, ids: [id], deletionId, strategy: 'ORPHAN', movedGroups });
      }
      case 'CASCADE': {
        const ids = await lockHierarchyBelow(sql, group);
        return finish(directory, sql, { group, ids, deletionId, strategy: 'CASCADE', movedGroups: [] });
      }
    }
  });
}

type Ending = {
  group: GroupRow;
  ids: GroupId[];
  deletionId: DeletionId;
  strategy: string;
  movedGroups: GroupRow[];
};

async function finish(
  directory: Directory,
  sql: Query,
  { group, ids, deletionId, strategy, movedGroups }: Ending,
): Promise<Deleted> {
  const { tenantId } = group;
  await markDeleted(sql, group, ids, deletionId);
  await dropSuffixes(sql, tenantId, [group]);
  const memberships = await moveMemberships(directory, sql, {
    tenantId,
    where: Prisma.sql`group_id = any(${ids}::text[])`,
    cause: 'GROUP_DELETED',
    deletionId,
  });
  await moveNestings(directory, sql, {
    tenantId,
    where: Prisma.sql`(parent_group_id = any(${ids}::text[]) or child_group_id = any(${ids}::text[]))`,
    cause: 'GROUP_DELETED',
    deletionId,
  });
  await recordEvents(
    directory,
    sql,
    ids.map((groupId) => ({
      type: 'group.deleted' as const,
      tenantId,
      groupId,
      data: {
        strategy,
        deletionId,
        removedMembershipCount: memberships.filter((membership) => membership.groupId === groupId).length,
      },
    })),
  );
  const { parentGroupId } = group;
  return { deletedGroupIds: ids, parentGroupId, movedGroups, removedMembershipCount: memberships.length };
}

async function markDeleted(
  sql: Query,
  { tenantId }: GroupRow,
  ids: GroupId[],
  deletionId: DeletionId,
): Promise<void> {
  await sql(Prisma.sql`
    update groups set deleted_at = now(), deletion_id = ${deletionId}
    where tenant_id = ${tenantId} and id = any(${ids}::text[]) and deleted_at is null`);
}

async function assertEmpty(sql: Query, { id, tenantId }: GroupRow): Promise<void> {
  const [counts] = await sql<NotEmptyCounts>(Prisma.sql`
    select (select count(*)::int from memberships where tenant_id = ${tenantId} and group_id = ${id}) as members,
      (select count(*)::int from groups where tenant_id = ${tenantId} and parent_group_id = ${id} and deleted_at is null) as children,
      (select count(*)::int from nestings where tenant_id = ${tenantId} and parent_group_id = ${id}) as "nestedGroups"`);
  const { members, children, nestedGroups } = counts!;
  if (members + children + nestedGroups > 0) throw refuse.groupNotEmpty({ members, children, nestedGroups });
}

/** The names that children would clash with one level up; the deleted group's own name is free again. */
async function assertNamesFree(sql: Query, { id, tenantId, parentGroupId }: GroupRow): Promise<void> {
  const key = plainKey(Prisma.sql`child.name_key`);
  const taken = hasNameAt(Prisma.sql`taken`, { tenantId, parentGroupId, key });
  const clashes = await sql<{ name: string }>(Prisma.sql`
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
async function nestThrough(
  directory: Directory,
  sql: Query,
  { id, tenantId }: GroupRow,
  deletionId: DeletionId,
): Promise<void> {
  await sql(Prisma.sql`
    update nestings n set stands_for = array_append(n.stands_for, ${deletionId}::text)
    from nestings above join nestings below on below.tenant_id = above.tenant_id and below.parent_group_id = above.child_group_id
    where above.tenant_id = ${tenantId} and above.child_group_id = ${id} and n.tenant_id = above.tenant_id
      and n.parent_group_id = above.parent_group_id and n.child_group_id = below.child_group_id and n.stands_for is not null`);
  const edges = await sql<{ parentGroupId: GroupId; childGroupId: GroupId }>(Prisma.sql`
    with added as (
      insert into nestings (tenant_id, parent_group_id, child_group_id, created_by, stands_for)
      select above.tenant_id, above.parent_group_id, below.child_group_id, ${actorOf(directory).id}, array[${deletionId}::text]
      from nestings above join nestings below on below.parent_group_id = above.child_group_id
      where above.child_group_id = ${id} and above.tenant_id = ${tenantId}
      on conflict (parent_group_id, child_group_id) do nothing
      returning parent_group_id, child_group_id),
    ${noticeNestings('added', tenantId)}
    select parent_group_id as "parentGroupId", child_group_id as "childGroupId" from added`);
  const byParent = Map.groupBy(edges, (edge) => edge.parentGroupId);
  await recordEvents(
    directory,
    sql,
    [...byParent].map(([groupId, added]) => ({
      type: 'group_nesting.added' as const,
      tenantId,
      groupId,
      data: { childGroupIds: added.map((edge) => edge.childGroupId), through: id },
    })),
  );
}

/** Files the children under the group's parent, and writes down that the deletion did it. */
async function moveChildrenUp(
  directory: Directory,
  sql: Query,
  group: GroupRow,
  deletionId: DeletionId,
): Promise<GroupRow[]> {
  const { id, tenantId, parentGroupId } = group;
  const moved = await sql<GroupRow>(Prisma.sql`
    update groups as g set parent_group_id = ${parentGroupId}, version = g.version + 1, updated_at = now(),
      moved_by = array_append(g.moved_by, ${deletionId}::text)
    where g.tenant_id = ${tenantId} and g.parent_group_id = ${id} and g.deleted_at is null
    returning ${groupColumns}`);
  await sql(Prisma.sql`
    update groups set moved_children = ${moved.map((child) => child.id)}::text[] where tenant_id = ${tenantId} and id = ${id}`);
  await recordEvents(
    directory,
    sql,
    moved.map((child) => ({
      type: 'group.updated' as const,
      tenantId,
      groupId: child.id,
      data: { changed: ['parentGroupId'], before: { parentGroupId: id }, after: { parentGroupId } },
    })),
  );
  return moved.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The group and all below it in the hierarchy, nearest first, locked against new members. */
async function lockHierarchyBelow(sql: Query, { id, tenantId }: GroupRow): Promise<GroupId[]> {
  const below = await sql<{ id: GroupId; level: number }>(Prisma.sql`
    with recursive down(id, level) as (
      select ${id}::text collate "C", 0
      union all
      select g.id, down.level + 1 from down join groups g on g.parent_group_id = down.id
      where g.tenant_id = ${tenantId} and g.deleted_at is null)
    select id, level from down order by level, id`);
  const ids = below.map((row) => row.id);
  await sql(Prisma.sql`
    select id from groups where tenant_id = ${tenantId} and id = any(${ids}::text[]) order by id for update`);
  return ids;
}
