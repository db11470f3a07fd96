// The chaos suite's model: every change that it draws changes something, and keeps the rules that the product has.
import { isDeepStrictEqual } from 'node:util';
import { expect, test } from 'vitest';
import { randomFrom } from '../support/random.ts';
import { seed } from '../support/seed.ts';
import { apply, drawChange } from './changes.ts';
import { closureOf, copyOf, createRegions, effectiveMembersOf, groupsAbove } from './region.ts';

test('a drawn change changes the state, and never nests in a circle', () => {
  const random = randomFrom(seed);
  const [region] = createRegions(1, 1, random);
  const kinds = new Set<string>();
  for (let made = 0; made < 300; made += 1) {
    const change = drawChange(region!, random);
    const before = copyOf(region!.state);
    apply(region!.state, change);
    expect(isDeepStrictEqual(before, region!.state), JSON.stringify(change)).toBe(false);
    kinds.add(change.kind);
  }
  expect([...kinds].toSorted()).toEqual(['add', 'describe', 'nest', 'remove', 'rename', 'unnest']);
  for (const { id } of region!.groups)
    for (const child of region!.state.nested.get(id)!)
      expect(closureOf(region!.state, child)).not.toContain(id);
});

test('a change like another concerns the same group', () => {
  const random = randomFrom(seed);
  const [region] = createRegions(1, 1, random);
  const { id: groupId } = region!.groups[3]!;
  const like = { kind: 'add' as const, groupId, userIds: [] };
  expect(drawChange(region!, random, like)).toMatchObject({ groupId });
});

test('members of a nested group are effective members of every group above it, once', () => {
  const [region] = createRegions(1, 1, randomFrom(1));
  const [top, middle, bottom] = [0, 1, 3].map((at) => region!.groups[at]!.id) as [string, string, string];
  for (const members of region!.state.members.values()) members.clear();
  for (const nested of region!.state.nested.values()) nested.clear();
  const { state } = region!;
  state.nested.get(top)!.add(middle).add(bottom);
  state.nested.get(middle)!.add(bottom);
  state.members.get(bottom)!.add('u2');
  state.members.get(top)!.add('u2').add('u1');
  expect(effectiveMembersOf(state, top)).toEqual(['u1', 'u2']);
  expect(effectiveMembersOf(state, middle)).toEqual(['u2']);
  expect(groupsAbove(region!, bottom)).toEqual([top, middle, bottom]);
});
