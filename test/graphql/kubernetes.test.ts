// A real organisation's groups, imported and then read back through GraphQL alone: exact in both directions.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDatabase } from '../../src/database/open.ts';
import { checkDirectory } from '../../src/domain/integrity/check.ts';
import { importDirectory } from '../../src/import/import-directory.ts';
import { readImportFile } from '../../src/import/read-file.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { SUPER_ADMIN, startApp, type TestApp } from '../support/server.ts';

const FILE = join(import.meta.dirname, '../../../shared/data/kubernetes-orgs.json');
const absent = !existsSync(FILE);
if (absent) console.warn(`skipped: ${FILE} is not there`);

type Expected = Record<string, string[]>;
type Page = {
  edges: { node: { userId: string } }[];
  pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor: string; endCursor: string };
  totalCount: number;
};

/** Groups asked in one request: 20 pages of 50 stay well below the cost limit. */
const BATCH = 20;
const PAGE = 50;

let database: TestDatabase;
let server: TestApp;
let expected: Expected;

beforeAll(async () => {
  if (absent) return;
  expected = JSON.parse(readFileSync(FILE, 'utf8')).expected.effectiveMembers;
  database = await openTestDatabase();
  const report = await importDirectory(database.db, readImportFile(FILE));
  expect(report.faults).toEqual([]);
  expect(report.tenants.flatMap((tenant) => tenant.faults)).toEqual([]);
  server = await startApp(database.db);
});
afterAll(() => database?.close());

/** All effective members of the groups, page by page in one direction. */
async function walk(ids: string[], direction: 'forward' | 'backward') {
  const found = new Map(ids.map((id) => [id, { users: [] as string[], total: 0, count: 0 }]));
  const pending = new Map<string, string | null>(ids.map((id) => [id, null]));
  const forward = direction === 'forward';
  while (pending.size > 0) {
    const batch = [...pending].slice(0, BATCH);
    const fields = batch.map(([id, cursor], at) => {
      const from = cursor === null ? '' : `, ${forward ? 'after' : 'before'}: "${cursor}"`;
      return `g${at}: group(id: "${id}") { id effectiveMemberCount effectiveMembers(${forward ? 'first' : 'last'}: ${PAGE}${from}) {
        totalCount edges { node { userId } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }`;
    });
    const data = await server.data(SUPER_ADMIN, `{ ${fields.join('\n')} }`);
    for (const group of Object.values(data) as {
      id: string;
      effectiveMemberCount: number;
      effectiveMembers: Page;
    }[]) {
      const { edges, pageInfo, totalCount } = group.effectiveMembers;
      const users = edges.map((edge) => edge.node.userId);
      const entry = found.get(group.id)!;
      entry.users = forward ? [...entry.users, ...users] : [...users, ...entry.users];
      entry.total = totalCount;
      entry.count = group.effectiveMemberCount;
      if (forward ? pageInfo.hasNextPage : pageInfo.hasPreviousPage) {
        pending.set(group.id, forward ? pageInfo.endCursor : pageInfo.startCursor);
      } else pending.delete(group.id);
    }
  }
  return found;
}

test.skipIf(absent).each(['forward', 'backward'] as const)(
  'effective members of all 766 groups are the expected ones, paged by 50 %s',
  { timeout: 120_000 },
  async (direction) => {
    const ids = Object.keys(expected);
    expect(ids).toHaveLength(766);
    const found = await walk(ids, direction);
    for (const id of ids) {
      const { users, total, count } = found.get(id)!;
      expect(users, id).toEqual(expected[id]);
      expect([total, count], id).toEqual([expected[id]!.length, expected[id]!.length]);
    }
  },
);

test.skipIf(absent)('the groups of every user say the same in reverse', { timeout: 120_000 }, async () => {
  const reverse = new Map<string, string[]>();
  for (const [groupId, userIds] of Object.entries(expected)) {
    for (const userId of userIds) reverse.set(userId, [...(reverse.get(userId) ?? []), groupId]);
  }
  const users = [
    ...new Set(JSON.parse(readFileSync(FILE, 'utf8')).users.map((user: { id: string }) => user.id)),
  ] as string[];
  for (let at = 0; at < users.length; at += 90) {
    const ids = users.slice(at, at + 90);
    const { nodes } = await server.data(
      SUPER_ADMIN,
      `query ($ids: [ID!]!) { nodes(ids: $ids) { ... on User { id effectiveGroups(first: 100) {
        totalCount edges { node { id } } pageInfo { hasNextPage } } } } }`,
      { ids },
    );
    for (const { id, effectiveGroups } of nodes) {
      const groups = effectiveGroups.edges.map((edge: { node: { id: string } }) => edge.node.id).sort();
      expect(effectiveGroups.pageInfo.hasNextPage, id).toBe(false);
      expect(groups, id).toEqual((reverse.get(id) ?? []).sort());
      expect(effectiveGroups.totalCount, id).toBe(groups.length);
    }
  }
});

test.skipIf(absent)('importing again changes nothing, and the directory keeps its rules', async () => {
  const again = await importDirectory(database.db, readImportFile(FILE));
  for (const { tallies } of again.tenants) {
    for (const { created, updated } of Object.values(tallies!)) expect([created, updated]).toEqual([0, 0]);
  }
  expect(await checkDirectory(database.db)).toEqual([]);
});

test.skipIf(absent)('the embedded database imports and answers the same', { timeout: 120_000 }, async () => {
  const embedded = await openDatabase({ dataDir: 'memory://' });
  await importDirectory(embedded, readImportFile(FILE));
  const app = await startApp(embedded);
  const [id, members] = Object.entries(expected).sort(([, a], [, b]) => b.length - a.length)[0]!;
  const { group } = await app.data(
    SUPER_ADMIN,
    `{ group(id: "${id}") { effectiveMemberCount effectiveMembers(first: 100) { edges { node { userId } } } } }`,
  );
  expect(group.effectiveMemberCount).toBe(members.length);
  expect(group.effectiveMembers.edges.map((edge: { node: { userId: string } }) => edge.node.userId)).toEqual(
    members.slice(0, 100),
  );
  await embedded.close();
});
