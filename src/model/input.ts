// Validates an operation's input by its zod schema.
import type { z } from 'zod';
import { refuse } from './errors.ts';

/** Returns the parsed input. Throws one VALIDATION_FAILED that lists the validation errors. */
export function parseInput<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  throw refuse.validation(
    result.error.issues.map(({ path, message }) => ({ path: path.map(String), message })),
  );
}
