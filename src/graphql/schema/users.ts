// The type User, the queries for users, and the mutations that synchronize users with the identity provider.

import {
  type ErasedUsers,
  eraseUsers,
  type RemovedUsers,
  removeUsers,
} from '../../domain/commands/remove-users.ts';
import { type UpsertedUsers, upsertUsers } from '../../domain/commands/upsert-users.ts';
import { findTenant } from '../../domain/queries/tenants.ts';
import { countUsers, findUser, findUserByEmail, listUsers } from '../../domain/queries/users.ts';
import { USER_ORDER_FIELDS } from '../../model/users.ts';
import { builder, exposedId } from './builder.ts';
import { connectionCost } from './complexity.ts';
import { connection } from './connections.ts';
import { enumValues } from './enums.ts';
import { typedErrors } from './error-types.ts';
import { OrderDirection } from './group-inputs.ts';
import { positionField } from './position.ts';
import { Tenant } from './tenants.ts';

export const User = builder.prismaObject('User', {
  description: 'A person, mirrored from the identity provider.',
  findUnique: null,
  directives: { key: { fields: 'id' } },
  fields: (t) => ({
    email: t.exposeString('email', {
      nullable: false,
      directives: { shareable: {} },
      description: 'Email address.',
    }),
    displayName: t.exposeString('displayName', {
      directives: { shareable: {} },
      description: 'Display name of the user.',
    }),
    tenant: t.field({
      description: 'The tenant that the user belongs to.',
      type: Tenant,
      resolve: ({ tenantId }, _args, { directory }) => findTenant(directory, tenantId),
    }),
  }),
});
builder.nodeRef(User, { id: exposedId });

export const UserConnection = builder.connectionObject(
  { type: User, name: 'UserConnection', description: 'A page of users.' },
  { name: 'UserEdge', description: 'A user at its position in the list.' },
);

export const UserOrder = builder.inputType('UserOrder', {
  description: 'The order of a list of people. People with equal values are ordered by user id.',
  fields: (t) => ({
    field: t.field({
      type: builder.enumType('UserOrderField', {
        description: 'Fields by which people can be ordered.',
        values: enumValues(USER_ORDER_FIELDS, {
          USER_ID: 'By user id.',
          EMAIL: 'By email address, ignoring case.',
          DISPLAY_NAME: 'By display name, ignoring case; those without one by their email address.',
        }),
      }),
      required: true,
      description: 'The field to order by.',
    }),
    direction: t.field({
      type: OrderDirection,
      required: true,
      defaultValue: 'ASC',
      description: 'The direction of the order.',
    }),
  }),
});
export const PEOPLE_ORDER = 'Order of the people. The default is by user id, ascending.';
export const SEARCH_PEOPLE =
  'Words of the email address or display name, in any order, ignoring case and accents.';

/** The filters and the order of a list of users. */
export const userListArgs = builder.args((t) => ({
  search: t.string({ description: SEARCH_PEOPLE }),
  notInGroupId: t.id({
    description: 'Only users who are no direct members of this group: those who can be added to it.',
  }),
  orderBy: t.field({ type: UserOrder, description: PEOPLE_ORDER }),
}));

builder.queryField('user', (t) =>
  t.field({
    description: 'The user with this id; null if it does not exist or you cannot see it.',
    type: User,
    args: { id: t.arg.id({ required: true, description: 'Id of the user.' }) },
    resolve: (_root, { id }, { directory }) => findUser(directory, id),
  }),
);

builder.prismaObjectField(Tenant, 'users', (t) =>
  t.connection(
    {
      description: 'The users of the tenant, by id by default.',
      type: User,
      args: userListArgs,
      complexity: connectionCost,
      resolve: ({ id: tenantId }, { search, notInGroupId, orderBy, ...page }, { directory }, info) => {
        const filter = { tenantId, search, notInGroupId };
        return connection(page, info, {
          list: (page) => listUsers(directory, { ...filter, orderBy, page }),
          count: () => countUsers(directory, filter),
        });
      },
    },
    UserConnection,
  ),
);

builder.prismaObjectField(Tenant, 'userByEmail', (t) =>
  t.field({
    description:
      'The user of the tenant with this email address, ignoring case: the first by id if several have it. Null if none has.',
    type: User,
    args: { email: t.arg.string({ required: true, description: 'The whole email address.' }) },
    resolve: ({ id: tenantId }, { email }, { directory }) => findUserByEmail(directory, { tenantId, email }),
  }),
);

const UpsertUserInput = builder.inputType('UpsertUserInput', {
  description: 'A user of the identity provider.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'Id of the user, `usr_…`.' }),
    email: t.string({ required: true, description: 'Email address.' }),
    displayName: t.string({
      description: 'Display name of the user. Omitted, it is left unchanged; null clears it.',
    }),
  }),
});

export const UpsertUsersInput = builder.inputType('UpsertUsersInput', {
  description: 'Input of `upsertUsers`.',
  fields: (t) => ({
    tenantId: t.id({ required: true, description: 'The tenant that the users belong to.' }),
    users: t.field({
      type: [UpsertUserInput],
      required: true,
      description: 'The users to create or update; at most 1,000, without duplicates.',
    }),
  }),
});

const UpsertUsersPayload = builder.objectRef<UpsertedUsers>('UpsertUsersPayload').implement({
  description: 'Result of `upsertUsers`.',
  fields: (t) => ({
    position: t.field(positionField),
    users: t.field({
      description: 'The users after the change, in the order of the input.',
      type: [User],
      nullable: false,
      complexity: { field: 1, multiplier: 1 },
      resolve: ({ users }) => users,
    }),
    created: t.exposeIDList('created', {
      nullable: false,
      description: 'Ids of the users that were created.',
    }),
    updated: t.exposeIDList('updated', {
      nullable: false,
      description: 'Ids of the users that were updated.',
    }),
  }),
});

export const RemoveUsersInput = builder.inputType('RemoveUsersInput', {
  description: 'Input of `removeUsers`.',
  fields: (t) => ({
    tenantId: t.id({ required: true, description: 'The tenant that the users belong to.' }),
    userIds: t.idList({ required: true, description: 'The users to remove; at most 1,000.' }),
  }),
});

const RemoveUsersPayload = builder.objectRef<RemovedUsers>('RemoveUsersPayload').implement({
  description: 'Result of `removeUsers`.',
  fields: (t) => ({
    position: t.field(positionField),
    removed: t.exposeIDList('removed', { nullable: false, description: 'Ids of the removed users.' }),
    endedMembershipCount: t.exposeInt('endedMembershipCount', {
      nullable: false,
      description: 'Number of their direct memberships, which were removed too.',
    }),
  }),
});

export const EraseUsersInput = builder.inputType('EraseUsersInput', {
  description: 'Input of `eraseUsers`.',
  fields: (t) => ({
    tenantId: t.id({ required: true, description: 'The tenant that the users belong to, or belonged to.' }),
    userIds: t.idList({ required: true, description: 'The users to erase, removed or not; at most 1,000.' }),
  }),
});

const EraseUsersPayload = builder.objectRef<ErasedUsers>('EraseUsersPayload').implement({
  description: 'Result of `eraseUsers`.',
  fields: (t) => ({
    position: t.field(positionField),
    erased: t.exposeIDList('erased', { nullable: false, description: 'Ids of the erased users.' }),
    endedMembershipCount: t.exposeInt('endedMembershipCount', {
      nullable: false,
      description: 'Number of direct memberships that ended, of users who had not been removed before.',
    }),
  }),
});

builder.mutationFields((t) => ({
  upsertUsers: t.field({
    description:
      'Updates users, and creates those that do not exist, all or none. Only callers who see all tenants may create users.',
    type: UpsertUsersPayload,
    args: {
      input: t.arg({ type: UpsertUsersInput, required: true, description: 'The tenant and its users.' }),
    },
    complexity: ({ input }) => ({ field: 1, multiplier: Math.max(1, input.users.length) }),
    errors: typedErrors('upsertUsers', ['VALIDATION_FAILED', 'NOT_FOUND', 'OTHER_TENANT', 'LIMIT_EXCEEDED']),
    resolve: (_root, { input }, { directory }) => upsertUsers(directory, input),
  }),
  removeUsers: t.field({
    description:
      'Removes users and ends their memberships, all or none. The history still names them: see `eraseUsers`.',
    type: RemoveUsersPayload,
    args: { input: t.arg({ type: RemoveUsersInput, required: true, description: 'The users to remove.' }) },
    errors: typedErrors('removeUsers', ['VALIDATION_FAILED', 'NOT_FOUND', 'UNKNOWN_USERS', 'LIMIT_EXCEEDED']),
    resolve: (_root, { input }, { directory }) => removeUsers(directory, input),
  }),
  eraseUsers: t.field({
    description:
      'Removes users and blanks their email addresses and names for good, in the history too, all or none. Their ids stay.',
    type: EraseUsersPayload,
    args: { input: t.arg({ type: EraseUsersInput, required: true, description: 'The users to erase.' }) },
    errors: typedErrors('eraseUsers', ['VALIDATION_FAILED', 'NOT_FOUND', 'UNKNOWN_USERS', 'LIMIT_EXCEEDED']),
    resolve: (_root, { input }, { directory }) => eraseUsers(directory, input),
  }),
}));
