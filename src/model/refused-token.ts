// A bearer token that is refused: what its sender is told to do (RFC 6750), and what only the log is told.
import type { DirectoryError } from './errors.ts';

/** Why a token was refused, and what it says of itself that helps to find out. Never the token or a part of it. */
export type RefusedToken = {
  reason: string;
  issuer?: unknown;
  audience?: unknown;
  keyId?: unknown;
  algorithm?: unknown;
  expires?: unknown;
};

const REALM = 'Bearer realm="coterie"';

/**
 * The `WWW-Authenticate` of a refusal (RFC 6750, section 3.1): without a token there is no error to name. Null where the
 * token is not what it is about.
 */
export function bearerChallenge({ code, cause }: DirectoryError): string | null {
  if (code === 'UNAUTHENTICATED') return cause ? `${REALM}, error="invalid_token"` : REALM;
  return code === 'FORBIDDEN' && cause ? `${REALM}, error="insufficient_scope"` : null;
}
