// Deleted groups of a tenant, and what a restoration would bring back.
import { previewChanges } from '../../domain/commands/preview-changes.ts';
import {
  countDeletedGroups,
  type DeletedGroup as DeletedGroupRow,
  listDeletedGroups,
  RESTORE_MS,
} from '../../domain/queries/deleted-groups.ts';
import { findGroup } from '../../domain/queries/groups.ts';
import { builder } from './builder.ts';
import { ChangePreview, costOf } from './change-previews.ts';
import { connectionCost } from './complexity.ts';
import { connection } from './connections.ts';
import { DeleteStrategy } from './deletion.ts';
import { GroupType } from './group-inputs.ts';
import { Group } from './groups.ts';
import { Tenant } from './tenants.ts';

const DeletedGroup = builder.objectRef<DeletedGroupRow>('DeletedGroup').implement({
  description:
    'A deleted group. It has no `id`, so that no cache takes it for the group once it is restored.',
  fields: (t) => ({
    groupId: t.exposeID('id', { nullable: false, description: 'Id of the group.' }),
    name: t.exposeString('name', { nullable: false, description: 'Name of the group.' }),
    type: t.expose('type', { type: GroupType, nullable: false, description: 'Purpose of the group.' }),
    description: t.exposeString('description', { description: 'Description of the group.' }),
    parent: t.field({
      type: Group,
      description: 'The parent to which it would return; null for a root, or while the parent is deleted.',
      resolve: ({ parentGroupId }, _args, { directory }) => findGroup(directory, parentGroupId),
    }),
    deletedAt: t.expose('deletedAt', {
      type: 'DateTime',
      nullable: false,
      description: 'When it was deleted.',
    }),
    deletedBy: t.exposeID('deletedBy', { description: 'Id of the user or service that deleted it.' }),
    strategy: t.expose('strategy', {
      type: DeleteStrategy,
      description: 'What became of its children and nested groups.',
    }),
    restorableUntil: t.field({
      type: 'DateTime',
      nullable: false,
      description: 'Until when it can be restored.',
      resolve: ({ deletedAt }) => new Date(deletedAt.getTime() + RESTORE_MS),
    }),
    membershipCount: t.exposeInt('membershipCount', {
      nullable: false,
      description: 'Number of direct memberships that its restoration would bring back.',
    }),
    restorePreview: t.field({
      type: ChangePreview,
      nullable: false,
      description:
        'What `restoreGroup` would do, without doing it. Other changes of the tenant wait meanwhile, for at most a second.',
      args: {
        includeDescendants: t.arg.boolean({
          defaultValue: false,
          description: 'Also restore the descendants that the same deletion took.',
        }),
      },
      complexity: () => costOf([{}]),
      resolve: ({ id }, { includeDescendants }, { directory }) =>
        previewChanges(directory, [{ restoreGroup: { id, includeDescendants } }]),
    }),
  }),
});

const DeletedGroupConnection = builder.connectionObject(
  { type: DeletedGroup, name: 'DeletedGroupConnection', description: 'A page of deleted groups.' },
  { name: 'DeletedGroupEdge', description: 'A deleted group at its position in the list.' },
);

builder.prismaObjectField(Tenant, 'deletedGroups', (t) =>
  t.connection(
    {
      description:
        'Groups that were deleted in the last 30 days and can be restored, latest first. Null for an end user.',
      type: DeletedGroup,
      nullable: true,
      args: {
        search: t.arg.string({
          description: 'Words of the name or description, in any order, ignoring case and accents.',
        }),
      },
      complexity: connectionCost,
      resolve: ({ id: tenantId }, { search, ...page }, { directory }, info) =>
        connection(page, info, {
          list: (page) => listDeletedGroups(directory, { tenantId, search, page }),
          count: () => countDeletedGroups(directory, { tenantId, search }),
        }),
    },
    DeletedGroupConnection,
  ),
);
