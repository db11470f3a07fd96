// Users and tenants: kept in step with the identity provider, found, listed, and removed with their memberships.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Database, Prisma } from '../../src/database/database.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { eraseUsers, removeUsers } from '../../src/domain/commands/remove-users.ts';
import { upsertUsers } from '../../src/domain/commands/upsert-users.ts';
import { openDirectory } from '../../src/domain/directory.ts';
import { checkDirectory } from '../../src/domain/integrity/check.ts';
import { countMembers, listMembers } from '../../src/domain/queries/members.ts';
import {
  countTenants,
  findPartner,
  findTenant,
  listTenants,
  requireTenantOfGroups,
} from '../../src/domain/queries/tenants.ts';
import { countUsers, findUser, findUserByEmail, listUsers } from '../../src/domain/queries/users.ts';
import type { TenantRow } from '../../src/domain/rows/tenants.ts';
import type { Caller } from '../../src/model/caller.ts';
import { newId, type TenantId, type UserId } from '../../src/model/ids.ts';
import type { Page } from '../../src/model/page.ts';
import {
  createTenant,
  findAll,
  openAsAdmin,
  partnerAdmin,
  plainUser,
  platform,
  service,
  superAdmin,
  tenantAdmin,
} from '../support/directories.ts';
import {
  behind,
  FORBIDDEN,
  holdGraph,
  notFound,
  positionOf,
  refusal,
  unknownUsers,
} from '../support/group-worlds.ts';
import { openTestDatabase, type TestDatabase, untilOneWaits } from '../support/postgresql.ts';

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await openTestDatabase();
  db = database.db;
});
afterAll(() => database.close());

/** Live users, as they are stored. */
type Stored = { id: string; email: string; displayName: string | null; key: string; updatedAt: Date };
const usersOf = (tenantId: TenantId) =>
  db.sql<Stored>(Prisma.sql`
    select id, email, display_name as "displayName", search_key as key, updated_at as "updatedAt"
    from users where tenant_id = ${tenantId} and until is null order by id`);

/** What the log tells of users, oldest first. */
const changesOf = (tenantId: TenantId) =>
  db.sql<{ position: number; type: string; by: string; userIds: string[]; data: object }>(Prisma.sql`
    select position::int as position, type, actor_type || ' ' || actor_id as by, user_ids as "userIds", data from changes
    where tenant_id = ${tenantId} and group_id is null order by position, ordinal`);

/** A fresh user of the identity provider. */
const someone = (more: object = {}) => ({ id: newId('user') as string, email: 'some@example.org', ...more });

describe('upsertUsers', () => {
  test('creates who is new, updates who differs, leaves the others, and answers in the order asked', async () => {
    const { tenantId } = await createTenant(db);
    const directory = openDirectory(db, superAdmin);
    const ids = Array.from({ length: 5 }, () => newId('user') as string).sort();
    const [a, b, c, d, e] = ids as [string, string, string, string, string];
    const first = [
      { id: c, email: 'c@Example.org', displayName: 'Cleo' },
      { id: a, email: 'a@example.org' },
      { id: b, email: 'b@example.org', displayName: 'Bob' },
    ];
    const row = (id: string, email: string, displayName: string | null) => ({
      id,
      tenantId,
      email,
      displayName,
    });
    expect(await upsertUsers(directory, { tenantId, users: first })).toEqual({
      users: [row(c, 'c@Example.org', 'Cleo'), row(a, 'a@example.org', null), row(b, 'b@example.org', 'Bob')],
      created: [c, a, b],
      updated: [],
      position: 1,
    });
    await db.sql(Prisma.sql`
      update users set updated_at = updated_at - interval '1 hour' where tenant_id = ${tenantId}`);
    const before = new Map((await usersOf(tenantId)).map((user) => [user.id, user]));
    expect(await findUser(directory, b)).toEqual(row(b, 'b@example.org', 'Bob'));
    expect(
      await upsertUsers(directory, {
        tenantId,
        users: [
          { id: e, email: 'e@example.org' },
          { id: b, email: 'b@example.org', displayName: null },
          { id: c, email: 'c@Example.org', displayName: 'Cleo' },
          { id: a, email: 'A@example.org' },
          { id: d, email: 'd@example.org' },
        ],
      }),
    ).toEqual({
      users: [
        row(e, 'e@example.org', null),
        row(b, 'b@example.org', null),
        row(c, 'c@Example.org', 'Cleo'),
        row(a, 'A@example.org', null),
        row(d, 'd@example.org', null),
      ],
      created: [e, d],
      updated: [b, a],
      position: 2,
    });
    // What this directory had read before is read again.
    expect(await findUser(directory, b)).toEqual(row(b, 'b@example.org', null));
    const stored = await usersOf(tenantId);
    expect(stored.map(({ id, email, displayName, key }) => [id, email, displayName, key])).toEqual([
      [a, 'A@example.org', null, 'a@example.org'],
      [b, 'b@example.org', null, 'b@example.org'],
      [c, 'c@Example.org', 'Cleo', 'c@example.org\ncleo'],
      [d, 'd@example.org', null, 'd@example.org'],
      [e, 'e@example.org', null, 'e@example.org'],
    ]);
    const rose = stored.map(({ id, updatedAt }) => {
      const known = before.get(id);
      return known ? updatedAt.getTime() > known.updatedAt.getTime() : null;
    });
    expect(rose).toEqual([true, true, false, null, null]);
    const by = 'user usr_root';
    const change = (id: string, before: object, after: object) => ({ id, before, after });
    expect(
      (await changesOf(tenantId)).map(({ userIds, ...rest }) => ({ ...rest, ids: userIds.toSorted() })),
    ).toEqual([
      { position: 1, type: 'users.upserted', by, ids: [a, b, c], data: {} },
      { position: 2, type: 'users.upserted', by, ids: [d, e], data: {} },
      {
        position: 2,
        type: 'users.upserted',
        by,
        ids: [a, b],
        data: {
          users: [
            change(
              a,
              { email: 'a@example.org', displayName: null },
              { email: 'A@example.org', displayName: null },
            ),
            change(
              b,
              { email: 'b@example.org', displayName: 'Bob' },
              { email: 'b@example.org', displayName: null },
            ),
          ],
        },
      },
    ]);
    const since = await db.sql<{ id: string; since: number }>(Prisma.sql`
      select id, since::int as since from users where tenant_id = ${tenantId} order by id`);
    expect(since.map((user) => user.since)).toEqual([1, 1, 1, 2, 2]);
  });

  test('that changes nothing takes no position of the log', async () => {
    const { tenantId } = await createTenant(db);
    const directory = openDirectory(db, superAdmin);
    const users = [someone({ displayName: 'Ann' }), someone()];
    await upsertUsers(directory, { tenantId, users });
    const before = await usersOf(tenantId);
    expect(await upsertUsers(directory, { tenantId, users })).toMatchObject({ created: [], updated: [] });
    expect(await upsertUsers(directory, { tenantId, users: [] })).toEqual({
      users: [],
      created: [],
      updated: [],
      position: 1,
    });
    expect(await usersOf(tenantId)).toEqual(before);
    expect(await positionOf(db, tenantId)).toBe(1);
    expect(await changesOf(tenantId)).toHaveLength(1);
    await upsertUsers(directory, { tenantId, users: [{ ...users[1]!, displayName: 'Ann' }] });
    expect(await positionOf(db, tenantId)).toBe(2);
  });

  test('is seen at once where the user is a member', async () => {
    const { tenantId, userIds } = await createTenant(db, 1);
    const directory = openDirectory(db, superAdmin);
    const { group } = await createGroup(directory, { tenantId, name: 'Group', initialMemberIds: userIds });
    const names = async () =>
      (await listMembers(openAsAdmin(db, tenantId), group.id, { page: {} }))!.rows.map(
        (row) => row.displayName,
      );
    expect(await names()).toEqual([null]);
    await upsertUsers(directory, { tenantId, users: [someone({ id: userIds[0], displayName: 'Seen' })] });
    expect(await names()).toEqual(['Seen']);
  });

  test('finds by what is now, and no longer by what was', async () => {
    const { tenantId } = await createTenant(db);
    const directory = openDirectory(db, superAdmin);
    const { id } = someone();
    await upsertUsers(directory, {
      tenantId,
      users: [{ id, email: 'Old@example.org', displayName: 'Ältere' }],
    });
    const found = async (search: string) => countUsers(openAsAdmin(db, tenantId), { tenantId, search });
    expect([await found('OLD@'), await found('ältere'), await found('new@')]).toEqual([1, 1, 0]);
    await upsertUsers(directory, {
      tenantId,
      users: [{ id, email: 'new@example.org', displayName: 'Neue' }],
    });
    expect([await found('OLD@'), await found('ältere'), await found('new@'), await found('NEUE')]).toEqual([
      0, 0, 1, 1,
    ]);
    // Not from the end of the one into the beginning of the other.
    expect(await found('orgneue')).toBe(0);
  });

  test('refuses ids of another tenant to who sees it, and to others any id that is not of this one', async () => {
    const own = await createTenant(db, 2);
    const { tenantId } = own;
    const removed = own.userIds[1]!;
    await removeUsers(openAsAdmin(db, tenantId), { tenantId, userIds: [removed] });
    const other = await createTenant(db, 2);
    const [taken, second] = other.userIds as string[] as [string, string];
    const before = await usersOf(other.tenantId);
    const users = [someone(), someone({ id: taken }), someone(), someone({ id: second })];
    const message = "is not a user of this tenant; only the platform's sync can create users";
    const known = someone({ id: own.userIds[0] });
    // Those that are free, those that are taken out of sight and those that were removed are refused alike.
    const asked = [users[0]!, known, users[1]!, someone({ id: removed })];
    for (const caller of [tenantAdmin(tenantId), partnerAdmin(own.partnerId), service(tenantId, true)]) {
      const refused = upsertUsers(openDirectory(db, caller), { tenantId, users: asked });
      expect(await refusal(refused)).toEqual({
        code: 'VALIDATION_FAILED',
        message: `users.0.id ${message}; users.2.id ${message}; users.3.id ${message}`,
        details: { fields: ['0', '2', '3'].map((at) => ({ path: ['users', at, 'id'], message })) },
      });
    }
    // Of two tenants in sight, it is told which has it.
    await db.sql(Prisma.sql`update tenants set partner_id = ${own.partnerId} where id = ${other.tenantId}`);
    const partner = openDirectory(db, partnerAdmin(own.partnerId));
    expect(await refusal(upsertUsers(partner, { tenantId, users }))).toMatchObject({ code: 'OTHER_TENANT' });
    for (const caller of [superAdmin, platform(true)]) {
      const refused = upsertUsers(openDirectory(db, caller), { tenantId, users: users.slice(0, 2) });
      expect(await refusal(refused)).toEqual({
        code: 'OTHER_TENANT',
        message: `${taken} belongs to another tenant`,
        details: { id: taken },
      });
    }
    // None of it was applied, on either side.
    expect((await usersOf(tenantId)).map(({ id }) => id)).toEqual(own.userIds.slice(0, 1));
    expect(await usersOf(other.tenantId)).toEqual(before);
    expect([await positionOf(db, tenantId), await positionOf(db, other.tenantId)]).toEqual([1, 0]);
    const free = await db.sql(Prisma.sql`select id from ids where id in (${users[0]!.id}, ${users[2]!.id})`);
    expect(free).toEqual([]);
  });

  test('lets a removal wait that comes in its midst, and knows the users as they were', async () => {
    const { tenantId, userIds } = await createTenant(db, 1);
    let removal: Promise<unknown> | undefined;
    const interrupted: Database = {
      ...db,
      transaction: (work) =>
        db.transaction((sql) =>
          work(async (statement) => {
            const rows = await sql(statement);
            if (statement.text.includes('insert into users')) {
              removal ??= removeUsers(openAsAdmin(db, tenantId), { tenantId, userIds });
              await Promise.race([removal, untilOneWaits(database)]);
            }
            return rows as never;
          }),
        ),
    };
    const users = [someone({ id: userIds[0] }), someone()];
    const upserted = await upsertUsers(openDirectory(interrupted, superAdmin), { tenantId, users });
    expect([upserted.created, upserted.updated]).toEqual([[users[1]!.id], [users[0]!.id]]);
    expect(upserted.position).toBe(1);
    expect(await removal).toEqual({ removed: userIds, endedMembershipCount: 0, position: 2 });
    expect((await usersOf(tenantId)).map(({ id }) => id)).toEqual([users[1]!.id]);
  });

  test('takes 1,000 users and no more, and none twice', async () => {
    const { tenantId } = await createTenant(db);
    const directory = openDirectory(db, superAdmin);
    const users = Array.from({ length: 1_001 }, () => someone());
    expect(await refusal(upsertUsers(directory, { tenantId, users }))).toEqual({
      code: 'LIMIT_EXCEEDED',
      message: 'A call may name at most 1000 ids; this one names 1001',
      details: { limit: 1_000 },
    });
    expect(await usersOf(tenantId)).toEqual([]);
    expect((await upsertUsers(directory, { tenantId, users: users.slice(1) })).created).toHaveLength(1_000);
    const message = 'must not name a user twice';
    const twice = [someone(), users[5]!, { ...users[5]!, email: 'other@example.org' }];
    expect(await refusal(upsertUsers(directory, { tenantId, users: twice }))).toEqual({
      code: 'VALIDATION_FAILED',
      message: `users ${message}`,
      details: { fields: [{ path: ['users'], message }] },
    });
  });

  const EMAIL = 'must be an email address';
  const long = (length: number) => `${'x'.repeat(length - 4)}@x.y`;
  test.each<[string, object, string[] | null]>([
    ['a plain email', { email: 'a@b' }, null],
    ['a space before an email', { email: ' a@example.org' }, [`email ${EMAIL}`]],
    ['a tab after an email', { email: 'a@example.org\t' }, [`email ${EMAIL}`]],
    ['an email of 320 characters', { email: long(320) }, null],
    ['an email of 321 characters', { email: long(321) }, ['email must have at most 320 characters']],
    ['no @', { email: 'example.org' }, [`email ${EMAIL}`]],
    ['nothing before @', { email: '@example.org' }, [`email ${EMAIL}`]],
    ['nothing after @', { email: 'a@' }, [`email ${EMAIL}`]],
    ['two @', { email: 'a@b@c' }, [`email ${EMAIL}`]],
    ['a space before @', { email: 'a b@example.org' }, [`email ${EMAIL}`]],
    ['a space after @', { email: 'a@exam ple.org' }, [`email ${EMAIL}`]],
    ['a NUL', { email: 'a\u0000@example.org' }, [`email ${EMAIL}`]],
    ['a control character', { email: 'a\u0085@example.org' }, [`email ${EMAIL}`]],
    ['half a character', { email: 'a\ud800@example.org' }, [`email ${EMAIL}`]],
    ['a line separator', { email: 'a@exam\u2028ple.org' }, [`email ${EMAIL}`]],
    [
      'two faults of an email',
      { email: 'x'.repeat(321) },
      ['email must have at most 320 characters', `email ${EMAIL}`],
    ],
    ['a name of 255 characters', { displayName: '😀'.repeat(255) }, null],
    ['a name of 255 characters with spaces around it', { displayName: ` ${'n'.repeat(255)} ` }, null],
    [
      'a name of 256 characters',
      { displayName: 'n'.repeat(256) },
      ['displayName must have at most 255 characters'],
    ],
    ['a name of two lines', { displayName: 'a\nb' }, ['displayName must not contain control characters']],
    [
      'a name with a paragraph separator',
      { displayName: 'a\u2029b' },
      ['displayName must not contain control characters'],
    ],
    [
      'a name with half a character',
      { displayName: 'a\udc00b' },
      ['displayName must not contain control characters'],
    ],
    ['no name', { displayName: null }, null],
    [
      'a name that is none',
      { displayName: 7 },
      ['displayName Invalid input: expected string, received number'],
    ],
    [
      'an id of a group',
      { id: 'grp_x' },
      ['id must be a user id, such as usr_ followed by letters and digits'],
    ],
  ])('%s', async (_name, more, faults) => {
    const { tenantId } = await createTenant(db);
    const users = [someone(), someone(more)];
    const outcome = await refusal(upsertUsers(openDirectory(db, superAdmin), { tenantId, users }));
    if (faults) {
      expect(outcome).toMatchObject({
        code: 'VALIDATION_FAILED',
        message: faults.map((fault) => `users.1.${fault}`).join('; '),
        details: { fields: faults.map((fault) => ({ path: ['users', '1', fault.split(' ')[0]] })) },
      });
    } else expect(outcome).toBe('done');
    const stored = await usersOf(tenantId);
    expect(stored).toHaveLength(faults ? 0 : 2);
    const email = (more as { email?: string }).email ?? 'some@example.org';
    if (!faults) expect(stored.map((user) => user.email)).toContain(email);
  });
});

describe('removeUsers', () => {
  test('removes them and ends all their memberships, written down group by group', async () => {
    const { tenantId, userIds } = await createTenant(db, 4);
    const [a, b, c, d] = userIds.toSorted() as string[] as [string, string, string, string];
    const directory = openAsAdmin(db, tenantId);
    const create = async (name: string, members: string[]) =>
      (await createGroup(directory, { tenantId, name, initialMemberIds: members })).group.id;
    const [one, two, three] = [
      await create('One', [a, b, c]),
      await create('Two', [b, c]),
      await create('Three', [d]),
    ];
    expect(await findUser(directory, b)).toMatchObject({ id: b });
    const by = openDirectory(db, service(tenantId, true));
    expect(await removeUsers(by, { tenantId, userIds: [c, b, c] })).toEqual({
      removed: [c, b],
      endedMembershipCount: 4,
      position: 4,
    });
    expect((await usersOf(tenantId)).map(({ id }) => id)).toEqual([a, d]);
    const counted = await db.sql(Prisma.sql`
      select name, member_count as n, version, array(
        select distinct position::int from changes c
        where c.tenant_id = g.tenant_id and c.group_id = g.id order by 1) as positions
      from groups g where tenant_id = ${tenantId} order by name`);
    expect(counted).toEqual([
      { name: 'One', n: 1, positions: [1, 4], version: 1 },
      { name: 'Three', n: 1, positions: [3], version: 1 },
      { name: 'Two', n: 0, positions: [2, 4], version: 1 },
    ]);
    expect(await changesOf(tenantId)).toEqual([
      { position: 4, type: 'users.removed', by: 'service client', userIds: [c, b], data: {} },
    ]);
    const kept = await db.sql(Prisma.sql`
      select id, since::int as since, until::int as until from users where tenant_id = ${tenantId} and until is not null
      order by id`);
    expect(kept).toEqual([b, c].map((id) => ({ id, since: 0, until: 4 })));
    const events = await db.sql<{ groupId: string; userIds: string[] }>(Prisma.sql`
      select group_id as "groupId", actor_type || ' ' || actor_id as actor, user_ids as "userIds", cause, data from changes
      where tenant_id = ${tenantId} and type = 'group_membership.removed'`);
    for (const event of events) event.userIds.sort();
    expect(new Map(events.map((event) => [event.groupId, event]))).toEqual(
      new Map(
        [[one, [b, c]] as const, [two, [b, c]] as const].map(([groupId, users]) => [
          groupId,
          { groupId, actor: 'service client', userIds: users, cause: 'USER_REMOVED', data: {} },
        ]),
      ),
    );
    expect(events).toHaveLength(2);
    const history = await db.sql(Prisma.sql`
      select group_id as g, user_id as u, added_by as "addedBy", ended_by as "endedBy", cause, deletion_id as deletion,
        since::int as since, until::int as until
      from membership_history where tenant_id = ${tenantId} order by g, u`);
    const ended = (g: string, u: string) => ({
      since: g === one ? 1 : 2,
      until: 4,
      g,
      u,
      addedBy: 'usr_administrator',
      endedBy: 'client',
      cause: 'USER_REMOVED',
      deletion: null,
    });
    expect(history).toEqual(
      [one, two].toSorted().flatMap((group) => [b, c].map((user) => ended(group, user))),
    );
    const fresh = openAsAdmin(db, tenantId);
    expect(await findUser(fresh, b)).toBeNull();
    expect(await Promise.all([one, two, three].map((id) => countMembers(fresh, id)))).toEqual([1, 0, 1]);
    expect(await checkDirectory(db, tenantId)).toEqual([]);
  });

  test('drops what its directory had read before', async () => {
    const { tenantId, userIds } = await createTenant(db, 1);
    const directory = openAsAdmin(db, tenantId);
    expect(await findUser(directory, userIds[0]!)).not.toBeNull();
    await removeUsers(directory, { tenantId, userIds });
    expect(await findUser(directory, userIds[0]!)).toBeNull();
  });

  test('refuses those that the tenant does not have, each once and as asked, and removes nobody', async () => {
    const { tenantId, userIds } = await createTenant(db, 2);
    const other = await createTenant(db, 1);
    const [one, two] = [newId('user') as string, newId('user') as string];
    const asked = [userIds[0]!, two, other.userIds[0]!, one, two];
    for (const caller of [tenantAdmin(tenantId), superAdmin]) {
      expect(await refusal(removeUsers(openDirectory(db, caller), { tenantId, userIds: asked }))).toEqual(
        unknownUsers(two, other.userIds[0]!, one),
      );
    }
    expect(await usersOf(tenantId)).toHaveLength(2);
    expect(await usersOf(other.tenantId)).toHaveLength(1);
    // A change without effect takes no position.
    expect(await removeUsers(openAsAdmin(db, tenantId), { tenantId, userIds: [] })).toEqual({
      removed: [],
      endedMembershipCount: 0,
      position: 0,
    });
    expect([await positionOf(db, tenantId), await changesOf(tenantId)]).toEqual([0, []]);
  });

  test('knows those no more who are removed already', async () => {
    const { tenantId, userIds } = await createTenant(db, 2);
    const directory = openAsAdmin(db, tenantId);
    await removeUsers(directory, { tenantId, userIds: [userIds[0]!] });
    expect(await refusal(removeUsers(directory, { tenantId, userIds }))).toEqual(unknownUsers(userIds[0]!));
    expect((await usersOf(tenantId)).map(({ id }) => id)).toEqual([userIds[1]]);
    expect(await positionOf(db, tenantId)).toBe(1);
  });

  test('takes 1,000 ids and no more', async () => {
    const { tenantId } = await createTenant(db);
    const ids = Array.from({ length: 1_001 }, () => newId('user') as string);
    const directory = openAsAdmin(db, tenantId);
    expect(await refusal(removeUsers(directory, { tenantId, userIds: ids }))).toMatchObject({
      code: 'LIMIT_EXCEEDED',
      details: { limit: 1_000 },
    });
    expect(await refusal(removeUsers(directory, { tenantId, userIds: ids.slice(1) }))).toEqual(
      unknownUsers(...ids.slice(1)),
    );
  });

  test('waits for who is just becoming a member, and ends that too', async () => {
    const { tenantId, userIds } = await createTenant(db, 1);
    const directory = openAsAdmin(db, tenantId);
    const { group } = await createGroup(directory, { tenantId, name: 'Group' });
    const adding = [
      holdGraph(tenantId),
      Prisma.sql`
        insert into memberships (tenant_id, group_id, user_id, added_by) values (${tenantId}, ${group.id}, ${userIds[0]}, 'usr_x')`,
      Prisma.sql`update groups set member_count = 1 where id = ${group.id}`,
    ];
    let removed: unknown;
    const work = async () => {
      removed = await removeUsers(directory, { tenantId, userIds });
    };
    expect(await behind(db, adding, work)).toBe('done');
    expect(removed).toEqual({ removed: userIds, endedMembershipCount: 1, position: 2 });
    expect(await checkDirectory(db, tenantId)).toEqual([]);
  });
});

describe('eraseUsers', () => {
  test('takes removed users too, and those who are erased already, without a position', async () => {
    const { tenantId, userIds } = await createTenant(db, 3);
    const [a, b, c] = userIds as string[] as [string, string, string];
    const directory = openAsAdmin(db, tenantId);
    await createGroup(directory, { tenantId, name: 'Group', initialMemberIds: userIds });
    await removeUsers(directory, { tenantId, userIds: [a] });
    const outcome = (erased: string[], endedMembershipCount: number, position: number) => ({
      erased,
      endedMembershipCount,
      position,
    });
    expect(await eraseUsers(directory, { tenantId, userIds: [] })).toEqual(outcome([], 0, 2));
    expect(await eraseUsers(directory, { tenantId, userIds: [b, a, b] })).toEqual(outcome([b, a], 1, 3));
    expect(await eraseUsers(directory, { tenantId, userIds: [a, b] })).toEqual(outcome([a, b], 0, 3));
    expect((await usersOf(tenantId)).map(({ id }) => id)).toEqual([c]);
    expect(await eraseUsers(directory, { tenantId, userIds: [c, b] })).toEqual(outcome([c, b], 1, 4));
    const change = (position: number, type: string, ...ids: string[]) => ({
      position,
      type,
      by: 'user usr_administrator',
      userIds: ids,
      data: {},
    });
    expect(await changesOf(tenantId)).toEqual([
      change(2, 'users.removed', a),
      change(3, 'users.removed', b),
      change(3, 'users.erased', b, a),
      change(4, 'users.removed', c),
      change(4, 'users.erased', c),
    ]);
    expect(await checkDirectory(db, tenantId)).toEqual([]);
  });

  test('refuses those that the tenant never had, each once and as asked, and more than 1,000; and erases nobody', async () => {
    const { tenantId, userIds } = await createTenant(db, 1);
    const other = await createTenant(db, 1);
    const before = [await usersOf(tenantId), await usersOf(other.tenantId)];
    const one = newId('user');
    const asked = [userIds[0]!, one, other.userIds[0]!, one];
    for (const caller of [tenantAdmin(tenantId), superAdmin]) {
      expect(await refusal(eraseUsers(openDirectory(db, caller), { tenantId, userIds: asked }))).toEqual(
        unknownUsers(one, other.userIds[0]!),
      );
    }
    const many = Array.from({ length: 1_001 }, () => userIds[0]!);
    expect(await refusal(eraseUsers(openAsAdmin(db, tenantId), { tenantId, userIds: many }))).toMatchObject({
      code: 'LIMIT_EXCEEDED',
    });
    expect([await usersOf(tenantId), await usersOf(other.tenantId)]).toEqual(before);
    expect([await positionOf(db, tenantId), await positionOf(db, other.tenantId)]).toEqual([0, 0]);
  });
});

describe('who may', () => {
  const CHANGES = {
    upsertUsers: (caller: Caller, tenantId: string, id: string) =>
      upsertUsers(openDirectory(db, caller), { tenantId, users: [someone({ id })] }),
    removeUsers: (caller: Caller, tenantId: string, id: string) =>
      removeUsers(openDirectory(db, caller), { tenantId, userIds: [id] }),
    eraseUsers: (caller: Caller, tenantId: string, id: string) =>
      eraseUsers(openDirectory(db, caller), { tenantId, userIds: [id] }),
  };
  test.each(Object.entries(CHANGES))('%s', async (_name, change) => {
    const { tenantId, partnerId, userIds } = await createTenant(db, 6);
    const stranger = await createTenant(db, 1);
    const foreign = stranger.userIds[0]!;
    const before = [await usersOf(tenantId), await usersOf(stranger.tenantId)];
    const member = plainUser(tenantId, userIds[0]!);
    for (const caller of [tenantAdmin(tenantId), partnerAdmin(partnerId), service(tenantId, true), member]) {
      for (const id of [stranger.tenantId, newId('tenant')])
        expect(await refusal(change(caller, id, foreign))).toEqual(notFound(id));
    }
    // An end user does not see its tenant, and those who only read may not change it.
    expect(await refusal(change(member, tenantId, userIds[0]!))).toEqual(notFound(tenantId));
    for (const caller of [service(tenantId, false), platform(false)])
      expect(await refusal(change(caller, tenantId, userIds[0]!))).toEqual(FORBIDDEN);
    expect([await usersOf(tenantId), await usersOf(stranger.tenantId)]).toEqual(before);
    const callers = [
      tenantAdmin(tenantId),
      partnerAdmin(partnerId),
      service(tenantId, true),
      superAdmin,
      platform(true),
    ];
    for (const [at, caller] of callers.entries())
      expect(await refusal(change(caller, tenantId, userIds[at]!)), caller.role).toBe('done');
    expect(await refusal(change(tenantAdmin(tenantId), 'somewhere', userIds[5]!))).toMatchObject({
      code: 'VALIDATION_FAILED',
      details: {
        fields: [
          { path: ['tenantId'], message: 'must be a tenant id, such as tnt_ followed by letters and digits' },
        ],
      },
    });
  });
});

describe('users', () => {
  test('are listed by id, a page at a time, and found by a part of email or name', async () => {
    const { tenantId, userIds } = await createTenant(db, 3);
    await createTenant(db, 2);
    const ids = userIds.toSorted();
    const directory = openAsAdmin(db, tenantId);
    await upsertUsers(directory, {
      tenantId,
      users: [
        { id: ids[0]!, email: 'Zoe@a.example', displayName: 'Ann 100%' },
        { id: ids[1]!, email: 'mia@b.example', displayName: 'Bo_b' },
        { id: ids[2]!, email: 'kim@a.example' },
      ],
    });
    const list = async (args: object) => (await listUsers(directory, { tenantId, page: {}, ...args }))!;
    const first = await list({ page: { first: 2 } });
    expect(first.rows).toEqual([
      { id: ids[0], tenantId, email: 'Zoe@a.example', displayName: 'Ann 100%' },
      { id: ids[1], tenantId, email: 'mia@b.example', displayName: 'Bo_b' },
    ]);
    expect([first.hasNextPage, first.hasPreviousPage]).toEqual([true, false]);
    const second = await list({ page: { first: 2, after: first.cursors[1] } });
    expect([second.rows.map(({ id }) => id), second.hasNextPage]).toEqual([[ids[2]], false]);
    expect((await list({ page: { last: 1 } })).rows.map(({ id }) => id)).toEqual([ids[2]]);
    for (const [search, expected] of [
      ['@A.', [0, 2]],
      ['ANN', [0]],
      ['0%', [0]],
      ['o_b', [1]],
      ['_', [1]],
      ['zoe@a.exampleann', []],
      ['nobody', []],
      [null, [0, 1, 2]],
    ] as const) {
      expect(
        (await list({ search })).rows.map(({ id }) => id),
        `${search}`,
      ).toEqual(expected.map((at) => ids[at]));
      expect(await countUsers(directory, { tenantId, search })).toBe(expected.length);
    }
    await expect(list({ search: 'x'.repeat(256) })).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
    await expect(countUsers(directory, { tenantId, search: 'x'.repeat(256) })).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
    });
    await expect(list({ search: 'x'.repeat(255) })).resolves.toMatchObject({ rows: [] });
  });

  test('are listed in the order asked for, and without the members of a group', async () => {
    const { tenantId } = await createTenant(db);
    const directory = openDirectory(db, superAdmin);
    const [a, b, c, d] = Array.from({ length: 4 }, () => newId('user') as string).sort() as [
      ...[string, string, string, string],
    ];
    const users = [
      { id: a, email: 'zoe@example.org', displayName: 'Élan' },
      { id: b, email: 'Mia@example.org', displayName: 'adam' },
      { id: c, email: 'eli@example.org', displayName: null },
      { id: d, email: 'ann@example.org', displayName: 'ELI X' },
    ];
    await upsertUsers(directory, { tenantId, users });
    const list = async (args: object) => {
      const rows: string[] = [];
      // A page at a time, so that the cursors of each order are read.
      for (let after: string | null = null; ; ) {
        const page: { first: number; after: string | null } = { first: 1, after };
        const found = (await listUsers(openAsAdmin(db, tenantId), { tenantId, page, ...args }))!;
        rows.push(...found.rows.map(({ id }) => id));
        if (!found.hasNextPage) return rows;
        after = found.cursors[0]!;
      }
    };
    const by = (field: string, direction = 'ASC') => ({ orderBy: { field, direction } });
    expect(await list({})).toEqual([a, b, c, d]);
    expect(await list(by('EMAIL'))).toEqual([d, c, b, a]);
    expect(await list(by('DISPLAY_NAME'))).toEqual([b, a, d, c]);
    expect(await list(by('DISPLAY_NAME', 'DESC'))).toEqual([c, d, a, b]);
    const { group } = await createGroup(directory, { tenantId, name: 'Group', initialMemberIds: [b, d] });
    expect(await list({ notInGroupId: group.id, ...by('EMAIL') })).toEqual([c, a]);
    expect(await countUsers(directory, { tenantId, notInGroupId: group.id, search: 'e' })).toBe(2);
    // A group that is none of the tenant's has none of its members.
    const { tenantId: other } = await createTenant(db);
    const { group: foreign } = await createGroup(directory, { tenantId: other, name: 'Group' });
    for (const notInGroupId of [foreign.id, newId('group')])
      expect(await list({ notInGroupId })).toEqual([a, b, c, d]);
  });

  test('are found by their email address, ignoring case and nothing else', async () => {
    const { tenantId } = await createTenant(db);
    const [first, second, other] = Array.from({ length: 3 }, () => newId('user') as string).sort() as [
      ...[string, string, string],
    ];
    const users = [
      { id: first, email: 'Jose@example.org' },
      { id: second, email: 'josé@example.org', displayName: 'jose@example.org' },
      { id: other, email: 'jose@example.org.uk' },
    ];
    await upsertUsers(openDirectory(db, superAdmin), { tenantId, users });
    const find = async (email: string, directory = openAsAdmin(db, tenantId)) =>
      (await findUserByEmail(directory, { tenantId, email }))?.id ?? null;
    expect(await find(' JOSE@EXAMPLE.ORG ')).toBe(first);
    expect(await find('JOSÉ@example.org')).toBe(second);
    for (const none of ['jose@example', 'jose@example.or_', '%', '', 'a\0', '\ud800'])
      expect(await find(none), JSON.stringify(none)).toBeNull();
    await removeUsers(openAsAdmin(db, tenantId), { tenantId, userIds: [first] });
    expect(await find('jose@example.org')).toBeNull();
    const { tenantId: stranger } = await createTenant(db);
    expect(await find('josé@example.org', openAsAdmin(db, stranger))).toBeNull();
    expect(
      await find('josé@example.org', openDirectory(db, plainUser(tenantId, second as UserId))),
    ).toBeNull();
  });

  test('are seen by who sees their tenant, and by themselves', async () => {
    const { tenantId, partnerId, userIds } = await createTenant(db, 2);
    const stranger = await createTenant(db, 1);
    const foreign = stranger.userIds[0]!;
    const [self, other] = userIds as [(typeof userIds)[0], string];
    const asked = [other, foreign, newId('user'), self, tenantId, ''];
    const seenBy = async (caller: Caller) => {
      const directory = openDirectory(db, caller);
      const found = await findAll(findUser, directory, asked);
      return found.map((user) => user?.id ?? null);
    };
    for (const caller of [tenantAdmin(tenantId), partnerAdmin(partnerId), service(tenantId, false)])
      expect(await seenBy(caller)).toEqual([other, null, null, self, null, null]);
    for (const caller of [superAdmin, platform(false)])
      expect(await seenBy(caller)).toEqual([other, foreign, null, self, null, null]);
    expect(await seenBy(plainUser(tenantId, self))).toEqual([null, null, null, self, null, null]);
    // A token that says another tenant than the directory does.
    expect(await seenBy(plainUser(stranger.tenantId, self))).toEqual([null, null, null, null, null, null]);

    const counts = async (caller: Caller) => {
      const directory = openDirectory(db, caller);
      return Promise.all(
        [tenantId, stranger.tenantId].map(async (id) => [
          await countUsers(directory, { tenantId: id }),
          (await listUsers(directory, { tenantId: id, page: {} }))?.rows.length ?? null,
        ]),
      );
    };
    for (const caller of [tenantAdmin(tenantId), partnerAdmin(partnerId), service(tenantId, false)])
      expect(await counts(caller)).toEqual([
        [2, 2],
        [0, 0],
      ]);
    for (const caller of [superAdmin, platform(false)])
      expect(await counts(caller)).toEqual([
        [2, 2],
        [1, 1],
      ]);
    expect(await counts(plainUser(tenantId, self))).toEqual([
      [null, null],
      [null, null],
    ]);
  });
});

describe('tenants and partners', () => {
  test('are seen by who sees them, in order of names and then of ids', async () => {
    const [one, two, foreign] = [await createTenant(db, 1), await createTenant(db), await createTenant(db)];
    const { partnerId } = one;
    const last = await createTenant(db);
    const rename = (id: string, name: string) =>
      db.sql(Prisma.sql`update tenants set name = ${name} where id = ${id}`);
    for (const { tenantId } of [two, last])
      await db.sql(Prisma.sql`update tenants set partner_id = ${partnerId} where id = ${tenantId}`);
    await rename(one.tenantId, 'Mine');
    await rename(two.tenantId, 'Mine');
    await rename(last.tenantId, 'Alpha');
    const expected = [
      { id: last.tenantId as string, partnerId, name: 'Alpha', slug: last.tenantId as string },
      ...[one.tenantId, two.tenantId]
        .toSorted()
        .map((id) => ({ id: id as string, partnerId, name: 'Mine', slug: id as string })),
    ];
    const listed = async (caller: Caller) => {
      const directory = openDirectory(db, caller);
      const rows: TenantRow[] = [];
      for (let after: string | null = null; ; ) {
        const page: Page<TenantRow> = await listTenants(directory, { page: { first: 100, after } });
        rows.push(...page.rows);
        after = page.cursors.at(-1) ?? null;
        if (!page.hasNextPage) break;
      }
      expect(await countTenants(directory)).toBe(rows.length);
      return rows;
    };
    const mine = expected.filter(({ id }) => id === one.tenantId);
    expect(await listed(partnerAdmin(partnerId))).toEqual(expected);
    expect(await listed(tenantAdmin(one.tenantId))).toEqual(mine);
    expect(await listed(service(one.tenantId, false))).toEqual(mine);
    expect(await listed(plainUser(one.tenantId, one.userIds[0]!))).toEqual([]);
    for (const caller of [superAdmin, platform(false)]) {
      const all = (await listed(caller)).map(({ id }) => id);
      expect(all).toEqual(
        expect.arrayContaining([one.tenantId, two.tenantId, last.tenantId, foreign.tenantId]),
      );
    }
    const byPartner = openDirectory(db, partnerAdmin(partnerId));
    const first = await listTenants(byPartner, { page: { first: 2 } });
    const rest = await listTenants(byPartner, { page: { first: 2, after: first.cursors[1]! } });
    expect([...first.rows, ...rest.rows]).toEqual(expected);
    expect([first.hasNextPage, rest.hasNextPage, rest.hasPreviousPage]).toEqual([true, false, true]);

    const asked = [one.tenantId, foreign.tenantId, newId('tenant'), partnerId, two.tenantId, ''];
    const found = async (caller: Caller) => {
      const directory = openDirectory(db, caller);
      const tenants = await findAll(findTenant, directory, asked);
      return tenants.map((tenant) => tenant && [tenant.id, tenant.partnerId, tenant.name, tenant.slug]);
    };
    const row = ({ tenantId }: { tenantId: TenantId }) => [tenantId, partnerId, 'Mine', tenantId];
    const other = [foreign.tenantId, foreign.partnerId, 'Tenant', foreign.tenantId];
    expect(await found(partnerAdmin(partnerId))).toEqual([row(one), null, null, null, row(two), null]);
    expect(await found(tenantAdmin(one.tenantId))).toEqual([row(one), null, null, null, null, null]);
    expect(await found(superAdmin)).toEqual([row(one), other, null, null, row(two), null]);
    expect(await found(plainUser(one.tenantId, one.userIds[0]!))).toEqual([
      null,
      null,
      null,
      null,
      null,
      null,
    ]);
  });

  test('a partner is seen by who sees one of its tenants', async () => {
    const { tenantId, partnerId, userIds } = await createTenant(db, 1);
    const foreign = await createTenant(db);
    const asked = [partnerId, foreign.partnerId, newId('partner'), tenantId];
    const found = async (caller: Caller) => {
      const directory = openDirectory(db, caller);
      return Promise.all(asked.map((id) => findPartner(directory, id)));
    };
    const own = { id: partnerId, name: 'Partner' };
    const other = { id: foreign.partnerId, name: 'Partner' };
    for (const caller of [tenantAdmin(tenantId), partnerAdmin(partnerId), service(tenantId, false)])
      expect(await found(caller)).toEqual([own, null, null, null]);
    for (const caller of [superAdmin, platform(false)])
      expect(await found(caller)).toEqual([own, other, null, null]);
    expect(await found(plainUser(tenantId, userIds[0]!))).toEqual([null, null, null, null]);
  });

  test('the groups of a tenant may be asked for by who sees it, and by its users', async () => {
    const { tenantId, partnerId, userIds } = await createTenant(db, 1);
    const foreign = await createTenant(db);
    const asked = [tenantId, foreign.tenantId, newId('tenant')];
    const answers = async (caller: Caller) => {
      const directory = openDirectory(db, caller);
      return Promise.all(asked.map((id) => refusal(requireTenantOfGroups(directory, id))));
    };
    const callers = [
      tenantAdmin(tenantId),
      partnerAdmin(partnerId),
      service(tenantId, false),
      plainUser(tenantId, userIds[0]!),
    ];
    for (const caller of callers)
      expect(await answers(caller)).toEqual(['done', notFound(asked[1]!), notFound(asked[2]!)]);
    expect(await answers(superAdmin)).toEqual(['done', 'done', notFound(asked[2]!)]);
  });
});
