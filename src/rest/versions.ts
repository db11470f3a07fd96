// A group's version as an entity tag: given out as `ETag`, taken back as `If-Match` to refuse lost updates.
import { z } from '@hono/zod-openapi';
import type { GroupRow } from '../domain/rows.ts';

/**
 * The header of a conditional change. Only the tag of one group, or `*`, can name a version of it: lists and weak
 * tags are faults of the request, so that a precondition is never passed over.
 */
export const ifMatch = z.object({
  'if-match': z
    .string()
    .regex(/^(\*|"[1-9]\d{0,8}")$/, 'must be the ETag of the group, such as "3", or *')
    .optional()
    .openapi({
      // Any version: a number would be right for the first change alone.
      param: { example: '*' },
      description:
        'The `ETag` of the group as you last saw it: the change is refused with 409 if it has changed since.',
    }),
});

/** The version that the header asks for; undefined for none and for `*`, which any existing group meets (RFC 9110, 13.1.1). */
export function expectedVersion({ 'if-match': tag }: z.infer<typeof ifMatch>): number | undefined {
  return tag === undefined || tag === '*' ? undefined : Number(tag.slice(1, -1));
}

/** The header that tells a group's version. Counts and members are not part of it: they change without the group. */
export const etag = ({ version }: GroupRow): Record<string, string> =>
  version === null ? {} : { ETag: `"${version}"` };

/** How answers with a group describe that header. */
export const etagHeaders = z.object({
  ETag: z.string().optional().openapi({ description: "The group's version, for `If-Match`." }),
});

/** How the answer to a creation describes its headers. */
export const createdHeaders = etagHeaders.extend({
  Location: z.string().openapi({ description: 'Where the group is.' }),
});
