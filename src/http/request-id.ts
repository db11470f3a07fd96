// Request ids: taken from the client or generated, returned in a header, and written to logs and masked errors.
import { randomUUID } from 'node:crypto';

export const REQUEST_ID_HEADER = 'x-request-id';

/** Client-supplied ids are logged, so only harmless characters and a bounded length are accepted. */
const ACCEPTABLE = /^[\w.:-]{1,128}$/;

export function requestIdOf(request: Request): string {
  return requestIdFrom(request.headers.get(REQUEST_ID_HEADER));
}

/** The header's value if it is acceptable, otherwise a new id. */
export function requestIdFrom(given: string | string[] | null | undefined): string {
  return typeof given === 'string' && ACCEPTABLE.test(given) ? given : randomUUID();
}
