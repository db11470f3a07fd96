// Requests of one contender for one query: its variants, drawn at random.
import type { Contender } from './contenders.ts';
import { requestBytes } from './load.ts';
import type { Ask } from './operations/operations.ts';
import type { Query } from './queries.ts';

/** Asks once and gives the answer; throws for one that is not well. */
export async function askOnce({ port, headers }: Contender, { path, body }: Ask): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const text = await response.text();
  const answer = JSON.parse(text) as { errors?: unknown };
  if (response.status !== 200 || answer.errors) throw new Error(`${response.status} ${text.slice(0, 1_000)}`);
  return answer;
}

/** The cursor of each group of the list, walked page by page as a client would. */
export async function walkPages(contender: Contender, tenant: string): Promise<string[]> {
  const { operations } = contender;
  const cursors: string[] = [];
  for (;;) {
    const page = operations.cursors(
      await askOnce(contender, operations.walk(tenant, cursors.at(-1) ?? null)),
    );
    cursors.push(...page);
    if (page.length < 100) return cursors;
  }
}

/** One of them, at random. */
export const anyOf = <Item>(items: readonly Item[]): Item => items[Math.floor(Math.random() * items.length)]!;

/** The bytes of the query's requests, each of a variant drawn at random; null where the contender has no such query. */
export function readRequests(
  { operations, headers }: Contender,
  { asks, variants }: Query,
  cursors: string[],
): (() => Buffer) | null {
  if (operations.ask(asks, variants[0]!, cursors) === null) return null;
  return () => {
    const { path, body } = operations.ask(asks, anyOf(variants), cursors)!;
    return requestBytes(path, body, headers);
  };
}
