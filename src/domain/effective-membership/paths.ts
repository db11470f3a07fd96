// Paths from a group down to a user, through nestings to a direct membership: their number, the shortest of them, and since when
// one held without a gap.

/** The groups above a user at one position: an acyclic graph of at most 32 levels. From each group a path leads to the user. */
export type PathGraph = ReadonlyMap<string, PathNode>;
export type PathNode = {
  /** Position since which the user is a direct member; null if it is none. */
  memberSince: number | null;
  /** The groups above the user that are nested in this one, sorted by id, and positions since which they are. */
  children: readonly { id: string; since: number }[];
};

/** A path, from the user's direct group to the group at the top: each with the position since which the step holds. */
export type Path = { groupId: string; since: number }[];

/** The number of paths from the group. Dynamic programming: each group is counted once, however many paths lead through it. */
export function countPaths(graph: PathGraph, top: string): bigint {
  const counts = new Map<string, bigint>();
  const count = (id: string): bigint => {
    const counted = counts.get(id);
    if (counted !== undefined) return counted;
    const { memberSince, children } = graph.get(id)!;
    const paths = children.reduce((sum, child) => sum + count(child.id), memberSince === null ? 0n : 1n);
    counts.set(id, paths);
    return paths;
  };
  return graph.has(top) ? count(top) : 0n;
}

/** At most `limit` paths from the group, shortest first, and those of one length by the ids of their groups from the top. */
export function shortestPaths(graph: PathGraph, top: string, limit: number): Path[] {
  const paths: Path[] = [];
  if (!graph.has(top)) return paths;
  const lengths = pathLengths(graph);
  /** Extends `above`, the steps above the group, by each path of exactly `length` nestings below it. */
  const extend = (id: string, length: number, above: Path): void => {
    const { memberSince, children } = graph.get(id)!;
    if (length === 0) paths.push([{ groupId: id, since: memberSince! }, ...above]);
    else
      for (const child of children)
        if (paths.length < limit && hasLength(lengths(child.id), length - 1))
          extend(child.id, length - 1, [{ groupId: id, since: child.since }, ...above]);
  };
  for (let length = 0; length < 32 && paths.length < limit; length += 1)
    if (hasLength(lengths(top), length)) extend(top, length, []);
  return paths;
}

const hasLength = (lengths: number, length: number): boolean => ((lengths >>> length) & 1) === 1;

/** For each group, which numbers of nestings its paths have: bit n for n. A search that follows them meets no dead end. */
function pathLengths(graph: PathGraph): (id: string) => number {
  const known = new Map<string, number>();
  const lengthsOf = (id: string): number => {
    const cached = known.get(id);
    if (cached !== undefined) return cached;
    const { memberSince, children } = graph.get(id)!;
    const direct = memberSince === null ? 0 : 1;
    const lengths = children.reduce((bits, child) => bits | (lengthsOf(child.id) << 1), direct);
    known.set(id, lengths);
    return lengths;
  };
  return lengthsOf;
}

/** Positions from `since` to before `until`, which is infinite for what has not ended. */
export type Interval = { since: number; until: number };

/** All that ever led to the user: its direct memberships, and the nestings above them. Over all times they may go in circles. */
export type PastGraph = {
  memberships: ReadonlyMap<string, readonly Interval[]>;
  /** For each group, the groups that it was nested in. */
  parents: ReadonlyMap<string, readonly (Interval & { id: string })[]>;
};

/** The edge whose end took a membership away: that of the user in a group, or that of the group `child` in another. */
export type LostEdge = Interval & { groupId: string; child: string | null };

/** The edge that ended when the user last stopped being an effective member of the group; null if it never did. */
export function lastLostEdge(graph: PastGraph, top: string): LostEdge | null {
  // Sorted, so only the last one may not have ended.
  const last = membershipIntervals(graph, top).findLast(({ until }) => until < Number.POSITIVE_INFINITY);
  if (!last) return null;
  const { until: position } = last;
  return pathAt(graph, top, position - 1).find(({ until }) => until === position) ?? null;
}

/** When the user was an effective member of the group: sorted, without overlaps, and none begins where another ends. */
function membershipIntervals({ memberships, parents }: PastGraph, top: string): readonly Interval[] {
  const intervals = new Map([...memberships].map(([id, own]) => [id, merge(own)]));
  const changed = new Set(intervals.keys());
  // Each group is visited again when its intervals have grown. They grow to the same, whatever the order.
  for (const id of changed) {
    changed.delete(id);
    for (const { id: parent, since, until } of parents.get(id) ?? []) {
      const through = intervals.get(id)!.flatMap((held) => {
        const both = { since: Math.max(held.since, since), until: Math.min(held.until, until) };
        return both.since < both.until ? [both] : [];
      });
      const before = intervals.get(parent) ?? [];
      const merged = merge([...before, ...through]);
      if (merged.length === before.length && merged.every((one, at) => isSame(one, before[at]!))) continue;
      intervals.set(parent, merged);
      changed.add(parent);
    }
  }
  return intervals.get(top) ?? [];
}

const isSame = (one: Interval, other: Interval) => one.since === other.since && one.until === other.until;

/** The same positions, by as few intervals as possible. */
function merge(intervals: readonly Interval[]): Interval[] {
  const merged: Interval[] = [];
  for (const { since, until } of intervals.toSorted((a, b) => a.since - b.since)) {
    const last = merged.at(-1);
    if (last && since <= last.until) last.until = Math.max(last.until, until);
    else merged.push({ since, until });
  }
  return merged;
}

/** The edges of a shortest path at a position, from the user up. Breadth-first search. */
function pathAt({ memberships, parents }: PastGraph, top: string, position: number): LostEdge[] {
  const holds = ({ since, until }: Interval) => since <= position && position < until;
  const edges = new Map<string, LostEdge>();
  for (const [groupId, intervals] of memberships) {
    const held = intervals.find(holds);
    if (held) edges.set(groupId, { ...held, groupId, child: null });
  }
  // A map visits what is added while it is visited.
  for (const child of edges.keys())
    for (const { id: groupId, since, until } of (parents.get(child) ?? []).filter(holds))
      if (!edges.has(groupId)) edges.set(groupId, { since, until, groupId, child });
  const path: LostEdge[] = [];
  for (let edge = edges.get(top); edge; edge = edge.child === null ? undefined : edges.get(edge.child))
    path.unshift(edge);
  return path;
}
