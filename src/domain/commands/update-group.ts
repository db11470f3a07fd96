// Changes the fields of a group or its parent.
import { Prisma } from '../../database/database.ts';
import { dropSuffixes } from '../../database/name-keys.ts';
import { type UpdateGroupInput, updateGroupInput } from '../../model/groups.ts';
import { parseInput } from '../../model/input.ts';
import { nameKey, searchKey } from '../../model/text.ts';
import type { Directory, Positioned } from '../directory.ts';
import { type Group, groupColumns } from '../rows/groups.ts';
import { changedFields, jsonb, requireLiveGroup, updatedChange } from '../writes/groups.ts';
import { endGroupVersions } from '../writes/versions.ts';
import { assertHierarchyFits, assertNameFree } from './rules/placement.ts';
import { assertExpectedVersion, requireGroupToChange } from './rules/targets.ts';

export type Updated = Positioned & { group: Group; previousParentId: string | null };

/**
 * Updates a group. Omitted fields are left unchanged; null clears a field. An update without effect leaves the version
 * unchanged. `previousParentId`: the former parent of a group that moved, if it had one.
 * Refused: NOT_FOUND, FORBIDDEN, VERSION_CONFLICT, OTHER_TENANT, CYCLE, LIMIT_EXCEEDED (depth), NAME_TAKEN.
 */
export async function updateGroup(directory: Directory, input: UpdateGroupInput): Promise<Updated> {
  const { id, expectedVersion, ...fields } = parseInput(updateGroupInput, input);
  const { tenantId } = await requireGroupToChange(directory, id);
  return directory.transact(tenantId, async (tx) => {
    const before = await requireLiveGroup(tx, id);
    assertExpectedVersion(before, expectedVersion);
    const changes = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
    const after = { ...before, ...changes } as Group;
    const { parentGroupId } = after;
    if (parentGroupId && parentGroupId !== before.parentGroupId) {
      await assertHierarchyFits(directory, tx, { groupId: id, parentGroupId });
    }
    const isRenamedOrMoved =
      nameKey(after.name) !== nameKey(before.name) || parentGroupId !== before.parentGroupId;
    if (isRenamedOrMoved) {
      await assertNameFree(tx, { parentGroupId, name: after.name });
    }
    const changed = changedFields(before, after);
    const previousParentId = parentGroupId === before.parentGroupId ? null : before.parentGroupId;
    if (changed.length === 0) return { group: before, previousParentId };
    // Otherwise keep the stored key: it ends in the group's id if a sibling already has the same name.
    const key = isRenamedOrMoved ? nameKey(after.name) : Prisma.sql`g.name_key`;
    endGroupVersions(tx, Prisma.sql`id = ${id}`);
    const [row] = await tx.query<Group>(Prisma.sql`
      update groups as g set name = ${after.name}, name_key = ${key}, description = ${after.description},
        search_key = ${searchKey(after.name, after.description)}, parent_group_id = ${parentGroupId},
        moved_by = case when g.parent_group_id is not distinct from ${parentGroupId}::text then g.moved_by end,
        custom_attributes = ${jsonb(after.customAttributes)}, version = g.version + 1,
        updated_at = ${tx.at}::timestamptz, version_since = ${tx.position}::bigint
      where g.tenant_id = ${tenantId} and g.id = ${id} returning ${groupColumns}`);
    await dropSuffixes(tx.query, tenantId, [before]);
    tx.record(updatedChange(before, row!));
    return { group: row!, previousParentId };
  });
}
