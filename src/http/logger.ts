// The logger of a server: the one place that decides how errors are written.
import pino from 'pino';
import { loggedError } from '../model/logged-error.ts';

/** Writes lines of this level and above, to standard output without a destination. */
export const createLogger = (
  options: pino.LoggerOptions,
  destination?: pino.DestinationStream,
): pino.Logger =>
  pino({ ...options, serializers: { err: (error: unknown) => loggedError(error) } }, destination);
