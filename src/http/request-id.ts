// The id of a request: taken from its sender or made here, given back, and written into logs and masked errors.
import { randomUUID } from 'node:crypto';

export const REQUEST_ID_HEADER = 'x-request-id';

/** Ids from outside end in logs, so only harmless characters and a sensible length are taken over. */
const ACCEPTABLE = /^[\w.:-]{1,128}$/;

export function requestIdOf(request: Request): string {
  return requestIdFrom(request.headers.get(REQUEST_ID_HEADER));
}

/** The header's value if it is acceptable, else a new id. */
export function requestIdFrom(given: string | string[] | null | undefined): string {
  return typeof given === 'string' && ACCEPTABLE.test(given) ? given : randomUUID();
}
