// The log entry of one request: collected while the request is handled, written as one line afterwards.
import type { Caller } from './caller.ts';
import { isDirectoryError } from './errors.ts';
import { loggedMessage } from './logged-error.ts';

/** Maximum further errors that are logged by message: enough to tell different failures apart. */
const MAX_OTHERS = 5;
/** Characters of each further message: enough to tell messages apart. Only the logged error has a stack. */
const MAX_MESSAGE = 200;

const SEVERITY = { info: 0, warn: 1, error: 2 } as const;
export type LogLevel = keyof typeof SEVERITY;

type Noted = { level: LogLevel; message: string; fields: Record<string, unknown> };

/**
 * The log entry of one request. However many fields of a response fail, it holds the first error of the highest level in
 * full, the number of errors, and the distinct messages of a few more.
 */
export class RequestLog {
  readonly requestId: string;
  #caller: Caller | null = null;
  #positions: string | null = null;
  #gravest: Noted | null = null;
  #count = 0;
  readonly #messages = new Set<string>();

  constructor(requestId: string) {
    this.requestId = requestId;
  }

  /** Records the caller. */
  noteCaller(caller: Caller): void {
    this.#caller = caller;
  }

  /** Records what the answer tells of the positions of its tenants. */
  notePositions(positions: string): void {
    this.#positions = positions;
  }

  /** The positions that the answer tells; null if it read no tenant. */
  get positions(): string | null {
    return this.#positions;
  }

  /** Records an error. Refusals that tell the caller everything are not logged. */
  noteError(error: unknown): void {
    const noted = notedOf(error);
    if (!noted) return;
    this.#count += 1;
    if (this.#messages.size <= MAX_OTHERS) {
      this.#messages.add(loggedMessage(noted.fields.err ?? error).slice(0, MAX_MESSAGE));
    }
    if (!this.#gravest || SEVERITY[noted.level] > SEVERITY[this.#gravest.level]) this.#gravest = noted;
  }

  /** The log line: its level, message and fields, without the fields of the HTTP request. */
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
        ...(this.#positions !== null && { positions: this.#positions }),
        ...fields,
        ...(this.#count > 1 && { errorCount: this.#count }),
        ...(this.#count > 1 && others.length > 0 && { otherErrors: others }),
      },
    };
  }
}

/** The log line of an error; null for refusals, which are ordinary responses. */
function notedOf(error: unknown): Noted | null {
  if (!isDirectoryError(error))
    return { level: 'error', message: 'unexpected error', fields: { err: error } };
  const { code, message, cause } = error;
  if (code === 'UNAVAILABLE') return { level: 'warn', message, fields: { err: cause ?? error } };
  // A missing token is not worth a log line; a refused token may be.
  if ((code === 'UNAUTHENTICATED' || code === 'FORBIDDEN') && cause)
    return { level: 'warn', message, fields: { token: cause } };
  return null;
}

/** The caller's subject, and its tenant or partner if it is limited to one. */
function callerFields(caller: Caller): Record<string, string> {
  const { subject } = caller;
  if (caller.role === 'USER') return { subject, tenantId: caller.tenantId };
  const { visibility } = caller;
  if (visibility.kind === 'tenant') return { subject, tenantId: visibility.tenantId };
  if (visibility.kind === 'partner') return { subject, partnerId: visibility.partnerId };
  return { subject };
}
