// Finds cycles and the depth of a directed graph by Kahn's algorithm (A. B. Kahn, 1962): linear time, no recursion.

export type GraphEdge = { parent: string; child: string };

/** `depth`: the number of nodes on a longest path of the acyclic part. `cyclic`: nodes on or below a cycle, sorted. */
export function topology(edges: readonly GraphEdge[]): { depth: number; cyclic: string[] } {
  const children = new Map<string, string[]>();
  const inDegrees = new Map<string, number>();
  for (const { parent, child } of edges) {
    const siblings = children.get(parent);
    if (siblings) siblings.push(child);
    else children.set(parent, [child]);
    inDegrees.set(child, (inDegrees.get(child) ?? 0) + 1);
    if (!inDegrees.has(parent)) inDegrees.set(parent, 0);
  }
  const levels = new Map<string, number>();
  const ready = [...inDegrees].filter(([, degree]) => degree === 0).map(([id]) => id);
  for (const id of ready) levels.set(id, 1);
  let depth = edges.length === 0 ? 0 : 1;
  for (let id = ready.pop(); id !== undefined; id = ready.pop()) {
    const childLevel = levels.get(id)! + 1;
    for (const child of children.get(id) ?? []) {
      levels.set(child, Math.max(levels.get(child) ?? 0, childLevel));
      const remaining = inDegrees.get(child)! - 1;
      inDegrees.set(child, remaining);
      if (remaining > 0) continue;
      depth = Math.max(depth, levels.get(child)!);
      ready.push(child);
    }
  }
  const cyclic = [...inDegrees].filter(([, degree]) => degree > 0).map(([id]) => id);
  return { depth, cyclic: cyclic.sort() };
}
