// What a run can be told by the environment, and the random numbers that follow from its seed.
import { randomFrom } from '../support/random.ts';

function count(name: string, fallback: number): number {
  const text = process.env[name];
  if (!text) return fallback;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${name} must be a whole number above 0`);
  return value;
}

/** Answers that `read-your-writes` compares, over all disturbances. */
export const CHECKS = count('CHAOS_CHECKS', 20_000);
/** Additions and removals that `history` makes. */
export const CHANGES = count('CHAOS_CHANGES', 2_000);
/** Determines what is changed and read; not how requests interleave. */
export const SEED = count('CHAOS_SEED', 1 + (Date.now() % 1_000_000));

export type Random = (below: number) => number;

/** Random numbers of the run's seed; another `stream` has others. */
export const randomOf = (stream: number): Random => randomFrom(SEED + stream * 7_919);

export const pick = <T>(random: Random, items: readonly T[]): T => items[random(items.length)]!;

/** Up to `size` different items, in their order. */
export function sample<T>(random: Random, items: readonly T[], size: number): T[] {
  const left = [...items];
  while (left.length > size) left.splice(random(left.length), 1);
  return left;
}

/** Prints progress and tables where Vitest does not reformat them. */
export const say = (line: string) => process.stderr.write(`${line}\n`);
