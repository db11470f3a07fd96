// Starts PgBouncer in transaction mode in front of the server of this test run.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './embedded-postgres.ts';

/** What `pgbouncer --version` prints first, as `PgBouncer 1.18.0`; null if it is not installed. */
export const PGBOUNCER =
  spawnSync('pgbouncer', ['--version'], { encoding: 'utf8' }).stdout?.split('\n')[0] || null;

/** Fewer connections to the server than clients, so that statements of one client run on different connections. */
const SERVER_CONNECTIONS = 4;

/** `parameters` are added to the database's line; every startup parameter that PgBouncer may refuse is ignored. */
export async function startPgBouncer(serverUrl: string, parameters = '') {
  const folder = await mkdtemp(join(tmpdir(), 'coterie-pgbouncer-'));
  const server = new URL(serverUrl);
  const port = await freePort();
  const file = join(folder, 'pgbouncer.ini');
  await writeFile(
    file,
    `[databases]
* = host=${server.hostname} port=${server.port} user=${server.username} password=${server.password} ${parameters}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = ${SERVER_CONNECTIONS}
ignore_startup_parameters = options,statement_timeout,lock_timeout
`,
  );
  // It does not run as root, and must read the file as another user.
  await chmod(folder, 0o755);
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const child = spawn('pgbouncer', ['-q', ...user, file], { stdio: 'ignore' });
  const closed = once(child, 'close');
  while (child.exitCode === null && !(await answers(port))) await sleep(20);
  const { pathname } = new URL(`${serverUrl}/`);
  return {
    url: `postgresql://${server.username}@127.0.0.1:${port}${pathname.replace(/\/$/, '')}`,
    async stop() {
      child.kill('SIGTERM');
      await closed;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
