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

/** Distinct texts that get a name: each connection keeps every named statement until it closes. */
const MAX_NAMES = 500;

/** Gives a statement's text its name: the same for the same text, undefined once 500 are named. */
export function statementNames(): (text: string) => string | undefined {
  const names = new Map<string, string>();
  return (text) => {
    const known = names.get(text);
    if (known !== undefined || names.size >= MAX_NAMES) return known;
    const name = `c_${createHash('sha1').update(text).digest('base64url').slice(0, 16)}`;
    names.set(text, name);
    return name;
  };
}
