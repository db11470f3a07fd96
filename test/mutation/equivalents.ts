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

/** The list, and which of its texts match no fault any more. */
export function readEquivalents() {
  const list = entries.parse(yaml.parse(readFileSync(PATH, 'utf8')) ?? []);
  return {
    reasonFor: ({ file, key }: Fault): string | undefined =>
      list.find((entry) => entry.file === file && entry.faults.some((text) => key.startsWith(text)))?.reason,
    unused: (faults: readonly Fault[]): string[] =>
      list.flatMap((entry) =>
        entry.faults
          .filter((text) => !faults.some(({ file, key }) => file === entry.file && key.startsWith(text)))
          .map((text) => `${entry.file}: ${text}`),
      ),
  };
}
