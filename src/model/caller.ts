// Who is calling: what the token said, reduced to what access decides on.
import type { PartnerId, TenantId, UserId } from './ids.ts';

/** Tenants in sight: all, those of one partner, or one. */
export type Visibility =
  | { readonly kind: 'all' }
  | { readonly kind: 'partner'; readonly partnerId: PartnerId }
  | { readonly kind: 'tenant'; readonly tenantId: TenantId };

export type CallerRole = 'SUPER_ADMIN' | 'PLATFORM' | 'PARTNER_ADMIN' | 'TENANT_ADMIN' | 'SERVICE' | 'USER';

type CallerBase = {
  /** The token's `sub`: a user id, or a client id for services. Written into history and events. */
  readonly subject: string;
};

/** Administers or reads every group of the tenants in sight. */
export type DirectoryCaller = CallerBase & {
  readonly role: Exclude<CallerRole, 'USER'>;
  readonly visibility: Visibility;
  /** Whether what is seen may also be changed. */
  readonly mayChange: boolean;
};

/** Sees itself, and id, name and type of the groups it is an effective member of. Changes nothing. */
export type UserCaller = CallerBase & {
  readonly role: 'USER';
  readonly userId: UserId;
  readonly tenantId: TenantId;
};

export type Caller = DirectoryCaller | UserCaller;

/** Resolves to the caller that an Authorization header names; rejects with UNAUTHENTICATED, FORBIDDEN or UNAVAILABLE. */
export type Authenticate = (authorization: string | null) => Promise<Caller>;

/** Whether the caller is a plain user, who sees only itself and its groups. */
export const isUserCaller = (caller: Caller): caller is UserCaller => caller.role === 'USER';
