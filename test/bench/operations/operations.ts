// How a contender is asked, and how its answer is read so that all can be compared.
import type { Write } from '../contenders/statements.ts';
import type { Variant } from '../queries.ts';

/** A POST of the body, or a GET without one. */
export type Ask = { path: string; body?: unknown };

export type Operations = {
  /** The request of a query, or null where the contender has no such thing. `cursors` are those of its own walk. */
  ask(query: string, variant: Variant, cursors: readonly string[]): Ask | null;
  /** Its answer, in the one form that all are compared in. */
  // biome-ignore lint/suspicious/noExplicitAny: each reads the shape that it asked for.
  read(query: string, answer: any): unknown;
  /** One page of 100 groups after a cursor, to walk the whole list. */
  walk(tenant: string, after: string | null): Ask;
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  cursors(answer: any): string[];
  write(write: Write): Ask;
};

type Member = { userId: string; email: string };
type Edges<Node> = { edges: { node: Node }[] };

/** The nodes of a connection. */
export const nodes = <Node>({ edges }: Edges<Node>): Node[] => edges.map((edge) => edge.node);
export const memberPair = ({ userId, email }: Member) => [userId, email];
