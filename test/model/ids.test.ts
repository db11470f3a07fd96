// Ids: which texts are ids of which kind, and what a fresh one looks like.
import { describe, expect, test } from 'vitest';
import {
  groupId,
  ID_PREFIXES,
  type IdKind,
  isIdOf,
  kindOfId,
  newId,
  partnerId,
  tenantId,
  userId,
} from '../../src/model/ids.ts';

const PREFIXES = { partner: 'prt', tenant: 'tnt', user: 'usr', group: 'grp', deletion: 'del' };
const KINDS = Object.keys(PREFIXES) as IdKind[];

test('each kind has its prefix', () => {
  expect(ID_PREFIXES).toEqual(PREFIXES);
});

describe.each(KINDS)('an id of a %s', (kind) => {
  const prefix = PREFIXES[kind];

  test('that is fresh has 16 letters and digits, and is no other', () => {
    const ids = Array.from({ length: 500 }, () => newId(kind));
    expect(new Set(ids).size).toBe(500);
    for (const id of ids) expect(id).toMatch(new RegExp(`^${prefix}_[A-Za-z0-9]{16}$`));
    // All of the alphabet comes up.
    expect(new Set(ids.join('').replaceAll(`${prefix}_`, '')).size).toBe(62);
    expect(kindOfId(ids[0]!)).toBe(kind);
  });

  test.each([
    ['a', true],
    ['Aa0_-', true],
    ['x'.repeat(64), true],
    ['x'.repeat(65), false],
    ['', false],
    ['a b', false],
    ['ä', false],
    ['a\n', false],
    ['a.b', false],
    ['a/b', false],
  ])('may have %j behind its prefix: %s', (text, expected) => {
    expect(isIdOf(kind, `${prefix}_${text}`)).toBe(expected);
    expect(kindOfId(`${prefix}_${text}`)).toBe(expected ? kind : null);
  });

  test('begins with its prefix, and is of no other kind', () => {
    for (const text of [
      'abc',
      `${prefix}abc`,
      ` ${prefix}_a`,
      `x${prefix}_a`,
      `${prefix.toUpperCase()}_a`,
      '_a',
    ])
      expect([isIdOf(kind, text), kindOfId(text)]).toEqual([false, null]);
    expect(KINDS.filter((other) => isIdOf(other, `${prefix}_a`))).toEqual([kind]);
  });
});

test.each([
  ['partner', partnerId],
  ['tenant', tenantId],
  ['user', userId],
  ['group', groupId],
] as const)('an input that names a %s is kept as it is, or refused in words', (kind, schema) => {
  const prefix = PREFIXES[kind];
  expect(schema.parse(`${prefix}_Kept-as_is`)).toBe(`${prefix}_Kept-as_is`);
  const faults = (value: unknown) => schema.safeParse(value).error?.issues.map(({ message }) => message);
  const message = `must be a ${kind} id, such as ${prefix}_ followed by letters and digits`;
  expect(faults('nothing')).toEqual([message]);
  expect(faults('del_a')).toEqual([message]);
  expect(faults(`${prefix}_${'x'.repeat(65)}`)).toEqual([message]);
  expect(faults(7)).toHaveLength(1);
});
