// Turns the claims of a verified token into a Caller: what it may see and change.
import { z } from 'zod';
import type { Caller, Visibility } from '../model/caller.ts';
import { refuse } from '../model/errors.ts';
import { isIdOf, partnerId, type TenantId, tenantId } from '../model/ids.ts';

/** The claims that are used; all others are ignored (the identity platform's token description). */
const claims = z.object({
  // The subject is recorded as the author of changes, so it must be text that can be stored and displayed.
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
 * The caller that the claims describe. `issuerTenant` is the tenant named by the issuer's URL: its tokens are limited to that
 * tenant, so administrators of more become its administrators, and platform tokens become its services. Throws UNAUTHENTICATED
 * for claims that contradict each other or lack what their role needs, FORBIDDEN for machines without a scope.
 */
export function callerOf(payload: object, issuerTenant: string | null): Caller {
  const result = claims.safeParse(payload);
  if (!result.success) {
    const names = result.error.issues.map((issue) => issue.path.join('.'));
    throw refuse.unauthenticated(`The token has invalid claims: ${names.join(', ')}`);
  }
  const { sub: subject, scope, role, partner_id, platform_token } = result.data;
  const boundTo = issuerTenant === null ? null : tenantOfIssuer(issuerTenant, result.data.tenant_id);
  const tenant_id = boundTo ?? result.data.tenant_id;
  const scopes = new Set(scope?.split(' '));
  const directory = (directoryRole: DirectoryRole, visibility: Visibility, mayChange: boolean): Caller =>
    boundTo === null
      ? { role: directoryRole, subject, visibility, mayChange }
      : {
          role: WITHIN_TENANT[directoryRole],
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

/** The role that each role is limited to if the token's issuer represents one tenant. */
const WITHIN_TENANT = {
  SUPER_ADMIN: 'TENANT_ADMIN',
  PARTNER_ADMIN: 'TENANT_ADMIN',
  TENANT_ADMIN: 'TENANT_ADMIN',
  PLATFORM: 'SERVICE',
  SERVICE: 'SERVICE',
} as const satisfies Record<DirectoryRole, DirectoryRole>;

/** The tenant that the issuer represents. UNAUTHENTICATED if the `tenant_id` claim names another one. */
function tenantOfIssuer(named: string, claimed: TenantId | undefined): TenantId {
  if (!isIdOf('tenant', named) || (claimed !== undefined && claimed !== named)) {
    throw refuse.unauthenticated("The token's tenant_id is not the tenant of its issuer");
  }
  return named;
}

const missing = (claim: string, role: string) =>
  refuse.unauthenticated(`The token lacks ${claim}, which ${role} needs`);
