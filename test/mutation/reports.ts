// What the last run found out about each room; kept beside the tool, not committed.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Room } from './rooms.ts';

/** `faults` leaves out those that are equivalent. `survivors` are their files and keys. */
export type Report = { faults: number; killed: number; equivalent: number; survivors: string[] };

const FOLDER = join(import.meta.dirname, '.reports');

const pathOf = ({ name }: Room) => join(FOLDER, `${name.replaceAll(' ', '-')}.json`);

export function readReport(room: Room): Report | null {
  return existsSync(pathOf(room)) ? (JSON.parse(readFileSync(pathOf(room), 'utf8')) as Report) : null;
}

export function writeReport(room: Room, report: Report): void {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(pathOf(room), `${JSON.stringify(report, null, 2)}\n`);
}
