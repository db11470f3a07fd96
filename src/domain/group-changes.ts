// Creating groups, and changing the fields of those that are there.
import { Prisma } from '../database/database.ts';
import { dropSuffixes } from '../database/name-keys.ts';
import {
  type CreateGroupInput,
  createGroupInput,
  type UpdateGroupInput,
  updateGroupInput,
} from '../model/groups.ts';
import { newId } from '../model/ids.ts';
import { readInput } from '../model/input.ts';
import type { JsonObject } from '../model/json.ts';
import { nameKey, searchKey } from '../model/text.ts';
import { assertMayChange, change, type Directory } from './directory.ts';
import { recordEvent } from './events.ts';
import { lockGraph } from './graph-lock.ts';
import { groupColumns, lockGroup, uncounted } from './group-rows.ts';
import { assertHierarchyFits } from './hierarchy.ts';
import { assertBatchSize, insertMemberships } from './memberships.ts';
import type { GroupRow } from './rows.ts';
import { assertNameFree } from './sibling-names.ts';
import { assertExpectedVersion, requireGroup } from './targets.ts';

/**
 * Creates a group, filed under `parentGroupId` or as a root, with its first members.
 * Refused: NOT_FOUND or OTHER_TENANT (parent), LIMIT_EXCEEDED (depth, ids), NAME_TAKEN, UNKNOWN_USERS.
 */
export async function createGroup(
  directory: Directory,
  input: CreateGroupInput,
): Promise<{ group: GroupRow }> {
  const { tenantId, name, description, type, parentGroupId, initialMemberIds, customAttributes } = readInput(
    createGroupInput,
    input,
  );
  assertBatchSize(initialMemberIds ?? []);
  const id = newId('group');
  const group = await change(directory, async (sql) => {
    await lockGraph(directory, sql, tenantId);
    if (parentGroupId) await assertHierarchyFits(directory, sql, { tenantId, groupId: null, parentGroupId });
    await assertNameFree(sql, { tenantId, parentGroupId: parentGroupId ?? null, name });
    const [row] = await sql<GroupRow>(Prisma.sql`
      insert into groups as g (id, tenant_id, parent_group_id, name, name_key, search_key, description, type, custom_attributes)
      values (${id}, ${tenantId}, ${parentGroupId ?? null}, ${name}, ${nameKey(name)}, ${searchKey(name, description)},
        ${description ?? null}, ${type ?? 'SECURITY'}::"GroupType", ${jsonb(customAttributes)})
      returning ${groupColumns}`);
    await recordEvent(directory, sql, {
      type: 'group.created',
      tenantId,
      groupId: id,
      data: eventData(row!),
    });
    if (initialMemberIds?.length)
      await insertMemberships(directory, sql, { tenantId, groupId: id, userIds: initialMemberIds });
    return uncounted(row!);
  });
  return { group };
}

/**
 * Changes the fields that are given; an update that changes nothing leaves the version as it is. `previousParentId` is
 * what a moved group was filed under.
 * Refused: NOT_FOUND, VERSION_CONFLICT, OTHER_TENANT, CYCLE, LIMIT_EXCEEDED (depth), NAME_TAKEN.
 */
export async function updateGroup(
  directory: Directory,
  input: UpdateGroupInput,
): Promise<{ group: GroupRow; previousParentId: string | null }> {
  const { id, expectedVersion, ...wanted } = readInput(updateGroupInput, input);
  const { tenantId } = await requireGroup(directory, id);
  assertMayChange(directory);
  return change(directory, async (sql) => {
    await lockGraph(directory, sql, tenantId);
    const before = await lockGroup(sql, tenantId, id);
    assertExpectedVersion(before, expectedVersion);
    const given = Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined));
    const after = { ...before, ...given } as GroupRow;
    const { parentGroupId } = after;
    if (parentGroupId && parentGroupId !== before.parentGroupId) {
      await assertHierarchyFits(directory, sql, { tenantId, groupId: id, parentGroupId });
    }
    const placed = nameKey(after.name) !== nameKey(before.name) || parentGroupId !== before.parentGroupId;
    if (placed) {
      await assertNameFree(sql, { tenantId, parentGroupId, name: after.name });
    }
    const changed = changedFields(before, after);
    const previousParentId = parentGroupId === before.parentGroupId ? null : before.parentGroupId;
    if (changed.length === 0) return { group: before, previousParentId };
    // Without a new name or place the stored key stays: it may end in the group's id, where a sibling has the same name.
    const key = placed ? nameKey(after.name) : Prisma.sql`g.name_key`;
    const [row] = await sql<GroupRow>(Prisma.sql`
      update groups as g set name = ${after.name}, name_key = ${key}, description = ${after.description},
        search_key = ${searchKey(after.name, after.description)}, parent_group_id = ${parentGroupId},
        moved_by = case when g.parent_group_id is not distinct from ${parentGroupId}::text then g.moved_by end,
        custom_attributes = ${jsonb(after.customAttributes)}, version = g.version + 1, updated_at = now()
      where g.tenant_id = ${tenantId} and g.id = ${id} returning ${groupColumns}`);
    await dropSuffixes(sql, tenantId, [before]);
    await recordEvent(directory, sql, {
      type: 'group.updated',
      tenantId,
      groupId: id,
      data: { changed, before: eventData(before), after: eventData(row!) },
    });
    return { group: row!, previousParentId };
  });
}

const CHANGEABLE = ['name', 'description', 'parentGroupId', 'customAttributes'] as const;

function changedFields(before: GroupRow, after: GroupRow): string[] {
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

const eventData = ({ name, description, type, parentGroupId, customAttributes }: GroupRow) => ({
  name,
  description,
  type,
  parentGroupId,
  customAttributes,
});

const jsonb = (value: JsonObject | null | undefined) =>
  Prisma.sql`${value == null ? null : JSON.stringify(value)}::text::jsonb`;
