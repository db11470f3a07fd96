// How often each cache of this process had what was asked for: counted where the cache is, told in /metrics.

type Use = { hits: number; misses: number };

const uses = new Map<string, Use>();

/** The counters of a cache, by its name in /metrics. Databases of one process share them. */
export function cacheUse(cache: string): Use {
  const use = uses.get(cache) ?? { hits: 0, misses: 0 };
  uses.set(cache, use);
  return use;
}

/** All caches with their counters. */
export const cacheUses = (): Iterable<[cache: string, use: Readonly<Use>]> => uses;
