// An error as logs may hold it: what went wrong and where, and none of the data that it went wrong with.

/** Logged fields, beside type, message, stack and causes. Others, such as pg's `detail`, may hold rows and parameters. */
const FIELDS = ['code', 'severity', 'schema', 'table', 'column', 'constraint'];

/** Causes of causes that are logged. */
const MAX_CAUSES = 8;

export type LoggedError = { type: string; message: string; [field: string]: unknown };

/** For the `err` of all log lines. */
export function loggedError(error: unknown, depth = 0): LoggedError {
  const message = loggedMessage(error);
  if (!(error instanceof Error)) return { type: typeof error, message };
  const { cause, errors } = error as { cause?: unknown; errors?: unknown };
  const deeper = (inner: unknown) => loggedError(inner, depth + 1);
  const fields = error as unknown as Record<string, unknown>;
  return {
    type: error.constructor.name,
    message,
    ...Object.fromEntries(
      FIELDS.filter((name) => typeof fields[name] === 'string').map((name) => [name, fields[name]]),
    ),
    stack: `${error.name}: ${message}${framesOf(error)}`,
    ...(cause !== undefined && depth < MAX_CAUSES && { cause: deeper(cause) }),
    // Of a connection that failed on each address of a host.
    ...(Array.isArray(errors) && depth < MAX_CAUSES && { errors: errors.map(deeper) }),
  };
}

/** SQLSTATEs of class 22, data exceptions: their messages quote the value. All others quote names of the schema. */
const DATA_EXCEPTION = /^22...$/;

/** The message of an error, with a value that it quotes masked. */
export function loggedMessage(error: unknown): string {
  if (!(error instanceof Error)) return typeof error === 'string' ? error : `a thrown ${typeof error}`;
  return quotesValue(error) ? error.message.replace(/".*"/s, '"…"') : error.message;
}

/** Whether the error, or a cause that its message may repeat, is about a value: of a statement, or of a JSON text. */
function quotesValue(error: Error): boolean {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < MAX_CAUSES; depth += 1) {
    const { code } = at as { code?: unknown };
    if (at instanceof SyntaxError || (typeof code === 'string' && DATA_EXCEPTION.test(code))) return true;
    at = at.cause;
  }
  return false;
}

/** The lines of the stack below its message, which they repeat. */
function framesOf({ stack = '', message }: Error): string {
  const after = stack.indexOf(message) + message.length;
  const frames = stack.slice(stack.includes(message) ? after : 0);
  return /\n {4}at .*/s.exec(frames)?.[0] ?? '';
}
