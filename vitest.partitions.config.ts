// The tests of the domain, of GraphQL and of REST, on tables that are partitioned by tenant: `npm run partitions`.
import { defineConfig, mergeConfig } from 'vitest/config';
import base from './vitest.config.ts';

process.env.PARTITIONED = 'yes';

export default mergeConfig(
  base,
  defineConfig({
    test: {
      include: [
        'test/domain/**/*.test.ts',
        'test/graphql/**/*.test.ts',
        'test/rest/**/*.test.ts',
        'test/cli/import*.test.ts',
      ],
      setupFiles: ['test/support/partition-setup.ts'],
    },
  }),
);
