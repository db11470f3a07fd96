// Entity tags of groups: sent as `ETag`, accepted as `If-Match` to prevent lost updates and as `If-None-Match` to answer 304.

import { createHash } from 'node:crypto';
import { z } from '@hono/zod-openapi';
import { createMiddleware } from 'hono/factory';
import type { RestEnv } from './context.ts';

/** Characters of a digest: 66 bits make it unlikely that two representations of one version share a tag. */
const DIGEST = 11;

/**
 * The header of a conditional change: one tag or `*`. A list of tags is a validation error, so that no precondition is
 * ignored. Only the version in the tag is compared, since every change of the group increases it. Weak tags are therefore
 * accepted, and so are tags whose digest a compressing proxy has extended.
 */
export const ifMatch = z.object({
  'if-match': z
    .string()
    .regex(
      new RegExp(`^(\\*|(W/)?"[1-9]\\d{0,8}(-[\\w-]{${DIGEST},20})?")$`),
      'must be the ETag of the group, such as "3", or *',
    )
    .optional()
    .openapi({
      // The example matches any version. A number would match only until the first change.
      param: { example: '*' },
      description:
        'The `ETag` of the group as you last read it, or its version (`"3"`): 409 if the version has changed since.',
    }),
});

/** The tag without the weakness indicator `W/`. */
const opaque = (tag: string): string => tag.replace(/^W\//, '');

/** The version in the header. Undefined without a header, and for `*`, which any existing group matches (RFC 9110, 13.1.1). */
export function expectedVersion({ 'if-match': tag }: z.infer<typeof ifMatch>): number | undefined {
  return tag === undefined || tag === '*' ? undefined : Number.parseInt(opaque(tag).slice(1), 10);
}

/**
 * The `ETag` of a group: its version and a digest of the response's data. The digest is needed because counts, members and
 * the path change without the version. The tag is weak (RFC 9110, section 8.8.1): it covers neither `meta` nor the encoding.
 */
export function etag({ version }: { version: number }, data: object): Record<string, string> {
  const digest = createHash('sha256').update(JSON.stringify(data)).digest('base64url').slice(0, DIGEST);
  return { ETag: `W/"${version}-${digest}"` };
}

/** The header of a conditional read. */
export const ifNoneMatch = z.object({
  'if-none-match': z
    .string()
    .optional()
    .openapi({
      param: { example: 'W/"1-kmEbYqY8lMp"' },
      description:
        'The `ETag` of the response that you have. If it is still current, the response is 304 without a body.',
    }),
});

/** The declaration of the 304 response. */
export const notModifiedResponse = { description: 'The response that you have is still current.' };

/** Replaces a 200 that the client already has by 304 (RFC 9110, section 13.1.2: weak comparison, `*` matches any). */
export const notModified = createMiddleware<RestEnv>(async (c, next) => {
  await next();
  const tag = c.res.headers.get('etag');
  const condition = c.req.header('if-none-match');
  if (!['GET', 'HEAD'].includes(c.req.method) || c.res.status !== 200 || tag === null || !condition) return;
  const clientTags = condition.split(',').map((clientTag) => opaque(clientTag.trim()));
  if (clientTags.includes(opaque(tag)) || condition.trim() === '*')
    c.res = new Response(null, { status: 304 });
});

/** The response headers of a group. */
export const etagHeaders = z.object({
  ETag: z.string().optional().openapi({
    description:
      "The group's version, a hyphen and a digest of this response. Send it as `If-Match` or `If-None-Match`.",
  }),
});

/** The response headers of a new group. */
export const createdHeaders = etagHeaders.extend({
  Location: z.string().openapi({ description: 'Path of the new group.' }),
});
