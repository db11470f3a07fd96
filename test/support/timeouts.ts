// Timeouts of a database for tests that are not about them.
import type { Timeouts } from '../../src/database/postgresql.ts';

/** Milliseconds. The product's own would make statements fail on a machine that has much else to do. */
export const PATIENT: Timeouts = { connect: 60_000, statement: 60_000, lock: 60_000, query: 60_000 };
