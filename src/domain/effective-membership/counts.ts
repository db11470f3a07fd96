// How many effective members groups have: cached counts, revalidated against the log before use.
import type { Reader } from '../directory.ts';
import { changesSince, noneOf } from './change-feed.ts';
import { closureCache, type NestingClosure, readClosures } from './closure.ts';
import { applyCountDeltas } from './count-deltas.ts';

/**
 * Counts the effective members of each group; 0 for a group that is not visible. One statement if nothing changed; two if
 * direct members below changed; one more if nestings of the tenant changed, and one if a count starts from scratch.
 */
export async function loadEffectiveCounts(reader: Reader, ids: readonly string[]): Promise<number[]> {
  const cache = closureCache(reader.db);
  const counts = new Map<string, number>();
  // Entries as they were before the statement: another request may replace them while it runs.
  const cached = new Map<string, NestingClosure>();
  for (const id of ids) {
    const closure = cache.get(id);
    if (closure && closure.count !== null) cached.set(id, closure);
  }
  const keys = [...cached].map(([groupId, { snapshot }]) => ({ groupId, snapshot }));
  const changes = await changesSince(reader, keys);
  const entries = [...cached].map(([id, closure], index) => ({ id, closure, since: changes[index]! }));
  // A nesting changed somewhere in the tenant. Usually it is not below this group, and the count stays valid.
  const renested = entries.filter(
    ({ closure, since }) => since && closure.nestingVersion !== since.nestingVersion,
  );
  const reread = await readClosures(
    reader,
    renested.map(({ id }) => id),
    false,
  );
  const outdated = new Map<string, NestingClosure>();
  for (const { id, closure, since } of entries) {
    if (!since) {
      counts.set(id, 0);
      continue;
    }
    const { nestingVersion, snapshot } = since;
    const now = reread.get(id) ?? closure;
    if (now.ids !== closure.ids || now.nestingVersion !== nestingVersion || since.groupIds === null) continue;
    if (noneOf(closure.ids, since)) {
      counts.set(id, closure.count!);
      cache.set(id, { ...closure, nestingVersion, snapshot });
    } else outdated.set(id, { ...closure, nestingVersion });
  }
  try {
    for (const [id, closure] of await applyCountDeltas(reader, outdated)) {
      counts.set(id, closure.count!);
      cache.set(id, closure);
    }
  } catch (error) {
    // Deltas that failed once (a timeout) would fail again: the next request counts from scratch.
    for (const id of outdated.keys()) cache.delete(id);
    throw error;
  }
  const rest = ids.filter((id) => !counts.has(id));
  for (const [id, closure] of await readClosures(reader, rest, true)) {
    cache.set(id, closure);
    counts.set(id, closure.count!);
  }
  return ids.map((id) => counts.get(id) ?? 0);
}
