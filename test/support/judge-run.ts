// Judges a whole run by Vitest's JSON report, for `.ci/run`: how many tests ran, and which were skipped and why.
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';

/** The parts of the report that are read. */
export type Report = {
  testResults: { name: string; assertionResults: { fullName: string; status: string }[] }[];
};
export type Verdict = { faults: string[]; summary: string };

/**
 * `maySkip` has a line for each file whose tests may skip themselves: its path, then the reason. Such tests count as
 * present. A report of null is that of a run that wrote none.
 */
export function judgeRun(report: Report | null, leastTests: number, maySkip: string): Verdict {
  const reasons = new Map(
    maySkip
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .map(([file, ...reason]) => [file!, reason.join(' ')]),
  );
  const tests = (report?.testResults ?? []).flatMap(({ name, assertionResults }) =>
    assertionResults.map(({ fullName, status }) => ({ file: name, fullName, status })),
  );
  const passed = tests.filter(({ status }) => status === 'passed').length;
  const failed = tests.filter(({ status }) => status === 'failed').length;
  // Skipped, left out by `test.only` or a filter, to do, or never come to: whatever has neither passed nor failed.
  const skipped = tests.filter(({ status }) => status !== 'passed' && status !== 'failed');
  const reasonOf = (file: string) => [...reasons].find(([path]) => path && file.endsWith(`/${path}`))?.[1];
  const unlisted = skipped.filter(({ file }) => !reasonOf(file));
  const present = tests.length - unlisted.length;
  const faults = unlisted.map(
    ({ file, fullName }) => `Skipped without a listed reason: ${file}: ${fullName}`,
  );
  if (report === null) faults.push('The run wrote no report.');
  else if (present < leastTests) faults.push(`${present} tests, of at least ${leastTests}.`);
  const counts = [`${passed} passed`, `${failed} failed`];
  if (skipped.length > 0) counts.push(`${skipped.length} skipped`);
  return { faults, summary: counts.join(', ') };
}

function readReport(path: string): Report | null {
  const content = readFileSync(path, 'utf8');
  return content === '' ? null : JSON.parse(content);
}

if (import.meta.main) {
  const [path, leastTests] = process.argv.slice(2);
  const { faults, summary } = judgeRun(readReport(path!), Number(leastTests), await text(process.stdin));
  process.stdout.write([...faults, summary].map((line) => `${line}\n`).join(''));
  if (faults.length > 0) process.exitCode = 1;
}
