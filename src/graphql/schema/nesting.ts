// Nesting: whose members count. Members of the nested group are effective members of the group it is nested in.

import { addNestedGroups, removeNestedGroup } from '../../domain/commands/nest-groups.ts';
import { findGroups } from '../../domain/queries/groups.ts';
import {
  countNestedGroups,
  countParentGroups,
  listNestedGroups,
  listParentGroups,
} from '../../domain/queries/nesting.ts';
import type { Group as GroupRow } from '../../domain/rows/groups.ts';
import { MAX_CHILDREN_PER_CALL } from '../../model/nesting.ts';
import { builder } from './builder.ts';
import { connectionCost } from './complexity.ts';
import { connection, groupProjection } from './connections.ts';
import { typedErrors } from './error-types.ts';
import { Group, GroupConnection } from './groups.ts';

builder.prismaObjectFields(Group, (t) => ({
  nestedGroups: t.connection(
    {
      description: 'The groups nested directly in it, ordered by name.',
      type: Group,
      complexity: connectionCost,
      resolve: ({ id }, page, { directory }, info) =>
        connection(page, info, {
          list: (page) => listNestedGroups(directory, id, { page, projection: groupProjection(info) }),
          count: () => countNestedGroups(directory, id),
        }),
    },
    GroupConnection,
  ),
  nestedGroupCount: t.int({
    description: 'Number of groups nested directly in it.',
    resolve: ({ id, nestedGroupCount }, _args, { directory }) =>
      nestedGroupCount ?? countNestedGroups(directory, id),
  }),
  parentGroups: t.connection(
    {
      description:
        'The groups that it is nested directly in, ordered by name. Not its place in the hierarchy.',
      type: Group,
      complexity: connectionCost,
      resolve: ({ id }, page, { directory }, info) =>
        connection(page, info, {
          list: (page) => listParentGroups(directory, id, { page, projection: groupProjection(info) }),
          count: () => countParentGroups(directory, id),
        }),
    },
    GroupConnection,
  ),
}));

const AddNestedGroupsInput = builder.inputType('AddNestedGroupsInput', {
  description: 'Input of `addNestedGroups`.',
  fields: (t) => ({
    groupId: t.id({ required: true, description: 'The group to nest in.' }),
    childGroupIds: t.idList({ required: true, description: 'The groups to nest in it; at most 100.' }),
  }),
});

type Nested = { group: GroupRow; added: string[]; unchanged: string[] };
const AddNestedGroupsPayload = builder.objectRef<Nested>('AddNestedGroupsPayload').implement({
  description: 'What `addNestedGroups` did.',
  fields: (t) => ({
    group: t.field({
      description: 'The group that others were nested in.',
      type: Group,
      nullable: false,
      resolve: ({ group }) => group,
    }),
    added: t.exposeIDList('added', {
      nullable: false,
      description: 'Ids of the groups that are newly nested.',
    }),
    unchanged: t.exposeIDList('unchanged', {
      nullable: false,
      description: 'Ids of the groups that were nested already.',
    }),
    childGroups: t.field({
      description: 'The groups that are newly nested.',
      type: [Group],
      nullable: { list: false, items: true },
      complexity: { field: MAX_CHILDREN_PER_CALL, multiplier: MAX_CHILDREN_PER_CALL },
      resolve: ({ added }, _args, { directory }) => findGroups(directory, added),
    }),
  }),
});

const RemoveNestedGroupInput = builder.inputType('RemoveNestedGroupInput', {
  description: 'Input of `removeNestedGroup`.',
  fields: (t) => ({
    groupId: t.id({ required: true, description: 'The group that the other is nested in.' }),
    childGroupId: t.id({ required: true, description: 'The nested group.' }),
  }),
});

type Unnested = { group: GroupRow; childGroup: GroupRow };
const RemoveNestedGroupPayload = builder.objectRef<Unnested>('RemoveNestedGroupPayload').implement({
  description: 'What `removeNestedGroup` did.',
  fields: (t) => ({
    group: t.field({
      description: 'The group that the other was nested in.',
      type: Group,
      nullable: false,
      resolve: ({ group }) => group,
    }),
    childGroup: t.field({
      description: 'The group that was nested.',
      type: Group,
      nullable: false,
      resolve: ({ childGroup }) => childGroup,
    }),
  }),
});

builder.mutationFields((t) => ({
  addNestedGroups: t.field({
    description: 'Nests groups in a group, so that their members count as its own. All or none.',
    type: AddNestedGroupsPayload,
    args: {
      input: t.arg({ type: AddNestedGroupsInput, required: true, description: 'What to nest where.' }),
    },
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
    description: 'Ends a nesting. `NotFoundError` names the nested group if there is no such nesting.',
    type: RemoveNestedGroupPayload,
    args: {
      input: t.arg({ type: RemoveNestedGroupInput, required: true, description: 'What to take out.' }),
    },
    errors: typedErrors('removeNestedGroup', ['VALIDATION_FAILED', 'NOT_FOUND']),
    resolve: (_root, { input }, { directory }) => removeNestedGroup(directory, input),
  }),
}));
