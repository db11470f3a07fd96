// What is done to sessions of PostgreSQL: killed, ended, frozen, held in the middle of a transaction.
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '../../src/database/client.ts';
import { beforeExit } from './cleanup.ts';
import { LIMIT, type Postgres, until } from './postgres-server.ts';

const SESSIONS = `from pg_stat_activity where datname = $1 and backend_type = 'client backend'`;

/** Kills a session of this database with SIGKILL, and waits for the crash recovery that follows. */
export async function killBackend(server: Postgres, database: string): Promise<void> {
  const witness = new Client(server.url('postgres'));
  await witness.connect();
  const ended = new Promise<void>((resolve) =>
    witness.once('end', () => resolve()).on('error', () => resolve()),
  );
  const { rows } = await witness.query(
    `select pid ${SESSIONS} order by state = 'active' desc, random() limit 1`,
    [database],
  );
  if (rows.length === 0) throw new Error('There is no session to kill');
  process.kill(rows[0].pid, 'SIGKILL');
  // The postmaster ends all other sessions, this one too.
  await Promise.race([ended, sleep(LIMIT).then(() => Promise.reject(new Error('No session ended')))]);
  await until('recovery after a crash', async () => (await server.sql('select 1')).length === 1);
}

/** Sends a signal to sessions; those that have ended meanwhile are left out. */
function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids)
    try {
      process.kill(pid, name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
}

/** Stops sessions while `action` is under way. */
async function whileStopped(pids: readonly number[], action: () => Promise<void>): Promise<void> {
  const forget = beforeExit(() => signal(pids, 'SIGCONT'));
  signal(pids, 'SIGSTOP');
  try {
    await action();
  } finally {
    signal(pids, 'SIGCONT');
    forget();
  }
}

/**
 * Stops the sessions that this database has now for so many ms, so that statements in them take longer than clients wait;
 * then ends them. What they had been sent by then, perhaps a COMMIT, they may still do.
 */
export async function freezeSessions(server: Postgres, database: string, ms: number): Promise<void> {
  const pids = (await server.sql<{ pid: number }>(`select pid ${SESSIONS}`, [database])).map(
    ({ pid }) => pid,
  );
  await whileStopped(pids, () => sleep(ms));
  await until('frozen sessions end', async () => {
    await server.sql('select pg_terminate_backend(pid) from unnest($1::int[]) pid', [pids]);
    return (await server.sql(`select 1 ${SESSIONS} and pid = any ($2)`, [database, pids])).length === 0;
  });
}

/** Does something while a transaction that has written is held open; others go on. It commits afterwards. */
export async function holdTransaction(
  server: Postgres,
  database: string,
  action: () => Promise<void>,
): Promise<void> {
  const writing = `select pid ${SESSIONS} and backend_xid is not null`;
  let held = false;
  await until('a transaction is open', async () => {
    const [session] = await server.sql<{ pid: number }>(`${writing} limit 1`, [database]);
    if (!session) return false;
    await whileStopped([session.pid], async () => {
      // It may have committed before it was stopped.
      held = (await server.sql(`${writing} and pid = $2`, [database, session.pid])).length === 1;
      if (held) await action();
    });
    return held;
  });
}

/** Ends the sessions of this database, and waits until none is left: what they were asked for is done or never will be. */
export async function endSessions(server: Postgres, database: string): Promise<void> {
  await until(`sessions of ${database} end`, async () => {
    await server.sql(`select pg_terminate_backend(pid) ${SESSIONS}`, [database]);
    return (await server.sql(`select 1 ${SESSIONS}`, [database])).length === 0;
  });
}
