// What is done to the server while writers go on, or while they wait: crashes, restarts, failovers, restored dumps.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeSome, mark, repeatHistory, trySome, warm, write, writeBlindly } from './phases.ts';
import {
  createPostgres,
  createStandby,
  cutOff,
  type Postgres,
  until,
  untilReceived,
  untilReplayed,
} from './postgres-server.ts';
import { endSessions, freezeSessions, holdTransaction, killBackend } from './sessions.ts';
import type { Tally } from './tally.ts';
import { audit, DATABASE, type World } from './world.ts';

/** Long enough for other tenants' changes, and shorter than changes of this one wait (`TIMEOUT_LOCK_MS`), in ms. */
const HELD = 400;
/** Longer than a gateway waits for a statement (`TIMEOUT_QUERY_MS`), in ms. */
const FROZEN = 8_000;

export type Disturbance = {
  name: string;
  /** How often it happens, over its share of the checks. */
  times: number;
  run(world: World, tally: Tally, checks: number, times: number): Promise<void>;
};

/** Something that loses nothing: writers go on, and everything acknowledged must still be there. */
const meanwhile = (name: string, times: number, action: (world: World) => Promise<void>): Disturbance => ({
  name,
  times,
  run: (world, tally, checks, repeats) =>
    write(world, tally, checks, async (progress) => {
      for (let at = 1; at <= repeats; at += 1) {
        await progress(at / (repeats + 1));
        await world.disturb(() => action(world));
        tally.times += 1;
      }
      await progress(1);
    }),
});

/** Something for which writers stop: before and after it they run for their share of the checks. */
const between = (
  name: string,
  times: number,
  action: (world: World, tally: Tally, checks: number) => Promise<void>,
): Disturbance => ({
  name,
  times,
  async run(world, tally, checks, repeats) {
    const share = Math.ceil(checks / (2 * repeats + 1));
    const end = tally.checks + checks;
    for (let at = 0; at < repeats; at += 1) {
      await write(world, tally, share);
      await action(world, tally, share);
      tally.times += 1;
    }
    await write(world, tally, Math.max(share, end - tally.checks));
  },
});

/** Puts another server in the place of the primary, which is gone. */
async function replace(world: World, next: Postgres): Promise<void> {
  const old = world.primary;
  world.primary = next;
  await old.destroy();
}

/** The primary fails, and this standby takes its place. */
export async function failOver(world: World, standby: Postgres): Promise<void> {
  world.proxy.cut();
  await replace(world, standby);
  await standby.promote();
  world.proxy.aim(standby.port);
}

/** Loses acknowledged changes that the standby never received, and makes as many others. */
async function loseSome(world: World, tally: Tally, standby: Postgres): Promise<void> {
  await untilReceived(world.primary, standby);
  const marked = mark(world);
  await cutOff(standby);
  await makeSome(world, tally);
  await warm(world, tally);
  await world.disturb(() => failOver(world, standby));
  discard(world, tally);
  await repeatHistory(world, tally, marked);
}

function discard({ writers }: World, tally: Tally): void {
  for (const { recent } of writers) tally.discarded += recent.length;
}

/** Readies a failover that loses nothing: nobody can connect, and the standby has received everything. */
export async function drain(world: World, standby: Postgres): Promise<void> {
  world.proxy.cut();
  await endSessions(world.primary, DATABASE);
  await untilReceived(world.primary, standby);
}

/** Dumps the database, goes on, and puts the dump in its place by `restore`. */
async function goBack(
  world: World,
  tally: Tally,
  checks: number,
  restore: (world: World, dump: string) => Promise<void>,
): Promise<void> {
  const dump = join(world.primary.folder, `dump-${tally.times}`);
  await world.primary.run('pg_dump', '-Fc', '-f', dump, DATABASE);
  const marked = mark(world);
  await write(world, tally, Math.ceil(checks / 4));
  await warm(world, tally);
  await world.disturb(() => restore(world, dump));
  discard(world, tally);
  await repeatHistory(world, tally, marked);
}

export const DISTURBANCES: readonly Disturbance[] = [
  meanwhile('nothing', 1, async () => {}),
  meanwhile('connections cut', 5, async ({ proxy, primary }) => {
    proxy.cut();
    // What the sessions were asked for last is done, or never will be, before fates are read.
    await endSessions(primary, DATABASE);
    proxy.aim(primary.port);
  }),
  meanwhile('sessions frozen', 2, ({ primary }) => freezeSessions(primary, DATABASE, FROZEN)),
  meanwhile('session killed (-9)', 5, ({ primary }) => killBackend(primary, DATABASE)),
  between('session killed after refused changes', 3, async (world, tally) => {
    const marked = mark(world);
    await trySome(world, tally);
    await warm(world, tally);
    await world.disturb(() => killBackend(world.primary, DATABASE));
    await repeatHistory(world, tally, marked);
  }),
  meanwhile('immediate restart', 3, ({ primary }) => primary.restart('immediate')),
  between('standby without the last changes', 3, async (world, tally) => {
    await loseSome(world, tally, await createStandby(world.primary));
  }),
  between('standby without the last changes, under load', 2, async (world, tally) => {
    const standby = await createStandby(world.primary);
    await write(world, tally, 50);
    await untilReceived(world.primary, standby);
    await writeBlindly(world, async () => {
      await cutOff(standby);
      await sleep(1_000);
      await world.disturb(() => failOver(world, standby));
      await sleep(1_000);
    });
    await audit(world, tally, { expected: false });
    await warm(world, tally);
  }),
  between('standby older than the restart', 2, async (world, tally) => {
    const standby = await createStandby(world.primary);
    await world.disturb(() => world.primary.restart('immediate'));
    await warm(world, tally);
    await loseSome(world, tally, standby);
  }),
  between('standby read before its promotion', 3, async (world, tally, checks) => {
    const standby = await createStandby(world.primary);
    await write(world, tally, Math.ceil(checks / 4), async (progress) => {
      await progress(0.5);
      // The standby stops in the middle of a transaction, while later ones have committed.
      await holdTransaction(world.primary, DATABASE, async () => {
        await sleep(HELD);
        await untilReplayed(world.primary, standby);
        await standby.sql('select pg_wal_replay_pause()');
      });
    });
    await world.disturb(() => drain(world, standby));
    const { proxy } = world;
    // What is read here is an earlier state, by whoever was sent to the standby: no answer is compared.
    await writeBlindly(
      world,
      async () => {
        await replace(world, standby);
        proxy.aim(standby.port);
        await until('the standby answers', async () => (await standby.sql('select 1')).length === 1);
        await sleep(1_500);
      },
      { readOnly: true },
    );
    await world.disturb(() => standby.promote());
    await untilWritable(world);
    await warm(world, tally);
  }),
  between('dump restored beside it', 2, (world, tally, checks) =>
    goBack(world, tally, checks, async ({ primary, proxy }, dump) => {
      await primary.sql('create database restored template template0');
      await primary.run('pg_restore', '--exit-on-error', '-d', 'restored', dump);
      proxy.cut();
      await endSessions(primary, DATABASE);
      await primary.sql(`drop database ${DATABASE}`);
      await primary.sql(`alter database restored rename to ${DATABASE}`);
      proxy.aim(primary.port);
    }),
  ),
  between('dump restored on another server', 2, (world, tally, checks) =>
    goBack(world, tally, checks, async (current, dump) => {
      const next = await createPostgres();
      await next.sql(`create database ${DATABASE}`);
      await next.run('pg_restore', '--exit-on-error', '-d', DATABASE, dump);
      current.proxy.cut();
      await replace(current, next);
      current.proxy.aim(next.port);
    }),
  ),
];

/** Waits until the gateways' connections reach a server that takes changes: those to a standby see it promoted. */
async function untilWritable(world: World): Promise<void> {
  await until('the promoted server takes changes', async () => {
    const [row] = await world.primary.sql<{ standby: boolean }>('select pg_is_in_recovery() as standby');
    return row?.standby === false;
  });
}
