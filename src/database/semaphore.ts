// A counting semaphore for statements in flight, whose permits expire, so that a slow one delays no other.
import { setImmediate as immediate } from 'node:timers/promises';

/** Milliseconds after which a statement gives up its permit: a slow one must not delay the fast ones behind it. */
const MAX_HOLD_MS = 25;

/** Runs a bounded number of tasks at once; the others wait in the order of arrival. */
export class Semaphore {
  readonly #permits: number;
  readonly #onIdle: () => void;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #unfinished = 0;

  /** `onIdle` is called when no task runs or waits. */
  constructor(permits: number, onIdle: () => void) {
    this.#permits = permits;
    this.#onIdle = onIdle;
  }

  /** Calls `start` when a permit is free, and not before all requests that have arrived by now are read: they join the batch. */
  enqueue(start: () => void): void {
    this.#unfinished += 1;
    setImmediate(() => {
      this.#waiting.push(start);
      this.#startNext();
    });
  }

  /**
   * Holds the permit of a started task until its work settles, at most `MAX_HOLD_MS`. The next task is sent before the
   * result is returned, so that the database works on it while requests are answered.
   */
  async hold<Result>(work: Promise<Result>): Promise<Result> {
    let isHeld = true;
    const release = () => {
      if (isHeld) this.#running -= 1;
      isHeld = false;
      return this.#startNext();
    };
    const timer = setTimeout(release, MAX_HOLD_MS);
    try {
      return await work;
    } finally {
      clearTimeout(timer);
      const started = release();
      this.#unfinished -= 1;
      if (this.#unfinished === 0) this.#onIdle();
      // The connection pool sends in a later tick; without the pause, work on the result would delay it.
      if (started) await immediate();
    }
  }

  /** Starts the next task if a permit is free; whether it did. */
  #startNext(): boolean {
    if (this.#running === this.#permits) return false;
    const start = this.#waiting.shift();
    if (!start) return false;
    this.#running += 1;
    start();
    return true;
  }
}
