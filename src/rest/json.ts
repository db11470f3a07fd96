// JSON in and out: how routes declare it, and what is refused before a body is looked at.
import type { z } from '@hono/zod-openapi';
import { createMiddleware } from 'hono/factory';
import { HTTPException } from 'hono/http-exception';
import { parseJson, RepeatedKey } from '../model/json.ts';
import type { RestEnv } from './context.ts';
import type { ValidationError } from './validation-errors.ts';

/** An answer with a body. */
export const json = <Schema extends z.ZodType>(description: string, schema: Schema) => ({
  description,
  content: { 'application/json': { schema } },
});

/** A request that needs a body, such as this one. */
export const jsonRequest = <Schema extends z.ZodType>(schema: Schema, example: object) => ({
  required: true as const,
  content: { 'application/json': { schema, example } },
});

const JSON_TYPE = /^application\/json\s*(;|$)/i;

/**
 * Refuses bodies that are not sent as JSON (415), do not parse (400) or give a key twice (422), before any other fault of the
 * request is told. What follows reads the body by the same parser, which keeps numbers exact.
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
      const fault: ValidationError = {
        loc: ['body', ...cause.path],
        msg: RepeatedKey.fault,
        type: 'value_error',
      };
      return c.json({ detail: [fault] }, 422);
    }
    throw new HTTPException(400, { message: 'The body is not JSON', cause });
  }
  return next();
});
