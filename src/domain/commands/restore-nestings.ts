// Restores the nestings of restored groups, and ends the stand-in nestings that ORPHAN added in their place.
import { Prisma } from '../../database/database.ts';
import { MAX_DEPTH } from '../../model/groups.ts';
import type { WriteContext } from '../log/write-context.ts';
import { beginNestings, claimNestings, endNestings, type Nesting } from '../writes/edges.ts';
import { recordNestings } from './recorded-edges.ts';
import type { Restoration } from './restore-hierarchy.ts';
import { type Edge, isTooDeep, loadNestingGraph, type NestingGraph } from './rules/nesting-graph.ts';

/** A nesting in the history. `standsFor`: null if it was requested; for a stand-in, the deletions that are not undone. */
type EndedNesting = Edge & { live: boolean; standsFor: string[] | null };

/**
 * Restores the nestings of the restored groups, and returns them. A nesting whose other group is deleted is restored with that
 * group. Stand-in nestings of the deletion end, except where their child would no longer be nested in their parent, directly or
 * indirectly, because a nesting was refused.
 */
export async function restoreNestings(restoration: Restoration): Promise<Nesting[]> {
  const { tx, ids, notRestored } = restoration;
  const standIns = await releaseStandIns(restoration);
  const ended = await loadEndedNestings(restoration);
  if (standIns.length + ended.length === 0) return [];
  // A restored edge may be on a path through another one, so each end counts as parent and as child.
  const ends = [...new Set([...standIns, ...ended].flatMap(({ parent, child }) => [parent, child]))];
  const graph = await loadNestingGraph(tx, { parents: ends, children: ends });
  const restoredIds = new Set<string>(ids);
  const report = ({ parent, child }: Edge, why: string) =>
    notRestored.push({
      kind: 'NESTING',
      id: restoredIds.has(parent) ? child : parent,
      reason: `${child} in ${parent}: ${why}`,
    });
  const restored: EndedNesting[] = [];
  const refused: Edge[] = [];
  const obsolete: EndedNesting[] = [];
  for (const edge of ended) {
    if (graph.has(edge)) continue;
    const why = edge.live ? refusal(graph, edge) : 'the other group is deleted';
    if (edge.live && edge.standsFor?.length === 0) obsolete.push(edge);
    else if (why === null) {
      graph.add(edge);
      restored.push(edge);
    } else {
      report(edge, why);
      if (edge.live) refused.push(edge);
    }
  }
  const { disconnected, needed } = classifyStandIns(graph, [...standIns, ...obsolete], refused);
  for (const edge of obsolete.filter((nesting) => disconnected.has(nesting))) {
    const why = needed.has(edge) ? refusal(graph, edge) : 'it stood in for a group that has been restored';
    if (why === null) {
      graph.add(edge);
      restored.push({ ...edge, standsFor: null });
    } else report(edge, why);
  }
  const { staying = [], ending = [] } = Object.groupBy(standIns, (edge) =>
    needed.has(edge) ? 'staying' : 'ending',
  );
  // No later restoration ends these: all deletions that they stood in for are undone.
  if (staying.length > 0) await claimNestings(tx, staying);
  if (ending.length > 0) await endStandIns(tx, ending);
  const begun = await insertRestored(tx, restored);
  if (ended.some((edge) => !edge.live)) await assignToOtherDeletion(restoration);
  return begun;
}

/** Removes the deletion from the stand-in nestings that list it, and returns those that list no other. */
async function releaseStandIns({ tx: { query, tenantId }, deletionId }: Restoration): Promise<Edge[]> {
  const released = await query<Edge & { isFree: boolean }>(Prisma.sql`
    update nestings set stands_for = array_remove(stands_for, ${deletionId}::text)
    where tenant_id = ${tenantId} and stands_for is not null and ${deletionId} = any(stands_for)
    returning parent_group_id as parent, child_group_id as child, stands_for = '{}' as "isFree"`);
  return released.filter(({ isFree }) => isFree).map(({ parent, child }) => ({ parent, child }));
}

/** Nestings that the deletion ended; `live` if both groups are live now. */
function loadEndedNestings({ tx: { query, tenantId }, ids, deletionId }: Restoration) {
  return query<EndedNesting>(Prisma.sql`
    select h.parent_group_id as parent, h.child_group_id as child,
      case when h.stands_for is not null then array(select d from unnest(h.stands_for) d
        where exists (select from groups g where g.tenant_id = ${tenantId} and g.deletion_id = d)) end as "standsFor",
      (select count(*) from groups g where g.tenant_id = ${tenantId} and g.deleted_at is null
        and g.id in (h.parent_group_id, h.child_group_id)) = 2 as live
    from nesting_history h
    where h.tenant_id = ${tenantId} and h.deletion_id = ${deletionId}
      and (h.parent_group_id = any(${ids}::text[]) or h.child_group_id = any(${ids}::text[]))
    order by h.parent_group_id, h.child_group_id`);
}

/** Why the nesting is refused; null if it is allowed. */
function refusal(graph: NestingGraph, { parent, child }: Edge): string | null {
  if (graph.shortestPath(child, parent)) return 'it would close a cycle';
  if (isTooDeep(graph, parent, child)) return `the nesting would be more than ${MAX_DEPTH} groups deep`;
  return null;
}

/**
 * Classifies stand-in nestings of restored groups. `disconnected`: no path leads from parent to child without stand-ins.
 * `needed`: those of them that the refused nestings would connect. The graph keeps the needed ones and loses the others.
 */
function classifyStandIns<E extends Edge>(graph: NestingGraph, standIns: E[], refused: Edge[]) {
  const present = standIns.filter((edge) => graph.has(edge));
  const isDisconnected = ({ parent, child }: Edge) => graph.shortestPath(parent, child) === null;
  for (const edge of present) graph.remove(edge);
  const disconnected = new Set<Edge>(standIns.filter(isDisconnected));
  for (const edge of refused) graph.add(edge);
  const needed = new Set([...disconnected].filter((edge) => !isDisconnected(edge)));
  for (const edge of refused) graph.remove(edge);
  for (const edge of present) if (needed.has(edge)) graph.add(edge);
  return { disconnected, needed };
}

async function endStandIns(tx: WriteContext, edges: Edge[]): Promise<void> {
  const ended = await endNestings(tx, {
    where: Prisma.sql`(parent_group_id, child_group_id) in (select * from
      unnest(${edges.map((edge) => edge.parent)}::text[], ${edges.map((edge) => edge.child)}::text[]))`,
    cause: 'GROUP_RESTORED',
  });
  recordNestings(tx, ended, { type: 'group_nesting.removed', cause: 'GROUP_RESTORED' });
}

async function insertRestored(tx: WriteContext, nestings: EndedNesting[]): Promise<Nesting[]> {
  if (nestings.length === 0) return [];
  return beginNestings(
    tx,
    Prisma.sql`select parent, child, string_to_array(stands_for, ',') as stands_for
      from unnest(${nestings.map((edge) => edge.parent)}::text[], ${nestings.map((edge) => edge.child)}::text[],
        ${nestings.map((edge) => edge.standsFor?.join(',') ?? null)}::text[]) e(parent, child, stands_for)`,
  );
}

/** Assigns ended nestings whose other group is deleted to that group's deletion, whose restoration restores them. */
async function assignToOtherDeletion({ tx, ids, deletionId }: Restoration): Promise<void> {
  const { query, tenantId } = tx;
  await query(Prisma.sql`
    update nesting_history h set deletion_id = g.deletion_id from groups g
    where h.tenant_id = ${tenantId} and h.deletion_id = ${deletionId}
      and (h.parent_group_id = any(${ids}::text[]) or h.child_group_id = any(${ids}::text[]))
      and g.tenant_id = ${tenantId} and g.deletion_id <> ${deletionId}
      and g.id = case when h.parent_group_id = any(${ids}::text[]) then h.child_group_id else h.parent_group_id end`);
}
