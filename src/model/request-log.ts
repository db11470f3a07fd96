// What the log is to say of one request: collected while it is answered, written as one line when it is.
import type { Caller } from './caller.ts';
import { isDirectoryError } from './errors.ts';
import { loggedMessage } from './logged-error.ts';

/** Other errors of an answer that are named beside the first: enough to tell two faults apart. */
const MAX_OTHERS = 5;
/** Characters of each: the first error has its stack, the others need only be told apart. */
const MAX_MESSAGE = 200;

const SEVERITY = { info: 0, warn: 1, error: 2 } as const;
export type LogLevel = keyof typeof SEVERITY;

type Noted = { level: LogLevel; message: string; fields: Record<string, unknown> };

/**
 * One request's entry. However many fields of an answer fail, it holds the first of the gravest errors whole, how many
 * there were, and the distinct messages of a few more.
 */
export class RequestLog {
  readonly requestId: string;
  #caller: Caller | null = null;
  #gravest: Noted | null = null;
  #count = 0;
  readonly #messages = new Set<string>();

  constructor(requestId: string) {
    this.requestId = requestId;
  }

  /** Notes who asks. */
  noteCaller(caller: Caller): void {
    this.#caller = caller;
  }

  /** Notes what went wrong; refusals that say all there is to know to the caller are left out. */
  noteError(error: unknown): void {
    const noted = notedOf(error);
    if (!noted) return;
    this.#count += 1;
    if (this.#messages.size <= MAX_OTHERS) {
      this.#messages.add(loggedMessage(noted.fields.err ?? error).slice(0, MAX_MESSAGE));
    }
    if (!this.#gravest || SEVERITY[noted.level] > SEVERITY[this.#gravest.level]) this.#gravest = noted;
  }

  /** The line: how grave it is, its words, and its fields beside those of the request itself. */
  get line(): Noted {
    const { level, message, fields } = this.#gravest ?? { level: 'info', message: 'request', fields: {} };
    const first = loggedMessage(fields.err).slice(0, MAX_MESSAGE);
    const others = [...this.#messages].filter((text) => text !== first);
    return {
      level,
      message,
      fields: {
        requestId: this.requestId,
        ...(this.#caller && callerFields(this.#caller)),
        ...fields,
        ...(this.#count > 1 && { errorCount: this.#count }),
        ...(this.#count > 1 && others.length > 0 && { otherErrors: others }),
      },
    };
  }
}

/** What an error is to the log: null for refusals, which are answers like any other. */
function notedOf(error: unknown): Noted | null {
  if (!isDirectoryError(error))
    return { level: 'error', message: 'unexpected error', fields: { err: error } };
  const { code, message, cause } = error;
  if (code === 'UNAVAILABLE') return { level: 'warn', message, fields: { err: cause ?? error } };
  // A request without a token is none of the operator's business; a token that is refused may be.
  if ((code === 'UNAUTHENTICATED' || code === 'FORBIDDEN') && cause)
    return { level: 'warn', message, fields: { token: cause } };
  return null;
}

/** By whom, and for which tenant or partner; who sees everything asks for none. */
function callerFields(caller: Caller): Record<string, string> {
  const { subject } = caller;
  if (caller.role === 'USER') return { subject, tenantId: caller.tenantId };
  const { visibility } = caller;
  if (visibility.kind === 'tenant') return { subject, tenantId: visibility.tenantId };
  if (visibility.kind === 'partner') return { subject, partnerId: visibility.partnerId };
  return { subject };
}
