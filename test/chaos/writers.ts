// `npm run chaos:writers`: whether three processes add members to one tenant as fast as one does.
import { parseArgs } from 'node:util';
import { applyLoad, requestBytes } from '../bench/load.ts';
import { median } from '../bench/report.ts';
import type { Gateway } from './gateway.ts';
import { createPostgres } from './postgres-server.ts';
import { say } from './settings.ts';
import { importFile, startGateways } from './world.ts';

const TENANT = 'tnt_chaos';
const GROUPS = 16;
const PROCESSES = 3;
/** Additions a second that a machine is thought to make at most: there are as many users as these need. */
const MOST_A_SECOND = 4_000;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    connections: { type: 'string', default: '16' },
  },
});
const [rounds, seconds, connections] = [values.rounds, values.seconds, values.connections].map(Number) as [
  number,
  number,
  number,
];

/** Ways to load them: how many connections each process gets. */
const KINDS = {
  one: [connections],
  three: spread(connections),
  'three, each with as many': Array<number>(PROCESSES).fill(connections),
};
type Kind = keyof typeof KINDS;

function spread(total: number): number[] {
  return Array.from({ length: PROCESSES }, (_, at) => Math.ceil((total - at) / PROCESSES));
}

const groupIds = Array.from({ length: GROUPS }, (_, at) => `grp_chaos${at}`);
const perGroup = ((rounds + 1) * Object.keys(KINDS).length * seconds * MOST_A_SECOND) / GROUPS;
const userIds = Array.from({ length: Math.ceil(perGroup) }, (_, at) => `usr_chaos${at}`);

/** A flat tenant: all groups are nested in one, so that each addition is one to its effective members too. */
const directory = {
  partners: [{ id: 'prt_chaos', name: 'Chaos' }],
  tenants: [{ id: TENANT, partnerId: 'prt_chaos', name: 'Chaos', slug: 'chaos' }],
  users: userIds.map((id) => ({ id, tenantId: TENANT, email: `${id}@chaos.example`, displayName: id })),
  groups: [...groupIds, 'grp_chaosRoot'].map((id) => ({
    id,
    tenantId: TENANT,
    name: id,
    groupType: 'SECURITY',
  })),
  memberships: [],
  nestings: groupIds.map((childGroupId) => ({ parentGroupId: 'grp_chaosRoot', childGroupId })),
};

const QUERY = `mutation($input: AddGroupMembersInput!) {
  result: addGroupMembers(input: $input) { ... on AddGroupMembersPayload { added } ... on Error { code } }
}`;
let added = 0;

/** A request that adds a member who is none yet. */
function nextRequest(token: string): Buffer {
  const [groupId, userId] = [groupIds[added % GROUPS]!, userIds[Math.floor(added / GROUPS)]];
  if (!userId) throw new Error('There are no users left to add: fewer rounds or seconds, please');
  added += 1;
  const body = { query: QUERY, variables: { input: { groupId, userIds: [userId] } } };
  return requestBytes('/graphql', body, { authorization: `Bearer ${token}` });
}

/** Additions a second of all processes together. */
async function measure(kind: Kind, gateways: readonly Gateway[], token: string): Promise<number> {
  const loads = await Promise.all(
    KINDS[kind].map((connections, at) => {
      const port = Number(new URL(gateways[at]!.url).port);
      return applyLoad({ port, connections, seconds, next: () => nextRequest(token) });
    }),
  );
  const failures = loads.reduce((sum, load) => sum + load.failures, 0);
  if (failures > 0) throw new Error(`${failures} additions failed`);
  return loads.reduce((sum, load) => sum + load.requests / load.seconds, 0);
}

const server = await createPostgres({ durable: true });
const gateways = await (async () => {
  await server.sql('create database coterie');
  return startGateways(server.url('coterie'));
})();
try {
  say(`importing ${userIds.length} users …`);
  await importFile(server.url('coterie'), directory, gateways.dataDir);
  const processes: Gateway[] = [];
  while (processes.length < PROCESSES) processes.push(await gateways.start(`${processes.length + 1}`));
  const kinds = Object.keys(KINDS) as Kind[];
  const rates = new Map<Kind, number[]>(kinds.map((kind) => [kind, []]));
  // The first round warms up; the order changes with each, so that none always comes after the same.
  for (let round = -1; round < rounds; round += 1)
    for (const kind of round % 2 === 0 ? kinds : kinds.toReversed()) {
      const rate = await measure(kind, processes, gateways.token);
      if (round >= 0) rates.get(kind)!.push(rate);
    }
  for (const kind of kinds) {
    const ratio = median(rates.get(kind)!.map((rate, round) => rate / rates.get('one')![round]!));
    const split = KINDS[kind].join(' + ');
    process.stdout.write(
      `${kind} (${split} connections): ${median(rates.get(kind)!).toFixed(0)} additions/s; ratio ${ratio.toFixed(2)}\n`,
    );
  }
  process.stdout.write('goal: three are not slower than one, a ratio of 1\n');
} finally {
  await gateways.stop();
  await server.destroy();
}
