// What the command and its workers tell each other, by way of files: workers may die of a fault, and what they wrote stays.

/** Path of the plan, in the environment of the workers. */
export const PLAN_VARIABLE = 'MUTATION_PLAN';

/** What workers do with a test file: find the faults that it reaches, or try these. */
export type Plan = {
  /** Where each worker appends what it found, a JSON line each. */
  results: string;
  /** Faults to try, by test file; null: find out what each file reaches. */
  trials: Record<string, Trial[]> | null;
};

/** `tests` are indexes into the tests of the file; `fresh`: the fault works while modules load, which are loaded anew. */
export type Trial = { id: number; tests: number[]; fresh: boolean };

/**
 * What a test file reaches. `hits[id]` are tests; `setup` and `load` are ids reached by hooks and while modules load.
 * `durations` are those of its tests, `hooks` what is not theirs, in ms.
 */
export type Coverage = {
  kind: 'coverage';
  file: string;
  passed: boolean;
  failures: string[];
  durations: number[];
  hooks: number;
  hits: Record<string, number[]>;
  setup: number[];
  load: number[];
};

/** `started` is written before a trial: a worker that dies or hangs has found a fault, too. */
export type Outcome =
  | { kind: 'started'; file: string; id: number; pid: number }
  | { kind: 'tried'; file: string; id: number; killed: boolean; by: string };

export type Result = Coverage | Outcome;
