// Eight years of a real organisation, replayed through the API: who was a member of what at 320 moments, by time and by position,
// and what a consumer of the change feed makes of its events.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkDirectory } from '../../src/domain/integrity/check.ts';
import { type ChangeEvent, type CopiedGroup, Copy } from '../support/consumer.ts';
import { eventsOf } from '../support/event-streams.ts';
import {
  digest,
  importTenants,
  isAbsent,
  Replay,
  readExpected,
  readHistory,
} from '../support/kubernetes-history.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { type RunningServer, startServer } from '../support/process.ts';
import { SUPER_ADMIN, startApp, type TestApp } from '../support/server.ts';

let database: TestDatabase;
let server: TestApp;
let replay: Replay;
/** After each commit: the time, and the positions of all tenants. */
const moments = new Map<string, { at: string; positions: Map<string, string> }>();

beforeAll(async () => {
  if (isAbsent) return;
  database = await openTestDatabase();
  // Whole directories are read below, in large pages.
  server = await startApp(database.db, { LIMIT_COST: '100000' });
  await importTenants(database.db);
  replay = new Replay((query, variables) => server.data(SUPER_ADMIN, query, variables));
  const { tenants } = readExpected();
  for (const line of readHistory()) {
    await replay.apply(line);
    const at = new Date().toISOString();
    const positions = new Map(tenants.map(({ id }) => [id, replay.positions.get(id) ?? '0']));
    moments.set(line.commit, { at, positions });
    // The next change is of a later millisecond.
    await sleep(1);
  }
}, 600_000);
afterAll(() => database?.close());

type Snapshot = {
  edges: { node: { userId?: string; groupId?: string } }[];
  pageInfo: Info;
  totalCount: number;
};
type Info = { hasNextPage: boolean; endCursor: string };

const MOMENT = '$at: DateTime, $position: Position';
const AS_OF = 'asOf(at: $at, position: $position)';
const GROUP = `query ($tenant: ID!, $id: ID!, $after: String, ${MOMENT}) { tenant(id: $tenant) { ${AS_OF} { group(id: $id) {
  name description parent { groupId } effectiveMemberCount
  list: effectiveMembers(first: 100, after: $after) { totalCount pageInfo { hasNextPage endCursor } edges { node { userId } } } } } } }`;
const USER = `query ($tenant: ID!, $id: ID!, $after: String, ${MOMENT}) { tenant(id: $tenant) { ${AS_OF} { user(id: $id) {
  list: effectiveGroups(first: 100, after: $after) { totalCount pageInfo { hasNextPage endCursor } edges { node { groupId } } } } } } }`;

/** The object as of a moment, with the ids of its whole list. */
async function read(query: string, tenant: string, id: string, moment: object) {
  const ids: string[] = [];
  for (let after: string | null = null; ; ) {
    const { tenant: found } = await server.data(SUPER_ADMIN, query, { tenant, id, after, ...moment });
    const { group, user } = found.asOf;
    const object = group ?? user;
    if (!object) return null;
    const { edges, pageInfo, totalCount }: Snapshot = object.list;
    ids.push(...edges.map(({ node }) => (node.userId ?? node.groupId)!));
    if (!pageInfo.hasNextPage) return { ...object, totalCount, ids };
    after = pageInfo.endCursor;
  }
}

const WAYS = ['time', 'position'] as const;
const momentOf = (way: (typeof WAYS)[number], commit: string, tenant: string) => {
  const { at, positions } = moments.get(commit)!;
  return way === 'time' ? { at } : { position: positions.get(tenant)! };
};

test.skipIf(isAbsent).each(WAYS)(
  'by %s, groups had the members that they had',
  { timeout: 120_000 },
  async (way) => {
    const { effectiveMembers } = readExpected();
    expect(effectiveMembers).toHaveLength(200);
    for (const { groupId, commit, name, description, parentGroupId, count, sha256 } of effectiveMembers) {
      const tenant = replay.tenantOf(groupId);
      const found = await read(GROUP, tenant, replay.real(groupId), momentOf(way, commit, tenant));
      expect([
        commit,
        found.name,
        found.description,
        found.parent && replay.original(found.parent.groupId),
      ]).toEqual([commit, name, description, parentGroupId]);
      expect([found.totalCount, found.effectiveMemberCount, digest(found.ids)]).toEqual([
        count,
        count,
        sha256,
      ]);
    }
  },
);

test.skipIf(isAbsent).each(WAYS)(
  'by %s, users were in the groups that they were in',
  { timeout: 120_000 },
  async (way) => {
    const { effectiveGroups } = readExpected();
    expect(effectiveGroups).toHaveLength(100);
    for (const { userId, commit, count, sha256 } of effectiveGroups) {
      const tenant = replay.tenantOf(userId);
      const found = await read(USER, tenant, userId, momentOf(way, commit, tenant));
      expect([commit, found.totalCount]).toEqual([commit, count]);
      expect(digest(found.ids.map(replay.original))).toBe(sha256);
    }
  },
);

test.skipIf(isAbsent).each(WAYS)('by %s, groups that were not there are not', async (way) => {
  const { absentGroups } = readExpected();
  expect(absentGroups).toHaveLength(20);
  for (const { groupId, commit } of absentGroups) {
    const tenant = replay.tenantOf(groupId);
    expect(await read(GROUP, tenant, replay.real(groupId), momentOf(way, commit, tenant))).toBeNull();
  }
});

/** Lists of a tenant as of a position: pages of nodes, with the lists in them when they are longer than a page. */
const LISTS = {
  groups: `groupId name description type parent { groupId }
    members(first: 100) { pageInfo { hasNextPage endCursor } edges { node { userId } } }
    nestedGroups(first: 100) { edges { node { groupId } } }`,
  users: 'userId email displayName',
};
const MEMBERS = `query ($tenant: ID!, $position: Position!, $id: ID!, $after: String) { tenant(id: $tenant) {
  asOf(position: $position) { group(id: $id) { list: members(first: 100, after: $after) {
    pageInfo { hasNextPage endCursor } edges { node { userId } } } } } } }`;

// biome-ignore lint/suspicious/noExplicitAny: the shape is the query's.
type Node = any;

async function nodesOf(list: keyof typeof LISTS, tenant: string, position: string): Promise<Node[]> {
  const query = `query ($tenant: ID!, $position: Position!, $after: String) { tenant(id: $tenant) { asOf(position: $position) {
    list: ${list}(first: 100, after: $after) { pageInfo { hasNextPage endCursor } edges { node { ${LISTS[list]} } } } } } }`;
  return pagesOf(query, { tenant, position });
}

async function pagesOf(query: string, variables: object, after: string | null = null): Promise<Node[]> {
  const nodes: Node[] = [];
  for (;;) {
    const { tenant } = await server.data(SUPER_ADMIN, query, { ...variables, after });
    const { edges, pageInfo } = (tenant.asOf.group ?? tenant.asOf).list;
    nodes.push(...edges.map(({ node }: { node: Node }) => node));
    if (!pageInfo.hasNextPage) return nodes;
    after = pageInfo.endCursor;
  }
}

/** A directory as lines of text: whatever differs, differs in a line. */
function linesOf(groups: [string, CopiedGroup][], users: [string, object][]): string[] {
  const ofGroups = groups.map(([id, { members, nested, ...fields }]) =>
    JSON.stringify([id, fields, [...members].toSorted(), [...nested].toSorted()]),
  );
  return [...ofGroups, ...users.map((user) => JSON.stringify(user))].toSorted();
}

async function readDirectory(tenant: string, position: string): Promise<string[]> {
  const groups = await nodesOf('groups', tenant, position);
  const users = await nodesOf('users', tenant, position);
  const copied: [string, CopiedGroup][] = [];
  for (const { groupId, name, description, type, parent, members, nestedGroups } of groups) {
    const { hasNextPage, endCursor } = members.pageInfo;
    const first: Node[] = members.edges.map(({ node }: { node: Node }) => node);
    const rest = hasNextPage
      ? await pagesOf(MEMBERS, { tenant, position, id: groupId }, endCursor as string)
      : [];
    copied.push([
      groupId,
      {
        name,
        description,
        parentGroupId: parent?.groupId ?? null,
        type,
        members: new Set([...first, ...rest].map(({ userId }) => userId)),
        nested: new Set(nestedGroups.edges.map(({ node }: { node: Node }) => node.groupId)),
      },
    ]);
  }
  return linesOf(
    copied,
    users.map(({ userId, email, displayName }) => [userId, { email, displayName }]),
  );
}

/** The events of a tenant up to its last one, whatever happens to the gateways: goes on from the last cursor. */
async function* feedOf(tenant: string, last: string, urlOf: () => string): AsyncGenerator<ChangeEvent> {
  const headers = {
    authorization: `Bearer ${await server.tokenFor(SUPER_ADMIN)}`,
    accept: 'text/event-stream',
  };
  for (let cursor = '0'; cursor !== last; await sleep(50)) {
    try {
      const path = `/api/v1/tenants/${tenant}/changes`;
      const response = await fetch(`${urlOf()}${path}`, { headers: { ...headers, 'last-event-id': cursor } });
      for await (const { id, data } of eventsOf(response)) {
        cursor = id!;
        yield JSON.parse(data);
        if (cursor === last) return;
      }
    } catch (error) {
      if (!/terminated|fetch failed/.test(String(error))) throw error;
    }
  }
}

/** The cursor of a tenant's last change. */
const headOf = async (tenant: string): Promise<string> => {
  const { tenant: found } = await server.data(
    SUPER_ADMIN,
    'query ($id: ID!) { tenant(id: $id) { changes(last: 1) { edges { cursor } } } }',
    { id: tenant },
  );
  return found.changes.edges[0].cursor;
};

test.skipIf(isAbsent)(
  'the feed rebuilds the directory at each of 200 positions, also from gateways that are killed',
  { timeout: 300_000 },
  async () => {
    const start = () =>
      startServer({ DATABASE_URL: database.url, DATA_DIR: server.dataDir, SEED_DEMO: 'false' });
    let gateway: RunningServer = await start();
    const total = [...replay.positions.values()].reduce((sum, position) => sum + Number(position), 0);
    const every = Math.floor(total / 200);
    let passed = 0;
    let compared = 0;
    for (const [tenant, head] of replay.positions) {
      const copy = new Copy();
      const compare = async (position: string) => {
        expect(linesOf([...copy.groups], [...copy.users])).toEqual(await readDirectory(tenant, position));
        compared += 1;
      };
      let position = '0';
      for await (const event of feedOf(tenant, await headOf(tenant), () => gateway.url)) {
        if (event.position !== position && position !== '0') {
          passed += 1;
          if (passed % every === 0) await compare(position);
          // Its streams break in the middle of what it has sent.
          if (passed % (every * 50) === every * 25) {
            await gateway.kill();
            gateway = await start();
          }
        }
        copy.apply(event);
        position = event.position;
      }
      expect(position).toBe(head);
      passed += 1;
      await compare(position);
    }
    expect(compared).toBeGreaterThanOrEqual(200);
    await gateway.stop();
  },
);

test.skipIf(isAbsent)('nothing is wrong with the directory', { timeout: 120_000 }, async () => {
  expect(await checkDirectory(database.db)).toEqual([]);
});
