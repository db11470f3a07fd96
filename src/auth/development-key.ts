// The key with which a server without an issuer signs its own tokens. It is never used in production.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from 'jose';

/** Issuer and audience of self-signed tokens. Not a URL, so that no client looks for keys there. */
export const DEVELOPMENT_ISSUER = 'urn:coterie:development';

const ALGORITHM = 'ES256';
const KEY_FILE = 'development-key.json';

export type DevelopmentKey = { privateJwk: JWK; publicJwk: JWK };

/** The key in the data folder, created on first use and readable only by its owner. */
export async function developmentKey(dataDir: string): Promise<DevelopmentKey> {
  const path = join(dataDir, KEY_FILE);
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const { privateKey } = await generateKeyPair(ALGORITHM, { extractable: true });
  const newKey = JSON.stringify(await exportJWK(privateKey));
  // `wx` fails if the file exists, so two processes that start at once both use the first one's key.
  await writeFile(path, newKey, { flag: 'wx', mode: 0o600 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  const privateJwk = JSON.parse(await readFile(path, 'utf8')) as JWK;
  const { d: _secret, ...publicJwk } = privateJwk;
  return { privateJwk, publicJwk };
}

/** A token with these claims, signed by the development key, valid for `expiresIn` (e.g. `12h`). */
export async function signDevelopmentToken(
  { privateJwk }: DevelopmentKey,
  claims: Record<string, unknown>,
  expiresIn = '12h',
): Promise<string> {
  return new SignJWT(claims)
    .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT' })
    .setIssuer(DEVELOPMENT_ISSUER)
    .setAudience(DEVELOPMENT_ISSUER)
    .setIssuedAt()
    .setExpirationTime(expiresIn)
    .sign(await importJWK(privateJwk, ALGORITHM));
}
