// The lists of changes: the log of a tenant, and the histories of groups and users.
import {
  countChanges,
  countGroupHistory,
  countUserHistory,
  listChanges,
  listGroupHistory,
  listUserHistory,
} from '../../domain/queries/changes.ts';
import { builder } from './builder.ts';
import { Change, ChangeType } from './change-parts.ts';
import { connectionCost } from './complexity.ts';
import { changeProjection, connection } from './connections.ts';
import { Group } from './groups.ts';
import { Tenant } from './tenants.ts';
import { User } from './users.ts';

const ChangeConnection = builder.connectionObject(
  { type: Change, name: 'ChangeConnection', description: 'A page of changes.' },
  { name: 'ChangeEdge', description: 'A change at its position in the list.' },
);

const TYPES = 'Only changes of these types.';

builder.prismaObjectField(Tenant, 'changes', (t) =>
  t.connection(
    {
      description:
        "The tenant's log, oldest change first. `after` and `before` also take a position, such as that of a mutation.",
      type: Change,
      nullable: true,
      args: { types: t.arg({ type: [ChangeType], description: TYPES }) },
      complexity: connectionCost,
      resolve: ({ id }, { types, ...page }, { directory }, info) =>
        connection(page, info, {
          list: (page) => listChanges(directory, id, { types, projection: changeProjection(info), page }),
          count: () => countChanges(directory, id, { types }),
        }),
    },
    ChangeConnection,
  ),
);

builder.prismaObjectField(Group, 'history', (t) =>
  t.connection(
    {
      description:
        'What happened to the group, newest change first, also that it was nested in other groups. Null for an end user.',
      type: Change,
      nullable: true,
      args: { types: t.arg({ type: [ChangeType], description: TYPES }) },
      complexity: connectionCost,
      resolve: ({ id }, { types, ...page }, { directory }, info) =>
        connection(page, info, {
          list: (page) =>
            listGroupHistory(directory, id, { types, projection: changeProjection(info), page }),
          count: () => countGroupHistory(directory, id, { types }),
        }),
    },
    ChangeConnection,
  ),
);

builder.prismaObjectField(User, 'history', (t) =>
  t.connection(
    {
      description:
        'What happened to the user and to its direct memberships, newest change first. Null for an end user.',
      type: Change,
      nullable: true,
      args: { types: t.arg({ type: [ChangeType], description: TYPES }) },
      complexity: connectionCost,
      resolve: ({ id }, { types, ...page }, { directory }, info) =>
        connection(page, info, {
          list: (page) => listUserHistory(directory, id, { types, projection: changeProjection(info), page }),
          count: () => countUserHistory(directory, id, { types }),
        }),
    },
    ChangeConnection,
  ),
);
