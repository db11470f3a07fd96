// The part of a tenant's nesting that a change can touch, in memory: reachability, paths and depths.
import { Prisma, type Query } from '../database/database.ts';
import type { TenantId } from '../model/ids.ts';

type Edge = { parent: string; child: string };

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

/**
 * All that the groups reach, upwards and downwards: enough to judge edges between them. Must run under the graph
 * lock, so that nothing changes before the edge is stored.
 */
export async function loadNestingGraph(
  sql: Query,
  tenantId: TenantId,
  ids: readonly string[],
): Promise<NestingGraph> {
  const edges = await sql<Edge>(Prisma.sql`
    with recursive
      up(id) as (
        select unnest(${[...ids]}::text[]) collate "C"
        union select n.parent_group_id from up join nestings n on n.child_group_id = up.id where n.tenant_id = ${tenantId}),
      down(id) as (
        select unnest(${[...ids]}::text[]) collate "C"
        union select n.child_group_id from down join nestings n on n.parent_group_id = down.id where n.tenant_id = ${tenantId})
    select n.parent_group_id as parent, n.child_group_id as child
    from up join nestings n on n.child_group_id = up.id where n.tenant_id = ${tenantId}
    union
    select n.parent_group_id, n.child_group_id
    from down join nestings n on n.parent_group_id = down.id where n.tenant_id = ${tenantId}`);
  const graph = new NestingGraph();
  for (const edge of edges) graph.add(edge);
  return graph;
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
