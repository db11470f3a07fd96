// Bringing deleted groups back, with every edge that still can come back, and a report of what cannot.
import { Prisma, type Query } from '../database/database.ts';
import { dropSuffixes, type NamedPlace } from '../database/name-keys.ts';
import { refuse } from '../model/errors.ts';
import { RESTORE_DAYS, type RestoreGroupInput, restoreGroupInput } from '../model/groups.ts';
import type { GroupId, TenantId } from '../model/ids.ts';
import { readInput } from '../model/input.ts';
import { countMemberships } from './derived.ts';
import { assertMayChange, change, type Directory, plainUser } from './directory.ts';
import { actorOf, recordEvents } from './events.ts';
import { lockGraph } from './graph-lock.ts';
import { groupColumns } from './group-rows.ts';
import type { NotRestored, Restoration } from './not-restored.ts';
import { restoreNestings } from './restore-nestings.ts';
import { deletedTree, recordMoves, returnChildren, returnToParent } from './restore-places.ts';
import type { GroupRow } from './rows.ts';
import { assertNameFree } from './sibling-names.ts';

export type Restored = { group: GroupRow; restoredGroupIds: GroupId[]; notRestored: NotRestored[] };

/**
 * Restores a group deleted in the last 30 days and, on request, the groups below it that the same deletion took. Its
 * parent is the one it had; it becomes a root while that one is deleted. Its memberships and nestings come back, and
 * what its deletion by ORPHAN did is undone: the nestings that it added end, unless somebody has asked for them since,
 * and the children that it moved up return to the group, unless somebody has moved them since.
 * Refused: NOT_FOUND (also for a group that is not deleted), NAME_TAKEN.
 */
export async function restoreGroup(directory: Directory, input: RestoreGroupInput): Promise<Restored> {
  const { id, includeDescendants } = readInput(restoreGroupInput, input);
  const tenantId = await tenantOfDeleted(directory, id);
  assertMayChange(directory);
  return change(directory, async (sql) => {
    await lockGraph(directory, sql, tenantId);
    const [root] = await sql<Deleted>(Prisma.sql`
      select g.id, g.tenant_id as "tenantId", g.name, g.deletion_id as "deletionId" from groups g
      where g.tenant_id = ${tenantId} and g.id = ${id} and ${restorable} for update`);
    if (!root) throw notDeleted(id);
    const { name, deletionId } = root;
    const tree = await deletedTree(sql, root, includeDescendants ?? false);
    const ids = tree.map((row) => row.id);
    const notRestored: NotRestored[] = [];
    const restoration = { tenantId, ids, deletionId, notRestored };
    const parentGroupId = await returnToParent(sql, tree, notRestored);
    // A child may have the name that its parent had: it leaves the place before the name is judged.
    const moves = await returnChildren(sql, tree, restoration);
    await assertNameFree(sql, { tenantId, parentGroupId, name });
    const restored = await sql<NamedPlace>(Prisma.sql`
      update groups set deleted_at = null, deletion_id = null, moved_children = null, version = version + 1, updated_at = now()
      where tenant_id = ${tenantId} and id = any(${ids}::text[])
      returning name, parent_group_id as "parentGroupId"`);
    await dropSuffixes(sql, tenantId, [
      ...restored,
      ...moves,
      ...moves.map(({ name, to }) => ({ name, parentGroupId: to })),
    ]);
    await restoreMemberships(directory, sql, restoration);
    await restoreNestings(directory, sql, restoration);
    await recordEvents(
      directory,
      sql,
      ids.map((groupId) => ({ type: 'group.restored' as const, tenantId, groupId, data: { deletionId } })),
    );
    // Behind the group's own event: it is there before anything is filed in it.
    await recordMoves(directory, sql, tenantId, moves);
    const [group] = await sql<GroupRow>(Prisma.sql`
      select ${groupColumns} from groups g where g.tenant_id = ${tenantId} and g.id = ${id}`);
    return { group: group!, restoredGroupIds: ids, notRestored };
  });
}

type Deleted = Pick<GroupRow, 'id' | 'tenantId' | 'name'> & { deletionId: string };

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

async function restoreMemberships(
  directory: Directory,
  sql: Query,
  { tenantId, ids, deletionId, notRestored }: Restoration,
): Promise<void> {
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
