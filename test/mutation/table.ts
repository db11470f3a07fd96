// The table of scores in docs/mutation.md, from the last report of each room.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Report } from './reports.ts';
import type { Room } from './rooms.ts';

const BEGIN = '<!-- scores -->';
const END = '<!-- end of scores -->';

export function writeTable(
  root: string,
  rooms: readonly Room[],
  reportOf: (room: Room) => Report | null,
): void {
  const path = join(root, 'docs/mutation.md');
  const page = readFileSync(path, 'utf8');
  const rows = rooms.map((room) => {
    const report = reportOf(room);
    if (!report) throw new Error(`The room ${room.name} has not been measured yet`);
    const { faults, killed, equivalent } = report;
    const score = ((100 * killed) / faults).toFixed(1);
    return `| ${room.name} | ${faults} | ${killed} | **${score} %** | ${room.score} % | ${equivalent} |`;
  });
  const table = [
    '| room | faults | noticed | score | goal | equivalent, not counted |',
    '|---|---|---|---|---|---|',
    ...rows,
  ].join('\n');
  const [head, tail] = [page.split(BEGIN)[0], page.split(END)[1]];
  writeFileSync(path, `${head}${BEGIN}\n${table}\n${END}${tail}`);
}
