// What changes are made of: the interface Change, the interfaces of what changes concern, and what the log recorded of it.
import { findGroup } from '../../domain/queries/groups.ts';
import type {
  ChangeRow,
  RecordedGroup as RecordedGroupRow,
  RecordedTenant as RecordedTenantRow,
  RecordedUpsert,
  RecordedUser as RecordedUserRow,
} from '../../domain/rows/changes.ts';
import { CHANGE_TYPES, type ChangeType as StoredType } from '../../model/changes.ts';
import { printLogCursor } from '../../model/log-cursors.ts';
import { builder } from './builder.ts';
import { UNPAGED_LIST_SIZE } from './complexity.ts';
import { enumValues } from './enums.ts';
import { GroupType } from './group-inputs.ts';
import { Group } from './groups.ts';

/** The words of an enum, for `enumValues`. */
const wordsOf = <Word extends string>(words: Record<Word, unknown>) => Object.keys(words) as Word[];

export const ChangeType = builder.enumType('ChangeType', {
  description: 'Types of changes, for the filters of lists of changes.',
  values: enumValues(wordsOf(CHANGE_TYPES), {
    GROUP_CREATED: 'A group was created: `GroupCreated`.',
    GROUP_UPDATED: 'A group was updated or moved: `GroupUpdated`.',
    GROUP_DELETED: 'A group was deleted: `GroupDeleted`.',
    GROUP_RESTORED: 'A group was restored: `GroupRestored`.',
    MEMBERS_ADDED: 'Users became direct members of a group: `MembersAdded`.',
    MEMBERS_REMOVED: 'Direct members of a group were removed: `MembersRemoved`.',
    GROUPS_NESTED: 'Groups were nested in a group: `GroupsNested`.',
    GROUPS_UNNESTED: 'Nestings in a group ended: `GroupsUnnested`.',
    USERS_UPSERTED: 'Users were created or updated: `UsersUpserted`.',
    USERS_REMOVED: 'Users were removed: `UsersRemoved`.',
    USERS_ERASED: 'Personal data of users was erased: `UsersErased`.',
    TENANT_UPDATED: 'The tenant was renamed: `TenantUpdated`.',
    DIRECTORY_REPAIRED: 'An operator repaired derived data: `DirectoryRepaired`.',
  }),
});

const ActorType = builder.enumType('ActorType', {
  description: 'Kinds of authors of changes.',
  values: enumValues(['USER', 'SERVICE'] as const, {
    USER: 'A person.',
    SERVICE: 'A service, an import, or an operator.',
  }),
});

const ChangeActor = builder.objectRef<ChangeRow>('ChangeActor').implement({
  description: 'The author of a change.',
  fields: (t) => ({
    subject: t.exposeString('actorId', {
      nullable: false,
      description: "Subject of the author's token: the id of a user or a service.",
    }),
    type: t.field({
      type: ActorType,
      nullable: false,
      description: 'Whether the author is a user or a service.',
      resolve: ({ actorType }) => (actorType === 'user' ? 'USER' : 'SERVICE'),
    }),
  }),
});

/** The object type of each stored type of changes. */
export const TYPE_NAMES = {
  'group.created': 'GroupCreated',
  'group.updated': 'GroupUpdated',
  'group.deleted': 'GroupDeleted',
  'group.restored': 'GroupRestored',
  'group_membership.added': 'MembersAdded',
  'group_membership.removed': 'MembersRemoved',
  'group_nesting.added': 'GroupsNested',
  'group_nesting.removed': 'GroupsUnnested',
  'users.upserted': 'UsersUpserted',
  'users.removed': 'UsersRemoved',
  'users.erased': 'UsersErased',
  'tenant.updated': 'TenantUpdated',
  'directory.repaired': 'DirectoryRepaired',
} as const satisfies Record<StoredType, string>;

const resolveType = ({ type }: ChangeRow) => TYPE_NAMES[type];

export const Change = builder.interfaceRef<ChangeRow>('Change').implement({
  description:
    "A change of a tenant's directory, as the tenant's log holds it. Changes of one transaction have one position.",
  resolveType,
  fields: (t) => ({
    position: t.expose('position', {
      type: 'Position',
      nullable: false,
      description: "Position of the change in the tenant's log.",
    }),
    cursor: t.string({
      nullable: false,
      description: 'Cursor of the change, to go on from wherever changes are read. It can be kept for ever.',
      resolve: printLogCursor,
    }),
    at: t.expose('at', { type: 'DateTime', nullable: false, description: 'When it happened.' }),
    actor: t.field({
      type: ChangeActor,
      nullable: false,
      complexity: 0,
      description: 'Who made the change.',
      resolve: (change) => change,
    }),
  }),
});

export const GroupChange = builder.interfaceRef<ChangeRow & { groupId: string }>('GroupChange').implement({
  description: 'A change of a group, of its members, or of what is nested in it.',
  interfaces: [Change],
  resolveType,
  fields: (t) => ({
    groupId: t.exposeID('groupId', { nullable: false, description: 'Id of the group.' }),
    group: t.field({
      type: Group,
      description: 'The group as it is now; null if it is deleted.',
      resolve: ({ groupId }, _args, { directory }) => findGroup(directory, groupId),
    }),
  }),
});

export const UsersChange = builder.interfaceRef<ChangeRow>('UsersChange').implement({
  description: 'A change that concerns users: themselves, or their direct memberships.',
  interfaces: [Change],
  resolveType,
  fields: (t) => ({
    userIds: t.idList({
      nullable: false,
      complexity: UNPAGED_LIST_SIZE,
      description: 'Ids of the users, all of them: a change of a large group can have many thousands.',
      resolve: ({ userIds }) => userIds ?? [],
    }),
    userCount: t.int({
      nullable: false,
      description: 'Number of the users.',
      resolve: ({ userCount }) => userCount ?? 0,
    }),
  }),
});

export const NestingsChange = builder.interfaceRef<ChangeRow>('NestingsChange').implement({
  description: 'A change by which nestings in a group began or ended.',
  interfaces: [Change],
  resolveType,
  fields: (t) => ({
    childGroupIds: t.idList({
      nullable: false,
      description: 'Ids of the groups that are nested in the group now, or were until then.',
      resolve: ({ groupIds }) => groupIds ?? [],
    }),
  }),
});

export const RecordedGroup = builder.objectRef<RecordedGroupRow>('RecordedGroup').implement({
  description:
    'Fields of a group as a change recorded them. A move by a deletion or a restoration recorded the parent alone.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Name of the group; null if it was not recorded.' }),
    description: t.exposeString('description', { description: 'Description of the group.' }),
    parentGroupId: t.exposeID('parentGroupId', {
      description: 'Id of the parent in the hierarchy; null for a root.',
    }),
    customAttributes: t.expose('customAttributes', {
      type: 'JSONObject',
      description: 'Custom attributes of the group.',
    }),
    type: t.expose('type', { type: GroupType, description: 'Purpose of the group; null if not recorded.' }),
  }),
});

export const RecordedTenant = builder.objectRef<RecordedTenantRow>('RecordedTenant').implement({
  description: 'Fields of a tenant as a change recorded them.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Name of the tenant.' }),
    slug: t.exposeString('slug', { description: 'Short name for use in URLs.' }),
  }),
});

const RecordedUser = builder.objectRef<RecordedUserRow>('RecordedUser').implement({
  description: 'Fields of a user as a change recorded them.',
  fields: (t) => ({
    email: t.exposeString('email', { nullable: false, description: 'Email address.' }),
    displayName: t.exposeString('displayName', { description: 'Display name of the user.' }),
  }),
});

export const UserUpsert = builder.objectRef<RecordedUpsert>('UserUpsert').implement({
  description:
    'A user as a change created or updated it. Both values are null once its personal data is erased.',
  fields: (t) => ({
    userId: t.exposeID('id', { nullable: false, description: 'Id of the user.' }),
    before: t.expose('before', {
      type: RecordedUser,
      description: 'The user before the change; null if the change created it.',
    }),
    after: t.expose('after', {
      type: RecordedUser,
      description: 'The user after the change.',
    }),
  }),
});
