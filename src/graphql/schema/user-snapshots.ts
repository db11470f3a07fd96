// Users and members as they were.
import { inheritedThrough } from '../../domain/queries/member-nodes.ts';
import { directGroups, effectiveGroups } from '../../domain/queries/user-groups.ts';
import { MembershipType } from './members.ts';
import {
  GroupSnapshot,
  GroupSnapshots,
  groupsOf,
  MemberSnapshot,
  snapshotOf,
  UserSnapshot,
} from './snapshots.ts';

/** Personal data of an erased user is blank, in the past too. */
const unlessErased = (email: string) => email || null;
const EMAIL = 'Email address at that time; null if the user was erased since.';

UserSnapshot.implement({
  description: 'A user as it was. It has no `id`, so that no cache takes it for the user as it is.',
  fields: (t) => ({
    userId: t.id({ nullable: false, description: 'Id of the user.', resolve: ({ row }) => row.id }),
    email: t.string({ description: EMAIL, resolve: ({ row }) => unlessErased(row.email) }),
    displayName: t.string({
      description: 'Display name at that time.',
      resolve: ({ row }) => row.displayName,
    }),
    isErased: t.boolean({
      nullable: false,
      description: 'Whether the personal data of the user was erased since.',
      resolve: ({ row }) => row.email === '',
    }),
    groups: t.connection(
      groupsOf('The groups of which the user was a direct member, by name by default.', directGroups),
      GroupSnapshots,
    ),
    effectiveGroups: t.connection(
      groupsOf('The groups of which the user was an effective member, by name by default.', effectiveGroups),
      GroupSnapshots,
    ),
  }),
});

MemberSnapshot.implement({
  description: 'A user as a member of a group, as it was.',
  fields: (t) => ({
    user: t.field({
      type: UserSnapshot,
      nullable: false,
      description: 'The user.',
      resolve: ({ row, directory }) => ({ row: row.user, directory }),
    }),
    userId: t.id({ nullable: false, description: 'Id of the user.', resolve: ({ row }) => row.userId }),
    email: t.string({ description: EMAIL, resolve: ({ row }) => unlessErased(row.email) }),
    displayName: t.string({
      description: 'Display name at that time.',
      resolve: ({ row }) => row.displayName,
    }),
    membershipType: t.field({
      type: MembershipType,
      nullable: false,
      description: 'Whether the membership was direct or inherited.',
      resolve: ({ row }) => row.membershipType,
    }),
    addedAt: t.field({
      type: 'DateTime',
      description: 'When the user had become a direct member; null if the membership was only inherited.',
      resolve: ({ row }) => row.addedAt,
    }),
    inheritedThrough: t.field({
      type: GroupSnapshot,
      description:
        'A nearest group below, of which the user was a direct member; null for a direct member of the group itself.',
      resolve: async ({ row, directory }) => snapshotOf(await inheritedThrough(directory, row), directory),
    }),
  }),
});
