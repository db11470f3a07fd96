// The id of a request: taken from its sender or made here, given back, and written into logs and masked errors.
import { randomUUID } from 'node:crypto';

export const REQUEST_ID_HEADER = 'x-request-id';

/** Ids from outside end in logs, so only harmless characters and a sensible length are taken over. */
const ACCEPTABLE = /^[\w.:-]{1,128}$/;

export function requestIdOf(request: Request): string {
  const given = request.headers.get(REQUEST_ID_HEADER);
  return given !== null && ACCEPTABLE.test(given) ? given : randomUUID();
}
