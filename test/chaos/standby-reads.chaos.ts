// What gateways that read on a standby answer is what the primary has, whatever happens to the standby or to the primary.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { drain, failOver } from './disturbances.ts';
import type { Gateway } from './gateway.ts';
import { warm, write } from './phases.ts';
import { createStandby, type Postgres, untilReplayed } from './postgres-server.ts';
import { endSessions, freezeSessions } from './sessions.ts';
import { CHECKS, SEED, say } from './settings.ts';
import { newTally, type Tally, tableOf } from './tally.ts';
import { startSilentServer, startTcpProxy, type TcpProxy } from './tcp-proxy.ts';
import { audit, DATABASE, startWorld, type World } from './world.ts';
import { makeChange } from './writer.ts';

/** The share of each test. */
const SHARE = Math.ceil(CHECKS / 8);
/** Longer than a gateway waits for a statement (`TIMEOUT_QUERY_MS`), in ms. */
const FROZEN = 8_000;
/** After this gateways ask a standby again that did not answer, in ms. */
const RESTED = 1_500;
/** An answer may take so long while the standby says nothing, in ms. */
const SLOWEST = 6_000;
/** Within this a read is refused if the primary is gone, in ms: two connections, one after the other, take 2 s each. */
const SOON = 6_000;

let world: World;
/** The address in DATABASE_READ_URL. */
let reads: TcpProxy;
let standby: Postgres;
let tally: Tally;
const tallies: Tally[] = [];

beforeAll(async () => {
  say(`standby-reads: ${CHECKS} checks, seed ${SEED}`);
  reads = await startTcpProxy();
  world = await startWorld({ readPort: reads.port });
});
afterAll(async () => {
  say(`\n${tableOf(tallies)}\n`);
  await world?.stop();
  await reads?.stop();
  await endStandby();
});
beforeEach(async ({ task }) => {
  await renewStandby();
  tally = newTally(task.name);
  tallies.push(tally);
});
afterEach(async () => {
  await audit(world, tally, { expected: true });
  say(`${tally.name}: ${tally.checks} checks, ${tally.wrong} wrong, ${tally.lost} lost`);
  // What went wrong must not count against the next test.
  if (tally.wrong + tally.lost > 0) await world.replaceGateways();
  expect({ wrong: tally.wrong, lost: tally.lost }).toEqual({ wrong: 0, lost: 0 });
});

/** A standby of the primary in place of the one before. */
async function renewStandby(): Promise<void> {
  await endStandby();
  standby = await createStandby(world.primary);
  reads.aim(standby.port);
}

async function endStandby(): Promise<void> {
  if (standby && standby !== world.primary) await standby.destroy();
}

/** The longest time to an answer of either gateway meanwhile, in ms. */
async function slowestDuring(action: () => Promise<void>): Promise<number> {
  const { a, b } = world;
  let slowest = 0;
  const timed = (gateway: Gateway): Gateway => ({
    ...gateway,
    async ask(...args) {
      const began = performance.now();
      const outcome = await gateway.ask(...args);
      slowest = Math.max(slowest, performance.now() - began);
      return outcome;
    },
  });
  [world.a, world.b] = [timed(a), timed(b)];
  try {
    await action();
  } finally {
    [world.a, world.b] = [a, b];
  }
  return slowest;
}

/** How often tables of the directory were scanned on a server: never by what reads the log alone. */
async function scansOf(server: Postgres): Promise<number> {
  // Sessions count when they end.
  await endSessions(server, DATABASE);
  const [row] = await server.sql<{ scans: number }>(
    `select sum(coalesce(seq_scan, 0) + coalesce(idx_scan, 0))::int as scans from pg_stat_user_tables
     where relname in ('groups', 'memberships', 'nestings', 'users')`,
    [],
    DATABASE,
  );
  return row!.scans;
}

/** How often both servers were scanned meanwhile. */
async function scansDuring(action: () => Promise<void>) {
  const all = () => Promise.all([world.primary, standby].map(scansOf));
  const before = await all();
  // A gateway may have met a session that was ended.
  await sleep(RESTED);
  await action();
  const after = await all();
  const scans = { primary: after[0]! - before[0]!, standby: after[1]! - before[1]! };
  say(`scans of the primary: ${scans.primary}, of the standby: ${scans.standby}`);
  return scans;
}

/** Both gateways read everything while nobody writes, and read it on the standby. */
async function expectReadsOnStandby(): Promise<void> {
  await untilReplayed(world.primary, standby);
  const scans = await scansDuring(() => warm(world, tally));
  expect(scans.standby).toBeGreaterThan(1_000);
  expect(scans.primary).toBeLessThan(scans.standby / 20);
}

/** Both gateways read everything while nobody writes, and read nothing of it on the standby. */
async function expectReadsOnPrimary(): Promise<void> {
  const scans = await scansDuring(() => warm(world, tally));
  expect(scans.standby).toBe(0);
  expect(scans.primary).toBeGreaterThan(1_000);
}

test('a standby that streams answers', async () => {
  await write(world, tally, SHARE);
  await expectReadsOnStandby();
});

test('a standby that replays now and then', async () => {
  await write(world, tally, SHARE, async (progress) => {
    for (let at = 1; at <= 10; at += 1) {
      await standby.sql('select pg_wal_replay_pause()');
      await sleep(50 + 50 * at);
      await standby.sql('select pg_wal_replay_resume()');
      await progress(at / 11);
      tally.times += 1;
    }
  });
  expect(tally.errors.size).toBe(0);
});

test('a standby whose replay is paused', async () => {
  await standby.sql('select pg_wal_replay_pause()');
  await write(world, tally, SHARE);
  await expectReadsOnPrimary();
  // A client takes the position of its change to the other gateway.
  for (const { region } of world.writers) {
    const { tenantId, state, groups } = region;
    const groupId = groups[0]!.id;
    for (const [one, other] of [
      [world.a, world.b],
      [world.b, world.a],
    ] as const) {
      const description = `Told to ${other.name}`;
      const changed = await one.ask(
        `mutation($input: UpdateGroupInput!) {
          updateGroup(input: $input) { ... on UpdateGroupPayload { position } ... on Error { code } }
        }`,
        { input: { id: groupId, description } },
      );
      state.descriptions.set(groupId, description);
      const { position } = changed.data.updateGroup;
      expect(position).toMatch(/^\d+$/);
      const read = await other.ask(
        'query($id: ID!) { group(id: $id) { description } }',
        { id: groupId },
        { 'coterie-position': `${tenantId}=${position}` },
      );
      tally.checks += 1;
      expect(read).toEqual({ code: null, data: { group: { description } } });
    }
  }
  expect(tally.errors.size).toBe(0);
  await standby.sql('select pg_wal_replay_resume()');
  await expectReadsOnStandby();
});

test('a standby that is killed, frozen, and silent: no request fails', async () => {
  const silent = await startSilentServer();
  const losses = [
    () => standby.restart('immediate'),
    async () => {
      await sleep(RESTED);
      await freezeSessions(standby, DATABASE, FROZEN);
    },
    () => standby.restart('immediate'),
    // A machine that is gone: packets are lost, and connections time out.
    async () => {
      reads.aim(silent.port);
      await sleep(FROZEN);
      reads.aim(standby.port);
    },
    async () => {
      reads.cut();
      await sleep(1_000);
      reads.aim(standby.port);
    },
  ];
  const slowest: number[] = [];
  for (const lose of losses) {
    slowest.push(Math.round(await slowestDuring(() => write(world, tally, SHARE / losses.length, lose))));
    tally.times += 1;
  }
  say(`the slowest answers took ${slowest.join(', ')} ms`);
  await silent.stop();
  expect(Object.fromEntries(tally.errors)).toEqual({});
  expect(Math.max(...slowest)).toBeLessThan(SLOWEST);
  await expectReadsOnStandby();
});

test('a standby that was promoted while the primary lives, and a standby of it, are not believed', async () => {
  await untilReplayed(world.primary, standby);
  await warm(world, tally);
  await standby.promote();
  // Changes of its own after the very position that the primary has, and one that no log tells.
  const own = async (statement: string) => void (await standby.sql(statement, [], DATABASE));
  await own(`insert into changes (tenant_id, position, ordinal, change_id, at, type, actor_id, actor_type, data)
    select tenant_id, position + 1, 0, gen_random_uuid(), now(), 'directory.repaired', 'x', 'SERVICE', '{}' from tenant_logs`);
  await own(`update tenant_logs l set position = l.position + 1, change_id = c.change_id
    from changes c where c.tenant_id = l.tenant_id and c.position = l.position + 1`);
  await own(`update users set display_name = 'Of another history'`);
  await own(`update groups set description = 'Of another history', member_count = 0`);
  await own('delete from memberships');
  await expectReadsOnPrimary();
  const promoted = standby;
  standby = await createStandby(promoted);
  reads.aim(standby.port);
  await warm(world, tally);
  await write(world, tally, SHARE);
  reads.aim(promoted.port);
  await write(world, tally, SHARE);
  expect(tally.errors.size).toBe(0);
  await promoted.destroy();
  await renewStandby();
  await expectReadsOnStandby();
});

test('a standby without its primary: reads are refused, and work again as soon as it is back', async () => {
  const silent = await startSilentServer();
  await untilReplayed(world.primary, standby);
  await warm(world, tally);
  const query = 'query($id: ID!) { group(id: $id) { name description effectiveMemberCount } }';
  for (const leave of [() => world.proxy.cut(), () => world.proxy.aim(silent.port)]) {
    leave();
    tally.times += 1;
    try {
      for (const gateway of [world.a, world.b]) {
        for (const { region } of world.writers.slice(0, 2)) {
          const began = performance.now();
          const { code } = await gateway.ask(query, { id: region.groups[0]!.id });
          expect(code).toBe('UNAVAILABLE');
          expect(performance.now() - began).toBeLessThan(SOON);
        }
      }
    } finally {
      world.proxy.aim(world.primary.port);
    }
    await write(world, tally, SHARE / 2);
    await expectReadsOnStandby();
  }
  await silent.stop();
});

test('a failover to the standby, which the gateways still know as a standby too', async () => {
  await write(world, tally, SHARE, async (progress) => {
    await progress(0.3);
    await world.disturb(async () => {
      await drain(world, standby);
      await failOver(world, standby);
    });
    tally.times += 1;
  });
  const { a, b, writers } = world;
  for (const writer of writers) await makeChange(writer, tally, world, { through: a, reader: b });
  await write(world, tally, SHARE / 2);
  await warm(world, tally);
  await renewStandby();
  await expectReadsOnStandby();
});
