// Converts rows of the domain into response bodies of the reference. Counts are batched: one statement serves a whole list.

import type { z } from '@hono/zod-openapi';
import { type Directory, endUser } from '../domain/directory.ts';
import { countEffectiveMembers } from '../domain/queries/effective-members.ts';
import { groupPath } from '../domain/queries/hierarchy.ts';
import { countMembers, listAllMembers } from '../domain/queries/members.ts';
import { countNestedGroups, listAllNestedGroups } from '../domain/queries/nesting.ts';
import type { GroupRow } from '../domain/rows/groups.ts';
import type { MemberRow } from '../domain/rows/members.ts';
import type {
  AdminGroupListItem,
  AdminGroupResponse,
  GroupListItem,
  GroupMemberInfo,
  GroupResponse,
  NestedGroupInfo,
  VisibleGroup,
} from './group-schemas.ts';

export const INCLUDES = ['members', 'nested_groups', 'effective_member_count'] as const;
export type Include = (typeof INCLUDES)[number];

/** The fields of a group that an end user may see; null for other callers. */
export function visibleGroup(directory: Directory, group: GroupRow): z.infer<typeof VisibleGroup> | null {
  const { id, name, type } = group;
  return endUser(directory) ? { id, name, group_type: type } : null;
}

/** The full representation of a group. Not for end users: they get `visibleGroup`. */
export async function groupResponse(
  directory: Directory,
  group: GroupRow,
  include: readonly Include[] = [],
): Promise<z.infer<typeof GroupResponse>> {
  const { id } = group;
  const included = <Value>(name: Include, load: () => Promise<Value>) =>
    include.includes(name) ? load() : null;
  const [path, memberCount, nestedGroupCount, effectiveMemberCount, members, nestedGroups] =
    await Promise.all([
      groupPath(directory, id),
      countMembers(directory, id),
      countNestedGroups(directory, id),
      included('effective_member_count', () => countEffectiveMembers(directory, id)),
      included('members', () => listAllMembers(directory, id)),
      included('nested_groups', () => listAllNestedGroups(directory, id)),
    ]);
  return {
    name: group.name,
    description: group.description,
    group_type: group.type,
    id,
    parent_group_id: group.parentGroupId,
    parent_group_path: path,
    member_count: memberCount ?? 0,
    effective_member_count: effectiveMemberCount,
    nested_group_count: nestedGroupCount ?? 0,
    members: members?.map(memberInfo) ?? null,
    nested_groups: nestedGroups && (await nestedGroupInfos(directory, nestedGroups)),
    custom_attributes: group.customAttributes,
    created_at: group.createdAt!.toISOString(),
    updated_at: group.updatedAt!.toISOString(),
  };
}

/** The full representation of a group on the admin endpoints, with its tenant. */
export async function adminGroupResponse(
  directory: Directory,
  group: GroupRow,
): Promise<z.infer<typeof AdminGroupResponse>> {
  return { ...(await groupResponse(directory, group)), tenant_id: group.tenantId };
}

/** Items of a list of groups, in the list's order. An end user gets `visibleGroup` for each. */
export async function groupListItems(
  directory: Directory,
  groups: readonly GroupRow[],
): Promise<z.infer<typeof GroupListItem>[]> {
  return Promise.all(
    groups.map(async (group) => {
      const { id, name, type, parentGroupId } = group;
      const visible = visibleGroup(directory, group);
      if (visible) return visible;
      return {
        id,
        name,
        group_type: type,
        member_count: await memberCount(directory, group),
        parent_group_id: parentGroupId,
      };
    }),
  );
}

/** Items of a list of groups on the admin endpoints, with their tenants. */
export async function adminGroupListItems(
  directory: Directory,
  groups: readonly GroupRow[],
): Promise<z.infer<typeof AdminGroupListItem>[]> {
  const items = await groupListItems(directory, groups);
  return items.map((item, index) => ({ ...item, tenant_id: groups[index]!.tenantId }));
}

/** Nested groups or parent groups, in the list's order. */
export async function nestedGroupInfos(
  directory: Directory,
  groups: readonly GroupRow[],
): Promise<z.infer<typeof NestedGroupInfo>[]> {
  return Promise.all(
    groups.map(async (group) => ({
      group_id: group.id,
      name: group.name,
      member_count: await memberCount(directory, group),
    })),
  );
}

/** The count from the group's row; loaded if the row has none, because the group changed after it was read. */
async function memberCount(directory: Directory, group: GroupRow): Promise<number> {
  return group.memberCount ?? (await countMembers(directory, group.id)) ?? 0;
}

/** A direct or effective member of a group. */
export const memberInfo = ({ userId, email, displayName, membershipType }: MemberRow) =>
  ({
    user_id: userId,
    email,
    display_name: displayName,
    membership_type: membershipType,
  }) satisfies z.infer<typeof GroupMemberInfo>;
