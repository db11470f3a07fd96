// The configuration: what each variable gives, its bounds, and how everything that is wrong is told at once.
import { afterEach, describe, expect, test, vi } from 'vitest';
import { readConfig } from '../src/config.ts';

const ISSUER = {
  AUTH_ISSUER: 'https://id.example.com',
  AUTH_AUDIENCE: 'coterie',
  AUTH_JWKS_URL: 'https://id.example.com/jwks',
};

const DEFAULTS = {
  production: false,
  host: '127.0.0.1',
  port: 4000,
  publicUrl: null,
  databaseUrl: undefined,
  databaseReadUrl: undefined,
  namedStatements: true,
  poolSize: 10,
  dataDir: '.data',
  logLevel: 'info',
  seedDemo: true,
  issuer: null,
  trustedDocuments: null,
  corsOrigins: [],
  limits: {
    bodyBytes: 262_144,
    restBodyBytes: 1_048_576,
    tokens: 1_000,
    brackets: 60,
    depth: 12,
    aliases: 30,
    directives: 5,
    cost: 10_000,
    streams: 2_000,
    streamsPerCaller: 20,
    drainMs: 30_000,
    operationMs: 10_000,
  },
  timeouts: {
    request: 15_000,
    headers: 10_000,
    database: { connect: 2_000, statement: 5_000, lock: 2_000, query: 6_000 },
  },
};

/** Each line of the message after its first, which says what it is about. */
function faultsOf(variables: NodeJS.ProcessEnv): string[] {
  try {
    readConfig(variables);
  } catch (error) {
    const [first, ...faults] = (error as Error).message.split('\n');
    expect(first).toMatch(/^The configuration .*:$/);
    for (const fault of faults) expect(fault).toMatch(/^ {2}[A-Z_]+: \S/);
    return faults.map((fault) => fault.slice(2));
  }
  return [];
}
const namesOf = (variables: NodeJS.ProcessEnv) => faultsOf(variables).map((fault) => fault.split(':')[0]);

test('without variables everything has its default', () => {
  expect(readConfig({})).toEqual(DEFAULTS);
});

test('an empty variable is one that was not set', () => {
  const names = [
    'NODE_ENV HOST PORT PUBLIC_URL DATABASE_URL DATABASE_POOL DATA_DIR AUTH_ISSUER AUTH_AUDIENCE AUTH_JWKS_URL LOG_LEVEL',
    'CORS_ORIGINS SEED_DEMO TRUSTED_DOCUMENTS LIMIT_COST TIMEOUT_LOCK_MS',
  ].flatMap((line) => line.split(' '));
  expect(readConfig(Object.fromEntries(names.map((name) => [name, ''])))).toEqual(DEFAULTS);
});

describe('the environment of the process', () => {
  afterEach(() => void vi.unstubAllEnvs());
  test('is what is read', () => {
    vi.stubEnv('LIMIT_COST', '77');
    expect(readConfig().limits.cost).toBe(77);
  });
});

/** What the configuration is with one of its parts changed. */
function changed(path: string, value: unknown): object {
  const config: Record<string, unknown> = structuredClone(DEFAULTS);
  const names = path.split('.');
  const last = names.pop()!;
  const parent = names.reduce((part, name) => part[name] as Record<string, unknown>, config);
  parent[last] = value;
  return config;
}

const COUNTS = [
  ['DATABASE_POOL', 'poolSize'],
  ['LIMIT_BODY_BYTES', 'limits.bodyBytes'],
  ['LIMIT_REST_BODY_BYTES', 'limits.restBodyBytes'],
  ['LIMIT_TOKENS', 'limits.tokens'],
  ['LIMIT_BRACKETS', 'limits.brackets'],
  ['LIMIT_DEPTH', 'limits.depth'],
  ['LIMIT_ALIASES', 'limits.aliases'],
  ['LIMIT_DIRECTIVES', 'limits.directives'],
  ['LIMIT_COST', 'limits.cost'],
  ['LIMIT_STREAMS', 'limits.streams'],
  ['LIMIT_STREAMS_PER_CALLER', 'limits.streamsPerCaller'],
  ['TIMEOUT_RECEIVER_MS', 'limits.drainMs'],
  ['TIMEOUT_OPERATION_MS', 'limits.operationMs'],
  ['TIMEOUT_REQUEST_MS', 'timeouts.request'],
  ['TIMEOUT_HEADERS_MS', 'timeouts.headers'],
  ['TIMEOUT_CONNECT_MS', 'timeouts.database.connect'],
  ['TIMEOUT_STATEMENT_MS', 'timeouts.database.statement'],
  ['TIMEOUT_LOCK_MS', 'timeouts.database.lock'],
  ['TIMEOUT_QUERY_MS', 'timeouts.database.query'],
] as const;

describe.each(COUNTS)('%s', (name, path) => {
  test.each(['1', '7919'])('may be %s', (text) => {
    expect(readConfig({ [name]: text })).toEqual(changed(path, Number(text)));
  });
  test.each(['0', '-1', '1.5', 'many', '10 ms', '1e400'])('may not be %s', (text) => {
    expect(namesOf({ [name]: text })).toEqual([name]);
  });
});

describe('each other variable', () => {
  test.each<[string, string, string, unknown]>([
    ['PORT', '0', 'port', 0],
    ['PORT', '65535', 'port', 65_535],
    ['HOST', '::1', 'host', '::1'],
    ['HOST', 'localhost', 'host', 'localhost'],
    ['PUBLIC_URL', 'https://a.example.com', 'publicUrl', 'https://a.example.com'],
    ['PUBLIC_URL', 'https://[::1]:8443', 'publicUrl', 'https://[::1]:8443'],
    ['DATABASE_URL', 'postgresql://u:p@host/db', 'databaseUrl', 'postgresql://u:p@host/db'],
    ['DATABASE_URL', 'postgres://host/db', 'databaseUrl', 'postgres://host/db'],
    ['DATABASE_URL', 'postgresql://u:a,b@[::1]:5432/db', 'databaseUrl', 'postgresql://u:a,b@[::1]:5432/db'],
    ['DATABASE_URL', 'postgresql://u@/db?host=/run', 'databaseUrl', 'postgresql://u@/db?host=/run'],
    ['DATABASE_STATEMENTS', 'named', 'namedStatements', true],
    ['DATABASE_STATEMENTS', 'unnamed', 'namedStatements', false],
    ['DATA_DIR', '/var/lib/coterie', 'dataDir', '/var/lib/coterie'],
    ['DATA_DIR', 'd', 'dataDir', 'd'],
    ['SEED_DEMO', 'true', 'seedDemo', true],
    ['SEED_DEMO', 'false', 'seedDemo', false],
    ['TRUSTED_DOCUMENTS', 'operations.json', 'trustedDocuments', 'operations.json'],
    ['CORS_ORIGINS', '*', 'corsOrigins', ['*']],
    [
      'CORS_ORIGINS',
      'https://a.example, http://localhost:3000,',
      'corsOrigins',
      ['https://a.example', 'http://localhost:3000'],
    ],
    ['CORS_ORIGINS', 'https://[::1]:8443', 'corsOrigins', ['https://[::1]:8443']],
    ['NODE_ENV', 'test', 'production', false],
    ['NODE_ENV', 'Production', 'production', false],
    ...['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'].map(
      (level): [string, string, string, unknown] => ['LOG_LEVEL', level, 'logLevel', level],
    ),
  ])('%s may be %s', (name, text, path, value) => {
    expect(readConfig({ [name]: text })).toEqual(changed(path, value));
  });

  test.each([
    ['PORT', '-1'],
    ['PORT', '65536'],
    ['PORT', '80.5'],
    ['PORT', 'http'],
    ['PUBLIC_URL', 'http://a.example.com'],
    ['PUBLIC_URL', 'a.example.com'],
    ['PUBLIC_URL', 'https://a.example.com/'],
    ['PUBLIC_URL', 'https://a.example.com/coterie'],
    ['PUBLIC_URL', 'https://a.example.com?x'],
    ['PUBLIC_URL', 'https://a.example.com#x'],
    ['PUBLIC_URL', 'https://u:p@a.example.com'],
    ['PUBLIC_URL', 'https://a.example.com:443'],
    ['PUBLIC_URL', 'https://A.example.com'],
    ['PUBLIC_URL', 'https://*.example.com'],
    ['LOG_LEVEL', 'loud'],
    ['LOG_LEVEL', 'INFO'],
    ['SEED_DEMO', 'yes'],
    ['SEED_DEMO', '1'],
    ['DATABASE_URL', 'mysql://host/db'],
    ['DATABASE_URL', 'host/db?to=postgres://'],
    ['DATABASE_URL', 'postgresql:host/db'],
    ['DATABASE_URL', 'postgresqll://host/db'],
    ['DATABASE_STATEMENTS', 'Named'],
    ['CORS_ORIGINS', 'a.example'],
    ['CORS_ORIGINS', 'https://a.example/'],
    ['CORS_ORIGINS', 'https://a.example/app'],
    ['CORS_ORIGINS', 'https://A.example'],
    ['CORS_ORIGINS', 'https://a.example:443'],
    ['CORS_ORIGINS', 'https://*.example'],
    ['CORS_ORIGINS', 'https://a.example,*'],
    ['CORS_ORIGINS', '*,*'],
    ['CORS_ORIGINS', 'null'],
    ['CORS_ORIGINS', 'ftp://a.example'],
    ['CORS_ORIGINS', 'https://u@a.example'],
    ['HOST', '0.0.0.0'],
    ['HOST', '::'],
    ['HOST', '127.0.0.1.example.com'],
    ['HOST', 'example.com'],
  ])('%s may not be %s', (name, text) => {
    expect(namesOf({ [name]: text })).toEqual([name]);
  });

  test.each([
    'postgresql://u:p@one:5432,two:5432/db',
    'postgresql://u:p@one,two/db',
    'postgresql://one,two',
    'postgresql:///db?application_name=a&host=one,two',
  ])('a URL with two hosts, %s, is refused with what to do instead', (url) => {
    const [fault, ...more] = faultsOf({ DATABASE_URL: url });
    expect(fault).toMatch(/^DATABASE_URL: must name one host.*PgBouncer.*DNS name/);
    expect(more).toEqual([]);
  });

  test('a URL that cannot be read is refused without its password', () => {
    const [fault] = faultsOf({ DATABASE_URL: 'postgresql://u:secret#@host:port/db' });
    expect(fault).toMatch(/^DATABASE_URL: must be a URL such as postgresql:.*percent-encoded/);
    expect(fault).not.toContain('secret');
  });

  test('a standby is one of a server', () => {
    const DATABASE_URL = 'postgresql://primary/db';
    const DATABASE_READ_URL = 'postgresql://standby/db';
    expect(readConfig({ DATABASE_URL, DATABASE_READ_URL })).toEqual({
      ...DEFAULTS,
      databaseUrl: DATABASE_URL,
      databaseReadUrl: DATABASE_READ_URL,
    });
    expect(faultsOf({ DATABASE_READ_URL })).toEqual([
      'DATABASE_READ_URL: requires DATABASE_URL, the primary of this standby',
    ]);
    expect(faultsOf({ DATABASE_URL, DATABASE_READ_URL: 'postgresql://one,two/db' })).toEqual([
      expect.stringMatching(/^DATABASE_READ_URL: must name one host/),
    ]);
  });

  test('AUTH_JWKS_URL must be a URL', () => {
    expect(faultsOf({ ...ISSUER, AUTH_JWKS_URL: 'keys' })).toEqual([
      'AUTH_JWKS_URL: must be the URL of a JWKS',
    ]);
  });
});

describe('with an issuer', () => {
  test('tokens are verified by its keys, and any address may be listened on', () => {
    expect(readConfig({ ...ISSUER, HOST: '0.0.0.0' })).toEqual({
      ...DEFAULTS,
      host: '0.0.0.0',
      issuer: {
        issuers: ['https://id.example.com'],
        audiences: ['coterie'],
        jwksUrl: 'https://id.example.com/jwks',
      },
    });
  });

  test('there may be several, and several audiences', () => {
    const { issuer } = readConfig({
      ...ISSUER,
      AUTH_ISSUER: ' https://a.example.com/tenants/* ,,https://b.example.com, ',
      AUTH_AUDIENCE: 'one,two',
    });
    expect(issuer).toEqual({
      issuers: ['https://a.example.com/tenants/*', 'https://b.example.com'],
      audiences: ['one', 'two'],
      jwksUrl: 'https://id.example.com/jwks',
    });
  });

  test('its audience and keys are required', () => {
    const { AUTH_ISSUER, AUTH_AUDIENCE, AUTH_JWKS_URL } = ISSUER;
    const [audience, jwks] = ['AUTH_AUDIENCE', 'AUTH_JWKS_URL'].map(
      (name) => `${name}: required together with AUTH_ISSUER`,
    );
    expect(faultsOf({ AUTH_ISSUER })).toEqual([audience, jwks]);
    expect(faultsOf({ AUTH_ISSUER, AUTH_JWKS_URL })).toEqual([audience]);
    expect(faultsOf({ AUTH_ISSUER, AUTH_AUDIENCE })).toEqual([jwks]);
  });

  test('has one place for the tenant in an issuer', () => {
    const AUTH_ISSUER = 'https://*.example.com/*,https://*.example.com';
    expect(faultsOf({ ...ISSUER, AUTH_ISSUER })).toEqual([
      'AUTH_ISSUER: https://*.example.com/* may contain only one *, for the tenant',
    ]);
  });

  test('it is AUTH_ISSUER that makes one', () => {
    const { AUTH_AUDIENCE, AUTH_JWKS_URL } = ISSUER;
    expect(readConfig({ AUTH_AUDIENCE, AUTH_JWKS_URL }).issuer).toBeNull();
  });
});

describe('in production', () => {
  const NODE_ENV = 'production';
  test('an issuer is required, wherever the server listens', () => {
    for (const HOST of ['127.0.0.1', '0.0.0.0']) {
      const [fault, ...others] = faultsOf({ NODE_ENV, HOST });
      expect(fault).toMatch(/^AUTH_ISSUER: required in production/);
      expect(others).toEqual([]);
    }
  });

  test('no demo directory is loaded unless it is asked for', () => {
    const config = readConfig({ NODE_ENV, ...ISSUER });
    expect(config).toEqual({ ...DEFAULTS, production: true, seedDemo: false, issuer: config.issuer });
    expect(config.issuer).not.toBeNull();
    expect(readConfig({ NODE_ENV, ...ISSUER, SEED_DEMO: 'true' }).seedDemo).toBe(true);
  });
});

test('every variable that is wrong is named at once, a line each', () => {
  const wrong = Object.fromEntries(COUNTS.map(([name]) => [name, '0']));
  const named = namesOf({
    ...wrong,
    PORT: '70000',
    DATABASE_URL: 'mysql://x',
    AUTH_JWKS_URL: 'keys',
    LOG_LEVEL: 'loud',
    SEED_DEMO: 'maybe',
  });
  expect(named.sort()).toEqual(
    [
      ...COUNTS.map(([name]) => name),
      'PORT',
      'DATABASE_URL',
      'AUTH_JWKS_URL',
      'LOG_LEVEL',
      'SEED_DEMO',
    ].sort(),
  );
});

test('a message says what a variable must be', () => {
  expect(faultsOf({ DATABASE_URL: 'mysql://x' })).toEqual(['DATABASE_URL: must start with postgresql://']);
  expect(faultsOf({ LOG_LEVEL: 'loud' })[0]).toContain('"silent"');
  expect(faultsOf({ PORT: '70000' })[0]).toContain('65535');
  expect(faultsOf({ LIMIT_COST: '0' })[0]).toContain('>=1');
  expect(faultsOf({ PUBLIC_URL: 'http://a' })).toEqual([
    'PUBLIC_URL: must be an https origin such as https://directory.example.com',
  ]);
  expect(faultsOf({ HOST: '0.0.0.0' })).toEqual([
    'HOST: must be a loopback address unless AUTH_ISSUER is set',
  ]);
});
