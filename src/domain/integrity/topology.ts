// Cycles and depth of a directed graph, by Kahn's algorithm (A. B. Kahn, 1962): linear, and without recursion.

export type GraphEdge = { parent: string; child: string };

/** `depth`: nodes on a longest path of the acyclic part. `cyclic`: nodes on a cycle or below one, sorted. */
export function topology(edges: readonly GraphEdge[]): { depth: number; cyclic: string[] } {
  const children = new Map<string, string[]>();
  const waiting = new Map<string, number>();
  for (const { parent, child } of edges) {
    const siblings = children.get(parent);
    if (siblings) siblings.push(child);
    else children.set(parent, [child]);
    waiting.set(child, (waiting.get(child) ?? 0) + 1);
    if (!waiting.has(parent)) waiting.set(parent, 0);
  }
  const levels = new Map<string, number>();
  const ready = [...waiting].filter(([, parents]) => parents === 0).map(([id]) => id);
  for (const id of ready) levels.set(id, 1);
  let depth = edges.length === 0 ? 0 : 1;
  for (let id = ready.pop(); id !== undefined; id = ready.pop()) {
    const below = levels.get(id)! + 1;
    for (const child of children.get(id) ?? []) {
      levels.set(child, Math.max(levels.get(child) ?? 0, below));
      const left = waiting.get(child)! - 1;
      waiting.set(child, left);
      if (left > 0) continue;
      depth = Math.max(depth, levels.get(child)!);
      ready.push(child);
    }
  }
  const cyclic = [...waiting].filter(([, parents]) => parents > 0).map(([id]) => id);
  return { depth, cyclic: cyclic.sort() };
}
