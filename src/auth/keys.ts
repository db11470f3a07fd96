// The keys that verify tokens: the issuer's, refreshed in the background before they expire, or the development key.
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  type JWK,
  type JWKSCacheInput,
  type JWTVerifyGetKey,
  jwksCache,
} from 'jose';

/** Keys are asked for again at most this often for an unknown key id, in ms: a flood of bad tokens must not become one. */
const COOLDOWN = 30_000;
/** Keys expire after this long, in ms: a withdrawn key must not verify tokens any longer. */
const MAX_AGE = 60_000;
/** Keys of this age are refreshed in the background, in ms: the issuer may be out of reach for the other half. */
const REFRESH_AGE = MAX_AGE / 2;
const TIMEOUT = 2_000;
/** A failed refresh is tried again after this long, in ms. */
const RETRY = 1_000;

export type Keys = {
  get: JWTVerifyGetKey;
  /** Changes with the set of keys, and with it ends what an earlier version verified; null while no set is valid. */
  version(): number | null;
};

export type RemoteKeys = Keys & {
  /** Rejects with what keeps the keys from being fetched, if none that are valid are held. */
  assertValid(): Promise<void>;
};

/** Told of the first failed refresh of several, and with null of the success that ends them. */
export type RefreshListener = (error: unknown) => void;

export const localKeys = (key: JWK): Keys => ({
  get: createLocalJWKSet({ keys: [key] }),
  version: () => 0,
});

export function remoteKeys(url: string, onRefresh: RefreshListener): RemoteKeys {
  /** Written by jose with each fetch: the set as it came, and when. */
  const held: JWKSCacheInput = {};
  const keys = createRemoteJWKSet(new URL(url), {
    cooldownDuration: COOLDOWN,
    cacheMaxAge: MAX_AGE,
    timeoutDuration: TIMEOUT,
    [jwksCache]: held,
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
    const { uat, jwks } = held;
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
