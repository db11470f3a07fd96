// Creates a group, with its parent and its first members.

import { Prisma } from '../../database/database.ts';
import { type CreateGroupInput, createGroupInput } from '../../model/groups.ts';
import { newId } from '../../model/ids.ts';
import { parseInput } from '../../model/input.ts';
import { nameKey, searchKey } from '../../model/text.ts';
import type { Directory, Positioned } from '../directory.ts';
import { type Group, groupColumns } from '../rows/groups.ts';
import { groupFields, jsonb } from '../writes/groups.ts';
import { claimIds } from '../writes/ids.ts';
import { addMembers } from '../writes/memberships.ts';
import { assertHierarchyFits, assertNameFree } from './rules/placement.ts';
import { assertBatchSize, assertKnownUsers, requireTenant } from './rules/targets.ts';

export type Created = Positioned & { group: Group };

/**
 * Creates a group under `parentGroupId`, or as a root, with its initial members.
 * Refused: NOT_FOUND (tenant or parent), FORBIDDEN, OTHER_TENANT (parent), LIMIT_EXCEEDED (depth or number of ids),
 * NAME_TAKEN, UNKNOWN_USERS.
 */
export async function createGroup(directory: Directory, input: CreateGroupInput): Promise<Created> {
  const { tenantId, name, description, type, parentGroupId, initialMemberIds, customAttributes } = parseInput(
    createGroupInput,
    input,
  );
  assertBatchSize(initialMemberIds ?? []);
  await requireTenant(directory, tenantId);
  const id = newId('group');
  return directory.transact(tenantId, async (tx) => {
    if (parentGroupId) await assertHierarchyFits(directory, tx, { groupId: null, parentGroupId });
    await assertNameFree(tx, { parentGroupId: parentGroupId ?? null, name });
    await claimIds(tx, [id]);
    const [row] = await tx.query<Group>(Prisma.sql`
      insert into groups as g (tenant_id, id, parent_group_id, name, name_key, search_key, description, type, custom_attributes,
        created_at, updated_at, version_since)
      values (${tenantId}, ${id}, ${parentGroupId ?? null}, ${name}, ${nameKey(name)}, ${searchKey(name, description)},
        ${description ?? null}, ${type ?? 'SECURITY'}::"GroupType", ${jsonb(customAttributes)}, ${tx.at}::timestamptz,
        ${tx.at}::timestamptz, ${tx.position}::bigint)
      returning ${groupColumns}`);
    tx.record({ type: 'group.created', groupId: id, data: { after: groupFields(row!) } });
    const userIds = [...new Set(initialMemberIds)];
    await assertKnownUsers(tx, userIds);
    await addMembers(tx, { groupId: id, userIds, actor: tx.actor });
    return { group: { ...row!, memberCount: userIds.length } };
  });
}
