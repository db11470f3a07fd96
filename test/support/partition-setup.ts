// For `npm run partitions`: each test file fails if a statement of the domain or the import touched several partitions.
import { afterAll, expect } from 'vitest';
import { scatteredStatements, watchStatements } from './partition-watch.ts';

watchStatements();
afterAll(async () => {
  expect(await scatteredStatements()).toEqual([]);
});
