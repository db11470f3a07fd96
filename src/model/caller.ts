// The caller of a request: the parts of its token that access control uses.
import type { PartnerId, TenantId, UserId } from './ids.ts';

/** The tenants that a caller can see: all, those of one partner, or one. */
export type Visibility =
  | { readonly kind: 'all' }
  | { readonly kind: 'partner'; readonly partnerId: PartnerId }
  | { readonly kind: 'tenant'; readonly tenantId: TenantId };

export type CallerRole = 'SUPER_ADMIN' | 'PLATFORM' | 'PARTNER_ADMIN' | 'TENANT_ADMIN' | 'SERVICE' | 'USER';

type CallerBase = {
  /** The token's `sub`: a user id, or a client id for services. Recorded in history and events. */
  readonly subject: string;
  /** When the token expires, in milliseconds since 1970; absent without a token. A stream must not outlive it. */
  readonly expiresAt?: number;
};

/** A caller that administers or reads every group of the tenants it can see. */
export type DirectoryCaller = CallerBase & {
  readonly role: Exclude<CallerRole, 'USER'>;
  readonly visibility: Visibility;
  /** Whether the caller may change what it can see. */
  readonly mayChange: boolean;
};

/** An end user: sees itself, and id, name and type of the groups it is an effective member of. Changes nothing. */
export type UserCaller = CallerBase & {
  readonly role: 'USER';
  readonly userId: UserId;
  readonly tenantId: TenantId;
};

export type Caller = DirectoryCaller | UserCaller;

/** Resolves to the caller that an Authorization header names; rejects with UNAUTHENTICATED, FORBIDDEN or UNAVAILABLE. */
export type Authenticate = (authorization: string | null) => Promise<Caller>;

/** Whether the caller is an end user, who sees only itself and its groups. */
export const isUserCaller = (caller: Caller): caller is UserCaller => caller.role === 'USER';
