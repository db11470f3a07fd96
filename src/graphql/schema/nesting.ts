// Nesting of groups: the members of a nested group are effective members of the groups in which it is nested.

import {
  addNestedGroups,
  type Nested,
  removeNestedGroup,
  type Unnested,
} from '../../domain/commands/nest-groups.ts';
import { findGroup } from '../../domain/queries/groups.ts';
import { nestedGroups, parentGroups } from '../../domain/queries/nesting.ts';
import { MAX_CHILDREN_PER_CALL } from '../../model/nesting.ts';
import { builder } from './builder.ts';
import { connectionCost, costOfNamed, namedListCost } from './complexity.ts';
import { connection, groupProjection } from './connections.ts';
import { typedErrors } from './error-types.ts';
import { groupListArgs } from './group-inputs.ts';
import { Group, GroupConnection } from './groups.ts';
import { positionField } from './position.ts';

builder.prismaObjectFields(Group, (t) => ({
  nestedGroups: t.connection(
    {
      description: 'The groups nested directly in this group, by name by default.',
      type: Group,
      args: groupListArgs,
      complexity: connectionCost,
      resolve: ({ id }, { filter, orderBy, ...page }, { directory }, info) => {
        const of = { filter, orderBy };
        return connection(page, info, {
          list: (page) =>
            nestedGroups.page(directory, id, { ...of, page, projection: groupProjection(info) }),
          count: () => nestedGroups.count(directory, id, of),
        });
      },
    },
    GroupConnection,
  ),
  nestedGroupCount: t.int({
    description: 'Number of groups nested directly in this group.',
    resolve: ({ id, nestedGroupCount }, _args, { directory }) =>
      nestedGroupCount ?? nestedGroups.count(directory, id),
  }),
  parentGroups: t.connection(
    {
      description:
        'The groups in which this group is nested directly, by name by default. Independent of `parent` in the hierarchy.',
      type: Group,
      args: groupListArgs,
      complexity: connectionCost,
      resolve: ({ id }, { filter, orderBy, ...page }, { directory }, info) => {
        const of = { filter, orderBy };
        return connection(page, info, {
          list: (page) =>
            parentGroups.page(directory, id, { ...of, page, projection: groupProjection(info) }),
          count: () => parentGroups.count(directory, id, of),
        });
      },
    },
    GroupConnection,
  ),
}));

export const AddNestedGroupsInput = builder.inputType('AddNestedGroupsInput', {
  description: 'Input of `addNestedGroups`.',
  fields: (t) => ({
    groupId: t.id({ required: true, description: 'The group in which to nest.' }),
    childGroupIds: t.idList({ required: true, description: 'The groups to nest; at most 100.' }),
  }),
});

const AddNestedGroupsPayload = builder.objectRef<Nested>('AddNestedGroupsPayload').implement({
  description: 'Result of `addNestedGroups`.',
  fields: (t) => ({
    position: t.field(positionField),
    group: t.field({
      description: 'The group in which groups were nested.',
      type: Group,
      nullable: false,
      resolve: ({ group }) => group,
    }),
    added: t.exposeIDList('added', {
      nullable: false,
      description: 'Ids of the groups that were nested.',
    }),
    unchanged: t.exposeIDList('unchanged', {
      nullable: false,
      description: 'Ids of the groups that were already nested.',
    }),
    childGroups: t.field({
      description: 'The groups that were nested.',
      type: [Group],
      nullable: { list: false, items: true },
      complexity: namedListCost(MAX_CHILDREN_PER_CALL),
      resolve: ({ added }, _args, { directory }) => added.map((id) => findGroup(directory, id)),
    }),
  }),
});

export const RemoveNestedGroupInput = builder.inputType('RemoveNestedGroupInput', {
  description: 'Input of `removeNestedGroup`.',
  fields: (t) => ({
    groupId: t.id({ required: true, description: 'The group in which the other is nested.' }),
    childGroupId: t.id({ required: true, description: 'The nested group.' }),
  }),
});

const RemoveNestedGroupPayload = builder.objectRef<Unnested>('RemoveNestedGroupPayload').implement({
  description: 'Result of `removeNestedGroup`.',
  fields: (t) => ({
    position: t.field(positionField),
    group: t.field({
      description: 'The group in which the other was nested.',
      type: Group,
      nullable: false,
      resolve: ({ group }) => group,
    }),
    childGroup: t.field({
      description: 'The group that is no longer nested.',
      type: Group,
      nullable: false,
      resolve: ({ childGroup }) => childGroup,
    }),
  }),
});

builder.mutationFields((t) => ({
  addNestedGroups: t.field({
    description: 'Nests all groups in a group, or none. Their members become effective members of the group.',
    type: AddNestedGroupsPayload,
    args: {
      input: t.arg({
        type: AddNestedGroupsInput,
        required: true,
        description: 'The group, and the groups to nest in it.',
      }),
    },
    complexity: costOfNamed(({ childGroupIds }: { childGroupIds: string[] }) => childGroupIds.length),
    errors: typedErrors('addNestedGroups', [
      'VALIDATION_FAILED',
      'NOT_FOUND',
      'OTHER_TENANT',
      'CYCLE',
      'LIMIT_EXCEEDED',
    ]),
    resolve: (_root, { input }, { directory }) => addNestedGroups(directory, input),
  }),
  removeNestedGroup: t.field({
    description:
      'Removes a nesting. If it does not exist, the error is a `NotFoundError` with the id of the nested group.',
    type: RemoveNestedGroupPayload,
    args: {
      input: t.arg({
        type: RemoveNestedGroupInput,
        required: true,
        description: 'The two groups of the nesting.',
      }),
    },
    errors: typedErrors('removeNestedGroup', ['VALIDATION_FAILED', 'NOT_FOUND']),
    resolve: (_root, { input }, { directory }) => removeNestedGroup(directory, input),
  }),
}));
