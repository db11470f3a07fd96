// A logger that remembers what it was told.
import { createLogger } from '../../src/http/logger.ts';

/** A logger, and its lines so far, as they would be read from the log. */
export function recorder() {
  // biome-ignore lint/suspicious/noExplicitAny: lines of a log, looked into.
  const lines: any[] = [];
  const write = (line: string) => lines.push(JSON.parse(line));
  return { logger: createLogger({ level: 'trace', base: null }, { write }), lines };
}
