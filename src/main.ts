// Starts and stops the server: configuration, database, demo directory, listening, draining.

import pino from 'pino';
import { type App, createApp } from './app.ts';
import { type Config, readConfig } from './config.ts';
import { type Database, Prisma } from './database/database.ts';
import { openDatabase } from './database/open.ts';
import { demoCallers, seedDemo } from './demo/demo.ts';
import { createLogger } from './http/logger.ts';
import { listen } from './http/server.ts';
import { isComplete, printReport } from './import/report.ts';

/** Maximum wait of a stop for open requests, in ms: longer than the default timeout of an operation. */
const DRAIN = 12_000;

async function start(): Promise<void> {
  const config = readConfig();
  const logger = config.production
    ? productionLogger(config.logLevel)
    : createLogger({ level: quiet(config.logLevel) });
  // An unhandled rejection belongs to one request and must not end the others.
  process.on('unhandledRejection', (error) => logger.error({ err: error }, 'unhandled rejection'));
  const database = await openDatabase({
    url: config.databaseUrl,
    readUrl: config.databaseReadUrl,
    dataDir: config.dataDir,
    poolSize: config.poolSize,
    namedStatements: config.namedStatements,
    timeouts: config.timeouts.database,
    warn: (message) => logger.warn(message),
  });
  if (config.seedDemo && (await isEmpty(database))) {
    process.stdout.write('Loading the demo directory …\n');
    const report = await seedDemo(database);
    if (!isComplete(report)) printReport(report);
  }
  const app = await createApp({ config, database, logger });
  const server = await listen(app.listener, {
    host: config.host,
    port: config.port,
    timeouts: config.timeouts,
    corsOrigins: config.corsOrigins,
  });
  process.stdout.write(await welcome(server.url, app, config));

  const stop = async (signal: string) => {
    logger.info({ signal }, 'stopping');
    // Requests that outlast the drain are aborted: the process must exit before its supervisor kills it.
    setTimeout(() => process.exit(1), DRAIN).unref();
    await server.stop();
    await database.close();
    process.exit(0);
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

/** Log lines are written in blocks of this many bytes: one write per request is a large part of a small request's cost. */
const LOG_BLOCK = 4_096;
/** Maximum delay of a log line, in ms: short enough to follow the log live. */
const LOG_DELAY = 500;

function productionLogger(level: Config['logLevel']): pino.Logger {
  const destination = pino.destination({ sync: false, minLength: LOG_BLOCK });
  setInterval(() => destination.flush(), LOG_DELAY).unref();
  process.on('exit', () => destination.flushSync());
  return createLogger({ level }, destination);
}

/** Raises the default level in development, where a line per request is noise. */
const quiet = (level: Config['logLevel']) => (level === 'info' ? 'warn' : level);

async function isEmpty(database: Database): Promise<boolean> {
  const tenants = await database.sql(Prisma.sql`select id from tenants limit 1`);
  return tenants.length === 0;
}

async function welcome(url: string, { signToken }: App, { production }: Config): Promise<string> {
  if (!signToken) return `Coterie answers at ${url}/graphql\n`;
  const tokens = await Promise.all(
    demoCallers().map(async ({ role, claims }) => `  ${role.padEnd(14)} ${await signToken(claims)}`),
  );
  return [
    '',
    `Coterie answers at ${url}/graphql — open it in a browser for GraphiQL.`,
    `REST answers below ${url}/api/v1; its reference is at ${url}/docs.`,
    production ? '' : 'Tokens of the demo directory, valid for 12 hours:',
    ...tokens,
    '',
    'A query to try:',
    `  curl -s ${url}/graphql -H 'content-type: application/json' \\`,
    '    -H "authorization: Bearer $(npm run -s token -- --role super_admin)" \\',
    `    -d '{"query":"{ groups(first: 3) { totalCount edges { node { name effectiveMemberCount } } } }"}'`,
    '',
    '',
  ].join('\n');
}

try {
  await start();
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}
