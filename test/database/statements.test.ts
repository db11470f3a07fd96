// Statements as they pass: told to who listens, and named so that a server keeps them prepared.
import { expect, test } from 'vitest';
import { statementNames, statements } from '../../src/database/statements.ts';

test('a text has one name, the same wherever it is named, and another text another', () => {
  const [nameOf, elsewhere] = [statementNames(), statementNames()];
  const name = nameOf('select 1');
  expect(name).toMatch(/^c_[A-Za-z0-9_-]{16}$/);
  expect([nameOf('select 1'), elsewhere('select 1')]).toEqual([name, name]);
  expect(nameOf('select 2')).not.toBe(name);
});

test('five hundred texts are named; what comes after them has no name, and they keep theirs', () => {
  const nameOf = statementNames();
  const names = Array.from({ length: 500 }, (_, n) => nameOf(`select ${n}`));
  expect(new Set(names).size).toBe(500);
  expect(names).not.toContain(undefined);
  expect(nameOf('select 500')).toBeUndefined();
  expect(nameOf('select 500')).toBeUndefined();
  expect(Array.from({ length: 500 }, (_, n) => nameOf(`select ${n}`))).toEqual(names);
});

test('each listener hears each statement until it stops', () => {
  const { sent, listen } = statements();
  const heard: string[] = [];
  const stopFirst = listen((text) => heard.push(`first ${text}`));
  const stopSecond = listen((text) => heard.push(`second ${text}`));
  sent('a');
  stopFirst();
  sent('b');
  stopSecond();
  sent('c');
  expect(heard).toEqual(['first a', 'second a', 'second b']);
});
