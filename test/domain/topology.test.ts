// Cycles and depth of graphs, known beforehand.
import { expect, test } from 'vitest';
import { type GraphEdge, topology } from '../../src/domain/integrity/topology.ts';

/** Edges written as `ab`: b below a. */
const edges = (text: string): GraphEdge[] =>
  text
    .split(' ')
    .filter(Boolean)
    .map(([parent, child]) => ({ parent: parent!, child: child! }));

test.each([
  ['nothing', '', 0, []],
  ['one edge', 'ab', 2, []],
  ['a chain', 'ab bc cd', 4, []],
  ['a chain told from below', 'cd bc ab', 4, []],
  ['a diamond', 'ab ac bd cd', 3, []],
  ['a shortcut, told first', 'ad ab bc cd', 4, []],
  ['a shortcut, told last', 'ab bc cd ad', 4, []],
  ['two trees of different depth', 'ab xy yz', 3, []],
  ['the deeper tree first', 'xy yz ab', 3, []],
  ['an edge told twice', 'ab ab bc', 3, []],
  ['two at a time', 'ab ba', 1, ['a', 'b']],
  ['itself', 'aa', 1, ['a']],
  ['a cycle of three with what is below, not above', 'xa ab bc ca cd', 1, ['a', 'b', 'c', 'd']],
  ['a cycle beside a chain', 'ab ba pq qr', 3, ['a', 'b']],
  ['two cycles, sorted', 'yz zy ba ab', 1, ['a', 'b', 'y', 'z']],
])('%s', (_name, text, depth, cyclic) => {
  expect(topology(edges(text))).toEqual({ depth, cyclic });
});

test('a path of twenty thousand does not overflow the stack', () => {
  const path = Array.from({ length: 20_000 }, (_, index) => ({ parent: `${index}`, child: `${index + 1}` }));
  expect(topology(path)).toEqual({ depth: 20_001, cyclic: [] });
});
