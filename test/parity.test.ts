// One table of cases, run through GraphQL and through both halves of REST: the same result, or the same refusal in the
// same words. Each case starts from the same directory in a tenant of its own; ids are read as the names they stand for.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Prisma } from '../src/database/database.ts';
import { createGroup } from '../src/domain/commands/create-group.ts';
import { openDirectory } from '../src/domain/directory.ts';
import { createTenant, tenantAdmin } from './support/directories.ts';
import { type Args, type Face, graphqlFace, type Outcome, restFace } from './support/parity-faces.ts';
import { createWorld, readable, type World } from './support/parity-world.ts';
import { openTestDatabase, type TestDatabase } from './support/postgresql.ts';
import { startApp, type TestApp } from './support/server.ts';

let database: TestDatabase;
let server: TestApp;
/** A group of a tenant that nobody here sees. */
let hidden: string;
/** The world that is only read. */
let shared: World;
beforeAll(async () => {
  database = await openTestDatabase();
  server = await startApp(database.db);
  const { tenantId } = await createTenant(database.db);
  const directory = openDirectory(database.db, tenantAdmin(tenantId));
  hidden = (await createGroup(directory, { tenantId, name: 'Hidden' })).group.id;
  shared = await createWorld(database.db, hidden);
});
afterAll(() => database.close());

const many = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, at) => `${prefix}_many${at}`);

/** Operation, arguments, and what it comes to: `ok` or a code. Without a caller an administrator asks. */
const CASES: [operation: string, args: Args, expected: string, caller?: string][] = [
  ['group', { group: 'Top' }, 'ok'],
  ['group', { group: 'RIGHT' }, 'ok'],
  ['group', { group: 'Right' }, 'ok', 'reader'],
  ['group', { group: 'Right' }, 'ok', 'user'],
  ['group', { group: 'Top' }, 'ok', 'user'],
  ['group', { group: 'Left' }, 'NOT_FOUND', 'user'],
  ['group', { group: 'Top' }, 'NOT_FOUND', 'stranger'],
  ['group', { group: 'nothing' }, 'NOT_FOUND'],
  ['group', { group: 'Hidden' }, 'NOT_FOUND'],
  ['group', { group: 'Top' }, 'UNAUTHENTICATED', 'nobody'],
  ['groups', {}, 'ok'],
  ['groups', {}, 'ok', 'user'],
  ['groups', { search: 'RIGHT' }, 'ok', 'user'],
  ['groups', { page: 2, size: 4 }, 'ok'],
  ['groups', { page: 3, size: 2 }, 'ok'],
  ['groups', { search: 'fIrS' }, 'ok'],
  ['groups', { type: 'DISTRIBUTION' }, 'ok'],
  ['groups', { parent: 'Top' }, 'ok'],
  ['groups', { parent: 'Hidden' }, 'ok'],
  ['groups', { member: 'u1' }, 'ok'],
  ['groups', { member: 'u1', type: 'SECURITY', search: 'ef', parent: 'Top' }, 'ok'],
  ['groups', { size: 101 }, 'VALIDATION_FAILED'],
  ['groups', { search: 'x'.repeat(256) }, 'VALIDATION_FAILED'],
  ['groups', {}, 'UNAUTHENTICATED', 'nobody'],
  ['members', { group: 'Right' }, 'ok'],
  ['members', { group: 'Right' }, 'NOT_FOUND', 'user'],
  ['members', { group: 'Hidden' }, 'NOT_FOUND'],
  ['effectiveMembers', { group: 'Top' }, 'ok'],
  ['effectiveMembers', { group: 'Left' }, 'ok', 'reader'],
  ['effectiveMembers', { group: 'nothing' }, 'NOT_FOUND'],
  ['nestedGroups', { group: 'Top' }, 'ok'],
  ['nestedGroups', { group: 'Top' }, 'NOT_FOUND', 'user'],
  ['parentGroups', { group: 'Bottom' }, 'ok'],
  ['parentGroups', { group: 'Hidden' }, 'NOT_FOUND'],
  ['createGroup', { name: ' New ', parent: 'Left', members: ['u0', 'u3'], description: 'd' }, 'ok'],
  [
    'createGroup',
    { name: 'Other', type: 'DISTRIBUTION', customAttributes: { a: { b: null } } },
    'ok',
    'writer',
  ],
  ['createGroup', { name: 'top' }, 'NAME_TAKEN'],
  ['createGroup', { name: '  ' }, 'VALIDATION_FAILED'],
  ['createGroup', { name: 'x'.repeat(256) }, 'VALIDATION_FAILED'],
  ['createGroup', { name: 'Line\nbreak' }, 'VALIDATION_FAILED'],
  ['createGroup', { name: 'New', description: 'x'.repeat(4_097) }, 'VALIDATION_FAILED'],
  ['createGroup', { name: 'New', members: ['u0', 'nobody'] }, 'UNKNOWN_USERS'],
  ['createGroup', { name: 'New', members: many('usr', 1_001) }, 'LIMIT_EXCEEDED'],
  ['createGroup', { name: 'New', parent: 'nothing' }, 'NOT_FOUND'],
  ['createGroup', { name: 'New', parent: 'Hidden' }, 'NOT_FOUND'],
  ['createGroup', { name: 'New' }, 'FORBIDDEN', 'reader'],
  ['createGroup', { name: 'New' }, 'NOT_FOUND', 'user'],
  ['createGroup', { name: 'New' }, 'NOT_FOUND', 'stranger'],
  ['createGroup', { name: 'New' }, 'UNAUTHENTICATED', 'nobody'],
  ['updateGroup', { group: 'Left', name: 'Links', description: 'd', customAttributes: { b: 2 } }, 'ok'],
  ['updateGroup', { group: 'Top', description: null, customAttributes: null }, 'ok'],
  ['updateGroup', { group: 'Bottom', parent: 'Right' }, 'ok'],
  ['updateGroup', { group: 'Left', parent: null }, 'ok'],
  ['updateGroup', { group: 'Left', name: 'Left' }, 'ok'],
  ['updateGroup', { group: 'Left', name: 'Links', version: 1 }, 'ok'],
  ['updateGroup', { group: 'Left', name: 'Links', version: 7 }, 'VERSION_CONFLICT'],
  ['updateGroup', { group: 'Left', name: 'rIGHT' }, 'NAME_TAKEN'],
  ['updateGroup', { group: 'Top', parent: 'RIGHT' }, 'CYCLE'],
  ['updateGroup', { group: 'Top', parent: 'Top' }, 'CYCLE'],
  ['updateGroup', { group: 'Top', parent: 'Hidden' }, 'NOT_FOUND'],
  ['updateGroup', { group: 'Top', name: null }, 'VALIDATION_FAILED'],
  ['updateGroup', { group: 'Hidden', name: 'Mine' }, 'NOT_FOUND'],
  ['updateGroup', { group: 'Left', name: 'Links' }, 'FORBIDDEN', 'reader'],
  ['updateGroup', { group: 'Right', name: 'Rechts' }, 'FORBIDDEN', 'user'],
  ['updateGroup', { group: 'Left', name: 'Links' }, 'NOT_FOUND', 'user'],
  ['deleteGroup', { group: 'Empty' }, 'ok'],
  ['deleteGroup', { group: 'Left' }, 'GROUP_NOT_EMPTY'],
  ['deleteGroup', { group: 'Left', strategy: 'BLOCK' }, 'GROUP_NOT_EMPTY'],
  ['deleteGroup', { group: 'Left', strategy: 'ORPHAN' }, 'NAME_TAKEN'],
  ['deleteGroup', { group: 'Top', strategy: 'ORPHAN' }, 'ok'],
  ['deleteGroup', { group: 'Top', strategy: 'CASCADE' }, 'ok'],
  ['deleteGroup', { group: 'Empty', strategy: 'ORPHAN', version: 2 }, 'VERSION_CONFLICT'],
  ['deleteGroup', { group: 'Empty', strategy: 'ORPHAN', version: 1 }, 'ok'],
  ['deleteGroup', { group: 'Hidden', strategy: 'ORPHAN' }, 'NOT_FOUND'],
  ['deleteGroup', { group: 'Empty', strategy: 'ORPHAN' }, 'FORBIDDEN', 'reader'],
  ['deleteGroup', { group: 'Right', strategy: 'ORPHAN' }, 'FORBIDDEN', 'user'],
  ['addGroupMembers', { group: 'Top', users: ['u3', 'u0', 'u3'] }, 'ok'],
  ['addGroupMembers', { group: 'Top', users: [] }, 'ok'],
  ['addGroupMembers', { group: 'Top', users: ['u3', 'nobody'] }, 'UNKNOWN_USERS'],
  ['addGroupMembers', { group: 'Top', users: many('usr', 1_001) }, 'LIMIT_EXCEEDED'],
  ['addGroupMembers', { group: 'Hidden', users: ['u3'] }, 'NOT_FOUND'],
  ['addGroupMembers', { group: 'Top', users: ['u3'] }, 'FORBIDDEN', 'reader'],
  ['removeGroupMembers', { group: 'Right', users: ['u1'] }, 'ok'],
  ['removeGroupMembers', { group: 'Right', users: ['u3'] }, 'ok'],
  ['removeGroupMembers', { group: 'nothing', users: ['u1'] }, 'NOT_FOUND'],
  ['removeGroupMembers', { group: 'Right', users: ['u1'] }, 'FORBIDDEN', 'reader'],
  ['updateGroupMembers', { group: 'Right', add: ['u0', 'u1'], remove: ['u2', 'u3'] }, 'ok'],
  ['updateGroupMembers', { group: 'Right' }, 'ok'],
  ['updateGroupMembers', { group: 'Right', add: ['u0'], remove: ['u0'] }, 'VALIDATION_FAILED'],
  ['updateGroupMembers', { group: 'Right', add: ['nobody'] }, 'UNKNOWN_USERS'],
  ['updateGroupMembers', { group: 'Hidden', add: ['u0'] }, 'NOT_FOUND'],
  ['updateGroupMembers', { group: 'Right', add: ['u0'] }, 'FORBIDDEN', 'user'],
  ['addNestedGroups', { group: 'Right', children: ['Empty', 'Bottom'] }, 'ok'],
  ['addNestedGroups', { group: 'Top', children: ['Left', 'Empty'] }, 'ok'],
  ['addNestedGroups', { group: 'Bottom', children: ['Top'] }, 'CYCLE'],
  ['addNestedGroups', { group: 'Bottom', children: ['Bottom'] }, 'CYCLE'],
  ['addNestedGroups', { group: 'Bottom', children: ['Hidden'] }, 'NOT_FOUND'],
  ['addNestedGroups', { group: 'Bottom', children: many('grp', 101) }, 'LIMIT_EXCEEDED'],
  ['addNestedGroups', { group: 'Bottom', children: ['Empty'] }, 'FORBIDDEN', 'reader'],
  ['removeNestedGroup', { group: 'Top', child: 'Left' }, 'ok'],
  ['removeNestedGroup', { group: 'Top', child: 'Bottom' }, 'NOT_FOUND'],
  ['removeNestedGroup', { group: 'Top', child: 'nothing' }, 'NOT_FOUND'],
  ['removeNestedGroup', { group: 'Top', child: 'Left' }, 'FORBIDDEN', 'reader'],
];

const READS = new Set(['group', 'groups', 'members', 'effectiveMembers', 'nestedGroups', 'parentGroups']);

/** What is left of a world: all its live rows, as a check that both faces did the same. */
async function leftOf({ tenant }: World): Promise<unknown> {
  return database.db.sql(Prisma.sql`
    select (select json_agg(json_build_array(g.name, g.type, g.description, g.custom_attributes, g.version, p.name) order by g.name)
        from groups g left join groups p on p.id = g.parent_group_id where g.tenant_id = ${tenant} and g.deleted_at is null) as groups,
      (select json_agg(json_build_array(g.name, m.user_id) order by g.name, m.user_id)
        from memberships m join groups g on g.id = m.group_id where m.tenant_id = ${tenant}) as memberships,
      (select json_agg(json_build_array(p.name, c.name) order by p.name, c.name) from nestings n
        join groups p on p.id = n.parent_group_id join groups c on c.id = n.child_group_id where n.tenant_id = ${tenant}) as nestings`);
}

type Result = { code: string; outcome: Outcome; left: Outcome };

async function run(face: Face, operation: string, args: Args, caller: string): Promise<Result | null> {
  const world = READS.has(operation) ? shared : await createWorld(database.db, hidden);
  const asked = { world, caller: world.callers[caller]!, args };
  let code = 'ok';
  let outcome: Outcome;
  try {
    outcome = await face(operation, asked);
    if (outcome === null) return null;
  } catch (error) {
    if (error instanceof Error) throw error;
    const refusal = error as { code: string; message: string; details: object };
    code = refusal.code;
    // Faults of the input are told in each face's own field names.
    outcome = code === 'VALIDATION_FAILED' ? { code } : refusal;
  }
  return {
    code,
    outcome: readable(world, outcome),
    left: READS.has(operation) ? null : readable(world, await leftOf(world)),
  };
}

describe.each(CASES.map((each) => [each[0], each] as const))(
  '%s',
  (_operation, [operation, args, expected, caller]) => {
    const title = JSON.stringify(args);
    test(`${title.length > 80 ? `${title.slice(0, 80)}…` : title} by ${caller ?? 'admin'}: ${expected}`, async () => {
      const who = caller ?? 'admin';
      const first = (await run(graphqlFace(server), operation, args, who))!;
      expect(first.code, JSON.stringify(first.outcome)).toBe(expected);
      const others = [
        await run(restFace(server, 'tenant'), operation, args, who),
        await run(restFace(server, 'admin'), operation, args, who),
      ].filter((result) => result !== null);
      expect(others.length).toBeGreaterThan(0);
      for (const other of others) expect(other).toEqual(first);
    });
  },
);

test('every operation that both faces have is in the table, refused and not', () => {
  const operations = new Set(CASES.map(([operation]) => operation));
  expect(operations.size).toBe(14);
  for (const operation of operations) {
    const codes = CASES.filter(([name]) => name === operation).map(([, , expected]) => expected);
    expect(codes).toContain('ok');
    expect(codes.some((code) => code !== 'ok')).toBe(true);
  }
});
