// The envelopes of the reference: one thing as `{data, meta}`, a page of things as `{data, pagination, meta}`.
import { z } from '@hono/zod-openapi';
import {
  DEFAULT_PAGE_SIZE,
  MAX_PAGE_NUMBER,
  MAX_PAGE_SIZE,
  numberedPage,
  type PageArgs,
} from '../model/page.ts';
import type { RestContext } from './context.ts';

const MetaResponse = z
  .object({
    request_id: z.string().nullish().openapi({ description: 'The id of the request, as in `X-Request-ID`.' }),
    timestamp: z.iso.datetime().optional().openapi({ description: 'When it was answered.' }),
  })
  .openapi('MetaResponse', { description: 'Metadata included in API responses.' });

const PaginationMeta = z
  .object({
    page: z.int().openapi({ minimum: 1, description: 'This page.' }),
    per_page: z.int().openapi({ minimum: 1, description: 'Items on a full page.' }),
    total_items: z.int().openapi({ minimum: 0, description: 'Items on all pages.' }),
    total_pages: z.int().openapi({ minimum: 0, description: 'Pages with items.' }),
  })
  .openapi('PaginationMeta', { description: 'Pagination metadata.' });

/** The envelope of one thing, named as in the reference. */
export const apiResponse = <Data extends z.ZodType>(name: string, data: Data) =>
  z
    .object({ data, meta: MetaResponse.optional() })
    .openapi(`ApiResponse_${name}_`, { description: `One ${name}.` });

/** The envelope of a page of things, named as in the reference. */
export const paginatedResponse = <Item extends z.ZodType>(name: string, item: Item) =>
  z
    .object({ data: z.array(item), pagination: PaginationMeta, meta: MetaResponse.optional() })
    .openapi(`PaginatedResponse_${name}_`, { description: `A page of ${name}.` });

/** A number as it is written: decimal digits, without an exponent, another base, spaces, leading zeros or a plus. */
const DIGITS = /^(?:0|-?[1-9]\d*)$/;

const wholeNumber = (most: number) =>
  z.preprocess(
    (text) => (typeof text === 'string' && DIGITS.test(text) ? Number(text) : text),
    z.number().int().min(1).max(most),
  );

/** How the document describes such a number: of a schema that reads text, it would tell nothing. */
const numberOf = (fallback: number, maximum: number, description: string) => ({
  type: 'integer' as const,
  minimum: 1,
  maximum,
  default: fallback,
  description,
  param: { example: fallback },
});

/** `page` and `per_page`, to be spread into the query of a list. */
export const pageQuery = {
  page: wholeNumber(MAX_PAGE_NUMBER)
    .default(1)
    .openapi(numberOf(1, MAX_PAGE_NUMBER, 'Which page, the first being 1.')),
  per_page: wholeNumber(MAX_PAGE_SIZE)
    .default(DEFAULT_PAGE_SIZE)
    .openapi(numberOf(DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, 'How many items a page holds.')),
};

/** What is told with every answer. */
export const meta = (c: RestContext) => ({
  request_id: c.env.log.requestId,
  timestamp: new Date().toISOString(),
});

/** One thing in its envelope. */
export const enveloped = <Data>(c: RestContext, data: Data) => ({ data, meta: meta(c) });

type Numbered = { page: number; per_page: number };
type Source<Item> = { list(page: PageArgs): Promise<readonly Item[]>; count(): Promise<number> };

/** The page with that number in its envelope; a page beyond the last one is empty. */
export async function pageOf<Item>(
  c: RestContext,
  { page, per_page }: Numbered,
  { list, count }: Source<Item>,
) {
  const [data, total] = await Promise.all([list(numberedPage(page, per_page)), count()]);
  const pagination = { page, per_page, total_items: total, total_pages: Math.ceil(total / per_page) };
  return { data: [...data], pagination, meta: meta(c) };
}
