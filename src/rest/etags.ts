// A group's version and its representation as an entity tag: given out as `ETag`, taken back as `If-Match` to refuse lost
// updates, and as `If-None-Match` to send nothing that the client has already.

import { createHash } from 'node:crypto';
import { z } from '@hono/zod-openapi';
import { createMiddleware } from 'hono/factory';
import type { RestEnv } from './context.ts';

/** Characters of a digest: 66 bits, so that two representations of one version do not share a tag. */
const DIGEST = 11;

/**
 * The header of a conditional change. Only the tag of one group, or `*`, can name a version of it: a list is a fault of the
 * request, so that a precondition is never passed over. The version in a tag is compared, which differs after each change
 * of the group: weak tags are taken too, and those to whose digest a proxy that compresses has added something.
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
      // Any version: a number would be right for the first change alone.
      param: { example: '*' },
      description:
        'The `ETag` of the group as you last saw it, or its version alone (`"3"`): the change is refused with 409 if the version has changed since.',
    }),
});

/** A tag without its mark of weakness. */
const opaque = (tag: string): string => tag.replace(/^W\//, '');

/** The version that the header asks for; undefined for none and for `*`, which any existing group meets (RFC 9110, 13.1.1). */
export function expectedVersion({ 'if-match': tag }: z.infer<typeof ifMatch>): number | undefined {
  return tag === undefined || tag === '*' ? undefined : Number.parseInt(opaque(tag).slice(1), 10);
}

/**
 * The header that tells a group's version, and by a digest which representation this is: counts, members and the path
 * change without the group. The tag is weak (RFC 9110, section 8.8.1): `meta` and the encoding vary, which it does not tell.
 */
export function etag({ version }: { version: number }, data: object): Record<string, string> {
  const digest = createHash('sha256').update(JSON.stringify(data)).digest('base64url').slice(0, DIGEST);
  return { ETag: `W/"${version}-${digest}"` };
}

/** The header of a read that is to be answered only if there is something new. */
export const ifNoneMatch = z.object({
  'if-none-match': z
    .string()
    .optional()
    .openapi({
      param: { example: 'W/"1-kmEbYqY8lMp"' },
      description:
        'The `ETag` of the answer that you have: it is 304, without a body, as long as it would be the same.',
    }),
});

/** How routes declare the answer to that. */
export const notModifiedResponse = { description: 'What you have is as it would be answered.' };

/** Answers 304 for a representation that the client has (RFC 9110, section 13.1.2: tags compare weakly, `*` is any). */
export const notModified = createMiddleware<RestEnv>(async (c, next) => {
  await next();
  const tag = c.res.headers.get('etag');
  const known = c.req.header('if-none-match');
  if (!['GET', 'HEAD'].includes(c.req.method) || c.res.status !== 200 || tag === null || !known) return;
  const tags = known.split(',').map((each) => opaque(each.trim()));
  if (tags.includes(opaque(tag)) || known.trim() === '*') c.res = new Response(null, { status: 304 });
});

/** How answers with a group describe that header. */
export const etagHeaders = z.object({
  ETag: z.string().optional().openapi({
    description:
      "The group's version, a hyphen, and a digest of this answer: for `If-Match` and `If-None-Match`.",
  }),
});

/** How the answer to a creation describes its headers. */
export const createdHeaders = etagHeaders.extend({
  Location: z.string().openapi({ description: 'Where the group is.' }),
});
