// Counts the open streams of each caller and of all: a stream holds memory for as long as it is open.
import { type Caller, isUserCaller } from './caller.ts';
import { refuse } from './errors.ts';

export type StreamLimits = { streams: number; streamsPerCaller: number };

export class OpenStreams {
  readonly #limits: StreamLimits;
  readonly #byCaller = new Map<string, number>();
  #total = 0;

  constructor(limits: StreamLimits) {
    this.#limits = limits;
  }

  /**
   * Counts a stream, and returns the function to call once it has ended. Refused with TOO_MANY_STREAMS if the caller has too
   * many, with UNAVAILABLE if all callers have.
   */
  open(caller: Caller): () => void {
    const { streams, streamsPerCaller } = this.#limits;
    const key = keyOf(caller);
    const own = this.#byCaller.get(key) ?? 0;
    if (own >= streamsPerCaller) throw refuse.tooManyStreams(streamsPerCaller);
    if (this.#total >= streams)
      throw refuse.unavailable(`This server has ${streams} streams open, and opens no more`);
    this.#byCaller.set(key, own + 1);
    this.#total += 1;
    let isOpen = true;
    return () => {
      if (!isOpen) return;
      isOpen = false;
      this.#total -= 1;
      const left = this.#byCaller.get(key)! - 1;
      if (left > 0) this.#byCaller.set(key, left);
      else this.#byCaller.delete(key);
    };
  }
}

/** Subjects are unique where they are issued, so callers of different tenants may have the same. */
const keyOf = (caller: Caller): string =>
  JSON.stringify([caller.subject, isUserCaller(caller) ? caller.tenantId : caller.visibility]);
