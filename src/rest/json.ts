// Declares JSON requests and responses, and rejects bodies that are not valid JSON.
import type { z } from '@hono/zod-openapi';
import { createMiddleware } from 'hono/factory';
import { HTTPException } from 'hono/http-exception';
import { parseJson, RepeatedKey } from '../model/json.ts';
import type { RestEnv } from './context.ts';
import type { ValidationError } from './validation-errors.ts';

/** Declares a response with a JSON body. */
export const json = <Schema extends z.ZodType>(description: string, schema: Schema) => ({
  description,
  content: { 'application/json': { schema } },
});

/** Declares a required JSON body, with an example. */
export const jsonRequest = <Schema extends z.ZodType>(schema: Schema, example: object) => ({
  required: true as const,
  content: { 'application/json': { schema, example } },
});

/** Items of a list in a body: ten times what an operation accepts. Of longer lists, not each item is validated. */
const MAX_ITEMS = 10_000;

/** The first list of the body that is too long, as a validation error. */
function tooLong(body: unknown): ValidationError | null {
  const isTooLong = ([, value]: [string, unknown]) => Array.isArray(value) && value.length > MAX_ITEMS;
  const [key] = Object.entries((body ?? {}) as object).find(isTooLong) ?? [];
  if (key === undefined) return null;
  return { loc: ['body', key], msg: `List should have at most ${MAX_ITEMS} items`, type: 'too_long' };
}

const JSON_TYPE = /^application\/json\s*(;|$)/i;

/**
 * Rejects bodies that are not sent as JSON (415), do not parse (400), repeat a key or have an endless list (422), before any
 * schema is checked.
 * Later reads of the body return the value parsed here: `parseJson` never rounds a number.
 */
export const jsonBody = createMiddleware<RestEnv>(async (c, next) => {
  if (!JSON_TYPE.test(c.req.header('content-type') ?? '')) {
    throw new HTTPException(415, { message: 'The body must be sent as application/json' });
  }
  try {
    const body = parseJson(await c.req.text());
    const error = tooLong(body);
    if (error) return c.json({ detail: [error] }, 422);
    c.req.json = async () => body as never;
  } catch (cause) {
    if (cause instanceof RepeatedKey) {
      const repeatedKey: ValidationError = {
        loc: ['body', ...cause.path],
        msg: RepeatedKey.reason,
        type: 'value_error',
      };
      return c.json({ detail: [repeatedKey] }, 422);
    }
    throw new HTTPException(400, { message: 'The body is not JSON', cause });
  }
  return next();
});
