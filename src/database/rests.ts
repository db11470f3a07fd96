// A server that others can stand in for: while it does not answer, hardly any statement waits for it.
import type { Query } from './database.ts';
import { isLostConnection } from './errors.ts';

/** How long a server that did not answer is left alone, in ms. Then one statement tries. */
const REST = 1_000;

/**
 * The query, refused at once after a connection was lost, or none was made in time: then one statement is sent each `REST`, until
 * one is answered. Errors of a server that is there change nothing.
 */
export function withRests(query: Query, now = () => performance.now()): Query {
  let retryAt: number | null = null;
  return async (statement) => {
    if (retryAt !== null && now() < retryAt) throw new Error('The server did not answer lately');
    // While this one tries, others do not.
    if (retryAt !== null) retryAt = now() + REST;
    try {
      const rows = await query(statement);
      retryAt = null;
      return rows as never;
    } catch (error) {
      if (isLostConnection(error)) retryAt = now() + REST;
      throw error;
    }
  };
}
