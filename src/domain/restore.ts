// Bringing deleted groups back, with every edge that still can come back, and a report of what cannot.
import { Prisma, type Query } from '../database/database.ts';
import { refuse } from '../model/errors.ts';
import { MAX_DEPTH, RESTORE_DAYS, type RestoreGroupInput, restoreGroupInput } from '../model/groups.ts';
import type { GroupId, TenantId } from '../model/ids.ts';
import { readInput } from '../model/input.ts';
import { countMemberships, noticeNestings } from './derived.ts';
import { assertMayChange, change, type Directory, plainUser } from './directory.ts';
import { actorOf, recordEvents } from './events.ts';
import { lockGraph } from './graph-lock.ts';
import { groupColumns } from './group-rows.ts';
import { isTooDeep } from './nesting.ts';
import { loadNestingGraph } from './nesting-graph.ts';
import type { GroupRow } from './rows.ts';
import { assertNameFree } from './sibling-names.ts';

export type NotRestoredKind = 'PARENT' | 'MEMBERSHIP' | 'NESTING';
/** What stayed behind: the id of the far end (parent group, user, or other group of a nesting), and why. */
export type NotRestored = { kind: NotRestoredKind; id: string; reason: string };
export type Restored = { group: GroupRow; restoredGroupIds: GroupId[]; notRestored: NotRestored[] };

/**
 * Restores a group deleted in the last 30 days, and on request the groups below it that the same deletion took. If
 * its parent is gone it comes back as a root. Refused: NOT_FOUND (also for a group that is not deleted), NAME_TAKEN.
 */
export async function restoreGroup(directory: Directory, input: RestoreGroupInput): Promise<Restored> {
  const { id, includeDescendants } = readInput(restoreGroupInput, input);
  const tenantId = await tenantOfDeleted(directory, id);
  assertMayChange(directory);
  return change(directory, async (sql) => {
    await lockGraph(directory, sql, tenantId);
    const [root] = await sql<GroupRow & { deletionId: string }>(Prisma.sql`
      select ${groupColumns}, g.deletion_id as "deletionId" from groups g
      where g.tenant_id = ${tenantId} and g.id = ${id} and ${restorable} for update`);
    if (!root) throw notDeleted(id);
    const { deletionId } = root;
    const tree = includeDescendants ? await deletedBelow(sql, root, deletionId) : [{ id, level: 0 }];
    const ids = tree.map((row) => row.id);
    const notRestored: NotRestored[] = [];
    const levels = Math.max(...tree.map((row) => row.level)) + 1;
    const parentGroupId = await parentToReturnTo(sql, root, levels, notRestored);
    await assertNameFree(sql, { tenantId, parentGroupId, name: root.name, exceptId: id });
    await sql(Prisma.sql`
      update groups set deleted_at = null, deletion_id = null, version = version + 1, updated_at = now(),
        parent_group_id = case when id = ${id} then ${parentGroupId}::text else parent_group_id end
      where tenant_id = ${tenantId} and id = any(${ids}::text[])`);
    await restoreMemberships(directory, sql, { tenantId, ids, deletionId, notRestored });
    await restoreNestings(directory, sql, { tenantId, ids, deletionId, notRestored });
    await recordEvents(
      directory,
      sql,
      ids.map((groupId) => ({ type: 'group.restored' as const, tenantId, groupId, data: { deletionId } })),
    );
    const [group] = await sql<GroupRow>(Prisma.sql`
      select ${groupColumns} from groups g where g.tenant_id = ${tenantId} and g.id = ${id}`);
    return { group: group!, restoredGroupIds: ids, notRestored };
  });
}

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

type Edges = { tenantId: TenantId; ids: GroupId[]; deletionId: string; notRestored: NotRestored[] };

async function restoreMemberships(directory: Directory, sql: Query, edges: Edges): Promise<void> {
  const { tenantId, ids, deletionId, notRestored } = edges;
  const lost = await sql<{ groupId: GroupId; userId: string }>(Prisma.sql`
    with ended as (
      select h.group_id, h.user_id from membership_history h
      where h.tenant_id = ${tenantId} and h.deletion_id = ${deletionId} and h.group_id = any(${ids}::text[])),
    known as (
      select id from users where tenant_id = ${tenantId} and id in (select user_id from ended) order by id for key share),
    added as (
      insert into memberships (tenant_id, group_id, user_id, added_by)
      select ${tenantId}, ended.group_id, ended.user_id, ${actorOf(directory).id}
      from ended join known on known.id = ended.user_id
      on conflict (group_id, user_id) do nothing returning group_id),
    ${countMemberships('added', tenantId)}
    select group_id as "groupId", user_id as "userId" from ended
    where user_id not in (select id from known) order by user_id, group_id`);
  for (const { groupId, userId } of lost) {
    notRestored.push({
      kind: 'MEMBERSHIP',
      id: userId,
      reason: `The user is gone, who was a member of ${groupId}`,
    });
  }
}

async function restoreNestings(directory: Directory, sql: Query, edges: Edges): Promise<void> {
  const { tenantId, ids, deletionId, notRestored } = edges;
  const ended = await sql<{ parent: string; child: string; live: boolean }>(Prisma.sql`
    select h.parent_group_id as parent, h.child_group_id as child,
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
  const back: { parent: string; child: string }[] = [];
  for (const { parent, child, live } of ended) {
    const lose = (why: string) =>
      notRestored.push({
        kind: 'NESTING',
        id: farEnd({ parent, child }),
        reason: `${child} in ${parent}: ${why}`,
      });
    if (graph.has({ parent, child })) continue;
    if (!live) lose('the other group is deleted');
    else if (graph.pathDown(child, parent)) lose('it would close a cycle');
    else if (isTooDeep(graph, parent, child)) lose(`the nesting would be more than ${MAX_DEPTH} groups deep`);
    else {
      graph.add({ parent, child });
      back.push({ parent, child });
    }
  }
  if (back.length === 0) return;
  await sql(Prisma.sql`
    with added as (
      insert into nestings (tenant_id, parent_group_id, child_group_id, created_by)
      select ${tenantId}, e.parent, e.child, ${actorOf(directory).id}
      from unnest(${back.map((edge) => edge.parent)}::text[], ${back.map((edge) => edge.child)}::text[]) e(parent, child)
      on conflict (parent_group_id, child_group_id) do nothing returning child_group_id),
    ${noticeNestings('added', tenantId)}
    select from added`);
}
