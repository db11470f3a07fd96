// Direct and effective members: the inputs of the operations that list and change them.
import { z } from 'zod';
import { groupId, userId } from './ids.ts';
import { USER_ORDER_FIELDS } from './users.ts';

export const MEMBERSHIP_TYPES = ['DIRECT', 'INHERITED'] as const;
export type MembershipType = (typeof MEMBERSHIP_TYPES)[number];

export const MEMBER_ORDER_FIELDS = [...USER_ORDER_FIELDS, 'ADDED_AT'] as const;
export type MemberOrderField = (typeof MEMBER_ORDER_FIELDS)[number];

/** Input of addGroupMembers and removeGroupMembers. */
export const groupMembersInput = z.object({ groupId, userIds: z.array(userId) });
export type GroupMembersInput = z.input<typeof groupMembersInput>;

/** Maximum users of setGroupMembers: a whole group in one call, as syncs send it. */
export const MAX_SET_MEMBERS = 10_000;

/** Input of setGroupMembers. */
export const setGroupMembersInput = z.object({
  groupId,
  userIds: z.array(userId),
  /** A position of the tenant's log. */
  expectedPosition: z.int().min(0).nullish(),
});
export type SetGroupMembersInput = z.input<typeof setGroupMembersInput>;

/** Input of updateGroupMembers; a user in both lists is refused. */
export const updateGroupMembersInput = z
  .object({
    groupId,
    usersToAdd: z.array(userId).nullish(),
    usersToRemove: z.array(userId).nullish(),
  })
  .refine(
    ({ usersToAdd, usersToRemove }) => {
      const added = new Set(usersToAdd);
      return !usersToRemove?.some((id) => added.has(id));
    },
    { path: ['usersToRemove'], message: 'must not name a user that usersToAdd names' },
  );
export type UpdateGroupMembersInput = z.input<typeof updateGroupMembersInput>;
