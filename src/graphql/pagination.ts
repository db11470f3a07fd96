// Connections over the domain's pages: what is not selected is neither listed nor counted.
import type { FieldNode, GraphQLResolveInfo, SelectionSetNode } from 'graphql';
import { type Page, type PageArgs, pageRequest } from '../model/page.ts';
import { builder } from './builder.ts';

builder.globalConnectionField('totalCount', (t) =>
  t.int({
    description: 'Rows in the whole list, on all pages. Counted only when selected.',
    resolve: (connection) => connection.countTotal(),
  }),
);

/** A list and its count, as the domain offers them; each null where the list is hidden from the caller. */
export type Listing<Row> = {
  list: () => Promise<Page<Row> | null>;
  count: () => Promise<number | null>;
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
  const page = once(list);
  if (selected.has('totalCount')) unhandledYet(total());
  // Which of the two is awaited here only decides how it is learnt that the list is hidden.
  const onlyTotal = selected.has('totalCount') && !LISTING_FIELDS.some((field) => selected.has(field));
  const loaded = onlyTotal ? null : await page();
  if (onlyTotal ? (await total()) === null : loaded === null) return null;
  return {
    countTotal: total,
    get edges() {
      return loaded ? edgesOf(loaded) : page().then((late) => edgesOf(late!));
    },
    get pageInfo() {
      return loaded ? pageInfoOf(loaded) : page().then((late) => pageInfoOf(late!));
    },
  };
}

const LISTING_FIELDS = ['edges', 'pageInfo'];

const edgesOf = <Row>({ rows, cursors }: Page<Row>) =>
  rows.map((node, index) => ({ node, cursor: cursors[index]! }));

const pageInfoOf = ({ cursors, hasNextPage, hasPreviousPage }: Page<unknown>) => ({
  hasNextPage,
  hasPreviousPage,
  startCursor: cursors.at(0) ?? null,
  endCursor: cursors.at(-1) ?? null,
});

function once<Value>(load: () => Promise<Value>): () => Promise<Value> {
  let loading: Promise<Value> | undefined;
  return () => (loading ??= load());
}

/** Its rejection is reported by the field that awaits it later; until then it must not end the process. */
function unhandledYet(promise: Promise<unknown>) {
  promise.catch(() => {});
}

// Siblings share their field nodes, so a list of a hundred groups reads its selection once.
const selections = new WeakMap<readonly FieldNode[], Set<string>>();

/** Names of the fields selected below this one, those under `@skip` and `@include` too. */
function selectedFields({ fieldNodes, fragments }: GraphQLResolveInfo): Set<string> {
  const known = selections.get(fieldNodes);
  if (known) return known;
  const names = new Set<string>();
  const collect = (selectionSet: SelectionSetNode | undefined) => {
    for (const selection of selectionSet?.selections ?? []) {
      if (selection.kind === 'Field') names.add(selection.name.value);
      else if (selection.kind === 'InlineFragment') collect(selection.selectionSet);
      else collect(fragments[selection.name.value]?.selectionSet);
    }
  };
  for (const node of fieldNodes) collect(node.selectionSet);
  selections.set(fieldNodes, names);
  return names;
}
