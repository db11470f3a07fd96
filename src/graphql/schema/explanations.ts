// Why a user is an effective member of a group, or is none any more.
import { GraphQLScalarType } from 'graphql';
import { type Directory, endUser } from '../../domain/directory.ts';
import { findGroup } from '../../domain/queries/groups.ts';
import {
  DEFAULT_PATHS,
  explainMembership,
  type LostMembership,
  lastLostMembership,
  MAX_PATHS,
  type MembershipExplanation,
  type Path,
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

/** A directory, now or as of a position, and what it explains. */
type In = { directory: Directory };

const MembershipStep = builder.objectRef<PathStep & In>('MembershipStep').implement({
  description: 'A step of a path: the user, or the group of the step before, is in this group.',
  fields: (t) => ({
    group: t.field({
      type: Group,
      description: 'The group as it is now; null if it was deleted since.',
      resolve: ({ groupId }, _args, { directory }) => findGroup(directory, groupId),
    }),
    groupId: t.exposeID('groupId', { nullable: false, description: 'Id of the group.' }),
    name: t.string({
      description: 'Name of the group, at the moment that was asked about.',
      resolve: async ({ groupId, directory }) => (await findGroup(directory, groupId))?.name ?? null,
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

const MembershipPath = builder.objectRef<{ path: Path; userId: string } & In>('MembershipPath').implement({
  description: 'One way in which a user is an effective member of a group.',
  fields: (t) => ({
    steps: t.field({
      type: [MembershipStep],
      nullable: { list: false, items: false },
      description: 'From the group of which the user is a direct member to the group that was asked about.',
      complexity: { field: MAX_DEPTH, multiplier: MAX_DEPTH },
      resolve: async ({ path, userId, directory }) =>
        (await pathSteps(directory, userId, path)).map((step) => ({ ...step, directory })),
    }),
  }),
});

export const EndCause = builder.enumType('EndCause', {
  description: 'Why a membership or a nesting ended.',
  values: enumValues(['REMOVED', 'GROUP_DELETED', 'GROUP_RESTORED', 'USER_REMOVED'] as const, {
    REMOVED: 'It was removed.',
    GROUP_DELETED: 'A group was deleted.',
    GROUP_RESTORED: 'A group was restored, and a nesting that had stood in for it ended.',
    USER_REMOVED: 'The user was removed.',
  }),
});

export const LostMembershipType = builder.objectRef<LostMembership>('LostMembership').implement({
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
  }),
});

export const Explanation = builder.objectRef<MembershipExplanation & In>('MembershipExplanation').implement({
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
      resolve: ({ paths, userId, directory }) => paths.map((path) => ({ path, userId, directory })),
    }),
    lastLost: t.field({
      type: LostMembershipType,
      description: 'The change that last took the membership away; null if there never was one to lose.',
      complexity: { field: 1, multiplier: 1 },
      resolve: ({ groupId, userId, directory }) => lastLostMembership(directory, { groupId, userId }),
    }),
  }),
});

type Asked = { userId?: string | null | undefined; maxPaths?: number | null | undefined };

/** Explains the membership of a user, by default the caller's, in a group of the directory. */
export async function explain(directory: Directory, groupId: string, { userId, maxPaths }: Asked) {
  const pair = { groupId, userId: userId ?? directory.caller.subject };
  const explanation = await explainMembership(directory, { ...pair, maxPaths });
  return explanation && { ...explanation, directory };
}

export const MAX_PATHS_DESCRIPTION = `How many paths to list at most: from 1 to ${MAX_PATHS}.`;
export const explanationCost = ({ maxPaths }: Asked) => ({
  field: 1,
  multiplier: Math.max(1, maxPaths ?? DEFAULT_PATHS),
});

builder.prismaObjectField(Group, 'explainMembership', (t) =>
  t.field({
    type: Explanation,
    description:
      'Why the user is an effective member, or what ended that. Null if an end user asks about another user.',
    args: {
      userId: t.arg.id({ description: 'Id of the user. The default is you.' }),
      maxPaths: t.arg.int({ defaultValue: DEFAULT_PATHS, description: MAX_PATHS_DESCRIPTION }),
    },
    complexity: explanationCost,
    resolve: ({ id }, args, { directory }) => explain(directory, id, args),
  }),
);
