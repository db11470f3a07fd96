// The `WWW-Authenticate` challenge that tells a client why its bearer token was refused (RFC 6750).
import type { DirectoryError } from './errors.ts';

const REALM = 'Bearer realm="coterie"';

/**
 * The challenge for a refusal (RFC 6750, section 3.1). It names an error only if a token was sent. Null if the refusal is
 * not about the token.
 */
export function bearerChallenge({ code, cause }: DirectoryError): string | null {
  if (code === 'UNAUTHENTICATED') return cause ? `${REALM}, error="invalid_token"` : REALM;
  return code === 'FORBIDDEN' && cause ? `${REALM}, error="insufficient_scope"` : null;
}
