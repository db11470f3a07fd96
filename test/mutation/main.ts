// `npm run mutate`: puts small faults into the source, one at a time, and says which of them no test notices.
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Equivalents, readEquivalents } from './equivalents.ts';
import { type Fault, faultsOf } from './faults.ts';
import { type Report, readReport, writeReport } from './reports.ts';
import { ROOMS, type Room } from './rooms.ts';
import { writeTable } from './table.ts';
import { tryFaults } from './trials.ts';

const ROOT = join(import.meta.dirname, '../..');

const USAGE = `npm run mutate -- [ROOM …] [--file TEXT] [--survivors] [--every N] [--workers N] [--table]

  ROOM         ${ROOMS.map(({ name }) => name).join(', ')}; all, unless some are named
  --file       only faults of files whose path holds the text
  --survivors  only what survived the last run
  --every      only each N-th fault, for a quick estimate, which is not kept
  --workers    test files at a time (2)
  --table      measures nothing: writes the scores of the last runs to docs/mutation.md
`;

/** Tests that take long whatever they test: random sequences, races, whole organisations, other programs. */
const LONG =
  /\/(property|races|fuzz|kubernetes|routers|compatibility|migrations|start|runner|mutation)\.test\.ts$/;

type Options = { file: string; survivors: boolean; every: number; workers: number };

const nameOf = ({ file, key }: Fault) => `${file} | ${key}`;
const filesOf = (patterns: string[]): string[] =>
  [...new Set(patterns.flatMap((pattern) => globSync(pattern, { cwd: ROOT })))].filter((file) =>
    file.endsWith('.ts'),
  );

/** Measures a room; what is not asked this time counts as it did the last time. */
async function measure(room: Room, equivalents: Equivalents, options: Options): Promise<Report> {
  const last = options.every === 1 ? readReport(room) : null;
  const all = filesOf(room.source).flatMap((file) => faultsOf(ROOT, file));
  const counted = all.filter((fault) => !equivalents.isEquivalent(fault));
  const asked = counted.filter(
    (fault, index) =>
      fault.file.includes(options.file) &&
      index % options.every === 0 &&
      (!options.survivors || last?.survivors.includes(nameOf(fault))),
  );
  process.stdout.write(`${room.name}: ${asked.length} faults\n`);
  const tests = filesOf(room.tests).filter((file) => file.endsWith('.test.ts') && !LONG.test(file));
  const killed = await tryFaults(ROOT, asked, tests, options.workers);
  const survivors = asked.filter((fault) => !killed.has(fault));
  for (const { file, line, operator, what } of survivors) {
    process.stdout.write(`  ${file}:${line}  ${operator}: ${what}\n`);
  }
  const names = new Set(counted.map(nameOf));
  const tried = new Set(asked.map(nameOf));
  const before = last?.survivors.filter((name) => names.has(name) && !tried.has(name)) ?? [];
  const open = [...before, ...survivors.map(nameOf)];
  const faults = last ? counted.length : asked.length;
  return { faults, killed: faults - open.length, equivalent: all.length - counted.length, survivors: open };
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      file: { type: 'string', default: '' },
      survivors: { type: 'boolean', default: false },
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
  if (values.table) {
    writeTable(ROOT, ROOMS, readReport);
    return 0;
  }
  const equivalents = readEquivalents();
  let missed = false;
  for (const room of ROOMS.filter(({ name }) => positionals.length === 0 || positionals.includes(name))) {
    const startedAt = Date.now();
    const report = await measure(room, equivalents, options);
    if (options.every === 1) writeReport(room, report);
    const score = (100 * report.killed) / Math.max(1, report.faults);
    missed ||= score < room.score;
    const minutes = ((Date.now() - startedAt) / 60_000).toFixed(1);
    process.stdout.write(
      `${room.name}: ${report.killed} of ${report.faults} noticed, ${score.toFixed(1)} % (goal ${room.score} %); ` +
        `${report.equivalent} equivalent; ${minutes} minutes\n`,
    );
  }
  return missed ? 1 : 0;
}

process.exit(await main());
