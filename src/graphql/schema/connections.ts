// Connections over the domain's pages: what is not selected is neither listed nor counted.

import type { FieldNode, GraphQLResolveInfo, SelectionSetNode } from 'graphql';
import type { GroupProjection } from '../../domain/rows/groups.ts';
import type { MemberProjection } from '../../domain/rows/members.ts';
import { type Page, type PageArgs, pageRequest } from '../../model/page.ts';
import { builder } from './builder.ts';

builder.globalConnectionField('totalCount', (t) =>
  t.int({
    description: 'Rows in the whole list, on all pages. Counted only when selected.',
    resolve: (connection) => connection.countTotal(),
  }),
);

/** A list and its count, as the domain offers them; each null where the list is hidden from the caller. */
export type Listing<Row> = {
  list: (page: PageArgs) => Promise<Page<Row> | null>;
  /** The number itself where the parent's row holds it already. */
  count: () => number | null | Promise<number | null>;
};

/**
 * The connection of a listing, or null where it is hidden. Page arguments are checked even if no row is selected.
 * Page and count start together, so that those of sibling objects share one batch.
 */
export async function connection<Row>(
  args: PageArgs,
  info: GraphQLResolveInfo,
  { list, count }: Listing<Row>,
) {
  pageRequest(args);
  const selected = selectedFields(info);
  const total = once(count);
  const page = once(() => list({ ...args, skipPageInfo: !selected.has('pageInfo') }));
  if (selected.has('totalCount')) unhandledYet(total());
  // Which of the two is awaited here only decides how it is learnt that the list is hidden.
  const onlyTotal =
    selected.has('totalCount') &&
    !LISTING_FIELDS.some((field) => selected.has(field)) &&
    // Only the list can tell whether a cursor is one of its own.
    args.after == null &&
    args.before == null;
  const loaded = onlyTotal ? null : await page();
  if (onlyTotal ? (await total()) === null : loaded === null) return null;
  return new Connection(loaded, page, total);
}

// Classes, since many of each are made for a request: an accessor of a literal costs a hidden class each time.
class Connection<Row> {
  readonly countTotal: () => number | null | Promise<number | null>;
  private readonly loaded: Page<Row> | null;
  private readonly load: () => Promise<Page<Row> | null>;

  constructor(
    loaded: Page<Row> | null,
    load: () => Promise<Page<Row> | null>,
    countTotal: () => number | null | Promise<number | null>,
  ) {
    this.loaded = loaded;
    this.load = load;
    this.countTotal = countTotal;
  }

  get edges() {
    return this.loaded ? edgesOf(this.loaded) : this.load().then((late) => edgesOf(late!));
  }

  get pageInfo() {
    return this.loaded ? new PageInfo(this.loaded) : this.load().then((late) => new PageInfo(late!));
  }
}

const LISTING_FIELDS = ['edges', 'pageInfo'];

class Edge<Row> {
  readonly node: Row;
  private readonly page: Page<Row>;
  private readonly at: number;

  constructor(page: Page<Row>, node: Row, at: number) {
    this.node = node;
    this.page = page;
    this.at = at;
  }

  /** Made when it is selected. */
  get cursor(): string {
    return this.page.cursors[this.at]!;
  }
}

const edgesOf = <Row>(page: Page<Row>) => page.rows.map((node, at) => new Edge(page, node, at));

class PageInfo {
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
  private readonly page: Page<unknown>;

  constructor(page: Page<unknown>) {
    this.page = page;
    this.hasNextPage = page.hasNextPage;
    this.hasPreviousPage = page.hasPreviousPage;
  }

  get startCursor(): string | null {
    return this.page.cursors.at(0) ?? null;
  }

  get endCursor(): string | null {
    return this.page.cursors.at(-1) ?? null;
  }
}

function once<Value>(load: () => Value): () => Value {
  let loading: Value | undefined;
  return () => {
    loading ??= load();
    return loading;
  };
}

/** Its rejection is reported by the field that awaits it later; until then it must not end the process. */
function unhandledYet(value: unknown) {
  if (value instanceof Promise) value.catch(() => {});
}

/** What the rows of a connection of groups are asked for beside their columns, so that the list reads it with them. */
export function groupProjection(info: GraphQLResolveInfo): GroupProjection {
  const selected = selectedFields(info, ['edges', 'node']);
  return {
    nestedGroupCount: selected.has('nestedGroupCount'),
    membersVersion: selected.has('members'),
    summary: [...selected].every((field) => SUMMARY_FIELDS.has(field)),
  };
}

/**
 * The fields of Group that a summary row answers, from its columns or by its id. A field that is not in this list makes a
 * list read whole rows: a new field is slower until it is added here, and never null.
 */
const SUMMARY_FIELDS = new Set(
  [
    '__typename id tenant name type version path ancestors children members memberCount effectiveMembers',
    'effectiveMemberCount hasEffectiveMember nestedGroups nestedGroupCount parentGroups',
  ].flatMap((line) => line.split(' ')),
);

/** The same for a connection of members. */
export function memberProjection(info: GraphQLResolveInfo): MemberProjection {
  const selected = selectedFields(info, ['edges', 'node']);
  return { addedAt: selected.has('addedAt'), user: selected.has('user') || selected.has('displayName') };
}

// Siblings share their field nodes, so a list of a hundred groups reads its selection once.
const selections = new WeakMap<readonly FieldNode[], Map<string, Set<string>>>();

/** Names of the fields selected below this one at the end of a path, those under `@skip` and `@include` too. */
function selectedFields({ fieldNodes, fragments }: GraphQLResolveInfo, path: readonly string[] = []) {
  const known = selections.get(fieldNodes) ?? new Map<string, Set<string>>();
  selections.set(fieldNodes, known);
  const key = path.join('.');
  const before = known.get(key);
  if (before) return before;
  let fields: readonly FieldNode[] = fieldNodes;
  for (const step of path) fields = fieldsBelow(fields, fragments).filter(({ name }) => name.value === step);
  const names = new Set(fieldsBelow(fields, fragments).map(({ name }) => name.value));
  known.set(key, names);
  return names;
}

function fieldsBelow(
  parents: readonly (FieldNode | { selectionSet?: SelectionSetNode | undefined })[],
  fragments: GraphQLResolveInfo['fragments'],
): FieldNode[] {
  return parents.flatMap(({ selectionSet }) =>
    (selectionSet?.selections ?? []).flatMap((selection) => {
      if (selection.kind === 'Field') return [selection];
      if (selection.kind === 'InlineFragment') return fieldsBelow([selection], fragments);
      const fragment = fragments[selection.name.value];
      return fragment ? fieldsBelow([fragment], fragments) : [];
    }),
  );
}
