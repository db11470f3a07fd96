// Claims → Caller: what a verified token lets its bearer see and change.
import { z } from 'zod';
import type { Caller, Visibility } from '../model/caller.ts';
import { refuse } from '../model/errors.ts';
import { isIdOf, partnerId, type TenantId, tenantId } from '../model/ids.ts';

/** The claims that decide; all others are ignored (identity platform's token description). */
const claims = z.object({
  // It is written down as the author of changes, and so must be text that can be stored and shown.
  sub: z
    .string()
    .min(1)
    .max(255)
    .refine((text) => !/[\p{Cc}\p{Cs}]/u.test(text)),
  scope: z.string().optional(),
  role: z.string().optional(),
  tenant_id: tenantId.optional(),
  partner_id: partnerId.optional(),
  platform_token: z.boolean().optional(),
});

/**
 * The caller that the claims describe; `issuerTenant` is the tenant that the issuer's URL names, which is all that its
 * tokens can give sight of: administrators of more are that tenant's, and platform tokens its services. Throws
 * UNAUTHENTICATED for claims that contradict each other or miss what their role needs, FORBIDDEN for machines
 * without a scope.
 */
export function callerOf(payload: object, issuerTenant: string | null): Caller {
  const result = claims.safeParse(payload);
  if (!result.success) {
    const names = result.error.issues.map((issue) => issue.path.join('.'));
    throw refuse.unauthenticated(`The token's claims do not hold: ${names.join(', ')}`);
  }
  const { sub: subject, scope, role, partner_id, platform_token } = result.data;
  const boundTo = issuerTenant === null ? null : tenantOfIssuer(issuerTenant, result.data.tenant_id);
  const tenant_id = boundTo ?? result.data.tenant_id;
  const scopes = new Set(scope?.split(' '));
  const directory = (as: DirectoryRole, visibility: Visibility, mayChange: boolean): Caller =>
    boundTo === null
      ? { role: as, subject, visibility, mayChange }
      : {
          role: WITHIN_TENANT[as],
          subject,
          visibility: { kind: 'tenant', tenantId: boundTo },
          mayChange,
        };

  if (platform_token === true) {
    if (!scopes.has('admin:read') && !scopes.has('admin:write')) {
      throw refuse.forbidden('Platform token requires admin:read or admin:write scope');
    }
    return directory('PLATFORM', { kind: 'all' }, scopes.has('admin:write'));
  }
  switch (role) {
    case 'super_admin':
      return directory('SUPER_ADMIN', { kind: 'all' }, true);
    case 'partner_admin':
      if (!partner_id) throw missing('partner_id', role);
      return directory('PARTNER_ADMIN', { kind: 'partner', partnerId: partner_id }, true);
    case 'tenant_admin':
      if (!tenant_id) throw missing('tenant_id', role);
      return directory('TENANT_ADMIN', { kind: 'tenant', tenantId: tenant_id }, true);
    case undefined:
      break;
    default:
      throw refuse.unauthenticated(`The token's role is not known: ${role}`);
  }
  if (!tenant_id) throw missing('tenant_id', 'a token without a role');
  if (isIdOf('user', subject)) return { role: 'USER', subject, userId: subject, tenantId: tenant_id };
  if (!scopes.has('groups:read') && !scopes.has('groups:write')) {
    throw refuse.forbidden('Service token requires groups:read or groups:write scope');
  }
  return directory('SERVICE', { kind: 'tenant', tenantId: tenant_id }, scopes.has('groups:write'));
}

type DirectoryRole = Exclude<Caller['role'], 'USER'>;

/** What each role comes to if its token's issuer stands for one tenant. */
const WITHIN_TENANT = {
  SUPER_ADMIN: 'TENANT_ADMIN',
  PARTNER_ADMIN: 'TENANT_ADMIN',
  TENANT_ADMIN: 'TENANT_ADMIN',
  PLATFORM: 'SERVICE',
  SERVICE: 'SERVICE',
} as const satisfies Record<DirectoryRole, DirectoryRole>;

/** The tenant that the issuer stands for, which the claim must not contradict. */
function tenantOfIssuer(named: string, claimed: TenantId | undefined): TenantId {
  if (!isIdOf('tenant', named) || (claimed !== undefined && claimed !== named)) {
    throw refuse.unauthenticated("The token's tenant_id is not the tenant of its issuer");
  }
  return named;
}

const missing = (claim: string, role: string) =>
  refuse.unauthenticated(`The token lacks ${claim}, which ${role} needs`);
