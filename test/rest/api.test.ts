// Every answer of REST, whole: bodies, headers, pages and faults of all its operations, over one rich directory.
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { addNestedGroups } from '../../src/domain/commands/nest-groups.ts';
import { newId } from '../../src/model/ids.ts';
import { createTenant, openAsAdmin } from '../support/directories.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { createdAt, createRichDirectory, type RichDirectory, updatedAt } from '../support/rich-directory.ts';
import { type Claims, SUPER_ADMIN, startApp, type TestApp } from '../support/server.ts';

const ADMIN = '/api/v1/admin/groups';

let database: TestDatabase;
let server: TestApp;
let rich: RichDirectory;
let admin: Claims;
/** The tenant's list of groups. */
let GROUPS: string;
beforeAll(async () => {
  database = await openTestDatabase();
  server = await startApp(database.db);
  rich = await createRichDirectory(database.db);
  admin = { sub: 'usr_admin', role: 'tenant_admin', tenant_id: rich.tenantId };
  GROUPS = `/api/v1/tenants/${rich.tenantId}/groups`;
});
afterAll(() => database.close());

// biome-ignore lint/suspicious/noExplicitAny: each test says the shape of its answer by what it expects.
type Data = any;
const ask = (call: string, body?: unknown, headers?: Record<string, string>) =>
  server.rest(admin, call, body, headers);
const META = {
  request_id: expect.stringMatching(/^[\w-]{8,}$/),
  timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
};
/** The headers that every answer with a body has. */
const JSON_HEADERS = { 'content-type': 'application/json', 'cache-control': 'no-store' };
/** Headers that tests compare, and of an ETag the version alone. */
const shown = (headers: Headers, ...more: string[]) =>
  Object.fromEntries(
    ['content-type', 'cache-control', 'etag', 'location', 'www-authenticate', 'retry-after', 'allow', ...more]
      .filter((name) => headers.has(name))
      .map((name) => [name, headers.get(name)!.replace(/^W\/"(\d+)-[\w-]{11}"$/, '"$1"')]),
  );

/** The data of an answer that must be 200 and hold nothing but data and meta. */
async function one(call: string, etag?: string): Promise<Data> {
  const { status, headers, body } = await ask(call);
  expect([status, shown(headers)], JSON.stringify(body)).toEqual([
    200,
    { ...JSON_HEADERS, ...(etag && { etag }) },
  ]);
  expect(body).toEqual({ data: body.data, meta: META });
  expect(body.meta.request_id).toBe(headers.get('x-request-id'));
  return body.data;
}

/** The same for a page. */
async function page(call: string): Promise<{ data: Data[]; pagination: Data }> {
  const { status, headers, body } = await ask(call);
  expect([status, shown(headers)], JSON.stringify(body)).toEqual([200, JSON_HEADERS]);
  const { data, pagination } = body;
  expect(body).toEqual({ data, pagination, meta: META });
  return { data, pagination };
}

const whole = (total_items: number) => ({
  page: 1,
  per_page: 20,
  total_items,
  total_pages: total_items ? 1 : 0,
});
const item = (name: string, id: string, more: object = {}) => ({
  id,
  name,
  group_type: 'SECURITY',
  member_count: 0,
  parent_group_id: null,
  ...more,
});
/** All groups as lists show them, by name. */
const items = () => {
  const { groups } = rich;
  return [
    item('Alpha', groups.alpha, { parent_group_id: groups.team }),
    item('beta', groups.beta, { parent_group_id: groups.team }),
    item('Deep', groups.deep, { member_count: 1 }),
    item('Inner A', groups.innerA, { member_count: 2 }),
    item('inner b', groups.innerB),
    item('Mid\\dle', groups.middle, { parent_group_id: groups.top }),
    item('Outer A', groups.outerA),
    item('outer b', groups.outerB),
    item('Team', groups.team, {
      group_type: 'DISTRIBUTION',
      member_count: 2,
      parent_group_id: groups.middle,
    }),
    item('Top / of', groups.top),
  ];
};
const named = (...names: string[]) => items().filter(({ name }) => names.includes(name));
const member = (at: number, membership_type: string) => {
  const { id, email, displayName } = rich.people[at]!;
  return { user_id: id, email, display_name: displayName, membership_type };
};
const nested = (group_id: string, name: string, member_count: number) => ({ group_id, name, member_count });
const team = () => ({
  name: 'Team',
  description: 'Builds the product',
  group_type: 'DISTRIBUTION',
  id: rich.groups.team,
  parent_group_id: rich.groups.middle,
  parent_group_path: 'Top \\/ of/Mid\\\\dle',
  member_count: 2,
  effective_member_count: null,
  nested_group_count: 2,
  members: null,
  nested_groups: null,
  custom_attributes: { cost: [1, { a: null }] },
  created_at: createdAt(0),
  updated_at: updatedAt(0),
});
const parts = () => ({
  members: [member(0, 'DIRECT'), member(2, 'DIRECT')],
  nested_groups: [nested(rich.groups.innerA, 'Inner A', 2), nested(rich.groups.innerB, 'inner b', 0)],
  effective_member_count: 4,
});

describe('a group', () => {
  test('is whole for its tenant and, with the tenant, for an administrator', async () => {
    expect(await one(`GET ${GROUPS}/${rich.groups.team}`, '"3"')).toEqual(team());
    expect(await one(`GET ${ADMIN}/${rich.groups.team}`, '"3"')).toEqual({
      ...team(),
      tenant_id: rich.tenantId,
    });
  });

  test.each<[string, (keyof ReturnType<typeof parts>)[]]>([
    ['', []],
    [',', []],
    ['members', ['members']],
    ['nested_groups', ['nested_groups']],
    ['effective_member_count', ['effective_member_count']],
    ['members,nested_groups', ['members', 'nested_groups']],
    ['%20effective_member_count%20,,members,', ['effective_member_count', 'members']],
    ['nested_groups,members,effective_member_count', ['nested_groups', 'members', 'effective_member_count']],
    ['members,members', ['members']],
  ])('has with include=%s that and nothing else beside', async (include, names) => {
    const more = Object.fromEntries(names.map((name) => [name, parts()[name]]));
    const path = `${GROUPS}/${rich.groups.team}?include=${include}`;
    expect(await one(`GET ${path}`, '"3"')).toEqual({ ...team(), ...more });
  });

  test('that holds nothing includes empty lists, and no member', async () => {
    const include = 'include=members,nested_groups,effective_member_count';
    expect(await one(`GET ${GROUPS}/${rich.groups.beta}?${include}`, '"9"')).toMatchObject({
      members: [],
      nested_groups: [],
      effective_member_count: 0,
      member_count: 0,
      nested_group_count: 0,
    });
  });
});

describe('lists', () => {
  test('of groups are whole, for a tenant and for administrators', async () => {
    expect(await page(`GET ${GROUPS}`)).toEqual({ data: items(), pagination: whole(10) });
    const withTenant = items().map((each) => ({ ...each, tenant_id: rich.tenantId }));
    expect(await page(`GET ${ADMIN}/`)).toEqual({ data: withTenant, pagination: whole(10) });
  });

  test('of what hangs off a group are whole', async () => {
    const at = (path: string) => page(`GET ${ADMIN}/${rich.groups.team}/${path}`);
    const { members, nested_groups } = parts();
    expect(await at('members')).toEqual({ data: members, pagination: whole(2) });
    expect(await at('nested-groups')).toEqual({ data: nested_groups, pagination: whole(2) });
    expect(await at('effective-members')).toEqual({
      data: [member(0, 'DIRECT'), member(1, 'INHERITED'), member(2, 'DIRECT'), member(3, 'INHERITED')],
      pagination: whole(4),
    });
    expect(await at('parent-groups')).toEqual({
      data: [nested(rich.groups.outerA, 'Outer A', 0), nested(rich.groups.outerB, 'outer b', 0)],
      pagination: whole(2),
    });
    // The counts of groups at the other end are their own.
    expect((await page(`GET ${ADMIN}/${rich.groups.innerA}/parent-groups`)).data).toEqual([
      nested(rich.groups.team, 'Team', 2),
    ]);
    for (const path of ['members', 'nested-groups', 'effective-members', 'parent-groups']) {
      expect(await page(`GET ${ADMIN}/${rich.groups.beta}/${path}`)).toEqual({
        data: [],
        pagination: whole(0),
      });
    }
  });

  test.each<[string, () => string]>([
    ['groups of a tenant', () => GROUPS],
    ['groups', () => `${ADMIN}/`],
    ['members', () => `${ADMIN}/${rich.groups.team}/members`],
    ['effective members', () => `${ADMIN}/${rich.groups.team}/effective-members`],
    ['nested groups', () => `${ADMIN}/${rich.groups.team}/nested-groups`],
    ['groups nested in', () => `${ADMIN}/${rich.groups.team}/parent-groups`],
  ])('of %s come page by page, the last one short, and none beyond', async (_what, path) => {
    const { data: all, pagination } = await page(`GET ${path()}?per_page=100`);
    expect(pagination).toEqual({ page: 1, per_page: 100, total_items: all.length, total_pages: 1 });
    for (const per_page of [1, 3]) {
      const total_pages = Math.floor((all.length + per_page - 1) / per_page);
      for (let number = 1; number <= total_pages + 1; number += 1) {
        expect(await page(`GET ${path()}?page=${number}&per_page=${per_page}`)).toEqual({
          data: all.slice((number - 1) * per_page, number * per_page),
          pagination: { page: number, per_page, total_items: all.length, total_pages },
        });
      }
    }
    const far = await page(`GET ${path()}?page=1000000000&per_page=${all.length}`);
    expect(far).toEqual({
      data: [],
      pagination: { page: 1_000_000_000, per_page: all.length, total_items: all.length, total_pages: 1 },
    });
  });

  test.each<[string, string[] | null]>([
    ['search=INNER', ['Inner A', 'inner b']],
    ['search=the%20prod', ['Team']],
    ['search=%20%20', null],
    ['search=', null],
    ['type=DISTRIBUTION', ['Team']],
    ['parent_group_id=team', ['Alpha', 'beta']],
    ['parent_group_id=top', ['Mid\\dle']],
    ['user_id=u2', ['Inner A', 'Team']],
    ['user_id=u4', []],
    ['user_id=u2&type=SECURITY', ['Inner A']],
    ['user_id=u2&search=inner&type=SECURITY&parent_group_id=top', []],
    ['unknown=1&search=deep', ['Deep']],
  ])('of groups of a tenant can be filtered: %s', async (query, names) => {
    const ids: Record<string, string> = { ...rich.groups, u2: rich.users[2], u4: rich.users[4] };
    const filled = query.replaceAll(/_id=(\w+)/g, (_, name) => `_id=${ids[name]}`);
    const expected = names === null ? items() : named(...names);
    expect(await page(`GET ${GROUPS}?${filled}`)).toEqual({
      data: expected,
      pagination: whole(expected.length),
    });
  });

  test('of groups of all tenants can be filtered', async () => {
    const other = await createTenant(database.db);
    const made = await server.rest(SUPER_ADMIN, `POST ${ADMIN}/`, {
      tenant_id: other.tenantId,
      name: 'Inner elsewhere',
      group_type: 'DISTRIBUTION',
    });
    const list = async (query: string) => {
      const { status, body } = await server.rest(SUPER_ADMIN, `GET ${ADMIN}/?${query}`);
      expect([status, body.pagination], query).toEqual([200, whole(body.data.length)]);
      return body.data;
    };
    const own = (...names: string[]) =>
      named(...names).map((each) => ({ ...each, tenant_id: rich.tenantId }));
    const elsewhere = {
      ...item('Inner elsewhere', made.body.data.id, { group_type: 'DISTRIBUTION' }),
      tenant_id: other.tenantId,
    };
    expect(await list(`tenant_id=${other.tenantId}`)).toEqual([elsewhere]);
    expect(await list(`partner_id=${other.partnerId}`)).toEqual([elsewhere]);
    expect(await list(`partner_id=${rich.partnerId}&search=inner`)).toEqual(own('Inner A', 'inner b'));
    expect(await list(`tenant_id=${rich.tenantId}&group_type=DISTRIBUTION`)).toEqual(own('Team'));
    expect(await list(`tenant_id=${rich.tenantId}&partner_id=${other.partnerId}`)).toEqual([]);
    expect(await list(`tenant_id=${other.tenantId}&group_type=SECURITY`)).toEqual([]);
    expect(await list(`tenant_id=${other.tenantId}&search=outer`)).toEqual([]);
  });
});

describe('changes', () => {
  let tenantId: Awaited<ReturnType<typeof createTenant>>['tenantId'];
  let users: string[];
  let claims: Claims;
  let groups: string;
  beforeEach(async () => {
    const tenant = await createTenant(database.db, 4);
    ({ tenantId } = tenant);
    users = tenant.userIds.toSorted();
    claims = { sub: 'usr_admin', role: 'tenant_admin', tenant_id: tenantId };
    groups = `/api/v1/tenants/${tenantId}/groups`;
  });
  const call = (line: string, body?: unknown, headers?: Record<string, string>) =>
    server.rest(claims, line, body, headers);
  const create = async (name: string, more: object = {}): Promise<string> =>
    (await createGroup(openAsAdmin(database.db, tenantId), { tenantId, name, ...more })).group.id;
  const nest = (groupId: string, childGroupIds: string[]) =>
    addNestedGroups(openAsAdmin(database.db, tenantId), { groupId, childGroupIds });
  const answered = (status: number, headers: object, data: unknown) => ({
    status,
    headers: { ...JSON_HEADERS, ...headers },
    body: { data, meta: META },
  });
  const told = ({ status, headers, body }: Awaited<ReturnType<typeof call>>) => ({
    status,
    headers: shown(headers),
    body,
  });
  const empty = (more: object) => ({
    description: null,
    group_type: 'SECURITY',
    parent_group_id: null,
    parent_group_path: null,
    member_count: 0,
    effective_member_count: null,
    nested_group_count: 0,
    members: null,
    nested_groups: null,
    custom_attributes: null,
    created_at: expect.stringMatching(/Z$/),
    updated_at: expect.stringMatching(/Z$/),
    ...more,
  });

  test('creating answers with the group, its version and its place, by each of both ways', async () => {
    const parent = await create('Parent');
    const body = {
      name: ' New ',
      description: 'd',
      group_type: 'DISTRIBUTION',
      parent_group_id: parent,
      initial_members: [users[0], users[1]],
      custom_attributes: { a: 1 },
      unknown: true,
      version: 7,
    };
    const full = {
      name: ' New ',
      description: 'd',
      group_type: 'DISTRIBUTION',
      parent_group_id: parent,
      parent_group_path: 'Parent',
      member_count: 2,
      custom_attributes: { a: 1 },
    };
    const ofTenant = told(await call(`POST ${groups}`, body));
    const { id } = ofTenant.body.data;
    expect(ofTenant).toEqual(
      answered(201, { etag: '"1"', location: `${groups}/${id}` }, empty({ ...full, id })),
    );
    const ofAdmin = told(await call(`POST ${ADMIN}/`, { ...body, name: 'Newer', tenant_id: tenantId }));
    const { id: second } = ofAdmin.body.data;
    expect(ofAdmin).toEqual(
      answered(
        201,
        { etag: '"1"', location: `${ADMIN}/${second}` },
        empty({ ...full, id: second, name: 'Newer', tenant_id: tenantId }),
      ),
    );
    const plain = told(await call(`POST ${groups}`, { name: 'Plain', parent_group_id: null }));
    expect(plain.body.data).toEqual(empty({ name: 'Plain', id: expect.stringMatching(/^grp_\w{16}$/) }));
  });

  test('updating answers with the group as it is now; what is not given stays', async () => {
    const [parent, id] = [await create('Parent'), await create('Old', { description: 'd' })];
    const update = async (path: string, body: object) => told(await call(`PATCH ${path}/${id}`, body));
    const moved = { id, name: 'New', description: 'd', parent_group_id: parent, parent_group_path: 'Parent' };
    const body = { name: 'New', parent_group_id: parent, custom_attributes: { b: [] } };
    const changed = empty({ ...moved, custom_attributes: { b: [] } });
    expect(await update(groups, body)).toEqual(answered(200, { etag: '"2"' }, changed));
    // The type is fixed, and what is unknown is passed over: nothing changes, nor does the version.
    expect(await update(groups, { group_type: 'DISTRIBUTION', tenant_id: 'x', unknown: 1 })).toEqual(
      answered(200, { etag: '"2"' }, changed),
    );
    expect(
      await update(ADMIN, { description: null, parent_group_id: null, custom_attributes: null }),
    ).toEqual(answered(200, { etag: '"3"' }, empty({ id, name: 'New', tenant_id: tenantId })));
    expect(await update(ADMIN, {})).toEqual(
      answered(200, { etag: '"3"' }, empty({ id, name: 'New', tenant_id: tenantId })),
    );
  });

  test('members are added, changed and removed, each answer whole', async () => {
    const id = await create('Team', { initialMemberIds: [users[0]] });
    expect(
      told(await call(`POST ${ADMIN}/${id}/members`, { user_ids: [users[2], users[0], users[1]] })),
    ).toEqual(answered(200, {}, { added: [users[2], users[1]], unchanged: [users[0]] }));
    expect(
      told(
        await call(`PUT ${groups}/${id}/members`, {
          users_to_add: [users[3], users[0]],
          users_to_remove: [users[1]],
        }),
      ),
    ).toEqual(answered(200, {}, { added: [users[3]], removed: [users[1]], unchanged: [users[0]] }));
    expect(told(await call(`PUT ${groups}/${id}/members`, {}))).toEqual(
      answered(200, {}, { added: [], removed: [], unchanged: [] }),
    );
    expect(told(await call(`DELETE ${ADMIN}/${id}/members/${users[2]}`))).toEqual({
      status: 204,
      headers: { 'cache-control': 'no-store' },
      body: null,
    });
    const { body } = await call(`GET ${ADMIN}/${id}/members`);
    expect(body.data.map(({ user_id }: Data) => user_id)).toEqual([users[0], users[3]]);
    const never = newId('user');
    expect(told(await call(`DELETE ${ADMIN}/${id}/members/${never}`))).toEqual({
      status: 404,
      headers: JSON_HEADERS,
      body: { detail: `${never} was not found` },
    });
  });

  test('groups are nested and taken out, each answer whole', async () => {
    const [outer, a, b] = [await create('Outer'), await create('A'), await create('B')];
    await nest(outer, [b]);
    expect(told(await call(`POST ${ADMIN}/${outer}/nested-groups`, { group_ids: [b, a] }))).toEqual(
      answered(200, {}, { added: [a], unchanged: [b] }),
    );
    expect(told(await call(`DELETE ${ADMIN}/${outer}/nested-groups/${b}`))).toEqual({
      status: 204,
      headers: { 'cache-control': 'no-store' },
      body: null,
    });
    const { body } = await call(`GET ${ADMIN}/${outer}/nested-groups`);
    expect(body.data).toEqual([nested(a, 'A', 0)]);
  });

  test('deleting does what the strategy says: BLOCK for a tenant, ORPHAN for administrators', async () => {
    const gone = async (id: string) => (await call(`GET ${ADMIN}/${id}`)).status === 404;
    const parentOf = async (id: string) => (await call(`GET ${groups}/${id}`)).body.data.parent_group_id;
    const make = async (name: string) => {
      const top = await create(`${name} top`);
      const id = await create(name, { parentGroupId: top });
      return { top, id, child: await create(`${name} child`, { parentGroupId: id }) };
    };
    for (const query of ['', '?strategy=BLOCK']) {
      const { id, child } = await make(`Blocked ${query.length}`);
      expect(told(await call(`DELETE ${groups}/${id}${query}`))).toEqual({
        status: 409,
        headers: JSON_HEADERS,
        body: {
          detail: {
            message: 'The group has 0 members, 1 children and 0 nested groups',
            code: 'GROUP_NOT_EMPTY',
            counts: { members: 0, children: 1, nested_groups: 0 },
          },
        },
      });
      expect([await gone(id), await parentOf(child)]).toEqual([false, id]);
      expect((await call(`DELETE ${groups}/${child}${query}`)).status).toBe(204);
      expect((await call(`DELETE ${groups}/${id}${query}`)).status).toBe(204);
      expect(await gone(id)).toBe(true);
    }
    const orphaned = await make('Orphaned');
    expect((await call(`DELETE ${groups}/${orphaned.id}?strategy=ORPHAN`)).status).toBe(204);
    expect([await gone(orphaned.id), await parentOf(orphaned.child)]).toEqual([true, orphaned.top]);
    const soft = await make('Soft');
    expect(told(await call(`DELETE ${ADMIN}/${soft.id}`))).toEqual({
      status: 204,
      headers: { 'cache-control': 'no-store' },
      body: null,
    });
    expect([await gone(soft.id), await parentOf(soft.child)]).toEqual([true, soft.top]);
    const cascaded = await make('Cascaded');
    expect((await call(`DELETE ${groups}/${cascaded.id}?strategy=CASCADE`)).status).toBe(204);
    expect([await gone(cascaded.id), await gone(cascaded.child), await gone(cascaded.top)]).toEqual([
      true,
      true,
      false,
    ]);
  });

  test.each(['tenant', 'admin'])(
    'If-Match of the %s is a version that must be the present one',
    async (half) => {
      const id = await create('Versioned');
      const path = `${half === 'tenant' ? groups : ADMIN}/${id}`;
      const conflict = (current_version: number) => ({
        status: 409,
        headers: JSON_HEADERS,
        body: {
          detail: {
            message: `The group has changed: its version is now ${current_version}`,
            code: 'VERSION_CONFLICT',
            current_version,
          },
        },
      });
      const change = async (tag: string, description = tag) =>
        told(await call(`PATCH ${path}`, { description }, { 'if-match': tag }));
      expect(await change('"2"')).toEqual(conflict(1));
      expect(await change('"123456789"')).toEqual(conflict(1));
      expect(await change('"1"')).toMatchObject({ status: 200, headers: { etag: '"2"' } });
      expect(await change('"1"')).toEqual(conflict(2));
      expect(await change('*')).toMatchObject({ status: 200, headers: { etag: '"3"' } });
      expect(told(await call(`DELETE ${path}`, undefined, { 'if-match': '"2"' }))).toEqual(conflict(3));
      for (const tag of [
        'W/3',
        'w/"3"',
        'W/"3", W/"4"',
        '"3", "4"',
        '3',
        '"3',
        '"0"',
        '"03"',
        '"1234567890"',
        '"x"',
        '""',
        '**',
        '"3-short"',
        '"3-"',
      ]) {
        for (const method of ['PATCH', 'DELETE']) {
          const body = method === 'PATCH' ? { description: 'no' } : undefined;
          expect(told(await call(`${method} ${path}`, body, { 'if-match': tag })), tag).toEqual({
            status: 422,
            headers: JSON_HEADERS,
            body: {
              detail: [
                {
                  loc: ['header', 'if-match'],
                  msg: 'must be the ETag of the group, such as "3", or *',
                  type: 'string_pattern_mismatch',
                },
              ],
            },
          });
        }
      }
      const tag = (await call(`GET ${path}`)).headers.get('etag')!;
      expect(tag).toMatch(/^W\/"3-[\w-]{11}"$/);
      const stale = { 'if-match': tag.replace('3', '2') };
      expect(told(await call(`DELETE ${path}`, undefined, stale))).toEqual(conflict(3));
      // As it was given, as a strong one, the version alone, and as Apache's compression writes it.
      for (const [at, form] of [
        (given: string) => given,
        (given: string) => given.slice(2),
        (given: string) => given.replace(/-.*/, '"'),
        (given: string) => given.replace(/"$/, '-gzip"'),
      ].entries()) {
        const given = (await call(`GET ${path}`)).headers.get('etag')!;
        expect(await change(form(given), `${at}`), form(given)).toMatchObject({ status: 200 });
        expect(await change(form(given), `${at} again`), form(given)).toEqual(conflict(at + 4));
      }
      const last = (await call(`GET ${path}`)).headers.get('etag')!;
      expect((await call(`DELETE ${path}`, undefined, { 'if-match': last })).status).toBe(204);
    },
  );

  test('conflicts and bounds are told with what they carry', async () => {
    const foreign = await createTenant(database.db, 1);
    const { group: elsewhere } = await createGroup(openAsAdmin(database.db, foreign.tenantId), {
      tenantId: foreign.tenantId,
      name: 'Elsewhere',
    });
    const a = await create('A', { initialMemberIds: [users[0]] });
    const b = await create('B', { parentGroupId: a });
    await nest(a, [b]);
    const many = (prefix: string, count: number) =>
      Array.from({ length: count }, (_, at) => `${prefix}_n${at}`);
    const refused = async (line: string, body?: unknown, by = claims) => {
      const { status, headers, body: answer } = await server.rest(by, line, body);
      expect(shown(headers)).toEqual(JSON_HEADERS);
      return [status, answer.detail];
    };
    const taken = {
      message: 'The destination already has a group named "A"',
      code: 'NAME_TAKEN',
      names: ['A'],
    };
    expect(await refused(`POST ${groups}`, { name: 'a' })).toEqual([409, taken]);
    expect(await refused(`POST ${ADMIN}/`, { name: 'a', tenant_id: tenantId })).toEqual([409, taken]);
    expect(await refused(`PATCH ${groups}/${b}`, { name: 'a', parent_group_id: null })).toEqual([409, taken]);
    const round = (...ids: string[]) => ({
      message: `This would close a cycle: ${ids.map((id) => (id === a ? 'A' : 'B')).join(' → ')}`,
      code: 'CYCLE',
      path: ids.map((id) => ({ id, name: id === a ? 'A' : 'B' })),
    });
    expect(await refused(`PATCH ${ADMIN}/${a}`, { parent_group_id: b })).toEqual([409, round(a, b, a)]);
    expect(await refused(`POST ${ADMIN}/${b}/nested-groups`, { group_ids: [a] })).toEqual([
      409,
      round(b, a, b),
    ]);
    const strangers = {
      message: `Not users of the group's tenant: usr_never, ${foreign.userIds[0]}`,
      code: 'UNKNOWN_USERS',
      user_ids: ['usr_never', foreign.userIds[0]],
    };
    const ids = [users[0], 'usr_never', foreign.userIds[0]];
    expect(await refused(`POST ${ADMIN}/${a}/members`, { user_ids: ids })).toEqual([409, strangers]);
    expect(await refused(`PUT ${groups}/${a}/members`, { users_to_remove: ids })).toEqual([409, strangers]);
    expect(await refused(`POST ${groups}`, { name: 'C', initial_members: ids })).toEqual([409, strangers]);
    const other = {
      message: `${elsewhere.id} belongs to another tenant`,
      code: 'OTHER_TENANT',
      id: elsewhere.id,
    };
    const across = { group_ids: [elsewhere.id] };
    expect(await refused(`POST ${ADMIN}/${a}/nested-groups`, across, SUPER_ADMIN)).toEqual([409, other]);
    expect(await refused(`POST ${ADMIN}/${a}/nested-groups`, across)).toEqual([
      404,
      `${elsewhere.id} was not found`,
    ]);
    const bound = (limit: number, message: string) => [400, { message, code: 'LIMIT_EXCEEDED', limit }];
    expect(await refused(`POST ${ADMIN}/${a}/members`, { user_ids: many('usr', 1_001) })).toEqual(
      bound(1_000, 'A call may name at most 1000 ids; this one names 1001'),
    );
    expect(await refused(`POST ${ADMIN}/${a}/nested-groups`, { group_ids: many('grp', 101) })).toEqual(
      bound(100, 'A call may nest at most 100 groups; this one names 101'),
    );
    expect(await refused(`DELETE ${ADMIN}/${a}/nested-groups/${elsewhere.id}`)).toEqual([
      404,
      `${elsewhere.id} was not found`,
    ]);
  });
});

describe('faults of a request are told as FastAPI tells them', () => {
  const fault = (loc: (string | number)[], msg: string, type: string) => ({ loc, msg, type });
  const mustBe = (kind: string, prefix: string) =>
    `must be a ${kind} id, such as ${prefix}_ followed by letters and digits`;
  const GROUP_ID = mustBe('group', 'grp');
  const USER_ID = mustBe('user', 'usr');
  const TENANT_ID = mustBe('tenant', 'tnt');
  const pattern = (loc: (string | number)[], msg: string) => fault(loc, msg, 'string_pattern_mismatch');
  const TYPES = "Input should be 'SECURITY' or 'DISTRIBUTION'";
  const integer = (name: string) => fault(['query', name], 'Input should be a valid integer', 'int_parsing');
  const least = (name: string) =>
    fault(['query', name], 'Input should be greater than or equal to 1', 'greater_than_equal');
  const most = (name: string, bound: number) =>
    fault(['query', name], `Input should be less than or equal to ${bound}`, 'less_than_equal');

  const PATH = `GET ${ADMIN}/x`;
  test.each<[call: string, body: unknown, ...faults: object[]]>([
    [`GET ${ADMIN}/?page=0&per_page=0`, undefined, least('page'), least('per_page')],
    [`GET ${ADMIN}/?page=-1&per_page=101`, undefined, least('page'), most('per_page', 100)],
    [`GET ${ADMIN}/?page=1000000001`, undefined, most('page', 1_000_000_000)],
    ...[
      '0x10',
      '1e2',
      '%202',
      '2%20',
      '%0A2',
      '02',
      '00',
      '%2B2',
      '2.0',
      '0b1',
      '1_0',
      '',
      'Infinity',
      '-0',
      '9'.repeat(400),
    ].map(
      (text) =>
        [`GET ${ADMIN}/?page=${text}&per_page=${text}`, undefined, integer('page'), integer('per_page')] as [
          string,
          unknown,
          object,
          object,
        ],
    ),
    [`GET ${ADMIN}/?page=two&per_page=1.5`, undefined, integer('page'), integer('per_page')],
    [`GET ${ADMIN}/?page=%D9%A3&per_page=%EF%BC%93`, undefined, integer('page'), integer('per_page')],
    [`GET ${ADMIN}/?page=1&page=2&per_page=1&per_page=1`, undefined, integer('page'), integer('per_page')],
    [
      `GET ${ADMIN}/?tenant_id=x&partner_id=x&group_type=x&search=%00`,
      undefined,
      fault(['query', 'search'], 'must not contain NUL or lone surrogates', 'value_error'),
      pattern(['query', 'tenant_id'], TENANT_ID),
      pattern(['query', 'partner_id'], mustBe('partner', 'prt')),
      fault(['query', 'group_type'], TYPES, 'enum'),
    ],
    [
      `GET ${ADMIN}/?search=${'x'.repeat(256)}`,
      undefined,
      fault(['query', 'search'], 'must have at most 255 characters', 'string_too_long'),
    ],
    [
      `GET ${ADMIN}/?search=a&search=b`,
      undefined,
      fault(['query', 'search'], 'Input should be a valid string', 'string_type'),
    ],
    [
      'GET /api/v1/tenants/x/groups?type=security&parent_group_id=root&user_id=me',
      undefined,
      pattern(['path', 'tenant_id'], TENANT_ID),
      fault(['query', 'type'], TYPES, 'enum'),
      pattern(['query', 'parent_group_id'], GROUP_ID),
      pattern(['query', 'user_id'], USER_ID),
    ],
    [PATH, undefined, pattern(['path', 'group_id'], GROUP_ID)],
    [`HEAD ${ADMIN}/x`, undefined],
    [`GET ${ADMIN}/x/members?page=0`, undefined, pattern(['path', 'group_id'], GROUP_ID), least('page')],
    [
      `DELETE ${ADMIN}/x/members/y`,
      undefined,
      pattern(['path', 'group_id'], GROUP_ID),
      pattern(['path', 'user_id'], USER_ID),
    ],
    [
      `DELETE ${ADMIN}/x/nested-groups/y`,
      undefined,
      pattern(['path', 'group_id'], GROUP_ID),
      pattern(['path', 'child_group_id'], GROUP_ID),
    ],
    [
      'GET /api/v1/tenants/x/groups/y?include=all,members,',
      undefined,
      pattern(['path', 'tenant_id'], TENANT_ID),
      pattern(['path', 'group_id'], GROUP_ID),
      fault(
        ['query', 'include', 0],
        "Input should be 'members', 'nested_groups', or 'effective_member_count'",
        'enum',
      ),
    ],
    [
      'DELETE /api/v1/tenants/x/groups/y?strategy=block',
      undefined,
      pattern(['path', 'tenant_id'], TENANT_ID),
      pattern(['path', 'group_id'], GROUP_ID),
      fault(['query', 'strategy'], "Input should be 'BLOCK', 'ORPHAN', or 'CASCADE'", 'enum'),
    ],
    [
      `POST ${ADMIN}/`,
      {},
      fault(['body', 'name'], 'Field required', 'missing'),
      fault(['body', 'tenant_id'], 'Field required', 'missing'),
    ],
    [
      `POST ${ADMIN}/`,
      {
        name: 1,
        description: false,
        group_type: null,
        parent_group_id: 5,
        initial_members: 'usr_x',
        custom_attributes: 'text',
        tenant_id: 'x',
      },
      fault(['body', 'name'], 'must be text, and cannot be cleared', 'string_type'),
      fault(['body', 'description'], 'Input should be a valid string', 'string_type'),
      fault(['body', 'group_type'], TYPES, 'enum'),
      fault(['body', 'parent_group_id'], 'Input should be a valid string', 'string_type'),
      fault(['body', 'initial_members'], 'Input should be a valid list', 'list_type'),
      fault(['body', 'custom_attributes'], 'Input should be a valid dictionary', 'dict_type'),
      pattern(['body', 'tenant_id'], TENANT_ID),
    ],
    [
      'POST /api/v1/tenants/x/groups',
      {
        name: ' ',
        description: 'x'.repeat(4_097),
        parent_group_id: 'x',
        initial_members: ['usr_ok', null, 'x'],
        custom_attributes: { a: { b: { c: { d: { e: { f: { g: { h: {} } } } } } } } },
      },
      pattern(['path', 'tenant_id'], TENANT_ID),
      fault(['body', 'name'], 'must not be empty', 'value_error'),
      fault(['body', 'description'], 'must have at most 4096 characters', 'value_error'),
      pattern(['body', 'parent_group_id'], GROUP_ID),
      fault(['body', 'initial_members', 1], 'Input should be a valid string', 'string_type'),
      pattern(['body', 'initial_members', 2], USER_ID),
      fault(['body', 'custom_attributes'], 'must have at most 8 levels', 'value_error'),
    ],
    [
      `PATCH ${ADMIN}/x`,
      { name: null, parent_group_id: 'x', custom_attributes: [] },
      pattern(['path', 'group_id'], GROUP_ID),
      fault(['body', 'name'], 'must be text, and cannot be cleared', 'string_type'),
      pattern(['body', 'parent_group_id'], GROUP_ID),
      fault(['body', 'custom_attributes'], 'Input should be a valid dictionary', 'dict_type'),
    ],
    [
      `PATCH ${ADMIN}/grp_x`,
      [],
      fault(['body'], 'Input should be a valid dictionary', 'model_attributes_type'),
    ],
    [`POST ${ADMIN}/grp_x/members`, {}, fault(['body', 'user_ids'], 'Field required', 'missing')],
    [
      `POST ${ADMIN}/grp_x/members`,
      { user_ids: ['usr_x', 'x', 3] },
      pattern(['body', 'user_ids', 1], USER_ID),
      fault(['body', 'user_ids', 2], 'Input should be a valid string', 'string_type'),
    ],
    [
      `POST ${ADMIN}/grp_x/nested-groups`,
      { group_ids: null },
      fault(['body', 'group_ids'], 'Input should be a valid list', 'list_type'),
    ],
    [
      `POST ${ADMIN}/grp_x/nested-groups`,
      { group_ids: ['usr_x'] },
      pattern(['body', 'group_ids', 0], GROUP_ID),
    ],
    [
      'PUT /api/v1/tenants/x/groups/y/members',
      { users_to_add: {}, users_to_remove: ['x'] },
      pattern(['path', 'tenant_id'], TENANT_ID),
      pattern(['path', 'group_id'], GROUP_ID),
      fault(['body', 'users_to_add'], 'Input should be a valid list', 'list_type'),
      pattern(['body', 'users_to_remove', 0], USER_ID),
    ],
  ])('%s %j', async (call, body, ...faults) => {
    const { status, headers, body: answer } = await ask(call, body);
    expect([status, shown(headers)]).toEqual([422, JSON_HEADERS]);
    expect(answer).toEqual(call.startsWith('HEAD') ? null : { detail: faults });
  });

  test('and what the domain finds in the names of the body', async () => {
    const [id] = rich.users;
    expect(
      (await ask(`PUT ${GROUPS}/${rich.groups.team}/members`, { users_to_add: [id], users_to_remove: [id] }))
        .body,
    ).toEqual({
      detail: [
        fault(['body', 'users_to_remove'], 'must not name a user that usersToAdd names', 'value_error'),
      ],
    });
  });
});

describe('what is not found', () => {
  test('is told by its id, on every path', async () => {
    const never = newId('group');
    for (const [call, body] of [
      [`GET ${GROUPS}/${never}`],
      [`PATCH ${GROUPS}/${never}`, { name: 'x' }],
      [`DELETE ${GROUPS}/${never}`],
      [`PUT ${GROUPS}/${never}/members`, {}],
      [`GET ${ADMIN}/${never}`],
      [`PATCH ${ADMIN}/${never}`, { name: 'x' }],
      [`DELETE ${ADMIN}/${never}`],
      [`GET ${ADMIN}/${never}/members`],
      [`POST ${ADMIN}/${never}/members`, { user_ids: [] }],
      [`DELETE ${ADMIN}/${never}/members/${rich.users[0]}`],
      [`GET ${ADMIN}/${never}/effective-members`],
      [`GET ${ADMIN}/${never}/nested-groups`],
      [`POST ${ADMIN}/${never}/nested-groups`, { group_ids: [] }],
      [`DELETE ${ADMIN}/${never}/nested-groups/${rich.groups.team}`],
      [`DELETE ${ADMIN}/${rich.groups.team}/nested-groups/${never}`],
      [`GET ${ADMIN}/${never}/parent-groups`],
    ] as const) {
      const { status, headers, body: answer } = await ask(call, body);
      expect([call, status, shown(headers), answer]).toEqual([
        call,
        404,
        JSON_HEADERS,
        { detail: `${never} was not found` },
      ]);
    }
    const nowhere = newId('tenant');
    for (const [call, body] of [
      [`GET /api/v1/tenants/${nowhere}/groups`],
      [`POST /api/v1/tenants/${nowhere}/groups`, { name: 'x' }],
      [`POST ${ADMIN}/`, { name: 'x', tenant_id: nowhere }],
    ] as const) {
      const { status, body: answer } = await ask(call, body);
      expect([call, status, answer]).toEqual([call, 404, { detail: `${nowhere} was not found` }]);
    }
  });

  test('is a path that is none', async () => {
    for (const path of [
      '/api/v1',
      '/api/v1/admin',
      `${ADMIN}//`,
      `${ADMIN}/grp_x/`,
      `${GROUPS}//`,
      `${GROUPS}/grp_x/`,
      `${GROUPS}/grp_x/members/`,
      '/docs/package.json',
      '/docs/',
      '/openapi.json/',
    ]) {
      const { status, body } = await ask(`GET ${path}`);
      expect([path, status, body]).toEqual([path, 404, { detail: 'Not Found' }]);
    }
  });
});

test('a method that a path does not have answers 405, on each path, with those that it has', async () => {
  const one = `${ADMIN}/grp_x`;
  for (const [path, allow] of [
    [`${ADMIN}/`, 'GET, HEAD, POST'],
    [ADMIN, 'GET, HEAD, POST'],
    [one, 'GET, HEAD, PATCH, DELETE'],
    [`${one}/members`, 'GET, HEAD, POST'],
    [`${one}/members/usr_x`, 'DELETE'],
    [`${one}/effective-members`, 'GET, HEAD'],
    [`${one}/nested-groups`, 'GET, HEAD, POST'],
    [`${one}/nested-groups/grp_y`, 'DELETE'],
    [`${one}/parent-groups`, 'GET, HEAD'],
    [GROUPS, 'GET, HEAD, POST'],
    [`${GROUPS}/`, 'GET, HEAD, POST'],
    [`${GROUPS}/grp_x`, 'GET, HEAD, PATCH, DELETE'],
    [`${GROUPS}/grp_x/members`, 'PUT'],
    ['/openapi.json', 'GET, HEAD'],
    ['/docs', 'GET, HEAD'],
  ] as const) {
    const { status, headers, body } = await ask(`OPTIONS ${path}`);
    expect([path, status, headers.get('allow'), headers.get('content-type'), body]).toEqual([
      path,
      405,
      allow,
      'application/json',
      { detail: 'Method Not Allowed' },
    ]);
  }
});

describe('without anybody signed in', () => {
  const get = async (path: string) => {
    const response = await server.app.fetch(new Request(`http://coterie.test${path}`));
    return { response, text: await response.text() };
  };

  test('nothing of the API is told but what to send', async () => {
    const { status, headers, body } = await server.rest(null, `POST ${GROUPS}`, '{', {
      'content-type': 'text/plain',
    });
    expect([status, headers.get('www-authenticate'), headers.get('content-type'), body]).toEqual([
      401,
      'Bearer realm="coterie"',
      'application/json',
      { detail: 'A bearer token is required' },
    ]);
  });

  test('the document is that of the repository, each time', async () => {
    const committed = await readFile(new URL('../../openapi.json', import.meta.url), 'utf8');
    for (let time = 0; time < 2; time += 1) {
      const { response, text } = await get('/openapi.json');
      expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/json']);
      expect(text === committed).toBe(true);
    }
  });

  test('the reference page loads from here alone, and cannot be framed', async () => {
    const { response, text } = await get('/docs');
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/html; charset=UTF-8',
      'cache-control': 'no-store',
      'content-security-policy':
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
    });
    const linked = [...text.matchAll(/(?:href|src)="([^"]*)"/g)].map(([, url]) => url);
    expect(linked).toEqual([
      '/docs/swagger-ui.css',
      '/docs/favicon-32x32.png',
      '/docs/swagger-ui-bundle.js',
      '/docs/reference.js',
    ]);
    const [, token] = /<script type="application\/json" id="token">(.*)<\/script>/.exec(text)!;
    const { body } = await server.rest(null, `GET ${ADMIN}/`, undefined, {
      authorization: `Bearer ${JSON.parse(token!)}`,
    });
    expect(body.data).toBeInstanceOf(Array);
  });

  test.each([
    ['/docs/swagger-ui.css', 'text/css; charset=utf-8', 'public, max-age=3600', '.swagger-ui'],
    [
      '/docs/swagger-ui-bundle.js',
      'text/javascript; charset=utf-8',
      'public, max-age=3600',
      'SwaggerUIBundle',
    ],
    ['/docs/favicon-32x32.png', 'image/png', 'public, max-age=3600', 'PNG'],
    ['/docs/reference.js', 'text/javascript; charset=utf-8', null, "url: '/openapi.json'"],
  ])('%s is served', async (path, type, cache, content) => {
    const { response, text } = await get(path);
    expect([
      response.status,
      response.headers.get('content-type'),
      response.headers.get('cache-control'),
    ]).toEqual([200, type, cache]);
    expect(text).toContain(content);
  });
});
