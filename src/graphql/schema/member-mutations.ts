// Adding and removing direct members of a group, in batches that apply whole or not at all.

import { addGroupMembers } from '../../domain/commands/add-members.ts';
import { removeGroupMembers, updateGroupMembers } from '../../domain/commands/change-members.ts';
import { findUsers } from '../../domain/queries/users.ts';
import type { GroupWithoutCounts } from '../../domain/rows/groups.ts';
import { MAX_PAGE_SIZE } from '../../model/page.ts';
import { builder } from './builder.ts';
import type { Context } from './context.ts';
import { typedErrors } from './error-types.ts';
import { Group } from './groups.ts';
import { User } from './users.ts';

const AddGroupMembersInput = builder.inputType('AddGroupMembersInput', {
  description: 'Input of `addGroupMembers`.',
  fields: (t) => ({
    groupId: t.id({ required: true, description: 'The group.' }),
    userIds: t.idList({ required: true, description: "Users of the group's tenant to add; at most 1,000." }),
  }),
});

const RemoveGroupMembersInput = builder.inputType('RemoveGroupMembersInput', {
  description: 'Input of `removeGroupMembers`.',
  fields: (t) => ({
    groupId: t.id({ required: true, description: 'The group.' }),
    userIds: t.idList({
      required: true,
      description: "Users of the group's tenant to remove; at most 1,000.",
    }),
  }),
});

const UpdateGroupMembersInput = builder.inputType('UpdateGroupMembersInput', {
  description: 'Input of `updateGroupMembers`. No user may stand in both lists.',
  fields: (t) => ({
    groupId: t.id({ required: true, description: 'The group.' }),
    usersToAdd: t.idList({ description: "Users of the group's tenant to add." }),
    usersToRemove: t.idList({ description: "Users of the group's tenant to remove." }),
  }),
});

type Added = { group: GroupWithoutCounts; added: string[]; unchanged: string[] };
type Removed = { group: GroupWithoutCounts; removed: string[]; unchanged: string[] };

/** The users whose own groups have changed: their ids alone would leave a client's cache behind. */
const changedUsers = {
  description: 'The users who were added or removed; of more than 100 the first 100.',
  type: [User] as [typeof User],
  nullable: { list: false, items: true } as const,
  complexity: { field: MAX_PAGE_SIZE, multiplier: MAX_PAGE_SIZE },
  resolve: (
    { added = [], removed = [] }: { added?: string[]; removed?: string[] },
    _args: object,
    { directory }: Context,
  ) => findUsers(directory, [...added, ...removed].slice(0, MAX_PAGE_SIZE)),
};

const UNCHANGED = 'Ids of the users for whom there was nothing to do.';

const AddGroupMembersPayload = builder.objectRef<Added>('AddGroupMembersPayload').implement({
  description: 'What `addGroupMembers` did.',
  fields: (t) => ({
    group: t.field({
      type: Group,
      nullable: false,
      description: 'The group.',
      resolve: ({ group }) => group,
    }),
    added: t.exposeIDList('added', { nullable: false, description: 'Ids of the users who are new members.' }),
    unchanged: t.exposeIDList('unchanged', { nullable: false, description: UNCHANGED }),
    users: t.field(changedUsers),
  }),
});

const RemoveGroupMembersPayload = builder.objectRef<Removed>('RemoveGroupMembersPayload').implement({
  description: 'What `removeGroupMembers` did.',
  fields: (t) => ({
    group: t.field({
      type: Group,
      nullable: false,
      description: 'The group.',
      resolve: ({ group }) => group,
    }),
    removed: t.exposeIDList('removed', {
      nullable: false,
      description: 'Ids of the users who are direct members no longer.',
    }),
    unchanged: t.exposeIDList('unchanged', { nullable: false, description: UNCHANGED }),
    users: t.field(changedUsers),
  }),
});

const UpdateGroupMembersPayload = builder.objectRef<Added & Removed>('UpdateGroupMembersPayload').implement({
  description: 'What `updateGroupMembers` did.',
  fields: (t) => ({
    group: t.field({
      type: Group,
      nullable: false,
      description: 'The group.',
      resolve: ({ group }) => group,
    }),
    added: t.exposeIDList('added', { nullable: false, description: 'Ids of the users who are new members.' }),
    removed: t.exposeIDList('removed', {
      nullable: false,
      description: 'Ids of the users who are direct members no longer.',
    }),
    unchanged: t.exposeIDList('unchanged', { nullable: false, description: UNCHANGED }),
    users: t.field(changedUsers),
  }),
});

const MEMBER_ERRORS = ['VALIDATION_FAILED', 'NOT_FOUND', 'UNKNOWN_USERS', 'LIMIT_EXCEEDED'] as const;

builder.mutationFields((t) => ({
  addGroupMembers: t.field({
    description: 'Makes users direct members of a group. All or none; who is one already stays one.',
    type: AddGroupMembersPayload,
    args: { input: t.arg({ type: AddGroupMembersInput, required: true, description: 'Whom to add where.' }) },
    errors: typedErrors('addGroupMembers', MEMBER_ERRORS),
    resolve: (_root, { input }, { directory }) => addGroupMembers(directory, input),
  }),
  removeGroupMembers: t.field({
    description: 'Ends direct memberships of a group. All or none; who is not a member stays none.',
    type: RemoveGroupMembersPayload,
    args: {
      input: t.arg({ type: RemoveGroupMembersInput, required: true, description: 'Whom to remove where.' }),
    },
    errors: typedErrors('removeGroupMembers', MEMBER_ERRORS),
    resolve: (_root, { input }, { directory }) => removeGroupMembers(directory, input),
  }),
  updateGroupMembers: t.field({
    description: 'Adds and removes direct members in one step. All or none.',
    type: UpdateGroupMembersPayload,
    args: {
      input: t.arg({ type: UpdateGroupMembersInput, required: true, description: 'Whom to add and remove.' }),
    },
    errors: typedErrors('updateGroupMembers', MEMBER_ERRORS),
    resolve: (_root, { input }, { directory }) => updateGroupMembers(directory, input),
  }),
}));
