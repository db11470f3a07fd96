// Ways into the past: `asOf` of tenants, groups and users, by a time or a position.
import { countGroups, findGroup, listGroups } from '../../domain/queries/groups.ts';
import { groupBefore } from '../../domain/queries/membership-explanations.ts';
import { type Moment, momentOf } from '../../domain/queries/moments.ts';
import { countUsers, findUser, findUserByEmail, listUsers } from '../../domain/queries/users.ts';
import type { PageArgs } from '../../model/page.ts';
import { builder } from './builder.ts';
import { connectionCost } from './complexity.ts';
import { connection } from './connections.ts';
import { LostMembershipType } from './explanations.ts';
import { groupListArgs } from './group-inputs.ts';
import { filterOfTenant, Group } from './groups.ts';
import {
  GroupSnapshot,
  GroupSnapshots,
  listing,
  snapshotOf,
  UserSnapshot,
  UserSnapshots,
} from './snapshots.ts';
import { Tenant } from './tenants.ts';
import { User, userListArgs } from './users.ts';

const TenantSnapshot = builder.objectRef<Moment>('TenantSnapshot').implement({
  description: 'A tenant as it was. It has no `id`, so that no cache takes it for the tenant as it is.',
  fields: (t) => ({
    tenantId: t.exposeID('tenantId', { nullable: false, description: 'Id of the tenant.' }),
    position: t.expose('position', {
      type: 'Position',
      nullable: false,
      description: 'The position as of which everything here is.',
    }),
    at: t.expose('at', {
      type: 'DateTime',
      nullable: false,
      description: 'Time of the last change until then.',
    }),
    group: t.field({
      type: GroupSnapshot,
      description: 'The group with this id, deleted since or not; null if there was none.',
      args: { id: t.arg.id({ required: true, description: 'Id of the group.' }) },
      resolve: async ({ directory }, { id }) => snapshotOf(await findGroup(directory, id), directory),
    }),
    user: t.field({
      type: UserSnapshot,
      description: 'The user with this id, removed since or not; null if there was none.',
      args: { id: t.arg.id({ required: true, description: 'Id of the user.' }) },
      resolve: async ({ directory }, { id }) => snapshotOf(await findUser(directory, id), directory),
    }),
    groups: t.connection(
      {
        type: GroupSnapshot,
        description: 'The groups of the tenant.',
        args: groupListArgs,
        complexity: connectionCost,
        resolve: ({ directory, tenantId }, { filter, orderBy, ...args }, _context, info) => {
          const asked = { filter: filterOfTenant(tenantId, filter), orderBy };
          const list = (page: PageArgs) => listGroups(directory, { ...asked, page });
          return connection(
            args,
            info,
            listing(directory, list, () => countGroups(directory, asked)),
          );
        },
      },
      GroupSnapshots,
    ),
    users: t.connection(
      {
        type: UserSnapshot,
        description: 'The users of the tenant, by id by default.',
        args: userListArgs,
        complexity: connectionCost,
        resolve: ({ directory, tenantId }, { search, notInGroupId, orderBy, ...args }, _context, info) => {
          const filter = { tenantId, search, notInGroupId };
          const list = (page: PageArgs) => listUsers(directory, { ...filter, orderBy, page });
          return connection(
            args,
            info,
            listing(directory, list, () => countUsers(directory, filter)),
          );
        },
      },
      UserSnapshots,
    ),
    userByEmail: t.field({
      type: UserSnapshot,
      description: 'The user who had this email address, ignoring case; null if none had.',
      args: { email: t.arg.string({ required: true, description: 'The whole email address.' }) },
      resolve: async ({ directory, tenantId }, { email }) =>
        snapshotOf(await findUserByEmail(directory, { tenantId, email }), directory),
    }),
  }),
});

const AT = 'A time: the last position at or before it counts. Not together with `position`.';
const POSITION = "A position of the tenant's log. Not together with `at`.";
const HIDDEN = 'Null if you cannot see the past: end users cannot.';

builder.prismaObjectField(Tenant, 'asOf', (t) =>
  t.field({
    type: TenantSnapshot,
    description: `The tenant as it was at a time or a position. ${HIDDEN}`,
    args: {
      at: t.arg({ type: 'DateTime', description: AT }),
      position: t.arg({ type: 'Position', description: POSITION }),
    },
    resolve: ({ id }, args, { directory }) => momentOf(directory, id, args),
  }),
);

builder.prismaObjectField(Group, 'asOf', (t) =>
  t.field({
    type: GroupSnapshot,
    description: `The group as it was at a time or a position; null if it did not exist. ${HIDDEN}`,
    args: {
      at: t.arg({ type: 'DateTime', description: AT }),
      position: t.arg({ type: 'Position', description: POSITION }),
    },
    resolve: async ({ id, tenantId }, args, { directory }) => {
      const moment = await momentOf(directory, tenantId, args);
      return moment && snapshotOf(await findGroup(moment.directory, id), moment.directory);
    },
  }),
);

builder.prismaObjectField(User, 'asOf', (t) =>
  t.field({
    type: UserSnapshot,
    description: `The user as it was at a time or a position; null if it did not exist. ${HIDDEN}`,
    args: {
      at: t.arg({ type: 'DateTime', description: AT }),
      position: t.arg({ type: 'Position', description: POSITION }),
    },
    resolve: async ({ id, tenantId }, args, { directory }) => {
      const moment = await momentOf(directory, tenantId, args);
      return moment && snapshotOf(await findUser(moment.directory, id), moment.directory);
    },
  }),
);

builder.objectFields(LostMembershipType, (t) => ({
  group: t.field({
    type: GroupSnapshot,
    description:
      'The group that the user, or the nested group, was in; or the group that was deleted. Null if you do not see it.',
    resolve: (lost, _args, { directory }) => groupBefore(directory, lost, lost.groupId),
  }),
  nestedGroup: t.field({
    type: GroupSnapshot,
    description:
      'The group whose nesting ended. Null if the membership of the user ended, or if you do not see it.',
    resolve: (lost, _args, { directory }) =>
      lost.nestedGroupId === null ? null : groupBefore(directory, lost, lost.nestedGroupId),
  }),
}));
