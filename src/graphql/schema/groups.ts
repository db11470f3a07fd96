// The type Group: its own fields, the queries for groups, and the mutations that create and update them.

import { type Created, createGroup } from '../../domain/commands/create-group.ts';
import { type Updated, updateGroup } from '../../domain/commands/update-group.ts';
import { mayChange } from '../../domain/directory.ts';
import { countGroups, findGroup, listGroups } from '../../domain/queries/groups.ts';
import { findTenant } from '../../domain/queries/tenants.ts';
import { refuse } from '../../model/errors.ts';
import type {
  GroupFilter as GroupConditions,
  UpdateGroupInput as UpdateGroupFields,
} from '../../model/groups.ts';
import { builder, exposedId } from './builder.ts';
import { connectionCost } from './complexity.ts';
import { connection, groupProjection } from './connections.ts';
import { typedErrors } from './error-types.ts';
import { GroupType, groupListArgs } from './group-inputs.ts';
import { positionField } from './position.ts';
import { Tenant } from './tenants.ts';

/** One right for all of them, so far. */
const permission = (description: string) => ({
  nullable: false as const,
  description,
  resolve: (mayChange: boolean) => mayChange,
});

const GroupPermissions = builder.objectRef<boolean>('GroupPermissions').implement({
  description: 'What the caller may do to a group.',
  fields: (t) => ({
    update: t.boolean(permission('Whether you may change its fields and its place in the hierarchy.')),
    delete: t.boolean(permission('Whether you may delete it, and restore it.')),
    changeMembers: t.boolean(permission('Whether you may add and remove direct members.')),
    changeNesting: t.boolean(permission('Whether you may nest groups in it, and end that.')),
  }),
});

export const Group = builder.prismaObject('Group', {
  description:
    'A group of users. An end user sees the id, name and type of their groups (as effective member); other fields are null.',
  findUnique: null,
  directives: { key: { fields: 'id' } },
  fields: (t) => ({
    name: t.exposeString('name', {
      nullable: false,
      description: 'Name, unique among siblings, ignoring case.',
    }),
    type: t.expose('type', {
      description: 'Purpose of the group. Cannot be changed after creation.',
      type: GroupType,
      nullable: false,
    }),
    description: t.exposeString('description', { description: 'Description of the group.' }),
    customAttributes: t.expose('customAttributes', {
      description: 'Custom attributes of the group, a JSON object.',
      type: 'JSONObject',
    }),
    version: t.exposeInt('version', {
      description:
        'Version of the group, for `expectedVersion`. Increases with each change of the group itself, but not of its members.',
    }),
    createdAt: t.expose('createdAt', { description: 'When the group was created.', type: 'DateTime' }),
    updatedAt: t.expose('updatedAt', {
      description: 'When the group itself was last changed, not counting members.',
      type: 'DateTime',
    }),
    viewerCan: t.field({
      description: 'What you may do to the group.',
      type: GroupPermissions,
      nullable: false,
      resolve: (_group, _args, { directory }) => mayChange(directory),
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
    description: 'The group with this id; null if it does not exist or you cannot see it.',
    type: Group,
    args: { id: t.arg.id({ required: true, description: 'Id of the group.' }) },
    resolve: (_root, { id }, { directory }) => findGroup(directory, id),
  }),
  groups: t.connection(
    {
      description: 'The groups that you can see.',
      type: Group,
      args: groupListArgs,
      complexity: connectionCost,
      resolve: (_root, { filter, orderBy, ...page }, { directory }, info) =>
        connection(page, info, {
          list: (page) => listGroups(directory, { filter, orderBy, projection: groupProjection(info), page }),
          count: () => countGroups(directory, { filter, orderBy }),
        }),
    },
    GroupConnection,
  ),
}));

/** The filter of a list of one tenant's groups. Refused with VALIDATION_FAILED: one that names another tenant. */
export function filterOfTenant(
  tenantId: string,
  filter: GroupConditions | null | undefined,
): GroupConditions {
  if (filter?.tenantId == null || filter.tenantId === tenantId) return { ...filter, tenantId };
  throw refuse.validation([
    { path: ['filter', 'tenantId'], message: 'must be omitted or the id of the tenant' },
  ]);
}

builder.prismaObjectField(Tenant, 'groups', (t) =>
  t.connection(
    {
      description: 'The groups of the tenant.',
      type: Group,
      args: groupListArgs,
      complexity: connectionCost,
      resolve: ({ id }, { filter, orderBy, ...page }, { directory }, info) => {
        const ofTenant = filterOfTenant(id, filter);
        return connection(page, info, {
          list: (page) =>
            listGroups(directory, {
              filter: ofTenant,
              orderBy,
              projection: groupProjection(info),
              page,
            }),
          count: () => countGroups(directory, { filter: ofTenant, orderBy }),
        });
      },
    },
    GroupConnection,
  ),
);

export const CreateGroupInput = builder.inputType('CreateGroupInput', {
  description: 'Input of `createGroup`.',
  fields: (t) => ({
    tenantId: t.id({ required: true, description: 'The tenant that the group belongs to.' }),
    name: t.string({
      required: true,
      description: 'Name: 1 to 255 characters, unique among siblings, ignoring case.',
    }),
    description: t.string({ description: 'Description, at most 4,096 characters.' }),
    type: t.field({ type: GroupType, description: 'Purpose of the group. The default is `SECURITY`.' }),
    parentGroupId: t.id({
      description: 'The parent in the hierarchy. The group is a root if this is omitted.',
    }),
    initialMemberIds: t.idList({
      description: 'Users of the tenant to add as direct members; at most 1,000.',
    }),
    customAttributes: t.field({
      type: 'JSONObject',
      description:
        'Custom attributes: a JSON object of at most 16 KiB and 8 levels, with numbers in double precision.',
    }),
  }),
});

export const UpdateGroupInput = builder.inputType('UpdateGroupInput', {
  description: 'Input of `updateGroup`. Omitted fields are left unchanged; null clears a field.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The group to change.' }),
    name: t.string({ description: 'New name. It cannot be null.' }),
    description: t.string({ description: 'New description; null clears it.' }),
    parentGroupId: t.id({ description: 'The new parent in the hierarchy; null makes the group a root.' }),
    customAttributes: t.field({
      type: 'JSONObject',
      description: 'New custom attributes, which replace all old ones; null clears them.',
    }),
    expectedVersion: t.int({ description: 'Refuse the change if the group has another version.' }),
  }),
});

const CreateGroupPayload = builder.objectRef<Created>('CreateGroupPayload').implement({
  description: 'Result of `createGroup`.',
  fields: (t) => ({
    position: t.field(positionField),
    group: t.field({
      description: 'The new group.',
      type: Group,
      nullable: false,
      resolve: ({ group }) => group,
    }),
  }),
});

const UpdateGroupPayload = builder.objectRef<Updated>('UpdateGroupPayload').implement({
  description: 'Result of `updateGroup`.',
  fields: (t) => ({
    position: t.field(positionField),
    group: t.field({
      description: 'The group after the change.',
      type: Group,
      nullable: false,
      resolve: ({ group }) => group,
    }),
    previousParent: t.field({
      description: 'The former parent; null if the group was a root or was not moved.',
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
    description: 'Updates a group: its name, description, custom attributes or parent.',
    type: UpdateGroupPayload,
    args: {
      input: t.arg({ type: UpdateGroupInput, required: true, description: 'The group and its changes.' }),
    },
    errors: typedErrors('updateGroup', [
      'VALIDATION_FAILED',
      'NOT_FOUND',
      'OTHER_TENANT',
      'NAME_TAKEN',
      'CYCLE',
      'VERSION_CONFLICT',
      'LIMIT_EXCEEDED',
    ]),
    // GraphQL has no type for a name that can be omitted but not null: the domain refuses null.
    resolve: (_root, { input }, { directory }) => updateGroup(directory, input as UpdateGroupFields),
  }),
}));
