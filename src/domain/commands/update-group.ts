// Changing the fields of a group, or where it is filed.
import { Prisma } from '../../database/database.ts';
import { dropSuffixes } from '../../database/name-keys.ts';
import { type UpdateGroupInput, updateGroupInput } from '../../model/groups.ts';
import { parseInput } from '../../model/input.ts';
import { nameKey, searchKey } from '../../model/text.ts';
import type { Directory } from '../directory.ts';
import { type Group, groupColumns } from '../rows/groups.ts';
import { lockGroup } from '../writes/groups.ts';
import { groupFields, jsonb } from './rules/group-fields.ts';
import { assertHierarchyFits, assertNameFree } from './rules/placement.ts';
import { assertExpectedVersion, requireGroupToChange } from './rules/targets.ts';

export type Updated = { group: Group; previousParentId: string | null };

/**
 * Changes the fields that are given; an update that changes nothing leaves the version as it is. `previousParentId` is
 * what a moved group was filed under.
 * Refused: NOT_FOUND, VERSION_CONFLICT, OTHER_TENANT, CYCLE, LIMIT_EXCEEDED (depth), NAME_TAKEN.
 */
export async function updateGroup(directory: Directory, input: UpdateGroupInput): Promise<Updated> {
  const { id, expectedVersion, ...wanted } = parseInput(updateGroupInput, input);
  const { tenantId } = await requireGroupToChange(directory, id);
  return directory.transact(tenantId, async (tx) => {
    const before = await lockGroup(tx, id);
    assertExpectedVersion(before, expectedVersion);
    const given = Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined));
    const after = { ...before, ...given } as Group;
    const { parentGroupId } = after;
    if (parentGroupId && parentGroupId !== before.parentGroupId) {
      await assertHierarchyFits(directory, tx, { groupId: id, parentGroupId });
    }
    const placed = nameKey(after.name) !== nameKey(before.name) || parentGroupId !== before.parentGroupId;
    if (placed) {
      await assertNameFree(tx, { parentGroupId, name: after.name });
    }
    const changed = changedFields(before, after);
    const previousParentId = parentGroupId === before.parentGroupId ? null : before.parentGroupId;
    if (changed.length === 0) return { group: before, previousParentId };
    // Without a new name or place the stored key stays: it may end in the group's id, where a sibling has the same name.
    const key = placed ? nameKey(after.name) : Prisma.sql`g.name_key`;
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

const CHANGEABLE = ['name', 'description', 'parentGroupId', 'customAttributes'] as const;

function changedFields(before: Group, after: Group): string[] {
  return CHANGEABLE.filter((field) => !sameJson(before[field], after[field]));
}

/** Equality of JSON values; the order of an object's keys does not count, as in jsonb. */
function sameJson(left: unknown, right: unknown): boolean {
  return JSON.stringify(left, sortKeys) === JSON.stringify(right, sortKeys);
}

function sortKeys(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
