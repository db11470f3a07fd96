// The changes of a tenant: pages of its log as JSON, or the log as it grows as server-sent events.
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { type Feed, openFeed } from '../domain/queries/change-feed.ts';
import { listChanges } from '../domain/queries/changes.ts';
import { findTenant } from '../domain/queries/tenants.ts';
import type { ChangeRow } from '../domain/rows/changes.ts';
import type { TenantRow } from '../domain/rows/tenants.ts';
import { EVENT_TYPES, nameOfType } from '../model/changes.ts';
import { isDirectoryError, refuse } from '../model/errors.ts';
import { DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE } from '../model/page.ts';
import { ChangeEvent, changeEvent } from './change-events.ts';
import type { RestContext, RestEnv } from './context.ts';
import { MetaResponse, meta, wholeNumber } from './envelopes.ts';
import { feedRefusals, refusalDetail } from './errors.ts';
import { eventStream, type ServerSentEvent } from './event-stream.ts';
import { tenantPath } from './parameters.ts';

const EVENT_STREAM = 'text/event-stream';

const changesQuery = z.object({
  after: z
    .string()
    .optional()
    .openapi({
      param: { example: '0' },
      description:
        'Cursor of the last event that you have, or a position. By default the first page, or a stream from now on.',
    }),
  limit: wholeNumber(MAX_PAGE_SIZE)
    .default(DEFAULT_PAGE_SIZE)
    .openapi({
      type: 'integer',
      minimum: 1,
      maximum: MAX_PAGE_SIZE,
      default: DEFAULT_PAGE_SIZE,
      description: 'Number of events per page.',
      param: { example: DEFAULT_PAGE_SIZE },
    }),
  types: z
    .string()
    .transform((text) => text.split(',').map((type) => type.trim()))
    .transform((types) => types.filter((type) => type !== ''))
    .pipe(z.array(z.enum(EVENT_TYPES)))
    .optional()
    .openapi({
      type: 'string',
      param: { example: 'group.created,group_membership.added' },
      pattern: `^((${EVENT_TYPES.map((type) => type.replace('.', '\\.')).join('|')})(,|$))*$`,
      description: 'Only events of these types, separated by commas.',
    }),
});

const changesHeaders = z.object({
  'last-event-id': z
    .string()
    .optional()
    .openapi({
      param: { example: '0' },
      description: 'As `after`, which it replaces: sent by clients of streams that connect again.',
    }),
});

const ChangePage = z
  .object({
    data: z.array(ChangeEvent),
    pagination: z
      .object({
        cursor: z.string().openapi({ description: 'Send it as `after` for what follows, also later.' }),
        has_more: z.boolean().openapi({ description: 'Whether more events follow already.' }),
      })
      .openapi('CursorPagination', { description: 'Where to go on.' }),
    meta: MetaResponse.optional(),
  })
  .openapi('ChangePage', { description: 'A page of events, oldest first.' });

const PROJECTION = { users: true, data: true };

export function changes(api: OpenAPIHono<RestEnv>): void {
  api.openapi(
    createRoute({
      method: 'get',
      path: '/api/v1/tenants/{tenant_id}/changes',
      operationId: 'listChanges',
      summary: 'List Changes',
      description:
        'The changes of the tenant, oldest first: a page as JSON, or, with `Accept: text/event-stream`, a stream that goes on.',
      tags: ['Changes'],
      request: { params: tenantPath, query: changesQuery, headers: changesHeaders },
      responses: {
        200: {
          description: 'A page of events, or a stream of them.',
          content: {
            'application/json': { schema: ChangePage },
            [EVENT_STREAM]: {
              schema: z.string().openapi({
                description: 'Events whose `id` is the cursor, `event` the type and `data` a `ChangeEvent`.',
              }),
            },
          },
        },
        ...feedRefusals,
      },
    }),
    async (c) => {
      const { directory } = c.var;
      const { tenant_id: tenantId } = c.req.valid('param');
      const { after, limit, types } = c.req.valid('query');
      const tenant = await findTenant(directory, tenantId);
      if (!tenant) throw refuse.notFound(tenantId);
      const names = types?.map(nameOfType);
      const cursor = c.req.valid('header')['last-event-id'] ?? after;
      // Nobody would read the stream of a HEAD.
      if (c.req.method === 'GET' && c.req.header('accept')?.includes(EVENT_STREAM)) {
        return (await stream(c, tenant, { after: cursor, types: names })) as never;
      }
      const page = await listChanges(directory, tenantId, {
        types: names,
        projection: PROJECTION,
        page: { first: limit, after: cursor },
      });
      if (!page) throw refuse.notFound(tenantId);
      const data = page.rows.map((change) => changeEvent(change, tenant));
      const pagination = { cursor: data.at(-1)?.cursor ?? cursor ?? '0', has_more: page.hasNextPage };
      return c.json({ data, pagination, meta: meta(c) }, 200);
    },
  );
}

type StreamArgs = Pick<Parameters<typeof openFeed>[1], 'after' | 'types'>;

async function stream(c: RestContext, tenant: TenantRow, args: StreamArgs): Promise<Response> {
  const { directory, streams } = c.var;
  const close = streams.open(directory.caller);
  let feed: Feed;
  try {
    feed = await openFeed(directory, { tenantId: tenant.id, projection: PROJECTION, ...args });
  } catch (error) {
    close();
    throw error;
  }
  const { log } = c.env;
  const toFault = (error: unknown): ServerSentEvent => {
    log.noteError(error);
    const detail = isDirectoryError(error) ? refusalDetail(error) : 'Internal Server Error';
    return { event: 'error', data: { detail } };
  };
  const body = eventStream(eventsOf(feed, tenant), { toFault, onEnd: close });
  return new Response(body, { headers: { 'content-type': EVENT_STREAM } });
}

/** The changes as events. */
const eventsOf = (feed: Feed, tenant: TenantRow): AsyncIterator<ServerSentEvent> => ({
  async next() {
    const { done, value } = (await feed.next()) as IteratorResult<ChangeRow, undefined>;
    if (done) return { done, value };
    const data = changeEvent(value, tenant);
    return { done: false, value: { id: data.cursor, event: data.event_type, data } };
  },
  async return() {
    await feed.return();
    return { done: true, value: undefined };
  },
});
