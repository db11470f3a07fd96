// A vitest worker that runs one test file many times in one process: once as it is, or once for each fault to try.
import { appendFileSync, readFileSync } from 'node:fs';
import { init, runBaseTests, setupEnvironment } from 'vitest/worker';
import { SWITCH } from './instrument.ts';
import { PLAN_VARIABLE, type Plan, type Result, type Trial } from './protocol.ts';

// biome-ignore lint/suspicious/noExplicitAny: vitest does not export the state of a worker.
type State = any;
/** A task of vitest's: a suite or a test. */
type Task = {
  type: string;
  name: string;
  mode: string;
  tasks?: Task[];
  result?: { state?: string; duration?: number; errors?: { message: string }[] };
};

/** A fault that makes a loop endless is found by what it switches: nothing that is tested comes near. */
const MAX_SWITCHES = 5_000_000;

const plan = JSON.parse(readFileSync(process.env[PLAN_VARIABLE]!, 'utf8')) as Plan;
const report = (result: Result) => appendFileSync(plan.results, `${JSON.stringify(result)}\n`);

const killed = new Set<number>();
let read = 0;
/** Whether a test of another file has noticed the fault meanwhile. */
function isKilled(id: number): boolean {
  const results = readFileSync(plan.results);
  const end = results.lastIndexOf('\n') + 1;
  for (const line of results.toString('utf8', read, end).split('\n').filter(Boolean)) {
    const result = JSON.parse(line) as Result;
    if (result.kind === 'tried' && result.killed && result.id >= 0) killed.add(result.id);
  }
  read = end;
  return killed.has(id);
}

let active = -1;
let switches = 0;
let reached: ((id: number) => void) | null = null;

Object.assign(globalThis, {
  [SWITCH](id: number): boolean {
    reached?.(id);
    if (id !== active) return false;
    if (++switches > MAX_SWITCHES) throw new Error('The fault makes an endless loop');
    return true;
  },
});

async function cover(state: State, traces: never): Promise<void> {
  const file = state.ctx.files[0].filepath as string;
  const tests: Task[] = [];
  const hits = new Map<number, Set<number>>();
  const setup = new Set<number>();
  const load = new Set<number>();
  let collected: Task[] | null = null;
  let collectedAt = 0;
  let current: unknown;
  let index = -1;
  reached = (id) => {
    if (!collected) return load.add(id);
    if (state.current !== current) {
      current = state.current;
      index = tests.indexOf(current as Task);
    }
    if (index < 0) return setup.add(id);
    const of = hits.get(id) ?? new Set();
    hits.set(id, of.add(index));
  };
  await withReports(state, traces, {
    pass: true,
    onCollected(files) {
      collected = files;
      collectedAt = performance.now();
      tests.push(...testsOf(files));
    },
  });
  reached = null;
  const durations = tests.map((test) => Math.ceil(test.result?.duration ?? 0));
  const inTests = durations.reduce((sum, ms) => sum + ms, 0);
  const failures = failuresOf(collected ?? []);
  report({
    kind: 'coverage',
    file,
    passed: collected !== null && failures.length === 0,
    failures,
    durations,
    hooks: Math.max(0, Math.round(performance.now() - collectedAt) - inTests),
    hits: Object.fromEntries([...hits].map(([id, of]) => [id, [...of]])),
    setup: [...setup],
    load: [...load],
  });
}

async function attempt(state: State, traces: never, { id, tests, fresh }: Trial): Promise<void> {
  const file = state.ctx.files[0].filepath as string;
  report({ kind: 'started', file, id, pid: process.pid });
  const chosen = new Set(tests);
  let collected: Task[] = [];
  const errors: string[] = [];
  // With isolation, vitest forgets the modules of the project before it runs a file.
  state.ctx.config.isolate = fresh;
  active = id;
  switches = 0;
  try {
    await withReports(state, traces, {
      pass: false,
      onCollected(files) {
        collected = files;
        testsOf(files).forEach((test, at) => {
          if (!chosen.has(at) && test.mode === 'run') test.mode = 'skip';
        });
        files.forEach(skipEmptySuites);
      },
      onError: (message) => errors.push(message),
    });
  } catch (error) {
    errors.push(String(error));
  }
  active = -1;
  const failures = [...failuresOf(collected), ...errors];
  report({ kind: 'tried', file, id, killed: failures.length > 0, by: failures[0]?.slice(0, 200) ?? '' });
}

type Hooks = { pass: boolean; onCollected(files: Task[]): void; onError?(message: string): void };

/** Runs the file once. Without `pass`, vitest's main process hears nothing of it. */
async function withReports(state: State, traces: never, hooks: Hooks): Promise<void> {
  const rpc = state.rpc;
  const silent = new Set([
    'onQueued',
    'onTaskUpdate',
    'onUserConsoleLog',
    'snapshotSaved',
    'onCancel',
    'onTaskAnnotate',
  ]);
  state.rpc = new Proxy(rpc, {
    get(target, name, receiver) {
      if (name === 'onCollected') {
        return async (files: Task[]) => {
          hooks.onCollected(files);
          if (hooks.pass) await rpc.onCollected(files);
        };
      }
      if (hooks.pass) return Reflect.get(target, name, receiver);
      if (name === 'onUnhandledError')
        return async (error: { message?: string }) => hooks.onError?.(`${error?.message}`);
      if (name === 'getCountOfFailedTests') return async () => 0;
      if (silent.has(String(name))) return async () => {};
      return Reflect.get(target, name, receiver);
    },
  });
  state.ctx.config.bail = hooks.pass ? 0 : 1;
  try {
    await runBaseTests('run', state, traces);
  } finally {
    state.rpc = rpc;
  }
}

const testsOf = (tasks: Task[]): Task[] =>
  tasks.flatMap((task) => (task.type === 'test' ? [task] : testsOf(task.tasks ?? [])));

/** A suite without a test to run must not run its hooks either. */
function skipEmptySuites(suite: Task): void {
  for (const task of suite.tasks ?? []) {
    if (task.type !== 'suite') continue;
    if (testsOf([task]).every((test) => test.mode !== 'run')) task.mode = 'skip';
    else skipEmptySuites(task);
  }
}

const failuresOf = (tasks: Task[]): string[] =>
  tasks.flatMap((task) => [
    ...failuresOf(task.tasks ?? []),
    ...(task.result?.state === 'fail' ? [`${task.name}: ${task.result.errors?.[0]?.message ?? ''}`] : []),
  ]);

const processSend = process.send!.bind(process);
const processExit = process.exit.bind(process);
const listen = process.on.bind(process);
const unlisten = process.off.bind(process);
listen('disconnect', () => processExit(1));
init({
  post: (message) => processSend(message),
  on: (listener) => listen('message', listener),
  off: (listener) => unlisten('message', listener),
  teardown: () => {
    process.exit = processExit;
  },
  setup: setupEnvironment,
  async runTests(state: State, traces) {
    if (!plan.trials) return cover(state, traces as never);
    const file = state.ctx.files[0].filepath as string;
    // The first run loads the modules in any case; modules that were loaded with a fault are of no use to the next.
    let loaded: 'anew' | 'as they are' | 'with a fault' = 'anew';
    for (const trial of plan.trials[file] ?? []) {
      if (isKilled(trial.id)) continue;
      const fresh = loaded !== 'anew' && (trial.fresh || loaded === 'with a fault');
      await attempt(state, traces as never, { ...trial, fresh });
      loaded = trial.fresh ? 'with a fault' : 'as they are';
    }
  },
  collectTests: (state, traces) => runBaseTests('collect', state, traces),
});
