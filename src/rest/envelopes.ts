// The response envelopes of the reference: `{data, meta}` for one resource, `{data, pagination, meta}` for a page.
import { z } from '@hono/zod-openapi';
import {
  DEFAULT_PAGE_SIZE,
  MAX_PAGE_NUMBER,
  MAX_PAGE_SIZE,
  numberedPage,
  type Page,
  type PageArgs,
} from '../model/page.ts';
import type { RestContext } from './context.ts';

export const MetaResponse = z
  .object({
    request_id: z.string().nullish().openapi({ description: 'The id of the request, as in `X-Request-ID`.' }),
    timestamp: z.iso.datetime().optional().openapi({ description: 'Time of the response.' }),
  })
  .openapi('MetaResponse', { description: 'Metadata included in API responses.' });

const PaginationMeta = z
  .object({
    page: z.int().openapi({ minimum: 1, description: 'Number of this page.' }),
    per_page: z.int().openapi({ minimum: 1, description: 'Maximum number of items per page.' }),
    total_items: z.int().openapi({ minimum: 0, description: 'Number of items on all pages.' }),
    total_pages: z.int().openapi({ minimum: 0, description: 'Number of pages that have items.' }),
  })
  .openapi('PaginationMeta', { description: 'Pagination metadata.' });

/** The envelope schema of one resource, named as in the reference. */
export const apiResponse = <Data extends z.ZodType>(name: string, data: Data) =>
  z
    .object({ data, meta: MetaResponse.optional() })
    .openapi(`ApiResponse_${name}_`, { description: `One ${name}.` });

/** The envelope schema of a page, named as in the reference. */
export const paginatedResponse = <Item extends z.ZodType>(name: string, item: Item) =>
  z
    .object({ data: z.array(item), pagination: PaginationMeta, meta: MetaResponse.optional() })
    .openapi(`PaginatedResponse_${name}_`, { description: `A page of ${name}.` });

/** An integer in canonical form: decimal digits without exponent, other base, spaces, leading zeros or plus sign. */
const DIGITS = /^(?:0|-?[1-9]\d*)$/;

/** A whole number of a query, from 1 on. */
export const wholeNumber = (max: number) =>
  z.preprocess(
    (text) => (typeof text === 'string' && DIGITS.test(text) ? Number(text) : text),
    z.number().int().min(1).max(max),
  );

/** The OpenAPI description of a `wholeNumber`. The generator cannot derive it from a schema that preprocesses text. */
const numberOf = (fallback: number, maximum: number, description: string) => ({
  type: 'integer' as const,
  minimum: 1,
  maximum,
  default: fallback,
  description,
  param: { example: fallback },
});

/** The query parameters `page` and `per_page` of every list. */
export const pageQuery = {
  page: wholeNumber(MAX_PAGE_NUMBER)
    .default(1)
    .openapi(numberOf(1, MAX_PAGE_NUMBER, 'Page number, starting at 1.')),
  per_page: wholeNumber(MAX_PAGE_SIZE)
    .default(DEFAULT_PAGE_SIZE)
    .openapi(numberOf(DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, 'Number of items per page.')),
};

/** The metadata of every response. */
export const meta = (c: RestContext) => ({
  request_id: c.env.log.requestId,
  timestamp: new Date().toISOString(),
});

/** Wraps one resource in its envelope. */
export const enveloped = <Data>(c: RestContext, data: Data) => ({ data, meta: meta(c) });

type Numbered = { page: number; per_page: number };
/** Loads a page with its total, of one state, and wraps it. A page beyond the last one is empty. */
export async function pageOf<Row, Item>(
  c: RestContext,
  { page, per_page }: Numbered,
  list: (page: PageArgs) => Promise<Page<Row>>,
  toItems: (rows: readonly Row[]) => Item[],
) {
  const { rows, total = 0 } = await list({ ...numberedPage(page, per_page), withTotal: true });
  const pagination = { page, per_page, total_items: total, total_pages: Math.ceil(total / per_page) };
  return { data: toItems(rows), pagination, meta: meta(c) };
}
