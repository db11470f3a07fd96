// Statements as they pass: who listens to them, and the names under which a server keeps them prepared.
import { createHash } from 'node:crypto';
import type { StatementListener } from './database.ts';

export type Statements = {
  /** Tells the listeners. */
  sent(text: string): void;
  /** Calls the listener with each statement; gives a function that stops it. */
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
 * Characters of all texts that have a name at once, and of one: each connection keeps what it has prepared until it
 * closes, and a server was found to take up to a hundred bytes a character. A caller decides how many lists are read
 * together, and the longest statement of a single list has 2,900 characters.
 */
const MAX_CHARACTERS = 128 * 1_024;
const MAX_TEXT_LENGTH = 4_096;

/** Seconds after which connections are replaced and names are assigned from the start: an unusual set of statements stays no longer. */
export const NAMES_LIFETIME = 1_800;

/**
 * Gives a statement's text its name: the same for the same text, undefined for one that would exceed the bounds. A
 * connection that lives no longer than names do has prepared at most what two such sets hold.
 */
export function statementNames(now = () => performance.now()): (text: string) => string | undefined {
  const names = new Map<string, string>();
  let characters = 0;
  let begun = now();
  return (text) => {
    const known = names.get(text);
    if (known !== undefined) return known;
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
