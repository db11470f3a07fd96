// Creates the server's logger and decides how errors are serialized.
import pino from 'pino';
import { loggedError } from '../model/logged-error.ts';

/** Logs to `destination`, by default standard output. */
export const createLogger = (
  options: pino.LoggerOptions,
  destination?: pino.DestinationStream,
): pino.Logger =>
  pino({ ...options, serializers: { err: (error: unknown) => loggedError(error) } }, destination);
