// The part of a tenant's nesting graph that a change can affect, in memory: paths and depths.

import { Prisma } from '../../../database/database.ts';
import { MAX_DEPTH } from '../../../model/groups.ts';
import type { WriteContext } from '../../log/write-context.ts';

export type Edge = { parent: string; child: string };

/**
 * A directed acyclic graph of nestings. A depth is the number of groups on a longest path. The recursion of depths is
 * bounded: no stored path has more than 32 groups.
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

  /** A shortest path from a group to a descendant, both included; null if there is none. Breadth-first search. */
  shortestPath(from: string, to: string): string[] | null {
    const predecessors = new Map<string, string | null>([[from, null]]);
    for (const id of predecessors.keys()) {
      if (id === to) return pathTo(to, predecessors);
      for (const child of this.#children.get(id) ?? [])
        if (!predecessors.has(child)) predecessors.set(child, id);
    }
    return null;
  }

  /** The number of groups on a longest path that ends at this group. */
  depthAbove(id: string): number {
    return longestPath(this.#parents, id, new Map());
  }

  /** The number of groups on a longest path that starts at this group. */
  depthBelow(id: string): number {
    return longestPath(this.#children, id, new Map());
  }
}

/** The possible parents and children of new edges. */
type Ends = { parents: readonly string[]; children: readonly string[] };

/**
 * Loads the ancestors of the parents, the descendants of the children, and the edges between parents and children: enough
 * to check a new edge from any of the parents to any of the children.
 */
export async function loadNestingGraph(
  { query, tenantId }: WriteContext,
  { parents, children }: Ends,
): Promise<NestingGraph> {
  // Lateral with `offset 0`: a plan for the average tenant would join all of its nestings, on every level of the largest one.
  const up = Prisma.sql`up cross join lateral (
    select parent_group_id from nestings where tenant_id = ${tenantId} and child_group_id = up.id offset 0) n`;
  const down = Prisma.sql`down cross join lateral (
    select child_group_id from nestings where tenant_id = ${tenantId} and parent_group_id = down.id offset 0) n`;
  // One row per group rather than per edge: a hostile graph has tens of thousands of edges. Ids contain no comma.
  const rows = await query<{ id: string; parents: string | null; children: string | null }>(Prisma.sql`
    with recursive
      up(id) as (
        select unnest(${[...parents]}::text[]) collate "C"
        union select n.parent_group_id from ${up}),
      down(id) as (
        select unnest(${[...children]}::text[]) collate "C"
        union select n.child_group_id from ${down})
    select up.id, string_agg(n.parent_group_id, ',') as parents, null as children
    from ${up} group by up.id
    union all
    select down.id, null, string_agg(n.child_group_id, ',')
    from ${down} group by down.id
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

function pathTo(to: string, predecessors: Map<string, string | null>): string[] {
  const path: string[] = [];
  for (let id: string | null = to; id !== null; id = predecessors.get(id) ?? null) path.unshift(id);
  return path;
}

function longestPath(neighbours: Map<string, Set<string>>, id: string, lengths: Map<string, number>): number {
  const memoized = lengths.get(id);
  if (memoized !== undefined) return memoized;
  let length = 1;
  for (const neighbour of neighbours.get(id) ?? [])
    length = Math.max(length, 1 + longestPath(neighbours, neighbour, lengths));
  lengths.set(id, length);
  return length;
}
