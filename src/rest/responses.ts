// Converts rows of the domain into response bodies of the reference. Counts are batched: one statement serves a whole list.

import type { z } from '@hono/zod-openapi';
import type { Directory } from '../domain/directory.ts';
import { countEffectiveMembers } from '../domain/queries/effective-members.ts';
import { groupPath } from '../domain/queries/hierarchy.ts';
import { countMembers, listAllMembers } from '../domain/queries/members.ts';
import { nestedGroups } from '../domain/queries/nesting.ts';
import {
  type Group,
  type GroupSummary,
  isVisibleGroup,
  type VisibleGroup as VisibleGroupRow,
} from '../domain/rows/groups.ts';
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

/** A group for an end user, whatever `include` asks for. */
export const visibleGroup = ({ id, name, type }: VisibleGroupRow): z.infer<typeof VisibleGroup> => ({
  id,
  name,
  group_type: type,
});

/** A group in full. An end user's group has no such answer: see `visibleGroup`. */
export async function groupResponse(
  directory: Directory,
  group: Group,
  include: readonly Include[] = [],
): Promise<z.infer<typeof GroupResponse>> {
  const { id } = group;
  const included = <Value>(name: Include, load: () => Promise<Value>) =>
    include.includes(name) ? load() : null;
  const [path, memberCount, nestedGroupCount, effectiveMemberCount, members, nested] = await Promise.all([
    groupPath(directory, id),
    countMembers(directory, id),
    nestedGroups.count(directory, id),
    included('effective_member_count', () => countEffectiveMembers(directory, id)),
    included('members', () => listAllMembers(directory, id)),
    included('nested_groups', () => nestedGroups.all(directory, id)),
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
    nested_groups: nested && nestedGroupInfos(nested),
    custom_attributes: group.customAttributes,
    created_at: group.createdAt.toISOString(),
    updated_at: group.updatedAt.toISOString(),
  };
}

/** The full representation of a group on the admin endpoints, with its tenant. */
export async function adminGroupResponse(
  directory: Directory,
  group: Group,
): Promise<z.infer<typeof AdminGroupResponse>> {
  return { ...(await groupResponse(directory, group)), tenant_id: group.tenantId };
}

/** Groups of a list, in its order; for an end user each as `visibleGroup`. */
export const groupListItems = (
  groups: readonly (Group | VisibleGroupRow)[],
): z.infer<typeof GroupListItem>[] =>
  groups.map((group) =>
    isVisibleGroup(group)
      ? visibleGroup(group)
      : {
          id: group.id,
          name: group.name,
          group_type: group.type,
          member_count: group.memberCount,
          parent_group_id: group.parentGroupId,
        },
  );

/** Groups of a list, as the admin endpoints show them. */
export const adminGroupListItems = (
  groups: readonly (Group | VisibleGroupRow)[],
): z.infer<typeof AdminGroupListItem>[] =>
  groupListItems(groups).map((item, index) => ({ ...item, tenant_id: groups[index]!.tenantId }));

/** Groups at the other end of a nesting, in the list's order. */
export const nestedGroupInfos = (
  groups: readonly (Group | GroupSummary)[],
): z.infer<typeof NestedGroupInfo>[] =>
  groups.map(({ id, name, memberCount }) => ({ group_id: id, name, member_count: memberCount }));

/** A direct or effective member of a group. */
export const memberInfo = ({ userId, email, displayName, membershipType }: MemberRow) =>
  ({
    user_id: userId,
    email,
    display_name: displayName,
    membership_type: membershipType,
  }) satisfies z.infer<typeof GroupMemberInfo>;
