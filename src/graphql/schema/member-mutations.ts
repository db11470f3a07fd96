// The mutations that add and remove direct members of a group, all or none.

import { type Added, addGroupMembers } from '../../domain/commands/add-members.ts';
import {
  type Removed,
  removeGroupMembers,
  updateGroupMembers,
} from '../../domain/commands/change-members.ts';
import { type SetMembers, setGroupMembers } from '../../domain/commands/set-members.ts';
import type { Positioned } from '../../domain/directory.ts';
import { findUser } from '../../domain/queries/users.ts';
import { MAX_PAGE_SIZE } from '../../model/page.ts';
import { builder } from './builder.ts';
import { costOfNamed, namedListCost } from './complexity.ts';
import type { Context } from './context.ts';
import { typedErrors } from './error-types.ts';
import { Group } from './groups.ts';
import { positionField } from './position.ts';
import { User } from './users.ts';

export const AddGroupMembersInput = builder.inputType('AddGroupMembersInput', {
  description: 'Input of `addGroupMembers`.',
  fields: (t) => ({
    groupId: t.id({ required: true, description: 'The group.' }),
    userIds: t.idList({ required: true, description: "Users of the group's tenant to add; at most 1,000." }),
  }),
});

export const RemoveGroupMembersInput = builder.inputType('RemoveGroupMembersInput', {
  description: 'Input of `removeGroupMembers`.',
  fields: (t) => ({
    groupId: t.id({ required: true, description: 'The group.' }),
    userIds: t.idList({
      required: true,
      description: "Users of the group's tenant to remove; at most 1,000.",
    }),
  }),
});

export const UpdateGroupMembersInput = builder.inputType('UpdateGroupMembersInput', {
  description: 'Input of `updateGroupMembers`. A user must not be in both lists.',
  fields: (t) => ({
    groupId: t.id({ required: true, description: 'The group.' }),
    usersToAdd: t.idList({
      description: "Users of the group's tenant to add; at most 1,000 together with `usersToRemove`.",
    }),
    usersToRemove: t.idList({
      description: "Users of the group's tenant to remove; at most 1,000 together with `usersToAdd`.",
    }),
  }),
});

export const SetGroupMembersInput = builder.inputType('SetGroupMembersInput', {
  description: 'Input of `setGroupMembers`.',
  fields: (t) => ({
    groupId: t.id({ required: true, description: 'The group.' }),
    userIds: t.idList({
      required: true,
      description: "Users of the group's tenant who are to be all direct members; at most 10,000.",
    }),
    expectedPosition: t.field({
      type: 'Position',
      description:
        'Refuse the change if direct members have changed after this position: that of the answer they were read from.',
    }),
  }),
});

/** The users whose `groups` have changed, so that a client can update them in its cache. */
const changedUsers = {
  description: 'The users who were added or removed; at most the first 100.',
  type: [User] as [typeof User],
  nullable: { list: false, items: true } as const,
  complexity: namedListCost(MAX_PAGE_SIZE),
  resolve: (
    { added = [], removed = [] }: { added?: string[]; removed?: string[] },
    _args: object,
    { directory }: Context,
  ) => [...added, ...removed].slice(0, MAX_PAGE_SIZE).map((id) => findUser(directory, id)),
};

const UNCHANGED = 'Ids of the users whose membership was left unchanged.';

const AddGroupMembersPayload = builder.objectRef<Added & Positioned>('AddGroupMembersPayload').implement({
  description: 'Result of `addGroupMembers`.',
  fields: (t) => ({
    position: t.field(positionField),
    group: t.field({
      type: Group,
      nullable: false,
      description: 'The group.',
      resolve: ({ group }) => group,
    }),
    added: t.exposeIDList('added', { nullable: false, description: 'Ids of the users who were added.' }),
    unchanged: t.exposeIDList('unchanged', { nullable: false, description: UNCHANGED }),
    users: t.field(changedUsers),
  }),
});

const RemoveGroupMembersPayload = builder.objectRef<Removed>('RemoveGroupMembersPayload').implement({
  description: 'Result of `removeGroupMembers`.',
  fields: (t) => ({
    position: t.field(positionField),
    group: t.field({
      type: Group,
      nullable: false,
      description: 'The group.',
      resolve: ({ group }) => group,
    }),
    removed: t.exposeIDList('removed', {
      nullable: false,
      description: 'Ids of the users who were removed.',
    }),
    unchanged: t.exposeIDList('unchanged', { nullable: false, description: UNCHANGED }),
    users: t.field(changedUsers),
  }),
});

const UpdateGroupMembersPayload = builder.objectRef<Added & Removed>('UpdateGroupMembersPayload').implement({
  description: 'Result of `updateGroupMembers`.',
  fields: (t) => ({
    position: t.field(positionField),
    group: t.field({
      type: Group,
      nullable: false,
      description: 'The group.',
      resolve: ({ group }) => group,
    }),
    added: t.exposeIDList('added', { nullable: false, description: 'Ids of the users who were added.' }),
    removed: t.exposeIDList('removed', {
      nullable: false,
      description: 'Ids of the users who were removed.',
    }),
    unchanged: t.exposeIDList('unchanged', { nullable: false, description: UNCHANGED }),
    users: t.field(changedUsers),
  }),
});

const SetGroupMembersPayload = builder.objectRef<SetMembers>('SetGroupMembersPayload').implement({
  description: 'Result of `setGroupMembers`.',
  fields: (t) => ({
    position: t.field(positionField),
    group: t.field({
      type: Group,
      nullable: false,
      description: 'The group.',
      resolve: ({ group }) => group,
    }),
    added: t.exposeIDList('added', { nullable: false, description: 'Ids of the users who were added.' }),
    removed: t.exposeIDList('removed', {
      nullable: false,
      description: 'Ids of the users who were removed.',
    }),
    users: t.field(changedUsers),
  }),
});

type UpdateGroupMembersFields = {
  usersToAdd?: string[] | null | undefined;
  usersToRemove?: string[] | null | undefined;
};

const MEMBER_ERRORS = ['VALIDATION_FAILED', 'NOT_FOUND', 'UNKNOWN_USERS', 'LIMIT_EXCEEDED'] as const;

builder.mutationFields((t) => ({
  addGroupMembers: t.field({
    description:
      'Adds all users as direct members of a group, or none. Users who are already members are left unchanged.',
    type: AddGroupMembersPayload,
    args: {
      input: t.arg({
        type: AddGroupMembersInput,
        required: true,
        description: 'The group and the users to add.',
      }),
    },
    complexity: costOfNamed(({ userIds }: { userIds: string[] }) => userIds.length),
    errors: typedErrors('addGroupMembers', MEMBER_ERRORS),
    resolve: (_root, { input }, { directory }) => addGroupMembers(directory, input),
  }),
  removeGroupMembers: t.field({
    description:
      'Removes all users from the direct members of a group, or none. Users who are not members are left unchanged.',
    type: RemoveGroupMembersPayload,
    args: {
      input: t.arg({
        type: RemoveGroupMembersInput,
        required: true,
        description: 'The group and the users to remove.',
      }),
    },
    complexity: costOfNamed(({ userIds }: { userIds: string[] }) => userIds.length),
    errors: typedErrors('removeGroupMembers', MEMBER_ERRORS),
    resolve: (_root, { input }, { directory }) => removeGroupMembers(directory, input),
  }),
  updateGroupMembers: t.field({
    description: 'Adds and removes direct members of a group in one transaction, all or none.',
    type: UpdateGroupMembersPayload,
    args: {
      input: t.arg({
        type: UpdateGroupMembersInput,
        required: true,
        description: 'The group, and the users to add and to remove.',
      }),
    },
    complexity: costOfNamed(
      ({ usersToAdd, usersToRemove }: UpdateGroupMembersFields) =>
        (usersToAdd?.length ?? 0) + (usersToRemove?.length ?? 0),
    ),
    errors: typedErrors('updateGroupMembers', MEMBER_ERRORS),
    resolve: (_root, { input }, { directory }) => updateGroupMembers(directory, input),
  }),
  setGroupMembers: t.field({
    description:
      'Makes users the only direct members of a group, all or none: adds those who are missing and removes the others.',
    type: SetGroupMembersPayload,
    args: {
      input: t.arg({
        type: SetGroupMembersInput,
        required: true,
        description: 'The group, and who its direct members are to be.',
      }),
    },
    errors: typedErrors('setGroupMembers', [...MEMBER_ERRORS, 'VERSION_CONFLICT']),
    resolve: (_root, { input }, { directory }) => setGroupMembers(directory, input),
  }),
}));
