// Relay connections over the domain's lists. Pages are loaded and counted only where the operation selects it.

import type { FieldNode, GraphQLResolveInfo, SelectionSetNode } from 'graphql';
import type { ChangeProjection } from '../../domain/rows/changes.ts';
import type { GroupProjection } from '../../domain/rows/groups.ts';
import type { MemberProjection } from '../../domain/rows/members.ts';
import { type Page, type PageArgs, pageRequest } from '../../model/page.ts';
import { builder } from './builder.ts';

builder.globalConnectionField('totalCount', (t) =>
  t.int({
    description: 'Number of items in the whole list, across all pages. Computed only if selected.',
    resolve: (connection) => connection.countTotal(),
  }),
);

/** The list and the count of a connection. Both are null if the list is hidden from the caller. */
export type Listing<Row> = {
  /** A page; with `withTotal` the page has the total, of the same state. */
  list: (page: PageArgs) => Promise<Page<Row> | null>;
  /** The total, where no page is needed. Returns the number itself, not a promise, if the parent's row has it. */
  count: () => number | null | Promise<number | null>;
};

/**
 * The connection of a listing; null if the listing is hidden. Page arguments are validated even if no item is selected. A page
 * and its total are read together, so that they are of one state.
 */
export async function connection<Row>(
  args: PageArgs,
  info: GraphQLResolveInfo,
  { list, count }: Listing<Row>,
) {
  pageRequest(args);
  const selected = selectedFields(info);
  const withTotal = selected.has('totalCount');
  const page = once(() => list({ ...args, skipPageInfo: !selected.has('pageInfo'), withTotal }));
  // Whether the list is hidden is known from the page, or from the total if no page is needed.
  const onlyTotal =
    withTotal &&
    !LISTING_FIELDS.some((field) => selected.has(field)) &&
    // Only the list can validate a cursor.
    args.after == null &&
    args.before == null;
  const total = onlyTotal ? await count() : null;
  const loaded = onlyTotal ? null : await page();
  if (onlyTotal ? total === null : loaded === null) return null;
  return new Connection(loaded, page, () => (onlyTotal ? total : (loaded!.total ?? count())));
}

// Classes, because a request creates many instances: V8 makes a new hidden class for each object literal with a getter.
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
    return this.loaded ? edgesOf(this.loaded) : this.load().then((page) => edgesOf(page!));
  }

  get pageInfo() {
    return this.loaded ? new PageInfo(this.loaded) : this.load().then((page) => new PageInfo(page!));
  }
}

const LISTING_FIELDS = ['edges', 'pageInfo'];

class Edge<Row> {
  readonly node: Row;
  private readonly page: Page<Row>;
  private readonly index: number;

  constructor(page: Page<Row>, node: Row, index: number) {
    this.node = node;
    this.page = page;
    this.index = index;
  }

  /** A getter, because the page encodes a cursor only when it is read. */
  get cursor(): string {
    return this.page.cursors[this.index]!;
  }
}

const edgesOf = <Row>(page: Page<Row>) => page.rows.map((node, index) => new Edge(page, node, index));

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
  let loaded: Value | undefined;
  return () => {
    loaded ??= load();
    return loaded;
  };
}

/** The projection of a connection of groups, from the fields selected on its nodes. */
export function groupProjection(info: GraphQLResolveInfo): GroupProjection {
  const selected = selectedFields(info, ['edges', 'node']);
  return {
    nestedGroupCount: selected.has('nestedGroupCount'),
    summary: [...selected].every((field) => SUMMARY_FIELDS.has(field)),
  };
}

/**
 * The fields of Group that can be resolved from a summary row: from its columns, or by its id. Any other field makes the
 * list read all columns, so a new field is slower until it is added here, but never null.
 */
const SUMMARY_FIELDS = new Set(
  [
    '__typename id tenant name type version path ancestors children members memberCount effectiveMembers viewerCan',
    'effectiveMemberCount hasEffectiveMember explainMembership nestedGroups nestedGroupCount parentGroups asOf history',
  ].flatMap((line) => line.split(' ')),
);

/** The projection of a connection of members, from the fields selected on its nodes. */
export function memberProjection(info: GraphQLResolveInfo): MemberProjection {
  const selected = selectedFields(info, ['edges', 'node']);
  return { addedAt: selected.has('addedAt'), user: selected.has('user') || selected.has('displayName') };
}

/** The projection of changes, from the fields selected on the nodes at this path. Fields of all types count. */
export function changeProjection(
  info: GraphQLResolveInfo,
  path: readonly string[] = ['edges', 'node'],
): ChangeProjection {
  const selected = selectedFields(info, path);
  return {
    users: selected.has('userIds') || selected.has('userCount'),
    data: CHANGE_DATA_FIELDS.some((field) => selected.has(field)),
  };
}

/** The fields of changes that are read from the details of a change. */
const CHANGE_DATA_FIELDS = [
  ...['before', 'after', 'changed', 'strategy', 'parentGroupId', 'throughGroupId', 'upserts'],
  'repairedGroupIds',
];

// Sibling objects share their field nodes, so the selection is collected once for a list of a hundred groups.
const selections = new WeakMap<readonly FieldNode[], Map<string, Set<string>>>();

/** Names of the fields selected at a path below this field, including those with `@skip` and `@include`. */
function selectedFields({ fieldNodes, fragments }: GraphQLResolveInfo, path: readonly string[] = []) {
  const namesByPath = selections.get(fieldNodes) ?? new Map<string, Set<string>>();
  selections.set(fieldNodes, namesByPath);
  const key = path.join('.');
  const cachedNames = namesByPath.get(key);
  if (cachedNames) return cachedNames;
  let fields: readonly FieldNode[] = fieldNodes;
  for (const segment of path) {
    fields = fieldsBelow(fields, fragments).filter(({ name }) => name.value === segment);
  }
  const names = new Set(fieldsBelow(fields, fragments).map(({ name }) => name.value));
  namesByPath.set(key, names);
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
