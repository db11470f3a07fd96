// The key of a server without an issuer: one for a folder, its owner's alone; and which of its tokens are accepted.
import { mkdtemp, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeJwt, decodeProtectedHeader, importJWK, SignJWT } from 'jose';
import { expect, test } from 'vitest';
import { authenticateDevelopment } from '../../src/auth/caller.ts';
import {
  DEVELOPMENT_ISSUER,
  type DevelopmentKey,
  developmentKey,
  signDevelopmentToken,
} from '../../src/auth/development-key.ts';

const newFolder = () => mkdtemp(join(tmpdir(), 'coterie-key-'));
const CLAIMS = { sub: 'usr_A', role: 'super_admin' };

test('a folder has one key, whoever asks for it first, in a file of its owner alone', async () => {
  // Two levels that are not there yet.
  const folder = join(await newFolder(), 'a', 'b');
  const keys = await Promise.all([developmentKey(folder), developmentKey(folder), developmentKey(folder)]);
  keys.push(await developmentKey(folder));
  for (const key of keys) expect(key).toEqual(keys[0]);
  const path = join(folder, 'development-key.json');
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(JSON.parse(await readFile(path, 'utf8'))).toEqual(keys[0]!.privateJwk);
  expect((await developmentKey(await newFolder())).publicJwk).not.toEqual(keys[0]!.publicJwk);
});

test('the public half holds no secret', async () => {
  const { privateJwk, publicJwk } = await developmentKey(await newFolder());
  expect(Object.keys(privateJwk).sort()).toEqual(['crv', 'd', 'kty', 'x', 'y']);
  const { kty, crv, x, y } = privateJwk;
  expect(publicJwk).toEqual({ kty, crv, x, y });
  expect([kty, crv]).toEqual(['EC', 'P-256']);
});

test('a folder that is a file is an error', async () => {
  const folder = join(await newFolder(), 'file');
  await writeFile(folder, '');
  await expect(developmentKey(folder)).rejects.toThrow(/EEXIST|ENOTDIR/);
});

test('a token has the claims, this issuer and audience, and holds for 12 hours', async () => {
  const key = await developmentKey(await newFolder());
  const token = await signDevelopmentToken(key, CLAIMS);
  expect(decodeProtectedHeader(token)).toEqual({ alg: 'ES256', typ: 'JWT' });
  const { iat, exp, ...claims } = decodeJwt(token);
  expect(claims).toEqual({ ...CLAIMS, iss: 'urn:coterie:development', aud: 'urn:coterie:development' });
  expect(Math.abs(iat! - Date.now() / 1_000)).toBeLessThan(30);
  expect(exp! - iat!).toBe(12 * 60 * 60);
  const brief = decodeJwt(await signDevelopmentToken(key, CLAIMS, '5m'));
  expect(brief.exp! - brief.iat!).toBe(5 * 60);
});

async function sign({ privateJwk }: DevelopmentKey, issuer: string, audience: string): Promise<string> {
  const jwt = new SignJWT(CLAIMS)
    .setProtectedHeader({ alg: 'ES256' })
    .setIssuer(issuer)
    .setAudience(audience)
    .setExpirationTime('5m');
  return `Bearer ${await jwt.sign(await importJWK(privateJwk, 'ES256'))}`;
}

test('a token is accepted by its key, its issuer and its audience alone', async () => {
  const [key, other] = await Promise.all([
    developmentKey(await newFolder()),
    developmentKey(await newFolder()),
  ]);
  const authenticate = authenticateDevelopment(key);
  const caller = {
    role: 'SUPER_ADMIN',
    subject: 'usr_A',
    visibility: { kind: 'all' },
    mayChange: true,
    expiresAt: expect.any(Number),
  };
  expect(await authenticate(`Bearer ${await signDevelopmentToken(key, CLAIMS)}`)).toEqual(caller);
  expect(await authenticate(await sign(key, DEVELOPMENT_ISSUER, DEVELOPMENT_ISSUER))).toEqual(caller);
  for (const token of [
    await sign(key, 'urn:coterie:production', DEVELOPMENT_ISSUER),
    await sign(key, DEVELOPMENT_ISSUER, 'coterie'),
    await sign(other, DEVELOPMENT_ISSUER, DEVELOPMENT_ISSUER),
  ])
    await expect(authenticate(token)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
});
