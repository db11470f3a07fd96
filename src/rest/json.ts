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

const JSON_TYPE = /^application\/json\s*(;|$)/i;

/**
 * Rejects bodies that are not sent as JSON (415), do not parse (400) or repeat a key (422), before any schema is checked.
 * Later reads of the body return the value parsed here: `parseJson` never rounds a number.
 */
export const jsonBody = createMiddleware<RestEnv>(async (c, next) => {
  if (!JSON_TYPE.test(c.req.header('content-type') ?? '')) {
    throw new HTTPException(415, { message: 'The body must be sent as application/json' });
  }
  try {
    const body = parseJson(await c.req.text());
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
