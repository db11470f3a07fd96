// Bringing deleted groups back, with every edge that still can come back, and a report of what cannot.
import { Prisma, type Query } from '../database/database.ts';
import { dropSuffixes, type NamedPlace, plainKey } from '../database/name-keys.ts';
import { refuse } from '../model/errors.ts';
import { MAX_DEPTH, RESTORE_DAYS, type RestoreGroupInput, restoreGroupInput } from '../model/groups.ts';
import type { GroupId, TenantId } from '../model/ids.ts';
import { readInput } from '../model/input.ts';
import { countMemberships, noticeNestings } from './derived.ts';
import { assertMayChange, change, type Directory, plainUser } from './directory.ts';
import { actorOf, recordEvents } from './events.ts';
import { lockGraph } from './graph-lock.ts';
import { groupColumns } from './group-rows.ts';
import { moveNestings } from './memberships.ts';
import { isTooDeep } from './nesting.ts';
import { loadNestingGraph } from './nesting-graph.ts';
import type { GroupRow } from './rows.ts';
import { assertNameFree } from './sibling-names.ts';

export type NotRestoredKind = 'PARENT' | 'CHILD' | 'MEMBERSHIP' | 'NESTING';
/** What stayed behind: the id of the far end (parent or child group, user, or other group of a nesting), and why. */
export type NotRestored = { kind: NotRestoredKind; id: string; reason: string };
export type Restored = { group: GroupRow; restoredGroupIds: GroupId[]; notRestored: NotRestored[] };

/**
 * Restores a group deleted in the last 30 days, and on request the groups below it that the same deletion took. If
 * its parent is gone it comes back as a root. What ORPHAN did in its place is undone: nestings that it put there end
 * unless somebody asked for them since, and children that it moved up come back unless somebody moved them since. Refused: NOT_FOUND (also for a group that is not deleted), NAME_TAKEN.
 */
export async function restoreGroup(directory: Directory, input: RestoreGroupInput): Promise<Restored> {
  const { id, includeDescendants } = readInput(restoreGroupInput, input);
  const tenantId = await tenantOfDeleted(directory, id);
  assertMayChange(directory);
  return change(directory, async (sql) => {
    await lockGraph(directory, sql, tenantId);
    const [root] = await sql<Deleted>(Prisma.sql`
      select ${groupColumns}, g.deletion_id as "deletionId", coalesce(g.moved_children, '{}') as "movedChildren" from groups g
      where g.tenant_id = ${tenantId} and g.id = ${id} and ${restorable} for update`);
    if (!root) throw notDeleted(id);
    const { deletionId } = root;
    const tree = includeDescendants ? await deletedBelow(sql, root, deletionId) : [{ id, level: 0 }];
    const ids = tree.map((row) => row.id);
    const notRestored: NotRestored[] = [];
    const levels = Math.max(...tree.map((row) => row.level)) + 1;
    const parentGroupId = await parentToReturnTo(sql, root, levels, notRestored);
    await assertNameFree(sql, { tenantId, parentGroupId, name: root.name, exceptId: id });
    const restored = await sql<NamedPlace>(Prisma.sql`
      update groups set deleted_at = null, deletion_id = null, moved_children = null, version = version + 1, updated_at = now(),
        parent_group_id = case when id = ${id} then ${parentGroupId}::text else parent_group_id end
      where tenant_id = ${tenantId} and id = any(${ids}::text[])
      returning name, parent_group_id as "parentGroupId"`);
    await dropSuffixes(sql, tenantId, restored);
    await restoreMemberships(directory, sql, { tenantId, ids, deletionId, notRestored });
    await endStandIns(directory, sql, tenantId, deletionId);
    await restoreNestings(directory, sql, { tenantId, ids, deletionId, notRestored });
    await recordEvents(
      directory,
      sql,
      ids.map((groupId) => ({ type: 'group.restored' as const, tenantId, groupId, data: { deletionId } })),
    );
    // Behind the group's own event: it is there before anything is filed in it.
    await returnChildren(directory, sql, root, notRestored);
    const [group] = await sql<GroupRow>(Prisma.sql`
      select ${groupColumns} from groups g where g.tenant_id = ${tenantId} and g.id = ${id}`);
    return { group: group!, restoredGroupIds: ids, notRestored };
  });
}

type Deleted = GroupRow & { deletionId: string; movedChildren: string[] };

const restorable = Prisma.sql`g.deleted_at > now() - make_interval(days => ${RESTORE_DAYS}::int)`;
const notDeleted = (id: string) =>
  refuse.notFound(id, `${id} is not a group deleted in the last ${RESTORE_DAYS} days`);

async function tenantOfDeleted(directory: Directory, id: GroupId): Promise<TenantId> {
  const rows = plainUser(directory)
    ? []
    : await directory.sql<{ tenantId: TenantId }>(Prisma.sql`
        select g.tenant_id as "tenantId" from groups g
        where g.id = ${id} and ${restorable} and ${directory.scope(Prisma.sql`g.tenant_id`)}`);
  const [row] = rows;
  if (!row) throw notDeleted(id);
  return row.tenantId;
}

async function deletedBelow(sql: Query, { id, tenantId }: GroupRow, deletionId: string) {
  return sql<{ id: GroupId; level: number }>(Prisma.sql`
    with recursive down(id, level) as (
      select ${id}::text collate "C", 0
      union all
      select g.id, down.level + 1 from down join groups g on g.parent_group_id = down.id
      where g.tenant_id = ${tenantId} and g.deletion_id = ${deletionId})
    select id, level from down order by level, id`);
}

async function parentToReturnTo(sql: Query, root: GroupRow, levels: number, notRestored: NotRestored[]) {
  const { parentGroupId, tenantId } = root;
  if (parentGroupId === null) return null;
  const above = await sql<{ id: string }>(Prisma.sql`
    with recursive up(id, parent_group_id, level) as (
      select id, parent_group_id, 1 from groups
      where tenant_id = ${tenantId} and id = ${parentGroupId} and deleted_at is null
      union all
      select g.id, g.parent_group_id, up.level + 1 from up join groups g on g.id = up.parent_group_id
      where g.tenant_id = ${tenantId} and up.level <= ${MAX_DEPTH})
    select id from up`);
  if (above.length > 0 && above.length + levels <= MAX_DEPTH) return parentGroupId;
  const reason =
    above.length === 0
      ? 'The parent group is deleted; the group came back as a root'
      : `The hierarchy would have more than ${MAX_DEPTH} levels; the group came back as a root`;
  notRestored.push({ kind: 'PARENT', id: parentGroupId, reason });
  return null;
}

type MovedChild = Pick<GroupRow, 'id' | 'parentGroupId' | 'name'> & {
  nameKey: string;
  live: boolean;
  isMovedBy: boolean;
  height: number;
};

/**
 * Files children that the deletion moved up under the group again; reports those that are deleted, that somebody has
 * moved since, or that do not fit any more. The deletions that moved them after this one are forgotten with it.
 */
async function returnChildren(
  directory: Directory,
  sql: Query,
  { id, tenantId, deletionId, movedChildren }: Deleted,
  notRestored: NotRestored[],
): Promise<void> {
  if (movedChildren.length === 0) return;
  const above = await ancestorIds(sql, tenantId, id);
  const children = await sql<MovedChild>(Prisma.sql`
    with recursive down(child, id, level) as (
      select c.id, c.id, 1 from unnest(${movedChildren}::text[] collate "C") c(id)
      union all
      select down.child, g.id, down.level + 1 from down join groups g on g.parent_group_id = down.id
      where g.tenant_id = ${tenantId} and g.deleted_at is null and down.level <= ${MAX_DEPTH})
    select g.id, g.parent_group_id as "parentGroupId", g.name,
      ${plainKey(Prisma.sql`g.name_key`)} as "nameKey", g.deleted_at is null as live,
      coalesce(${deletionId}::text = any(g.moved_by), false) as "isMovedBy",
      (select max(level)::int from down where down.child = g.id) as height
    from groups g where g.tenant_id = ${tenantId} and g.id = any(${movedChildren}::text[]) order by g.name_key, g.id`);
  const back: MovedChild[] = [];
  for (const child of children) {
    const lose = (reason: string) => notRestored.push({ kind: 'CHILD', id: child.id, reason });
    if (!child.live) lose('The child is deleted');
    else if (!child.isMovedBy) lose('The child was moved since');
    else if (above.includes(child.id)) lose('The group is filed below the child now');
    else if (above.length + child.height > MAX_DEPTH)
      lose(`The hierarchy would have more than ${MAX_DEPTH} levels`);
    else if (back.some((other) => clash(other, child))) lose('Another child has that name now');
    else back.push(child);
  }
  if (back.length === 0) return;
  await sql(Prisma.sql`
    update groups set parent_group_id = ${id}, version = version + 1, updated_at = now(),
      moved_by = nullif(moved_by[: array_position(moved_by, ${deletionId}::text) - 1], '{}')
    where tenant_id = ${tenantId} and id = any(${back.map((child) => child.id)}::text[])`);
  await dropSuffixes(sql, tenantId, [...back, ...back.map(({ name }) => ({ name, parentGroupId: id }))]);
  await recordEvents(
    directory,
    sql,
    back.map((child) => ({
      type: 'group.updated' as const,
      tenantId,
      groupId: child.id,
      data: {
        changed: ['parentGroupId'],
        before: { parentGroupId: child.parentGroupId },
        after: { parentGroupId: id },
      },
    })),
  );
}

/** Whether two groups that were no siblings would have the same name; siblings that have it already may stay together. */
const clash = (one: MovedChild, other: MovedChild): boolean =>
  one.parentGroupId !== other.parentGroupId && one.nameKey === other.nameKey;

/** The group and those above it in the hierarchy. */
async function ancestorIds(sql: Query, tenantId: TenantId, id: GroupId): Promise<string[]> {
  const rows = await sql<{ id: string }>(Prisma.sql`
    with recursive up(id, parent_group_id, level) as (
      select id, parent_group_id, 1 from groups where tenant_id = ${tenantId} and id = ${id}
      union all
      select g.id, g.parent_group_id, up.level + 1 from up join groups g on g.id = up.parent_group_id
      where g.tenant_id = ${tenantId} and up.level <= ${MAX_DEPTH})
    select id from up`);
  return rows.map((row) => row.id);
}

/** Ends the nestings that stood for this deletion alone. */
async function endStandIns(
  directory: Directory,
  sql: Query,
  tenantId: TenantId,
  deletionId: string,
): Promise<void> {
  await sql(Prisma.sql`
    update nestings set stands_for = array_remove(stands_for, ${deletionId}::text)
    where tenant_id = ${tenantId} and stands_for is not null and ${deletionId} = any(stands_for)`);
  const ended = await moveNestings(directory, sql, {
    tenantId,
    where: Prisma.sql`stands_for = '{}'`,
    cause: 'GROUP_RESTORED',
  });
  const byParent = Map.groupBy(ended, (edge) => edge.parentGroupId);
  await recordEvents(
    directory,
    sql,
    [...byParent].map(([groupId, edges]) => ({
      type: 'group_nesting.removed' as const,
      tenantId,
      groupId,
      data: { childGroupIds: edges.map((edge) => edge.childGroupId), cause: 'GROUP_RESTORED' },
    })),
  );
}

type Edges = { tenantId: TenantId; ids: GroupId[]; deletionId: string; notRestored: NotRestored[] };

async function restoreMemberships(directory: Directory, sql: Query, edges: Edges): Promise<void> {
  const { tenantId, ids, deletionId, notRestored } = edges;
  const lost = await sql<{ groupId: GroupId; userId: string; isAnother: boolean }>(Prisma.sql`
    with ended as (
      select h.group_id, h.user_id, h.user_removed from membership_history h
      where h.tenant_id = ${tenantId} and h.deletion_id = ${deletionId} and h.group_id = any(${ids}::text[])),
    known as (
      select id from users where tenant_id = ${tenantId} and id in (select user_id from ended) order by id for key share),
    added as (
      insert into memberships (tenant_id, group_id, user_id, added_by)
      select ${tenantId}, ended.group_id, ended.user_id, ${actorOf(directory).id}
      from ended join known on known.id = ended.user_id where not ended.user_removed
      on conflict (group_id, user_id) do nothing returning group_id),
    ${countMemberships('added', tenantId)}
    select group_id as "groupId", user_id as "userId", user_id in (select id from known) as "isAnother" from ended
    where user_removed or user_id not in (select id from known) order by user_id, group_id`);
  for (const { groupId, userId, isAnother } of lost) {
    const why = isAnother ? 'The user was removed and is another one now' : 'The user is gone';
    notRestored.push({ kind: 'MEMBERSHIP', id: userId, reason: `${why}, who was a member of ${groupId}` });
  }
}

/** `standsFor`: null if somebody asked for it, else those of its deletions that are not undone. */
type EndedNesting = { parent: string; child: string; live: boolean; standsFor: string[] | null };

async function restoreNestings(directory: Directory, sql: Query, edges: Edges): Promise<void> {
  const { tenantId, ids, deletionId, notRestored } = edges;
  const ended = await sql<EndedNesting>(Prisma.sql`
    select h.parent_group_id as parent, h.child_group_id as child,
      case when h.stands_for is not null then array(select d from unnest(h.stands_for) d
        where exists (select from groups g where g.tenant_id = ${tenantId} and g.deletion_id = d)) end as "standsFor",
      (select count(*) from groups g where g.tenant_id = ${tenantId} and g.deleted_at is null
        and g.id in (h.parent_group_id, h.child_group_id)) = 2 as live
    from nesting_history h
    where h.tenant_id = ${tenantId} and h.deletion_id = ${deletionId}
      and (h.parent_group_id = any(${ids}::text[]) or h.child_group_id = any(${ids}::text[]))
    order by h.parent_group_id, h.child_group_id`);
  const returned = new Set<string>(ids);
  const farEnd = (edge: { parent: string; child: string }) =>
    returned.has(edge.parent) ? edge.child : edge.parent;
  // An edge that returns may lie on a path of another one: each end may be above or below.
  const ends = [...new Set(ended.flatMap(({ parent, child }) => [parent, child]))];
  const graph = await loadNestingGraph(sql, tenantId, { parents: ends, children: ends });
  const back: EndedNesting[] = [];
  for (const edge of ended) {
    const { parent, child, live, standsFor } = edge;
    const lose = (why: string) =>
      notRestored.push({
        kind: 'NESTING',
        id: farEnd({ parent, child }),
        reason: `${child} in ${parent}: ${why}`,
      });
    if (graph.has({ parent, child })) continue;
    if (!live) lose('the other group is deleted');
    else if (standsFor?.length === 0) lose('it stood for a group that was restored');
    else if (graph.pathDown(child, parent)) lose('it would close a cycle');
    else if (isTooDeep(graph, parent, child)) lose(`the nesting would be more than ${MAX_DEPTH} groups deep`);
    else {
      graph.add({ parent, child });
      back.push(edge);
    }
  }
  if (back.length === 0) return;
  await sql(Prisma.sql`
    with added as (
      insert into nestings (tenant_id, parent_group_id, child_group_id, created_by, stands_for)
      select ${tenantId}, e.parent, e.child, ${actorOf(directory).id}, string_to_array(e.stands_for, ',')
      from unnest(${back.map((edge) => edge.parent)}::text[], ${back.map((edge) => edge.child)}::text[],
        ${back.map((edge) => edge.standsFor?.join(',') ?? null)}::text[]) e(parent, child, stands_for)
      on conflict (parent_group_id, child_group_id) do nothing returning child_group_id),
    ${noticeNestings('added', tenantId)}
    select from added`);
}
