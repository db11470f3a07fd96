// A counting semaphore whose holders are promises, for statements that share a batch key.
import { setImmediate as immediate } from 'node:timers/promises';

/** Milliseconds after which a statement no longer keeps others of its kind waiting. */
const MAX_HOLD_MS = 25;

/** Lets so many works run at once, and the others wait in their order. */
export class Semaphore {
  readonly #atOnce: number;
  readonly #idle: () => void;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #asked = 0;

  /** `idle` is called when none runs or waits. */
  constructor(atOnce: number, idle: () => void) {
    this.#atOnce = atOnce;
    this.#idle = idle;
  }

  /** Calls `start` in its turn, and not before everything was read that has arrived by now. */
  ask(start: () => void): void {
    this.#asked += 1;
    setImmediate(() => {
      this.#waiting.push(start);
      this.#next();
    });
  }

  /**
   * Gives the turn back when the work is done, or is taking long. What comes next is on its way before the result is
   * given: the database works on it while requests are answered.
   */
  async take<Result>(work: Promise<Result>): Promise<Result> {
    let held = true;
    const giveBack = () => {
      if (held) this.#running -= 1;
      held = false;
      return this.#next();
    };
    const impatience = setTimeout(giveBack, MAX_HOLD_MS);
    try {
      return await work;
    } finally {
      clearTimeout(impatience);
      const started = giveBack();
      this.#asked -= 1;
      if (this.#asked === 0) this.#idle();
      // The pool sends in its own tick, which would come after all that the result sets off.
      if (started) await immediate();
    }
  }

  /** Whether another one could start. */
  #next(): boolean {
    if (this.#running === this.#atOnce) return false;
    const start = this.#waiting.shift();
    if (!start) return false;
    this.#running += 1;
    start();
    return true;
  }
}
