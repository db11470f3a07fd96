// Tokens against a real JWKS endpoint: which are taken, and for whom; and every way not to be.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWTHeaderParameters, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Authenticate, authenticateIssued } from '../../src/auth/caller.ts';
import { isDirectoryError } from '../../src/model/errors.ts';

const ISSUER = 'https://id.example.com/tenants/tnt_A';
const AUDIENCE = 'coterie';
type Keys = Awaited<ReturnType<typeof generateKeyPair>>;

let server: Server;
let jwksUrl: string;
let keys: Keys;
let authenticate: Authenticate;

beforeAll(async () => {
  keys = await generateKeyPair('RS256');
  const jwk = { ...(await exportJWK(keys.publicKey)), kid: 'one', alg: 'RS256' };
  server = createServer((_request, response) => response.end(JSON.stringify({ keys: [jwk] })));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  jwksUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
  authenticate = authenticateIssued({
    issuers: ['https://id.example.com/tenants/*'],
    audiences: [AUDIENCE],
    jwksUrl,
  });
});
afterAll(() => void server.close());

type Options = {
  issuer?: string;
  audience?: string;
  expires?: number | string;
  key?: Keys['privateKey'];
  header?: Partial<JWTHeaderParameters>;
};

async function token(claims: Record<string, unknown>, options: Options = {}): Promise<string> {
  const {
    issuer = ISSUER,
    audience = AUDIENCE,
    expires = '5m',
    key = keys.privateKey,
    header = {},
  } = options;
  const jwt = new SignJWT({ sub: 'usr_A', tenant_id: 'tnt_A', ...claims })
    .setProtectedHeader({ alg: 'RS256', kid: 'one', ...header })
    .setIssuer(issuer)
    .setAudience(audience)
    .setExpirationTime(expires);
  return `Bearer ${await jwt.sign(key)}`;
}

const refusal = (authorization: string | null, by = authenticate) =>
  by(authorization).then(
    () => 'taken',
    (error) => (isDirectoryError(error) ? error.code : error),
  );

describe('callers', () => {
  test.each([
    [{}, { role: 'USER', userId: 'usr_A', tenantId: 'tnt_A' }],
    [
      { role: 'tenant_admin' },
      { role: 'TENANT_ADMIN', sight: { kind: 'tenant', tenantId: 'tnt_A' }, mayChange: true },
    ],
    [
      { role: 'partner_admin', partner_id: 'prt_A' },
      { role: 'PARTNER_ADMIN', sight: { kind: 'partner', partnerId: 'prt_A' } },
    ],
    [{ role: 'super_admin' }, { role: 'SUPER_ADMIN', sight: { kind: 'all' }, mayChange: true }],
    [
      { sub: 'app', scope: 'groups:read' },
      { role: 'SERVICE', mayChange: false },
    ],
    [
      { sub: 'app', scope: 'openid groups:write' },
      { role: 'SERVICE', mayChange: true },
    ],
    [
      { sub: 'app', platform_token: true, scope: 'admin:read' },
      { role: 'PLATFORM', sight: { kind: 'all' }, mayChange: false },
    ],
    [
      { sub: 'app', platform_token: true, scope: 'admin:write' },
      { role: 'PLATFORM', mayChange: true },
    ],
    [{ act: { sub: 'helper', act: { sub: 'agent' } } }, { actors: ['helper', 'agent'] }],
  ])('%j', async (claims, caller) => {
    expect(await authenticate(await token(claims))).toMatchObject(caller);
  });
});

describe('refusals', () => {
  test('no token, another scheme, no JWT', async () => {
    for (const header of [null, 'Basic abc', 'Bearer', 'Bearer a.b.c'])
      expect(await refusal(header)).toBe('UNAUTHENTICATED');
  });

  test.each([
    ['an expired token', {}, { expires: Math.floor(Date.now() / 1_000) - 120 }],
    ['another audience', {}, { audience: 'other' }],
    ['another issuer', {}, { issuer: 'https://evil.example.com/tenants/tnt_A' }],
    ['an issuer that only starts like ours', {}, { issuer: `${ISSUER}/more` }],
    ["an issuer of another tenant than the claim's", { tenant_id: 'tnt_B' }, {}],
    ['an unknown role', { role: 'owner' }, {}],
    ['a partner_admin without partner', { role: 'partner_admin' }, {}],
    ['no tenant', { tenant_id: undefined }, {}],
    ['an unknown key id', {}, { header: { kid: 'two' } }],
    ['more than 8 KiB', { padding: 'x'.repeat(9_000) }, {}],
  ])('%s', async (_name, claims, options) => {
    expect(await refusal(await token(claims, options as Options))).toBe('UNAUTHENTICATED');
  });

  test('a token signed by a key that it brings along', async () => {
    const forger = await generateKeyPair('RS256', { extractable: true });
    const jwk = await exportJWK(forger.publicKey);
    for (const header of [{ jwk }, { jku: jwksUrl }, { x5u: jwksUrl }]) {
      expect(await refusal(await token({}, { key: forger.privateKey, header }))).toBe('UNAUTHENTICATED');
    }
  });

  test('algorithms other than RS256 and ES256', async () => {
    const secret = new TextEncoder().encode('a secret of at least thirty-two bytes');
    const symmetric = await new SignJWT({ sub: 'usr_A', tenant_id: 'tnt_A' })
      .setProtectedHeader({ alg: 'HS256', kid: 'one' })
      .setIssuer(ISSUER)
      .setAudience(AUDIENCE)
      .setExpirationTime('5m')
      .sign(secret);
    expect(await refusal(`Bearer ${symmetric}`)).toBe('UNAUTHENTICATED');
    const [header, payload] = [
      '{"alg":"none"}',
      JSON.stringify({ iss: ISSUER, aud: AUDIENCE, sub: 'usr_A', exp: 9_999_999_999 }),
    ].map((part) => Buffer.from(part).toString('base64url'));
    expect(await refusal(`Bearer ${header}.${payload}.`)).toBe('UNAUTHENTICATED');
  });

  test('machines without a scope are FORBIDDEN', async () => {
    expect(await refusal(await token({ sub: 'app' }))).toBe('FORBIDDEN');
    await expect(
      authenticate(await token({ sub: 'app', platform_token: true, scope: 'groups:read' })),
    ).rejects.toThrow('Platform token requires admin:read or admin:write scope');
  });

  test('keys out of reach on a cold start are UNAVAILABLE, not the bearer’s fault', async () => {
    const cold = authenticateIssued({
      issuers: [ISSUER],
      audiences: [AUDIENCE],
      jwksUrl: 'http://127.0.0.1:9/jwks',
    });
    expect(await refusal(await token({}), cold)).toBe('UNAVAILABLE');
  });
});

test('a token that held is refused once it has expired', async () => {
  const authorization = await token({}, { expires: '30s' });
  await authenticate(authorization);
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 50_000 });
  try {
    expect(await refusal(authorization), 'within the skew of clocks').toBe('taken');
    vi.setSystemTime(Date.now() + 45_000);
    expect(await refusal(authorization)).toBe('UNAUTHENTICATED');
  } finally {
    vi.useRealTimers();
  }
});
