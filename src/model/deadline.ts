// The deadline of a request that changes something: a signal that aborts when its time is up or its client has gone away.
import { refuse } from './errors.ts';

export class Deadline {
  readonly #controller = new AbortController();

  /** `disconnection` aborts when the client has gone away. */
  constructor(disconnection: AbortSignal) {
    const leave = () => this.#controller.abort(refuse.unavailable('The client has disconnected'));
    if (disconnection.aborted) leave();
    else disconnection.addEventListener('abort', leave, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /**
   * The result of `work`. After `milliseconds` the signal aborts with the error of `timedOut`, and `work` is still awaited: it
   * ends soon, and only then is it known whether its changes are stored.
   */
  async within<Result>(
    milliseconds: number,
    timedOut: () => Error,
    work: () => Result | Promise<Result>,
  ): Promise<Result> {
    const timer = setTimeout(() => this.#controller.abort(timedOut()), milliseconds);
    try {
      return await work();
    } finally {
      clearTimeout(timer);
    }
  }
}
