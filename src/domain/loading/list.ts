// Lists as keyset pages and counts, batched: one statement for all parents that are asked with the same arguments.
import { Prisma, type Sql } from '../../database/database.ts';
import { refuse } from '../../model/errors.ts';
import { type Page, type PageArgs, type PageRequest, pageRequest } from '../../model/page.ts';
import { type Audience, type Directory, type Hidden, isFor, type Reader } from '../directory.ts';
import { loader } from './batching.ts';
import { type Cursors, cursorsOf, type Ordering, rowsToRead, SortedPage } from './keyset-page.ts';

/**
 * A list of a parent. Its SQL runs inside `cross join lateral`, beside the batch's keys under the alias `k`: `k.id` is the id
 * of the parent. A list without a parent ignores it.
 */
export type ListSource<Args, Row extends object, A extends Audience = Audience> = {
  /** Who may read the list; the parent of a list for `self` is a user. */
  audience: A;
  /** The id whose tenant has the list; null for a list across tenants. By default the parent. */
  idOf?(parent: string, args: Args): string | null;
  /** The selected columns. */
  columns(reader: Reader, args: Args): Sql;
  /**
   * Tables and conditions, `from … where …`, each table limited to the reader's tenant. Several are parts without common rows,
   * each with its rows under the alias `c`: a page is merged from the pages of the parts.
   */
  from(reader: Reader, args: Args): Sql | readonly Sql[];
  /** The number of rows, as an expression; null if it needs no less than counting `from`. */
  total?(reader: Reader, args: Args): Sql | null;
  /** Whether finding the rows costs more than their number: the first page and the total are then of one read of all rows. */
  isFoundAtOnce?(args: Args): boolean;
  order(args: Args): Ordering;
  /** Converts a row of the statement. */
  toRow(raw: never, parent: string): Row;
};

/** `kind`: arguments and page arguments as text, without the values of cursors. Keys of one kind share a statement. */
type PageKey<Args> = CountKey<Args> & { page: PageRequest; cursors: Cursors };
type CountKey<Args> = { parent: string; kind: string; args: Args };
/** A raw row with the position of its parent, from 1. With a total that was counted apart, `found` is null for an empty page. */
type RawRow = { ordinal: number; total?: number; found?: true | null };

/** Rows of a list read without pages: about 2 MB of JSON, in one statement well below its timeout. */
const MAX_ALL = 10_000;

/** The parent of lists that have none. */
export const NO_PARENT = '';

/**
 * The pages and counts of a list. A batch of pages is one statement for any number of parents: `unnest … CROSS JOIN
 * LATERAL` reads no more rows of a list than its page needs, unlike a window function over all lists.
 */
export function list<Args extends object, Row extends object, const A extends Audience>(
  source: ListSource<Args, Row, A>,
) {
  const { audience, idOf = (parent) => parent } = source;
  const options = {
    audience,
    subjectOf: ({ parent }: CountKey<Args>) => parent,
    idOf: ({ parent, args }: CountKey<Args>) => idOf(parent, args),
    kindOf: ({ kind }: CountKey<Args>) => kind,
  };
  const pages = loader<PageKey<Args>, Page<Row>, A>({
    ...options,
    keyOf: ({ parent, kind, page: { after, before } }) =>
      after === null && before === null ? `${parent}\n${kind}` : `${parent}\n${after}\n${before}\n${kind}`,
    read: (reader, keys) => loadPages(reader, source, keys),
  });
  const counts = loader<CountKey<Args>, number, A>({
    ...options,
    keyOf: ({ parent, kind }) => `${parent}\n${kind}`,
    read: (reader, keys) => loadCounts(reader, source, keys),
  });
  const load = (directory: Directory, parent: string, args: Args, page: PageRequest) => {
    const cursors = cursorsOf(source.order(args), page);
    const cut = { ...page, after: cursors.after.length, before: cursors.before.length };
    return pages(directory, { parent, kind: JSON.stringify([args, cut]), args, page, cursors });
  };
  return {
    /** A page; null for callers outside the audience. Refused with VALIDATION_FAILED: invalid page arguments. */
    async page(
      directory: Directory,
      parent: string,
      args: Args,
      page: PageArgs,
    ): Promise<Page<Row> | Hidden<A>> {
      if (!isFor(directory, audience, parent)) return null as Hidden<A>;
      return load(directory, parent, args, pageRequest(page));
    },
    /** All rows; null for callers outside the audience. Refused with LIMIT_EXCEEDED: a list longer than `MAX_ALL`. */
    async all(directory: Directory, parent: string, args: Args): Promise<readonly Row[] | Hidden<A>> {
      const page = await load(directory, parent, args, { ...pageRequest({}), size: MAX_ALL });
      if (!page) return page;
      if (!page.hasNextPage) return page.rows;
      throw refuse.limit(MAX_ALL, `The list is longer than ${MAX_ALL}: read it a page at a time`);
    },
    /** How many rows there are; null for callers outside the audience. */
    count: (directory: Directory, parent: string, args: Args): Promise<number | Hidden<A>> =>
      counts(directory, { parent, kind: JSON.stringify(args), args }),
  };
}

async function loadPages<Args extends object, Row extends object>(
  reader: Reader,
  source: ListSource<Args, Row>,
  keys: readonly PageKey<Args>[],
): Promise<Page<Row>[]> {
  const rows = await reader.sql<RawRow>(pageStatement(reader, source, keys));
  const byOrdinal = Map.groupBy(rows, ({ ordinal }) => ordinal);
  return keys.map(({ args, page, parent }, index) => {
    const ofParent = byOrdinal.get(index + 1) ?? [];
    const toRow = (raw: RawRow) => source.toRow(raw as never, parent);
    const found = ofParent.filter((row) => row.found !== null);
    const total = ofParent[0]?.total ?? (page.withTotal ? 0 : undefined);
    return new SortedPage(toRow, source.order(args), page, found, total);
  });
}

async function loadCounts<Args extends object, Row extends object>(
  reader: Reader,
  source: ListSource<Args, Row>,
  keys: readonly CountKey<Args>[],
): Promise<number[]> {
  const rows = await reader.sql<{ count: number }>(Prisma.sql`
    select ${totalOf(reader, source, keys[0]!.args)} as count
    from unnest(${keys.map(({ parent }) => parent)}::text[]) with ordinality k(id, ordinal) order by k.ordinal`);
  return rows.map(({ count }) => count);
}

/** The number of rows of the list, as an expression. */
function totalOf<Args, Row extends object>(reader: Reader, source: ListSource<Args, Row>, args: Args): Sql {
  const from = source.from(reader, args);
  const whole = isParts(from)
    ? Prisma.sql`from (${union(from.map((part) => Prisma.sql`select 1 ${part}`))}) c`
    : from;
  return source.total?.(reader, args) ?? Prisma.sql`(select count(*)::int ${whole})`;
}

const isParts = (from: Sql | readonly Sql[]): from is readonly Sql[] => Array.isArray(from);

const union = (selects: readonly Sql[]): Sql => Prisma.join([...selects], ' union all ');

/** The order's key that no selected column holds, as text; null if there is none. */
function sortValueOf({ keys }: Ordering): Sql | null {
  const unselected = keys.find((key) => key.alias === undefined);
  if (!unselected) return null;
  return unselected.type === 'text'
    ? unselected.column
    : unselected.type === 'bigint'
      ? Prisma.sql`${unselected.column}::text`
      : Prisma.sql`to_char(${unselected.column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MSZ')`;
}

/** The rows of pages of one kind. */
function pageStatement<Args extends object, Row extends object>(
  reader: Reader,
  source: ListSource<Args, Row>,
  keys: readonly PageKey<Args>[],
): Sql {
  const { args, page } = keys[0]!;
  const order = source.order(args);
  const columns = Prisma.join(order.keys.map((key) => key.column));
  const sortValue = sortValueOf(order);
  const names = [Prisma.sql`id`];
  const values = [Prisma.sql`${keys.map((key) => key.parent)}::text[]`];
  const bound = (end: 'after' | 'before') => {
    if (page[end] === null) return Prisma.empty;
    const bounds = order.keys.map(({ type }, index) => {
      const name = Prisma.raw(`${end}_${index}`);
      names.push(name);
      values.push(Prisma.sql`${keys.map(({ cursors }) => cursors[end][index])}::${Prisma.raw(type)}[]`);
      return Prisma.sql`k.${name}`;
    });
    const isLowerBound = (end === 'after') !== order.descending;
    return Prisma.sql` and (${columns}) ${Prisma.raw(isLowerBound ? '>' : '<')} (${Prisma.join(bounds)})`;
  };
  const direction = Prisma.raw(order.descending !== page.backward ? 'desc' : 'asc');
  const sorted = Prisma.join(order.keys.map((key) => Prisma.sql`${key.column} ${direction}`));
  const bounds = Prisma.sql`${bound('after')}${bound('before')}`;
  const from = source.from(reader, args);
  const parts = isParts(from)
    ? from.map((part) => {
        const length = rowsToRead(page) + page.offset;
        return Prisma.sql`(select c.* ${part}${bounds} order by ${sorted} limit ${length})`;
      })
    : null;
  const isFirst = page.after === null && page.before === null && page.offset === 0;
  const isWhole = page.withTotal && isFirst && !parts && (source.isFoundAtOnce?.(args) ?? false);
  const counted = isWhole ? Prisma.sql`count(*) over ()::int as total, ` : Prisma.empty;
  const rows = Prisma.sql`
      select ${counted}${source.columns(reader, args)}${sortValue ? Prisma.sql`, ${sortValue} as "sortValue"` : Prisma.empty}
      ${parts ? Prisma.sql`from (${union(parts)}) c` : Prisma.sql`${from as Sql}${bounds}`}
      order by ${sorted} limit ${rowsToRead(page)}${page.offset > 0 ? Prisma.sql` offset ${page.offset}::bigint` : Prisma.empty}`;
  const parents = Prisma.sql`unnest(${Prisma.join(values)}) with ordinality k(${Prisma.join(names)}, ordinal)`;
  // `offset 0`: the planner would move the total into the output, and count once for each row.
  const listed =
    page.withTotal && !isWhole
      ? Prisma.sql`t.total, r.*
    from ${parents}
    cross join lateral (select ${totalOf(reader, source, args)} as total offset 0) t
    left join lateral (select true as found, r.* from (${rows}) r) r on true`
      : Prisma.sql`r.* from ${parents}
    cross join lateral (${rows}) r`;
  return Prisma.sql`select k.ordinal::int as ordinal, ${listed}`;
}
