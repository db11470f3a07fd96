// Prints the rooms of src/: files and lines, the arrows between rooms, and circles (`npm run architecture`).
import { join } from 'node:path';
import { arrows, circles, floors, readSources, roomOf } from './imports.ts';

const files = readSources(join(import.meta.dirname, '../../src'));
const graph = arrows(files);
const levels = floors(new Map([...graph].map(([room, targets]) => [room, targets.keys()])));
const lines = ({ text }: { text: string }) => text.split('\n').length - 1;
const sum = (of: readonly { text: string }[]) => of.reduce((total, file) => total + lines(file), 0);

const print = (line = '') => process.stdout.write(`${line}\n`);

for (const [room, targets] of [...graph].sort(
  ([a], [b]) => levels.get(b)! - levels.get(a)! || (a < b ? -1 : 1),
)) {
  const own = files.filter(({ path }) => roomOf(path) === room);
  const below = [...targets].map(([to, imports]) => `${to} (${imports})`).sort();
  print(`${String(levels.get(room)).padStart(2)}  ${room.padEnd(30)} ${own.length} files, ${sum(own)} lines`);
  if (below.length > 0) print(`    → ${below.join(', ')}`);
}
const longest = files.toSorted((a, b) => lines(b) - lines(a))[0]!;
const roomCircles = circles(new Map([...graph].map(([room, targets]) => [room, targets.keys()])));
const fileCircles = circles(new Map(files.map(({ path, inside }) => [path, inside])));
const arrowCount = [...graph.values()].reduce((total, targets) => total + targets.size, 0);
print();
print(
  `${files.length} files, ${sum(files)} lines, ${graph.size} rooms on ${Math.max(...levels.values())} floors, ${arrowCount} arrows`,
);
print(`Longest file: ${longest.path}, ${lines(longest)} lines`);
print(`Circles of rooms: ${roomCircles.map((circle) => circle.join(' ↔ ')).join('; ') || 'none'}`);
print(`Circles of files: ${fileCircles.map((circle) => circle.join(' ↔ ')).join('; ') || 'none'}`);
