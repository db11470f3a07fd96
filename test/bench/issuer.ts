// An identity provider for the benchmark: it signs one token and serves its key, so that Coterie runs as in production.
import { createServer } from 'node:http';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { freePort } from './postgresql.ts';

export type Issuer = { environment: Record<string, string>; token: string; stop(): void };

/** RS256, the algorithm that most providers sign with. */
const ALGORITHM = 'RS256';

/** A provider whose token administers the tenant. */
export async function startIssuer(tenantId: string): Promise<Issuer> {
  const { publicKey, privateKey } = await generateKeyPair(ALGORITHM);
  const jwks = JSON.stringify({
    keys: [{ ...(await exportJWK(publicKey)), kid: 'bench', alg: ALGORITHM, use: 'sig' }],
  });
  const port = await freePort();
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(jwks);
  }).listen(port, '127.0.0.1');
  const issuer = `http://127.0.0.1:${port}`;
  const token = await new SignJWT({ role: 'tenant_admin', tenant_id: tenantId })
    .setProtectedHeader({ alg: ALGORITHM, kid: 'bench', typ: 'JWT' })
    .setSubject('usr_bench')
    .setIssuer(issuer)
    .setAudience('coterie')
    .setIssuedAt()
    .setExpirationTime('12h')
    .sign(privateKey);
  return {
    environment: { AUTH_ISSUER: issuer, AUTH_AUDIENCE: 'coterie', AUTH_JWKS_URL: `${issuer}/jwks` },
    token,
    stop: () => server.close(),
  };
}
