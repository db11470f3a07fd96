// How the tests run.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { include: ['test/**/*.test.ts'] },
  // Node loads the CommonJS build of graphql for packages; ours must be the same instance, not Vite's pick, the ESM one.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
});
