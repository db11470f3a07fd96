// Who sees what over REST, generated from openapi.json: each id in each path is tried with ids of another tenant, under
// every kind of caller. What is hidden answers like what was never issued, and nothing changes.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Prisma } from '../../src/database/database.ts';
import { type IdKind, newId } from '../../src/model/ids.ts';
import { openApiDocument } from '../../src/rest/openapi.ts';
import { createTenant } from '../support/directories.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { type Claims, SUPER_ADMIN, startApp, type TestApp } from '../support/server.ts';

/** Appears in every text of the other tenants, and must appear in no answer. */
const SECRET = 'Xyzzy';

type Place = {
  tenant_id: string;
  partner_id: string;
  group_id: string;
  child_group_id: string;
  user_id: string;
};
let database: TestDatabase;
let server: TestApp;
let own: Place;
/** A second tenant of the same partner: in sight of the partner's administrator, and still not the group's tenant. */
let sister: Place;
let foreign: Place;

/** A tenant with a group, a group that is filed and nested in it, and a member. */
async function populate(word: string, partnerId?: string): Promise<Place> {
  const tenant = await createTenant(database.db, 3);
  const { tenantId, userIds } = tenant;
  if (partnerId) {
    await database.db.sql(Prisma.sql`update tenants set partner_id = ${partnerId} where id = ${tenantId}`);
  }
  await database.db.sql(
    Prisma.sql`update users set display_name = ${word}, email = ${`${word}@example.org`} where tenant_id = ${tenantId}`,
  );
  const create = async (body: object) => {
    const answer = await server.rest(SUPER_ADMIN, `POST /api/v1/tenants/${tenantId}/groups`, body);
    expect(answer.status, JSON.stringify(answer.body)).toBe(201);
    return answer.body.data.id as string;
  };
  const group = await create({
    name: `${word} group`,
    description: word,
    initial_members: [userIds[0]],
    custom_attributes: { word },
  });
  const child = await create({ name: `${word} child`, parent_group_id: group });
  await server.rest(SUPER_ADMIN, `POST /api/v1/admin/groups/${group}/nested-groups`, { group_ids: [child] });
  return {
    tenant_id: tenantId,
    partner_id: partnerId ?? tenant.partnerId,
    group_id: group,
    child_group_id: child,
    user_id: userIds[0]!,
  };
}

beforeAll(async () => {
  database = await openTestDatabase();
  server = await startApp(database.db);
  own = await populate('Own');
  sister = await populate('Sister', own.partner_id);
  foreign = await populate(SECRET);
});
afterAll(() => database.close());

/** Kinds of callers who see `own` and not `foreign`. */
const CALLERS: Record<string, () => Claims> = {
  partner_admin: () => ({ sub: 'usr_partneradmin', role: 'partner_admin', partner_id: own.partner_id }),
  tenant_admin: () => ({ sub: 'usr_tenantadmin', role: 'tenant_admin', tenant_id: own.tenant_id }),
  'service that reads': () => ({ sub: 'client', tenant_id: own.tenant_id, scope: 'groups:read' }),
  'service that writes': () => ({ sub: 'client', tenant_id: own.tenant_id, scope: 'groups:write' }),
  'plain user': () => ({ sub: own.user_id, tenant_id: own.tenant_id }),
};

type Parameter = { name: keyof Place; in: string };
type Operation = { method: string; path: string; parameters: Parameter[] };
const document = JSON.parse(JSON.stringify(openApiDocument()));
/** Evaluations of access have no ids in their paths, and refuse nobody: access-evaluation.test.ts says who is told what. */
const paths = Object.entries(document.paths as object).filter(([path]) => path.startsWith('/api/v1/'));
const operations: Operation[] = paths.flatMap(([path, methods]) =>
  Object.entries(methods as Record<string, { parameters?: Parameter[] }>).map(
    ([method, { parameters = [] }]) => ({
      method: method.toUpperCase(),
      path,
      parameters,
    }),
  ),
);

/** A body with which the operation would succeed on own ids, if it were allowed; ids of `at`. */
function bodyOf({ method, path }: Operation, at: Place): object | undefined {
  if (path.endsWith('/nested-groups') && method === 'POST') return { group_ids: [at.child_group_id] };
  if (path.endsWith('/members') && method === 'POST') return { user_ids: [at.user_id] };
  if (method === 'PUT') return { users_to_add: [at.user_id] };
  if (method === 'PATCH') return { description: 'changed' };
  if (method === 'POST') return { name: `Made ${newId('group')}`, tenant_id: at.tenant_id };
  return undefined;
}

const fill = (path: string, ids: Record<string, string>) =>
  path.replaceAll(/\{(.+?)\}/g, (_, name) => ids[name]!);
const kindOf = (name: keyof Place) => (name.includes('group') ? 'group' : name.slice(0, -3)) as IdKind;

async function answer(
  claims: Claims,
  operation: Operation,
  ids: Record<string, string>,
  body = bodyOf(operation, own),
) {
  const { status, body: text } = await server.rest(
    claims,
    `${operation.method} ${fill(operation.path, ids)}`,
    body,
  );
  return { status, body: text };
}

/** All rows of the other tenants. */
async function snapshot(): Promise<unknown> {
  const tenants = [foreign.tenant_id, sister.tenant_id];
  return database.db.sql(Prisma.sql`
    select (select json_agg(g order by id) from groups g where tenant_id = any(${tenants}::text[])) as groups,
      (select json_agg(m order by group_id, user_id) from memberships m where tenant_id = any(${tenants}::text[])) as memberships,
      (select json_agg(n order by child_group_id) from nestings n where tenant_id = any(${tenants}::text[])) as nestings`);
}

describe.each(Object.keys(CALLERS))('%s', (caller) => {
  const withIds = operations.filter(({ parameters }) => parameters.some((each) => each.in === 'path'));

  test.each(withIds.map((each) => [`${each.method} ${each.path}`, each] as const))(
    '%s',
    async (_name, operation) => {
      const claims = CALLERS[caller]!();
      const before = await snapshot();
      for (const { name } of operation.parameters.filter((each) => each.in === 'path')) {
        const [hidden, never] = [foreign[name], newId(kindOf(name))];
        const got = await answer(claims, operation, { ...own, [name]: hidden });
        const of = await answer(claims, operation, { ...own, [name]: never });
        expect(got.status, JSON.stringify(got.body)).not.toBeLessThan(400);
        expect(JSON.stringify(got)).not.toContain(SECRET);
        expect(JSON.stringify(got).replaceAll(hidden, '<id>')).toBe(
          JSON.stringify(of).replaceAll(never, '<id>'),
        );
        // A caller who sees the group, but may not change it, learns that before what else is in the path.
        expect([404, 403]).toContain(got.status);
        if (name !== 'user_id' && name !== 'child_group_id') expect(got.status).toBe(404);
      }
      expect(await snapshot()).toEqual(before);
    },
  );

  test('a group under the path of another tenant is not found, even if both are in sight', async () => {
    const claims = CALLERS[caller]!();
    const one = withIds.filter(
      ({ path }) => path.startsWith('/api/v1/tenants/') && path.includes('{group_id}'),
    );
    expect(one).toHaveLength(4);
    const before = await snapshot();
    for (const operation of one) {
      for (const ids of [
        { tenant_id: own.tenant_id, group_id: sister.group_id },
        { tenant_id: sister.tenant_id, group_id: own.group_id },
        { tenant_id: foreign.tenant_id, group_id: own.group_id },
        { tenant_id: foreign.tenant_id, group_id: foreign.group_id },
        { tenant_id: own.tenant_id, group_id: foreign.group_id },
      ]) {
        const got = await answer(claims, operation, ids);
        expect(got, `${operation.method} ${JSON.stringify(ids)}`).toEqual({
          status: 404,
          body: { detail: `${ids.group_id} was not found` },
        });
      }
    }
    expect(await snapshot()).toEqual(before);
  });

  test('ids in queries and bodies lead to nothing that is hidden', async () => {
    const claims = CALLERS[caller]!();
    const before = await snapshot();
    for (const [call, at] of [
      ['GET /api/v1/admin/groups/', ['tenant_id', 'partner_id']],
      [`GET /api/v1/tenants/${own.tenant_id}/groups`, ['parent_group_id', 'user_id']],
    ] as const) {
      for (const name of at) {
        const kind = name === 'parent_group_id' ? 'group_id' : name;
        const [hidden, never] = [foreign[kind], newId(kindOf(kind))];
        const ask = async (id: string) => {
          const { status, body } = await server.rest(claims, `${call}?${name}=${id}`);
          return { status, data: body.data, pagination: body.pagination };
        };
        expect(await ask(hidden)).toEqual(await ask(never));
        expect((await ask(hidden)).data).toEqual([]);
      }
    }
    const tenant = `/api/v1/tenants/${own.tenant_id}/groups`;
    const admin = `/api/v1/admin/groups/${own.group_id}`;
    const bodies: [string, (place: Place) => object][] = [
      [`POST ${tenant}`, ({ group_id }) => ({ name: 'Under', parent_group_id: group_id })],
      [`POST ${tenant}`, ({ user_id }) => ({ name: 'With', initial_members: [user_id] })],
      ['POST /api/v1/admin/groups/', ({ tenant_id }) => ({ name: 'In', tenant_id })],
      [`PATCH ${tenant}/${own.group_id}`, ({ group_id }) => ({ parent_group_id: group_id })],
      [`PUT ${tenant}/${own.group_id}/members`, ({ user_id }) => ({ users_to_add: [user_id] })],
      [`PUT ${tenant}/${own.group_id}/members`, ({ user_id }) => ({ users_to_remove: [user_id] })],
      [`POST ${admin}/members`, ({ user_id }) => ({ user_ids: [user_id] })],
      [`POST ${admin}/nested-groups`, ({ group_id }) => ({ group_ids: [group_id] })],
    ];
    const never: Place = {
      tenant_id: newId('tenant'),
      partner_id: newId('partner'),
      group_id: newId('group'),
      child_group_id: newId('group'),
      user_id: newId('user'),
    };
    const blind = (text: string, place: Place) =>
      Object.entries(place).reduce((masked, [name, id]) => masked.replaceAll(id, `<${name}>`), text);
    for (const [call, make] of bodies) {
      const got = await server.rest(claims, call, make(foreign));
      const of = await server.rest(claims, call, make(never));
      expect(got.status).not.toBeLessThan(400);
      expect(blind(JSON.stringify([got.status, got.body]), foreign), call).toBe(
        blind(JSON.stringify([of.status, of.body]), never),
      );
    }
    expect(await snapshot()).toEqual(before);
  });

  test('lists hold nothing that is hidden', async () => {
    const claims = CALLERS[caller]!();
    for (const operation of operations.filter(({ method }) => method === 'GET')) {
      const got = await answer(claims, operation, own);
      if (caller !== 'plain user') expect(got.status, operation.path).toBe(200);
      const text = JSON.stringify(got);
      expect(text).not.toContain(SECRET);
      for (const id of Object.values(foreign)) expect(text).not.toContain(id);
    }
  });
});

describe('every change succeeds', () => {
  const changes = operations.filter(({ method }) => method !== 'GET');
  const platform = (scope: string): Claims => ({ sub: 'sync', platform_token: true, scope });

  /** What becomes of each change, on a place of its own: its status, where ids of `at` stand in the path and the body. */
  async function outcomes(claims: Claims, at: Place) {
    const found: Record<string, number> = {};
    // Deletions last, of the group after what is in it: what they take is changed before.
    const late = ({ method, path }: Operation) => (method === 'DELETE' ? 1_000 - path.length : 0);
    for (const operation of changes.toSorted((one, other) => late(one) - late(other))) {
      const { status } = await answer(claims, operation, at, bodyOf(operation, at));
      found[`${operation.method} ${operation.path}`] = status;
    }
    return found;
  }

  /** The groups and members of a tenant, as a check that what succeeded was done. */
  const left = async ({ tenant_id, group_id, child_group_id, user_id }: Place) => {
    const [row] = await database.db.sql(Prisma.sql`
      select (select count(*)::int from groups where tenant_id = ${tenant_id} and name like 'Made %') as made,
        (select description from groups where id = ${group_id}) as description,
        (select deleted_at is not null from groups where id = ${group_id}) as deleted,
        (select count(*)::int from memberships where group_id = ${group_id} and user_id = ${user_id}) as member,
        (select count(*)::int from nestings where parent_group_id = ${group_id} and child_group_id = ${child_group_id}) as nested`);
    return row;
  };
  const STATUSES = {
    'POST /api/v1/tenants/{tenant_id}/groups': 201,
    'PATCH /api/v1/tenants/{tenant_id}/groups/{group_id}': 200,
    'PUT /api/v1/tenants/{tenant_id}/groups/{group_id}/members': 200,
    'POST /api/v1/admin/groups/': 201,
    'PATCH /api/v1/admin/groups/{group_id}': 200,
    'POST /api/v1/admin/groups/{group_id}/members': 200,
    'DELETE /api/v1/admin/groups/{group_id}/members/{user_id}': 204,
    'POST /api/v1/admin/groups/{group_id}/nested-groups': 200,
    'DELETE /api/v1/admin/groups/{group_id}/nested-groups/{child_group_id}': 204,
    // BLOCK: the child is still filed below it.
    'DELETE /api/v1/tenants/{tenant_id}/groups/{group_id}': 409,
    'DELETE /api/v1/admin/groups/{group_id}': 204,
  };
  const DONE = { made: 2, description: 'changed', deleted: true, member: 0, nested: 0 };

  test.each<[string, (place: Place) => Claims]>([
    ['a super administrator', () => SUPER_ADMIN],
    ['a service of the platform that writes', () => platform('admin:write')],
    [
      'a partner administrator',
      ({ partner_id }) => ({ sub: 'usr_partneradmin', role: 'partner_admin', partner_id }),
    ],
    [
      'a tenant administrator',
      ({ tenant_id }) => ({ sub: 'usr_tenantadmin', role: 'tenant_admin', tenant_id }),
    ],
    ['a service that writes', ({ tenant_id }) => ({ sub: 'client', tenant_id, scope: 'groups:write' })],
  ])('for %s', async (_name, claimsOf) => {
    const first = await populate('First');
    const places = [first];
    if (_name.includes('partner')) places.push(await populate('Second', first.partner_id));
    for (const place of places) {
      const found = await outcomes(claimsOf(first), place);
      expect(found).toEqual(STATUSES);
      expect(await left(place)).toEqual(DONE);
    }
  });

  test.each<[string, (place: Place) => Claims]>([
    ['a service of the platform that reads', () => platform('admin:read')],
    ['a service that reads', ({ tenant_id }) => ({ sub: 'client', tenant_id, scope: 'groups:read' })],
  ])('and none for %s', async (_name, claimsOf) => {
    const place = await populate('Kept');
    const found = await outcomes(claimsOf(place), place);
    expect(new Set(Object.values(found))).toEqual(new Set([403]));
    expect(await left(place)).toEqual({ made: 0, description: 'Kept', deleted: false, member: 1, nested: 1 });
  });
});

test('a name is all that an end user can search for', async () => {
  const place = await populate('Plugh');
  const { tenant_id, group_id, user_id } = place;
  const claims = { sub: user_id, tenant_id };
  for (const path of [`/api/v1/tenants/${tenant_id}/groups`, '/api/v1/admin/groups/']) {
    const search = async (query: string) => {
      const { body } = await server.rest(claims, `GET ${path}?${query}`);
      return [body.pagination.total_items, body.data.map((item: { id: string }) => item.id)];
    };
    expect(await search('search=GROUP')).toEqual([1, [group_id]]);
    await database.db.sql(Prisma.sql`
      update groups set search_key = 'plugh group' || E'\\n' || 'frotz', description = 'Frotz' where id = ${group_id}`);
    expect(await search('search=frotz')).toEqual([0, []]);
    expect(await search('search=plugh')).toEqual([1, [group_id]]);
    expect(await search('search=child')).toEqual([0, []]);
  }
  const list = `GET /api/v1/tenants/${tenant_id}/groups`;
  const total = async (query: string) =>
    (await server.rest(claims, `${list}?${query}`)).body.pagination.total_items;
  expect(await total(`user_id=${user_id}`)).toBe(1);
  expect(await total('user_id=usr_somebodyElse')).toBe(0);
  expect(await total(`parent_group_id=${group_id}`)).toBe(0);
  expect(await total('type=SECURITY')).toBe(1);
});

describe('a plain user', () => {
  const user = () => CALLERS['plain user']!();
  const mine = () => ({ id: own.group_id, name: 'Own group', group_type: 'SECURITY' });

  test('is told id, name and type of its groups', async () => {
    for (const path of [`/api/v1/tenants/${own.tenant_id}/groups`, '/api/v1/admin/groups']) {
      const list = await server.rest(user(), `GET ${path}/`);
      expect(list.status).toBe(200);
      expect(list.body.pagination.total_items).toBe(1);
      const [{ tenant_id, ...item }] = list.body.data;
      expect(item).toEqual(mine());
      expect(tenant_id ?? own.tenant_id).toBe(own.tenant_id);
      const one = await server.rest(
        user(),
        `GET ${path}/${own.group_id}?include=members,nested_groups,effective_member_count`,
      );
      expect(one.status).toBe(200);
      expect(one.body.data).toEqual(mine());
      expect(one.headers.get('etag')).toBeNull();
    }
  });

  test('finds no list of its group, and no other group', async () => {
    const admin = `/api/v1/admin/groups/${own.group_id}`;
    for (const list of ['members', 'effective-members', 'nested-groups', 'parent-groups']) {
      expect(await server.rest(user(), `GET ${admin}/${list}`)).toMatchObject({
        status: 404,
        body: { detail: `${own.group_id} was not found` },
      });
    }
    expect((await server.rest(user(), `GET /api/v1/admin/groups/${own.child_group_id}`)).status).toBe(404);
  });

  test('changes nothing: refused for what it sees, not found for the rest', async () => {
    for (const operation of operations.filter(({ method }) => method !== 'GET')) {
      const { status } = await answer(user(), operation, own);
      const sees = operation.path.includes('{group_id}') && !operation.path.includes('{child_group_id}');
      expect([operation.path, operation.method, status]).toEqual([
        operation.path,
        operation.method,
        sees ? 403 : 404,
      ]);
    }
  });
});

test('those who see everything do see it: the tests above could fail', async () => {
  const platform = { sub: 'client', platform_token: true, scope: 'admin:read' };
  for (const claims of [SUPER_ADMIN, platform]) {
    for (const operation of operations.filter(({ method }) => method === 'GET')) {
      const { status, body } = await answer(claims, operation, foreign);
      expect(status, operation.path).toBe(200);
      if (operation.path.includes('{group_id}') && !operation.path.endsWith('parent-groups')) {
        expect(JSON.stringify(body), operation.path).toContain(SECRET);
      }
    }
  }
  const refused = await answer(platform, operations.find(({ method }) => method === 'PATCH')!, foreign);
  expect(refused.status).toBe(403);
});
