// The changes of a tenant over REST: pages as JSON, streams by Accept, and events as consumers of the platform know them.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Database, Prisma } from '../../src/database/database.ts';
import { addGroupMembers } from '../../src/domain/commands/add-members.ts';
import { removeGroupMembers } from '../../src/domain/commands/change-members.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { deleteGroup } from '../../src/domain/commands/delete-group.ts';
import { addNestedGroups } from '../../src/domain/commands/nest-groups.ts';
import { eraseUsers } from '../../src/domain/commands/remove-users.ts';
import { updateGroup } from '../../src/domain/commands/update-group.ts';
import { upsertUsers } from '../../src/domain/commands/upsert-users.ts';
import { openDirectory } from '../../src/domain/directory.ts';
import { newId } from '../../src/model/ids.ts';
import { createTenant, openAsAdmin, superAdmin } from '../support/directories.ts';
import { eventsOf, take } from '../support/event-streams.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { type Claims, SUPER_ADMIN, startApp, type TestApp } from '../support/server.ts';

let database: TestDatabase;
let db: Database;
let server: TestApp;
beforeAll(async () => {
  database = await openTestDatabase();
  db = database.db;
  server = await startApp(db);
});
afterAll(() => database.close());

const admin = (tenantId: string): Claims => ({ sub: 'usr_admin', role: 'tenant_admin', tenant_id: tenantId });
const get = (tenantId: string, query = '', headers: Record<string, string> = {}, claims = admin(tenantId)) =>
  server.rest(claims, `GET /api/v1/tenants/${tenantId}/changes${query}`, undefined, headers);

/** The response to a stream. */
const stream = async (
  tenantId: string,
  query = '',
  headers: Record<string, string> = {},
  { app = server, signal = null as AbortSignal | null, method = 'GET' } = {},
) =>
  fetch(`${app.url}/api/v1/tenants/${tenantId}/changes${query}`, {
    method,
    headers: {
      authorization: `Bearer ${await app.tokenFor(admin(tenantId))}`,
      accept: 'text/event-stream',
      ...headers,
    },
    signal,
  });

/** A tenant in which something of many kinds happened. */
async function busyTenant() {
  const { tenantId, partnerId, userIds } = await createTenant(db, 3);
  const directory = openAsAdmin(db, tenantId);
  const { group } = await createGroup(directory, { tenantId, name: 'Team', customAttributes: { room: 7 } });
  await addGroupMembers(directory, { groupId: group.id, userIds: userIds.slice(0, 2) });
  await removeGroupMembers(directory, { groupId: group.id, userIds: [userIds[0]!] });
  await updateGroup(directory, { id: group.id, description: 'Text' });
  const { group: child } = await createGroup(directory, { tenantId, name: 'Part', parentGroupId: group.id });
  await addNestedGroups(directory, { groupId: group.id, childGroupIds: [child.id] });
  const users = [{ id: userIds[2]!, email: 'new@example.org', displayName: 'New name' }];
  await upsertUsers(openDirectory(db, superAdmin), { tenantId, users });
  await deleteGroup(directory, { id: group.id, strategy: 'ORPHAN' });
  return { tenantId, partnerId, userIds, group: group.id, child: child.id };
}

describe('a page', () => {
  test('has events as consumers know them', async () => {
    const { tenantId, partnerId, userIds, group, child } = await busyTenant();
    const { status, body } = await get(tenantId);
    expect(status).toBe(200);
    const [created, added, removed, updated, , nested, upserted] = body.data;
    expect(created).toEqual({
      event_id: expect.stringMatching(/^[0-9a-f-]{36}\.0$/),
      event_type: 'group.created',
      timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
      resource: { type: 'group', id: group },
      actor: { id: 'usr_administrator', type: 'user' },
      data: {
        after: {
          name: 'Team',
          description: null,
          parent_group_id: null,
          custom_attributes: { room: 7 },
          group_type: 'SECURITY',
        },
      },
      tenant_id: tenantId,
      partner_id: partnerId,
      position: '1',
      cursor: expect.stringMatching(/^1\.0\.[0-9a-f]{8}$/),
    });
    expect([added, removed].map((event) => [event.event_type, event.resource, event.data])).toEqual([
      ['group_membership.added', { type: 'group', id: group }, { user_ids: userIds.slice(0, 2) }],
      [
        'group_membership.removed',
        { type: 'group', id: group },
        { user_ids: [userIds[0]], cause: 'REMOVED' },
      ],
    ]);
    expect(updated.data).toMatchObject({
      changed: ['description'],
      before: { description: null, group_type: 'SECURITY' },
      after: { description: 'Text' },
    });
    expect(nested).toMatchObject({ event_type: 'group_nesting.added', data: { child_group_ids: [child] } });
    expect(upserted).toMatchObject({
      event_type: 'users.upserted',
      resource: { type: 'tenant', id: tenantId },
      actor: { id: 'usr_root', type: 'user' },
      data: {
        user_ids: [userIds[2]],
        upserts: [{ user_id: userIds[2], after: { display_name: 'New name' } }],
      },
    });
    const deleted = body.data.find((event: { event_type: string }) => event.event_type === 'group.deleted');
    expect(deleted.data).toEqual({ strategy: 'ORPHAN', user_ids: [userIds[1]], child_group_ids: [child] });
    const moved = body.data.find((event: { position: string }) => event.position === deleted.position);
    expect(moved.data).toMatchObject({ changed: ['parent_group_id'], before: { parent_group_id: group } });
    // Erased, a user is named by its id alone.
    await eraseUsers(openAsAdmin(db, tenantId), { tenantId, userIds: [userIds[2]!] });
    const again = (await get(tenantId)).body.data;
    expect(JSON.stringify(again)).not.toContain('New name');
    expect(again[6].data.upserts).toEqual([{ user_id: userIds[2] }]);
    expect(again[6].event_id).toBe(upserted.event_id);
  });

  test('tells where to go on, also when there is nothing more', async () => {
    const { tenantId } = await busyTenant();
    const all = (await get(tenantId)).body;
    expect(all.pagination).toEqual({ cursor: all.data.at(-1).cursor, has_more: false });
    const ids = all.data.map((event: { event_id: string }) => event.event_id);
    expect(new Set(ids).size).toBe(ids.length);
    const walked: string[] = [];
    for (let cursor = '0'; ; ) {
      const { body } = await get(tenantId, `?limit=3&after=${cursor}`);
      walked.push(...body.data.map((event: { event_id: string }) => event.event_id));
      ({ cursor } = body.pagination);
      if (!body.pagination.has_more) break;
    }
    expect(walked).toEqual(ids);
    const end = (await get(tenantId, `?after=${all.pagination.cursor}`)).body;
    expect([end.data, end.pagination]).toEqual([[], { cursor: all.pagination.cursor, has_more: false }]);
    const { tenantId: empty } = await createTenant(db);
    expect((await get(empty)).body.pagination).toEqual({ cursor: '0', has_more: false });
  });

  test('is of some types', async () => {
    const { tenantId } = await busyTenant();
    const { body } = await get(tenantId, '?types=group.deleted,%20users.upserted,');
    expect(body.data.map((event: { event_type: string }) => event.event_type)).toEqual([
      'users.upserted',
      'group.deleted',
    ]);
    expect((await get(tenantId, '?types=group.eaten')).status).toBe(422);
  });

  test.each(['?limit=0', '?limit=101', '?limit=1e1', '?after=x', '?limit=1&limit=2'])(
    'refuses %s',
    async (query) => {
      const { tenantId } = await createTenant(db);
      expect((await get(tenantId, query)).status).toBe(422);
    },
  );

  test('has gone with the history of its cursor', async () => {
    const { tenantId } = await createTenant(db);
    const { status, body } = await get(tenantId, '?after=9');
    expect(status).toBe(410);
    expect(body.detail).toMatchObject({ code: 'CURSOR_EXPIRED', cursor: '9' });
  });

  test('is for those who see the tenant', async () => {
    const { tenantId, userIds, partnerId } = await busyTenant();
    const { tenantId: other, partnerId: otherPartner } = await createTenant(db);
    const never = newId('tenant');
    for (const claims of [
      admin(other),
      { sub: userIds[0], tenant_id: tenantId },
      { sub: 'usr_partner', role: 'partner_admin', partner_id: otherPartner },
    ] as Claims[])
      for (const accept of ['application/json', 'text/event-stream']) {
        const hidden = await get(tenantId, '', { accept }, claims);
        const unknown = await get(never, '', { accept }, claims);
        expect([hidden.status, unknown.status]).toEqual([404, 404]);
        expect(hidden.body.detail).toBe(unknown.body.detail.replace(never, tenantId));
      }
    const partner = { sub: 'usr_partner', role: 'partner_admin', partner_id: partnerId };
    const reader = { sub: 'client', tenant_id: tenantId, scope: 'groups:read' };
    for (const claims of [partner, reader, SUPER_ADMIN])
      expect((await get(tenantId, '', {}, claims)).status).toBe(200);
  });
});

describe('a stream', () => {
  test('has the events of pages, with their cursors as ids, and goes on', async () => {
    const { tenantId } = await busyTenant();
    const { data } = (await get(tenantId)).body;
    const response = await stream(tenantId, '?after=0&limit=2', { 'accept-encoding': 'gzip' });
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
    });
    expect(response.headers.get('content-encoding')).toBeNull();
    const events = eventsOf(response);
    const first = await take(events, data.length);
    expect(first.map((event) => JSON.parse(event.data))).toEqual(data);
    expect(first.map(({ id, event }) => [id, event])).toEqual(
      data.map((event: { cursor: string; event_type: string }) => [event.cursor, event.event_type]),
    );
    await createGroup(openAsAdmin(db, tenantId), { tenantId, name: 'Next' });
    const [next] = await take(events, 1);
    expect(JSON.parse(next!.data)).toMatchObject({
      event_type: 'group.created',
      data: { after: { name: 'Next' } },
    });
    await events.return(undefined);
  });

  test('goes on from Last-Event-ID, whatever `after` says; without both it begins now', async () => {
    const { tenantId } = await busyTenant();
    const { data } = (await get(tenantId)).body;
    const events = eventsOf(await stream(tenantId, '?after=0', { 'last-event-id': data[4].cursor }));
    const [next] = await take(events, 1);
    expect(next!.id).toBe(data[5].cursor);
    await events.return(undefined);
    const fresh = eventsOf(await stream(tenantId, '?types=group.created'));
    await createGroup(openAsAdmin(db, tenantId), { tenantId, name: 'Next' });
    const [created] = await take(fresh, 1);
    expect(JSON.parse(created!.data).data.after.name).toBe('Next');
    await fresh.return(undefined);
  });

  test('ends with an error that says why', async () => {
    const { tenantId } = await busyTenant();
    const events = eventsOf(await stream(tenantId));
    await db.sql(Prisma.sql`delete from changes where tenant_id = ${tenantId}`);
    await db.sql(
      Prisma.sql`update tenant_logs set position = 0, change_id = gen_random_uuid() where tenant_id = ${tenantId}`,
    );
    const [fault] = await take(events, 1);
    expect(fault).toMatchObject({ event: 'error', id: null });
    expect(JSON.parse(fault!.data).detail).toMatchObject({ code: 'CURSOR_EXPIRED' });
    expect((await events.next()).done).toBe(true);
  });

  test('is refused before it begins as any request is', async () => {
    const { tenantId } = await createTenant(db);
    expect((await stream(tenantId, '?after=9')).status).toBe(410);
    expect((await stream(tenantId, '?after=x')).status).toBe(422);
    expect((await stream(tenantId, '', { authorization: 'Bearer nonsense' })).status).toBe(401);
  });

  test('counts among the open streams of its caller, and no more once it is closed', async () => {
    const app = await startApp(db, { LIMIT_STREAMS_PER_CALLER: '1' });
    const { tenantId } = await createTenant(db);
    const aborter = new AbortController();
    const open = (signal: AbortSignal | null = null) => stream(tenantId, '', {}, { app, signal });
    expect((await open(aborter.signal)).status).toBe(200);
    const refused = await open();
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
    expect(await refused.json()).toMatchObject({ detail: { code: 'TOO_MANY_STREAMS', limit: 1 } });
    // One that is refused for another reason holds no place, and HEAD opens no stream.
    aborter.abort();
    await expect.poll(async () => (await stream(tenantId, '?after=9', {}, { app })).status).toBe(410);
    expect((await stream(tenantId, '', {}, { app, method: 'HEAD' })).status).toBe(200);
    const last = new AbortController();
    expect((await open(last.signal)).status).toBe(200);
    last.abort();
  });
});
