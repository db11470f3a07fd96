// Groups as they were: the fields of Group, as of a position.
import {
  countEffectiveMembers,
  hasEffectiveMember,
  listEffectiveMembers,
} from '../../domain/queries/effective-members.ts';
import { findGroup } from '../../domain/queries/groups.ts';
import { childGroups, groupPath, listAncestors } from '../../domain/queries/hierarchy.ts';
import { countMembers, listMembers } from '../../domain/queries/members.ts';
import { DEFAULT_PATHS } from '../../domain/queries/membership-explanations.ts';
import { nestedGroups, parentGroups } from '../../domain/queries/nesting.ts';
import { MAX_DEPTH } from '../../model/groups.ts';
import type { PageArgs } from '../../model/page.ts';
import { connectionCost } from './complexity.ts';
import { connection } from './connections.ts';
import { Explanation, explain, explanationCost, MAX_PATHS_DESCRIPTION } from './explanations.ts';
import { GroupType } from './group-inputs.ts';
import { MemberOrder, MembershipType } from './members.ts';
import {
  GroupSnapshot,
  GroupSnapshots,
  groupsOf,
  listing,
  MemberSnapshot,
  MemberSnapshots,
  snapshotOf,
} from './snapshots.ts';
import { PEOPLE_ORDER, SEARCH_PEOPLE, UserOrder } from './users.ts';

GroupSnapshot.implement({
  description: 'A group as it was. It has no `id`, so that no cache takes it for the group as it is.',
  fields: (t) => ({
    groupId: t.id({ nullable: false, description: 'Id of the group.', resolve: ({ row }) => row.id }),
    name: t.string({ nullable: false, description: 'Name of the group.', resolve: ({ row }) => row.name }),
    type: t.field({
      type: GroupType,
      nullable: false,
      description: 'Purpose of the group.',
      resolve: ({ row }) => row.type,
    }),
    description: t.string({
      description: 'Description of the group.',
      resolve: ({ row }) => row.description ?? null,
    }),
    customAttributes: t.field({
      type: 'JSONObject',
      description: 'Custom attributes of the group.',
      resolve: ({ row }) => row.customAttributes ?? null,
    }),
    version: t.int({ description: 'Version of the group.', resolve: ({ row }) => row.version ?? null }),
    createdAt: t.field({
      type: 'DateTime',
      description: 'When the group was created.',
      resolve: ({ row }) => row.createdAt ?? null,
    }),
    updatedAt: t.field({
      type: 'DateTime',
      description: 'When the group itself had last been changed.',
      resolve: ({ row }) => row.updatedAt ?? null,
    }),
    parent: t.field({
      type: GroupSnapshot,
      description: 'The parent in the hierarchy; null for a root.',
      resolve: async ({ row, directory }) =>
        snapshotOf(await findGroup(directory, row.parentGroupId), directory),
    }),
    path: t.string({
      description: 'Names of the ancestors, root first, joined by `/`; null for a root.',
      resolve: ({ row, directory }) => groupPath(directory, row.id),
    }),
    ancestors: t.field({
      type: [GroupSnapshot],
      description: 'The ancestors in the hierarchy, from the root to the parent.',
      complexity: { field: MAX_DEPTH, multiplier: MAX_DEPTH },
      resolve: async ({ row, directory }) =>
        (await listAncestors(directory, row.id))?.map((ancestor) => ({ row: ancestor, directory })) ?? null,
    }),
    children: t.connection(
      groupsOf('The children in the hierarchy, by name by default.', childGroups),
      GroupSnapshots,
    ),
    nestedGroups: t.connection(
      groupsOf('The groups that were nested directly in the group, by name by default.', nestedGroups),
      GroupSnapshots,
    ),
    nestedGroupCount: t.int({
      description: 'Number of groups that were nested directly in the group.',
      resolve: ({ row, directory }) => nestedGroups.count(directory, row.id),
    }),
    parentGroups: t.connection(
      groupsOf('The groups in which the group was nested directly, by name by default.', parentGroups),
      GroupSnapshots,
    ),
    members: t.connection(
      {
        type: MemberSnapshot,
        description: 'Direct members.',
        args: {
          search: t.arg.string({ description: SEARCH_PEOPLE }),
          orderBy: t.arg({
            type: MemberOrder,
            description: 'Order of the members. The default is by user id.',
          }),
        },
        complexity: connectionCost,
        resolve: ({ row: { id }, directory }, { search, orderBy, ...args }, _context, info) => {
          const list = (page: PageArgs) => listMembers(directory, id, { search, orderBy, page });
          const count = () => countMembers(directory, id, { search });
          return connection(args, info, listing(directory, list, count));
        },
      },
      MemberSnapshots,
    ),
    memberCount: t.int({
      description: 'Number of direct members.',
      resolve: ({ row, directory }) => countMembers(directory, row.id),
    }),
    effectiveMembers: t.connection(
      {
        type: MemberSnapshot,
        description:
          'Distinct users who were members of the group or of a group nested in it, by user id by default.',
        args: {
          search: t.arg.string({ description: SEARCH_PEOPLE }),
          membershipType: t.arg({
            type: MembershipType,
            description: 'Only direct or only inherited members.',
          }),
          orderBy: t.arg({ type: UserOrder, description: PEOPLE_ORDER }),
        },
        complexity: connectionCost,
        resolve: (
          { row: { id }, directory },
          { search, membershipType, orderBy, ...args },
          _context,
          info,
        ) => {
          const filter = { search, membershipType };
          const list = (page: PageArgs) => listEffectiveMembers(directory, id, { ...filter, orderBy, page });
          const count = () => countEffectiveMembers(directory, id, filter);
          return connection(args, info, listing(directory, list, count));
        },
      },
      MemberSnapshots,
    ),
    effectiveMemberCount: t.int({
      description: 'Number of distinct effective members.',
      resolve: ({ row, directory }) => countEffectiveMembers(directory, row.id),
    }),
    hasEffectiveMember: t.boolean({
      nullable: false,
      description: 'Whether the user was an effective member of the group.',
      args: { userId: t.arg.id({ required: true, description: 'Id of the user.' }) },
      resolve: ({ row, directory }, { userId }) => hasEffectiveMember(directory, row.id, userId),
    }),
    explainMembership: t.field({
      type: Explanation,
      description: 'Why the user was an effective member, or what had ended that.',
      args: {
        userId: t.arg.id({ required: true, description: 'Id of the user.' }),
        maxPaths: t.arg.int({ defaultValue: DEFAULT_PATHS, description: MAX_PATHS_DESCRIPTION }),
      },
      complexity: explanationCost,
      resolve: ({ row, directory }, args) => explain(directory, row.id, args),
    }),
  }),
});
