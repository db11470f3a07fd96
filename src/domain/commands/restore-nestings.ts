// Nestings of restored groups: those that come back, and those that ORPHAN had put in their place, which end.
import { Prisma } from '../../database/database.ts';
import { MAX_DEPTH } from '../../model/groups.ts';
import type { WriteContext } from '../log/write-context.ts';
import { beginNestings, claimNestings, endNestings } from '../writes/edges.ts';
import type { Restoration } from './restoration.ts';
import { type Edge, isTooDeep, loadNestingGraph, type NestingGraph } from './rules/nesting-graph.ts';

/** `standsFor`: null if somebody asked for it, else those of its deletions that are not undone. */
type EndedNesting = Edge & { live: boolean; standsFor: string[] | null };

/**
 * Brings back the nestings of the restored groups. A nesting whose other group is deleted comes back when that group does.
 * Nestings that stood for the restored group end, unless a refused nesting would leave their child outside their parent.
 */
export async function restoreNestings(restoration: Restoration): Promise<void> {
  const { tx, ids, notRestored } = restoration;
  const standIns = await releaseStandIns(restoration);
  const ended = await endedNestings(restoration);
  if (standIns.length + ended.length === 0) return;
  // An edge that returns may lie on a path of another one: each end may be above or below.
  const ends = [...new Set([...standIns, ...ended].flatMap(({ parent, child }) => [parent, child]))];
  const graph = await loadNestingGraph(tx, { parents: ends, children: ends });
  const returned = new Set<string>(ids);
  const lose = ({ parent, child }: Edge, why: string) =>
    notRestored.push({
      kind: 'NESTING',
      id: returned.has(parent) ? child : parent,
      reason: `${child} in ${parent}: ${why}`,
    });
  const back: EndedNesting[] = [];
  const refused: Edge[] = [];
  const outlived: EndedNesting[] = [];
  for (const edge of ended) {
    if (graph.has(edge)) continue;
    const why = edge.live ? misfit(graph, edge) : 'the other group is deleted';
    if (edge.live && edge.standsFor?.length === 0) outlived.push(edge);
    else if (why === null) {
      graph.add(edge);
      back.push(edge);
    } else {
      lose(edge, why);
      if (edge.live) refused.push(edge);
    }
  }
  const { cut, needed } = judgeStandIns(graph, [...standIns, ...outlived], refused);
  for (const edge of outlived.filter((each) => cut.has(each))) {
    const why = needed.has(edge) ? misfit(graph, edge) : 'it stood for a group that was restored';
    if (why === null) {
      graph.add(edge);
      back.push({ ...edge, standsFor: null });
    } else lose(edge, why);
  }
  const { staying = [], ending = [] } = Object.groupBy(standIns, (edge) =>
    needed.has(edge) ? 'staying' : 'ending',
  );
  // Nobody undoes another deletion for these: they are there for their own sake now.
  if (staying.length > 0) await claimNestings(tx, staying);
  if (ending.length > 0) await endStandIns(tx, ending);
  await insertBack(tx, back);
  if (ended.some((edge) => !edge.live)) await handOver(restoration);
}

/** Takes the deletion out of the nestings that stand for it, and gives those that stand for no other. */
function releaseStandIns({ tx: { query, tenantId }, deletionId }: Restoration) {
  return query<Edge>(Prisma.sql`
    with released as (
      update nestings set stands_for = array_remove(stands_for, ${deletionId}::text)
      where tenant_id = ${tenantId} and stands_for is not null and ${deletionId} = any(stands_for)
      returning parent_group_id as parent, child_group_id as child, stands_for)
    select parent, child from released where stands_for = '{}'`);
}

/** The nestings that the restoration of these groups brings back, unless their other group is deleted. */
function endedNestings({ tx: { query, tenantId }, ids, deletionId }: Restoration) {
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

/** Why the nesting cannot be; null if it can. */
function misfit(graph: NestingGraph, { parent, child }: Edge): string | null {
  if (graph.pathDown(child, parent)) return 'it would close a cycle';
  if (isTooDeep(graph, parent, child)) return `the nesting would be more than ${MAX_DEPTH} groups deep`;
  return null;
}

/**
 * Judges nestings that stand for restored groups: `cut` are those whose child is outside their parent without them,
 * `needed` those of them whose child would be inside if no nesting had been refused. Leaves the needed ones in the graph.
 */
function judgeStandIns<E extends Edge>(graph: NestingGraph, standIns: E[], refused: Edge[]) {
  const present = standIns.filter((edge) => graph.has(edge));
  const isApart = ({ parent, child }: Edge) => graph.pathDown(parent, child) === null;
  for (const edge of present) graph.remove(edge);
  const cut = new Set<Edge>(standIns.filter(isApart));
  for (const edge of refused) graph.add(edge);
  const needed = new Set([...cut].filter((edge) => !isApart(edge)));
  for (const edge of refused) graph.remove(edge);
  for (const edge of present) if (needed.has(edge)) graph.add(edge);
  return { cut, needed };
}

async function endStandIns(tx: WriteContext, edges: Edge[]): Promise<void> {
  const ended = await endNestings(tx, {
    where: Prisma.sql`(parent_group_id, child_group_id) in (select * from
      unnest(${edges.map((edge) => edge.parent)}::text[], ${edges.map((edge) => edge.child)}::text[]))`,
    cause: 'GROUP_RESTORED',
  });
  for (const [groupId, nestings] of Map.groupBy(ended, (edge) => edge.parentGroupId)) {
    const childGroupIds = nestings.map((edge) => edge.childGroupId);
    tx.record({ type: 'group_nesting.removed', groupId, data: { childGroupIds, cause: 'GROUP_RESTORED' } });
  }
}

async function insertBack(tx: WriteContext, back: EndedNesting[]): Promise<void> {
  if (back.length === 0) return;
  await beginNestings(
    tx,
    Prisma.sql`select parent, child, string_to_array(stands_for, ',') as stands_for
      from unnest(${back.map((edge) => edge.parent)}::text[], ${back.map((edge) => edge.child)}::text[],
        ${back.map((edge) => edge.standsFor?.join(',') ?? null)}::text[]) e(parent, child, stands_for)`,
  );
}

/** Leaves nestings whose other group is deleted to the restoration of that group. */
async function handOver({ tx: { query, tenantId }, ids, deletionId }: Restoration): Promise<void> {
  await query(Prisma.sql`
    update nesting_history h set deletion_id = g.deletion_id from groups g
    where h.tenant_id = ${tenantId} and h.deletion_id = ${deletionId}
      and (h.parent_group_id = any(${ids}::text[]) or h.child_group_id = any(${ids}::text[]))
      and g.tenant_id = ${tenantId} and g.deletion_id <> ${deletionId}
      and g.id = case when h.parent_group_id = any(${ids}::text[]) then h.child_group_id else h.parent_group_id end`);
}
