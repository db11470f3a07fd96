// `npm run token -- --role …`: prints a token signed by the development key, and nothing else, to stdout.
import { parseArgs } from 'node:util';
import { callerOf } from '../auth/claims.ts';
import { developmentKey, signDevelopmentToken } from '../auth/development-key.ts';
import { readConfig } from '../config.ts';

const USAGE = `Usage: npm run token -- --role super_admin|partner_admin|tenant_admin|service|user
         [--tenant ID] [--partner ID] [--sub ID] [--scope "groups:read groups:write"]`;

const ROLES = ['super_admin', 'partner_admin', 'tenant_admin', 'service', 'user'];

/** Builds a token's claims from the arguments. Throws an error that names a missing or invalid argument. */
export function claimsOf(args: string[]): Record<string, unknown> {
  const { values } = parseArgs({
    args,
    options: {
      role: { type: 'string' },
      tenant: { type: 'string' },
      partner: { type: 'string' },
      sub: { type: 'string' },
      scope: { type: 'string' },
    },
  });
  const { role, tenant, partner, sub, scope } = values;
  if (!role || !ROLES.includes(role)) throw new Error(`--role must be one of ${ROLES.join(', ')}`);
  if (role === 'user' && !sub) throw new Error('--role user needs --sub, the id of the user');
  const admin = role.endsWith('_admin');
  const claims = {
    sub: sub ?? (admin ? 'usr_Development00001' : 'client-development'),
    ...(admin && { role }),
    ...(tenant && { tenant_id: tenant }),
    ...(partner && { partner_id: partner }),
    ...((scope ?? role === 'service') && { scope: scope ?? 'groups:read groups:write' }),
  };
  // Refuse claims here that the server would refuse with a 401.
  callerOf(claims, null);
  return claims;
}

if (import.meta.main) {
  try {
    const { issuer, dataDir } = readConfig();
    if (issuer)
      throw new Error('AUTH_ISSUER is set: tokens come from there, and this server would refuse its own');
    const claims = claimsOf(process.argv.slice(2));
    process.stdout.write(`${await signDevelopmentToken(await developmentKey(dataDir), claims)}\n`);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${USAGE}\n`);
    process.exitCode = 1;
  }
}
