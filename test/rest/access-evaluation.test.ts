// AuthZEN's Access Evaluation: who is told what, batches and their semantics, what is malformed, and the metadata.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openDirectory } from '../../src/domain/directory.ts';
import { refuse } from '../../src/model/errors.ts';
import { newId } from '../../src/model/ids.ts';
import { OpenStreams } from '../../src/model/open-streams.ts';
import { RequestLog } from '../../src/model/request-log.ts';
import { createRestHandler } from '../../src/rest/router.ts';
import { tenantAdmin } from '../support/directories.ts';
import { createWorld } from '../support/group-worlds.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { type Claims, SUPER_ADMIN, startApp, type TestApp } from '../support/server.ts';

const ONE = 'POST /access/v1/evaluation';
const MANY = 'POST /access/v1/evaluations';
const METADATA = '/.well-known/authzen-configuration';

const GROUPS = {
  Top: { nests: ['Middle'] },
  Middle: { nests: ['Leaf'], members: [1] },
  Leaf: { members: [0] },
  Aside: { members: [2] },
  Gone: { members: [0] },
};

let database: TestDatabase;
let server: TestApp;
let own: Awaited<ReturnType<typeof createWorld<keyof typeof GROUPS>>>;
let foreign: typeof own;
let admin: Claims;
beforeAll(async () => {
  database = await openTestDatabase();
  server = await startApp(database.db);
  [own, foreign] = [await createWorld(database.db, GROUPS, 4), await createWorld(database.db, GROUPS, 4)];
  admin = { sub: 'usr_admin', role: 'tenant_admin', tenant_id: own.tenantId };
  for (const { ids } of [own, foreign])
    await server.rest(SUPER_ADMIN, `DELETE /api/v1/admin/groups/${ids.Gone}`);
});
afterAll(() => database.close());

const subject = (id: unknown, type: unknown = 'user') => ({ type, id });
const resource = (id: unknown, type: unknown = 'group') => ({ type, id });
const action = (name: unknown = 'member') => ({ name });
const asked = (user: string, group: string) => ({
  subject: subject(user),
  action: action(),
  resource: resource(group),
});
const permitted = { decision: true };
const denied = { decision: false };

const CALLERS: Record<string, () => Claims> = {
  'a super administrator': () => SUPER_ADMIN,
  'a service of the platform': () => ({ sub: 'sync', platform_token: true, scope: 'admin:read' }),
  'a partner administrator': () => ({ sub: 'usr_p', role: 'partner_admin', partner_id: own.partnerId }),
  'a tenant administrator': () => admin,
  'a service that reads': () => ({ sub: 'client', tenant_id: own.tenantId, scope: 'groups:read' }),
  'an end user': () => ({ sub: own.users[0]!, tenant_id: own.tenantId }),
};

/** Those who see the other tenant too. */
const SEES_ALL = ['a super administrator', 'a service of the platform'];

describe.each(Object.keys(CALLERS))('%s', (caller) => {
  test('is told of each user and group what GraphQL tells, and no more than it sees', async () => {
    const claims = CALLERS[caller]!();
    const users = [...own.users, ...foreign.users, newId('user'), 'alice', '', own.ids.Leaf];
    const groups = [...Object.values(own.ids), ...Object.values(foreign.ids), newId('group'), 'x', ''];
    const members = ({ ids: { Top, Middle, Leaf, Aside }, users: [zero, one, two] }: typeof own) => [
      ...[Top, Middle, Leaf].map((group) => [zero, group]),
      ...[Top, Middle].map((group) => [one, group]),
      [two, Aside],
    ];
    const all = [...members(own), ...(SEES_ALL.includes(caller) ? members(foreign) : [])].map(String);
    const expected = caller === 'an end user' ? all.slice(0, 3) : all;
    const told: string[] = [];
    const graphql: string[] = [];
    const fields = users.map((id, at) => `u${at}: hasEffectiveMember(userId: ${JSON.stringify(id)})`);
    for (const group of groups) {
      const evaluations = users.map((user) => ({ subject: subject(user) }));
      const { status, body } = await server.rest(claims, MANY, {
        action: action(),
        resource: resource(group),
        evaluations,
      });
      expect(status).toBe(200);
      for (const [at, decision] of body.evaluations.entries()) {
        if (decision.decision) told.push(String([users[at], group]));
        else expect(decision).toEqual(denied);
      }
      const data = await server.data(claims, `query ($id: ID!) { group(id: $id) { ${fields.join(' ')} } }`, {
        id: group,
      });
      for (const [at, user] of users.entries())
        if (data.group?.[`u${at}`]) graphql.push(String([user, group]));
    }
    expect(told.toSorted()).toEqual(expected.toSorted());
    expect(graphql.toSorted()).toEqual(expected.toSorted());
    // One by one as in a batch.
    for (const [user, group] of [...members(own), ...members(foreign), [own.users[3], own.ids.Top]]) {
      const { status, body } = await server.rest(claims, ONE, asked(user!, group!));
      expect([status, body]).toEqual([200, { decision: expected.includes(String([user, group])) }]);
    }
  });

  test('cannot tell what is hidden from what there is not', async () => {
    const [user] = own.users;
    const never = { user: newId('user'), group: newId('group') };
    const answers = [];
    for (const [who, which] of [
      [user, never.group],
      [user, foreign.ids.Leaf],
      [user, foreign.ids.Gone],
      [foreign.users[3], foreign.ids.Leaf],
      [never.user, never.group],
    ]) {
      const { status, headers, body } = await server.rest(CALLERS[caller]!(), ONE, asked(who!, which!));
      const { 'x-request-id': _id, 'coterie-position': positions, ...others } = Object.fromEntries(headers);
      answers.push({ status, body, others, ...(!SEES_ALL.includes(caller) && { positions }) });
    }
    expect(answers[0]).toMatchObject({ status: 200, body: denied });
    for (const answer of answers) expect(answer).toEqual(answers[0]);
  });
});

test('only membership of groups is ever permitted', async () => {
  const [user] = own.users;
  const sound = asked(user!, own.ids.Top);
  expect((await server.rest(admin, ONE, sound)).body).toEqual(permitted);
  const others = [
    { ...sound, subject: subject(user, 'group') },
    { ...sound, subject: subject(user, 'User') },
    { ...sound, subject: subject(user, '') },
    { ...sound, action: action('members') },
    { ...sound, action: action('read') },
    { ...sound, resource: resource(own.ids.Top, 'user') },
    { ...sound, resource: resource(own.ids.Top, 'todo') },
    { ...sound, resource: resource(own.ids.Gone) },
    { ...sound, subject: subject(own.ids.Top), resource: resource(user) },
  ];
  for (const body of others)
    expect(await server.rest(admin, ONE, body)).toMatchObject({ status: 200, body: denied });
  const { body } = await server.rest(admin, MANY, { evaluations: [sound, ...others] });
  expect(body).toEqual({ evaluations: [permitted, ...others.map(() => denied)] });
});

test('what the standard lets a client add is ignored, whatever it is', async () => {
  const { subject, action, resource } = asked(own.users[0]!, own.ids.Top);
  const properties = { department: 'Sales', nested: { a: [1, null, { b: 12345678901234567890n }] } };
  const rich = {
    subject: { ...subject, properties, other: 1 },
    action: { ...action, properties },
    resource: { ...resource, properties: {} },
    context: { time: '1985-10-26T01:22-07:00', decision: false },
    unknown: null,
  };
  // JSON has integers that JavaScript cannot hold.
  const text = (body: object) =>
    JSON.stringify(body, (_, value) => (typeof value === 'bigint' ? 1e20 : value)).replaceAll(
      '100000000000000000000',
      '12345678901234567890',
    );
  expect((await server.rest(admin, ONE, text(rich))).body).toEqual(permitted);
  const batch = {
    ...rich,
    evaluations: [{}, { context: {}, unknown: 1 }],
    options: { evaluations_semantic: 'execute_all', another_option: 'value' },
  };
  expect((await server.rest(admin, MANY, text(batch))).body).toEqual({ evaluations: [permitted, permitted] });
});

describe('a batch', () => {
  const many = async (body: object) => {
    const answer = await server.rest(admin, MANY, body);
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    return answer.body;
  };
  const decisions = async (body: object) =>
    (await many(body)).evaluations.map(({ decision }: { decision: boolean }) => decision);

  test('takes what an evaluation does not say from the defaults, and what it says whole', async () => {
    const [zero, one] = own.users;
    const { Top, Leaf, Aside } = own.ids;
    expect(
      await decisions({
        subject: subject(zero),
        action: action(),
        resource: resource(Leaf),
        evaluations: [
          {},
          { subject: subject(one) },
          { resource: resource(Aside) },
          { subject: subject(one), resource: resource(Top) },
          { action: action('read') },
          { subject: subject(zero, 'robot') },
        ],
      }),
    ).toEqual([true, false, false, true, false, false]);
    // Without defaults.
    expect(await decisions({ evaluations: [asked(zero!, Leaf), asked(one!, Leaf)] })).toEqual([true, false]);
    // An object is not merged with its default, and null does not stand for it.
    const { evaluations } = await many({
      ...asked(zero!, Leaf),
      evaluations: [
        { resource: { id: Leaf } },
        { subject: { type: 'user' } },
        { action: {} },
        { subject: null },
      ],
    });
    expect(evaluations).toEqual(
      [
        'resource.type: Field required',
        'subject.id: Field required',
        'action.name: Field required',
        'subject: Input should be a valid dictionary',
      ].map((message) => ({ decision: false, context: { error: { status: 400, message } } })),
    );
  });

  test('denies what is malformed with its reason, and nothing beside it', async () => {
    const sound = asked(own.users[0]!, own.ids.Top);
    const { subject: _, ...nobody } = sound;
    const { evaluations } = await many({
      evaluations: [
        sound,
        {},
        nobody,
        { ...sound, subject: subject(7) },
        { ...sound, context: 'x' },
        { ...sound, action: { name: 'member', properties: [] } },
        { ...sound, resource: [] },
        sound,
      ],
    });
    const error = (message: string) => ({
      decision: false,
      context: { error: { status: 400, message } },
    });
    expect(evaluations).toEqual([
      permitted,
      error('subject: Field required; action: Field required; resource: Field required'),
      error('subject: Field required'),
      error('subject.id: Input should be a valid string'),
      error('context: Input should be a valid dictionary'),
      error('action.properties: Input should be a valid dictionary'),
      error('resource: Input should be a valid dictionary'),
      permitted,
    ]);
    // A default that no evaluation uses is none that matters, and one that each uses fails each.
    expect(await decisions({ resource: { type: 'group' }, evaluations: [sound] })).toEqual([true]);
    expect(await decisions({ context: 7, evaluations: [sound, { ...sound, context: {} }] })).toEqual([
      false,
      true,
    ]);
  });

  test.each([
    [undefined, 'tft', 'tft'],
    ['execute_all', 'ftft', 'ftft'],
    ['deny_on_first_deny', 'ttftf', 'ttf'],
    ['deny_on_first_deny', 'fttt', 'f'],
    ['deny_on_first_deny', 'ttt', 'ttt'],
    ['deny_on_first_deny', 'texf', 'te'],
    ['permit_on_first_permit', 'fftft', 'fft'],
    ['permit_on_first_permit', 'tff', 't'],
    ['permit_on_first_permit', 'fff', 'fff'],
    ['permit_on_first_permit', 'fetx', 'fet'],
  ])('by %s of %s answers %s', async (evaluations_semantic, given, answered) => {
    const kinds: Record<string, object> = {
      t: { resource: resource(own.ids.Top) },
      f: { resource: resource(own.ids.Aside) },
      e: { resource: {} },
      x: { resource: resource(own.ids.Leaf) },
    };
    const { evaluations, ...rest } = await many({
      subject: subject(own.users[0]),
      action: action(),
      evaluations: [...given].map((kind) => kinds[kind]),
      options: { evaluations_semantic },
    });
    expect(rest).toEqual({});
    const letters = evaluations.map(({ decision, context }: { decision: boolean; context?: object }) =>
      context ? 'e' : decision ? 't' : 'f',
    );
    expect(letters.join('')).toBe(answered);
  });

  test('without evaluations is one', async () => {
    const sound = asked(own.users[0]!, own.ids.Top);
    expect(await many(sound)).toEqual(permitted);
    expect(await many({ ...sound, evaluations: [] })).toEqual(permitted);
    expect(await many({ ...asked(own.users[3]!, own.ids.Top), evaluations: [] })).toEqual(denied);
    const options = { evaluations_semantic: 'permit_on_first_permit' };
    expect(await many({ ...sound, options })).toEqual(permitted);
  });

  test('takes as many statements for 1,000 evaluations as for one, whatever its semantic', async () => {
    const statements: string[] = [];
    const stop = database.db.onStatement((text) => statements.push(text));
    const users = Array.from({ length: 999 }, () => newId('user'));
    for (const evaluations_semantic of ['execute_all', 'deny_on_first_deny', 'permit_on_first_permit']) {
      const counts: number[] = [];
      for (const some of [[], users]) {
        statements.length = 0;
        const answered = await decisions({
          action: action(),
          resource: resource(own.ids.Top),
          evaluations: [...some, own.users[0]].map((user) => ({ subject: subject(user) })),
          options: { evaluations_semantic },
        });
        expect(answered.filter(Boolean)).toHaveLength(
          some.length && evaluations_semantic === 'deny_on_first_deny' ? 0 : 1,
        );
        counts.push(statements.length);
      }
      expect(counts[1]).toBe(counts[0]);
      expect(counts[0]).toBeLessThanOrEqual(2);
    }
    stop();
  });

  test('has at most 1,000 evaluations', async () => {
    const { status, body } = await server.rest(admin, MANY, {
      ...asked(own.users[0]!, own.ids.Top),
      evaluations: Array.from({ length: 1_001 }, () => ({})),
    });
    expect([status, body]).toEqual([400, { detail: 'evaluations: Input should have at most 1000 items' }]);
  });
});

describe('what is malformed is refused with one message', () => {
  const sound = () => asked(own.users[0]!, own.ids.Top);
  const dictionary = 'Input should be a valid dictionary';
  const SINGLE: [string, () => unknown, string][] = [
    ['nothing', () => ({}), 'subject: Field required; action: Field required; resource: Field required'],
    ['no subject', () => ({ ...sound(), subject: undefined }), 'subject: Field required'],
    ['no action', () => ({ ...sound(), action: undefined }), 'action: Field required'],
    ['no resource', () => ({ ...sound(), resource: undefined }), 'resource: Field required'],
    ['no type of a subject', () => ({ ...sound(), subject: { id: 'x' } }), 'subject.type: Field required'],
    ['a subject that is text', () => ({ ...sound(), subject: 'x' }), `subject: ${dictionary}`],
    [
      'a number for an id',
      () => ({ ...sound(), resource: resource(7) }),
      'resource.id: Input should be a valid string',
    ],
    [
      'null for a name',
      () => ({ ...sound(), action: action(null) }),
      'action.name: Input should be a valid string',
    ],
    [
      'a list of properties',
      () => ({ ...sound(), subject: { ...sound().subject, properties: [] } }),
      `subject.properties: ${dictionary}`,
    ],
    ['null for a context', () => ({ ...sound(), context: null }), `context: ${dictionary}`],
    ['a key given twice', () => '{"subject": {"id": "a", "id": "b"}}', 'subject.id: is given twice'],
    ['a list', () => [sound()], dictionary],
    ['text', () => '"x"', dictionary],
    ['no JSON', () => '{ "subject": brok', 'The body is not JSON'],
    ['an empty body', () => '', 'The body is not JSON'],
  ];
  test.each(SINGLE)('%s', async (_what, make, detail) => {
    for (const call of [ONE, MANY]) {
      const { status, headers, body } = await server.rest(admin, call, make());
      expect([status, body]).toEqual([400, { detail }]);
      expect(headers.get('content-type')).toBe('application/json');
    }
  });

  const semantic = "Input should be 'execute_all', 'deny_on_first_deny', or 'permit_on_first_permit'";
  test.each<[string, object, string]>([
    ['evaluations that are no list', { evaluations: {} }, 'evaluations: Input should be a valid list'],
    ['null for evaluations', { evaluations: null }, 'evaluations: Input should be a valid list'],
    ['an evaluation that is no object', { evaluations: [{}, 7] }, `evaluations.1: ${dictionary}`],
    ['options that are no object', { options: 'all' }, `options: ${dictionary}`],
    [
      'a semantic that there is not',
      { options: { evaluations_semantic: 'x' } },
      `options.evaluations_semantic: ${semantic}`,
    ],
  ])('a batch with %s', async (_what, more, detail) => {
    const { status, body } = await server.rest(admin, MANY, { ...sound(), ...more });
    expect([status, body]).toEqual([400, { detail }]);
  });

  test('of ten errors at most', async () => {
    const { status, body } = await server.rest(admin, MANY, {
      evaluations: Array.from({ length: 50 }, () => 7),
    });
    expect([status, body.detail.split('; ').length]).toEqual([400, 10]);
  });
});

describe('over HTTP', () => {
  const sound = () => asked(own.users[0]!, own.ids.Top);
  const paths = [ONE, MANY];

  test('a token is needed, and a scope in it', async () => {
    for (const call of paths) {
      const none = await server.rest(null, call, sound());
      expect([none.status, none.headers.get('www-authenticate'), typeof none.body.detail]).toEqual([
        401,
        'Bearer realm="coterie"',
        'string',
      ]);
      const bad = await server.rest(null, call, sound(), { authorization: 'Bearer bad' });
      expect([bad.status, bad.headers.get('www-authenticate')]).toEqual([
        401,
        expect.stringContaining('invalid_token'),
      ]);
      const idle = { sub: 'client', tenant_id: own.tenantId, scope: 'other' };
      const refused = await server.rest(idle, call, sound());
      expect([refused.status, typeof refused.body.detail]).toEqual([403, 'string']);
    }
  });

  test('only POST is allowed, of JSON', async () => {
    for (const call of paths) {
      const path = call.slice('POST '.length);
      for (const method of ['GET', 'PUT', 'DELETE', 'PATCH']) {
        const { status, headers, body } = await server.rest(admin, `${method} ${path}`);
        expect([status, headers.get('allow'), body]).toEqual([405, 'POST', { detail: 'Method Not Allowed' }]);
      }
      expect(await server.rest(admin, `${call}/`, sound())).toMatchObject({
        status: 404,
        body: { detail: 'Not Found' },
      });
      const type = (text: string) => server.rest(admin, call, sound(), { 'content-type': text });
      expect((await type('application/json; charset=utf-8')).body).toEqual(permitted);
      expect(await type('text/plain')).toMatchObject({
        status: 415,
        body: { detail: 'The body must be sent as application/json' },
      });
    }
  });

  test('the id of the request comes back, and answers are not kept', async () => {
    const id = { 'x-request-id': 'bfe9eb29-ab87-4ca3-be83-a1d5d8305716' };
    for (const call of paths) {
      for (const [claims, body, status] of [
        [admin, sound(), 200],
        [admin, {}, 400],
        [null, sound(), 401],
      ] as const) {
        const { status: got, headers } = await server.rest(claims, call, body, id);
        expect([got, headers.get('x-request-id')]).toEqual([status, id['x-request-id']]);
        expect(headers.get('content-type')).toBe('application/json');
        if (status === 200) expect(headers.get('cache-control')).toBe('no-store');
      }
    }
  });

  test('positions are told and awaited', async () => {
    const { headers } = await server.rest(admin, ONE, sound());
    const position = headers.get('coterie-position')!;
    expect(position).toMatch(new RegExp(`^${own.tenantId}=\\d+$`));
    const ask = (header: string) => server.rest(admin, MANY, sound(), { 'coterie-position': header });
    expect(await ask(position)).toMatchObject({ status: 200, body: permitted });
    expect((await ask(`${own.tenantId}=999999`)).status).toBe(503);
    expect(await ask('later')).toMatchObject({
      status: 400,
      body: { detail: expect.stringMatching(/must be tenants with positions/) },
    });
    const told = await server.rest(CALLERS['an end user']!(), ONE, sound());
    expect([told.body, told.headers.get('coterie-position')]).toEqual([permitted, null]);
  });

  test('a body may be as large as of any other operation', async () => {
    const small = await startApp(database.db, { LIMIT_REST_BODY_BYTES: '300' });
    expect((await small.rest(admin, ONE, sound())).body).toEqual(permitted);
    const { status, body } = await small.rest(admin, ONE, { ...sound(), context: { a: 'x'.repeat(300) } });
    expect([status, body]).toEqual([413, { detail: 'The body is larger than 300 bytes' }]);
  });

  test('what cannot be decided is never denied', async () => {
    const failing = (sql: () => Promise<never>, operationMs: number) =>
      createRestHandler({
        authenticate: async () => tenantAdmin(own.tenantId),
        openDirectory: (caller) => openDirectory({ ...database.db, sql, transaction: sql }, caller),
        limits: { operationMs },
        streams: new OpenStreams({ streams: 1, streamsPerCaller: 1 }),
        developmentToken: null,
        publicUrl: null,
      });
    const unavailable = failing(() => Promise.reject(refuse.unavailable('Try again')), 5_000);
    const faulty = failing(() => Promise.reject(new TypeError('secret')), 5_000);
    const slow = failing(() => new Promise(() => {}), 50);
    for (const path of ['/access/v1/evaluation', '/access/v1/evaluations']) {
      for (const [{ fetch }, status, detail] of [
        [unavailable, 503, 'Try again'],
        [faulty, 500, 'Internal Server Error'],
        [slow, 503, 'The operation took longer than 50 ms'],
      ] as const) {
        const request = new Request(`http://coterie.test${path}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ ...sound(), evaluations: [{}, {}] }),
        });
        const response = await fetch(request, new RequestLog('r1'));
        expect([response.status, await response.json()]).toEqual([status, { detail }]);
        expect(response.headers.get('retry-after')).toBe(status === 503 ? '1' : null);
      }
    }
  });
});

describe('the metadata', () => {
  const of = (url: string) => ({
    policy_decision_point: url,
    access_evaluation_endpoint: `${url}/access/v1/evaluation`,
    access_evaluations_endpoint: `${url}/access/v1/evaluations`,
  });
  const ISSUER = {
    AUTH_ISSUER: 'https://id.example.com',
    AUTH_AUDIENCE: 'coterie',
    AUTH_JWKS_URL: 'http://127.0.0.1:1/jwks',
  };

  test.each<[string, Record<string, string>, string | null]>([
    ['of a server in development is of where it listens', {}, 'http://127.0.0.1:4000'],
    ['of another port', { PORT: '4321' }, 'http://127.0.0.1:4321'],
    ['of another loopback address', { HOST: '::1' }, 'http://[::1]:4000'],
    ['of a port that is still to be chosen is none', { PORT: '0' }, null],
    [
      'of a server in public is of PUBLIC_URL',
      { PUBLIC_URL: 'https://a.example.com' },
      'https://a.example.com',
    ],
    [
      'of a server with an issuer too',
      { ...ISSUER, PUBLIC_URL: 'https://a.example.com:8443' },
      'https://a.example.com:8443',
    ],
    ['of a server with an issuer is none without it', ISSUER, null],
  ])('%s', async (_what, variables, url) => {
    const app = await startApp(database.db, variables);
    const { status, headers, body } = await app.rest(null, `GET ${METADATA}`, undefined, {
      host: 'evil.example',
      'x-forwarded-host': 'evil.example',
    });
    if (url === null) {
      expect([status, body]).toEqual([404, { detail: 'Not Found: PUBLIC_URL is not set' }]);
      return;
    }
    expect([status, body]).toEqual([200, of(url)]);
    expect(headers.get('content-type')).toBe('application/json');
    expect(headers.get('cache-control')).toBe('public, max-age=3600');
  });

  test('leads to where access is evaluated', async () => {
    const { body } = await server.rest(null, `GET ${METADATA}`);
    const { access_evaluation_endpoint: one, access_evaluations_endpoint: many } = body;
    for (const url of [one, many]) {
      const answer = await server.rest(
        admin,
        `POST ${new URL(url).pathname}`,
        asked(own.users[0]!, own.ids.Top),
      );
      expect(answer.body).toEqual(permitted);
    }
  });

  test('is only read', async () => {
    const { status, headers } = await server.rest(null, `POST ${METADATA}`, {});
    expect([status, headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    expect((await server.rest(null, `HEAD ${METADATA}`)).status).toBe(200);
    expect((await server.rest(null, `GET ${METADATA}/tenant1`)).status).toBe(404);
  });
});
