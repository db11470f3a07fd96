// Reads the configuration from the environment. No other file reads it. All invalid variables are reported at once.
import { z } from 'zod';

const flag = z.enum(['true', 'false']).transform((text) => text === 'true');
const count = (fallback: number) => z.coerce.number().int().min(1).default(fallback);
const list = z.string().transform((text) =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean),
);

/** Exact origins as browsers send them, or `*`. */
const origins = list.refine(
  (parts) => (parts.length === 1 && parts[0] === '*') || parts.every(isOrigin),
  'must be origins such as https://app.example.com, separated by commas, or * alone',
);

/** AuthZEN's metadata names the server by an https URL. It has no path: the server's own links begin at the root. */
const publicUrl = z
  .string()
  .refine(
    (text) => text.startsWith('https:') && isOrigin(text),
    'must be an https origin such as https://directory.example.com',
  );

/** node-postgres reads no list of hosts. */
const ONE_HOST = [
  'must name one host: to follow a failover, put a proxy (PgBouncer, HAProxy)',
  'or a DNS name that leads to the primary in front of the servers',
].join(' ');

/** A URL of a server. A message never quotes it, because it holds a password. */
const server = z
  .string()
  .regex(/^postgres(ql)?:\/\//, { error: 'must start with postgresql://', abort: true })
  .refine(hasOneHost, { error: ONE_HOST, abort: true })
  // As node-postgres reads it: the host may be empty after a user, for a socket that `?host=` names.
  .refine(
    (text) => URL.canParse(text.replace('@/', '@localhost/')),
    'must be a URL such as postgresql://user:password@host:5432/database; special characters of the password are percent-encoded',
  );

function hasOneHost(text: string): boolean {
  const [, authority = '', query = ''] = /^[^:]+:\/\/([^/?#]*)[^?]*\??(.*)$/.exec(text) ?? [];
  const hosts = authority.slice(authority.lastIndexOf('@') + 1);
  return !hosts.includes(',') && !new URLSearchParams(query).get('host')?.includes(',');
}

function isOrigin(text: string): boolean {
  return /^https?:[^*]+$/.test(text) && URL.canParse(text) && new URL(text).origin === text;
}

const environment = z.object({
  NODE_ENV: z.string().default('development'),
  HOST: z.string().default('127.0.0.1'),
  PORT: z.coerce.number().int().min(0).max(65_535).default(4000),
  PUBLIC_URL: publicUrl.optional(),
  DATABASE_URL: server.optional(),
  DATABASE_READ_URL: server.optional(),
  DATABASE_POOL: count(10),
  DATABASE_STATEMENTS: z.enum(['named', 'unnamed']).default('named'),
  DATA_DIR: z.string().min(1).default('.data'),
  AUTH_ISSUER: list.optional(),
  AUTH_AUDIENCE: list.optional(),
  AUTH_JWKS_URL: z.url('must be the URL of a JWKS').optional(),
  CORS_ORIGINS: origins.default([]),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  SEED_DEMO: flag.optional(),
  TRUSTED_DOCUMENTS: z.string().optional(),
  LIMIT_BODY_BYTES: count(256 * 1_024),
  LIMIT_REST_BODY_BYTES: count(1_024 * 1_024),
  LIMIT_TOKENS: count(1_000),
  LIMIT_BRACKETS: count(60),
  LIMIT_DEPTH: count(12),
  LIMIT_ALIASES: count(30),
  LIMIT_DIRECTIVES: count(5),
  LIMIT_COST: count(10_000),
  LIMIT_STREAMS: count(2_000),
  LIMIT_STREAMS_PER_CALLER: count(20),
  TIMEOUT_OPERATION_MS: count(10_000),
  TIMEOUT_REQUEST_MS: count(15_000),
  TIMEOUT_RECEIVER_MS: count(30_000),
  TIMEOUT_HEADERS_MS: count(10_000),
  TIMEOUT_STATEMENT_MS: count(5_000),
  TIMEOUT_LOCK_MS: count(2_000),
  TIMEOUT_QUERY_MS: count(6_000),
  TIMEOUT_CONNECT_MS: count(2_000),
});

/** Loopback addresses. A server that signs its own tokens may listen on no other address. */
const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);

export type Config = ReturnType<typeof readConfig>;

/** Parses the variables. Throws one error that lists every invalid variable. */
export function readConfig(variables: NodeJS.ProcessEnv = process.env) {
  // An empty variable counts as unset, because compose files pass unset variables as empty.
  const given = Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== ''));
  const { data: env, error } = environment.safeParse(given);
  if (!env) throw misconfigured(error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`));
  const production = env.NODE_ENV === 'production';
  const problems: string[] = [];
  for (const issuer of env.AUTH_ISSUER ?? []) {
    if (issuer.split('*').length > 2)
      problems.push(`AUTH_ISSUER: ${issuer} may contain only one *, for the tenant`);
  }
  if (env.AUTH_ISSUER) {
    if (!env.AUTH_AUDIENCE) problems.push('AUTH_AUDIENCE: required together with AUTH_ISSUER');
    if (!env.AUTH_JWKS_URL) problems.push('AUTH_JWKS_URL: required together with AUTH_ISSUER');
  } else if (production) {
    problems.push('AUTH_ISSUER: required in production, where the server must not sign its own tokens');
  } else if (!LOOPBACK.has(env.HOST)) {
    problems.push('HOST: must be a loopback address unless AUTH_ISSUER is set');
  }
  if (env.DATABASE_READ_URL && !env.DATABASE_URL)
    problems.push('DATABASE_READ_URL: requires DATABASE_URL, the primary of this standby');
  if (problems.length > 0) throw misconfigured(problems);
  return {
    production,
    host: env.HOST,
    port: env.PORT,
    /** Where clients reach the server; null if it is not told. */
    publicUrl: env.PUBLIC_URL ?? null,
    databaseUrl: env.DATABASE_URL,
    /** A standby of the server for reads; undefined without one. */
    databaseReadUrl: env.DATABASE_READ_URL,
    /** Whether statements on the server are prepared under names. */
    namedStatements: env.DATABASE_STATEMENTS === 'named',
    poolSize: env.DATABASE_POOL,
    dataDir: env.DATA_DIR,
    logLevel: env.LOG_LEVEL,
    seedDemo: env.SEED_DEMO ?? !production,
    /** Null if the server signs its own tokens, with the key in `dataDir`. */
    issuer: env.AUTH_ISSUER
      ? { issuers: env.AUTH_ISSUER, audiences: env.AUTH_AUDIENCE!, jwksUrl: env.AUTH_JWKS_URL! }
      : null,
    /** File of the only operations that are executed; null if all are. */
    trustedDocuments: env.TRUSTED_DOCUMENTS ?? null,
    /** Origins that may read responses: exact origins, or `*` alone for any; none by default. */
    corsOrigins: env.CORS_ORIGINS,
    limits: {
      bodyBytes: env.LIMIT_BODY_BYTES,
      restBodyBytes: env.LIMIT_REST_BODY_BYTES,
      tokens: env.LIMIT_TOKENS,
      brackets: env.LIMIT_BRACKETS,
      depth: env.LIMIT_DEPTH,
      aliases: env.LIMIT_ALIASES,
      directives: env.LIMIT_DIRECTIVES,
      cost: env.LIMIT_COST,
      operationMs: env.TIMEOUT_OPERATION_MS,
      streams: env.LIMIT_STREAMS,
      streamsPerCaller: env.LIMIT_STREAMS_PER_CALLER,
      drainMs: env.TIMEOUT_RECEIVER_MS,
    },
    timeouts: {
      request: env.TIMEOUT_REQUEST_MS,
      headers: env.TIMEOUT_HEADERS_MS,
      database: {
        connect: env.TIMEOUT_CONNECT_MS,
        statement: env.TIMEOUT_STATEMENT_MS,
        lock: env.TIMEOUT_LOCK_MS,
        query: env.TIMEOUT_QUERY_MS,
      },
    },
  };
}

function misconfigured(problems: string[]): Error {
  return new Error(`The configuration is invalid:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
}
