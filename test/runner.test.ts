// The test command itself: a run that fails, crashes, hangs or tests nothing ends with an exit code that says so.
import { execFile } from 'node:child_process';
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import packageJson from '../package.json' with { type: 'json' };
import { judgeRun } from './support/judge-run.ts';
import { type Finished, runCommand, runScript } from './support/process.ts';

const ROOT = join(import.meta.dirname, '..');

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coterie-runner-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** A run of its own: what its only test file says, and its set-up beside the time limit. */
type Run = { file?: string; setUp?: string; seconds?: number };

let runs = 0;

/** Runs the test command with the suite's configuration over a file that is no part of the suite. */
async function run({ file, setUp, seconds = 60 }: Run): Promise<Finished> {
  runs += 1;
  const dir = join(folder, String(runs));
  await mkdir(join(dir, 'test'), { recursive: true });
  if (file !== undefined) await writeFile(join(dir, 'test/one.test.ts'), file);
  await writeFile(join(dir, 'set-up.ts'), `export default function setup() { ${setUp ?? ''} }`);
  // PostgreSQL takes seconds to start, and most runs need none.
  const globalSetup =
    setUp === undefined ? 'test.globalSetup' : `[test.globalSetup[0], '${join(dir, 'set-up.ts')}']`;
  await writeFile(
    join(dir, 'vitest.config.mjs'),
    `import suite from '${join(ROOT, 'vitest.config.ts')}';
    const { test } = suite;
    const ours = { dir: '${dir}', globals: true, testTimeout: 1_000, globalSetup: ${globalSetup} };
    export default { ...suite, test: { ...test, ...ours } };`,
  );
  const args = ['--config', join(dir, 'vitest.config.mjs')];
  const variables = { TEST_TIME_LIMIT: String(seconds) };
  // Without npm where set-up is ours: npm takes longer to start than such a run.
  return setUp === undefined
    ? runScript('test', args, variables)
    : runCommand(packageJson.scripts.test, args, variables);
}

const PASSES = "test('passes', () => {});";
const NO_SET_UP = '';

describe.concurrent('the exit code of the test command', { timeout: 120_000 }, () => {
  test('is 0 where all passes, with the suite’s own PostgreSQL', async () => {
    const { code, stdout, stderr } = await run({ file: PASSES });
    expect(code, stdout + stderr).toBe(0);
    expect(stdout).toMatch(/Tests .*1 passed/);
  });

  test.each<[string, string | RegExp, Run]>([
    [
      'a test fails, with the suite’s own PostgreSQL',
      '1 failed',
      { file: "test('fails', () => expect(1).toBe(2));" },
    ],
    [
      'a process dies',
      'exited unexpectedly',
      { setUp: NO_SET_UP, file: "test('dies', () => process.kill(process.pid, 'SIGKILL'));" },
    ],
    [
      'a test ends its process with 0',
      'process.exit unexpectedly called',
      { setUp: NO_SET_UP, file: "test('exits', () => process.exit(0));" },
    ],
    [
      'nobody handles a rejection',
      'Unhandled Rejection',
      {
        setUp: NO_SET_UP,
        file: "test('passes', () => { void Promise.reject(new Error('not handled')); });",
      },
    ],
    ['an import fails', "Cannot find package 'not-there'", { setUp: NO_SET_UP, file: "import 'not-there';" }],
    [
      'a test waits for ever',
      'Test timed out',
      { setUp: NO_SET_UP, file: "test('waits', () => new Promise(() => {}));" },
    ],
    [
      'a test loops for ever',
      'The run has not ended after 5 s',
      { setUp: NO_SET_UP, file: "test('loops', () => { for (;;); });", seconds: 5 },
    ],
    ['set-up fails', 'no server today', { file: PASSES, setUp: "throw new Error('no server today');" }],
    [
      'set-up waits for ever',
      'What has not ended: set-up',
      { file: PASSES, setUp: 'return new Promise(() => setInterval(() => {}, 1_000));', seconds: 5 },
    ],
    [
      'set-up waits for what nothing will do',
      'The run ended before its tests did',
      { file: PASSES, setUp: 'return new Promise(() => {});' },
    ],
    ['there is no test file', 'No test files found', { setUp: NO_SET_UP }],
    ['a file has no test', 'No test suite found', { setUp: NO_SET_UP, file: 'export {};' }],
    [
      'every test is skipped',
      'No test ran',
      { setUp: NO_SET_UP, file: "test.skip('skipped', () => expect(1).toBe(2));" },
    ],
  ])('is 1 where %s', async (_case, said, ours) => {
    const { code, stdout, stderr } = await run(ours);
    expect(stdout + stderr).toMatch(said);
    expect(code).toBe(1);
  });

  test('is that of `npm run check`, which runs types, lint and tests until one of them fails', () => {
    expect(packageJson.scripts.check).toBe('npm run typecheck && npm run lint && npm test --');
    expect(packageJson.scripts.typecheck).toBe('tsc --noEmit');
    expect(packageJson.scripts.lint).toBe('biome check .');
  });
});

describe('the judgement of a whole run', () => {
  const report = (...statuses: string[]) => ({
    testResults: [
      {
        name: '/checkout/test/one.test.ts',
        assertionResults: statuses.map((status) => ({ fullName: 'does', status })),
      },
    ],
  });
  const listed = '\ntest/other.test.ts  nothing\ntest/one.test.ts   there is no browser\n';

  test.each([
    ['all that passes', report('passed', 'passed'), '', '2 passed, 0 failed', []],
    ['what fails, which the test command tells', report('passed', 'failed'), '', '1 passed, 1 failed', []],
    ['too few tests', report('passed'), '', '1 passed, 0 failed', ['1 tests, of at least 2.']],
    ['a listed skip', report('passed', 'skipped'), listed, '1 passed, 0 failed, 1 skipped', []],
    [
      'a listed skip, with too few tests',
      report('skipped'),
      listed,
      '0 passed, 0 failed, 1 skipped',
      ['1 tests, of at least 2.'],
    ],
    [
      'a skip that is not listed',
      report('passed', 'passed', 'skipped'),
      'test/other.test.ts  nothing',
      '2 passed, 0 failed, 1 skipped',
      ['Skipped without a listed reason: /checkout/test/one.test.ts: does'],
    ],
    [
      'a listed skip without its reason',
      report('passed', 'passed', 'pending'),
      'test/one.test.ts',
      '2 passed, 0 failed, 1 skipped',
      ['Skipped without a listed reason: /checkout/test/one.test.ts: does'],
    ],
    [
      'a test that is to do',
      report('passed', 'passed', 'todo'),
      '',
      '2 passed, 0 failed, 1 skipped',
      ['Skipped without a listed reason: /checkout/test/one.test.ts: does'],
    ],
    ['no report', null, listed, '0 passed, 0 failed', ['The run wrote no report.']],
  ])('%s', (_case, given, maySkip, summary, faults) => {
    expect(judgeRun(given, 2, maySkip)).toEqual({ summary, faults });
  });

  test('names only files that are there and can skip', async () => {
    const [, list] = /MAY_SKIP='\n([\s\S]*?)'/.exec(await readFile(join(ROOT, '.ci/run'), 'utf8'))!;
    for (const line of list!.trim().split('\n')) {
      const [path, ...reason] = line.split(/\s+/);
      expect(reason, line).not.toEqual([]);
      expect(await readFile(join(ROOT, path!), 'utf8'), path).toMatch(/\b(?:test|describe)\.skipIf\(/);
    }
  });
});

describe('.ci/run', () => {
  /** Runs it in a checkout of three files, over an `npm` whose `npm test` writes this report and ends with this code. */
  async function runCi(report: object | null, code: number, failing = ''): Promise<Finished> {
    const checkout = await mkdtemp(join(folder, 'checkout-'));
    await mkdir(join(checkout, 'bin'));
    for (const path of ['.ci/run', 'test/support/judge-run.ts']) {
      await mkdir(join(checkout, path, '..'), { recursive: true });
      await cp(join(ROOT, path), join(checkout, path));
    }
    await mkdir(join(checkout, 'node_modules/.bin'), { recursive: true });
    await writeFile(join(checkout, 'report.json'), report ? JSON.stringify(report) : '');
    const commands = {
      'bin/npm': `case "$*" in
        ("${failing}") exit 3 ;;
        (test*) echo 'output of the tests'; last="\${@: -1}"; cp report.json "\${last#*=}"; exit ${code} ;;
      esac`,
      'bin/chromium': 'exit 0',
      'node_modules/.bin/node': `exec '${process.execPath}' "$@"`,
    };
    for (const [path, script] of Object.entries(commands)) {
      await writeFile(join(checkout, path), `#!/usr/bin/env bash\n${script}\n`);
      await chmod(join(checkout, path), 0o755);
    }
    const PATH = [join(checkout, 'bin'), process.env.PATH].join(delimiter);
    return new Promise((resolve) =>
      execFile(join(checkout, '.ci/run'), { env: { ...process.env, PATH } }, (error, stdout, stderr) =>
        resolve({ code: error ? (error.code as unknown as number) : 0, stdout, stderr }),
      ),
    );
  }
  const whole = (...others: string[]) => ({
    testResults: [
      {
        name: '/checkout/test/one.test.ts',
        assertionResults: [...Array(10_000).fill('passed'), ...others].map((status) => ({
          fullName: 'does',
          status,
        })),
      },
    ],
  });
  const lastLine = ({ stdout }: Finished) => stdout.trimEnd().split('\n').at(-1);

  test('ends with 0 and the counts where all is well', async () => {
    const done = await runCi(whole(), 0);
    expect(done.stdout).toBe('output of the tests\n10000 passed, 0 failed\n');
    expect(done.code).toBe(0);
  });

  test('ends with the exit code of the tests, and the counts', async () => {
    const done = await runCi(whole('failed'), 7);
    expect([done.code, lastLine(done)]).toEqual([7, '10000 passed, 1 failed']);
  });

  test('fails where the report is green and the run is not, or there is no report', async () => {
    const crashed = await runCi(whole(), 1);
    expect([crashed.code, lastLine(crashed)]).toEqual([1, '10000 passed, 0 failed']);
    const silent = await runCi(null, 0);
    expect([silent.code, lastLine(silent)]).toEqual([1, '0 passed, 0 failed']);
  });

  test('fails where tests are lost, or skipped for no listed reason', async () => {
    const few = await runCi({ testResults: [] }, 0);
    expect([few.code, few.stdout]).toEqual([1, expect.stringMatching(/^0 tests, of at least \d+\.$/m)]);
    const skipped = await runCi(whole('skipped'), 0);
    expect([skipped.code, lastLine(skipped)]).toEqual([1, '10000 passed, 0 failed, 1 skipped']);
    expect(skipped.stdout).toContain('Skipped without a listed reason: /checkout/test/one.test.ts: does');
  });

  test.each(['ci', 'run typecheck', 'run lint'])('ends where `npm %s` fails', async (command) => {
    const done = await runCi(whole(), 0, command);
    expect([done.code, done.stdout]).toEqual([3, '']);
  });
});
