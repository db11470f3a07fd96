// Reads who imports whom in a tree of sources.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/** A file by its path below the root, with `/`. */
export type SourceFile = {
  path: string;
  text: string;
  /** The text without comments that stand on lines of their own. */
  code: string;
  /** Paths below the root of the files that it imports. */
  inside: string[];
  /** Packages that it imports, by their specifiers; without those of Node. */
  packages: string[];
};

const SPECIFIER =
  /(?:^|[;\s])(?:import|export)\b[^;'"`]*?\bfrom\s*['"]([^'"]+)['"]|\bimport\s*\(?\s*['"]([^'"]+)['"]/gm;

/** All `.ts` files below the root, but for generated ones. */
export function readSources(root: string): SourceFile[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => path.endsWith('.ts') && !path.includes('generated/'))
    .sort()
    .map((path) => {
      const text = readFileSync(join(root, path), 'utf8');
      const code = text.replace(/^\s*(\/\/|\*|\/\*).*$/gm, '');
      const targets = [...code.matchAll(SPECIFIER)].map((match) => (match[1] ?? match[2])!);
      const inside = targets
        .filter((target) => target.startsWith('.'))
        .map((target) => relative(root, join(root, dirname(path), target)).replaceAll('\\', '/'));
      const packages = targets.filter((target) => !target.startsWith('.') && !target.startsWith('node:'));
      return { path, text, code, inside, packages };
    });
}

/** The folder of a file, where generated files are of the folder above; a file at the top is a room of its own. */
export const roomOf = (path: string): string =>
  path.includes('/') ? dirname(path).replace(/\/generated(\/.*)?$/, '') : path.replace(/\.ts$/, '');

/** For each room, by name, the rooms that its files import, with the number of imports. */
export function arrows(files: readonly SourceFile[]): Map<string, Map<string, number>> {
  const found = new Map<string, Map<string, number>>();
  for (const { path, inside } of files) {
    const from = roomOf(path);
    const targets = found.get(from) ?? new Map<string, number>();
    found.set(from, targets);
    for (const target of inside) {
      const to = roomOf(target);
      if (to !== from) targets.set(to, (targets.get(to) ?? 0) + 1);
    }
  }
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * Sets of nodes that reach each other, each sorted; none in a graph without a circle.
 * (R. Tarjan, Depth-first search and linear graph algorithms, 1972.)
 */
export function circles(graph: ReadonlyMap<string, Iterable<string>>): string[][] {
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const found: string[][] = [];
  const visit = (node: string) => {
    order.set(node, order.size);
    low.set(node, order.get(node)!);
    stack.push(node);
    for (const next of graph.get(node) ?? []) {
      if (!order.has(next)) visit(next);
      if (stack.includes(next)) low.set(node, Math.min(low.get(node)!, low.get(next)!));
    }
    if (low.get(node) !== order.get(node)) return;
    const circle = stack.splice(stack.indexOf(node));
    if (circle.length > 1) found.push(circle.sort());
  };
  for (const node of graph.keys()) if (!order.has(node)) visit(node);
  return found;
}

/** The number of rooms on the longest way down from each room: 1 for one that imports none. */
export function floors(graph: ReadonlyMap<string, Iterable<string>>): Map<string, number> {
  const floor = new Map<string, number>();
  const of = (room: string, above: readonly string[]): number => {
    const known = floor.get(room);
    if (known !== undefined) return known;
    const below = [...(graph.get(room) ?? [])].filter((next) => !above.includes(next));
    const found = 1 + Math.max(0, ...below.map((next) => of(next, [...above, room])));
    floor.set(room, found);
    return found;
  };
  for (const room of graph.keys()) of(room, []);
  return floor;
}
