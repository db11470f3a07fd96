// The table of scores in docs/mutation.md, from what was found out about each room.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Score } from './reports.ts';

const BEGIN = '<!-- scores -->';
const END = '<!-- end of scores -->';

/** A room's name and goal, its score, and how many of its faults are equivalent. */
export type Line = { name: string; goal: number; score: Score; equivalent: number };

export function writeTable(root: string, lines: readonly Line[]): void {
  const path = join(root, 'docs/mutation.md');
  const page = readFileSync(path, 'utf8');
  const table = [
    '| room | faults | tried | noticed | score | goal | equivalent, not counted |',
    '|---|---|---|---|---|---|---|',
    ...lines.map(
      ({ name, goal, score, equivalent }) =>
        `| ${name} | ${score.faults} | ${score.faults - score.untried} | ${score.noticed} | **${score.percent.toFixed(1)} %** | ${goal} % | ${equivalent} |`,
    ),
  ].join('\n');
  const [head, tail] = [page.split(BEGIN)[0], page.split(END)[1]];
  writeFileSync(path, `${head}${BEGIN}\n${table}\n${END}${tail}`);
}
