// Changes the fields of a group or its parent.
import { Prisma } from '../../database/database.ts';
import { dropSuffixes } from '../../database/name-keys.ts';
import { type UpdateGroupInput, updateGroupInput } from '../../model/groups.ts';
import { parseInput } from '../../model/input.ts';
import { nameKey, searchKey } from '../../model/text.ts';
import type { Directory } from '../directory.ts';
import { type Group, groupColumns } from '../rows/groups.ts';
import { groupFields, jsonb, lockGroup } from '../writes/groups.ts';
import { assertHierarchyFits, assertNameFree } from './rules/placement.ts';
import { assertExpectedVersion, requireGroupToChange } from './rules/targets.ts';

export type Updated = { group: Group; previousParentId: string | null };

/**
 * Updates a group. Omitted fields are left unchanged; null clears a field. An update without effect leaves the version
 * unchanged. `previousParentId`: the former parent of a group that moved, if it had one.
 * Refused: NOT_FOUND, FORBIDDEN, VERSION_CONFLICT, OTHER_TENANT, CYCLE, LIMIT_EXCEEDED (depth), NAME_TAKEN.
 */
export async function updateGroup(directory: Directory, input: UpdateGroupInput): Promise<Updated> {
  const { id, expectedVersion, ...fields } = parseInput(updateGroupInput, input);
  const { tenantId } = await requireGroupToChange(directory, id);
  return directory.transact(tenantId, async (tx) => {
    const before = await lockGroup(tx, id);
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
    const [row] = await tx.query<Group>(Prisma.sql`
      update groups as g set name = ${after.name}, name_key = ${key}, description = ${after.description},
        search_key = ${searchKey(after.name, after.description)}, parent_group_id = ${parentGroupId},
        moved_by = case when g.parent_group_id is not distinct from ${parentGroupId}::text then g.moved_by end,
        custom_attributes = ${jsonb(after.customAttributes)}, version = g.version + 1, updated_at = now()
      where g.tenant_id = ${tenantId} and g.id = ${id} returning ${groupColumns}`);
    await dropSuffixes(tx.query, tenantId, [before]);
    tx.record({
      type: 'group.updated',
      groupId: id,
      data: { changed, before: groupFields(before), after: groupFields(row!) },
    });
    return { group: row!, previousParentId };
  });
}

/** The fields that an update may change, named in the event's `changed`. */
const CHANGEABLE = ['name', 'description', 'parentGroupId', 'customAttributes'] as const;

function changedFields(before: Group, after: Group): string[] {
  return CHANGEABLE.filter((field) => !sameJson(before[field], after[field]));
}

/** Whether two JSON values are equal; as in jsonb, the order of keys is irrelevant. */
function sameJson(left: unknown, right: unknown): boolean {
  return JSON.stringify(left, sortKeys) === JSON.stringify(right, sortKeys);
}

function sortKeys(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
