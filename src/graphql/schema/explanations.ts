// Why a user is an effective member of a group, or is none any more.
import { GraphQLScalarType } from 'graphql';
import { endUser } from '../../domain/directory.ts';
import { findGroup } from '../../domain/queries/groups.ts';
import {
  explainMembership,
  type LostMembership,
  lastLostMembership,
  MAX_PATHS,
  type MembershipExplanation,
  type PathStep,
  pathSteps,
} from '../../domain/queries/membership-explanations.ts';
import { MAX_DEPTH } from '../../model/groups.ts';
import { builder } from './builder.ts';
import type { Context } from './context.ts';
import { enumValues } from './enums.ts';
import { Group } from './groups.ts';
import { MembershipType } from './members.ts';

builder.addScalarType(
  'BigInt',
  new GraphQLScalarType<bigint, string>({
    name: 'BigInt',
    description: 'A whole number of any size: decimal digits as text.',
    serialize: (number) => String(number),
  }),
);

/** End users are not told the ids of those who administer their tenant, nor how much it changes. */
const unlessEndUser = <Value>({ directory }: Context, value: Value): Value | null =>
  endUser(directory) ? null : value;

const MembershipStep = builder.objectRef<PathStep>('MembershipStep').implement({
  description: 'A step of a path: the user, or the group of the step before, is in this group.',
  fields: (t) => ({
    group: t.field({
      type: Group,
      description: 'The group; null if it was deleted while you asked.',
      resolve: ({ groupId }, _args, { directory }) => findGroup(directory, groupId),
    }),
    since: t.field({
      type: 'Position',
      description: 'Position of the change by which this began; null for an end user.',
      resolve: ({ since }, _args, context) => unlessEndUser(context, since),
    }),
    sinceAt: t.expose('sinceAt', { type: 'DateTime', nullable: false, description: 'When this began.' }),
    addedBy: t.id({
      description: 'Id of the user or service that began this; null for an end user.',
      resolve: ({ addedBy }, _args, context) => unlessEndUser(context, addedBy),
    }),
  }),
});

const MembershipPath = builder.objectRef<{ steps: Promise<PathStep[]> }>('MembershipPath').implement({
  description: 'One way in which a user is an effective member of a group.',
  fields: (t) => ({
    steps: t.field({
      type: [MembershipStep],
      nullable: { list: false, items: false },
      description: 'From the group of which the user is a direct member to the group that was asked about.',
      complexity: { field: MAX_DEPTH, multiplier: MAX_DEPTH },
      resolve: ({ steps }) => steps,
    }),
  }),
});

const EndCause = builder.enumType('EndCause', {
  description: 'Why a membership or a nesting ended.',
  values: enumValues(['REMOVED', 'GROUP_DELETED', 'GROUP_RESTORED', 'USER_REMOVED'] as const, {
    REMOVED: 'It was removed.',
    GROUP_DELETED: 'A group was deleted.',
    GROUP_RESTORED: 'A group was restored, and a nesting that had stood in for it ended.',
    USER_REMOVED: 'The user was removed.',
  }),
});

const GroupSnapshot = builder.objectRef<{ groupId: string; name: string }>('GroupSnapshot').implement({
  description: 'A group as it was. It has no `id`, so that no cache takes it for the group as it is.',
  fields: (t) => ({
    groupId: t.exposeID('groupId', { nullable: false, description: 'Id of the group.' }),
    name: t.exposeString('name', { nullable: false, description: 'Name of the group.' }),
  }),
});

const LostMembershipType = builder.objectRef<LostMembership>('LostMembership').implement({
  description: 'The change that took an effective membership away.',
  fields: (t) => ({
    position: t.field({
      type: 'Position',
      description: 'Position of the change; null for an end user.',
      resolve: ({ position }, _args, context) => unlessEndUser(context, position),
    }),
    at: t.expose('at', { type: 'DateTime', nullable: false, description: 'When it happened.' }),
    by: t.id({
      description: 'Id of the user or service that did it; null for an end user.',
      resolve: ({ by }, _args, context) => unlessEndUser(context, by),
    }),
    cause: t.expose('cause', {
      type: EndCause,
      nullable: false,
      description: 'Why the membership or the nesting ended.',
    }),
    group: t.field({
      type: GroupSnapshot,
      description:
        'The group that the user, or the nested group, was in; or the group that was deleted. Null if you do not see it.',
      resolve: ({ groupId, groupName }, _args, context) => snapshotFor(context, groupId, groupName),
    }),
    nestedGroup: t.field({
      type: GroupSnapshot,
      description:
        'The group whose nesting ended. Null if the membership of the user ended, or if you do not see it.',
      resolve: ({ nestedGroupId: id, nestedGroupName: name }, _args, context) =>
        id === null || name === null ? null : snapshotFor(context, id, name),
    }),
  }),
});

/** A group as it was, for callers who see all groups of the tenant; for an end user if it still sees the group. */
async function snapshotFor({ directory }: Context, groupId: string, name: string) {
  const isVisible = !endUser(directory) || (await findGroup(directory, groupId)) !== null;
  return isVisible ? { groupId, name } : null;
}

const Explanation = builder.objectRef<MembershipExplanation>('MembershipExplanation').implement({
  description: 'Why a user is an effective member of a group, or is none.',
  fields: (t) => ({
    isMember: t.exposeBoolean('isMember', {
      nullable: false,
      description: 'Whether the user is an effective member of the group.',
    }),
    membershipType: t.expose('membershipType', {
      type: MembershipType,
      description: 'Whether the membership is direct or inherited; null if there is none.',
    }),
    pathCount: t.expose('pathCount', {
      type: 'BigInt',
      nullable: false,
      description: 'Number of all paths from the user to the group, exact however many they are.',
    }),
    paths: t.field({
      type: [MembershipPath],
      nullable: { list: false, items: false },
      description: 'The shortest paths, at most `maxPaths`, shortest first.',
      complexity: { field: 1, multiplier: 1 },
      resolve: ({ paths, userId }, _args, { directory }) =>
        paths.map((path) => ({ steps: pathSteps(directory, userId, path) })),
    }),
    lastLost: t.field({
      type: LostMembershipType,
      description: 'The change that last took the membership away; null if there never was one to lose.',
      complexity: { field: 1, multiplier: 1 },
      resolve: ({ groupId, userId }, _args, { directory }) =>
        lastLostMembership(directory, { groupId, userId }),
    }),
  }),
});

builder.prismaObjectField(Group, 'explainMembership', (t) =>
  t.field({
    type: Explanation,
    description:
      'Why the user is an effective member, or what ended that. Null if an end user asks about another user.',
    args: {
      userId: t.arg.id({ description: 'Id of the user. The default is you.' }),
      maxPaths: t.arg.int({
        defaultValue: 10,
        description: `How many paths to list at most: from 1 to ${MAX_PATHS}.`,
      }),
    },
    complexity: ({ maxPaths }) => ({ field: 1, multiplier: Math.max(1, maxPaths ?? 10) }),
    resolve: ({ id }, { userId, maxPaths }, { directory }) =>
      explainMembership(directory, { groupId: id, userId: userId ?? directory.caller.subject, maxPaths }),
  }),
);
