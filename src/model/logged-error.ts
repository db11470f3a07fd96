// Serializes errors for logs: what failed and where, without the data involved.

/** Further fields that are logged. Others, such as pg's `detail`, may contain rows and parameters. */
const FIELDS = ['code', 'severity', 'schema', 'table', 'column', 'constraint'];

/** Maximum depth of logged causes: a chain of causes may be circular. */
const MAX_CAUSES = 8;

export type LoggedError = { type: string; message: string; [field: string]: unknown };

/** The serialized error for the `err` field of log lines. */
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
    // AggregateError: for example a connection that failed on each address of a host.
    ...(Array.isArray(errors) && depth < MAX_CAUSES && { errors: errors.map(deeper) }),
  };
}

/** SQLSTATEs of class 22 (data exceptions): their messages quote values. Messages of other classes quote schema names. */
const DATA_EXCEPTION = /^22...$/;

/** The error's message, with a quoted value masked. */
export function loggedMessage(error: unknown): string {
  if (!(error instanceof Error)) return typeof error === 'string' ? error : `a thrown ${typeof error}`;
  return quotesValue(error) ? error.message.replace(/".*"/s, '"…"') : error.message;
}

/** Whether the message may quote a value: the error or one of its causes is a data exception or a JSON syntax error. */
function quotesValue(error: Error): boolean {
  for (let inner: unknown = error, depth = 0; inner instanceof Error && depth < MAX_CAUSES; depth += 1) {
    const { code } = inner as { code?: unknown };
    if (inner instanceof SyntaxError || (typeof code === 'string' && DATA_EXCEPTION.test(code))) return true;
    inner = inner.cause;
  }
  return false;
}

/** The stack's frames, without the message that precedes them. */
function framesOf({ stack = '', message }: Error): string {
  const after = stack.indexOf(message) + message.length;
  const frames = stack.slice(stack.includes(message) ? after : 0);
  return /\n {4}at .*/s.exec(frames)?.[0] ?? '';
}
