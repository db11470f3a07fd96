// Tokens against a real JWKS endpoint: which are taken, and for whom; and every way not to be.
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
  type JWTHeaderParameters,
  type JWTPayload,
  SignJWT,
  UnsecuredJWT,
} from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { authenticateIssued, type Issuer } from '../../src/auth/caller.ts';
import type { Authenticate } from '../../src/model/caller.ts';
import { isDirectoryError } from '../../src/model/errors.ts';

const TENANT_ISSUER = 'https://id.example.com/tenants/tnt_A';
const ISSUER = 'https://id.example.com/platform';
const AUDIENCE = 'coterie';
type Key = { alg: string; kid: string; privateKey: CryptoKey; publicJwk: JWK };

async function newKey(alg: string, kid: string): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  // The set does not say what its keys are for, so that only the server's own rule can refuse an algorithm.
  return { alg, kid, privateKey, publicJwk: { ...(await exportJWK(publicKey)), kid } };
}

/** The same key for another algorithm: new ones of RSA take long to make. */
async function keyFor(alg: string): Promise<Key> {
  if (!/^[RP]S/.test(alg)) return newKey(alg, 'other');
  const privateJwk = { ...(await exportJWK(rsa.privateKey)), kid: 'other' };
  const { n, e } = privateJwk;
  const privateKey = (await importJWK(privateJwk, alg)) as CryptoKey;
  return { alg, kid: 'other', privateKey, publicJwk: { kty: 'RSA', n: n!, e: e!, kid: 'other' } };
}

let rsa: Key;
let ec: Key;
beforeAll(async () => {
  [rsa, ec] = await Promise.all([newKey('RS256', 'rsa'), newKey('ES256', 'ec')]);
});

/** An identity provider's endpoint: what it publishes can change, and its requests are counted. */
type Provider = {
  url: string;
  keys: Key[];
  requests: number;
  answer: RequestListener | null;
  server: Server;
};

async function startProvider(): Promise<Provider> {
  const server = createServer((request, response) => {
    provider.requests += 1;
    if (provider.answer) return provider.answer(request, response);
    response.end(JSON.stringify({ keys: provider.keys.map(({ publicJwk }) => publicJwk) }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
  const provider: Provider = { url, keys: [rsa, ec], requests: 0, answer: null, server };
  return provider;
}

let provider: Provider;
let authenticate: Authenticate;
beforeAll(async () => {
  provider = await startProvider();
});
afterAll(() => {
  provider.server.closeAllConnections();
  provider.server.close();
});
beforeEach(() => {
  Object.assign(provider, { keys: [rsa, ec], requests: 0, answer: null });
  authenticate = trusting();
});
afterEach(() => void vi.useRealTimers());

/** An authenticator of its own, which has cached nothing yet. */
const trusting = (issuer: Partial<Issuer> = {}) => issued(issuer).authenticate;
const issued = (issuer: Partial<Issuer> = {}, onRefresh: (error: unknown) => void = () => {}) =>
  authenticateIssued(
    {
      issuers: ['https://id.example.com/tenants/*', ISSUER],
      audiences: [AUDIENCE],
      jwksUrl: provider.url,
      ...issuer,
    },
    onRefresh,
  );

const inSeconds = (seconds: number) => Math.floor(Date.now() / 1_000) + seconds;

type Options = { key?: Key; header?: Partial<JWTHeaderParameters> };

/** A token of a tenant's administrator; a claim that is undefined is left out. */
async function token(claims: JWTPayload = {}, { key = ec, header = {} }: Options = {}): Promise<string> {
  const payload = {
    iss: ISSUER,
    aud: AUDIENCE,
    sub: 'usr_A',
    role: 'tenant_admin',
    tenant_id: 'tnt_A',
    exp: inSeconds(300),
    ...claims,
  };
  const jwt = new SignJWT(JSON.parse(JSON.stringify(payload)));
  return `Bearer ${await jwt.setProtectedHeader({ alg: key.alg, kid: key.kid, ...header }).sign(key.privateKey)}`;
}

const ADMIN = {
  expiresAt: expect.any(Number),
  role: 'TENANT_ADMIN',
  subject: 'usr_A',
  visibility: { kind: 'tenant', tenantId: 'tnt_A' },
  mayChange: true,
};

/** The code with which it is refused. */
const refusal = (authorization: string | null, by = authenticate) =>
  by(authorization).then(
    () => 'accepted',
    (error) => (isDirectoryError(error) ? error.code : error),
  );
const message = (authorization: string | null, by = authenticate) =>
  by(authorization).then(
    () => 'accepted',
    (error: Error) => error.message,
  );

describe('the header', () => {
  test.each([
    ['as usual', (jwt: string) => `Bearer ${jwt}`],
    ['in lower case', (jwt: string) => `bearer ${jwt}`],
    ['in upper case', (jwt: string) => `BEARER ${jwt}`],
    ['with more space', (jwt: string) => ` Bearer   ${jwt}  `],
  ])('%s is read', async (_how, header) => {
    const [, jwt] = (await token()).split(' ');
    expect(await authenticate(header(jwt!))).toEqual(ADMIN);
  });

  test.each([
    ['of another scheme', (jwt: string) => `Basic ${jwt}`],
    ['without a scheme', (jwt: string) => jwt],
    ['without a space', (jwt: string) => `Bearer${jwt}`],
    ['with something before', (jwt: string) => `x Bearer ${jwt}`],
    ['with something behind', (jwt: string) => `Bearer ${jwt} x`],
    ['with a list', (jwt: string) => `Bearer ${jwt}, Bearer ${jwt}`],
    ['with quotes', (jwt: string) => `Bearer "${jwt}"`],
    ['without a token', () => 'Bearer'],
    ['that is empty', () => ''],
  ])('%s is no bearer token', async (_how, header) => {
    const [, jwt] = (await token()).split(' ');
    expect(await refusal(header(jwt!))).toBe('UNAUTHENTICATED');
    expect(await message(header(jwt!))).toMatch(/not a bearer token/);
    expect(provider.requests).toBe(0);
  });

  test('is required', async () => {
    expect(await refusal(null)).toBe('UNAUTHENTICATED');
    expect(await message(null)).toMatch(/required/);
  });

  test('has room for a token of 8 KiB, and for none longer', async () => {
    // Base64 has no texts of some lengths: the header and the claims together reach each.
    const bytes = (text: string) => Math.ceil((text.length * 4) / 3);
    const ofLength = async (length: number): Promise<string> => {
      for (const pad of ['', 'x', 'xx']) {
        const [head, claims] = (await token({ padding: '' }, { header: { pad } }))
          .split(' ')[1]!
          .split('.')
          .map((part) => Buffer.from(part, 'base64url').toString());
        for (let size = 5_700; size < 6_000; size += 1) {
          const text = `${claims}${'x'.repeat(size)}`;
          // Two dots, and 64 bytes of signature.
          if (bytes(head!) + bytes(text) + 2 + 86 !== length) continue;
          return token({ padding: 'x'.repeat(size) }, { header: { pad } });
        }
      }
      throw new Error(`no token has ${length} bytes`);
    };
    const [longest, longer] = [await ofLength(8_192), await ofLength(8_193)];
    expect([longest, longer].map((text) => text.length - 'Bearer '.length)).toEqual([8_192, 8_193]);
    expect(await authenticate(longest)).toEqual(ADMIN);
    expect(await refusal(longer)).toBe('UNAUTHENTICATED');
    expect(await message(longer)).toMatch(/longer than 8192 bytes/);
  });
});

describe('algorithms', () => {
  test.each(['RS256', 'ES256'])('%s is accepted', async (alg) => {
    const key = alg === 'RS256' ? rsa : ec;
    expect(await authenticate(await token({}, { key }))).toEqual(ADMIN);
  });

  test.each(['RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES384', 'ES512', 'EdDSA'])(
    '%s is refused, though the set has its key',
    async (alg) => {
      const key = await keyFor(alg);
      provider.keys = [rsa, ec, key];
      expect(await refusal(await token({}, { key }))).toBe('UNAUTHENTICATED');
    },
  );

  test('HS256 is refused, also with a public key as the secret', async () => {
    for (const secret of ['a secret of at least thirty-two bytes', JSON.stringify(rsa.publicJwk)]) {
      const jwt = new SignJWT({ iss: ISSUER, aud: AUDIENCE, sub: 'usr_A', role: 'super_admin' })
        .setProtectedHeader({ alg: 'HS256', kid: 'rsa' })
        .setExpirationTime('5m');
      expect(await refusal(`Bearer ${await jwt.sign(new TextEncoder().encode(secret))}`)).toBe(
        'UNAUTHENTICATED',
      );
    }
  });

  test('none is refused', async () => {
    const jwt = new UnsecuredJWT({ iss: ISSUER, aud: AUDIENCE, sub: 'usr_A', role: 'super_admin' });
    const unsigned = jwt.setExpirationTime('5m').encode();
    for (const text of [unsigned, `${unsigned}AAAA`])
      expect(await refusal(`Bearer ${text}`)).toBe('UNAUTHENTICATED');
  });
});

describe('signatures', () => {
  test('of another key under the same id are refused', async () => {
    const forger = await newKey('ES256', 'ec');
    expect(await refusal(await token({}, { key: forger }))).toBe('UNAUTHENTICATED');
  });

  test('of a key that the token brings along are refused', async () => {
    const forger = await newKey('ES256', 'forged');
    for (const header of [{ jwk: forger.publicJwk }, { jku: provider.url }, { x5u: provider.url }])
      expect(await refusal(await token({}, { key: forger, header }))).toBe('UNAUTHENTICATED');
  });

  test('over other claims are refused', async () => {
    const [head, , signature] = (await token()).split('.');
    const [, claims] = (await token({ role: 'super_admin' })).split('.');
    expect(await refusal([head, claims, signature].join('.'))).toBe('UNAUTHENTICATED');
  });
});

describe('claims', () => {
  test.each(['iss', 'aud', 'exp', 'sub'])('a token without %s is refused', async (claim) => {
    expect(await refusal(await token({ [claim]: undefined }))).toBe('UNAUTHENTICATED');
  });

  test.each<[string, JWTPayload]>([
    ['another audience', { aud: 'other' }],
    ['other audiences', { aud: ['other', 'another'] }],
    ['an audience that only starts like ours', { aud: `${AUDIENCE}-other` }],
    ['no audience', { aud: [] }],
    ['an expiry that is no number', { exp: '9999999999' as never }],
  ])('%s is refused', async (_name, claims) => {
    expect(await refusal(await token(claims))).toBe('UNAUTHENTICATED');
  });

  test('each of several audiences is ours', async () => {
    const by = trusting({ audiences: ['first', 'second'] });
    for (const aud of ['first', 'second', ['other', 'second']])
      expect(await refusal(await token({ aud }), by)).toBe('accepted');
    expect(await refusal(await token({ aud: 'third' }), by)).toBe('UNAUTHENTICATED');
  });

  test('what they say of the caller is checked once they are verified', async () => {
    expect(await refusal(await token({ role: 'owner' }))).toBe('UNAUTHENTICATED');
    expect(await refusal(await token({ sub: 'app', role: undefined }))).toBe('FORBIDDEN');
    const user = await token({ role: undefined, act: { sub: 'helper' } });
    expect(await authenticate(user)).toEqual({
      role: 'USER',
      subject: 'usr_A',
      userId: 'usr_A',
      tenantId: 'tnt_A',
      expiresAt: expect.any(Number),
    });
  });

  test('a caller knows when its token expires, with the skew of clocks that is tolerated', async () => {
    const exp = Math.floor(Date.now() / 1_000) + 100;
    expect(await authenticate(await token({ exp }))).toMatchObject({ expiresAt: (exp + 60) * 1_000 });
    // Also from the cache of tokens.
    expect(await authenticate(await token({ exp }))).toMatchObject({ expiresAt: (exp + 60) * 1_000 });
  });
});

describe('the type', () => {
  test.each([undefined, 'JWT', 'jwt', 'at+jwt', 'AT+JWT', 'application/at+jwt', 'application/jwt'])(
    '%s is accepted',
    async (typ) => {
      expect(await refusal(await token({}, { header: { typ } as never }))).toBe('accepted');
    },
  );

  test.each([
    'logout+jwt',
    'dpop+jwt',
    'secevent+jwt',
    'id+jwt',
    'JWE',
    '',
    'at+jwt ',
    'xjwt',
    'text/jwt',
    ['JWT'],
    7,
  ])('%j is refused', async (typ) => {
    expect(await refusal(await token({}, { header: { typ } as never }))).toBe('UNAUTHENTICATED');
  });
});

describe('issuers', () => {
  test.each([
    ['another host', 'https://evil.example.com/platform'],
    ['a host that the dot would stand for', 'https://idXexample.com/platform'],
    ['a longer one', `${ISSUER}/more`],
    ['a shorter one', ISSUER.slice(0, -1)],
    ['one with something before', `x${ISSUER}`],
    ['one with a line behind', `${ISSUER}\n`],
    ['a tenant of two segments', `${TENANT_ISSUER}/more`],
    ['no tenant', 'https://id.example.com/tenants/'],
    ['a tenant with other characters', 'https://id.example.com/tenants/tnt_A.'],
    ['the pattern itself', 'https://id.example.com/tenants/*'],
    ['an empty one', ''],
  ])('%s is refused', async (_name, iss) => {
    expect(await refusal(await token({ iss }))).toBe('UNAUTHENTICATED');
    expect(await message(await token({ iss }))).toMatch(/issuer/);
  });

  test.each<[string, unknown]>([
    ['a list', [ISSUER]],
    ['a list of two', ['https://evil.example.com', ISSUER]],
    ['an object', { iss: ISSUER }],
    ['an object without a text', { toString: 1, valueOf: 1 }],
    ['a number', 7],
    ['null', null],
    ['true', true],
  ])('%s is no issuer', async (_name, iss) => {
    expect(await refusal(await token({ iss } as never))).toBe('UNAUTHENTICATED');
  });

  test('one that stands for a tenant sees no more than it, whatever its tokens claim', async () => {
    const claims = { iss: TENANT_ISSUER, role: 'super_admin', tenant_id: undefined };
    expect(await authenticate(await token(claims))).toEqual(ADMIN);
    // Also where it is trusted by itself beside the pattern, in whichever order.
    const both = [TENANT_ISSUER, 'https://id.example.com/tenants/*'];
    for (const issuers of [both, both.toReversed()])
      expect(await trusting({ issuers })(await token(claims))).toEqual(ADMIN);
    expect(await trusting({ issuers: [TENANT_ISSUER] })(await token(claims))).toMatchObject({
      visibility: { kind: 'all' },
    });
  });

  test('the star stands for the tenant, which the claim must not contradict', async () => {
    expect(await authenticate(await token({ iss: TENANT_ISSUER }))).toEqual(ADMIN);
    const other = await token({ iss: 'https://id.example.com/tenants/tnt_B' });
    expect(await refusal(other)).toBe('UNAUTHENTICATED');
    expect(await message(other)).toMatch(/tenant_id/);
    const odd = { iss: 'https://id.example.com/tenants/tnt_a-B_9', tenant_id: 'tnt_a-B_9' };
    expect(await authenticate(await token(odd))).toMatchObject({ visibility: { tenantId: 'tnt_a-B_9' } });
  });

  test('an issuer without a star says nothing of the tenant', async () => {
    const other = { ...ADMIN, visibility: { kind: 'tenant', tenantId: 'tnt_B' } };
    expect(await authenticate(await token({ tenant_id: 'tnt_B' }))).toEqual(other);
  });

  test.each([...'.+?^$', ...'{}()|[]\\/'])('%s in an issuer is nothing but itself', async (character) => {
    const iss = `https://id.example.com/a${character}b/platform`;
    const by = trusting({ issuers: [iss, `${iss}/*`] });
    expect(await refusal(await token({ iss }), by)).toBe('accepted');
    expect(await refusal(await token({ iss: `${iss}/tnt_A` }), by)).toBe('accepted');
    for (const instead of ['', 'X', 'ab', `${character}${character}`])
      expect(await refusal(await token({ iss: `https://id.example.com/a${instead}b/platform` }), by)).toBe(
        'UNAUTHENTICATED',
      );
  });
});

/** The clock stands at a whole second, and moves when it is told to. */
function stopClock() {
  const start = Math.floor(Date.now() / 1_000) * 1_000;
  vi.useFakeTimers({ toFake: ['Date'], now: start });
  return (milliseconds: number) => vi.setSystemTime(start + milliseconds);
}

describe('clocks may differ by 60 s', () => {
  test('after the end of a token', async () => {
    const setClock = stopClock();
    const authorization = await token({ exp: inSeconds(-59) });
    expect(await refusal(authorization)).toBe('accepted');
    setClock(999);
    expect(await refusal(authorization), 'cached').toBe('accepted');
    setClock(1_000);
    expect(await refusal(authorization)).toBe('UNAUTHENTICATED');
    expect(await message(authorization)).toMatch(/expired/);
    expect(await message(await token({ exp: inSeconds(-60) })), 'never seen').toMatch(/expired/);
  });

  test('before its beginning', async () => {
    stopClock();
    expect(await refusal(await token({ nbf: inSeconds(60) }))).toBe('accepted');
    expect(await refusal(await token({ nbf: inSeconds(61) }))).toBe('UNAUTHENTICATED');
  });
});

describe('the keys', () => {
  test('are fetched once, however many tokens they verify', async () => {
    for (const claims of [{}, { sub: 'usr_B' }, { sub: 'usr_C' }]) await authenticate(await token(claims));
    expect(provider.requests).toBe(1);
  });

  test('are asked for again for an unknown id, once in 30 s', async () => {
    const setClock = stopClock();
    await authenticate(await token());
    const late = await newKey('ES256', 'late');
    const authorization = await token({}, { key: late });
    provider.keys = [rsa, ec, late];
    setClock(29_999);
    expect(await refusal(authorization)).toBe('UNAUTHENTICATED');
    expect(provider.requests).toBe(1);
    setClock(30_000);
    expect(await authenticate(authorization)).toEqual(ADMIN);
    expect(provider.requests).toBe(2);
  });

  test('a withdrawn one is not honoured for longer than a minute', async () => {
    const setClock = stopClock();
    await authenticate(await token());
    provider.keys = [rsa];
    setClock(60_000);
    expect(await refusal(await token())).toBe('UNAUTHENTICATED');
    expect(await refusal(await token({}, { key: rsa }))).toBe('accepted');
  });

  const unreachable: [string, RequestListener][] = [
    ['an error', (_request, response) => void response.writeHead(500).end('{"keys":[]}')],
    ['no longer there', (_request, response) => void response.writeHead(404).end('{"keys":[]}')],
    ['moved', (_request, response) => void response.writeHead(302, { location: '/' }).end()],
    ['no JSON', (_request, response) => void response.end('<html>')],
    ['no set of keys', (_request, response) => void response.end('{"keys":7}')],
    ['cut off', (request) => void request.socket.destroy()],
  ];
  test.each(unreachable)('that are %s are UNAVAILABLE, not the fault of a token', async (_what, answer) => {
    provider.answer = answer;
    const authorization = await token();
    const error = await authenticate(authorization).catch((error: Error) => error);
    expect(error).toMatchObject({ code: 'UNAVAILABLE', cause: expect.any(Error) });
    provider.answer = null;
    expect(await authenticate(authorization), 'as soon as they can be had').toEqual(ADMIN);
  });

  test('that nobody serves are UNAVAILABLE', async () => {
    const by = trusting({ jwksUrl: 'http://127.0.0.1:9/jwks' });
    expect(await refusal(await token(), by)).toBe('UNAVAILABLE');
  });

  test('that do not come are UNAVAILABLE after 2 s', async () => {
    const limits: number[] = [];
    const original = AbortSignal.timeout;
    // Everything is as it is, but for the time that passes.
    const timeout = vi.spyOn(AbortSignal, 'timeout').mockImplementation((milliseconds) => {
      limits.push(milliseconds);
      return original.call(AbortSignal, 20);
    });
    try {
      provider.answer = () => {};
      expect(await refusal(await token())).toBe('UNAVAILABLE');
      expect(limits).toEqual([2_000]);
    } finally {
      timeout.mockRestore();
    }
  });

  test('that break off half read are UNAVAILABLE', async () => {
    provider.answer = (request, response) => {
      response.writeHead(200, { 'content-length': 100 }).write('{"keys":', () => request.socket.destroy());
    };
    expect(await refusal(await token())).toBe('UNAVAILABLE');
  });
});

describe('a verified token', () => {
  /** From now on a token that is verified again is refused: its key has been withdrawn, and that is known. */
  async function withdraw(key: Key): Promise<void> {
    const next = await newKey('ES256', 'next');
    provider.keys = [next];
    await authenticate(await token({ sub: 'usr_next' }, { key: next }));
    expect(await refusal(await token({ sub: 'usr_new' }, { key }))).toBe('UNAUTHENTICATED');
  }

  /** How many tokens are verified while `run` runs: a cached one is not. */
  async function verifications(run: () => Promise<unknown>): Promise<number> {
    const verify = vi.spyOn(crypto.subtle, 'verify');
    try {
      await run();
      return verify.mock.calls.length;
    } finally {
      verify.mockRestore();
    }
  }

  test('is not verified again until it expires, as long as the keys stay the same', async () => {
    const setClock = stopClock();
    const authorization = await token({ exp: inSeconds(100) });
    await authenticate(await token({ sub: 'usr_first' }));
    expect(await verifications(() => authenticate(authorization))).toBe(1);
    for (const seconds of [29, 59, 61, 90, 159]) {
      setClock(seconds * 1_000);
      // What the issuer publishes is read again in between, and is the same.
      await authenticate(await token({ sub: `usr_${seconds}` }));
      await expect.poll(() => provider.requests).toBeGreaterThan(seconds / 62);
      expect(await verifications(() => authenticate(authorization)), `${seconds}`).toBe(0);
    }
    setClock(160_000);
    expect(await message(authorization)).toMatch(/expired/);
    expect(await message(authorization), 'nor when asked once more').toMatch(/expired/);
  });

  test('is refused as soon as its key is known to be withdrawn', async () => {
    const setClock = stopClock();
    await authenticate(await token());
    const authorization = await token({ sub: 'usr_B' });
    await authenticate(authorization);
    setClock(30_000);
    await withdraw(ec);
    expect(await refusal(authorization)).toBe('UNAUTHENTICATED');
  });

  test('does not outlive the keys that verified it', async () => {
    const setClock = stopClock();
    await authenticate(await token());
    const authorization = await token({ sub: 'usr_B' });
    await authenticate(authorization);
    provider.answer = (_request, response) => void response.writeHead(500).end();
    setClock(59_999);
    expect(await refusal(authorization)).toBe('accepted');
    setClock(60_000);
    expect(await refusal(authorization)).toBe('UNAVAILABLE');
  });

  test('is one of those that 16 MB hold: what is unused for longest makes room', async () => {
    // Of the longest tokens some 650 fit.
    const padding = 'x'.repeat(5_700);
    await authenticate(await token({ sub: 'usr_first' }));
    const [first, second] = [await token({ padding }), await token()];
    await authenticate(first);
    await authenticate(second);
    const others = Array.from({ length: 700 }, (_, index) => token({ sub: `usr_${index}`, padding }));
    for (const [index, other] of others.entries()) {
      await authenticate(await other);
      if (index === 500) expect(await verifications(() => authenticate(second))).toBe(0);
    }
    expect(await verifications(() => authenticate(second))).toBe(0);
    expect(await verifications(() => authenticate(first))).toBe(1);
  });

  test('is a matter of its own: a refused one leaves nothing behind', async () => {
    const [good, bad] = [await token(), await token({ role: 'owner' })];
    for (let turn = 0; turn < 2; turn += 1) {
      expect(await refusal(bad)).toBe('UNAUTHENTICATED');
      expect(await refusal(good)).toBe('accepted');
    }
  });
});

describe('the log is told of a token that is refused', () => {
  /** What the refusal carries for the log, and that it has no part of the token in it. */
  async function told(authorization: string): Promise<unknown> {
    const error = await authenticate(authorization).catch((refused) => refused);
    expect(error).toMatchObject({ code: 'UNAUTHENTICATED' });
    const parts = authorization.replace(/^bearer +/i, '').split('.');
    for (const part of parts) {
      if (part.length > 8) expect(JSON.stringify(error.cause)).not.toContain(part);
    }
    return error.cause;
  }
  const OF_TOKEN = { issuer: ISSUER, audience: AUDIENCE, keyId: 'ec', algorithm: 'ES256' };

  test.each<[string, JWTPayload, Options, object]>([
    ['audience', { aud: 'another' }, {}, { audience: 'another', reason: expect.stringContaining('"aud"') }],
    ['audiences', { aud: ['a', 'b'] }, {}, { audience: '["a","b"]' }],
    ['issuer', { iss: 'https://evil.example' }, {}, { issuer: 'https://evil.example' }],
    ['expiry', { exp: 1_000 }, {}, { expires: 1_000, reason: expect.stringContaining('"exp"') }],
    ['key', {}, { header: { kid: 'unknown' } }, { keyId: 'unknown', reason: expect.stringContaining('key') }],
    ['type', {}, { header: { typ: 'logout+jwt' } }, { reason: expect.stringContaining('"typ"') }],
    ['role', { role: 'king' }, {}, { reason: expect.stringContaining('king') }],
    ['length of a claim', { aud: 'x'.repeat(1_000) }, {}, { audience: 'x'.repeat(200) }],
  ])('which %s it has', async (_what, claims, options, more) => {
    const expires = expect.any(Number);
    expect(await told(await token(claims, options))).toMatchObject({ ...OF_TOKEN, expires, ...more });
  });

  test('why it cannot be read', async () => {
    expect(await told('Bearer nonsense-that-is-long')).toEqual({ reason: expect.any(String) });
    expect(await told('Bearer "quoted-and-long"')).toEqual({ reason: 'malformed' });
    expect(await told(`Bearer ${'x'.repeat(9_000)}`)).toEqual({
      reason: expect.stringContaining('longer than 8192'),
    });
  });

  test('and of one that holds, but lets its bearer do nothing', async () => {
    const header = await token({ role: undefined, sub: 'client' });
    const error = await authenticate(header).catch((refused) => refused);
    expect(error).toMatchObject({ code: 'FORBIDDEN', cause: { ...OF_TOKEN, reason: error.message } });
  });

  test('but not of one that was not sent', async () => {
    for (const header of [null, 'Basic abc', 'Bearer']) {
      const error = await authenticate(header).catch((refused) => refused);
      expect([error.code, error.cause]).toEqual(['UNAUTHENTICATED', undefined]);
    }
  });
});

describe('the keys are at hand', () => {
  const state = ({ assertKeys }: ReturnType<typeof issued>) =>
    assertKeys().then(
      () => 'ready',
      (error) => (isDirectoryError(error, 'UNAVAILABLE') ? 'out of reach' : error),
    );

  test('as soon as they were had, and are then not asked for', async () => {
    const idp = issued();
    expect(await state(idp)).toBe('ready');
    expect(await state(idp)).toBe('ready');
    await idp.authenticate(await token());
    expect(provider.requests).toBe(1);
  });

  const FAILING: RequestListener = (_request, response) => void response.writeHead(500).end();

  test('not while they cannot be had, which is not tried at each question, and again when they can', async () => {
    const setClock = stopClock();
    const idp = issued();
    provider.answer = FAILING;
    for (let asked = 0; asked < 5; asked += 1) expect(await state(idp)).toBe('out of reach');
    expect(provider.requests).toBe(1);
    provider.answer = null;
    setClock(1_000);
    expect(await state(idp)).toBe('ready');
  });

  test('as long as they are valid, whatever becomes of a refresh, and not when they have expired', async () => {
    const setClock = stopClock();
    const told: unknown[] = [];
    const idp = issued({}, (error) => told.push(error));
    expect(await state(idp)).toBe('ready');
    setClock(29_999);
    expect(await state(idp)).toBe('ready');
    expect(provider.requests, 'not before half of their age').toBe(1);
    provider.answer = FAILING;
    for (const [at, second] of [30, 31, 45, 59].entries()) {
      setClock(second * 1_000);
      expect(await state(idp), `${second}`).toBe('ready');
      await expect.poll(() => [provider.requests, told.length]).toEqual([at + 2, 1]);
    }
    setClock(60_000);
    expect(await state(idp)).toBe('out of reach');
    expect(told, 'once, not with each failure').toEqual([expect.any(Error)]);
    provider.answer = null;
    setClock(61_000);
    expect(await state(idp)).toBe('ready');
    expect(told).toEqual([expect.any(Error), null]);
  });

  test('and are refreshed in the background, while tokens are verified by those that are held', async () => {
    const setClock = stopClock();
    await authenticate(await token());
    const waiting: (() => void)[] = [];
    provider.answer = (_request, response) =>
      void waiting.push(() =>
        response.end(JSON.stringify({ keys: [ec, rsa].map(({ publicJwk }) => publicJwk) })),
      );
    setClock(30_000);
    for (let asked = 0; asked < 3; asked += 1) expect(await authenticate(await token())).toEqual(ADMIN);
    await expect.poll(() => waiting.length).toBe(1);
    waiting[0]!();
    provider.answer = null;
    setClock(59_999);
    await expect.poll(async () => [await refusal(await token()), provider.requests]).toEqual(['accepted', 2]);
  });
});
