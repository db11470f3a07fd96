// Bringing deleted groups back, with every edge that still can come back, and a report of what cannot.

import { Prisma } from '../../database/database.ts';
import { dropSuffixes, type NamedPlace } from '../../database/name-keys.ts';
import { refuse } from '../../model/errors.ts';
import { RESTORE_DAYS, type RestoreGroupInput, restoreGroupInput } from '../../model/groups.ts';
import type { GroupId, TenantId } from '../../model/ids.ts';
import { parseInput } from '../../model/input.ts';
import { assertMayChange, type Directory, endUser } from '../directory.ts';
import { type Group, groupColumns } from '../rows/groups.ts';
import { beginMemberships } from '../writes/edges.ts';
import type { NotRestored, Restoration } from './restoration.ts';
import { restoreNestings } from './restore-nestings.ts';
import { deletedTree, returnChildren, returnToParent } from './restore-places.ts';
import { assertNameFree } from './rules/placement.ts';

export type Restored = { group: Group; restoredGroupIds: GroupId[]; notRestored: NotRestored[] };

/**
 * Restores a group deleted in the last 30 days and, on request, the groups below it that the same deletion took. Its
 * parent is the one it had; it becomes a root while that one is deleted. Its memberships and nestings come back, and
 * what its deletion by ORPHAN did is undone: the nestings that it added end, unless somebody has asked for them since,
 * and the children that it moved up return to the group, unless somebody has moved them since.
 * Refused: NOT_FOUND (also for a group that is not deleted), NAME_TAKEN.
 */
export async function restoreGroup(directory: Directory, input: RestoreGroupInput): Promise<Restored> {
  const { id, includeDescendants } = parseInput(restoreGroupInput, input);
  const tenantId = await tenantOfDeleted(directory, id);
  assertMayChange(directory);
  return directory.transact(tenantId, async (tx) => {
    const { query } = tx;
    const [root] = await query<Deleted>(Prisma.sql`
      select g.id, g.name, g.deletion_id as "deletionId" from groups g
      where g.tenant_id = ${tenantId} and g.id = ${id} and ${restorable} for update`);
    if (!root) throw notDeleted(id);
    const { name, deletionId } = root;
    const tree = await deletedTree(tx, root, includeDescendants ?? false);
    const ids = tree.map((row) => row.id);
    const restoration: Restoration = { tx, ids, deletionId, notRestored: [] };
    const parentGroupId = await returnToParent(restoration, tree);
    // A child may have the name that its parent had: it leaves the place before the name is judged.
    const moves = await returnChildren(restoration, tree);
    await assertNameFree(tx, { parentGroupId, name });
    const restored = await query<NamedPlace>(Prisma.sql`
      update groups set deleted_at = null, deletion_id = null, moved_children = null, version = version + 1, updated_at = now()
      where tenant_id = ${tenantId} and id = any(${ids}::text[])
      returning name, parent_group_id as "parentGroupId"`);
    await dropSuffixes(query, tenantId, [
      ...restored,
      ...moves,
      ...moves.map(({ name, to }) => ({ name, parentGroupId: to })),
    ]);
    await restoreMemberships(restoration);
    await restoreNestings(restoration);
    for (const groupId of ids) tx.record({ type: 'group.restored', groupId, data: { deletionId } });
    // After the group's own event: the group exists before anything is filed in it.
    for (const { id: groupId, parentGroupId: from, to } of moves) {
      const data = {
        changed: ['parentGroupId'],
        before: { parentGroupId: from },
        after: { parentGroupId: to },
      };
      tx.record({ type: 'group.updated', groupId, data });
    }
    const [group] = await query<Group>(Prisma.sql`
      select ${groupColumns} from groups g where g.tenant_id = ${tenantId} and g.id = ${id}`);
    return { group: group!, restoredGroupIds: ids, notRestored: restoration.notRestored };
  });
}

type Deleted = Pick<Group, 'id' | 'name'> & { deletionId: string };

const restorable = Prisma.sql`g.deleted_at > now() - make_interval(days => ${RESTORE_DAYS}::int)`;
const notDeleted = (id: string) =>
  refuse.notFound(id, `${id} is not a group deleted in the last ${RESTORE_DAYS} days`);

async function tenantOfDeleted(directory: Directory, id: GroupId): Promise<TenantId> {
  const rows = endUser(directory)
    ? []
    : await directory.sql<{ tenantId: TenantId }>(Prisma.sql`
        select g.tenant_id as "tenantId" from groups g
        where g.id = ${id} and ${restorable} and ${directory.scope(Prisma.sql`g.tenant_id`)}`);
  const [row] = rows;
  if (!row) throw notDeleted(id);
  return row.tenantId;
}

/** A membership comes back unless its user was removed; a user created again under the same id is another one. */
async function restoreMemberships({ tx, ids, deletionId, notRestored }: Restoration): Promise<void> {
  const { query, tenantId } = tx;
  const ended = Prisma.sql`membership_history h left join users u on u.tenant_id = h.tenant_id and u.id = h.user_id
    where h.tenant_id = ${tenantId} and h.deletion_id = ${deletionId} and h.group_id = any(${ids}::text[])`;
  await beginMemberships(
    tx,
    Prisma.sql`select h.group_id, h.user_id from ${ended} and u.id is not null and not h.user_removed`,
  );
  const lost = await query<{ groupId: GroupId; userId: string; isAnother: boolean }>(Prisma.sql`
    select h.group_id as "groupId", h.user_id as "userId", u.id is not null as "isAnother" from ${ended}
      and (u.id is null or h.user_removed) order by h.user_id, h.group_id`);
  for (const { groupId, userId, isAnother } of lost) {
    const why = isAnother ? 'The user was removed and is another one now' : 'The user is gone';
    notRestored.push({ kind: 'MEMBERSHIP', id: userId, reason: `${why}, who was a member of ${groupId}` });
  }
}
