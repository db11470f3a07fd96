// Several changes in one call: what they would do, and their application if they still would.

import {
  applyChanges,
  type PreviewedChanges,
  previewChanges,
} from '../../domain/commands/preview-changes.ts';
import type { ChangeInput as Change } from '../../model/change-inputs.ts';
import { MAX_CHANGES } from '../../model/change-inputs.ts';
import { builder } from './builder.ts';
import { ChangeEffectsType } from './change-effects.ts';
import { DeleteGroupInput, RestoreGroupInput } from './deletion.ts';
import { typedErrors } from './error-types.ts';
import { CreateGroupInput, UpdateGroupInput } from './groups.ts';
import {
  AddGroupMembersInput,
  RemoveGroupMembersInput,
  SetGroupMembersInput,
  UpdateGroupMembersInput,
} from './member-mutations.ts';
import { AddNestedGroupsInput, RemoveNestedGroupInput } from './nesting.ts';
import { positionField } from './position.ts';
import { EraseUsersInput, RemoveUsersInput, UpsertUsersInput } from './users.ts';

const ChangeInput = builder.inputType('ChangeInput', {
  description: 'One change: the input of one mutation.',
  isOneOf: true,
  fields: (t) => ({
    createGroup: t.field({ type: CreateGroupInput, description: 'Creates a group.' }),
    updateGroup: t.field({ type: UpdateGroupInput, description: 'Updates a group.' }),
    deleteGroup: t.field({ type: DeleteGroupInput, description: 'Deletes a group.' }),
    restoreGroup: t.field({ type: RestoreGroupInput, description: 'Restores a deleted group.' }),
    addGroupMembers: t.field({ type: AddGroupMembersInput, description: 'Adds direct members to a group.' }),
    removeGroupMembers: t.field({
      type: RemoveGroupMembersInput,
      description: 'Removes direct members of a group.',
    }),
    updateGroupMembers: t.field({
      type: UpdateGroupMembersInput,
      description: 'Adds and removes direct members of a group.',
    }),
    setGroupMembers: t.field({
      type: SetGroupMembersInput,
      description: 'Sets the direct members of a group.',
    }),
    addNestedGroups: t.field({ type: AddNestedGroupsInput, description: 'Nests groups in a group.' }),
    removeNestedGroup: t.field({ type: RemoveNestedGroupInput, description: 'Removes a nesting.' }),
    upsertUsers: t.field({ type: UpsertUsersInput, description: 'Creates or updates users.' }),
    removeUsers: t.field({ type: RemoveUsersInput, description: 'Removes users.' }),
    eraseUsers: t.field({ type: EraseUsersInput, description: 'Erases personal data of users.' }),
  }),
});

const ApplyChangesInput = builder.inputType('ApplyChangesInput', {
  description: 'Input of `applyChanges`.',
  fields: (t) => ({
    changes: t.field({
      type: [ChangeInput],
      required: true,
      description: `The changes, of one tenant and in their order; at most ${MAX_CHANGES}.`,
    }),
    previewHash: t.string({ required: true, description: 'The `hash` of the preview of these changes.' }),
  }),
});

const hashField = {
  nullable: false as const,
  description: 'Hash of the changes and of all of their effects, for `previewHash`.',
};

export const ChangePreview = builder.objectRef<PreviewedChanges>('ChangePreview').implement({
  description: 'What changes would do. Nothing was changed.',
  fields: (t) => ({
    hash: t.exposeString('hash', hashField),
    position: t.expose('position', {
      type: 'Position',
      nullable: false,
      description: "The position of the tenant's log that the changes were tried on.",
    }),
    effects: t.field({
      type: ChangeEffectsType,
      nullable: false,
      description: 'The effects that the changes would have.',
      resolve: (preview) => preview,
    }),
  }),
});

const ApplyChangesPayload = builder.objectRef<PreviewedChanges>('ApplyChangesPayload').implement({
  description: 'Result of `applyChanges`.',
  fields: (t) => ({
    position: t.field(positionField),
    hash: t.exposeString('hash', hashField),
    effects: t.field({
      type: ChangeEffectsType,
      nullable: false,
      description: 'The effects of the changes, with the ids of the groups that were created.',
      resolve: (applied) => applied,
    }),
  }),
});

/** Cost of running changes, whatever is selected: few previews fit in one operation, and only one of a hundred changes. */
const BASE_COST = 1_000;
const COST_PER_CHANGE = 50;
export const costOf = (changes: readonly unknown[]) => ({
  field: BASE_COST + COST_PER_CHANGE * changes.length,
  multiplier: Math.max(1, changes.length),
});

builder.queryField('previewChanges', (t) =>
  t.field({
    type: ChangePreview,
    description:
      'What the changes would do, without doing it. Other changes of the tenant wait meanwhile, for at most a second.',
    args: {
      changes: t.arg({
        type: [ChangeInput],
        required: true,
        description: `The changes, of one tenant and in their order; at most ${MAX_CHANGES}.`,
      }),
    },
    complexity: ({ changes }) => costOf(changes),
    resolve: (_root, { changes }, { directory }) => previewChanges(directory, changes as Change[]),
  }),
);

builder.mutationField('applyChanges', (t) =>
  t.field({
    type: ApplyChangesPayload,
    description:
      'Makes the changes of a preview, all or none, at one position of the log. Refused if they would do anything else by now.',
    args: {
      input: t.arg({
        type: ApplyChangesInput,
        required: true,
        description: 'The changes and their preview.',
      }),
    },
    complexity: ({ input }) => costOf(input.changes),
    errors: typedErrors('applyChanges', [
      'VALIDATION_FAILED',
      'NOT_FOUND',
      'OTHER_TENANT',
      'NAME_TAKEN',
      'GROUP_NOT_EMPTY',
      'CYCLE',
      'UNKNOWN_USERS',
      'VERSION_CONFLICT',
      'PREVIEW_STALE',
      'LIMIT_EXCEEDED',
    ]),
    resolve: (_root, { input: { changes, previewHash } }, { directory }) =>
      applyChanges(directory, { changes: changes as Change[], previewHash }),
  }),
);
