// `npm run mutate`: puts small faults into the source, one at a time, and says which of them no test notices.
import { existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Equivalents, readEquivalents } from './equivalents.ts';
import { type Fault, faultsOf } from './faults.ts';
import { ROOMS, type Room } from './rooms.ts';
import { tryFaults } from './trials.ts';

const ROOT = join(import.meta.dirname, '../..');
const REPORTS = join(import.meta.dirname, '.reports');

/** What a run found out about a room; `survivors` and `equivalent` are keys of faults, behind their files. */
type Report = {
  room: string;
  faults: number;
  killed: number;
  equivalent: number;
  seconds: number;
  survivors: string[];
};

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    /** Faults of files whose path holds this text. */
    file: { type: 'string', default: '' },
    /** Only what survived the last run of the room. */
    survivors: { type: 'boolean', default: false },
    /** Every n-th fault: a quick estimate. */
    every: { type: 'string', default: '1' },
    workers: { type: 'string', default: '2' },
  },
});

/** Tests that take long whatever they test: random sequences, races, whole organisations, other programs. */
const LONG = /\/(property|races|fuzz|kubernetes|routers|compatibility|migrations|start|runner)\.test\.ts$/;

const nameOf = ({ file, key }: Fault) => `${file} | ${key}`;
const files = (patterns: string[]) =>
  patterns.flatMap((pattern) => globSync(pattern, { cwd: ROOT })).filter(isOurs);
const isOurs = (file: string) =>
  file.endsWith('.ts') && !file.includes('/generated/') && !/\/(bench|support)\//.test(file);

async function measure(room: Room, equivalents: Equivalents): Promise<Report> {
  const startedAt = Date.now();
  const path = join(REPORTS, `${room.name.replaceAll(' ', '-')}.json`);
  const last = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Report) : null;
  const all = files(room.source).flatMap((file) => faultsOf(ROOT, file));
  const counted = all.filter((fault) => !equivalents.reasonFor(fault));
  const asked = counted.filter(
    (fault, index) =>
      fault.file.includes(options.file) &&
      index % Number(options.every) === 0 &&
      (!options.survivors || last?.survivors.includes(nameOf(fault))),
  );
  process.stdout.write(`${room.name}: ${asked.length} faults\n`);
  const tests = [...new Set(files(room.tests))].filter(
    (file) => file.endsWith('.test.ts') && !LONG.test(file),
  );
  const killed = await tryFaults(ROOT, asked, tests, Number(options.workers));
  const survivors = asked.filter((fault) => !killed.has(fault));
  for (const { file, line, operator, what } of survivors)
    process.stdout.write(`  ${file}:${line}  ${operator}: ${what}\n`);
  // What was not asked this time is as it was the last time.
  const names = new Set(counted.map(nameOf));
  const before = options.every === '1' && last ? last.survivors.filter((name) => names.has(name)) : [];
  const tried = new Set(asked.map(nameOf));
  const open = [...before.filter((name) => !tried.has(name)), ...survivors.map(nameOf)];
  const known = last && options.every === '1' ? counted.length : asked.length;
  const report: Report = {
    room: room.name,
    faults: known,
    killed: known - open.length,
    equivalent: all.length - counted.length,
    seconds: Math.round((Date.now() - startedAt) / 1_000),
    survivors: open,
  };
  mkdirSync(REPORTS, { recursive: true });
  if (options.every === '1') writeFileSync(path, `${JSON.stringify(report, null, 2)}\n`);
  return report;
}

const rooms = positionals.length > 0 ? ROOMS.filter(({ name }) => positionals.includes(name)) : ROOMS;
const unknown = positionals.filter((name) => !ROOMS.some((room) => room.name === name));
if (unknown.length > 0) {
  process.stderr.write(
    `No such room: ${unknown.join(', ')}. Rooms: ${ROOMS.map(({ name }) => name).join(', ')}\n`,
  );
  process.exit(2);
}
const equivalents = readEquivalents();
for (const room of rooms) {
  const { faults, killed, equivalent, seconds } = await measure(room, equivalents);
  const score = faults === 0 ? 100 : (100 * killed) / faults;
  process.stdout.write(
    `${room.name}: ${killed} of ${faults} noticed (${score.toFixed(1)} %, goal ${room.score} %), ${equivalent} equivalent, ${seconds} s\n`,
  );
}
process.exit(0);
