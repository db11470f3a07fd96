// How many effective members groups have: cached, and revalidated before use.
import type { Reader } from '../directory.ts';
import { changesSince, noneOf } from './change-feed.ts';
import { closureCache, type NestingClosure, readClosures } from './closure.ts';
import { applyCountDeltas } from './count-deltas.ts';

/**
 * Effective members of each group; 0 for one that is not in sight. One statement if nothing has changed; two if members
 * came or went below; one more if nestings changed, and one if all must be counted anew.
 */
export async function loadEffectiveCounts(directory: Reader, ids: readonly string[]): Promise<number[]> {
  const memory = closureCache(directory.db);
  const counts = new Map<string, number>();
  // As they were when changes were asked for: others may keep something newer while the answer is on its way.
  const counted = new Map<string, NestingClosure>();
  for (const id of ids) {
    const known = memory.get(id);
    if (known && known.count !== null) counted.set(id, known);
  }
  const keys = [...counted].map(([groupId, { snapshot }]) => ({ groupId, snapshot }));
  const changes = await changesSince(directory, keys);
  const found = [...counted].map(([id, known], at) => ({ id, known, since: changes[at]! }));
  // Nestings changed somewhere in the tenant, most likely not below this group: then its count still stands.
  const moved = found.filter(({ known, since }) => since && known.nestingVersion !== since.nestingVersion);
  const reread = await readClosures(
    directory,
    moved.map(({ id }) => id),
    false,
  );
  const outdated = new Map<string, NestingClosure>();
  for (const { id, known, since } of found) {
    if (!since) {
      counts.set(id, 0);
      continue;
    }
    const { nestingVersion, snapshot } = since;
    const now = reread.get(id) ?? known;
    if (now.ids !== known.ids || now.nestingVersion !== nestingVersion || since.groupIds === null) continue;
    if (noneOf(known.ids, since)) {
      counts.set(id, known.count!);
      memory.set(id, { ...known, nestingVersion, snapshot });
    } else outdated.set(id, { ...known, nestingVersion });
  }
  try {
    for (const [id, found] of await applyCountDeltas(directory, outdated)) {
      counts.set(id, found.count!);
      memory.set(id, found);
    }
  } catch (error) {
    // What could not be caught up with once would not be the next time either.
    for (const id of outdated.keys()) memory.delete(id);
    throw error;
  }
  const rest = ids.filter((id) => !counts.has(id));
  for (const [id, found] of await readClosures(directory, rest, true)) {
    memory.set(id, found);
    counts.set(id, found.count!);
  }
  return ids.map((id) => counts.get(id) ?? 0);
}
