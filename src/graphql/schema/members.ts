// Direct and effective members of a group, and the groups of which a user is a direct or effective member.

import {
  checkMemberships,
  countEffectiveMembers,
  hasEffectiveMember,
  listEffectiveMembers,
} from '../../domain/queries/effective-members.ts';
import { inheritedThrough } from '../../domain/queries/member-nodes.ts';
import { countMembers, listMembers } from '../../domain/queries/members.ts';
import { directGroups, effectiveGroups } from '../../domain/queries/user-groups.ts';
import type { MemberRow } from '../../domain/rows/members.ts';
import { MEMBER_ORDER_FIELDS, MEMBERSHIP_TYPES } from '../../model/members.ts';
import { builder } from './builder.ts';
import { connectionCost } from './complexity.ts';
import { connection, groupProjection, memberProjection } from './connections.ts';
import { enumValues } from './enums.ts';
import { memberId } from './global-ids.ts';
import { groupListArgs, OrderDirection } from './group-inputs.ts';
import { Group, GroupConnection } from './groups.ts';
import { PEOPLE_ORDER, SEARCH_PEOPLE, User, UserOrder } from './users.ts';

export const MembershipType = builder.enumType('MembershipType', {
  description: 'How a user is a member of a group.',
  values: enumValues(MEMBERSHIP_TYPES, {
    DIRECT: 'By direct membership, whether or not the user also inherits membership.',
    INHERITED: 'Only by membership of a group that is nested in the group, at any depth.',
  }),
});

export const MemberOrder = builder.inputType('MemberOrder', {
  description: 'The order of a list of direct members. Members with equal values are ordered by user id.',
  fields: (t) => ({
    field: t.field({
      type: builder.enumType('MemberOrderField', {
        description: 'Fields by which direct members can be ordered.',
        values: enumValues(MEMBER_ORDER_FIELDS, {
          USER_ID: 'By user id.',
          EMAIL: 'By email address, ignoring case.',
          DISPLAY_NAME: 'By display name, ignoring case; those without one by their email address.',
          ADDED_AT: 'By the time when the user was added.',
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

const Member = builder.objectRef<MemberRow>('Member').implement({
  description: 'A user as a member of a group.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    // Made where it is selected, and not for each row.
    id: t.id({
      nullable: false,
      description: 'Global id: that of the group and that of the user, with a dot between them.',
      resolve: memberId,
    }),
    user: t.expose('user', { description: 'The user.', type: User, nullable: false }),
    userId: t.exposeID('userId', { nullable: false, description: 'Id of the user.' }),
    email: t.exposeString('email', { nullable: false, description: 'Email address of the user.' }),
    displayName: t.exposeString('displayName', { description: 'Display name of the user.' }),
    membershipType: t.expose('membershipType', {
      description: 'Whether the membership is direct or inherited.',
      type: MembershipType,
      nullable: false,
    }),
    addedAt: t.expose('addedAt', {
      description: 'When the user became a direct member; null if the membership is only inherited.',
      type: 'DateTime',
    }),
    inheritedThrough: t.field({
      description:
        'A nearest group below, of which the user is a direct member; null for a direct member of the group itself.',
      type: Group,
      resolve: (member, _args, { directory }) => inheritedThrough(directory, member),
    }),
  }),
});

const MemberConnection = builder.connectionObject(
  { type: Member, name: 'MemberConnection', description: 'A page of members.' },
  { name: 'MemberEdge', description: 'A member at its position in the list.' },
);

builder.prismaObjectFields(Group, (t) => ({
  members: t.connection(
    {
      description: 'Direct members.',
      type: Member,
      args: {
        search: t.arg.string({ description: SEARCH_PEOPLE }),
        orderBy: t.arg({
          type: MemberOrder,
          description: 'Order of the members. The default is by user id, ascending.',
        }),
      },
      complexity: connectionCost,
      resolve: (group, { search, orderBy, ...page }, { directory }, info) =>
        connection(page, info, {
          list: (page) =>
            listMembers(directory, group.id, { search, orderBy, projection: memberProjection(info), page }),
          count: () => (search ? null : group.memberCount) ?? countMembers(directory, group.id, { search }),
        }),
    },
    MemberConnection,
  ),
  memberCount: t.int({
    description: 'Number of direct members.',
    resolve: ({ id, memberCount }, _args, { directory }) => memberCount ?? countMembers(directory, id),
  }),
  effectiveMembers: t.connection(
    {
      description:
        'Distinct users who are members of the group or of a group nested in it, at any depth, by user id by default.',
      type: Member,
      args: {
        search: t.arg.string({ description: SEARCH_PEOPLE }),
        membershipType: t.arg({
          type: MembershipType,
          description: 'Only direct or only inherited members.',
        }),
        orderBy: t.arg({ type: UserOrder, description: PEOPLE_ORDER }),
      },
      complexity: connectionCost,
      resolve: ({ id }, { search, membershipType, orderBy, ...page }, { directory }, info) =>
        connection(page, info, {
          list: (page) => listEffectiveMembers(directory, id, { search, membershipType, orderBy, page }),
          count: () => countEffectiveMembers(directory, id, { search, membershipType }),
        }),
    },
    MemberConnection,
  ),
  effectiveMemberCount: t.int({
    description: 'Number of distinct effective members.',
    resolve: ({ id }, _args, { directory }) => countEffectiveMembers(directory, id, {}),
  }),
  hasEffectiveMember: t.boolean({
    description: 'Whether the user is an effective member of the group.',
    args: { userId: t.arg.id({ description: 'Id of the user. The default is you.' }) },
    // The argument is optional so that other subgraphs can `@requires` the field: field sets cannot contain variables.
    resolve: ({ id }, { userId }, { directory }) =>
      hasEffectiveMember(directory, id, userId ?? directory.caller.subject),
  }),
}));

const MembershipCheck = builder.inputType('MembershipCheck', {
  description: 'The question whether a user is an effective member of a group.',
  fields: (t) => ({
    groupId: t.id({ required: true, description: 'The group.' }),
    userId: t.id({ required: true, description: 'The user.' }),
  }),
});

builder.queryField('checkMemberships', (t) =>
  t.booleanList({
    description:
      'Whether each user is an effective member of its group, in the order of the checks; false for what you cannot see.',
    nullable: false,
    args: {
      checks: t.arg({
        type: [MembershipCheck],
        required: true,
        description: 'The questions; at most 1,000.',
      }),
    },
    complexity: ({ checks }) => ({ field: checks.length, multiplier: 1 }),
    resolve: (_root, { checks }, { directory }) => checkMemberships(directory, checks),
  }),
);

builder.prismaObjectFields(User, (t) => ({
  groups: t.connection(
    {
      description: 'The groups of which the user is a direct member, by name by default.',
      type: Group,
      args: groupListArgs,
      complexity: connectionCost,
      resolve: ({ id }, { filter, orderBy, ...page }, { directory }, info) => {
        const of = { filter, orderBy };
        return connection(page, info, {
          list: (page) =>
            directGroups.page(directory, id, { ...of, page, projection: groupProjection(info) }),
          count: () => directGroups.count(directory, id, of),
        });
      },
    },
    GroupConnection,
  ),
  effectiveGroups: t.connection(
    {
      description: 'The groups of which the user is an effective member, by name by default.',
      type: Group,
      args: groupListArgs,
      complexity: connectionCost,
      resolve: ({ id }, { filter, orderBy, ...page }, { directory }, info) => {
        const of = { filter, orderBy };
        return connection(page, info, {
          list: (page) =>
            effectiveGroups.page(directory, id, { ...of, page, projection: groupProjection(info) }),
          count: () => effectiveGroups.count(directory, id, of),
        });
      },
    },
    GroupConnection,
  ),
}));
