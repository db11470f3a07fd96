// Positions and history are exact when ten writers add and remove the same few members through two gateways at once.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Gateway } from './gateway.ts';
import * as checks from './history-checks.ts';
import { type MakeChange, readHistory, runHistory } from './history-run.ts';
import { createPostgres, type Postgres } from './postgres-server.ts';
import { createRegions, importFileOf } from './region.ts';
import { CHANGES, randomOf, SEED, sample, say } from './settings.ts';
import { importFile, startGateways } from './world.ts';

const DATABASE = 'coterie';
const WRITERS = 10;
/** Positions at which membership is rebuilt, or all that readers saw if these are fewer. */
const REBUILT = 500;
/** Breaches that a failed test prints. */
const SHOWN = 10;

let server: Postgres;
let gateways: Awaited<ReturnType<typeof startGateways>>;
let run: Awaited<ReturnType<typeof runHistory>>;
let stored: Awaited<ReturnType<typeof readHistory>>;

/** Two groups that begin empty, with four users: each pair is changed hundreds of times. */
const region = createRegions(1, 1, randomOf(0))[0]!;
const groupIds = region.groups.slice(0, 2).map(({ id }) => id);
const pairs = groupIds.flatMap((groupId) =>
  region.users.slice(0, 4).map(({ id }) => ({ groupId, userId: id })),
);
for (const id of groupIds) region.state.members.set(id, new Set());

/** The gateway's own answer; a change without one fails the run, since nothing disturbs the server. */
const through =
  (gateway: Gateway): MakeChange =>
  async (kind, { groupId, userId }) => {
    const [name, done] = kind === 'add' ? ['addGroupMembers', 'added'] : ['removeGroupMembers', 'removed'];
    const type = `${name[0]!.toUpperCase()}${name.slice(1)}`;
    const query = `mutation($input: ${type}Input!) {
      result: ${name}(input: $input) { ... on ${type}Payload { done: ${done} position } ... on Error { code } }
    }`;
    const { data, code } = await gateway.ask(query, { input: { groupId, userIds: [userId] } });
    if (code !== null || !data.result.done)
      throw new Error(`gateway ${gateway.name}: ${name} is answered by ${code ?? data.result.code}`);
    return data.result.done.length > 0 ? Number(data.result.position) : null;
  };

beforeAll(async () => {
  say(`history: ${CHANGES} changes, seed ${SEED}`);
  server = await createPostgres();
  await server.sql(`create database ${DATABASE}`);
  const connectionString = server.url(DATABASE);
  gateways = await startGateways(connectionString);
  await importFile(connectionString, importFileOf([region]), gateways.dataDir);
  const both = [await gateways.start('A'), await gateways.start('B')];
  const makers = Array.from({ length: WRITERS }, (_, at) => through(both[at % both.length]!));
  const { tenantId } = region;
  run = await runHistory({ makers, pairs, changes: CHANGES, connectionString, tenantId });
  stored = await readHistory(connectionString, tenantId, groupIds);
  const { acknowledged, observations } = run;
  say(
    `${acknowledged.length} changes, head ${stored.head.position}, ${stored.intervals.length} intervals, ` +
      `${observations.length} observations`,
  );
});
afterAll(async () => {
  await gateways?.stop();
  await server?.destroy();
});

function expectNone(breaches: string[]): void {
  expect(breaches.slice(0, SHOWN), `${breaches.length} breaches`).toEqual([]);
}

describe('after additions and removals of the same members', () => {
  test('each interval begins before it ends', () => expectNone(checks.checkPositive(stored.intervals)));
  test('no intervals of a pair overlap', () => expectNone(checks.checkDisjoint(stored.intervals)));
  test('no position is missing', () =>
    expectNone(checks.checkGapFree(stored.changes, stored.head, stored.intervals)));
  test('time never falls with position', () => expectNone(checks.checkTimes(stored.changes, stored.head)));
  test('each position is one change', () =>
    expectNone(checks.checkChangeIds(stored.changes, stored.head, run.observations)));
  test('positions are in the order of commits', () => expectNone(checks.checkCommitOrder(run.acknowledged)));
  test('history is what was acknowledged', () =>
    expectNone(checks.checkAcknowledged(run.acknowledged, stored.intervals)));

  test('members at earlier positions are those that were read then', () => {
    const positions = [...new Set(run.observations.map(({ position }) => position))];
    const drawn = new Set(sample(randomOf(300), positions, REBUILT));
    expect(drawn.size).toBeGreaterThanOrEqual(Math.min(REBUILT, CHANGES / 4));
    const observations = run.observations.filter(({ position }) => drawn.has(position));
    expectNone(checks.checkObservations(observations, stored.intervals));
  });
});
