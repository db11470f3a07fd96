// The types of changes, one for each kind.
import type { ChangeRow } from '../../domain/rows/changes.ts';
import type { DeleteStrategy as Strategy } from '../../model/groups.ts';
import { builder } from './builder.ts';
import {
  Change,
  GroupChange,
  NestingsChange,
  RecordedGroup,
  RecordedTenant,
  TYPE_NAMES,
  UsersChange,
  UserUpsert,
} from './change-parts.ts';
import { DeleteStrategy } from './deletion.ts';
import { EndCause } from './explanations.ts';

const groupChange = (type: keyof typeof TYPE_NAMES) =>
  builder.objectRef<ChangeRow & { groupId: string }>(TYPE_NAMES[type]);
const otherChange = (type: keyof typeof TYPE_NAMES) => builder.objectRef<ChangeRow>(TYPE_NAMES[type]);

const before = ({ data }: ChangeRow) => data?.before as never;
const after = ({ data }: ChangeRow) => data?.after as never;

groupChange('group.created').implement({
  description: 'A group was created.',
  interfaces: [GroupChange, Change],
  fields: (t) => ({
    after: t.field({ type: RecordedGroup, description: 'The group as it was created.', resolve: after }),
  }),
});

groupChange('group.updated').implement({
  description: 'A group was updated, or moved in the hierarchy.',
  interfaces: [GroupChange, Change],
  fields: (t) => ({
    changed: t.stringList({
      nullable: false,
      description: 'Names of the fields of `before` and `after` that differ.',
      resolve: ({ data }) => data?.changed ?? [],
    }),
    before: t.field({ type: RecordedGroup, description: 'The group before the change.', resolve: before }),
    after: t.field({ type: RecordedGroup, description: 'The group after the change.', resolve: after }),
  }),
});

groupChange('group.deleted').implement({
  description: 'A group was deleted, and its direct memberships and the nestings in it ended.',
  interfaces: [GroupChange, UsersChange, NestingsChange, Change],
  fields: (t) => ({
    strategy: t.field({
      type: DeleteStrategy,
      description: 'What became of the children and nested groups.',
      resolve: ({ data }) => (data?.strategy ?? null) as Strategy | null,
    }),
  }),
});

groupChange('group.restored').implement({
  description:
    'A group was restored, with the direct memberships and the nestings in it that could be restored.',
  interfaces: [GroupChange, UsersChange, NestingsChange, Change],
  fields: (t) => ({
    parentGroupId: t.id({
      description: 'Id of the parent that it was restored under; null for a root.',
      resolve: ({ data }) => data?.parentGroupId ?? null,
    }),
  }),
});

groupChange('group_membership.added').implement({
  description: 'Users became direct members of a group.',
  interfaces: [GroupChange, UsersChange, Change],
});

groupChange('group_membership.removed').implement({
  description: 'Direct memberships of a group ended.',
  interfaces: [GroupChange, UsersChange, Change],
  fields: (t) => ({
    cause: t.expose('cause', { type: EndCause, description: 'Why the memberships ended.' }),
  }),
});

groupChange('group_nesting.added').implement({
  description: 'Groups were nested in a group.',
  interfaces: [GroupChange, NestingsChange, Change],
  fields: (t) => ({
    cause: t.expose('cause', {
      type: EndCause,
      description:
        '`GROUP_RESTORED` if a restoration did it; null if it was requested, or a deletion did it.',
    }),
    throughGroupId: t.id({
      description: 'Id of the group that was deleted with `ORPHAN`, in whose place the groups were nested.',
      resolve: ({ data }) => data?.through ?? null,
    }),
  }),
});

groupChange('group_nesting.removed').implement({
  description: 'Nestings in a group ended.',
  interfaces: [GroupChange, NestingsChange, Change],
  fields: (t) => ({
    cause: t.expose('cause', { type: EndCause, description: 'Why the nestings ended.' }),
  }),
});

otherChange('users.upserted').implement({
  description: 'Users were created, or updated.',
  interfaces: [UsersChange, Change],
  fields: (t) => ({
    upserts: t.field({
      type: [UserUpsert],
      nullable: { list: false, items: false },
      description:
        'The users before and after the change. Changes that an earlier version recorded may lack those that were created.',
      resolve: ({ data }) => data?.users ?? [],
    }),
  }),
});

otherChange('users.removed').implement({
  description: 'Users were removed. The ends of their memberships are changes of their own.',
  interfaces: [UsersChange, Change],
});

otherChange('users.erased').implement({
  description: 'Email addresses and names of users were erased, in the log too.',
  interfaces: [UsersChange, Change],
});

otherChange('tenant.updated').implement({
  description: 'The tenant was renamed.',
  interfaces: [Change],
  fields: (t) => ({
    before: t.field({ type: RecordedTenant, description: 'The tenant before the change.', resolve: before }),
    after: t.field({ type: RecordedTenant, description: 'The tenant after the change.', resolve: after }),
  }),
});

otherChange('directory.repaired').implement({
  description:
    'An operator repaired data that is derived from others. What was derived before may have been wrong.',
  interfaces: [Change],
  fields: (t) => ({
    repairedGroupIds: t.idList({
      nullable: false,
      description: 'Ids of the groups whose member counts were repaired.',
      resolve: ({ data }) => data?.recounted ?? [],
    }),
  }),
});
