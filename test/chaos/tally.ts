// Counts of a disturbance, and the table of them.

export type Tally = {
  name: string;
  /** How often the disturbance happened. */
  times: number;
  /** Acknowledged changes. */
  changes: number;
  /** Answers that were compared with the model. */
  checks: number;
  /** Changes without an answer, whose fate was then read. */
  unknown: number;
  /** Acknowledged changes that the disturbance was meant to lose, whose positions are given again. */
  discarded: number;
  /** Answers that are errors, by code. */
  errors: Map<string, number>;
  /** Answers that differ from the model. */
  wrong: number;
  /** Answers of a fresh process that differ from the model: acknowledged changes that are gone, others that are there. */
  lost: number;
  /** The first wrong answers, for people. */
  samples: string[];
};

/** Wrong answers that a tally keeps whole. */
const SAMPLES = 3;

export const newTally = (name: string): Tally => ({
  name,
  times: 0,
  changes: 0,
  checks: 0,
  unknown: 0,
  discarded: 0,
  errors: new Map(),
  wrong: 0,
  lost: 0,
  samples: [],
});

export function countError(tally: Tally, code: string): void {
  tally.errors.set(code, (tally.errors.get(code) ?? 0) + 1);
}

/** Longest text of a value in a sample. */
const WIDTH = 400;
const show = (value: unknown) => (JSON.stringify(value) ?? 'undefined').slice(0, WIDTH);

/** Counts a difference: as wrong, or as lost if a process without caches saw it. */
export function countWrong(
  tally: Tally,
  kind: 'wrong' | 'lost',
  what: string,
  got: unknown,
  wanted: unknown,
): void {
  tally[kind] += 1;
  if (tally.samples.length < SAMPLES)
    tally.samples.push(`${kind}: ${what}\n    got    ${show(got)}\n    wanted ${show(wanted)}`);
}

/** A line a tally, and below it the first wrong answers. */
export function tableOf(tallies: readonly Tally[]): string {
  const head = [
    'disturbance',
    'times',
    'changes',
    'checks',
    'unknown',
    'discarded',
    'errors',
    'wrong',
    'lost',
  ];
  const lines = tallies.map(({ name, times, changes, checks, unknown, discarded, errors, wrong, lost }) => {
    const codes = [...errors].map(([code, number]) => `${code} ${number}`).join(', ');
    return [name, times, changes, checks, unknown, discarded, codes || '0', wrong, lost].map(String);
  });
  const widths = head.map((_, at) => Math.max(...[head, ...lines].map((line) => line[at]!.length)));
  const rows = [head, ...lines].map((line) =>
    line
      .map((cell, at) => cell.padEnd(widths[at]!))
      .join('  ')
      .trimEnd(),
  );
  const samples = tallies.flatMap(({ name, samples }) => samples.map((sample) => `  ${name}: ${sample}`));
  return [...rows, ...samples].join('\n');
}
