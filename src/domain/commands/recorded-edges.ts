// What deletions and restorations record: groups with the edges that end or begin with them, and children that move.
import type { GroupId } from '../../model/ids.ts';
import type { Change } from '../log/changes.ts';
import type { WriteContext } from '../log/write-context.ts';
import type { Membership, Nesting } from '../writes/edges.ts';

type Edges = { memberships: readonly Membership[]; nestings: readonly Nesting[] };

/** Records a change of each group with its members and nested groups, then the other nestings: those in groups that stay. */
export function recordGroups(
  tx: WriteContext,
  { memberships, nestings }: Edges,
  changes: ReadonlyMap<GroupId, Change>,
  ofNestings: Change,
): void {
  const members = Map.groupBy(memberships, ({ groupId }) => groupId);
  const nested = Map.groupBy(nestings, ({ parentGroupId }) => parentGroupId);
  for (const [groupId, change] of changes) {
    const userIds = members.get(groupId)?.map(({ userId }) => userId) ?? [];
    tx.record({ ...change, groupId, userIds, groupIds: childrenOf(nested.get(groupId) ?? []) });
  }
  const others = nestings.filter(({ parentGroupId }) => !changes.has(parentGroupId));
  recordNestings(tx, others, ofNestings);
}

/** Records a change of nestings for each group that they are in. */
export function recordNestings(tx: WriteContext, nestings: readonly Nesting[], change: Change): void {
  for (const [groupId, edges] of Map.groupBy(nestings, ({ parentGroupId }) => parentGroupId)) {
    tx.record({ ...change, groupId, groupIds: childrenOf(edges) });
  }
}

const childrenOf = (edges: readonly Nesting[]) => edges.map(({ childGroupId }) => childGroupId);

/** Records that a group has another parent. */
export function recordMove(tx: WriteContext, groupId: GroupId, from: GroupId | null, to: GroupId | null) {
  const data = { changed: ['parentGroupId'], before: { parentGroupId: from }, after: { parentGroupId: to } };
  tx.record({ type: 'group.updated', groupId, data });
}
