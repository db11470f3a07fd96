// Who is asking, and what they may do.
import { findPartner, findTenant } from '../../domain/queries/tenants.ts';
import { findUser } from '../../domain/queries/users.ts';
import { type Caller, isUserCaller } from '../../model/caller.ts';
import { isIdOf } from '../../model/ids.ts';
import { builder } from './builder.ts';
import { Partner, Tenant } from './tenants.ts';
import { User } from './users.ts';

export const ROLES: { [Role in Caller['role']]: { description: string } } = {
  SUPER_ADMIN: { description: 'Sees and changes everything.' },
  PLATFORM: {
    description: 'A service of the platform: sees everything, and changes it if its scopes allow.',
  },
  PARTNER_ADMIN: { description: 'Sees and changes the tenants of one partner.' },
  TENANT_ADMIN: { description: 'Sees and changes one tenant.' },
  SERVICE: { description: 'A service of one tenant: sees it, and changes it if its scopes allow.' },
  USER: { description: 'Sees itself and the groups it is an effective member of.' },
};

const ViewerRole = builder.enumType('ViewerRole', {
  description: 'What a caller is, which decides what it sees.',
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
  description: 'You, as your token says.',
  fields: (t) => ({
    // Not `id`: clients' caches would take it and the user of the same id for one object.
    subject: t.exposeString('subject', {
      nullable: false,
      description: 'Subject of the token: the id of a user, or of a service.',
    }),
    role: t.field({
      description: 'What you are.',
      type: ViewerRole,
      nullable: false,
      resolve: ({ role }) => role,
    }),
    mayChange: t.boolean({
      nullable: false,
      description: 'Whether you may change what you see.',
      resolve: (caller) => !isUserCaller(caller) && caller.mayChange,
    }),
    user: t.field({
      description:
        'You as a user of the directory; null for a service, and where the directory does not know you.',
      type: User,
      resolve: ({ subject }, _args, { directory }) =>
        isIdOf('user', subject) ? findUser(directory, subject) : null,
    }),
    tenant: t.field({
      description: 'The one tenant that you see; null if you see several.',
      type: Tenant,
      resolve: (caller, _args, { directory }) => {
        const tenantId = tenantIdOf(caller);
        return tenantId && findTenant(directory, tenantId);
      },
    }),
    partner: t.field({
      description: 'The partner whose tenants you see; null if you see one tenant, or all.',
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
    description: 'You, as your token says.',
    type: Viewer,
    nullable: false,
    resolve: (_root, _args, { directory }) => directory.caller,
  }),
);
