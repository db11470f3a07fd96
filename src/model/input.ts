// Reads an operation's input through its zod schema, turning every fault into one refusal.
import type { z } from 'zod';
import { refuse } from './errors.ts';

/** The input as its schema gives it back; refused with each fault of it, not only the first. */
export function parseInput<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  throw refuse.validation(
    result.error.issues.map(({ path, message }) => ({ path: path.map(String), message })),
  );
}
