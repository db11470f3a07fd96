// Lists of the directory as batched keyset pages and counts: one statement for all parents and arguments of a tick.
import DataLoader from 'dataloader';
import { Prisma, type Sql } from '../../database/database.ts';
import { refuse } from '../../model/errors.ts';
import { type Page, type PageArgs, type PageRequest, pageRequest } from '../../model/page.ts';
import {
  type Audience,
  type Directory,
  type Hidden,
  isFor,
  perDirectory,
  type Reader,
} from '../directory.ts';
import { batchAcrossRequests, type Read } from './batching.ts';
import { boundedCache, rowsBytes } from './cache.ts';
import { cursorValues, type Ordering, rowsToRead, toPage } from './keyset-page.ts';

/** A list that hangs off a parent, as SQL correlated with the parent's id `k.id`. */
export type ListSource<Args, Row extends object, A extends Audience = Audience> = {
  /** Whom the list is for; a list for `self` hangs off a user. */
  audience: A;
  /** Selected columns. */
  columns(directory: Reader, args: Args): Sql;
  /** Tables and conditions: `from … where …`, with the caller's scope. */
  from(directory: Reader, args: Args): Sql;
  /** The same rows for counting, where that needs fewer tables. */
  fromForCount?(directory: Reader, args: Args): Sql;
  order(args: Args): Ordering;
  /** Makes a row of what SQL gave back for a parent. */
  toRow(raw: never, parent: string): Row;
};

/** `kind` is what two keys must have in common to be read alike, as text: their arguments, and how their pages are cut. */
type PageKey<Args> = { parent: string; kind: string; args: Args; page: PageRequest; cursors: Cursors };
type CountKey<Args> = { parent: string; kind: string; args: Args };
/** The values that a page's cursors hold, in the order of the list's keys; none without a cursor. */
type Cursors = { after: readonly string[]; before: readonly string[] };
type BucketRow = { batch: number; bucket: number };

/** The longest list that is given whole: about 2 MB of JSON, and still one statement well inside its timeout. */
export const MAX_WHOLE_LIST = 10_000;

/** Parent of lists that hang off no row. */
export const NO_PARENT = '';

/**
 * The page and the count of a list. Pages need a statement a batch, whatever the number of parents; each bucket
 * reads one row more than the page holds, to know whether there is another page: `unnest … CROSS JOIN LATERAL`, never a
 * window over whole lists.
 */
export function list<Args extends object, Row extends object, const A extends Audience>(
  source: ListSource<Args, Row, A>,
) {
  const pages = listLoader<PageKey<Args>, Page<Row>>(
    (directory, keys) => loadPages(directory, source, keys),
    ({ parent, page: { after, before } }) =>
      after === null && before === null ? parent : `${parent}\n${after}\n${before}`,
  );
  const counts = listLoader<CountKey<Args>, number>(
    (directory, keys) => loadCounts(directory, source, keys),
    ({ parent }) => parent,
  );
  const pageCache = boundedCache<{ version: string; page: Page<Row> }>(({ page }) => rowsBytes(page.rows));
  const isHidden = (directory: Directory, parent: string) => !isFor(directory, source.audience, parent);
  const load = (directory: Directory, parent: string, args: Args, page: PageRequest) => {
    const { size, backward, offset, skipPageInfo } = page;
    const cursors = cursorsOf(source.order(args), page);
    const cut = [size, backward, offset, skipPageInfo, cursors.after.length, cursors.before.length];
    return pages(directory).load({ parent, kind: JSON.stringify([args, cut]), args, page, cursors });
  };
  return {
    /**
     * Null for callers outside of the audience. Rejects with VALIDATION_FAILED for page arguments that do not hold. A page is kept at its `version`, which must
     * have been read before it in the same request, must rise with each change of the list, and never fall: as long
     * as the same version is read again, the page is what would be read again.
     */
    async page(
      directory: Directory,
      parent: string,
      args: Args,
      page: PageArgs,
      version: string | null = null,
    ): Promise<Page<Row> | Hidden<A>> {
      if (isHidden(directory, parent)) return null as Hidden<A>;
      const request = pageRequest(page);
      if (version === null) return load(directory, parent, args, request);
      const pages = pageCache(directory.db);
      const key = `${parent}\n${JSON.stringify([args, request])}`;
      const found = pages.get(key);
      if (found?.version === version) return found.page;
      const read = await load(directory, parent, args, request);
      pages.set(key, { version, page: read });
      return read;
    },
    /** The whole list; refused with LIMIT_EXCEEDED if it is longer than `MAX_WHOLE_LIST`, never cut. */
    async whole(directory: Directory, parent: string, args: Args): Promise<readonly Row[] | Hidden<A>> {
      if (isHidden(directory, parent)) return null as Hidden<A>;
      const page = {
        size: MAX_WHOLE_LIST,
        backward: false,
        after: null,
        before: null,
        offset: 0,
        skipPageInfo: false,
      };
      const { rows, hasNextPage } = await load(directory, parent, args, page);
      if (!hasNextPage) return rows;
      throw refuse.limit(
        MAX_WHOLE_LIST,
        `The list is longer than ${MAX_WHOLE_LIST}: read it a page at a time`,
      );
    },
    async count(directory: Directory, parent: string, args: Args): Promise<number | Hidden<A>> {
      if (isHidden(directory, parent)) return null as Hidden<A>;
      return counts(directory).load({ parent, kind: JSON.stringify(args), args });
    },
  };
}

/**
 * Reads keys of one kind together with those of other requests. Those of several kinds are a statement of their own:
 * its text depends on how they are mixed, and a server keeps only so many texts prepared.
 */
function listLoader<Key extends { kind: string }, Value>(
  read: Read<Key, Value>,
  keyOf: (key: Key) => string,
) {
  const together = batchAcrossRequests(read, keyOf);
  return perDirectory(
    (directory) =>
      new DataLoader<Key, Value, string>(
        (keys) => {
          const { kind } = keys[0]!;
          const alike = keys.every((key) => key.kind === kind);
          return alike ? together(directory, keys, kind) : read(directory, keys);
        },
        { cacheKeyFn: (key) => `${keyOf(key)}\n${key.kind}` },
      ),
  );
}

async function loadPages<Args extends object, Row extends object>(
  directory: Reader,
  source: ListSource<Args, Row>,
  keys: readonly PageKey<Args>[],
): Promise<Page<Row>[]> {
  const results = new Array<Page<Row>>(keys.length);
  const batches = groupByKind(keys).map((members, batch) => {
    const { args, page } = keys[members[0]!]!;
    const columns = source.columns(directory, args);
    const order = source.order(args);
    const asked = members.map((member) => keys[member]!);
    const statement = pageStatement(directory, source, { columns, order, args, page, batch, keys: asked });
    return { statement, members, shape: `${columns.text} ${sortValueOf(order) !== null}` };
  });
  const buckets = batches.map((batch) => batch.members.map(() => [] as BucketRow[]));
  // Lists of which different columns are selected cannot share a statement; a document has as many as it says so.
  await Promise.all(
    [...Map.groupBy(batches, (batch) => batch.shape).values()].map(async (alike) => {
      const rows = await directory.sql<BucketRow>(unionAll(alike.map((batch) => batch.statement)));
      for (const row of rows) buckets[row.batch]![row.bucket - 1]!.push(row);
    }),
  );
  batches.forEach(({ members }, batch) => {
    members.forEach((member, bucket) => {
      const { args, page, parent } = keys[member]!;
      const toRow = (raw: BucketRow) => source.toRow(raw as never, parent);
      results[member] = toPage(toRow, source.order(args), page, buckets[batch]![bucket]!);
    });
  });
  return results;
}

async function loadCounts<Args extends object, Row extends object>(
  directory: Reader,
  source: ListSource<Args, Row>,
  keys: readonly CountKey<Args>[],
): Promise<number[]> {
  const batches = groupByKind(keys);
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

type Asked<Args> = {
  columns: Sql;
  order: Ordering;
  args: Args;
  page: PageRequest;
  batch: number;
  keys: readonly PageKey<Args>[];
};

function cursorsOf(order: Ordering, { after, before }: PageRequest): Cursors {
  return {
    after: after === null ? [] : cursorValues(order, after, 'after'),
    before: before === null ? [] : cursorValues(order, before, 'before'),
  };
}

/** The key that no selected column holds, as text; null if there is none. */
function sortValueOf({ keys }: Ordering): Sql | null {
  const hidden = keys.find((key) => key.alias === undefined);
  if (!hidden) return null;
  return hidden.type === 'text'
    ? hidden.column
    : Prisma.sql`to_char(${hidden.column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MSZ')`;
}

function pageStatement<Args extends object, Row extends object>(
  directory: Reader,
  source: ListSource<Args, Row>,
  { columns: selected, order, args, page, batch, keys }: Asked<Args>,
): Sql {
  const columns = Prisma.join(order.keys.map((key) => key.column));
  const sortValue = sortValueOf(order);
  const parameters: { name: Sql; values: Sql }[] = [
    { name: Prisma.sql`id`, values: Prisma.sql`${keys.map((key) => key.parent)}::text[]` },
  ];
  const bound = (end: 'after' | 'before') => {
    if (page[end] === null) return Prisma.empty;
    const names = order.keys.map(({ type }, at) => {
      const name = Prisma.raw(`${end}_${at}`);
      const values = Prisma.sql`${keys.map(({ cursors }) => cursors[end][at])}::${Prisma.raw(type)}[]`;
      parameters.push({ name, values });
      return Prisma.sql`k.${name}`;
    });
    const greater = (end === 'after') !== order.descending;
    return Prisma.sql` and (${columns}) ${Prisma.raw(greater ? '>' : '<')} (${Prisma.join(names)})`;
  };
  const direction = Prisma.raw(order.descending !== page.backward ? 'desc' : 'asc');
  const sorted = Prisma.join(order.keys.map((key) => Prisma.sql`${key.column} ${direction}`));
  const rows = Prisma.sql`
      select ${selected}${sortValue ? Prisma.sql`, ${sortValue} as "sortValue"` : Prisma.empty}
      ${source.from(directory, args)}${bound('after')}${bound('before')}
      order by ${sorted} limit ${rowsToRead(page)}${page.offset > 0 ? Prisma.sql` offset ${page.offset}::bigint` : Prisma.empty}`;
  const [values, names] = [
    parameters.map((parameter) => parameter.values),
    parameters.map((parameter) => parameter.name),
  ].map((list) => Prisma.join(list));
  return Prisma.sql`select ${batch}::int as batch, k.o::int as bucket, r.*
    from unnest(${values}) with ordinality k(${names}, o)
    cross join lateral (${rows}) r`;
}

/** Positions of keys of a kind, one array for each kind. */
function groupByKind(keys: readonly { kind: string }[]): number[][] {
  return [...Map.groupBy(keys.keys(), (at) => keys[at]!.kind).values()];
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
