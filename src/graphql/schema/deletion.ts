// The mutations that delete and restore groups.

import { type Deleted, deleteGroup } from '../../domain/commands/delete-group.ts';
import { type Restored, restoreGroup } from '../../domain/commands/restore-group.ts';
import type { NotRestored, NotRestoredKind } from '../../domain/commands/restore-hierarchy.ts';
import { findGroup } from '../../domain/queries/groups.ts';
import { DELETE_STRATEGIES } from '../../model/groups.ts';
import { builder } from './builder.ts';
import { enumValues } from './enums.ts';
import { typedErrors } from './error-types.ts';
import { Group } from './groups.ts';
import { positionField } from './position.ts';

export const DeleteStrategy = builder.enumType('DeleteStrategy', {
  description: 'What happens to the children and nested groups of a deleted group.',
  values: enumValues(DELETE_STRATEGIES, {
    BLOCK: 'Refuse to delete a group that has direct members, children or nested groups.',
    ORPHAN:
      'Move children to the parent of the group, and nest its nested groups in each group that it was nested in.',
    CASCADE: 'Delete all descendants in the hierarchy too, but not groups that are only nested in them.',
  }),
});

export const DeleteGroupInput = builder.inputType('DeleteGroupInput', {
  description: 'Input of `deleteGroup`.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The group to delete.' }),
    strategy: t.field({
      type: DeleteStrategy,
      defaultValue: 'BLOCK',
      description: 'What happens to its children and nested groups.',
    }),
    expectedVersion: t.int({ description: 'Refuse the deletion if the group has another version.' }),
  }),
});

const DeleteGroupPayload = builder.objectRef<Deleted>('DeleteGroupPayload').implement({
  description: 'Result of `deleteGroup`.',
  fields: (t) => ({
    position: t.field(positionField),
    deletedGroupIds: t.exposeIDList('deletedGroupIds', {
      nullable: false,
      description: 'Ids of the group and, with `CASCADE`, of its descendants.',
    }),
    parent: t.field({
      description: 'The former parent of the group; null if it was a root.',
      type: Group,
      resolve: ({ parentGroupId }, _args, { directory }) =>
        parentGroupId === null ? null : findGroup(directory, parentGroupId),
    }),
    movedGroups: t.field({
      description: 'The children that moved to the parent, with `ORPHAN`.',
      type: [Group],
      nullable: false,
      resolve: ({ movedGroups }) => movedGroups,
    }),
    removedMembershipCount: t.exposeInt('removedMembershipCount', {
      nullable: false,
      description: 'Number of direct memberships that ended.',
    }),
  }),
});

export const RestoreGroupInput = builder.inputType('RestoreGroupInput', {
  description: 'Input of `restoreGroup`.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The deleted group to restore.' }),
    includeDescendants: t.boolean({
      defaultValue: false,
      description: 'Whether to restore also the descendants that were deleted in the same deletion.',
    }),
  }),
});

const NOT_RESTORED_KINDS: readonly NotRestoredKind[] = ['PARENT', 'CHILD', 'MEMBERSHIP', 'NESTING'];

export const NotRestoredType = builder.objectRef<NotRestored>('NotRestored').implement({
  description: 'An object that could not be restored.',
  fields: (t) => ({
    kind: t.field({
      description: 'Kind of the object.',
      type: builder.enumType('NotRestoredKind', {
        description: 'Kinds of objects that cannot be restored.',
        values: enumValues(NOT_RESTORED_KINDS, {
          PARENT: 'The parent in the hierarchy: the group is a root now.',
          CHILD: 'A child that has since moved to another parent or been deleted: it is left unchanged.',
          MEMBERSHIP: 'A direct membership.',
          NESTING: 'A nesting of the group, or of another group in it.',
        }),
      }),
      nullable: false,
      resolve: ({ kind }) => kind,
    }),
    objectId: t.exposeID('id', {
      nullable: false,
      description: 'Id of the parent, the child, the user, or the other group of the nesting.',
    }),
    reason: t.exposeString('reason', { nullable: false, description: 'Why it could not be restored.' }),
  }),
});

const RestoreGroupPayload = builder.objectRef<Restored>('RestoreGroupPayload').implement({
  description: 'Result of `restoreGroup`.',
  fields: (t) => ({
    position: t.field(positionField),
    group: t.field({
      description: 'The group after the change.',
      type: Group,
      nullable: false,
      resolve: ({ group }) => group,
    }),
    restoredGroupIds: t.exposeIDList('restoredGroupIds', {
      nullable: false,
      description: 'Ids of all restored groups.',
    }),
    notRestored: t.field({
      description: 'What could not be restored, and why.',
      type: [NotRestoredType],
      nullable: false,
      resolve: ({ notRestored }) => notRestored,
    }),
  }),
});

/** What a restoration does to the changes that a deletion by ORPHAN made. */
const UNDOES_ORPHAN =
  'What `ORPHAN` moved returns unless it has been moved since; what it nested ends unless somebody has requested it since.';

builder.mutationFields((t) => ({
  deleteGroup: t.field({
    description: 'Deletes a group. It can be restored for 30 days.',
    type: DeleteGroupPayload,
    args: {
      input: t.arg({ type: DeleteGroupInput, required: true, description: 'The group and the strategy.' }),
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
    description: `Restores a deleted group with its memberships and nestings, where both ends still exist. ${UNDOES_ORPHAN}`,
    type: RestoreGroupPayload,
    args: { input: t.arg({ type: RestoreGroupInput, required: true, description: 'The group to restore.' }) },
    errors: typedErrors('restoreGroup', ['VALIDATION_FAILED', 'NOT_FOUND', 'NAME_TAKEN']),
    resolve: (_root, { input }, { directory }) => restoreGroup(directory, input),
  }),
}));
