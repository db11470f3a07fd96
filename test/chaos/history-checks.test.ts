// The checks of the chaos suite find what they look for, in rows made up for it, and nothing in good ones.
import { expect, test } from 'vitest';
import {
  type Acknowledged,
  type Change,
  checkAcknowledged,
  checkChangeIds,
  checkCommitOrder,
  checkDisjoint,
  checkGapFree,
  checkObservations,
  checkPositive,
  checkTimes,
  type Head,
  type Interval,
  membersAt,
  type Observation,
} from './history-checks.ts';

/** u1 is a member at [1, 3) and from 4 on, u2 at [2, 5); position 5 is the head. */
const interval = (userId: string, since: number, until: number | null): Interval => ({
  groupId: 'g',
  userId,
  since,
  until,
  addedAt: since * 10,
  endedAt: until === null ? null : until * 10,
});
const INTERVALS = [interval('u1', 1, 3), interval('u1', 4, null), interval('u2', 2, 5)];
const CHANGES: Change[] = [1, 2, 3, 4, 5].map((position) => ({
  position,
  ordinal: 0,
  at: position * 10,
  changeId: `c${position}`,
}));
const HEAD: Head = { position: 5, changeId: 'c5', at: 50 };
const acknowledged = (kind: 'add' | 'remove', userId: string, position: number): Acknowledged => ({
  kind,
  groupId: 'g',
  userId,
  position,
  began: position * 2,
  ended: position * 2 + 1,
});
const ACKNOWLEDGED = [
  acknowledged('add', 'u1', 1),
  acknowledged('add', 'u2', 2),
  acknowledged('remove', 'u1', 3),
  acknowledged('add', 'u1', 4),
  acknowledged('remove', 'u2', 5),
];
const observation = (position: number, userIds: string[]): Observation => ({
  position,
  changeId: `c${position}`,
  groupId: 'g',
  userIds,
});
const OBSERVATIONS = [
  observation(1, ['u1']),
  observation(2, ['u2', 'u1']),
  observation(3, ['u2']),
  observation(5, ['u1']),
];

test('a good history has no breach', () => {
  expect([
    ...checkPositive(INTERVALS),
    ...checkDisjoint(INTERVALS),
    ...checkGapFree(CHANGES, HEAD, INTERVALS),
    ...checkTimes(CHANGES, HEAD),
    ...checkChangeIds(CHANGES, HEAD, OBSERVATIONS),
    ...checkCommitOrder(ACKNOWLEDGED),
    ...checkAcknowledged(ACKNOWLEDGED, INTERVALS),
    ...checkObservations(OBSERVATIONS, INTERVALS),
  ]).toEqual([]);
});

test('an interval that is empty, turned round, or ends before it begins by the clock', () => {
  const late = { ...interval('u4', 5, 6), addedAt: 61 };
  expect(checkPositive([interval('u2', 3, 3), interval('u3', 4, 2), late, ...INTERVALS])).toEqual([
    'g u2 [3, 3) ends before it begins',
    'g u3 [4, 2) ends before it begins',
    'g u4 [5, 6) ends before it begins, by the clock',
  ]);
});

test('intervals of a pair that overlap, and two that stand', () => {
  expect(checkDisjoint([interval('u1', 2, 5), interval('u1', 1, 3), interval('u2', 1, 9)])).toEqual([
    'g u1 [1, 3) overlaps g u1 [2, 5)',
  ]);
  expect(checkDisjoint([interval('u1', 1, null), interval('u1', 4, null)])).toHaveLength(1);
  expect(checkDisjoint([interval('u1', 1, 4), interval('u1', 4, null)])).toEqual([]);
});

test('positions that are missing, beyond the head, or only in the history', () => {
  const without3 = CHANGES.filter(({ position }) => position !== 3);
  expect(checkGapFree(without3, HEAD, INTERVALS)).toEqual([
    'position 3 is missing',
    'g u1 [1, 3) has a position that the log does not have',
  ]);
  expect(checkGapFree(CHANGES, { ...HEAD, position: 4 }, INTERVALS)).toEqual([
    'position 5 is beyond the head, 4',
  ]);
});

test('a time that falls, also within a position, and a head that is earlier than its change', () => {
  const falling = CHANGES.map((change) => (change.position === 4 ? { ...change, at: 29 } : change));
  expect(checkTimes(falling, HEAD)).toEqual(['the time falls by 1 µs from position 3 to 4']);
  expect(checkTimes([...CHANGES, { ...CHANGES[1]!, ordinal: 1, at: 19 }], HEAD)).toHaveLength(1);
  expect(checkTimes(CHANGES, { ...HEAD, at: 49 })).toEqual(['the last change is later than the head']);
  expect(checkTimes([...CHANGES, { ...CHANGES[1]!, ordinal: 1 }], HEAD)).toEqual([]);
});

test('a position with two changes, a change with two positions', () => {
  expect(checkChangeIds(CHANGES, { ...HEAD, changeId: 'other' }, [])).toEqual([
    'position 5 is change c5 and other',
  ]);
  expect(checkChangeIds(CHANGES, HEAD, [{ ...observation(4, []), changeId: 'c3' }])).toEqual([
    'position 4 is change c4 and c3',
    'change c3 has positions 3 and 4',
  ]);
});

test('a change that began after another was acknowledged, with a position that is not larger', () => {
  const [first, second] = [acknowledged('add', 'u1', 1), acknowledged('add', 'u2', 2)];
  expect(checkCommitOrder([first, { ...second, position: 1 }])).toEqual([
    'position 1 began after 1 was acknowledged',
  ]);
  expect(checkCommitOrder([{ ...first, position: 9 }, second])).toHaveLength(1);
  // At the same time, either order is right, and one transaction may have made both.
  expect(checkCommitOrder([{ ...first, position: 9, ended: 5 }, second])).toEqual([]);
  expect(checkCommitOrder([{ ...first, position: 2, ended: 5 }, second])).toEqual([]);
});

test('what was acknowledged and is not stored, and the other way round', () => {
  expect(checkAcknowledged(ACKNOWLEDGED, INTERVALS.slice(0, 2))).toEqual([
    'was acknowledged and is not stored: add g u2 at 2',
    'was acknowledged and is not stored: remove g u2 at 5',
  ]);
  expect(checkAcknowledged(ACKNOWLEDGED.slice(0, 4), INTERVALS)).toEqual([
    'is stored and was not acknowledged: remove g u2 at 5',
  ]);
  expect(checkAcknowledged([...ACKNOWLEDGED, ACKNOWLEDGED[0]!], INTERVALS)).toEqual([
    '1 were acknowledged twice',
  ]);
});

test('members that were read and that history does not have', () => {
  expect(membersAt(INTERVALS, 'g', 4)).toEqual(['u1', 'u2']);
  expect(membersAt(INTERVALS, 'other', 4)).toEqual([]);
  expect(checkObservations([observation(4, ['u1']), observation(5, [])], INTERVALS)).toEqual([
    'g at 4: read [u1], history has [u1 u2]',
    'g at 5: read [], history has [u1]',
  ]);
});
