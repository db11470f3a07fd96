// The viewer: the caller of the request, and what the caller may see and change.
import { findPartner, findTenant } from '../../domain/queries/tenants.ts';
import { findUser } from '../../domain/queries/users.ts';
import { type Caller, isUserCaller } from '../../model/caller.ts';
import { isIdOf } from '../../model/ids.ts';
import { builder } from './builder.ts';
import { Partner, Tenant } from './tenants.ts';
import { User } from './users.ts';

export const ROLES: { [Role in Caller['role']]: { description: string } } = {
  SUPER_ADMIN: { description: 'Sees and changes all tenants.' },
  PLATFORM: {
    description: 'A service of the platform. Sees all tenants, and changes them if its scopes allow it.',
  },
  PARTNER_ADMIN: { description: 'Sees and changes the tenants of one partner.' },
  TENANT_ADMIN: { description: 'Sees and changes one tenant.' },
  SERVICE: { description: 'A service of one tenant. Sees it, and changes it if its scopes allow it.' },
  USER: { description: 'An end user. Sees itself, and the groups of which it is an effective member.' },
};

const ViewerRole = builder.enumType('ViewerRole', {
  description: 'Role of a caller. Decides what the caller may see.',
  values: ROLES,
});

const tenantIdOf = (caller: Caller) =>
  isUserCaller(caller)
    ? caller.tenantId
    : caller.visibility.kind === 'tenant'
      ? caller.visibility.tenantId
      : null;

const partnerIdOf = (caller: Caller) =>
  !isUserCaller(caller) && caller.visibility.kind === 'partner' ? caller.visibility.partnerId : null;

const Viewer = builder.objectRef<Caller>('Viewer').implement({
  description: 'The caller of the request, as described by its token.',
  fields: (t) => ({
    // Not `id`: a client's cache would treat the viewer and the user with the same id as one object.
    subject: t.exposeString('subject', {
      nullable: false,
      description: 'Subject of the token: the id of a user or a service.',
    }),
    role: t.field({
      description: 'Your role.',
      type: ViewerRole,
      nullable: false,
      resolve: ({ role }) => role,
    }),
    mayChange: t.boolean({
      nullable: false,
      description: 'Whether you may change what you can see.',
      resolve: (caller) => !isUserCaller(caller) && caller.mayChange,
    }),
    user: t.field({
      description:
        'You as a user of the directory; null for a service and for a user who is not in the directory.',
      type: User,
      resolve: ({ subject }, _args, { directory }) =>
        isIdOf('user', subject) ? findUser(directory, subject) : null,
    }),
    tenant: t.field({
      description: 'The tenant that you can see; null if you can see several.',
      type: Tenant,
      resolve: (caller, _args, { directory }) => {
        const tenantId = tenantIdOf(caller);
        return tenantId && findTenant(directory, tenantId);
      },
    }),
    partner: t.field({
      description: 'The partner whose tenants you can see; null if you can see only one tenant, or all.',
      type: Partner,
      resolve: (caller, _args, { directory }) => {
        const partnerId = partnerIdOf(caller);
        return partnerId && findPartner(directory, partnerId);
      },
    }),
  }),
});

builder.queryField('viewer', (t) =>
  t.field({
    description: 'The caller of the request, as described by its token.',
    type: Viewer,
    nullable: false,
    resolve: (_root, _args, { directory }) => directory.caller,
  }),
);
