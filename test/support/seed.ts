// The seed of this run: Vitest prints it at the start, and TEST_SEED gives it. The order of tests follows from it too.
import { inject } from 'vitest';

export const seed = inject('seed');
