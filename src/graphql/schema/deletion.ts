// Deleting a group, which always says what becomes of its children, and restoring it.

import { deleteGroup } from '../../domain/commands/delete-group.ts';
import type { NotRestored, NotRestoredKind } from '../../domain/commands/restoration.ts';
import { type Restored, restoreGroup } from '../../domain/commands/restore-group.ts';
import { findGroup } from '../../domain/queries/groups.ts';
import type { Group as GroupRow } from '../../domain/rows/groups.ts';
import { DELETE_STRATEGIES } from '../../model/groups.ts';
import { builder } from './builder.ts';
import { enumValues } from './enums.ts';
import { typedErrors } from './error-types.ts';
import { Group } from './groups.ts';

const DeleteStrategy = builder.enumType('DeleteStrategy', {
  description: 'What becomes of the children and nested groups of a deleted group.',
  values: enumValues(DELETE_STRATEGIES, {
    BLOCK: 'Refuse, if the group has direct members, children or nested groups.',
    ORPHAN:
      "Children move up to the group's parent; nested groups are nested in every group it was nested in, so that nobody who counted through it is lost.",
    CASCADE: 'The whole hierarchy below is deleted too. Groups that are only nested in it survive.',
  }),
});

const DeleteGroupInput = builder.inputType('DeleteGroupInput', {
  description: 'Input of `deleteGroup`.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The group to delete.' }),
    strategy: t.field({
      type: DeleteStrategy,
      defaultValue: 'BLOCK',
      description: 'What becomes of its children and nested groups.',
    }),
    expectedVersion: t.int({ description: 'Refuse the deletion if the group is not at this version.' }),
  }),
});

type Deleted = {
  deletedGroupIds: string[];
  parentGroupId: string | null;
  movedGroups: GroupRow[];
  removedMembershipCount: number;
};
const DeleteGroupPayload = builder.objectRef<Deleted>('DeleteGroupPayload').implement({
  description: 'What `deleteGroup` did.',
  fields: (t) => ({
    deletedGroupIds: t.exposeIDList('deletedGroupIds', {
      nullable: false,
      description: 'Ids of the group and, under `CASCADE`, of all below it.',
    }),
    parent: t.field({
      description: 'The group that it was filed under; null if it was a root.',
      type: Group,
      resolve: ({ parentGroupId }, _args, { directory }) =>
        parentGroupId === null ? null : findGroup(directory, parentGroupId),
    }),
    movedGroups: t.field({
      description: 'The children that moved up, under `ORPHAN`.',
      type: [Group],
      nullable: false,
      resolve: ({ movedGroups }) => movedGroups,
    }),
    removedMembershipCount: t.exposeInt('removedMembershipCount', {
      nullable: false,
      description: 'Direct memberships that ended.',
    }),
  }),
});

const RestoreGroupInput = builder.inputType('RestoreGroupInput', {
  description: 'Input of `restoreGroup`.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The deleted group.' }),
    includeDescendants: t.boolean({
      defaultValue: false,
      description: 'Whether to restore also what was deleted below it in the same deletion.',
    }),
  }),
});

const NOT_RESTORED_KINDS: readonly NotRestoredKind[] = ['PARENT', 'CHILD', 'MEMBERSHIP', 'NESTING'];

const NotRestoredType = builder.objectRef<NotRestored>('NotRestored').implement({
  description: 'Something that could not be restored.',
  fields: (t) => ({
    kind: t.field({
      description: 'What it is.',
      type: builder.enumType('NotRestoredKind', {
        description: 'What could not be restored.',
        values: enumValues(NOT_RESTORED_KINDS, {
          PARENT: 'The place in the hierarchy: the group is a root now.',
          CHILD: 'A child that is filed elsewhere since the deletion, or deleted: it stays as it is.',
          MEMBERSHIP: 'A direct membership.',
          NESTING: 'A nesting, at either end.',
        }),
      }),
      nullable: false,
      resolve: ({ kind }) => kind,
    }),
    objectId: t.exposeID('id', {
      nullable: false,
      description: 'Id of the parent, of the child, of the user, or of the group at the other end.',
    }),
    reason: t.exposeString('reason', { nullable: false, description: 'Why it could not come back.' }),
  }),
});

const RestoreGroupPayload = builder.objectRef<Restored>('RestoreGroupPayload').implement({
  description: 'What `restoreGroup` did.',
  fields: (t) => ({
    group: t.field({
      description: 'The group as it is now.',
      type: Group,
      nullable: false,
      resolve: ({ group }) => group,
    }),
    restoredGroupIds: t.exposeIDList('restoredGroupIds', {
      nullable: false,
      description: 'Ids of all groups that are back.',
    }),
    notRestored: t.field({
      description: 'What could not come back, and why.',
      type: [NotRestoredType],
      nullable: false,
      resolve: ({ notRestored }) => notRestored,
    }),
  }),
});

builder.mutationFields((t) => ({
  deleteGroup: t.field({
    description: 'Deletes a group. It can be restored for 30 days.',
    type: DeleteGroupPayload,
    args: {
      input: t.arg({ type: DeleteGroupInput, required: true, description: 'What to delete, and how.' }),
    },
    errors: typedErrors('deleteGroup', [
      'VALIDATION_FAILED',
      'NOT_FOUND',
      'GROUP_NOT_EMPTY',
      'NAME_TAKEN',
      'VERSION_CONFLICT',
    ]),
    resolve: (_root, { input }, { directory }) => deleteGroup(directory, input),
  }),
  restoreGroup: t.field({
    description:
      'Brings a deleted group back, with each membership and nesting whose other end is still there, and undoes what `ORPHAN` did in its place: children come back and nestings end, unless somebody has moved or asked for them since.',
    type: RestoreGroupPayload,
    args: { input: t.arg({ type: RestoreGroupInput, required: true, description: 'What to restore.' }) },
    errors: typedErrors('restoreGroup', ['VALIDATION_FAILED', 'NOT_FOUND', 'NAME_TAKEN']),
    resolve: (_root, { input }, { directory }) => restoreGroup(directory, input),
  }),
}));
