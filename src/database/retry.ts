// Runs a transaction again when the database ended it to keep others consistent.
import { setTimeout as sleep } from 'node:timers/promises';
import { isRetryable } from './errors.ts';

/** How often a transaction is started in all: conflicts that outlast this are a hot spot, not bad luck. */
const ATTEMPTS = 5;
/** Longest wait before the first new attempt, in ms; doubled each time, and jittered so that rivals part. */
const FIRST_WAIT = 10;

/** The result of `work`, which is run up to 5 times while it fails with 40001 or 40P01. */
export async function withRetries<Result>(work: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (attempt === ATTEMPTS || !isRetryable(error)) throw error;
      await sleep(Math.random() * FIRST_WAIT * 2 ** (attempt - 1));
    }
  }
}
