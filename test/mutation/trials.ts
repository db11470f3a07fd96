// Finds out which tests reach which faults, and whether they notice them.
import { appendFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Fault } from './faults.ts';
import type { Coverage, Plan, Result, Trial } from './protocol.ts';
import { runVitest } from './vitest.ts';

/** What tests and their hooks may take to find one fault, in ms: those that reach it. */
const BUDGET = 25_000;
/** Longer tests, in ms, are not used: a race or a long random sequence is run for hours, not once a fault. */
const LONGEST = 4_000;
/** A worker that says nothing for so long, in ms, hangs: no single run of a test file takes it. */
const SILENCE = 60_000;

/** In place of a fault: a run of the tests as they are. */
const NO_FAULT = -1;

/** The faults that tests noticed. A test file that fails without any fault is named, and what it notices does not count. */
export async function tryFaults(
  root: string,
  faults: Fault[],
  tests: string[],
  workers: number,
): Promise<Set<Fault>> {
  const folder = await mkdtemp(join(tmpdir(), 'coterie-mutation-'));
  try {
    const run = async (files: string[], trials: Plan['trials']): Promise<Result[]> => {
      const results = join(folder, `${Date.now()}.jsonl`);
      const plan = join(folder, 'plan.json');
      writeFileSync(results, '');
      writeFileSync(plan, JSON.stringify({ results, trials } satisfies Plan));
      const watch = watchForSilence(results);
      await runVitest(root, { files, faults, plan, workers }).finally(() => clearInterval(watch));
      return resultsIn(results);
    };
    const coverage = (
      await run(
        tests.map((file) => join(root, file)),
        null,
      )
    ).filter((result) => result.kind === 'coverage');
    const failed = coverage.filter(({ passed }) => !passed);
    for (const { file, failures } of failed)
      process.stdout.write(`Not used, fails without a fault: ${file}\n  ${failures[0]}\n`);
    const useful = coverage.filter(({ passed }) => passed);
    const trials = trialsOf(useful, faults);
    const killed = new Set<number>();
    const tried = new Set<string>();
    for (;;) {
      const left = Object.fromEntries(
        [...trials]
          .map(
            ([file, list]) =>
              [file, list.filter(({ id }) => !killed.has(id) && !tried.has(`${file} ${id}`))] as const,
          )
          .filter(([, list]) => list.length > 0),
      );
      const files = [...trials.keys()].filter((file) => left[file]);
      if (files.length === 0) break;
      // Without a fault the tests pass, first and last: what one trial leaves behind must not fail the next.
      for (const file of files) {
        const control = {
          id: NO_FAULT,
          tests: everyTest(useful.find((found) => found.file === file)!),
          fresh: false,
        };
        left[file] = [control, ...left[file]!, control];
      }
      const results = await run(files, left);
      const failing = results.filter(
        (result) => result.kind === 'tried' && result.id === NO_FAULT && result.killed,
      );
      for (const { file, by } of failing as Extract<Result, { kind: 'tried' }>[]) {
        process.stdout.write(`Not used, fails without a fault: ${file}\n  ${by}\n`);
        trials.delete(file);
      }
      const before = tried.size + killed.size;
      const ofReliable = results.filter(({ file }) => trials.has(file));
      for (const result of ofReliable) {
        if (result.kind !== 'tried' || result.id === NO_FAULT) continue;
        tried.add(`${result.file} ${result.id}`);
        if (result.killed) killed.add(result.id);
      }
      // A fault whose trial began and never ended took the worker with it.
      for (const result of ofReliable) {
        if (result.kind === 'started' && result.id !== NO_FAULT && !tried.has(`${result.file} ${result.id}`))
          killed.add(result.id);
      }
      if (tried.size + killed.size === before && failing.length === 0) break;
    }
    return new Set(faults.filter((_, id) => killed.has(id)));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** By file, those named as a file of the faults first, then the quickest: which faults it tries with which tests. */
function trialsOf(coverage: Coverage[], faults: Fault[]): Map<string, Trial[]> {
  const names = new Set(faults.map(({ file }) => basename(file, '.ts')));
  const isOther = ({ file }: Coverage) => Number(!names.has(basename(file, '.test.ts')));
  const cost = ({ durations, hooks }: Coverage) => durations.reduce((sum, ms) => sum + ms, hooks);
  const sorted = coverage.toSorted((a, b) => isOther(a) - isOther(b) || cost(a) - cost(b));
  const trials = new Map<string, Trial[]>(sorted.map(({ file }) => [file, []]));
  const spent = new Array<number>(faults.length).fill(0);
  for (const found of sorted) {
    const { file, durations, hooks, hits, setup, load } = found;
    const loaded = new Set(load);
    const inHooks = new Set(setup);
    const reached = new Set([...Object.keys(hits).map(Number), ...setup, ...load]);
    for (const id of reached) {
      const fresh = loaded.has(id);
      const every = everyTest(found);
      const hit = hits[id]?.filter((test) => durations[test]! <= LONGEST) ?? [];
      // What is made in a hook works in all tests: those that reach it themselves go first.
      const others = inHooks.has(id) ? every.filter((test) => !hit.includes(test)) : [];
      for (const tests of fresh ? [every] : [hit, others]) {
        if (tests.length === 0 || spent[id]! > BUDGET) continue;
        spent[id]! += tests.reduce((sum, test) => sum + durations[test]!, hooks);
        trials.get(file)!.push({ id, tests, fresh });
      }
    }
  }
  // Those that load the modules anew come last, and together.
  for (const list of trials.values()) list.sort((a, b) => Number(a.fresh) - Number(b.fresh));
  return trials;
}

const everyTest = ({ durations }: Coverage) =>
  durations.flatMap((ms, index) => (ms > LONGEST ? [] : [index]));

function resultsIn(path: string): Result[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Result);
}

/** Ends workers whose trial does not end: the fault was found, and no other file needs to try it. */
function watchForSilence(path: string): NodeJS.Timeout {
  return setInterval(() => {
    if (Date.now() - statSync(path).mtimeMs < SILENCE) return;
    const results = resultsIn(path);
    const nameOf = ({ file, id }: { file: string; id: number }) => `${file} ${id}`;
    const ended = new Set(results.flatMap((result) => (result.kind === 'tried' ? nameOf(result) : [])));
    for (const result of results) {
      if (result.kind !== 'started' || ended.has(nameOf(result))) continue;
      const { file, id, pid } = result;
      const found: Result = { kind: 'tried', file, id, killed: true, by: 'It does not end' };
      appendFileSync(path, `${JSON.stringify(found)}\n`);
      end(pid);
    }
  }, 5_000);
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It is gone already.
  }
}
