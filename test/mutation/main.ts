// `npm run mutate`: puts small faults into the source, one at a time, and says which of them no test notices.
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Equivalents, readEquivalents } from './equivalents.ts';
import { type Fault, faultsOf, nameOf } from './faults.ts';
import { type Report, readReport, type Score, scoreOf, writeReport } from './reports.ts';
import { ROOMS, type Room } from './rooms.ts';
import { writeTable } from './table.ts';
import { tryFaults } from './trials.ts';

const ROOT = join(import.meta.dirname, '../..');

const USAGE = `npm run mutate -- [ROOM …] [--file TEXT] [--open] [--every N] [--workers N] [--table]

  ROOM         ${ROOMS.map(({ name }) => name).join(', ')}; all, unless some are named
  --file       only faults of files whose path holds the text
  --open       only what no test has noticed yet: what survived the last run, and what was never tried
  --every      only each N-th fault, for a quick estimate
  --workers    test files at a time (2)
  --table      measures nothing: writes the scores to docs/mutation.md
`;

/** Tests that take long whatever they test: random sequences, races, whole organisations, other programs. */
const LONG =
  /\/(property|races|fuzz|memory|kubernetes|routers|compatibility|commands|migrations|start|runner|mutation)\.test\.ts$/;

type Options = { file: string; open: boolean; every: number; workers: number };

const filesOf = (patterns: string[]): string[] =>
  [...new Set(patterns.flatMap((pattern) => globSync(pattern, { cwd: ROOT })))].filter((file) =>
    file.endsWith('.ts'),
  );

/** The faults of a room: those that count, and how many do not. */
function faultsOfRoom(room: Room, equivalents: Equivalents): { counted: Fault[]; equivalent: number } {
  const all = filesOf(room.source).flatMap((file) => faultsOf(ROOT, file));
  const counted = all.filter((fault) => !equivalents.isEquivalent(fault));
  return { counted, equivalent: all.length - counted.length };
}

/** Tries the faults that are asked for; what is not asked this time counts as it did the last time. */
async function measure(room: Room, counted: Fault[], options: Options): Promise<Score> {
  const last = readReport(room);
  const noticedBefore = new Set(last.noticed);
  const asked = counted.filter(
    (fault, index) =>
      fault.file.includes(options.file) &&
      index % options.every === 0 &&
      !(options.open && noticedBefore.has(nameOf(fault))),
  );
  process.stdout.write(`${room.name}: ${asked.length} faults\n`);
  const tests = filesOf(room.tests).filter((file) => file.endsWith('.test.ts') && !LONG.test(file));
  const noticed = await tryFaults(ROOT, asked, tests, options.workers);
  const survived = asked.filter((fault) => !noticed.has(fault));
  for (const { file, line, operator, what } of survived) {
    process.stdout.write(`  ${file}:${line}  ${operator}: ${what}\n`);
  }
  const found = { noticed: [...noticed].map(nameOf), survived: survived.map(nameOf) };
  const tried = new Set(asked.map(nameOf));
  const untouched = (names: string[]) => names.filter((name) => !tried.has(name));
  const report: Report = {
    noticed: [...untouched(last.noticed), ...found.noticed],
    survived: [...untouched(last.survived), ...found.survived],
  };
  writeReport(room, report);
  return scoreOf(counted, report);
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      file: { type: 'string', default: '' },
      open: { type: 'boolean', default: false },
      every: { type: 'string', default: '1' },
      workers: { type: 'string', default: '2' },
      table: { type: 'boolean', default: false },
    },
  });
  const options = { ...values, every: Number(values.every), workers: Number(values.workers) };
  const strange = positionals.filter((name) => !ROOMS.some((room) => room.name === name));
  if (strange.length > 0 || !(options.every >= 1) || !(options.workers >= 1)) {
    process.stderr.write(strange.length > 0 ? `No such room: ${strange.join(', ')}\n\n${USAGE}` : USAGE);
    return 2;
  }
  const equivalents = readEquivalents();
  if (values.table) {
    const lines = ROOMS.map((room) => {
      const { counted, equivalent } = faultsOfRoom(room, equivalents);
      return { name: room.name, goal: room.score, score: scoreOf(counted, readReport(room)), equivalent };
    });
    writeTable(ROOT, lines);
    return 0;
  }
  let missed = false;
  for (const room of ROOMS.filter(({ name }) => positionals.length === 0 || positionals.includes(name))) {
    const startedAt = Date.now();
    const { counted, equivalent } = faultsOfRoom(room, equivalents);
    const { faults, noticed, untried, percent } = await measure(room, counted, options);
    missed ||= percent < room.score;
    const minutes = ((Date.now() - startedAt) / 60_000).toFixed(1);
    process.stdout.write(
      `${room.name}: ${noticed} of ${faults - untried} noticed, ${percent.toFixed(1)} % (goal ${room.score} %); ` +
        `${untried} not tried; ${equivalent} equivalent; ${minutes} minutes\n`,
    );
  }
  return missed ? 1 : 0;
}

process.exit(await main());
