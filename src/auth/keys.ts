// The keys that verify tokens: the issuer's keys, refreshed in the background before they expire, or the development key.
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  type JWK,
  type JWKSCacheInput,
  type JWTVerifyGetKey,
  jwksCache,
} from 'jose';

/** Minimum interval between fetches for an unknown key id, in ms: bad tokens must not cause a flood of requests. */
const COOLDOWN = 30_000;
/** Lifetime of fetched keys, in ms: a revoked key must stop verifying tokens. */
const MAX_AGE = 60_000;
/** Age at which keys are refreshed in the background, in ms: the issuer may be unavailable for the other half. */
const REFRESH_AGE = MAX_AGE / 2;
/** Timeout of a fetch, in ms: requests with an unknown key id wait for it. */
const TIMEOUT = 2_000;
/** Delay before a failed refresh is retried, in ms: short, because the keys may expire meanwhile. */
const RETRY = 1_000;

export type Keys = {
  get: JWTVerifyGetKey;
  /** Version of the key set; it changes with the set and invalidates cached tokens. Null while no set is valid. */
  version(): number | null;
};

export type RemoteKeys = Keys & {
  /** Resolves if the keys are valid or can be fetched; rejects with the error of the fetch otherwise. */
  assertValid(): Promise<void>;
};

/** Called with the error of the first failed refresh in a row, and with null when a refresh succeeds again. */
export type RefreshListener = (error: unknown) => void;

export const localKeys = (key: JWK): Keys => ({
  get: createLocalJWKSet({ keys: [key] }),
  version: () => 0,
});

export function remoteKeys(url: string, onRefresh: RefreshListener): RemoteKeys {
  /** The fetched key set and its time, written by jose. */
  const fetched: JWKSCacheInput = {};
  const keys = createRemoteJWKSet(new URL(url), {
    cooldownDuration: COOLDOWN,
    cacheMaxAge: MAX_AGE,
    timeoutDuration: TIMEOUT,
    [jwksCache]: fetched,
  });
  let failure: { error: unknown; until: number } | null = null;
  let seen: { set: unknown; text: string; version: number } = { set: null, text: '', version: 0 };

  /** Never rejects. */
  async function refresh(): Promise<void> {
    if (failure && Date.now() < failure.until) return;
    try {
      await keys.reload();
      if (failure) onRefresh(null);
      failure = null;
    } catch (error) {
      if (!failure) onRefresh(error);
      failure = { error, until: Date.now() + RETRY };
    }
  }

  function version(): number | null {
    const { uat, jwks } = fetched;
    if (uat === undefined || !keys.fresh) return null;
    if (Date.now() >= uat + REFRESH_AGE && !keys.reloading) refresh().catch(() => {});
    if (seen.set !== jwks) {
      const text = JSON.stringify(jwks);
      seen = { set: jwks, text, version: text === seen.text ? seen.version : seen.version + 1 };
    }
    return seen.version;
  }

  return {
    get: keys,
    version,
    async assertValid() {
      if (version() !== null) return;
      await refresh();
      if (failure && !keys.fresh) throw failure.error;
    },
  };
}
