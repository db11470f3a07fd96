// The part of a tenant's nesting that a change can touch, in memory: reachability, paths and depths.

import { Prisma } from '../../../database/database.ts';
import { MAX_DEPTH } from '../../../model/groups.ts';
import type { WriteContext } from '../../log/write-context.ts';

export type Edge = { parent: string; child: string };

/**
 * Edges of a directed acyclic graph. Depth counts the groups on a longest path; both walks are iterative or bounded
 * by the 32 levels that every stored path keeps.
 */
export class NestingGraph {
  readonly #children = new Map<string, Set<string>>();
  readonly #parents = new Map<string, Set<string>>();

  add({ parent, child }: Edge): void {
    link(this.#children, parent, child);
    link(this.#parents, child, parent);
  }

  remove({ parent, child }: Edge): void {
    this.#children.get(parent)?.delete(child);
    this.#parents.get(child)?.delete(parent);
  }

  has({ parent, child }: Edge): boolean {
    return this.#children.get(parent)?.has(child) ?? false;
  }

  /** A shortest path downwards from one group to another, both included; null if there is none (breadth first). */
  pathDown(from: string, to: string): string[] | null {
    const cameFrom = new Map<string, string | null>([[from, null]]);
    for (const at of cameFrom.keys()) {
      if (at === to) return walkBack(cameFrom, to);
      for (const child of this.#children.get(at) ?? []) if (!cameFrom.has(child)) cameFrom.set(child, at);
    }
    return null;
  }

  /** Groups on the longest path that ends at this group, coming from above. */
  depthAbove(id: string): number {
    return longest(this.#parents, id, new Map());
  }

  /** Groups on the longest path that starts at this group. */
  depthBelow(id: string): number {
    return longest(this.#children, id, new Map());
  }
}

/** Groups that edges may be drawn from, and groups that they may be drawn to. */
type Ends = { parents: readonly string[]; children: readonly string[] };

/**
 * All above the parents, all below the children, and the edges between the two: enough to judge an edge from any of
 * those to any of these. Must run under the graph lock, so that nothing changes before the edge is stored.
 */
export async function loadNestingGraph(
  { query, tenantId }: WriteContext,
  { parents, children }: Ends,
): Promise<NestingGraph> {
  // A row a group, not an edge: a hostile graph has tens of thousands of edges, and ids hold no comma.
  const rows = await query<{ id: string; parents: string | null; children: string | null }>(Prisma.sql`
    with recursive
      up(id) as (
        select unnest(${[...parents]}::text[]) collate "C"
        union select n.parent_group_id from up join nestings n on n.child_group_id = up.id where n.tenant_id = ${tenantId}),
      down(id) as (
        select unnest(${[...children]}::text[]) collate "C"
        union select n.child_group_id from down join nestings n on n.parent_group_id = down.id where n.tenant_id = ${tenantId})
    select up.id, string_agg(n.parent_group_id, ',') as parents, null as children
    from up join nestings n on n.child_group_id = up.id where n.tenant_id = ${tenantId} group by up.id
    union all
    select down.id, null, string_agg(n.child_group_id, ',')
    from down join nestings n on n.parent_group_id = down.id where n.tenant_id = ${tenantId} group by down.id
    union all
    select n.parent_group_id, null, string_agg(n.child_group_id, ',') from nestings n
    where n.tenant_id = ${tenantId} and n.parent_group_id = any(${[...parents]}::text[])
      and n.child_group_id = any(${[...children]}::text[]) group by n.parent_group_id`);
  const graph = new NestingGraph();
  for (const { id, parents: above, children: below } of rows) {
    for (const parent of above?.split(',') ?? []) graph.add({ parent, child: id });
    for (const child of below?.split(',') ?? []) graph.add({ parent: id, child });
  }
  return graph;
}

/** Whether a path through the new edge would have more than 32 groups. */
export function isTooDeep(graph: NestingGraph, parent: string, child: string): boolean {
  return graph.depthAbove(parent) + graph.depthBelow(child) > MAX_DEPTH;
}

function link(map: Map<string, Set<string>>, from: string, to: string): void {
  const targets = map.get(from);
  if (targets) targets.add(to);
  else map.set(from, new Set([to]));
}

function walkBack(cameFrom: Map<string, string | null>, to: string): string[] {
  const path: string[] = [];
  for (let at: string | null = to; at !== null; at = cameFrom.get(at) ?? null) path.unshift(at);
  return path;
}

function longest(next: Map<string, Set<string>>, id: string, known: Map<string, number>): number {
  const stored = known.get(id);
  if (stored !== undefined) return stored;
  let depth = 1;
  for (const neighbour of next.get(id) ?? []) depth = Math.max(depth, 1 + longest(next, neighbour, known));
  known.set(id, depth);
  return depth;
}
