// Statement listeners, and the names of prepared statements.
import { createHash } from 'node:crypto';
import type { StatementListener } from './database.ts';

export type Statements = {
  /** Calls the listeners. */
  sent(text: string): void;
  /** Calls the listener with each statement; returns a function that stops it. */
  listen(listener: StatementListener): () => void;
};

export function statements(): Statements {
  const listeners = new Set<StatementListener>();
  return {
    sent(text) {
      for (const listener of listeners) listener(text);
    },
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/**
 * Maximum characters of all named statements together, and of one. Each connection keeps its prepared statements until it
 * closes, and a server was measured to use up to a hundred bytes per character. The longest statement of a single list has
 * 2,900 characters, but a request decides how many lists are read together.
 */
const MAX_CHARACTERS = 128 * 1_024;
const MAX_TEXT_LENGTH = 4_096;

/** Seconds after which connections are replaced and names are reset, so that a rare set of statements does not fill the limit. */
export const NAMES_LIFETIME = 1_800;

/**
 * Returns a function that names statements: equal texts get equal names, and a text that would exceed the limits gets none.
 * A connection lives no longer than a set of names, so it prepares the statements of at most two sets.
 */
export function statementNames(now = () => performance.now()): (text: string) => string | undefined {
  const names = new Map<string, string>();
  let characters = 0;
  let begun = now();
  return (text) => {
    const assigned = names.get(text);
    if (assigned !== undefined) return assigned;
    if (now() - begun > NAMES_LIFETIME * 1_000) {
      names.clear();
      characters = 0;
      begun = now();
    }
    if (text.length > MAX_TEXT_LENGTH || characters + text.length > MAX_CHARACTERS) return undefined;
    const name = `c_${createHash('sha1').update(text).digest('base64url').slice(0, 16)}`;
    names.set(text, name);
    characters += text.length;
    return name;
  };
}
