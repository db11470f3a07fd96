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

/** The `WWW-Authenticate` of a 401: without a token there is no error to name (RFC 6750, section 3.1). */
export const bearerChallenge = ({ cause }: DirectoryError): string =>
  cause === undefined ? 'Bearer realm="coterie"' : 'Bearer realm="coterie", error="invalid_token"';
