// Faults that change nothing anybody could see, each with its reason.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import yaml from 'yaml';
import { z } from 'zod';
import { type Fault, nameOf } from './faults.ts';

/** `faults` are keys of faults: the line of the source, ` | ` and the fault. */
const entries = z.array(
  z.strictObject({ file: z.string(), reason: z.string().min(10), faults: z.array(z.string().min(1)).min(1) }),
);

const PATH = join(import.meta.dirname, 'equivalents.yaml');

export type Equivalents = ReturnType<typeof readEquivalents>;

export function readEquivalents() {
  const list = entries.parse(yaml.parse(readFileSync(PATH, 'utf8')) ?? []);
  const names = list.flatMap(({ file, faults }) => faults.map((key) => nameOf({ file, key })));
  const known = new Set(names);
  return {
    isEquivalent: (fault: Fault): boolean => known.has(nameOf(fault)),
    /** Entries that are none of these faults, since the source has moved on, and those that stand twice. */
    stale(faults: readonly Fault[]): string[] {
      const present = new Set(faults.map(nameOf));
      return names.filter((name, at) => !present.has(name) || names.indexOf(name) !== at);
    },
  };
}
