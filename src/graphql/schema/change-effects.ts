// The effects of several changes: what each does or why it is refused, and whose effective membership begins or ends.
import type {
  AffectedGroup,
  ChangedGroup,
  ChangeEffects,
  ChangeOutcome,
  MovedGroup,
  UpdatedGroup,
  UpdatedUser,
  UserIdPage,
} from '../../domain/commands/change-effects.ts';
import { findGroup } from '../../domain/queries/groups.ts';
import { findUser } from '../../domain/queries/users.ts';
import type { DirectoryError } from '../../model/errors.ts';
import { arrayPage, DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, pageRequest } from '../../model/page.ts';
import { builder } from './builder.ts';
import { connectionCost } from './complexity.ts';
import { connection } from './connections.ts';
import { NotRestoredType } from './deletion.ts';
import { ErrorInterface, ShownRefusal } from './error-types.ts';
import { Group } from './groups.ts';
import { User } from './users.ts';

/** What is listed for each of several changes costs as much as one object: few changes have more. */
const ONE_EACH = { field: 1, multiplier: 1 };

const ChangedGroupType = builder.objectRef<ChangedGroup>('ChangedGroup').implement({
  description: 'A group that changes. It has no `id`, so that no cache takes it for the group as it is.',
  fields: (t) => ({
    groupId: t.exposeID('groupId', {
      description:
        'Id of the group; null for one that a preview creates, which gets an id when it is applied.',
    }),
    createdBy: t.exposeInt('createdBy', {
      description: 'Index of the change that creates the group; null for a group that exists.',
    }),
    name: t.exposeString('name', { nullable: false, description: 'Name of the group after all changes.' }),
    group: t.field({
      type: Group,
      description: 'The group as it is now; null if it does not exist, or you cannot see it.',
      resolve: ({ groupId }, _args, { directory }) => findGroup(directory, groupId),
    }),
  }),
});

const UpdatedGroupType = builder.objectRef<UpdatedGroup>('UpdatedGroup').implement({
  description: 'A group whose own fields change.',
  fields: (t) => ({
    group: t.expose('group', { type: ChangedGroupType, nullable: false, description: 'The group.' }),
    before: t.expose('before', {
      type: 'JSONObject',
      nullable: false,
      description: 'The fields that change, as they were.',
    }),
    after: t.expose('after', {
      type: 'JSONObject',
      nullable: false,
      description: 'The fields that change, as they will be.',
    }),
  }),
});

const MovedGroupType = builder.objectRef<MovedGroup>('MovedGroup').implement({
  description: 'A group that gets another parent in the hierarchy.',
  fields: (t) => ({
    group: t.expose('group', { type: ChangedGroupType, nullable: false, description: 'The group.' }),
    from: t.expose('from', {
      type: ChangedGroupType,
      description: 'The former parent; null if it was a root.',
    }),
    to: t.expose('to', { type: ChangedGroupType, description: 'The new parent; null if it becomes a root.' }),
  }),
});

const UpdatedUserType = builder.objectRef<UpdatedUser>('UpdatedUser').implement({
  description: 'A user whose email address or display name changes.',
  fields: (t) => ({
    userId: t.exposeID('userId', { nullable: false, description: 'Id of the user.' }),
    before: t.expose('before', { type: 'JSONObject', nullable: false, description: 'Both as they were.' }),
    after: t.expose('after', { type: 'JSONObject', nullable: false, description: 'Both as they will be.' }),
  }),
});

const GROUPS = [
  ['deletedGroups', 'The groups that it deletes. All of their effective members leave them.'],
  ['restoredGroups', 'The groups that it restores.'],
] as const;
/** Lists of which a page is shown: a change of one group can be of thousands. */
const LISTS = ['deletedGroups', 'restoredGroups', 'updatedGroups', 'movedGroups', 'updatedUsers'] as const;
const FIRST = { defaultValue: DEFAULT_PAGE_SIZE, description: 'How many of them, from the first: 0 to 100.' };
const firstCost = ({ first }: { first?: number | null | undefined }) => {
  const size = Math.max(0, first ?? DEFAULT_PAGE_SIZE);
  return { field: size, multiplier: size };
};
/** Refused with VALIDATION_FAILED: a number of items that is not from 0 to 100. */
const firstOf = <Item>(items: readonly Item[], first: number | null | undefined): Item[] =>
  items.slice(0, pageRequest({ first }).size);

const COUNTS = [
  ['addedMembershipCount', 'Number of direct memberships that begin.'],
  ['removedMembershipCount', 'Number of direct memberships that end.'],
  ['addedNestingCount', 'Number of nestings that begin.'],
  ['removedNestingCount', 'Number of nestings that end.'],
] as const;
const USER_IDS = [
  ['createdUserIds', 'Ids of the users that it creates.'],
  ['removedUserIds', 'Ids of the users that it removes.'],
  ['erasedUserIds', 'Ids of the users whose personal data it erases.'],
] as const;

const ChangeOutcomeType = builder.objectRef<ChangeOutcome>('ChangeOutcome').implement({
  description: 'What one of several changes does, after those before it, or why it is refused.',
  fields: (t) => ({
    index: t.exposeInt('index', { nullable: false, description: 'Index of the change, from 0.' }),
    refusal: t.field({
      type: ErrorInterface,
      resolve: ({ refusal }) => refusal && (new ShownRefusal(refusal) as DirectoryError),
      description: 'Why it is refused; null if it is not. The changes behind it are previewed without it.',
    }),
    createdGroups: t.expose('createdGroups', {
      type: [ChangedGroupType],
      nullable: false,
      complexity: ONE_EACH,
      description: 'The group that it creates.',
    }),
    ...Object.fromEntries(
      GROUPS.map(([name, description]) => [
        name,
        t.field({
          type: [ChangedGroupType],
          nullable: false,
          args: { first: t.arg.int(FIRST) },
          complexity: firstCost,
          description,
          resolve: (outcome, { first }) => firstOf(outcome[name], first),
        }),
      ]),
    ),
    ...Object.fromEntries(
      LISTS.map((name) => [
        `${name.slice(0, -1)}Count`,
        t.int({
          nullable: false,
          description: `Number of \`${name}\`, whatever \`first\` is.`,
          resolve: (outcome) => outcome[name].length,
        }),
      ]),
    ),
    updatedGroups: t.field({
      type: [UpdatedGroupType],
      nullable: false,
      args: { first: t.arg.int(FIRST) },
      complexity: firstCost,
      description: 'The groups whose name, description or custom attributes it changes.',
      resolve: (outcome, { first }) => firstOf(outcome.updatedGroups, first),
    }),
    movedGroups: t.field({
      type: [MovedGroupType],
      nullable: false,
      args: { first: t.arg.int(FIRST) },
      complexity: firstCost,
      description: 'The groups to which it gives another parent in the hierarchy.',
      resolve: (outcome, { first }) => firstOf(outcome.movedGroups, first),
    }),
    notRestored: t.expose('notRestored', {
      type: [NotRestoredType],
      nullable: false,
      complexity: ONE_EACH,
      description: 'What a restoration cannot restore, and why.',
    }),
    ...Object.fromEntries(
      COUNTS.map(([name, description]) => [name, t.exposeInt(name, { nullable: false, description })]),
    ),
    ...Object.fromEntries(
      USER_IDS.map(([name, description]) => [name, t.exposeIDList(name, { nullable: false, description })]),
    ),
    updatedUsers: t.field({
      type: [UpdatedUserType],
      nullable: false,
      args: { first: t.arg.int(FIRST) },
      complexity: firstCost,
      description: 'The users whose email address or display name it changes.',
      resolve: (outcome, { first }) => firstOf(outcome.updatedUsers, first),
    }),
  }),
});

const AffectedUser = builder.objectRef<{ userId: string }>('AffectedUser').implement({
  description: 'A user who becomes an effective member of a group, or ceases to be.',
  fields: (t) => ({
    userId: t.exposeID('userId', { nullable: false, description: 'Id of the user.' }),
    user: t.field({
      type: User,
      description: 'The user as it is now; null if it does not exist now, or you cannot see it.',
      resolve: ({ userId }, _args, { directory }) => findUser(directory, userId),
    }),
  }),
});

const SIDES = [
  ['joining', 'become effective members'],
  ['leaving', 'cease to be effective members'],
] as const;

const AffectedGroupType = builder.objectRef<AffectedGroup>('AffectedGroup').implement({
  description: 'A group whose effective members change.',
  fields: (t) => ({
    group: t.expose('group', { type: ChangedGroupType, nullable: false, description: 'The group.' }),
    ...Object.fromEntries(
      SIDES.flatMap(([side, what]) => [
        [
          `${side}Count`,
          t.int({
            nullable: false,
            description: `Number of users who ${what}.`,
            resolve: (affected) => affected[side].count,
          }),
        ],
        [
          side,
          t.field({
            type: [AffectedUser],
            nullable: { list: false, items: false },
            description: `The first users who ${what}, by id.`,
            args: {
              first: t.arg.int({
                defaultValue: 20,
                description: `How many of them: from 0 to ${MAX_PAGE_SIZE}.`,
              }),
            },
            complexity: connectionCost,
            resolve: (affected, { first }) => firstUsers(affected[side], first),
          }),
        ],
      ]),
    ),
  }),
});

const firstUsers = ({ userIds }: UserIdPage, first: number | null | undefined) =>
  arrayPage([...userIds], { first }, (userId) => userId).rows.map((userId) => ({ userId }));

const AffectedGroupConnection = builder.connectionObject(
  { type: AffectedGroupType, name: 'AffectedGroupConnection', description: 'A page of affected groups.' },
  { name: 'AffectedGroupEdge', description: 'An affected group at its position in the list.' },
);

export const ChangeEffectsType = builder.objectRef<ChangeEffects>('ChangeEffects').implement({
  description: 'What several changes do together.',
  fields: (t) => ({
    outcomes: t.expose('outcomes', {
      type: [ChangeOutcomeType],
      nullable: false,
      complexity: ONE_EACH,
      description: 'What each of the changes does, in their order.',
    }),
    affectedGroups: t.connection(
      {
        type: AffectedGroupType,
        description:
          'The groups whose effective members differ before and after all changes, those above other groups included, by id.',
        complexity: connectionCost,
        resolve: ({ affectedGroups }, page, _context, info) =>
          connection(page, info, {
            list: async (page) => arrayPage(affectedGroups, page, ({ group }) => group.key),
            count: () => affectedGroups.length,
          }),
      },
      AffectedGroupConnection,
    ),
  }),
});
