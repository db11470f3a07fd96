// What the last run found out about each room; kept beside the tool, not committed.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Fault, nameOf } from './faults.ts';
import type { Room } from './rooms.ts';

/** Names of the faults that were tried: those that a test noticed, and those that none did. */
export type Report = { noticed: string[]; survived: string[] };

const FOLDER = join(import.meta.dirname, '.reports');

const pathOf = ({ name }: Room) => join(FOLDER, `${name.replaceAll(' ', '-')}.json`);

/** What is known of a room: nothing before its first run. */
export function readReport(room: Room): Report {
  if (!existsSync(pathOf(room))) return { noticed: [], survived: [] };
  return JSON.parse(readFileSync(pathOf(room), 'utf8')) as Report;
}

export function writeReport(room: Room, report: Report): void {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(pathOf(room), `${JSON.stringify(report, null, 2)}\n`);
}

/** `faults` are those that count: of the source as it is, without those that are equivalent. */
export type Score = { faults: number; noticed: number; untried: number; percent: number };

/** The score of those that were tried; what was tried of an earlier source does not count. */
export function scoreOf(faults: readonly Fault[], report: Report): Score {
  const noticed = new Set(report.noticed);
  const survived = new Set(report.survived);
  const names = faults.map(nameOf);
  const found = names.filter((name) => noticed.has(name)).length;
  const tried = names.filter((name) => noticed.has(name) || survived.has(name)).length;
  return {
    faults: names.length,
    noticed: found,
    untried: names.length - tried,
    percent: (100 * found) / Math.max(1, tried),
  };
}
