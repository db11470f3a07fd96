// Groups themselves: reading one, listing them by filter, creating and updating.

import { createGroup } from '../../domain/commands/create-group.ts';
import { updateGroup } from '../../domain/commands/update-group.ts';
import { countGroups, findGroup, listGroups } from '../../domain/queries/groups.ts';
import { findTenant } from '../../domain/queries/tenants.ts';
import type { Group as GroupRow, GroupWithoutCounts } from '../../domain/rows/groups.ts';
import { refuse } from '../../model/errors.ts';
import type { UpdateGroupInput as UpdateGroupFields } from '../../model/groups.ts';
import { builder, exposedId } from './builder.ts';
import { connectionCost } from './complexity.ts';
import { connection, groupProjection } from './connections.ts';
import { typedErrors } from './error-types.ts';
import { GroupFilter, GroupOrder, GroupType } from './group-inputs.ts';
import { Tenant } from './tenants.ts';

export const Group = builder.prismaObject('Group', {
  description:
    'A group of users. A plain user sees the id, name and type of the groups it is an effective member of; all else is null to it.',
  findUnique: null,
  directives: { key: { fields: 'id' } },
  fields: (t) => ({
    name: t.exposeString('name', {
      nullable: false,
      description: 'Name, unique among live siblings, ignoring case.',
    }),
    type: t.expose('type', {
      description: 'What the group is for; fixed at creation.',
      type: GroupType,
      nullable: false,
    }),
    description: t.exposeString('description', { description: 'Free text about the group.' }),
    customAttributes: t.expose('customAttributes', {
      description: 'Free JSON object about the group.',
      type: 'JSONObject',
    }),
    version: t.exposeInt('version', {
      description:
        'Counts the changes of the group itself; pass it as `expectedVersion`. Members do not count.',
    }),
    createdAt: t.expose('createdAt', { description: 'When the group was created.', type: 'DateTime' }),
    updatedAt: t.expose('updatedAt', {
      description: 'When the group itself was last changed.',
      type: 'DateTime',
    }),
    tenant: t.field({
      description: 'The tenant that the group belongs to.',
      type: Tenant,
      resolve: ({ tenantId }, _args, { directory }) => findTenant(directory, tenantId),
    }),
  }),
});
builder.nodeRef(Group, { id: exposedId });

export const GroupConnection = builder.connectionObject(
  { type: Group, name: 'GroupConnection', description: 'A page of groups.' },
  { name: 'GroupEdge', description: 'A group at its position in the list.' },
);

builder.queryFields((t) => ({
  group: t.field({
    description: 'The group with this id; null if there is none that you can see.',
    type: Group,
    args: { id: t.arg.id({ required: true, description: 'Id of the group.' }) },
    resolve: (_root, { id }, { directory }) => findGroup(directory, id),
  }),
  groups: t.connection(
    {
      description: 'The groups that you can see.',
      type: Group,
      args: {
        filter: t.arg({ type: GroupFilter, description: 'Only groups that meet each condition.' }),
        orderBy: t.arg({ type: GroupOrder, description: 'By name, ascending, if not given.' }),
      },
      complexity: connectionCost,
      resolve: (_root, { filter, orderBy, ...page }, { directory }, info) =>
        connection(page, info, {
          list: (page) => listGroups(directory, { filter, orderBy, projection: groupProjection(info), page }),
          count: () => countGroups(directory, { filter }),
        }),
    },
    GroupConnection,
  ),
}));

builder.prismaObjectField(Tenant, 'groups', (t) =>
  t.connection(
    {
      description: 'The groups of the tenant.',
      type: Group,
      args: {
        filter: t.arg({ type: GroupFilter, description: 'Only groups that meet each condition.' }),
        orderBy: t.arg({ type: GroupOrder, description: 'By name, ascending, if not given.' }),
      },
      complexity: connectionCost,
      resolve: ({ id }, { filter, orderBy, ...page }, { directory }, info) => {
        if (filter?.tenantId != null && filter.tenantId !== id) {
          throw refuse.validation([
            { path: ['filter', 'tenantId'], message: 'must be absent or the tenant itself' },
          ]);
        }
        const ofTenant = { ...filter, tenantId: id };
        return connection(page, info, {
          list: (page) =>
            listGroups(directory, { filter: ofTenant, orderBy, projection: groupProjection(info), page }),
          count: () => countGroups(directory, { filter: ofTenant }),
        });
      },
    },
    GroupConnection,
  ),
);

const CreateGroupInput = builder.inputType('CreateGroupInput', {
  description: 'Input of `createGroup`.',
  fields: (t) => ({
    tenantId: t.id({ required: true, description: 'The tenant that the group belongs to.' }),
    name: t.string({ required: true, description: 'Name: 1 to 255 characters, unique among live siblings.' }),
    description: t.string({ description: 'Free text, at most 4,096 characters.' }),
    type: t.field({ type: GroupType, description: 'What the group is for; `SECURITY` if not given.' }),
    parentGroupId: t.id({ description: 'The group to file it under; a root if not given.' }),
    initialMemberIds: t.idList({
      description: 'Users of the tenant to add as direct members; at most 1,000.',
    }),
    customAttributes: t.field({
      type: 'JSONObject',
      description: 'Free JSON object: at most 16 KiB and 8 levels; its numbers in double precision.',
    }),
  }),
});

const UpdateGroupInput = builder.inputType('UpdateGroupInput', {
  description: 'Input of `updateGroup`. What is absent stays; what is null is cleared.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The group to change.' }),
    name: t.string({ description: 'New name; it cannot be cleared.' }),
    description: t.string({ description: 'New free text; null clears it.' }),
    parentGroupId: t.id({ description: 'The group to file it under; null makes it a root.' }),
    customAttributes: t.field({
      type: 'JSONObject',
      description: 'New free JSON object, replacing the old one whole; null clears it.',
    }),
    expectedVersion: t.int({ description: 'Refuse the change if the group is not at this version.' }),
  }),
});

const CreateGroupPayload = builder.objectRef<{ group: GroupWithoutCounts }>('CreateGroupPayload').implement({
  description: 'What `createGroup` did.',
  fields: (t) => ({
    group: t.field({
      description: 'The new group.',
      type: Group,
      nullable: false,
      resolve: ({ group }) => group,
    }),
  }),
});

type Updated = { group: GroupRow; previousParentId: string | null };
const UpdateGroupPayload = builder.objectRef<Updated>('UpdateGroupPayload').implement({
  description: 'What `updateGroup` did.',
  fields: (t) => ({
    group: t.field({
      description: 'The group as it is now.',
      type: Group,
      nullable: false,
      resolve: ({ group }) => group,
    }),
    previousParent: t.field({
      description: 'The group that it was filed under before; null if it was a root, or was not moved.',
      type: Group,
      resolve: ({ previousParentId }, _args, { directory }) =>
        previousParentId === null ? null : findGroup(directory, previousParentId),
    }),
  }),
});

builder.mutationFields((t) => ({
  createGroup: t.field({
    description: 'Creates a group.',
    type: CreateGroupPayload,
    args: { input: t.arg({ type: CreateGroupInput, required: true, description: 'The group to create.' }) },
    errors: typedErrors('createGroup', [
      'VALIDATION_FAILED',
      'NOT_FOUND',
      'OTHER_TENANT',
      'NAME_TAKEN',
      'UNKNOWN_USERS',
      'LIMIT_EXCEEDED',
    ]),
    resolve: (_root, { input }, { directory }) => createGroup(directory, input),
  }),
  updateGroup: t.field({
    description: 'Changes a group itself: its name, description, attributes, or where it is filed.',
    type: UpdateGroupPayload,
    args: { input: t.arg({ type: UpdateGroupInput, required: true, description: 'What to change.' }) },
    errors: typedErrors('updateGroup', [
      'VALIDATION_FAILED',
      'NOT_FOUND',
      'OTHER_TENANT',
      'NAME_TAKEN',
      'CYCLE',
      'VERSION_CONFLICT',
      'LIMIT_EXCEEDED',
    ]),
    // GraphQL cannot say "absent or text, but not null" of a name: the domain refuses the null.
    resolve: (_root, { input }, { directory }) => updateGroup(directory, input as UpdateGroupFields),
  }),
}));
