// A logger that remembers what it was told.
import pino from 'pino';

/** A logger, and its lines so far, as they would be read from the log. */
export function recorder() {
  // biome-ignore lint/suspicious/noExplicitAny: lines of a log, looked into.
  const lines: any[] = [];
  const write = (line: string) => lines.push(JSON.parse(line));
  return { logger: pino({ level: 'trace', base: null }, { write }), lines };
}
