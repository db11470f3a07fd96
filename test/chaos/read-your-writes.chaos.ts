// What was acknowledged by one gateway is what another answers, whatever happens to the PostgreSQL server below them.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DISTURBANCES } from './disturbances.ts';
import { CHECKS, SEED, say } from './settings.ts';
import { newTally, type Tally, tableOf } from './tally.ts';
import { audit, startWorld, type World } from './world.ts';

/** Fewer checks than this between two disturbances would show little. */
const LEAST_BETWEEN = 100;

let world: World;
const tallies: Tally[] = [];

beforeAll(async () => {
  say(`read-your-writes: ${CHECKS} checks, seed ${SEED}`);
  world = await startWorld();
});
afterAll(async () => {
  say(`\n${tableOf(tallies)}\n`);
  await world?.stop();
});

test.each(DISTURBANCES)('reads what was written: $name', async ({ name, times, run }) => {
  const [tally, started] = [newTally(name), performance.now()];
  tallies.push(tally);
  const share = Math.ceil(CHECKS / DISTURBANCES.length);
  await run(world, tally, share, Math.max(1, Math.min(times, Math.floor(share / LEAST_BETWEEN))));
  await audit(world, tally, { expected: true });
  const seconds = Math.round((performance.now() - started) / 1_000);
  say(`${name}: ${seconds} s, ${tally.checks} checks, ${tally.wrong} wrong, ${tally.lost} lost`);
  // What they wrongly go on to believe must not count against the next disturbance.
  if (tally.wrong + tally.lost > 0) await world.replaceGateways();
  expect(tally.checks).toBeGreaterThanOrEqual(share);
  expect(tally.times).toBeGreaterThan(0);
  expect({ wrong: tally.wrong, lost: tally.lost }).toEqual({ wrong: 0, lost: 0 });
});
