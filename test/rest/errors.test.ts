// Every way a REST request is refused: the status, and the body as FastAPI's clients parse it.
import { ReadableStream } from 'node:stream/web';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Database, Prisma } from '../../src/database/database.ts';
import { openDirectory } from '../../src/domain/directory.ts';
import { refuse } from '../../src/model/errors.ts';
import { OpenStreams } from '../../src/model/open-streams.ts';
import { RequestLog } from '../../src/model/request-log.ts';
import { openApiDocument } from '../../src/rest/openapi.ts';
import { createRestHandler } from '../../src/rest/router.ts';
import { createTenant, tenantAdmin } from '../support/directories.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { type RestServer, startRest } from '../support/rest.ts';
import { type Claims, SUPER_ADMIN } from '../support/server.ts';

const ADMIN = '/api/v1/admin/groups';

let database: TestDatabase;
let server: RestServer;
let admin: Claims;
let groups: string;
let userIds: string[];
let tenantId: string;
/** What stands for the parameters of a path. */
let ids: Record<string, string>;
beforeAll(async () => {
  database = await openTestDatabase();
  server = await startRest(database.db);
  const tenant = await createTenant(database.db, 3);
  ({ tenantId, userIds } = tenant);
  admin = { sub: 'usr_admin', role: 'tenant_admin', tenant_id: tenant.tenantId };
  groups = `/api/v1/tenants/${tenant.tenantId}/groups`;
  ids = { tenant_id: tenantId, group_id: await create('Typed bodies') };
});
afterAll(async () => {
  await server.stop();
  await database.close();
});

const ask = (call: string, body?: unknown, headers?: Record<string, string>) =>
  server.ask(admin, call, body, headers);

async function create(name: string, more: object = {}): Promise<string> {
  return (await ask(`POST ${groups}`, { name, ...more })).body.data.id;
}

describe('422', () => {
  test('lists the first 100 errors of a list with a great many invalid items', async () => {
    const listOf = (length: number) => JSON.stringify({ user_ids: Array.from({ length }, () => 0) });
    const { status, body } = await server.rest(
      admin,
      `POST ${ADMIN}/${ids.group_id}/members`,
      listOf(10_000),
    );
    expect([status, body.detail.length]).toEqual([422, 100]);
    expect(body.detail[99]).toMatchObject({ loc: ['body', 'user_ids', 99] });
    const endless = await server.rest(admin, `POST ${ADMIN}/${ids.group_id}/members`, listOf(400_000));
    expect([endless.status, endless.body.detail]).toEqual([
      422,
      [{ loc: ['body', 'user_ids'], msg: 'List should have at most 10000 items', type: 'too_long' }],
    ]);
    // The domain's own errors as well.
    expect(
      refuse.validation(Array.from({ length: 200_000 }, () => ({ path: ['a'], message: 'b' }))),
    ).toMatchObject({
      message: Array.from({ length: 100 }, () => 'a b').join('; '),
      details: { fields: { length: 100 } },
    });
  });

  test('tells the faults of path, query, header and body at once', async () => {
    const { status, body } = await ask(
      'DELETE /api/v1/tenants/nobody/groups/nothing?strategy=MAYBE',
      undefined,
      { 'if-match': 'x' },
    );
    expect(status).toBe(422);
    expect(body.detail.map((fault: { loc: string[]; type: string }) => [fault.loc, fault.type])).toEqual([
      [['path', 'tenant_id'], 'string_pattern_mismatch'],
      [['path', 'group_id'], 'string_pattern_mismatch'],
      [['query', 'strategy'], 'enum'],
      [['header', 'if-match'], 'string_pattern_mismatch'],
    ]);
    for (const { msg } of body.detail) expect(msg).not.toBe('');
  });

  test('tells every fault of a body, each with its place', async () => {
    const { status, body } = await ask('POST /api/v1/tenants/-/groups', {
      description: 'x'.repeat(4_097),
      group_type: 'OTHER',
      parent_group_id: 'usr_x',
      initial_members: ['usr_ok', 7, 'grp_x'],
      custom_attributes: [],
    });
    expect(status).toBe(422);
    expect(body.detail).toEqual([
      { loc: ['path', 'tenant_id'], msg: expect.any(String), type: 'string_pattern_mismatch' },
      { loc: ['body', 'name'], msg: 'Field required', type: 'missing' },
      { loc: ['body', 'description'], msg: 'must have at most 4096 characters', type: 'value_error' },
      { loc: ['body', 'group_type'], msg: expect.any(String), type: 'enum' },
      { loc: ['body', 'parent_group_id'], msg: expect.any(String), type: 'string_pattern_mismatch' },
      { loc: ['body', 'initial_members', 1], msg: expect.any(String), type: 'string_type' },
      { loc: ['body', 'initial_members', 2], msg: expect.any(String), type: 'string_pattern_mismatch' },
      { loc: ['body', 'custom_attributes'], msg: expect.any(String), type: 'dict_type' },
    ]);
  });

  test.each([
    [`GET ${ADMIN}/?page=0&per_page=101`, ['page', 'greater_than_equal'], ['per_page', 'less_than_equal']],
    [`GET ${ADMIN}/?page=x&per_page=1.5`, ['page', 'int_parsing'], ['per_page', 'int_parsing']],
    [`GET ${ADMIN}/?page=1&page=2`, ['page', 'int_parsing']],
    [`GET ${ADMIN}/?page=1000000001`, ['page', 'less_than_equal']],
    [
      `GET ${ADMIN}/?tenant_id=grp_x&partner_id=1&group_type=security`,
      ['tenant_id', 'string_pattern_mismatch'],
      ['partner_id', 'string_pattern_mismatch'],
      ['group_type', 'enum'],
    ],
    [`GET ${ADMIN}/?search=${'x'.repeat(256)}`, ['search', 'string_too_long']],
    [`GET ${ADMIN}/?search=%00`, ['search', 'value_error']],
    [`GET ${ADMIN}/grp_x/effective-members?per_page=0`, ['per_page', 'greater_than_equal']],
  ])('%s', async (call, ...faults) => {
    const { status, body } = await ask(call);
    expect(status).toBe(422);
    expect(
      body.detail.map((fault: { loc: string[]; type: string }) => [fault.loc.at(-1), fault.type]),
    ).toEqual(faults);
  });

  test('an unknown include is refused by its place', async () => {
    const { status, body } = await ask(`GET ${groups}/grp_x?include=members,secrets`);
    expect([status, body.detail[0].loc]).toEqual([422, ['query', 'include', 1]]);
  });

  test('rules that the domain finds are told in the names of the body', async () => {
    const group = await create('Both lists');
    const { status, body } = await ask(`PUT ${groups}/${group}/members`, {
      users_to_add: [userIds[0]],
      users_to_remove: [userIds[0]],
    });
    expect(status).toBe(422);
    expect(body.detail).toEqual([
      { loc: ['body', 'users_to_remove'], msg: expect.any(String), type: 'value_error' },
    ]);
  });

  test('a body that is no object, and a null name', async () => {
    const group = await create('Named');
    for (const body of ['[]', 'null', '"text"', '7']) {
      // Past the proxy: Prism announces the length of a body that is null, but does not send it.
      const answer = await server.rest(admin, `PATCH ${groups}/${group}`, body);
      expect(answer.status, body).toBe(422);
      expect(answer.body.detail).toEqual([
        { loc: ['body'], msg: expect.any(String), type: 'model_attributes_type' },
      ]);
    }
    const { status, body } = await ask(`PATCH ${groups}/${group}`, { name: null });
    expect([status, body.detail[0].loc, body.detail[0].type]).toEqual([422, ['body', 'name'], 'string_type']);
  });

  test('attributes that are too deep or too large', async () => {
    const deep = (levels: number): unknown => (levels === 0 ? 1 : { a: deep(levels - 1) });
    for (const custom_attributes of [deep(9), { text: 'x'.repeat(16 * 1_024) }, { 'a\0': 1 }]) {
      const { status, body } = await ask(`POST ${groups}`, { name: 'Attributes', custom_attributes });
      expect([status, body.detail[0].loc]).toEqual([422, ['body', 'custom_attributes']]);
    }
    const bottomless = `{"name": "x", "custom_attributes": ${'{"a":'.repeat(150_000)}1${'}'.repeat(150_000)}}`;
    expect((await server.rest(admin, `POST ${groups}`, bottomless)).status).toBe(422);
  });
});

describe('before a request is read', () => {
  test('401 says what to send', async () => {
    for (const [call, body] of [
      [`GET ${ADMIN}/`],
      [`POST ${groups}`, { name: 'No' }],
      [`DELETE ${groups}/grp_x`],
    ] as const) {
      const { status, headers, body: answer } = await server.ask(null, call, body);
      expect(status).toBe(401);
      expect(headers.get('www-authenticate')).toBe('Bearer realm="coterie"');
      expect(answer).toEqual({ detail: 'A bearer token is required' });
    }
    const { status, body } = await server.ask(null, `GET ${ADMIN}/`, undefined, {
      authorization: 'Bearer nonsense',
    });
    expect([status, body.detail]).toEqual([401, 'The token is invalid']);
  });

  test('403 for a machine without a scope, in the words that clients know', async () => {
    const platform = await server.ask({ sub: 'client', platform_token: true }, `GET ${ADMIN}/`);
    expect(platform).toMatchObject({
      status: 403,
      body: { detail: 'Platform token requires admin:read or admin:write scope' },
    });
    const service = await server.ask({ sub: 'client', tenant_id: tenantId }, `GET ${groups}`);
    expect([service.status, service.headers.get('www-authenticate')]).toEqual([
      403,
      'Bearer realm="coterie", error="insufficient_scope"',
    ]);
  });

  test('403 for what is seen but not the caller’s to change', async () => {
    const group = await create('Read only');
    const reader = { sub: 'client', tenant_id: tenantId, scope: 'groups:read' };
    for (const [call, body] of [
      [`POST ${groups}`, { name: 'No' }],
      [`PATCH ${groups}/${group}`, { name: 'No' }],
      [`DELETE ${groups}/${group}`],
      [`PUT ${groups}/${group}/members`, {}],
      [`POST ${ADMIN}/`, { name: 'No', tenant_id: tenantId }],
      [`PATCH ${ADMIN}/${group}`, { name: 'No' }],
      [`DELETE ${ADMIN}/${group}`],
      [`POST ${ADMIN}/${group}/members`, { user_ids: [userIds[0]] }],
      [`DELETE ${ADMIN}/${group}/members/${userIds[0]}`],
      [`POST ${ADMIN}/${group}/nested-groups`, { group_ids: [group] }],
      [`DELETE ${ADMIN}/${group}/nested-groups/${group}`],
    ] as const) {
      const answer = await server.ask(reader, call, body);
      expect([answer.status, answer.body], call).toEqual([
        403,
        { detail: 'You may see this, but not change it' },
      ]);
    }
    expect((await server.ask(reader, `GET ${groups}/${group}`)).status).toBe(200);
  });

  test('415 for a body that is not JSON, 400 for one that does not parse, wherever one is taken', async () => {
    const taking = [...Object.entries(openApiDocument().paths ?? {})].flatMap(([path, operations]) =>
      Object.entries(operations as Record<string, object>)
        .filter(([, operation]) => 'requestBody' in operation)
        .map(
          ([method]) => `${method.toUpperCase()} ${path.replaceAll(/\{(.+?)\}/g, (_, name) => ids[name]!)}`,
        ),
    );
    expect(taking).toHaveLength(9);
    for (const call of taking) {
      for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp']) {
        const { status, body } = await server.rest(admin, call, '{"name":"x"}', { 'content-type': type });
        expect([status, body], `${call} ${type}`).toEqual([
          415,
          { detail: 'The body must be sent as application/json' },
        ]);
      }
      for (const text of ['{"name":', '', '{name: 1}', '\u0000']) {
        const { status, body } = await server.rest(admin, call, text);
        expect([status, body], `${call} ${text}`).toEqual([400, { detail: 'The body is not JSON' }]);
      }
    }
    const { status } = await server.rest(admin, `POST ${groups}`, '{"name":"Typed"}', {
      'content-type': 'Application/JSON; charset=utf-8',
    });
    expect(status).toBe(201);
  });

  test('413 for a body above 1 MB', async () => {
    const body = JSON.stringify({ name: 'x', description: 'y'.repeat(1_024 * 1_024) });
    const { status, body: answer } = await server.rest(admin, `POST ${groups}`, body);
    expect([status, answer]).toEqual([413, { detail: 'The body is larger than 1048576 bytes' }]);
    const fits = await server.rest(admin, `POST ${groups}`, `{"name": "x"${' '.repeat(1_024 * 1_024 - 13)}}`);
    expect(fits.status).toBe(201);
  });

  test('413 reaches a client that does not say how much it will send', async () => {
    const chunk = new Uint8Array(64 * 1_024).fill(0x20);
    const body = ReadableStream.from(Array.from({ length: 32 }, () => chunk));
    const response = await fetch(`${server.url}${groups}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${await server.tokenFor(admin)}`,
        'content-type': 'application/json',
      },
      body,
      duplex: 'half',
    } as unknown as RequestInit);
    expect([response.status, await response.json()]).toEqual([
      413,
      { detail: 'The body is larger than 1048576 bytes' },
    ]);
  });
});

describe('409', () => {
  test('a cycle tells its path, in nesting and in the hierarchy', async () => {
    const a = await create('Cycle A');
    const b = await create('Cycle B', { parent_group_id: a });
    await ask(`POST ${ADMIN}/${a}/nested-groups`, { group_ids: [b] });
    const nesting = await ask(`POST ${ADMIN}/${b}/nested-groups`, { group_ids: [a] });
    const step = (id: string, name: string) => ({ id, name });
    expect(nesting).toMatchObject({
      status: 409,
      body: {
        detail: {
          code: 'CYCLE',
          message: expect.stringContaining('Cycle B → Cycle A → Cycle B'),
          path: [step(b, 'Cycle B'), step(a, 'Cycle A'), step(b, 'Cycle B')],
        },
      },
    });
    const hierarchy = await ask(`PATCH ${groups}/${a}`, { parent_group_id: b });
    expect(hierarchy.status).toBe(409);
    expect(hierarchy.body.detail).toMatchObject({
      code: 'CYCLE',
      path: [step(a, 'Cycle A'), step(b, 'Cycle B'), step(a, 'Cycle A')],
    });
  });

  test('a name that is taken, and the names that ORPHAN would clash with', async () => {
    await create('Taken');
    const parent = await create('Above');
    await create('TAKEN', { parent_group_id: parent });
    const again = await ask(`POST ${groups}`, { name: 'taken' });
    expect([again.status, again.body.detail.code, again.body.detail.names]).toEqual([
      409,
      'NAME_TAKEN',
      ['Taken'],
    ]);
    for (const call of [`DELETE ${groups}/${parent}?strategy=ORPHAN`, `DELETE ${ADMIN}/${parent}`]) {
      const { status, body } = await ask(call);
      expect([status, body.detail.code, body.detail.names], call).toEqual([409, 'NAME_TAKEN', ['TAKEN']]);
    }
  });

  test('unknown users are listed, and ends in two tenants named where both are seen', async () => {
    const group = await create('Strangers');
    const unknown = ['usr_never1', 'usr_never2'];
    for (const [call, body] of [
      [`POST ${ADMIN}/${group}/members`, { user_ids: [userIds[0], ...unknown] }],
      [`PUT ${groups}/${group}/members`, { users_to_add: unknown }],
      [`POST ${groups}`, { name: 'With strangers', initial_members: unknown }],
    ] as const) {
      const answer = await ask(call, body);
      expect([answer.status, answer.body.detail.code, answer.body.detail.user_ids], call).toEqual([
        409,
        'UNKNOWN_USERS',
        unknown,
      ]);
    }
    const other = await createTenant(database.db);
    const elsewhere = await server.ask(SUPER_ADMIN, `POST /api/v1/tenants/${other.tenantId}/groups`, {
      name: 'Elsewhere',
    });
    const crossing = await server.ask(SUPER_ADMIN, `POST ${ADMIN}/${group}/nested-groups`, {
      group_ids: [elsewhere.body.data.id],
    });
    expect([crossing.status, crossing.body.detail.code, crossing.body.detail.id]).toEqual([
      409,
      'OTHER_TENANT',
      elsewhere.body.data.id,
    ]);
  });
});

describe('400 for a bound of the directory', () => {
  test('names the bound', async () => {
    const group = await create('Bounded');
    const ids = (prefix: string, count: number) =>
      Array.from({ length: count }, (_, at) => `${prefix}_${at}`);
    for (const [call, body, limit] of [
      [`POST ${ADMIN}/${group}/members`, { user_ids: ids('usr', 1_001) }, 1_000],
      [
        `PUT ${groups}/${group}/members`,
        { users_to_add: ids('usr', 600), users_to_remove: ids('usr_r', 600) },
        1_000,
      ],
      [`POST ${groups}`, { name: 'Many', initial_members: ids('usr', 1_001) }, 1_000],
      [`POST ${ADMIN}/${group}/nested-groups`, { group_ids: ids('grp', 101) }, 100],
    ] as const) {
      const { status, body: answer } = await ask(call, body);
      expect([status, answer.detail.code, answer.detail.limit], call).toEqual([400, 'LIMIT_EXCEEDED', limit]);
    }
  });

  test('a list too long to be included is refused, not cut', async () => {
    const group = await create('Crowd');
    const { db } = database;
    await db.sql(Prisma.sql`
      insert into users (id, tenant_id, email, search_key)
      select 'usr_crowd' || n, ${tenantId}, n || '@example.org', n || '@example.org' from generate_series(1, 10001) n`);
    await db.sql(Prisma.sql`
      insert into memberships (tenant_id, group_id, user_id, added_by)
      select ${tenantId}, ${group}, 'usr_crowd' || n, 'usr_admin' from generate_series(1, 10001) n`);
    const refused = await ask(`GET ${groups}/${group}?include=members`);
    expect([refused.status, refused.body.detail.code, refused.body.detail.limit]).toEqual([
      400,
      'LIMIT_EXCEEDED',
      10_000,
    ]);
    await ask(`DELETE ${ADMIN}/${group}/members/usr_crowd1`);
    const whole = await server.rest(admin, `GET ${groups}/${group}?include=members`);
    expect(whole.body.data.members).toHaveLength(10_000);
  });
});

describe('faults on the server', () => {
  const GET = `http://coterie.test${ADMIN}/`;
  /** The API over a database that answers so. */
  function failing(sql: () => Promise<never>, operationMs = 200) {
    const log = new RequestLog('r1');
    const { fetch: handler } = createRestHandler({
      authenticate: async () => tenantAdmin(tenantId as never),
      openDirectory: (caller) => openDirectory({ ...database.db, sql, transaction: sql }, caller),
      limits: { operationMs },
      developmentToken: null,
      publicUrl: null,
      streams: new OpenStreams({ streams: 1, streamsPerCaller: 1 }),
    });
    return { get: (url = GET) => handler(new Request(url), log), log };
  }

  test('503 says when to try again, and its reason is for the log', async () => {
    const reason = new Error('secret driver');
    const { get, log } = failing(() => Promise.reject(refuse.unavailable('Try again', reason)));
    const response = await get();
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
    expect(await response.json()).toEqual({ detail: 'Try again' });
    expect(log.line).toMatchObject({ level: 'warn', message: 'Try again', fields: { err: reason } });
    const bare = failing(() => Promise.reject(refuse.unavailable('Try again')));
    expect((await bare.get()).status).toBe(503);
    expect(bare.log.line).toMatchObject({ level: 'warn', fields: { err: { message: 'Try again' } } });
  });

  test('anything unexpected is masked, and logged whole', async () => {
    const { get, log } = failing(() => Promise.reject(new TypeError('secret of the database')));
    const response = await get();
    expect([response.status, response.headers.get('retry-after')]).toEqual([500, null]);
    expect(await response.text()).toBe('{"detail":"Internal Server Error"}');
    const err = new TypeError('secret of the database');
    const fields = { requestId: 'r1', subject: 'usr_administrator', tenantId, err };
    expect(log.line).toMatchObject({ level: 'error', message: 'unexpected error', fields });
  });

  test('a refusal is not logged', async () => {
    const { get, log } = failing(() => Promise.reject(refuse.notFound('grp_x')));
    expect((await get()).status).toBe(404);
    expect(log.line.level).toBe('info');
  });

  test('an operation that takes too long answers 503 in time', async () => {
    const { get, log } = failing(() => new Promise(() => {}), 50);
    const response = await get();
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
    const detail = 'The operation took longer than 50 ms';
    expect(await response.json()).toEqual({ detail });
    expect(log.line).toMatchObject({ level: 'warn', message: detail });
  });

  test('a change whose response cannot be read is told as stored', async () => {
    const { db } = database;
    const asked: string[] = [];
    // Reads fail once the change is stored.
    const failing: Database = {
      ...db,
      sql: (statement) =>
        asked.length > 0 ? Promise.reject(refuse.unavailable('Try again')) : db.sql(statement),
      transaction: async (work, options) => {
        const result = await db.transaction(work, options);
        asked.push('committed');
        return result;
      },
    };
    const { fetch: handler } = createRestHandler({
      authenticate: async () => tenantAdmin(tenantId as never),
      openDirectory: (caller, options) => openDirectory(failing, caller, options),
      limits: { operationMs: 60_000 },
      developmentToken: null,
      publicUrl: null,
      streams: new OpenStreams({ streams: 1, streamsPerCaller: 1 }),
    });
    const post = () =>
      handler(
        new Request(`http://coterie.test${groups}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ name: 'Stored, not read' }),
        }),
        new RequestLog('r1'),
      );
    const response = await post();
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, null]);
    expect(await response.json()).toEqual({
      detail: {
        message: 'The change is stored, but the response to it could not be read',
        code: 'UNAVAILABLE',
        outcome: 'COMMITTED',
      },
    });
    const stored = Prisma.sql`select 1 from groups where tenant_id = ${tenantId} and name = 'Stored, not read'`;
    expect(await db.sql(stored)).toHaveLength(1);
    // Refused as any other, once it is not the reading that fails.
    asked.length = 0;
    expect((await post()).status).toBe(409);
  });

  test('the reference page has no token where none is signed here', async () => {
    const { get } = failing(() => Promise.reject(new Error('not asked')));
    const text = await (await get('http://coterie.test/docs')).text();
    expect(text).toContain('<script type="application/json" id="token">null</script>');
  });
});
