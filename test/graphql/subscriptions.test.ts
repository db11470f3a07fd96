// The change feed as a subscription, over HTTP: nothing is skipped or doubled, whatever happens to gateway and database; and it
// is for those who may see it, as long as they may.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { Agent, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, createClient } from 'graphql-sse';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { developmentKey, signDevelopmentToken } from '../../src/auth/development-key.ts';
import { type Database, Prisma } from '../../src/database/database.ts';
import { openDatabase } from '../../src/database/open.ts';
import { addGroupMembers } from '../../src/domain/commands/add-members.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { updateGroup } from '../../src/domain/commands/update-group.ts';
import { listen } from '../../src/http/server.ts';
import { newId, type TenantId } from '../../src/model/ids.ts';
import { startTcpProxy } from '../chaos/tcp-proxy.ts';
import { createTenant, openAsAdmin } from '../support/directories.ts';
import { startEmbedded } from '../support/embedded-postgres.ts';
import { eventsOf, take } from '../support/event-streams.ts';
import { recorder } from '../support/log.ts';
import { parseSamples } from '../support/metrics.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { startServer } from '../support/process.ts';
import { type Claims, SUPER_ADMIN, startApp, type TestApp } from '../support/server.ts';
import { PATIENT } from '../support/timeouts.ts';

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

const CHANGES = `subscription ($tenantId: ID!, $after: String, $types: [ChangeType!]) {
  changes(tenantId: $tenantId, after: $after, types: $types) { __typename cursor position }
}`;
type Event = {
  data?: { changes: { __typename: string; cursor: string; position: string } } | null;
  errors?: Fault[];
};
type Fault = { message: string; extensions: { code: string; [name: string]: unknown } };

const clients: Client[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.dispose();
});

/** The events of a subscription by the client `graphql-sse`. */
async function subscribe(app: TestApp, claims: Claims, variables: object, query = CHANGES) {
  const client = createClient({
    url: `${app.url}/graphql`,
    headers: { authorization: `Bearer ${await app.tokenFor(claims)}` },
    retryAttempts: 0,
  });
  clients.push(client);
  return client.iterate({
    query,
    variables: variables as Record<string, unknown>,
  }) as AsyncIterableIterator<Event>;
}

/** The response to a subscription, as it is sent. */
async function stream(
  app: TestApp,
  token: string,
  variables: object,
  { query = CHANGES, headers = {}, signal = null as AbortSignal | null } = {},
) {
  return fetch(`${app.url}/graphql`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      accept: 'text/event-stream',
      'content-type': 'application/json',
      ...headers,
    },
    body: JSON.stringify({ query, variables }),
    signal,
  });
}

const create = (tenantId: TenantId, name: string, on = db) =>
  createGroup(openAsAdmin(on, tenantId), { tenantId, name });

/** All changes of a tenant's log, as events tell them. */
const logOf = async (tenantId: TenantId, on = db) =>
  (
    await on.sql<{ cursor: string }>(Prisma.sql`
      select position || '.' || ordinal || '.' || left(change_id::text, 8) as cursor from changes
      where tenant_id = ${tenantId} order by position, ordinal`)
  ).map(({ cursor }) => cursor);
const cursorsOf = (events: Event[]) => events.map(({ data }) => data!.changes.cursor);

const openStreams = async (app: TestApp) => {
  const response = await fetch(`${app.url}/metrics`);
  return parseSamples(await response.text()).get('coterie_open_streams{route="/graphql"}') ?? 0;
};

describe('changes', () => {
  test('come from the cursor on, and then as they happen, all of them', async () => {
    const { tenantId, userIds } = await createTenant(db, 3);
    const { group } = await create(tenantId, 'First');
    await addGroupMembers(openAsAdmin(db, tenantId), { groupId: group.id, userIds });
    const events = await subscribe(server, admin(tenantId), { tenantId, after: '0' });
    const before = await take(events, 2);
    expect(before.map(({ data }) => data!.changes.__typename)).toEqual(['GroupCreated', 'MembersAdded']);
    const initialMemberIds = userIds;
    await createGroup(openAsAdmin(db, tenantId), { tenantId, name: 'Second', initialMemberIds });
    const after = await take(events, 2);
    expect(after.map(({ data }) => data!.changes)).toMatchObject([
      { __typename: 'GroupCreated', position: '3' },
      { __typename: 'MembersAdded', position: '3' },
    ]);
    expect(cursorsOf([...before, ...after])).toEqual(await logOf(tenantId));
    // From the middle of a position.
    const [last] = await take(
      await subscribe(server, admin(tenantId), { tenantId, after: cursorsOf(after)[0] }),
      1,
    );
    expect(last).toEqual(after[1]);
  });

  test('without a cursor come from now on; with types only these', async () => {
    const { tenantId } = await createTenant(db);
    await create(tenantId, 'Before');
    const types = ['GROUP_UPDATED'];
    const events = await subscribe(server, admin(tenantId), { tenantId, types });
    const first = events.next();
    await expect.poll(() => openStreams(server)).toBe(1);
    const { group } = await create(tenantId, 'After');
    await updateGroup(openAsAdmin(db, tenantId), { id: group.id, name: 'Renamed' });
    expect((await first).value).toMatchObject({
      data: { changes: { __typename: 'GroupUpdated', position: '3' } },
    });
    await events.return!();
    await expect.poll(() => openStreams(server)).toBe(0);
  });

  test('of another process come within 200 ms', async () => {
    const { tenantId } = await createTenant(db);
    const events = await subscribe(server, admin(tenantId), { tenantId, after: '0' });
    const other = await openDatabase({ url: database.url, dataDir: '', timeouts: PATIENT });
    const delays: number[] = [];
    for (let at = 0; at < 20; at += 1) {
      await create(tenantId, `Group ${at}`, other);
      const committed = performance.now();
      await take(events, 1);
      delays.push(performance.now() - committed);
    }
    await other.close();
    delays.sort((a, b) => a - b);
    // Of most: a test shares its machine with others.
    expect(delays[10]).toBeLessThan(200);
  });

  test('have what they are about as it is now, read for each event', async () => {
    const { tenantId } = await createTenant(db);
    const query = CHANGES.replace('position }', 'position ... on GroupChange { group { name version } } }');
    const events = await subscribe(server, admin(tenantId), { tenantId, after: '0' }, query);
    const { group } = await create(tenantId, 'Old name');
    expect((await take(events, 1))[0]).toMatchObject({
      data: { changes: { group: { name: 'Old name', version: 1 } } },
    });
    await updateGroup(openAsAdmin(db, tenantId), { id: group.id, name: 'New name' });
    expect((await take(events, 1))[0]).toMatchObject({
      data: { changes: { group: { name: 'New name', version: 2 } } },
    });
  });

  test('of many are read by one statement a poll, and none once nobody listens', async () => {
    const tenants = await Promise.all(Array.from({ length: 5 }, () => createTenant(db)));
    const own = { ...db };
    const app = await startApp(own);
    const polls: string[] = [];
    const stop = db.onStatement(
      (text) => text.includes('from tenant_logs\n') && text.includes('any(') && polls.push(text),
    );
    const all = await Promise.all(
      tenants.map(async ({ tenantId }) => subscribe(app, SUPER_ADMIN, { tenantId, after: '0' })),
    );
    const firsts = all.map((events) => events.next());
    await expect.poll(() => openStreams(app)).toBe(5);
    const [before, started] = [polls.length, performance.now()];
    await new Promise((resolve) => setTimeout(resolve, 500));
    // Each waits at least 50 ms for the next.
    expect(polls.length - before).toBeLessThanOrEqual(1 + (performance.now() - started) / 50);
    expect(polls.length).toBeGreaterThan(before);
    for (const { tenantId } of tenants) await create(tenantId, 'One');
    expect((await Promise.all(firsts)).map(({ value }) => value.data.changes.position)).toEqual([
      '1',
      '1',
      '1',
      '1',
      '1',
    ]);
    await Promise.all(all.map((events) => events.return!()));
    await expect.poll(() => openStreams(app)).toBe(0);
    await new Promise((resolve) => setTimeout(resolve, 200));
    const after = polls.length;
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(polls.length).toBe(after);
    stop();
  });
});

describe('a subscription is refused', () => {
  const faultOf = async (claims: Claims, variables: object, query = CHANGES) => {
    const events = await subscribe(server, claims, variables, query);
    const { value } = await events.next();
    expect((await events.next()).done).toBe(true);
    return (value as Event).errors![0]!;
  };

  test('to those who do not see the tenant, as for one that was never issued', async () => {
    const { tenantId, partnerId, userIds } = await createTenant(db, 1);
    const { tenantId: other, partnerId: otherPartner } = await createTenant(db);
    await create(tenantId, 'Group');
    const callers: Claims[] = [
      admin(other),
      { sub: userIds[0], tenant_id: tenantId },
      { sub: 'usr_partner', role: 'partner_admin', partner_id: otherPartner },
      { sub: 'client', tenant_id: other, scope: 'groups:read' },
    ];
    const never = newId('tenant');
    for (const claims of callers)
      for (const after of [undefined, '0', '77']) {
        const hidden = await faultOf(claims, { tenantId, after });
        expect(hidden.extensions).toEqual({ code: 'NOT_FOUND', id: tenantId });
        const unknown = await faultOf(claims, { tenantId: never, after });
        expect(JSON.stringify(hidden).replaceAll(tenantId, '')).toBe(
          JSON.stringify(unknown).replaceAll(never, ''),
        );
      }
    const partner = { sub: 'usr_partner', role: 'partner_admin', partner_id: partnerId };
    const reader = { sub: 'client', tenant_id: tenantId, scope: 'groups:read' };
    for (const claims of [partner, reader, SUPER_ADMIN, admin(tenantId)])
      expect(await take(await subscribe(server, claims, { tenantId, after: '0' }), 1)).toHaveLength(1);
  });

  test('with a cursor that the log does not hold, or that is none', async () => {
    const { tenantId } = await createTenant(db);
    const expired = await faultOf(admin(tenantId), { tenantId, after: '7' });
    expect(expired.extensions).toEqual({ code: 'CURSOR_EXPIRED', cursor: '7' });
    const invalid = await faultOf(admin(tenantId), { tenantId, after: 'x' });
    expect(invalid.extensions).toMatchObject({ code: 'VALIDATION_FAILED', fields: [{ path: ['after'] }] });
  });

  test('without a token', async () => {
    const response = await stream(server, 'nonsense', {});
    expect(response.status).toBe(401);
  });

  test('as plain JSON, on the fast path too', async () => {
    const { tenantId } = await createTenant(db);
    for (const accept of [
      'application/json',
      '*/*',
      'application/graphql-response+json',
      'multipart/mixed',
    ]) {
      const response = await stream(
        server,
        await server.tokenFor(admin(tenantId)),
        { tenantId },
        { headers: { accept } },
      );
      if (accept !== 'multipart/mixed')
        expect(((await response.json()) as Event).errors![0]).toEqual({
          message: 'Subscriptions are answered as server-sent events: send `Accept: text/event-stream`',
          extensions: { code: 'NOT_ACCEPTABLE' },
        });
      expect(response.status).toBe(406);
    }
  });

  test('if an event could cost more than the limit', async () => {
    const { tenantId } = await createTenant(db);
    const members =
      'members(first: 100) { edges { node { userId user { effectiveGroups(first: 100) { totalCount edges { node { name } } } } } } }';
    const query = CHANGES.replace('position }', `position ... on GroupChange { group { ${members} } } }`);
    const fault = await faultOf(admin(tenantId), { tenantId }, query);
    expect(fault.extensions).toMatchObject({ code: 'LIMIT_EXCEEDED', limit: 10_000 });
    expect(await openStreams(server)).toBe(0);
  });

  test('if the caller, or all callers, have too many', async () => {
    const app = await startApp(db, { LIMIT_STREAMS_PER_CALLER: '2', LIMIT_STREAMS: '3' });
    const { tenantId } = await createTenant(db);
    const open = async (claims: Claims) => {
      const aborter = new AbortController();
      const response = await stream(
        app,
        await app.tokenFor(claims),
        { tenantId, after: '0' },
        { signal: aborter.signal },
      );
      return { response, close: () => aborter.abort() };
    };
    const own = [await open(admin(tenantId)), await open(admin(tenantId))];
    const { response } = await open(admin(tenantId));
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '1']);
    const [event] = await take(eventsOf(response), 1);
    expect(JSON.parse(event!.data).errors[0]).toMatchObject({
      extensions: { code: 'TOO_MANY_STREAMS', limit: 2 },
    });
    const other = await open({ ...admin(tenantId), sub: 'usr_other' });
    expect(other.response.status).toBe(200);
    const last = await open({ ...admin(tenantId), sub: 'usr_last' });
    expect([last.response.status, last.response.headers.get('retry-after')]).toEqual([503, '1']);
    // One that ends makes room.
    for (const each of own) each.close();
    await expect.poll(() => openStreams(app)).toBe(1);
    const again = await open(admin(tenantId));
    expect(again.response.status).toBe(200);
    for (const each of [other, again]) each.close();
    await expect.poll(() => openStreams(app)).toBe(0);
  });

  test('if it is not registered; it is answered if it is', async () => {
    const id = createHash('sha256').update(CHANGES).digest('hex');
    const path = join(await mkdtemp(join(tmpdir(), 'coterie-test-')), 'operations.json');
    await writeFile(path, JSON.stringify({ [id]: CHANGES }));
    const app = await startApp(db, { TRUSTED_DOCUMENTS: path });
    const { tenantId } = await createTenant(db);
    await create(tenantId, 'Group');
    const send = async (params: object) =>
      fetch(`${app.url}/graphql`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${await app.tokenFor(admin(tenantId))}`,
          accept: 'text/event-stream',
          'content-type': 'application/json',
        },
        body: JSON.stringify({ variables: { tenantId, after: '0' }, ...params }),
      });
    const [refused] = await take(eventsOf(await send({ query: CHANGES })), 1);
    expect(JSON.parse(refused!.data).errors[0].extensions.code).toBe('DOCUMENT_ID_REQUIRED');
    const events = eventsOf(await send({ documentId: id }));
    const [event] = await take(events, 1);
    expect(JSON.parse(event!.data).data.changes.position).toBe('1');
    await events.return(undefined);
  });
});

describe('a stream ends', () => {
  test('with an error when the token expires, also while it waits', async () => {
    const { tenantId } = await createTenant(db);
    const key = await developmentKey(server.dataDir);
    // The server tolerates clocks that differ by a minute.
    const expires = Math.floor(Date.now() / 1_000) - 60 + 2;
    const token = await signDevelopmentToken(key, admin(tenantId), new Date(expires * 1_000) as never);
    const events = eventsOf(await stream(server, token, { tenantId }));
    await create(tenantId, 'In time');
    const [change, fault, complete] = await take(events, 3);
    expect(JSON.parse(change!.data).data.changes.position).toBe('1');
    expect(Date.now()).toBeGreaterThanOrEqual((expires + 60) * 1_000);
    expect(JSON.parse(fault!.data).errors).toMatchObject([
      { message: 'The token has expired', extensions: { code: 'UNAUTHENTICATED' } },
    ]);
    expect(complete!.event).toBe('complete');
    expect((await events.next()).done).toBe(true);
    await expect.poll(() => openStreams(server)).toBe(0);
  });

  test('with an error when the log loses what was read', async () => {
    const { tenantId } = await createTenant(db);
    await create(tenantId, 'One');
    const app = await startApp(db, { LIMIT_STREAMS_PER_CALLER: '1' });
    const events = await subscribe(app, admin(tenantId), { tenantId, after: '0' });
    await take(events, 1);
    await db.sql(Prisma.sql`delete from changes where tenant_id = ${tenantId}`);
    await db.sql(
      Prisma.sql`update tenant_logs set position = 0, change_id = gen_random_uuid() where tenant_id = ${tenantId}`,
    );
    const [fault] = await take(events, 1);
    expect(fault!.errors![0]!.extensions.code).toBe('CURSOR_EXPIRED');
    expect((await events.next()).done).toBe(true);
    // Its place is free for the next one, which begins with what there is now.
    const next = await subscribe(app, admin(tenantId), { tenantId, after: '0' });
    await create(tenantId, 'Two');
    expect((await take(next, 1))[0]).toMatchObject({ data: { changes: { position: '1' } } });
  });

  test('when the caller no longer sees the tenant', async () => {
    const { tenantId, partnerId } = await createTenant(db);
    const { partnerId: other } = await createTenant(db);
    const claims = { sub: 'usr_partner', role: 'partner_admin', partner_id: partnerId };
    const events = await subscribe(server, claims, { tenantId, after: '0' });
    await create(tenantId, 'Seen');
    await take(events, 1);
    await db.sql(Prisma.sql`update tenants set partner_id = ${other} where id = ${tenantId}`);
    await create(tenantId, 'Hidden');
    expect((await events.next()).done).toBe(true);
  });

  test('when the server stops, at once and without an error of the connection', async () => {
    const { tenantId } = await createTenant(db);
    const stopped = await listen(server.app.listener, {
      host: '127.0.0.1',
      port: 0,
      timeouts: { request: 10_000, headers: 10_000 },
    });
    const token = await server.tokenFor(admin(tenantId));
    const responses = await Promise.all(
      [1, 2, 3].map(() => stream({ ...server, url: stopped.url }, token, { tenantId })),
    );
    await expect.poll(() => openStreams(server)).toBe(3);
    const started = performance.now();
    await stopped.stop();
    expect(performance.now() - started).toBeLessThan(2_000);
    for (const response of responses) expect(await response.text()).not.toContain('event: complete');
    await expect.poll(() => openStreams(server)).toBe(0);
  });

  test('when its client left before it began, at whichever statement', async () => {
    const app = await startApp(db, { LIMIT_STREAMS_PER_CALLER: '1' });
    const { tenantId } = await createTenant(db);
    const headers = {
      authorization: `Bearer ${await app.tokenFor(admin(tenantId))}`,
      accept: 'text/event-stream',
      'content-type': 'application/json',
    };
    const body = JSON.stringify({ query: CHANGES, variables: { tenantId } });
    for (let at = 1, statements = at; statements >= at; at += 1) {
      const leaving = new AbortController();
      statements = 0;
      const stop = db.onStatement(() => {
        statements += 1;
        if (statements === at) leaving.abort();
      });
      const request = { method: 'POST', headers, body, signal: leaving.signal };
      await app.app.fetch(new Request(`${app.url}/graphql`, request)).catch(() => {});
      stop();
      leaving.abort();
      // Its place is free for the next one.
      await expect
        .poll(async () => {
          const next = await stream(app, await app.tokenFor(admin(tenantId)), { tenantId });
          await next.body!.cancel();
          return next.status;
        })
        .toBe(200);
    }
  });

  test('when its receiver takes nothing for too long; one that reads gets the same changes', async () => {
    const app = await startApp(db, { TIMEOUT_RECEIVER_MS: '500' });
    const { tenantId } = await createTenant(db);
    const directory = openAsAdmin(db, tenantId);
    const { group } = await createGroup(directory, { tenantId, name: 'Large' });
    // More than the kernel holds for a connection.
    const description = 'x'.repeat(4_000);
    await db.sql(Prisma.sql`
      insert into changes (tenant_id, position, ordinal, change_id, at, type, actor_id, actor_type, group_id, data)
      select ${tenantId}, n, 0, gen_random_uuid(), now(), 'group.updated', 'usr_a', 'user', ${group.id},
        jsonb_build_object('changed', '[]'::jsonb, 'before', jsonb_build_object('description', ${description}::text))
      from generate_series(2, 5000) n`);
    await db.sql(Prisma.sql`
      update tenant_logs l set position = 5000, change_id = c.change_id from changes c
      where l.tenant_id = ${tenantId} and c.tenant_id = l.tenant_id and c.position = 5000`);
    const query = CHANGES.replace('position }', 'position ... on GroupUpdated { before { description } } }');
    const body = JSON.stringify({ query, variables: { tenantId, after: '0' } });
    const token = await app.tokenFor(admin(tenantId));
    const socket = connect(Number(new URL(app.url).port), '127.0.0.1');
    await once(socket, 'connect');
    socket.pause();
    socket.on('error', () => {});
    socket.write(
      `POST /graphql HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${token}\r\naccept: text/event-stream\r\n` +
        `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
    await expect.poll(() => openStreams(app)).toBe(1);
    await expect.poll(() => openStreams(app)).toBe(0);
    socket.destroy();
    const events = eventsOf(await stream(app, token, { tenantId, after: '0' }, { query }));
    const all = await take(events, 5_000);
    await events.return(undefined);
    expect(all.map(({ data }) => JSON.parse(data).data.changes.cursor)).toEqual(await logOf(tenantId));
  });
});

test('a stream has the headers of any response, and one line of the log when it ends', async () => {
  const { logger, lines } = recorder();
  const app = await startApp(db, { CORS_ORIGINS: 'https://app.example' }, { logger });
  const { tenantId } = await createTenant(db);
  const aborter = new AbortController();
  const response = await stream(
    app,
    await app.tokenFor(admin(tenantId)),
    { tenantId },
    {
      headers: { 'x-request-id': 'stream-1', origin: 'https://app.example', 'accept-encoding': 'br, gzip' },
      signal: aborter.signal,
    },
  );
  expect(Object.fromEntries(response.headers)).toMatchObject({
    'content-type': 'text/event-stream',
    'x-request-id': 'stream-1',
    'access-control-allow-origin': 'https://app.example',
    'x-accel-buffering': 'no',
    'cache-control': 'no-cache',
  });
  const ofStream = () => lines.filter(({ requestId }) => requestId === 'stream-1');
  await create(tenantId, 'Group');
  const [event] = await take(eventsOf(response), 1);
  expect(JSON.parse(event!.data).data.changes.position).toBe('1');
  expect(ofStream()).toEqual([]);
  const counted = parseSamples(await (await fetch(`${app.url}/metrics`)).text());
  expect(counted.get('coterie_request_duration_seconds_count{route="/graphql",status="200"}')).toBe(1);
  aborter.abort();
  await expect.poll(ofStream).toHaveLength(1);
  expect(ofStream()[0]).toMatchObject({
    method: 'POST',
    path: '/graphql',
    status: 200,
    subject: 'usr_admin',
    tenantId,
  });
  expect(ofStream()[0].seconds).toBeGreaterThan(0.01);
});

/** Listens through whatever happens: from the last cursor on, whenever the stream ends; until the predicate holds. */
async function listenOn(
  urlOf: () => string,
  token: string,
  tenantId: TenantId,
  isEnough: (cursors: string[]) => boolean,
  cursors: string[] = [],
) {
  let connections = 0;
  while (!isEnough(cursors)) {
    try {
      const response = await stream({ ...server, url: urlOf() }, token, {
        tenantId,
        after: cursors.at(-1) ?? '0',
      });
      connections += 1;
      for await (const { data, event } of eventsOf(response)) {
        if (event !== 'next') break;
        const { errors, data: change } = JSON.parse(data) as Event;
        if (errors) throw new Error(JSON.stringify(errors));
        cursors.push(change!.changes.cursor);
        if (isEnough(cursors)) break;
      }
    } catch (error) {
      if (!/terminated|fetch failed|UNAVAILABLE/.test(String(error))) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return { cursors, connections };
}

test('nothing is skipped or doubled when gateways are killed in the middle', async () => {
  const { tenantId } = await createTenant(db, 5);
  const start = () =>
    startServer({ DATABASE_URL: database.url, DATA_DIR: server.dataDir, SEED_DEMO: 'false' });
  let gateway = await start();
  const token = await server.tokenFor(admin(tenantId));
  let isOver = false;
  let count = 0;
  const writing = (async () => {
    while (!isOver) await create(tenantId, `Group ${count++}`);
  })();
  const received: string[] = [];
  const isEnough = (cursors: string[]) => isOver && cursors.length >= count;
  const listening = listenOn(() => gateway.url, token, tenantId, isEnough, received);
  for (let kills = 0; kills < 3; kills += 1) {
    const before = received.length;
    await expect.poll(() => received.length).toBeGreaterThan(before + 5);
    await gateway.kill();
    gateway = await start();
  }
  const before = received.length;
  await expect.poll(() => received.length).toBeGreaterThan(before);
  isOver = true;
  await writing;
  const { cursors, connections } = await listening;
  expect(cursors).toEqual(await logOf(tenantId));
  expect(connections).toBeGreaterThan(3);
  // A stream that is open does not keep the process from stopping.
  const last = await stream({ ...server, url: gateway.url }, token, { tenantId });
  const started = performance.now();
  expect(await gateway.stop()).toBe(0);
  expect(performance.now() - started).toBeLessThan(5_000);
  await last.text();
}, 120_000);

test('nothing is skipped or doubled when the database restarts: streams stay open', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'coterie-postgres-'));
  const settings = { fsync: 'off', max_connections: '50' };
  let postgres = await startEmbedded({ folder, fresh: true, settings, initdbFlags: ['--no-sync'] });
  const proxy = await startTcpProxy();
  proxy.aim(Number(new URL(postgres.url).port));
  const url = postgres.url.replace(/:\d+$/, `:${proxy.port}/postgres`);
  const own = await openDatabase({ url, dataDir: '' });
  const app = await startApp(own);
  const { tenantId } = await createTenant(own);
  const token = await app.tokenFor(admin(tenantId));
  let isOver = false;
  let count = 0;
  const writing = (async () => {
    while (!isOver)
      await create(tenantId, `Group ${count++}`, own).catch(
        () => new Promise((resolve) => setTimeout(resolve, 50)),
      );
  })();
  let stored: string[] | null = null;
  const listening = listenOn(
    () => app.url,
    token,
    tenantId,
    (cursors) => stored !== null && cursors.length >= stored.length,
  );
  for (let restarts = 0; restarts < 2; restarts += 1) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    proxy.cut();
    await postgres.stop();
    postgres = await startEmbedded({ folder, fresh: false, settings });
    proxy.aim(Number(new URL(postgres.url).port));
  }
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  isOver = true;
  await writing;
  stored = await logOf(tenantId, own);
  expect(stored.length).toBeGreaterThan(20);
  const { cursors, connections } = await listening;
  expect(cursors).toEqual(stored);
  expect(connections).toBe(1);
  await own.close();
  await proxy.stop();
  await postgres.stop();
}, 120_000);

test('a thousand idle subscribers take little memory, and each gets what happens', async () => {
  const tenants = await Promise.all(Array.from({ length: 10 }, () => createTenant(db)));
  const gateway = await startServer({
    DATABASE_URL: database.url,
    DATA_DIR: server.dataDir,
    SEED_DEMO: 'false',
    LIMIT_STREAMS_PER_CALLER: '1010',
  });
  const memory = () =>
    Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${gateway.child.pid}/status`, 'utf8'))![1]) / 1_000;
  const token = await server.tokenFor(SUPER_ADMIN);
  const agent = new Agent({ keepAlive: false, maxSockets: Number.POSITIVE_INFINITY });
  const open = (tenantId: TenantId) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const headers = {
        authorization: `Bearer ${token}`,
        accept: 'text/event-stream',
        'content-type': 'application/json',
      };
      const sent = request(`${gateway.url}/graphql`, { method: 'POST', headers, agent }, resolve);
      sent.on('error', reject).end(JSON.stringify({ query: CHANGES, variables: { tenantId, after: '0' } }));
    });
  // The first requests load and compile what later ones share.
  for (const response of await Promise.all(tenants.map(({ tenantId }) => open(tenantId)))) response.destroy();
  const before = memory();
  const responses: IncomingMessage[] = [];
  for (let at = 0; at < 1_000; at += 50)
    responses.push(
      ...(await Promise.all(
        Array.from({ length: 50 }, (_, index) => open(tenants[(at + index) % 10]!.tenantId)),
      )),
    );
  let received = 0;
  for (const response of responses) {
    expect(response.statusCode).toBe(200);
    response.setEncoding('utf8').on('data', (text: string) => {
      received += text.split('event: next').length - 1;
    });
  }
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const taken = memory() - before;
  console.info(`1,000 idle subscribers: ${taken.toFixed(0)} MB beside ${before.toFixed(0)} MB`);
  // They are there: each gets what happens.
  const started = performance.now();
  for (const { tenantId } of tenants) await create(tenantId, 'Group');
  await expect.poll(() => received, { interval: 5 }).toBe(1_000);
  console.info(`10 changes reach 1,000 subscribers in ${(performance.now() - started).toFixed(0)} ms`);
  // What opening them took is given back once the collector runs, some half a minute later.
  await expect.poll(() => memory() - before, { timeout: 90_000, interval: 1_000 }).toBeLessThan(100);
  console.info(`1,000 idle subscribers hold ${(memory() - before).toFixed(0)} MB`);
  for (const response of responses) response.destroy();
  expect(await gateway.stop()).toBe(0);
}, 180_000);
