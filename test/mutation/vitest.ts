// Runs test files in workers of our own, with all faults in the source behind switches.
import { join } from 'node:path';
import type { ViteUserConfig } from 'vitest/config';
import { BaseSequencer, createVitest, ForksPoolWorker, type TestSpecification } from 'vitest/node';
import ordinary from '../../vitest.config.ts';
import type { Fault } from './faults.ts';
import { instrument, SWITCH } from './instrument.ts';
import { PLAN_VARIABLE } from './protocol.ts';

/** What a test that waits for something may take, in ms: longer than any does, shorter than a run of many such faults bears. */
const TEST_TIMEOUT = 15_000;

class FaultWorker extends ForksPoolWorker {
  override readonly name = 'faults';
  protected override readonly entrypoint = join(import.meta.dirname, 'worker.ts');
}

/** In the order in which the files are given. */
class AsGiven extends BaseSequencer {
  static order: string[] = [];
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = (file: TestSpecification) => AsGiven.order.indexOf(file.moduleId);
    return files.toSorted((a, b) => place(a) - place(b));
  }
}

/** Resolves when all files were run or given up; what was found stands in the results that the plan names. */
export async function runVitest(
  root: string,
  {
    files,
    faults,
    plan,
    workers,
  }: { files: string[]; faults: readonly Fault[]; plan: string; workers: number },
): Promise<void> {
  const ids = new Map(faults.map((fault, id) => [fault, id]));
  const byFile = Map.groupBy(faults, ({ file }) => join(root, file));
  AsGiven.order = files;
  // Set-up opens the template with the same source, in this process: as it is.
  Object.assign(globalThis, { [SWITCH]: () => false });
  const { test, ...config } = ordinary as ViteUserConfig;
  const vitest = await createVitest(
    'test',
    { root, config: false, watch: false },
    {
      ...config,
      plugins: [
        {
          name: 'faults',
          enforce: 'pre',
          transform(code: string, id: string) {
            const found = byFile.get(id);
            return found && { code: instrument(code, found, (fault) => ids.get(fault)!), map: null };
          },
        },
      ],
      test: {
        ...test,
        // Not the limits of an ordinary run.
        globalSetup: ['test/support/global-setup.ts'],
        reporters: [{}],
        isolate: true,
        maxWorkers: workers,
        testTimeout: TEST_TIMEOUT,
        hookTimeout: 2 * TEST_TIMEOUT,
        teardownTimeout: 5_000,
        env: { [PLAN_VARIABLE]: plan },
        // What is transformed here must not be found by an ordinary run.
        fsModuleCache: false,
        passWithNoTests: true,
        sequence: { ...test?.sequence, sequencer: AsGiven, shuffle: false },
        pool: { name: 'faults', createPoolWorker: (worker) => new FaultWorker(worker) },
      },
    },
  );
  try {
    await vitest.start(files);
  } finally {
    await vitest.close();
  }
}
