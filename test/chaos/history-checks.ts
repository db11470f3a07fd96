// What must hold of a tenant's log and of the history of its memberships: each check gives the breaches that it finds.

/** A membership that ended, or one that stands (`until` null). Times are in microseconds. */
export type Interval = {
  groupId: string;
  userId: string;
  since: number;
  until: number | null;
  addedAt: number;
  endedAt: number | null;
};
/** A row of `changes`. */
export type Change = { position: number; ordinal: number; at: number; changeId: string };
/** The head of the log: its position, and the change that stands there. */
export type Head = { position: number; changeId: string; at: number };
/** An acknowledged change of one pair, with the times in ms between which it was made. */
export type Acknowledged = {
  kind: 'add' | 'remove';
  groupId: string;
  userId: string;
  position: number;
  began: number;
  ended: number;
};
/** What one statement read during the run: a position, and the direct members of a group then. */
export type Observation = { position: number; changeId: string; groupId: string; userIds: string[] };

const name = ({ groupId, userId, since, until }: Interval) =>
  `${groupId} ${userId} [${since}, ${until ?? 'now'})`;

/** Each interval begins before it ends, by position and by time. */
export function checkPositive(intervals: readonly Interval[]): string[] {
  return intervals.flatMap((interval) => {
    const { since, until, addedAt, endedAt } = interval;
    if (until !== null && since >= until) return [`${name(interval)} ends before it begins`];
    if (endedAt !== null && addedAt > endedAt)
      return [`${name(interval)} ends before it begins, by the clock`];
    return [];
  });
}

/** No two intervals of a pair overlap, and only the last may stand. */
export function checkDisjoint(intervals: readonly Interval[]): string[] {
  const pairs = Map.groupBy(intervals, ({ groupId, userId }) => `${groupId} ${userId}`);
  return [...pairs.values()].flatMap((all) => {
    const ordered = all.toSorted(
      (a, b) => a.since - b.since || (a.until ?? Infinity) - (b.until ?? Infinity),
    );
    return ordered.slice(1).flatMap((interval, at) => {
      const before = ordered[at]!;
      return before.until === null || before.until > interval.since
        ? [`${name(before)} overlaps ${name(interval)}`]
        : [];
    });
  });
}

/** The positions of the log are 1 to its head, none is missing, and every interval lies within them. */
export function checkGapFree(
  changes: readonly Change[],
  head: Head,
  intervals: readonly Interval[],
): string[] {
  const found = new Set(changes.map(({ position }) => position));
  const missing = Array.from({ length: head.position }, (_, at) => at + 1).filter(
    (position) => !found.has(position),
  );
  const outside = [...found].filter((position) => position < 1 || position > head.position);
  const known = (position: number | null) => position === null || found.has(position);
  return [
    ...missing.map((position) => `position ${position} is missing`),
    ...outside.map((position) => `position ${position} is beyond the head, ${head.position}`),
    ...intervals
      .filter(({ since, until }) => !known(since) || !known(until))
      .map((interval) => `${name(interval)} has a position that the log does not have`),
  ];
}

/** Times never fall as positions rise, and the head's is the last. */
export function checkTimes(changes: readonly Change[], head: Head): string[] {
  const ordered = changes.toSorted((a, b) => a.position - b.position || a.ordinal - b.ordinal);
  const falls = ordered.slice(1).flatMap(({ position, at }, index) => {
    const before = ordered[index]!;
    return at < before.at
      ? [`the time falls by ${before.at - at} µs from position ${before.position} to ${position}`]
      : [];
  });
  const last = ordered.at(-1);
  return last && last.at > head.at ? [...falls, 'the last change is later than the head'] : falls;
}

/** Each position has one change id, no two have the same, and the head has that of its position. */
export function checkChangeIds(
  changes: readonly Change[],
  head: Head,
  observations: readonly Observation[],
): string[] {
  const breaches: string[] = [];
  const [idOf, positionOf] = [new Map<number, string>(), new Map<string, number>()];
  for (const { position, changeId } of [...changes, head, ...observations]) {
    const [id, other] = [idOf.get(position) ?? changeId, positionOf.get(changeId) ?? position];
    if (id !== changeId) breaches.push(`position ${position} is change ${id} and ${changeId}`);
    if (other !== position) breaches.push(`change ${changeId} has positions ${other} and ${position}`);
    idOf.set(position, id);
    positionOf.set(changeId, other);
  }
  return breaches;
}

/** A change that began after another was acknowledged has the larger position. */
export function checkCommitOrder(acknowledged: readonly Acknowledged[]): string[] {
  const byEnd = acknowledged.toSorted((a, b) => a.ended - b.ended);
  let [next, largest] = [0, null as Acknowledged | null];
  return acknowledged
    .toSorted((a, b) => a.began - b.began)
    .flatMap((change) => {
      for (; next < byEnd.length && byEnd[next]!.ended < change.began; next += 1)
        if (byEnd[next]!.position > (largest?.position ?? 0)) largest = byEnd[next]!;
      return largest && largest.position >= change.position
        ? [`position ${change.position} began after ${largest.position} was acknowledged`]
        : [];
    });
}

/** An acknowledged addition begins an interval at its position, a removal ends one there; and nothing else does. */
export function checkAcknowledged(
  acknowledged: readonly Acknowledged[],
  intervals: readonly Interval[],
): string[] {
  const key = (kind: string, position: number, { groupId, userId }: { groupId: string; userId: string }) =>
    `${kind} ${groupId} ${userId} at ${position}`;
  const stored = intervals.flatMap((interval) => [
    key('add', interval.since, interval),
    ...(interval.until === null ? [] : [key('remove', interval.until, interval)]),
  ]);
  const answered = acknowledged.map((change) => key(change.kind, change.position, change));
  const [inStore, inAnswers] = [new Set(stored), new Set(answered)];
  return [
    ...answered.filter((one) => !inStore.has(one)).map((one) => `was acknowledged and is not stored: ${one}`),
    ...stored.filter((one) => !inAnswers.has(one)).map((one) => `is stored and was not acknowledged: ${one}`),
    ...(answered.length > inAnswers.size
      ? [`${answered.length - inAnswers.size} were acknowledged twice`]
      : []),
  ];
}

/** The direct members of a group at a position, sorted, as history has them. */
export function membersAt(intervals: readonly Interval[], groupId: string, position: number): string[] {
  const then = intervals.filter(
    ({ groupId: id, since, until }) =>
      id === groupId && since <= position && (until === null || position < until),
  );
  return then.map(({ userId }) => userId).toSorted();
}

/** What was read during the run is what history says of the position at which it was read. */
export function checkObservations(
  observations: readonly Observation[],
  intervals: readonly Interval[],
): string[] {
  return observations.flatMap(({ position, groupId, userIds }) => {
    const [read, rebuilt] = [userIds.toSorted().join(' '), membersAt(intervals, groupId, position).join(' ')];
    return read === rebuilt ? [] : [`${groupId} at ${position}: read [${read}], history has [${rebuilt}]`];
  });
}
