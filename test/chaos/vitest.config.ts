// `npm run chaos`: what holds while processes and servers are killed, replaced and restored. No part of `npm test`.
import { defineConfig } from 'vitest/config';

/** Limit of a test and of set-up, in ms: several times what each takes on two busy cores with the default sizes. */
const LIMIT = 20 * 60_000;

export default defineConfig({
  test: {
    include: ['test/chaos/*.chaos.ts'],
    pool: 'forks',
    // One file after the other: each has servers of its own, and the machine is theirs.
    fileParallelism: false,
    disableConsoleIntercept: true,
    testTimeout: LIMIT,
    hookTimeout: LIMIT,
  },
});
