// Bearer token → Caller: signature, issuer, audience and time by jose, then the claims.
import {
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import { LRUCache } from 'lru-cache';
import type { Authenticate, Caller } from '../model/caller.ts';
import { isDirectoryError, type RefusedToken, refuse } from '../model/errors.ts';
import { callerOf } from './claims.ts';
import { DEVELOPMENT_ISSUER, type DevelopmentKey } from './development-key.ts';
import { type Keys, localKeys, type RefreshListener, remoteKeys } from './keys.ts';

/** Longer tokens are refused unread: none of the platform's comes near, and verifying costs by length. */
const MAX_TOKEN_BYTES = 8 * 1_024;
/** Difference of clocks that is forgiven, in seconds. */
const CLOCK_SKEW = 60;
/** Most bytes of the cache of verified tokens and their callers: thousands of ordinary tokens. */
const MAX_BYTES = 16_000_000;
/** What an entry was found to take beside its texts. */
const ENTRY_BYTES = 1_000;

export type Issuer = { issuers: readonly string[]; audiences: readonly string[]; jwksUrl: string };
export type Issued = {
  authenticate: Authenticate;
  /** Resolves while the keys that verify tokens are valid, or can be fetched; else UNAVAILABLE. */
  assertKeys: () => Promise<void>;
};

/** Verifies tokens of an identity provider; an issuer may hold `*` for the tenant's part. */
export function authenticateIssued(
  { issuers, audiences, jwksUrl }: Issuer,
  onRefresh: RefreshListener,
): Issued {
  const keys = remoteKeys(jwksUrl, onRefresh);
  return {
    authenticate: authenticator(issuers.map(issuerPattern), [...audiences], keys),
    assertKeys: () =>
      keys.assertValid().catch((error: unknown) => {
        throw keysOutOfReach(error);
      }),
  };
}

const keysOutOfReach = (cause: unknown) =>
  refuse.unavailable('The keys that verify tokens cannot be reached; try again', cause);

/** Verifies tokens that this server signed itself. */
export function authenticateDevelopment({ publicJwk }: DevelopmentKey): Authenticate {
  return authenticator([issuerPattern(DEVELOPMENT_ISSUER)], [DEVELOPMENT_ISSUER], localKeys(publicJwk));
}

/** Rejects with UNAUTHENTICATED for a token that does not hold, UNAVAILABLE when the keys cannot be had. */
function authenticator(issuers: RegExp[], audience: string[], keys: Keys): Authenticate {
  const cache = new LRUCache<string, Verified>({
    maxSize: MAX_BYTES,
    // What the caller holds of the token's claims, and its texts take two bytes a character at most.
    sizeCalculation: (_caller, token) => ENTRY_BYTES + 3 * token.length,
  });
  return async (authorization) => {
    const token = bearerToken(authorization);
    // Read before the token is verified: a set that comes meanwhile has not verified it.
    const version = keys.version();
    const known = cache.get(token);
    if (known && known.version === version && Date.now() < known.until) return known.caller;
    cache.delete(token);
    const payload = await verified(token, audience, keys.get);
    const caller = explained(token, () => callerOf(payload, issuerTenant(payload.iss, issuers)));
    if (version !== null) cache.set(token, { caller, version, until: (payload.exp! + CLOCK_SKEW) * 1_000 });
    return caller;
  };
}

/**
 * The tenant that the issuer stands for; null for one that is trusted with all. One that matches in both ways stands for
 * its tenant. Refused unless it is one text (RFC 7519, section 4.1.1) and trusted here.
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

/** A token that was verified by this version of the keys; `until` is when it expires, in ms. */
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

/** What `read` makes of a token's claims; its refusals say which token they are about. */
function explained<Value>(token: string, read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (!isDirectoryError(error)) throw error;
    const { code, message } = error;
    const refused = code === 'FORBIDDEN' ? refuse.forbidden : refuse.unauthenticated;
    throw refused(message, refusedToken(token, message));
  }
}

/** Characters of a claim that are logged: a token's sender chooses them. */
const MAX_CLAIM = 200;

/** What the log is told of a token. It is not verified: what it says of itself may be anything. */
function refusedToken(token: string, reason: string): RefusedToken {
  const { kid, alg } = readable(() => decodeProtectedHeader(token));
  const { iss, aud, exp } = readable(() => decodeJwt(token));
  const told = { reason, issuer: iss, audience: aud, keyId: kid, algorithm: alg, expires: exp };
  const given = Object.entries(told).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given.map(([name, value]) => [name, shortened(value)])) as RefusedToken;
}

function shortened(value: unknown): unknown {
  if (typeof value === 'number') return value;
  return (typeof value === 'string' ? value : JSON.stringify(value)).slice(0, MAX_CLAIM);
}

/** Nothing, where a token cannot be read. */
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
    if (!isAboutToken(error)) throw keysOutOfReach(error);
    const expired = error instanceof errors.JWTExpired;
    throw refuse.unauthenticated(
      expired ? 'The token has expired' : 'The token does not hold',
      refusedToken(token, error.message),
    );
  }
}

/**
 * Whether a token of this type grants access (RFC 9068, section 4, and RFC 7515, section 4.1.9: media types ignore case).
 * Others that the same keys sign are proofs, logout tokens or security events (RFC 8725, section 3.11).
 */
const isAccessToken = (type: unknown): boolean =>
  type === undefined || (typeof type === 'string' && /^(?:application\/)?(?:at\+)?jwt$/i.test(type));

/** Whether the token is at fault: what jose throws about keys it could not fetch is not. */
function isAboutToken(error: unknown): error is errors.JOSEError {
  if (!(error instanceof errors.JOSEError)) return false;
  return (
    !(error instanceof errors.JWKSTimeout) &&
    !(error instanceof errors.JWKSInvalid) &&
    error.code !== 'ERR_JOSE_GENERIC'
  );
}

/** Exactly this issuer, with each `*` standing for one path segment, the tenant's. */
function issuerPattern(issuer: string): RegExp {
  const parts = issuer.split('*').map((part) => part.replaceAll(/[.+?^${}()|[\]\\/]/g, '\\$&'));
  return new RegExp(`^${parts.join('([A-Za-z0-9_-]+)')}$`);
}
