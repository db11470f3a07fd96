// Statements as they pass: told to who listens, and named so that a server keeps them prepared.
import { expect, test } from 'vitest';
import { NAMES_LIFETIME, statementNames, statements } from '../../src/database/statements.ts';

test('a text has one name, the same wherever it is named, and another text another', () => {
  const [nameOf, elsewhere] = [statementNames(), statementNames()];
  const name = nameOf('select 1');
  expect(name).toMatch(/^c_[A-Za-z0-9_-]{16}$/);
  expect([nameOf('select 1'), elsewhere('select 1')]).toEqual([name, name]);
  expect(nameOf('select 2')).not.toBe(name);
});

/** A text of so many characters, unlike the others. */
const textOf = (length: number, index: number) => `select ${index}`.padEnd(length);

test('texts of 128 K characters are named; what comes after them has no name, and they keep theirs', () => {
  const nameOf = statementNames();
  const texts = Array.from({ length: 32 }, (_, index) => textOf(4_096, index));
  const names = texts.map(nameOf);
  expect(new Set(names).size).toBe(32);
  expect(names).not.toContain(undefined);
  expect(nameOf('select 32')).toBeUndefined();
  expect(nameOf('select 32')).toBeUndefined();
  expect(texts.map(nameOf)).toEqual(names);
});

test('a text of more than 4,096 characters has no name, and takes none from others', () => {
  const nameOf = statementNames();
  for (let index = 0; index < 100; index += 1) expect(nameOf(textOf(4_097, index))).toBeUndefined();
  expect(nameOf(textOf(4_096, 0))).toBeDefined();
});

test('names are given anew after half an hour, the same to the same texts', () => {
  let now = 1_000;
  const nameOf = statementNames(() => now);
  const texts = Array.from({ length: 33 }, (_, index) => textOf(4_096, index));
  const names = texts.map(nameOf);
  expect(names[32]).toBeUndefined();
  now += NAMES_LIFETIME * 1_000;
  expect(nameOf(texts[32]!)).toBeUndefined();
  now += 1;
  expect(nameOf(texts[32]!)).toBeDefined();
  expect(nameOf(texts[0]!)).toBe(names[0]);
  expect(texts.slice(1).map(nameOf).at(-2)).toBeUndefined();
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
