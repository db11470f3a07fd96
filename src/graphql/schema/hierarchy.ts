// The hierarchy of groups: parent, path, ancestors and children. It has no effect on membership.
import { findGroup } from '../../domain/queries/groups.ts';
import { childGroups, groupPath, listAncestors } from '../../domain/queries/hierarchy.ts';
import { MAX_DEPTH } from '../../model/groups.ts';
import { builder } from './builder.ts';
import { connectionCost } from './complexity.ts';
import { connection, groupProjection } from './connections.ts';
import { groupListArgs } from './group-inputs.ts';
import { Group, GroupConnection } from './groups.ts';

builder.prismaObjectFields(Group, (t) => ({
  parent: t.field({
    description: 'The parent in the hierarchy; null for a root.',
    type: Group,
    resolve: ({ parentGroupId }, _args, { directory }) => findGroup(directory, parentGroupId),
  }),
  path: t.string({
    description:
      'Names of the ancestors, root first, joined by `/`; `/` and `\\` in names are escaped with `\\`. Null for a root.',
    resolve: ({ id }, _args, { directory }) => groupPath(directory, id),
  }),
  ancestors: t.field({
    description: 'The ancestors in the hierarchy, from the root to the parent.',
    type: [Group],
    complexity: { field: MAX_DEPTH, multiplier: MAX_DEPTH },
    resolve: ({ id }, _args, { directory }) => listAncestors(directory, id),
  }),
  children: t.connection(
    {
      description: 'The children in the hierarchy, by name by default.',
      type: Group,
      args: groupListArgs,
      complexity: connectionCost,
      resolve: ({ id }, { filter, orderBy, ...page }, { directory }, info) => {
        const of = { filter, orderBy };
        return connection(page, info, {
          list: (page) => childGroups.page(directory, id, { ...of, page, projection: groupProjection(info) }),
          count: () => childGroups.count(directory, id, of),
        });
      },
    },
    GroupConnection,
  ),
}));
