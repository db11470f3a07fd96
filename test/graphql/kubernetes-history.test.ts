// Eight years of a real organisation, replayed through the API: who was a member of what at 320 moments, by time and by position.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkDirectory } from '../../src/domain/integrity/check.ts';
import {
  digest,
  importTenants,
  isAbsent,
  Replay,
  readExpected,
  readHistory,
} from '../support/kubernetes-history.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { SUPER_ADMIN, startApp, type TestApp } from '../support/server.ts';

let database: TestDatabase;
let server: TestApp;
let replay: Replay;
/** After each commit: the time, and the positions of all tenants. */
const moments = new Map<string, { at: string; positions: Map<string, string> }>();

beforeAll(async () => {
  if (isAbsent) return;
  database = await openTestDatabase();
  server = await startApp(database.db);
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

test.skipIf(isAbsent)('nothing is wrong with the directory', { timeout: 120_000 }, async () => {
  expect(await checkDirectory(database.db)).toEqual([]);
});
