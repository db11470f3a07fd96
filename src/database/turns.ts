// Turns: transactions that would wait for each other in the database wait here instead, where none holds a connection.

/** SQLSTATE of a lock that is not granted in time: what waits for a turn waits for a lock. */
const NOT_AVAILABLE = '55P03';

type Waiter = { start(): void };

/** Lets one piece of work of each key run at a time, in the order of arrival. */
export class Turns {
  readonly #waiting = new Map<string, Waiter[]>();
  readonly #milliseconds: number;

  /** Work that waits longer than `milliseconds` for its turn fails with 55P03. */
  constructor(milliseconds: number) {
    this.#milliseconds = milliseconds;
  }

  /** Runs `work` when it is its turn. While it waits, it ends with the reason of the signal. */
  async run<Result>(
    key: string,
    work: () => Promise<Result>,
    signal?: AbortSignal | undefined,
  ): Promise<Result> {
    const waiting = this.#waiting.get(key);
    if (waiting) await this.#turn(waiting, signal);
    else this.#waiting.set(key, []);
    try {
      return await work();
    } finally {
      const next = this.#waiting.get(key)!.shift();
      if (next) next.start();
      else this.#waiting.delete(key);
    }
  }

  async #turn(waiting: Waiter[], signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
        settle();
      };
      const waiter = { start: () => end(resolve) };
      const leave = (error: unknown) => {
        waiting.splice(waiting.indexOf(waiter), 1);
        end(() => reject(error));
      };
      const abort = () => leave(signal!.reason);
      const timer = setTimeout(
        () =>
          leave(Object.assign(new Error('The tenant is busy with other changes'), { code: NOT_AVAILABLE })),
        this.#milliseconds,
      );
      signal?.addEventListener('abort', abort, { once: true });
      waiting.push(waiter);
    });
  }
}
