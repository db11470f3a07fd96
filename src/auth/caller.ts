// Verifies bearer tokens (signature, issuer, audience, expiry) and turns their claims into a Caller.

import {
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import { LRUCache } from 'lru-cache';
import { cacheUse } from '../model/cache-use.ts';
import type { Authenticate, Caller } from '../model/caller.ts';
import { isDirectoryError, type RefusedToken, refuse } from '../model/errors.ts';
import { callerOf } from './claims.ts';
import { DEVELOPMENT_ISSUER, type DevelopmentKey } from './development-key.ts';
import { type Keys, localKeys, type RefreshListener, remoteKeys } from './keys.ts';

/** Longer tokens are rejected before verifying: no legitimate token is this large, and verification is linear. */
const MAX_TOKEN_BYTES = 8 * 1_024;
/** Clock skew that is tolerated, in seconds. */
const CLOCK_SKEW = 60;
/** Size limit of the cache of verified tokens, in bytes: room for thousands of ordinary tokens. */
const MAX_BYTES = 16_000_000;
/** Measured size of a cache entry without its strings, in bytes. */
const ENTRY_BYTES = 1_000;

export type Issuer = { issuers: readonly string[]; audiences: readonly string[]; jwksUrl: string };
export type Issued = {
  authenticate: Authenticate;
  /** Resolves if the keys that verify tokens are valid or can be fetched; rejects with UNAVAILABLE otherwise. */
  assertKeys: () => Promise<void>;
};

/** Verifies tokens of an identity provider. An issuer may contain `*` in place of the tenant's id. */
export function authenticateIssued(
  { issuers, audiences, jwksUrl }: Issuer,
  onRefresh: RefreshListener,
): Issued {
  const keys = remoteKeys(jwksUrl, onRefresh);
  return {
    authenticate: authenticator(issuers.map(issuerPattern), [...audiences], keys),
    assertKeys: () =>
      keys.assertValid().catch((error: unknown) => {
        throw keysUnavailable(error);
      }),
  };
}

const keysUnavailable = (cause: unknown) =>
  refuse.unavailable('The keys that verify tokens cannot be reached; try again', cause);

/** Verifies tokens that this server has signed. */
export function authenticateDevelopment({ publicJwk }: DevelopmentKey): Authenticate {
  return authenticator([issuerPattern(DEVELOPMENT_ISSUER)], [DEVELOPMENT_ISSUER], localKeys(publicJwk));
}

const use = cacheUse('tokens');

/** Rejects with UNAUTHENTICATED for an invalid token, and with UNAVAILABLE if the keys cannot be fetched. */
function authenticator(issuers: RegExp[], audience: string[], keys: Keys): Authenticate {
  const cache = new LRUCache<string, Verified>({
    maxSize: MAX_BYTES,
    // The token takes two bytes per character at most; the caller's strings are a part of its claims.
    sizeCalculation: (_caller, token) => ENTRY_BYTES + 3 * token.length,
  });
  return async (authorization) => {
    const token = bearerToken(authorization);
    // Read the version before verifying: keys fetched in between have not verified this token.
    const version = keys.version();
    const cached = cache.get(token);
    const valid = cached && cached.version === version && Date.now() < cached.until;
    use[valid ? 'hits' : 'misses'] += 1;
    if (valid) return cached.caller;
    cache.delete(token);
    const payload = await verified(token, audience, keys.get);
    const claimed = withTokenDetails(token, () => callerOf(payload, issuerTenant(payload.iss, issuers)));
    const until = (payload.exp! + CLOCK_SKEW) * 1_000;
    const caller = { ...claimed, expiresAt: until };
    if (version !== null) cache.set(token, { caller, version, until });
    return caller;
  };
}

/**
 * The tenant that the issuer represents; null for an issuer trusted with all tenants. An issuer that matches both kinds of
 * pattern represents its tenant. UNAUTHENTICATED unless it is a single string (RFC 7519, section 4.1.1) and trusted.
 */
function issuerTenant(issuer: unknown, trusted: readonly RegExp[]): string | null {
  const matches =
    typeof issuer === 'string'
      ? trusted.map((pattern) => pattern.exec(issuer)).filter((match) => match !== null)
      : [];
  if (matches.length === 0) {
    throw refuse.unauthenticated('The token comes from an issuer that is not trusted here');
  }
  return matches.map(([, tenant]) => tenant).find((tenant) => tenant !== undefined) ?? null;
}

/** The caller of a token verified by this version of the keys; `until` is the token's expiry, in ms. */
type Verified = { caller: Caller; version: number; until: number };

function bearerToken(authorization: string | null): string {
  if (authorization === null) throw refuse.unauthenticated('A bearer token is required');
  // RFC 6750, section 2.1; the scheme's name is case-insensitive (RFC 9110, section 11.1).
  const header = authorization.trim();
  const token = /^bearer +([\w.~+/-]+=*)$/i.exec(header)?.[1];
  if (!token) {
    const message = 'The Authorization header is not a bearer token';
    throw refuse.unauthenticated(message, /^bearer /i.test(header) ? { reason: 'malformed' } : undefined);
  }
  if (Buffer.byteLength(token) > MAX_TOKEN_BYTES) {
    const message = `The token is longer than ${MAX_TOKEN_BYTES} bytes`;
    throw refuse.unauthenticated(message, { reason: message });
  }
  return token;
}

/** Returns the result of `read`. If it refuses the token's claims, the refusal carries the token's details for the log. */
function withTokenDetails<Value>(token: string, read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (!isDirectoryError(error)) throw error;
    const { code, message } = error;
    const refused = code === 'FORBIDDEN' ? refuse.forbidden : refuse.unauthenticated;
    throw refused(message, refusedToken(token, message));
  }
}

/** Characters of a claim that are logged: the sender of a token controls their number. */
const MAX_CLAIM = 200;

/** The details of a token for the log. They are unverified: the sender may have written anything. */
function refusedToken(token: string, reason: string): RefusedToken {
  const { kid, alg } = readable(() => decodeProtectedHeader(token));
  const { iss, aud, exp } = readable(() => decodeJwt(token));
  const details = { reason, issuer: iss, audience: aud, keyId: kid, algorithm: alg, expires: exp };
  const present = Object.entries(details).filter(([, value]) => value !== undefined);
  return Object.fromEntries(present.map(([name, value]) => [name, shortened(value)])) as RefusedToken;
}

function shortened(value: unknown): unknown {
  if (typeof value === 'number') return value;
  return (typeof value === 'string' ? value : JSON.stringify(value)).slice(0, MAX_CLAIM);
}

/** The result of `read`; empty if the token cannot be decoded. */
function readable<Value extends object>(read: () => Value): Partial<Value> {
  try {
    return read();
  } catch {
    return {};
  }
}

async function verified(token: string, audience: string[], keys: JWTVerifyGetKey): Promise<JWTPayload> {
  try {
    const { payload, protectedHeader } = await jwtVerify(token, keys, {
      algorithms: ['RS256', 'ES256'],
      audience,
      clockTolerance: CLOCK_SKEW,
      requiredClaims: ['iss', 'aud', 'exp', 'sub'],
    });
    if (!isAccessToken(protectedHeader.typ)) throw new errors.JWTInvalid('unexpected "typ"');
    return payload;
  } catch (error) {
    if (!isAboutToken(error)) throw keysUnavailable(error);
    const expired = error instanceof errors.JWTExpired;
    throw refuse.unauthenticated(
      expired ? 'The token has expired' : 'The token is invalid',
      refusedToken(token, error.message),
    );
  }
}

/**
 * Whether the type is that of an access token (RFC 9068, section 4; media types ignore case: RFC 7515, section 4.1.9). The
 * same keys may also sign proofs, logout tokens or security events (RFC 8725, section 3.11).
 */
const isAccessToken = (type: unknown): boolean =>
  type === undefined || (typeof type === 'string' && /^(?:application\/)?(?:at\+)?jwt$/i.test(type));

/** Whether the error is about the token, and not about keys that jose could not fetch. */
function isAboutToken(error: unknown): error is errors.JOSEError {
  if (!(error instanceof errors.JOSEError)) return false;
  return (
    !(error instanceof errors.JWKSTimeout) &&
    !(error instanceof errors.JWKSInvalid) &&
    error.code !== 'ERR_JOSE_GENERIC'
  );
}

/** A pattern for exactly this issuer, in which `*` captures one path segment, the tenant's id. */
function issuerPattern(issuer: string): RegExp {
  const parts = issuer.split('*').map((part) => part.replaceAll(/[.+?^${}()|[\]\\/]/g, '\\$&'));
  return new RegExp(`^${parts.join('([A-Za-z0-9_-]+)')}$`);
}
