// Fails a run that does not end, and one that ends without having run a test.
import type { TestProject } from 'vitest/node';

/** Seconds that a run may take, set-up included: several times what the whole suite needs. */
const TIME_LIMIT = 20 * 60;

/** Comes first of all set-up, so that set-up that hangs ends too. `TEST_TIME_LIMIT=0` is no limit. */
export default function setup({ vitest, config }: TestProject) {
  if (config.watch) return;
  const seconds = Number(process.env.TEST_TIME_LIMIT ?? TIME_LIMIT);
  // A test's own timeout interrupts no loop, and set-up has none. Workers end with this process.
  const end = () => {
    process.off('exit', onExit);
    const unfinished = vitest.state
      .getTestModules()
      .filter((module) => ['queued', 'pending'].includes(module.state()))
      .map((module) => `\n  ${module.relativeModuleId}`);
    const what = unfinished.join('') || ' set-up or tear-down';
    fail(`The run has not ended after ${seconds} s (TEST_TIME_LIMIT). What has not ended:${what}`);
    process.exit();
  };
  if (seconds > 0) setTimeout(end, seconds * 1_000).unref();
  // A promise that nothing will settle ends a process as if its work were done.
  const onExit = () => fail('The run ended before its tests did.');
  process.once('exit', onExit);
  return () => {
    process.off('exit', onExit);
    const modules = vitest.state.getTestModules();
    const ran = modules.some((module) =>
      [...module.children.allTests()].some((test) => ['passed', 'failed'].includes(test.result().state)),
    );
    if (!ran && !config.passWithNoTests) fail('No test ran.');
  };
}

function fail(message: string): void {
  process.exitCode = 1;
  process.stderr.write(`${message}\n`);
}
