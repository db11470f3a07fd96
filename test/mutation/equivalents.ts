// Faults that change nothing anybody could see, each with its reason.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import yaml from 'yaml';
import { z } from 'zod';
import type { Fault } from './faults.ts';

/** `faults` are texts that the fault's key begins with: the line of the source, ` | ` and the fault. */
const entries = z.array(
  z.strictObject({ file: z.string(), reason: z.string().min(10), faults: z.array(z.string().min(1)).min(1) }),
);

const PATH = join(import.meta.dirname, 'equivalents.yaml');

export type Equivalents = ReturnType<typeof readEquivalents>;

export function readEquivalents() {
  const list = entries.parse(yaml.parse(readFileSync(PATH, 'utf8')) ?? []);
  const texts = list.flatMap(({ file, faults }) => faults.map((text) => ({ file, text })));
  const matches = (fault: Fault) => (entry: { file: string; text: string }) =>
    entry.file === fault.file && fault.key.startsWith(entry.text);
  return {
    isEquivalent: (fault: Fault): boolean => texts.some(matches(fault)),
    /** Entries that match none of these faults: the source has moved on. */
    stale: (faults: readonly Fault[]): string[] =>
      texts
        .filter((entry) => !faults.some((fault) => matches(fault)(entry)))
        .map(({ file, text }) => `${file}: ${text}`),
  };
}
