// The operations as they are described, each call held to the OpenAPI document by a proxy in passing.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openApiDocument } from '../../src/rest/openapi.ts';
import { createTenant } from '../support/directories.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { operationsOf, type RestServer, startRest } from '../support/rest.ts';
import { type Claims, SUPER_ADMIN } from '../support/server.ts';

let database: TestDatabase;
let server: RestServer;
beforeAll(async () => {
  database = await openTestDatabase();
  server = await startRest(database.db);
});
afterAll(async () => {
  await server.stop();
  await database.close();
});

let tenantId: string;
let partnerId: string;
let users: string[];
let admin: Claims;
beforeEach(async () => {
  const tenant = await createTenant(database.db, 5);
  ({ tenantId, partnerId } = tenant);
  users = tenant.userIds.toSorted();
  admin = { sub: 'usr_admin', role: 'tenant_admin', tenant_id: tenantId };
});

const ADMIN = '/api/v1/admin/groups';
const groupsOf = (tenant: string) => `/api/v1/tenants/${tenant}/groups`;
const ask = (call: string, body?: unknown, headers?: Record<string, string>) =>
  server.ask(admin, call, body, headers);
/** Past the proxy, which knows neither HEAD nor the second spelling of a path. */
const direct = (call: string, body?: unknown) => server.rest(admin, call, body);

async function create(name: string, more: object = {}): Promise<string> {
  const { status, body } = await ask(`POST ${groupsOf(tenantId)}`, { name, ...more });
  expect(status, JSON.stringify(body)).toBe(201);
  return body.data.id;
}

const META = { request_id: expect.any(String), timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) };

describe('a tenant', () => {
  test('creates a group and tells where it is and at which version', async () => {
    const parent = await create('Top / of all');
    const { status, headers, body } = await ask(
      `POST ${groupsOf(tenantId)}`,
      {
        name: '  Engineering ',
        description: 'Builds',
        group_type: 'DISTRIBUTION',
        parent_group_id: parent,
        initial_members: users.slice(0, 2),
        custom_attributes: { cost: [1, { a: null }] },
        unknown_field: 1,
      },
      { 'x-request-id': 'from-outside' },
    );
    expect(status).toBe(201);
    expect(body).toEqual({
      data: {
        id: expect.stringMatching(/^grp_[A-Za-z0-9]{16}$/),
        name: '  Engineering ',
        description: 'Builds',
        group_type: 'DISTRIBUTION',
        parent_group_id: parent,
        parent_group_path: 'Top \\/ of all',
        member_count: 2,
        effective_member_count: null,
        nested_group_count: 0,
        members: null,
        nested_groups: null,
        custom_attributes: { cost: [1, { a: null }] },
        created_at: expect.stringMatching(/Z$/),
        updated_at: expect.stringMatching(/Z$/),
      },
      meta: { ...META, request_id: 'from-outside' },
    });
    expect(headers.get('location')).toBe(`${groupsOf(tenantId)}/${body.data.id}`);
    expect(headers.get('etag')).toMatch(/^W\/"1-/);
    expect(headers.get('x-request-id')).toBe('from-outside');
    expect((await ask(`GET ${headers.get('location')}`)).body.data).toEqual(body.data);
  });

  test('defaults to a SECURITY group at the root', async () => {
    const { body } = await ask(`POST ${groupsOf(tenantId)}`, { name: 'Plain' });
    expect(body.data).toMatchObject({
      group_type: 'SECURITY',
      description: null,
      parent_group_id: null,
      parent_group_path: null,
      custom_attributes: null,
      member_count: 0,
    });
  });

  test('reads a group with what is included, in one list or alone', async () => {
    const group = await create('Outer', { initial_members: [users[0]] });
    const inner = await create('Inner', { initial_members: [users[1], users[2]] });
    await ask(`POST ${ADMIN}/${group}/nested-groups`, { group_ids: [inner] });
    const one = `GET ${groupsOf(tenantId)}/${group}`;
    const whole = await ask(`${one}?include=members,nested_groups,effective_member_count`);
    expect(whole.status).toBe(200);
    expect(whole.body.data).toMatchObject({
      member_count: 1,
      nested_group_count: 1,
      effective_member_count: 3,
      members: [
        {
          user_id: users[0],
          email: `${users[0]!.toLowerCase()}@example.org`,
          display_name: null,
          membership_type: 'DIRECT',
        },
      ],
      nested_groups: [{ group_id: inner, name: 'Inner', member_count: 2 }],
    });
    const alone = await ask(`${one}?include=effective_member_count`);
    expect(alone.body.data).toMatchObject({ effective_member_count: 3, members: null, nested_groups: null });
    expect((await ask(`${one}?include=`)).body.data).toMatchObject({ effective_member_count: null });
  });

  test('updates what is given, clears what is null, and moves a group', async () => {
    const parent = await create('Parent');
    const group = await create('Child', { description: 'old', custom_attributes: { a: 1 } });
    const one = `${groupsOf(tenantId)}/${group}`;
    const moved = await ask(`PATCH ${one}`, { parent_group_id: parent, name: 'Kid' });
    expect(moved.status).toBe(200);
    expect(moved.headers.get('etag')).toMatch(/^W\/"2-/);
    expect(moved.body.data).toMatchObject({ name: 'Kid', description: 'old', parent_group_path: 'Parent' });
    const cleared = await ask(`PATCH ${one}`, {
      description: null,
      parent_group_id: null,
      custom_attributes: null,
    });
    expect(cleared.body.data).toMatchObject({
      name: 'Kid',
      description: null,
      parent_group_id: null,
      custom_attributes: null,
    });
  });

  test('lists with every filter, a page at a time', async () => {
    const parent = await create('Parent');
    const ids: string[] = [];
    for (const name of ['Alpha', 'Beta', 'Gamma']) ids.push(await create(name, { parent_group_id: parent }));
    await create('Delta', { group_type: 'DISTRIBUTION', initial_members: [users[0]] });
    const list = async (query: string) => {
      const { status, body } = await ask(`GET ${groupsOf(tenantId)}${query}`);
      expect(status, JSON.stringify(body)).toBe(200);
      return { ...body, names: body.data.map((group: { name: string }) => group.name) };
    };
    const all = await list('');
    expect(all.names).toEqual(['Alpha', 'Beta', 'Delta', 'Gamma', 'Parent']);
    expect(all.pagination).toEqual({ page: 1, per_page: 20, total_items: 5, total_pages: 1 });
    expect(all.meta).toEqual(META);
    expect(all.data[0]).toEqual({
      id: ids[0],
      name: 'Alpha',
      group_type: 'SECURITY',
      member_count: 0,
      parent_group_id: parent,
    });
    const second = await list('?page=2&per_page=2');
    expect(second.names).toEqual(['Delta', 'Gamma']);
    expect(second.pagination).toEqual({ page: 2, per_page: 2, total_items: 5, total_pages: 3 });
    expect(await list('?page=9')).toMatchObject({ data: [], pagination: { page: 9, total_items: 5 } });
    expect(await list('?page=1000000000&per_page=100')).toMatchObject({ data: [] });
    expect((await list(`?parent_group_id=${parent}&search=A`)).names).toEqual(['Alpha', 'Beta', 'Gamma']);
    expect((await list('?search=LPH')).names).toEqual(['Alpha']);
    expect((await list('?search=')).names).toHaveLength(5);
    expect((await list('?type=DISTRIBUTION')).names).toEqual(['Delta']);
    const delta = await list(`?user_id=${users[0]}`);
    expect(delta.names).toEqual(['Delta']);
    expect(delta.data[0].member_count).toBe(1);
  });

  test('changes members in both directions', async () => {
    const group = await create('Team', { initial_members: [users[0], users[1]] });
    const { status, body } = await ask(`PUT ${groupsOf(tenantId)}/${group}/members`, {
      users_to_add: [users[2], users[0]],
      users_to_remove: [users[1], users[3]],
    });
    expect(status).toBe(200);
    expect(body).toEqual({
      data: { added: [users[2]], removed: [users[1]], unchanged: [users[0], users[3]] },
      meta: META,
    });
  });

  test('deletes by strategy, refusing what is not empty', async () => {
    const group = await create('Full', { initial_members: [users[0]] });
    const child = await create('Child', { parent_group_id: group });
    const one = `${groupsOf(tenantId)}/${group}`;
    const blocked = await ask(`DELETE ${one}`);
    expect(blocked.status).toBe(409);
    expect(blocked.body).toEqual({
      detail: {
        code: 'GROUP_NOT_EMPTY',
        message: 'The group has 1 members, 1 children and 0 nested groups',
        counts: { members: 1, children: 1, nested_groups: 0 },
      },
    });
    const orphaned = await ask(`DELETE ${one}?strategy=ORPHAN`);
    expect(orphaned.status).toBe(204);
    expect(orphaned.body).toBeNull();
    expect((await ask(`GET ${one}`)).status).toBe(404);
    expect((await ask(`GET ${groupsOf(tenantId)}/${child}`)).body.data.parent_group_id).toBeNull();
    const below = await create('Below', { parent_group_id: child });
    expect((await ask(`DELETE ${groupsOf(tenantId)}/${child}?strategy=CASCADE`)).status).toBe(204);
    expect((await ask(`GET ${groupsOf(tenantId)}/${below}`)).status).toBe(404);
  });
});

describe('an administrator', () => {
  test('creates, reads, updates and deletes across tenants', async () => {
    const call = (line: string, body?: unknown) => server.ask(SUPER_ADMIN, line, body);
    const { status, headers, body } = await call(`POST ${ADMIN}/`, {
      tenant_id: tenantId,
      name: 'Ops',
      initial_members: [users[0]],
    });
    expect(status).toBe(201);
    expect(body.data).toMatchObject({ tenant_id: tenantId, name: 'Ops', member_count: 1 });
    const one = `${ADMIN}/${body.data.id}`;
    expect(headers.get('location')).toBe(one);
    expect((await call(`GET ${one}`)).body.data).toEqual(body.data);
    const child = await create('Child', { parent_group_id: body.data.id });
    const renamed = await call(`PATCH ${one}`, { name: 'Operations' });
    expect(renamed.body.data).toMatchObject({ name: 'Operations', tenant_id: tenantId });
    // Soft deletion without a strategy is ORPHAN: members and children are no obstacle.
    expect((await call(`DELETE ${one}`)).status).toBe(204);
    expect((await call(`GET ${one}`)).status).toBe(404);
    expect((await call(`GET ${ADMIN}/${child}`)).body.data.parent_group_id).toBeNull();
  });

  test('lists by tenant, partner, type and text', async () => {
    const mine = await create('Alpha');
    await create('Beta', { group_type: 'DISTRIBUTION' });
    const list = async (query: string) =>
      (await server.ask(SUPER_ADMIN, `GET ${ADMIN}/?${query}`)).body.data.map(
        (group: { name: string }) => group.name,
      );
    expect(await list(`tenant_id=${tenantId}`)).toEqual(['Alpha', 'Beta']);
    expect(await list(`partner_id=${partnerId}`)).toEqual(['Alpha', 'Beta']);
    expect(await list(`partner_id=${partnerId}&group_type=DISTRIBUTION`)).toEqual(['Beta']);
    expect(await list(`tenant_id=${tenantId}&search=alp`)).toEqual(['Alpha']);
    const { body } = await ask(`GET ${ADMIN}/?search=alp`);
    expect(body.data).toEqual([
      {
        id: mine,
        name: 'Alpha',
        group_type: 'SECURITY',
        member_count: 0,
        parent_group_id: null,
        tenant_id: tenantId,
      },
    ]);
  });

  test('adds, lists and removes members', async () => {
    const group = await create('Team');
    const members = `${ADMIN}/${group}/members`;
    const added = await ask(`POST ${members}`, { user_ids: [users[1], users[0]] });
    expect(added.status).toBe(200);
    expect(added.body).toEqual({ data: { added: [users[1], users[0]], unchanged: [] }, meta: META });
    const page = await ask(`GET ${members}?per_page=1&page=2`);
    expect(page.body.pagination).toEqual({ page: 2, per_page: 1, total_items: 2, total_pages: 2 });
    expect(page.body.data).toEqual([
      expect.objectContaining({ user_id: users[1], membership_type: 'DIRECT', display_name: null }),
    ]);
    expect((await ask(`DELETE ${members}/${users[0]}`)).status).toBe(204);
    expect((await ask(`DELETE ${members}/${users[0]}`)).status).toBe(204);
    expect((await ask(`GET ${members}`)).body.pagination.total_items).toBe(1);
  });

  test('nests groups, and lists both directions and effective members by page', async () => {
    const top = await create('Top', { initial_members: [users[4]] });
    const left = await create('Left', { initial_members: [users[0], users[1]] });
    const right = await create('Right', { initial_members: [users[1], users[2]] });
    const nested = await ask(`POST ${ADMIN}/${top}/nested-groups`, { group_ids: [right, left] });
    expect(nested.body).toEqual({ data: { added: [right, left], unchanged: [] }, meta: META });
    expect((await ask(`GET ${ADMIN}/${top}/nested-groups`)).body).toMatchObject({
      data: [
        { group_id: left, name: 'Left', member_count: 2 },
        { group_id: right, name: 'Right', member_count: 2 },
      ],
      pagination: { total_items: 2 },
    });
    expect((await ask(`GET ${ADMIN}/${left}/parent-groups`)).body).toMatchObject({
      data: [{ group_id: top, name: 'Top', member_count: 1 }],
      pagination: { total_items: 1 },
    });
    const effective: { user_id: string; membership_type: string }[] = [];
    for (const page of [1, 2, 3]) {
      const { body } = await ask(`GET ${ADMIN}/${top}/effective-members?per_page=2&page=${page}`);
      expect(body.pagination).toEqual({ page, per_page: 2, total_items: 4, total_pages: 2 });
      effective.push(...body.data);
    }
    expect(effective.map((member) => member.user_id)).toEqual([users[0], users[1], users[2], users[4]]);
    expect(effective.map((member) => member.membership_type)).toEqual([
      'INHERITED',
      'INHERITED',
      'INHERITED',
      'DIRECT',
    ]);
    expect((await ask(`DELETE ${ADMIN}/${top}/nested-groups/${left}`)).status).toBe(204);
    expect(await ask(`DELETE ${ADMIN}/${top}/nested-groups/${left}`)).toMatchObject({
      status: 404,
      body: { detail: `${left} is not nested in ${top}` },
    });
  });
});

test('each operation succeeds through the proxy', async () => {
  server.held.clear();
  const mine = groupsOf(tenantId);
  const [first, second] = [await create('First'), await create('Second')];
  const [user] = users;
  const evaluation = {
    subject: { type: 'user', id: user },
    action: { name: 'member' },
    resource: { type: 'group', id: first },
  };
  const calls: [string, unknown?][] = [
    [`GET ${mine}`],
    [`GET ${mine}/${first}`],
    [`PATCH ${mine}/${first}`, { name: 'Renamed' }],
    [`PUT ${mine}/${first}/members`, { users_to_add: users }],
    [`GET ${ADMIN}/`],
    [`POST ${ADMIN}/`, { name: 'Third', tenant_id: tenantId }],
    [`GET ${ADMIN}/${first}`],
    [`PATCH ${ADMIN}/${first}`, { name: 'Renamed again' }],
    [`GET ${ADMIN}/${first}/members`],
    [`DELETE ${ADMIN}/${first}/members/${user}`],
    [`POST ${ADMIN}/${first}/members`, { user_ids: [user] }],
    [`POST ${ADMIN}/${first}/nested-groups`, { group_ids: [second] }],
    [`GET ${ADMIN}/${first}/nested-groups`],
    [`GET ${ADMIN}/${second}/parent-groups`],
    [`GET ${ADMIN}/${first}/effective-members`],
    ['POST /access/v1/evaluation', evaluation],
    ['POST /access/v1/evaluations', { ...evaluation, evaluations: [{}] }],
    ['GET /.well-known/authzen-configuration'],
    [`GET /api/v1/tenants/${tenantId}/changes`],
    [`DELETE ${ADMIN}/${first}/nested-groups/${second}`],
    [`DELETE ${ADMIN}/${second}`],
    [`DELETE ${mine}/${first}?strategy=CASCADE`],
  ];
  for (const [call, body] of calls) {
    const answer = await ask(call, body);
    expect(answer.status, `${call} ${JSON.stringify(answer.body)}`).toBeLessThan(300);
  }
  expect(server.held).toEqual(new Set(operationsOf(openApiDocument())));
});

describe('HTTP', () => {
  test('both list paths answer with and without the slash', async () => {
    await create('Only');
    for (const path of [ADMIN, `${ADMIN}/`, groupsOf(tenantId), `${groupsOf(tenantId)}/`]) {
      expect((await direct(`GET ${path}?per_page=1`)).body.pagination, path).toMatchObject({
        total_items: 1,
      });
      const body = { name: `Made at ${path.length}`, tenant_id: tenantId };
      const made = await direct(`POST ${path}`, body);
      expect(made.status, path).toBe(201);
      await ask(`DELETE ${ADMIN}/${made.body.data.id}`);
    }
  });

  test('HEAD works where GET does, and answers the same without a body', async () => {
    const group = await create('Headed');
    for (const path of [
      `${ADMIN}/`,
      `${ADMIN}/${group}`,
      `${ADMIN}/${group}/members`,
      `${groupsOf(tenantId)}/${group}`,
      '/openapi.json',
      '/docs',
    ]) {
      const [head, get] = [
        await direct(`HEAD ${path}`),
        await server.app.fetch(
          new Request(`http://coterie.test${path}`, {
            headers: { authorization: `Bearer ${await server.tokenFor(admin)}` },
          }),
        ),
      ];
      expect([head.status, head.body, head.headers.get('etag')], path).toEqual([
        200,
        null,
        get.headers.get('etag'),
      ]);
      expect(head.headers.get('content-type')).toBe(get.headers.get('content-type'));
    }
    expect((await direct(`HEAD ${ADMIN}/grp_never`)).status).toBe(404);
    expect((await direct(`HEAD ${ADMIN}/?page=0`)).status).toBe(422);
  });

  test('a method that a path does not have answers 405 and names those that it has', async () => {
    for (const [call, allow] of [
      [`PUT ${ADMIN}/`, 'GET, HEAD, POST'],
      [`PUT ${ADMIN}`, 'GET, HEAD, POST'],
      [`POST ${ADMIN}/grp_x`, 'GET, HEAD, PATCH, DELETE'],
      [`GET ${groupsOf(tenantId)}/grp_x/members`, 'PUT'],
      [`DELETE ${ADMIN}/grp_x/effective-members`, 'GET, HEAD'],
      ['POST /openapi.json', 'GET, HEAD'],
    ] as const) {
      const { status, headers, body } = await direct(call);
      expect([status, headers.get('allow')], call).toEqual([405, allow]);
      expect(body).toEqual({ detail: 'Method Not Allowed' });
    }
    expect(await direct(`GET ${ADMIN}/grp_x/nothing`)).toMatchObject({
      status: 404,
      body: { detail: 'Not Found' },
    });
  });

  test('If-None-Match is 304 as long as the answer would be the same, and for that answer alone', async () => {
    const [parent, group, nested] = [await create('Above'), await create('Cached'), await create('Nested')];
    await ask(`PATCH ${ADMIN}/${group}`, { parent_group_id: parent });
    const plain = `${groupsOf(tenantId)}/${group}`;
    const paths = [
      plain,
      `${plain}?include=members,nested_groups,effective_member_count`,
      `${ADMIN}/${group}`,
    ];
    const read = async (path: string, tag: string, method = 'GET') =>
      server.rest(admin, `${method} ${path}`, undefined, { 'if-none-match': tag });
    const tags = async () =>
      Promise.all(paths.map(async (path) => (await ask(`GET ${path}`)).headers.get('etag')!));
    const before = await tags();
    expect(new Set(before).size).toBe(3);
    expect(await tags()).toEqual(before);
    for (const [at, path] of paths.entries()) {
      const tag = before[at]!;
      for (const known of [tag, tag.slice(2), `"x", W/"1",${tag}`, '*']) {
        for (const method of ['GET', 'HEAD']) {
          const { status, body, headers } = await read(path, known, method);
          expect([status, body, headers.get('etag')], known).toEqual([304, null, tag]);
          expect([headers.get('content-type'), headers.get('cache-control')]).toEqual([null, 'no-store']);
        }
      }
      for (const other of [before[(at + 1) % 3]!, tag.slice(0, -1), tag.replace(/-.*"/, '"'), '""', 'x'])
        expect((await read(path, other)).status, other).toBe(200);
      // A change is no read.
      const changed = await ask(`PATCH ${path.split('?')[0]}`, {}, { 'if-none-match': '*' });
      expect(changed.status).toBe(200);
    }
    const changes: [string, object | undefined, number[]][] = [
      [`POST ${ADMIN}/${group}/members`, { user_ids: [users[0]] }, [200, 200, 200]],
      [`POST ${ADMIN}/${group}/nested-groups`, { group_ids: [nested] }, [200, 200, 200]],
      [`POST ${ADMIN}/${nested}/members`, { user_ids: [users[1]] }, [304, 200, 304]],
      [`PATCH ${ADMIN}/${parent}`, { name: 'Above all' }, [200, 200, 200]],
      [`PATCH ${ADMIN}/${group}`, { description: 'new' }, [200, 200, 200]],
    ];
    for (const [call, body, expected] of changes) {
      const known = await tags();
      expect((await ask(call, body)).status, call).toBeLessThan(300);
      const statuses = await Promise.all(
        paths.map(async (path, at) => (await read(path, known[at]!)).status),
      );
      expect(statuses, call).toEqual(expected);
    }
    expect((await read(`${ADMIN}/grp_never`, '*')).status).toBe(404);
    expect((await read(groupsOf(tenantId), '*')).status).toBe(200);
  });

  test('If-Match refuses a change of a group that has changed since', async () => {
    const group = await create('Versioned');
    for (const one of [`${groupsOf(tenantId)}/${group}`, `${ADMIN}/${group}`]) {
      const { headers } = await ask(`GET ${one}`);
      const seen = headers.get('etag')!;
      const changed = await ask(`PATCH ${one}`, { description: `by ${one}` }, { 'if-match': seen });
      expect(changed.status).toBe(200);
      const current = Number.parseInt(seen.slice(3), 10) + 1;
      expect(changed.headers.get('etag')).toMatch(new RegExp(`^W/"${current}-`));
      for (const stale of [
        await ask(`PATCH ${one}`, { description: 'lost' }, { 'if-match': seen }),
        await ask(`DELETE ${one}`, undefined, { 'if-match': seen }),
      ]) {
        expect(stale.status).toBe(409);
        expect(stale.body.detail).toEqual({
          code: 'VERSION_CONFLICT',
          message: expect.stringContaining(`${current}`),
          current_version: current,
        });
      }
      expect((await ask(`PATCH ${one}`, { name: `Any ${current}` }, { 'if-match': '*' })).status).toBe(200);
      for (const tag of ['"1", "2"', '1', '"x"', '""']) {
        const { status, body } = await ask(`PATCH ${one}`, { description: 'no' }, { 'if-match': tag });
        expect([status, body.detail[0].loc]).toEqual([422, ['header', 'if-match']]);
      }
    }
    expect((await ask(`DELETE ${ADMIN}/${group}`, undefined, { 'if-match': '*' })).status).toBe(204);
  });

  test('a list needs as many statements for thirty groups as for three', async () => {
    const statements: string[] = [];
    const count = async (query: string) => {
      statements.length = 0;
      const { body } = await direct(`GET ${groupsOf(tenantId)}?${query}`);
      return [body.data.length, statements.length];
    };
    for (let at = 0; at < 30; at += 1) await create(`Group ${at}`, { initial_members: [users[0]] });
    const stop = database.db.onStatement((text) => statements.push(text));
    const few = await count('per_page=3');
    const many = await count('per_page=30');
    stop();
    expect([few[0], many[0]]).toEqual([3, 30]);
    expect(many[1]).toBe(few[1]);
    // The tenant, the page, its total, and the member counts of all its groups.
    expect(many[1]).toBeLessThanOrEqual(4);
  });

  test('answers are not to be kept', async () => {
    expect((await ask(`GET ${ADMIN}/`)).headers.get('cache-control')).toBe('no-store');
  });
});
