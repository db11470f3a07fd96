// Tests run against one PostgreSQL 18 that the suite starts itself; each file clones its own database.
import { defineConfig } from 'vitest/config';

const { TEST_SEED } = process.env;
const SEED = TEST_SEED === undefined ? Date.now() % 1_000_000 : Number(TEST_SEED);

export default defineConfig({
  // Node loads the CommonJS build of graphql for packages; ours must be the same instance, not Vite's pick, the ESM one.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/run-limits.ts', 'test/support/global-setup.ts'],
    pool: 'forks',
    maxWorkers: 2,
    // A worker keeps the modules that it has loaded, for speed: what tests replace by way of `vi` is put back after each.
    isolate: false,
    restoreMocks: true,
    unstubEnvs: true,
    unstubGlobals: true,
    // Tests lean on no other: each run has its own order, which is printed as a seed and given by TEST_SEED.
    sequence: { shuffle: { files: false, tests: true }, seed: SEED },
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // For conditions that a loaded machine meets late.
    expect: { poll: { timeout: 30_000 } },
  },
});
