// The tests of the domain, of GraphQL and of REST, on tables that are partitioned by tenant: `npm run partitions`.
import { defineConfig } from 'vitest/config';
import base from './vitest.config.ts';

process.env.PARTITIONED = 'yes';

export default defineConfig({
  ...base,
  test: {
    ...base.test,
    include: ['test/{domain,graphql,rest}/**/*.test.ts', 'test/cli/import*.test.ts'],
    // They name indexes, constraints and tables as they are without partitions.
    exclude: ['test/domain/{plans,check}.test.ts', 'test/cli/import.test.ts'],
    setupFiles: ['test/support/partition-setup.ts'],
  },
});
