// What the three frontends share: what each can be told to do, and the screen that shows its list.

export type Page = 'first' | 'next' | 'previous' | 'again';
export type Frontend = {
  /** Asks the server for a page of groups, and shows what the client's cache then holds of it, also as that changes. */
  show(page: Page): Promise<void>;
  rename(id: string, name: string): Promise<void>;
  useToken(token: string): void;
};
export type Start = (url: string, tenant: string) => Frontend;

export type Listed = {
  edges: { node: { id: string; name: string } }[];
  pageInfo: { startCursor: string | null; endCursor: string | null };
};
const SIZE = 3;

/** The arguments of a page, beside the one that is shown. */
export function argumentsOf(page: Page, shown: Listed | null, last: object): object {
  if (page === 'again') return last;
  if (page === 'next') return { first: SIZE, after: shown!.pageInfo.endCursor };
  if (page === 'previous') return { last: SIZE, before: shown!.pageInfo.startCursor };
  return { first: SIZE };
}

/** Shows the list, or why there is none: a code of ours, or that no answer came. */
export function render(list: Listed | null, fault = ''): void {
  const items = (list?.edges ?? []).map(({ node }) => {
    const item = document.createElement('li');
    item.textContent = node.name;
    item.dataset.id = node.id;
    return item;
  });
  document.querySelector('#groups')!.replaceChildren(...items);
  document.querySelector('#fault')!.textContent = fault;
}

type Failed = { errors?: Fault[]; graphQLErrors?: Fault[] };
type Fault = { extensions?: { code?: string } };
export const faultOf = (error: unknown): string => {
  const { errors, graphQLErrors } = error as Failed;
  return (errors ?? graphQLErrors)?.[0]?.extensions?.code ?? 'NO_ANSWER';
};

/** `fetch` with the token of now. */
export const fetchWith =
  (token: () => string) =>
  (input: RequestInfo | URL, init: RequestInit = {}) => {
    const headers = new Headers(init.headers);
    headers.set('authorization', `Bearer ${token()}`);
    return fetch(input, { ...init, headers });
  };
