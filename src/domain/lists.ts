// Lists of the directory as batched keyset pages and counts: one statement for all parents and arguments of a tick.
import DataLoader from 'dataloader';
import { Prisma, type Sql } from '../database/database.ts';
import { refuse } from '../model/errors.ts';
import { type Page, type PageArgs, type PageRequest, pageRequest } from '../model/page.ts';
import { type Directory, perDirectory } from './directory.ts';

/** How a list is sorted: all keys in one direction, the last one unique within the list. */
export type Ordering = {
  /** Names the order inside cursors, so that a cursor of another order is refused. */
  readonly tag: string;
  readonly keys: readonly { column: Sql; type: 'text' | 'timestamptz' }[];
  readonly descending: boolean;
};

/** A list that hangs off a parent, as SQL correlated with the parent's id `k.id`. */
export type ListSource<Args, Row extends object> = {
  /** Selected columns, aliased as in `Row`. */
  readonly columns: Sql;
  /** Tables and conditions: `from … where …`, with the caller's scope. */
  from(directory: Directory, args: Args): Sql;
  /** The same rows for counting, where that needs fewer tables. */
  fromForCount?(directory: Directory, args: Args): Sql;
  order(args: Args): Ordering;
  /** Makes a row of what SQL gave back, where they differ. */
  toRow?(raw: never): Row;
};

type PageKey<Args> = { parent: string; args: Args; page: PageRequest };
type CountKey<Args> = { parent: string; args: Args };
type BucketRow = { batch: number; bucket: number; sortValues: (string | null)[] };

/** The longest list that is given whole: about 2 MB of JSON, and still one statement well inside its timeout. */
export const MAX_WHOLE_LIST = 10_000;

/** Parent of lists that hang off no row. */
export const NO_PARENT = '';

/**
 * The page and the count of a list. Pages need a statement a batch, whatever the number of parents; each bucket
 * reads one row more than the page holds, to know whether there is another page. After DESIGN §8: `unnest … CROSS
 * JOIN LATERAL`, never a window over whole lists.
 */
export function list<Args extends object, Row extends object>(source: ListSource<Args, Row>) {
  const pages = perDirectory(
    (directory) =>
      new DataLoader<PageKey<Args>, Page<Row>, string>((keys) => loadPages(directory, source, keys), {
        cacheKeyFn: ({ parent, args, page }) => `${parent}\n${JSON.stringify([args, page])}`,
      }),
  );
  const counts = perDirectory(
    (directory) =>
      new DataLoader<CountKey<Args>, number, string>((keys) => loadCounts(directory, source, keys), {
        cacheKeyFn: ({ parent, args }) => `${parent}\n${JSON.stringify(args)}`,
      }),
  );
  return {
    /** Rejects with VALIDATION_FAILED for page arguments that do not hold. */
    async page(directory: Directory, parent: string, args: Args, page: PageArgs): Promise<Page<Row>> {
      return pages(directory).load({ parent, args, page: pageRequest(page) });
    },
    /** The whole list; refused with LIMIT_EXCEEDED if it is longer than `MAX_WHOLE_LIST`, never cut. */
    async whole(directory: Directory, parent: string, args: Args): Promise<readonly Row[]> {
      const page = { size: MAX_WHOLE_LIST, fromEnd: false, after: null, before: null, offset: 0 };
      const { rows, hasNextPage } = await pages(directory).load({ parent, args, page });
      if (!hasNextPage) return rows;
      throw refuse.limit(
        MAX_WHOLE_LIST,
        `The list is longer than ${MAX_WHOLE_LIST}: read it a page at a time`,
      );
    },
    async count(directory: Directory, parent: string, args: Args): Promise<number> {
      return counts(directory).load({ parent, args });
    },
  };
}

async function loadPages<Args extends object, Row extends object>(
  directory: Directory,
  source: ListSource<Args, Row>,
  keys: readonly PageKey<Args>[],
): Promise<(Page<Row> | Error)[]> {
  const results = new Array<Page<Row> | Error>(keys.length);
  const batches: { statement: Sql; members: number[] }[] = [];
  for (const members of groupByArgs(keys, ({ args, page }) => [args, page])) {
    const { args, page } = keys[members[0]!]!;
    try {
      batches.push({
        statement: pageStatement(directory, source, args, page, batches.length, parents(keys, members)),
        members,
      });
    } catch (error) {
      for (const member of members) results[member] = error as Error;
    }
  }
  if (batches.length === 0) return results;
  const rows = await directory.sql<BucketRow>(unionAll(batches.map((batch) => batch.statement)));
  const buckets = batches.map((batch) => batch.members.map(() => [] as BucketRow[]));
  for (const row of rows) buckets[row.batch]![row.bucket - 1]!.push(row);
  batches.forEach(({ members }, batch) => {
    members.forEach((member, bucket) => {
      const { args, page } = keys[member]!;
      results[member] = toPage(source, source.order(args), page, buckets[batch]![bucket]!);
    });
  });
  return results;
}

async function loadCounts<Args extends object, Row extends object>(
  directory: Directory,
  source: ListSource<Args, Row>,
  keys: readonly CountKey<Args>[],
): Promise<number[]> {
  const batches = groupByArgs(keys, ({ args }) => args);
  const statements = batches.map((members, batch) => {
    const { args } = keys[members[0]!]!;
    const from = (source.fromForCount ?? source.from)(directory, args);
    return Prisma.sql`select ${batch}::int as batch, k.o::int as bucket, c.n
      from unnest(${parents(keys, members)}::text[]) with ordinality k(id, o)
      cross join lateral (select count(*)::int as n ${from}) c`;
  });
  const rows = await directory.sql<{ batch: number; bucket: number; n: number }>(unionAll(statements));
  const results = new Array<number>(keys.length).fill(0);
  for (const { batch, bucket, n } of rows) results[batches[batch]![bucket - 1]!] = n;
  return results;
}

function pageStatement<Args extends object, Row extends object>(
  directory: Directory,
  source: ListSource<Args, Row>,
  args: Args,
  page: PageRequest,
  batch: number,
  parentIds: string[],
): Sql {
  const order = source.order(args);
  const columns = Prisma.join(order.keys.map((key) => key.column));
  const values = order.keys.map((key) =>
    key.type === 'text'
      ? key.column
      : Prisma.sql`to_char(${key.column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MSZ')`,
  );
  const bound = (cursor: string | null, path: string, after: boolean) => {
    if (cursor === null) return Prisma.empty;
    const typed = decodeCursor(order, cursor, path).map((value, at) =>
      order.keys[at]!.type === 'text' ? Prisma.sql`${value}::text` : Prisma.sql`${value}::timestamptz`,
    );
    const greater = after !== order.descending;
    return Prisma.sql` and (${columns}) ${Prisma.raw(greater ? '>' : '<')} (${Prisma.join(typed)})`;
  };
  const direction = Prisma.raw(order.descending !== page.fromEnd ? 'desc' : 'asc');
  const sorted = Prisma.join(order.keys.map((key) => Prisma.sql`${key.column} ${direction}`));
  return Prisma.sql`select ${batch}::int as batch, k.o::int as bucket, r.*
    from unnest(${parentIds}::text[]) with ordinality k(id, o)
    cross join lateral (
      select ${source.columns}, array[${Prisma.join(values)}]::text[] as "sortValues"
      ${source.from(directory, args)}${bound(page.after, 'after', true)}${bound(page.before, 'before', false)}
      order by ${sorted} limit ${page.size + 1}${page.offset > 0 ? Prisma.sql` offset ${page.offset}::bigint` : Prisma.empty}) r`;
}

/** Puts a bucket's rows, whose order across buckets is the plan's, into the list's order and cuts the surplus row. */
function toPage<Args, Row extends object>(
  source: ListSource<Args, Row>,
  order: Ordering,
  page: PageRequest,
  bucket: BucketRow[],
): Page<Row> {
  const more = bucket.length > page.size;
  const rows = bucket.slice(0, page.size);
  if (page.fromEnd) rows.reverse();
  return {
    rows: rows.map(({ batch, bucket, sortValues, ...row }) =>
      source.toRow ? source.toRow(row as never) : (row as Row),
    ),
    cursors: rows.map((row) => encodeCursor(order, row.sortValues)),
    hasNextPage: page.fromEnd ? page.before !== null : more,
    hasPreviousPage: page.fromEnd ? more : page.after !== null || page.offset > 0,
  };
}

function encodeCursor(order: Ordering, values: readonly unknown[]): string {
  return Buffer.from(JSON.stringify([order.tag, ...values])).toString('base64url');
}

function decodeCursor(order: Ordering, cursor: string, path: string): string[] {
  try {
    const [tag, ...values] = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')) as unknown[];
    const fits =
      tag === order.tag &&
      values.length === order.keys.length &&
      values.every(
        (value, at) =>
          typeof value === 'string' &&
          !value.includes('\0') &&
          value.isWellFormed() &&
          (order.keys[at]!.type === 'text' || !Number.isNaN(Date.parse(value))),
      );
    if (fits) return values as string[];
  } catch {
    // Falls through to the refusal: the text is no cursor at all.
  }
  throw refuse.validation([{ path: [path], message: 'is not a cursor of this list in this order' }]);
}

/** Positions of keys with equal arguments, one array for each distinct set of arguments. */
function groupByArgs<Key>(keys: readonly Key[], argsOf: (key: Key) => unknown): number[][] {
  const groups = Map.groupBy(keys.keys(), (at) => JSON.stringify(argsOf(keys[at]!)));
  return [...groups.values()];
}

const parents = (keys: readonly { parent: string }[], members: number[]) =>
  members.map((member) => keys[member]!.parent);

const unionAll = (statements: Sql[]) =>
  statements.length === 1
    ? statements[0]!
    : Prisma.join(
        statements.map((statement) => Prisma.sql`(${statement})`),
        ' union all ',
      );
