// Restores deleted groups with the edges that are still possible, and reports the others.

import { Prisma } from '../../database/database.ts';
import { dropSuffixes, type NamedPlace } from '../../database/name-keys.ts';
import { refuse } from '../../model/errors.ts';
import { RESTORE_DAYS, type RestoreGroupInput, restoreGroupInput } from '../../model/groups.ts';
import type { GroupId } from '../../model/ids.ts';
import { parseInput } from '../../model/input.ts';
import { type Directory, endUser, type Positioned, type Reader } from '../directory.ts';
import { readerFor } from '../loading/routing.ts';
import type { Change } from '../log/changes.ts';
import { type Group, groupColumns } from '../rows/groups.ts';
import { beginMemberships, type Membership } from '../writes/edges.ts';
import { recordGroups, recordMove } from './recorded-edges.ts';
import {
  loadDeletedSubtree,
  type NotRestored,
  type Restoration,
  restoreChildren,
  restoreParent,
} from './restore-hierarchy.ts';
import { restoreNestings } from './restore-nestings.ts';
import { assertNameFree } from './rules/placement.ts';

export type Restored = Positioned & { group: Group; restoredGroupIds: GroupId[]; notRestored: NotRestored[] };

/**
 * Restores a group deleted in the last 30 days and, on request, the descendants that the same deletion took. The group
 * returns to its parent; while the parent is deleted it becomes a root. Memberships and nestings are restored. An ORPHAN
 * deletion is undone: the nestings it added end unless somebody has requested them since, and the children it moved return
 * unless somebody has moved them since. Refused: NOT_FOUND (also for a group that is not deleted), FORBIDDEN, NAME_TAKEN.
 */
export async function restoreGroup(directory: Directory, input: RestoreGroupInput): Promise<Restored> {
  const { id, includeDescendants } = parseInput(restoreGroupInput, input);
  const reader = await readerFor(directory, id);
  if (endUser(directory) || !(await isRestorable(reader, id))) throw notDeleted(id);
  const { tenantId } = reader;
  return directory.transact(tenantId, async (tx) => {
    const { query } = tx;
    const [root] = await query<DeletedRoot>(Prisma.sql`
      select g.id, g.name, g.deletion_id as "deletionId" from groups g
      where g.tenant_id = ${tenantId} and g.id = ${id} and ${restorable}`);
    if (!root) throw notDeleted(id);
    const { name, deletionId } = root;
    const subtree = await loadDeletedSubtree(tx, root, includeDescendants ?? false);
    const ids = subtree.map((group) => group.id);
    const restoration: Restoration = { tx, ids, deletionId, notRestored: [] };
    const parentGroupId = await restoreParent(restoration, subtree);
    // Before the name check: a child that leaves the parent may have the group's name.
    const moves = await restoreChildren(restoration, subtree);
    await assertNameFree(tx, { parentGroupId, name });
    const restored = await query<NamedPlace & { id: GroupId }>(Prisma.sql`
      update groups set deleted_at = null, deletion_id = null, moved_children = null, version = version + 1,
        updated_at = ${tx.at}::timestamptz, version_since = ${tx.position}::bigint
      where tenant_id = ${tenantId} and id = any(${ids}::text[])
      returning id, name, parent_group_id as "parentGroupId"`);
    await dropSuffixes(query, tenantId, [
      ...restored,
      ...moves,
      ...moves.map(({ name, to }) => ({ name, parentGroupId: to })),
    ]);
    const memberships = await restoreMemberships(restoration);
    const nestings = await restoreNestings(restoration);
    const parents = new Map(restored.map((group) => [group.id, group.parentGroupId]));
    const changeOf = (id: GroupId): Change => {
      return { type: 'group.restored', data: { deletionId, parentGroupId: parents.get(id) } };
    };
    recordGroups(tx, { memberships, nestings }, new Map(ids.map((id) => [id, changeOf(id)])), {
      type: 'group_nesting.added',
      cause: 'GROUP_RESTORED',
    });
    // After the group's own event: consumers must know the group before it gets children.
    for (const { id: childId, parentGroupId: from, to } of moves) recordMove(tx, childId, from, to);
    const [group] = await query<Group>(Prisma.sql`
      select ${groupColumns} from groups g where g.tenant_id = ${tenantId} and g.id = ${id}`);
    return { group: group!, restoredGroupIds: ids, notRestored: restoration.notRestored };
  });
}

type DeletedRoot = Pick<Group, 'id' | 'name'> & { deletionId: string };

const restorable = Prisma.sql`g.deleted_at > now() - make_interval(days => ${RESTORE_DAYS}::int)`;
const notDeleted = (id: string) =>
  refuse.notFound(id, `${id} is not a group deleted in the last ${RESTORE_DAYS} days`);

async function isRestorable({ sql, tenantId }: Reader, id: GroupId): Promise<boolean> {
  const rows = await sql(Prisma.sql`
    select g.id from groups g where g.tenant_id = ${tenantId} and g.id = ${id} and ${restorable}`);
  return rows.length > 0;
}

/** Restores memberships whose users are the same persons. A user created again with the same id is another one. */
async function restoreMemberships({ tx, ids, deletionId, notRestored }: Restoration): Promise<Membership[]> {
  const { query, tenantId, actor } = tx;
  const ended = Prisma.sql`membership_history h
    left join users u on u.tenant_id = ${tenantId} and u.id = h.user_id and u.until is null
    where h.tenant_id = ${tenantId} and h.deletion_id = ${deletionId} and h.group_id = any(${ids}::text[])`;
  const begun = await beginMemberships(
    tx,
    Prisma.sql`select h.group_id, h.user_id, ${actor.id}::text as added_by from ${ended} and u.since <= h.since`,
  );
  const lost = await query<{ groupId: GroupId; userId: string; isReused: boolean }>(Prisma.sql`
    select h.group_id as "groupId", h.user_id as "userId", u.id is not null as "isReused" from ${ended}
      and (u.id is null or u.since > h.since) order by h.user_id, h.group_id`);
  for (const { groupId, userId, isReused } of lost) {
    const why = isReused ? 'the user was removed, and the id now names another user' : 'the user was removed';
    notRestored.push({ kind: 'MEMBERSHIP', id: userId, reason: `${userId} in ${groupId}: ${why}` });
  }
  return begun;
}
