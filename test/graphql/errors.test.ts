// How GraphQL answers when something goes wrong: refusals with their code, faults masked and logged whole. And its page.

import { createHash } from 'node:crypto';
import { GraphQLError, parse, validate } from 'graphql';
import { describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config.ts';
import type { Database } from '../../src/database/database.ts';
import { openDirectory } from '../../src/domain/directory.ts';
import { schema } from '../../src/graphql/schema/schema.ts';
import { maskError, refusedResponse } from '../../src/graphql/server/errors.ts';
import { createGraphQLHandler } from '../../src/graphql/server/handler.ts';
import type { Caller } from '../../src/model/caller.ts';
import { type DirectoryError, type ErrorCode, refuse } from '../../src/model/errors.ts';
import { OpenStreams } from '../../src/model/open-streams.ts';
import { RequestLog } from '../../src/model/request-log.ts';

const CALLER: Caller = {
  role: 'SUPER_ADMIN',
  subject: 'usr_known',
  visibility: { kind: 'all' },
  mayChange: true,
};

type Parts = {
  fault?: () => unknown;
  authenticate?: () => Promise<Caller>;
  developmentToken?: string | null;
};

/** The endpoint over a database that has no answer but this fault. */
function endpoint({ fault, authenticate = async () => CALLER, developmentToken = null }: Parts = {}) {
  const lines: RequestLog['line'][] = [];
  /** Whose line is kept when `answer` has come, if it has anything to say. */
  const logged = async <Answer>(answer: (log: RequestLog) => Promise<Answer>) => {
    const log = new RequestLog('r1');
    const given = await answer(log);
    if (log.line.level !== 'info') lines.push(log.line);
    return given;
  };
  const failing = () => Promise.reject(fault?.());
  const db = { sql: failing, transaction: failing } as unknown as Database;
  const handler = createGraphQLHandler({
    authenticate,
    openDirectory: (caller) => openDirectory(db, caller),
    limits: readConfig({}).limits,
    trustedDocuments: null,
    developmentToken,
    streams: new OpenStreams(readConfig({}).limits),
  });
  const body = (query: string) => JSON.stringify({ query });
  /** The query by the fast path, and by Yoga. */
  const paths = {
    fastPath: async (query: string) => {
      const disconnection = () => new AbortController().signal;
      const plain = {
        body: body(query),
        authorization: 'Bearer x',
        accept: null,
        positions: null,
        disconnection,
      };
      const answer = await logged((log) => handler.fastPath({ ...plain, log }));
      if (answer === null || answer instanceof Response) return answer;
      return new Response(answer.body, { headers: { 'content-type': answer.contentType } });
    },
    yoga: (query: string) =>
      logged((log) =>
        handler.fetch(
          new Request('http://coterie.test/graphql', {
            method: 'POST',
            headers: { 'content-type': 'application/json', authorization: 'Bearer x' },
            body: body(query),
          }),
          log,
        ),
      ),
  };
  return { ...paths, handler, lines };
}

const QUERY = '{ viewer { subject user { id } } }';
const failed = (message: string, extensions: object) => ({
  data: { viewer: { subject: 'usr_known', user: null } },
  errors: [{ message, locations: [{ line: 1, column: 20 }], path: ['viewer', 'user'], extensions }],
  extensions: { cost: { requested: 2, limit: 10_000 } },
});

describe.each(['fastPath', 'yoga'] as const)('by %s', (path) => {
  test('a fault of one field is masked, named by its request, and logged whole', async () => {
    const made = endpoint({ fault: () => new TypeError('secret of the database') });
    // More often than an operation is run before it is compiled.
    for (let run = 0; run < 6; run += 1) {
      const response = (await made[path](QUERY))!;
      expect(response.status).toBe(200);
      expect(await response.json()).toEqual(
        failed('Unexpected error', { code: 'INTERNAL_SERVER_ERROR', requestId: 'r1' }),
      );
    }
    expect(made.lines).toHaveLength(6);
    expect(made.lines[0]).toEqual({
      level: 'error',
      message: 'unexpected error',
      fields: { requestId: 'r1', subject: 'usr_known', err: new TypeError('secret of the database') },
    });
  });

  test('faults of many fields are one line, with one stack', async () => {
    const made = endpoint({ fault: () => new TypeError('secret of the database') });
    const fields = Array.from({ length: 20 }, (_, at) => `f${at}: viewer { user { id } }`);
    const body = (await (await made[path](`{ ${fields.join(' ')} }`))!.json()) as { errors: unknown[] };
    expect(body.errors).toHaveLength(20);
    expect(made.lines).toMatchObject([{ level: 'error', fields: { errorCount: 20 } }]);
    expect(made.lines[0]!.fields).not.toHaveProperty('otherErrors');
  });

  test('a database out of reach is told, and its reason is for the log', async () => {
    const made = endpoint({ fault: () => refuse.unavailable('Try again', new Error('secret driver')) });
    const response = (await made[path](QUERY))!;
    expect(response.status).toBe(200);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await response.json()).toEqual(failed('Try again', { code: 'UNAVAILABLE' }));
    expect(made.lines).toMatchObject([
      { level: 'warn', message: 'Try again', fields: { err: { message: 'secret driver' } } },
    ]);
  });

  test('a refusal of a field has its code and what it carries, and is not logged', async () => {
    const made = endpoint({ fault: () => refuse.versionConflict(7) });
    const response = (await made[path](QUERY))!;
    expect(response.headers.get('retry-after')).toBeNull();
    expect(await response.json()).toEqual(
      failed('The group has changed: its version is now 7', { code: 'VERSION_CONFLICT', currentVersion: 7 }),
    );
    expect(made.lines).toEqual([]);
  });

  test.each<[DirectoryError, number, object]>([
    [refuse.unauthenticated('No token'), 401, { 'www-authenticate': 'Bearer realm="coterie"' }],
    [
      refuse.unauthenticated('Expired', { reason: 'old' }),
      401,
      { 'www-authenticate': 'Bearer realm="coterie", error="invalid_token"' },
    ],
    [refuse.forbidden('No scope'), 403, {}],
    [
      refuse.forbidden('Scope', { reason: 'none' }),
      403,
      { 'www-authenticate': 'Bearer realm="coterie", error="insufficient_scope"' },
    ],
    [refuse.unavailable('No keys', new Error('refused')), 503, { 'retry-after': '1' }],
  ])('a caller who is not let in is told why: %s', async (refusal, status, more) => {
    const made = endpoint({ authenticate: () => Promise.reject(refusal) });
    const response = (await made[path](QUERY))!;
    expect(response.status).toBe(status);
    expect(Object.fromEntries(response.headers)).toEqual({
      'content-type': 'application/json; charset=utf-8',
      ...more,
    });
    const { message, code } = refusal;
    expect(await response.json()).toEqual({ errors: [{ message, extensions: { code } }] });
    const told = {
      'No keys': { err: { message: 'refused' } },
      Expired: { token: { reason: 'old' } },
      Scope: { token: { reason: 'none' } },
    }[message];
    expect(made.lines).toMatchObject(told ? [{ level: 'warn', message, fields: told }] : []);
  });

  test('a fault before the caller is known is left to the last exit', async () => {
    const made = endpoint({ authenticate: () => Promise.reject(new Error('unforeseen')) });
    await expect(made[path](QUERY)).rejects.toThrow('unforeseen');
  });
});

describe('an error is masked', () => {
  const masked = (error: unknown) => {
    const log = new RequestLog('r2');
    return { error: maskError(error, log) as GraphQLError, line: log.line };
  };
  const around = (originalError: unknown) =>
    new GraphQLError('Told inside', {
      originalError: originalError as Error,
      path: ['a', 0],
      extensions: { code: 'INSIDE', secret: 1 },
    });

  test('not if it is one of GraphQL itself', () => {
    for (const own of [
      new GraphQLError('Syntax Error', { extensions: { code: 'GRAPHQL_PARSE_FAILED' } }),
      around(new GraphQLError('Inner')),
    ]) {
      const { error, line } = masked(own);
      expect(error).toBe(own);
      expect(line).toEqual({ level: 'info', message: 'request', fields: { requestId: 'r2' } });
    }
  });

  test('not if it is that the time is up, which the log is told', () => {
    const late = new GraphQLError('It took longer', { extensions: { code: 'TIMEOUT' } });
    const { error, line } = masked(late);
    expect(error).toBe(late);
    expect(line).toMatchObject({ level: 'warn', message: 'It took longer' });
  });

  test.each([
    ['an error', new Error('secret')],
    ['something thrown that is no error', 'secret'],
  ])('if it is %s, by itself or of a field', (_what, fault) => {
    const extensions = { code: 'INTERNAL_SERVER_ERROR', requestId: 'r2' };
    const alone = masked(fault);
    expect(alone.error.toJSON()).toEqual({ message: 'Unexpected error', extensions });
    const ofField = masked(around(fault));
    expect(ofField.error.toJSON()).toEqual({ message: 'Unexpected error', path: ['a', 0], extensions });
    for (const { line } of [alone, ofField]) {
      const fields = { requestId: 'r2', err: fault };
      expect(line).toEqual({ level: 'error', message: 'unexpected error', fields });
    }
  });

  test('not if it is a refusal, alone or of a field; one without a cause is its own', () => {
    const refusal = refuse.unavailable('Busy');
    expect(masked(refusal).error.toJSON()).toEqual({ message: 'Busy', extensions: { code: 'UNAVAILABLE' } });
    const { error, line } = masked(around(refusal));
    expect(error.toJSON()).toEqual({ message: 'Busy', path: ['a', 0], extensions: { code: 'UNAVAILABLE' } });
    expect(line).toEqual({ level: 'warn', message: 'Busy', fields: { requestId: 'r2', err: refusal } });
  });
});

const counts = { members: 1, children: 2, nestedGroups: 3 };
test.each<[DirectoryError, number, string, object]>([
  [
    refuse.validation([
      { path: ['users', '0'], message: 'must be one' },
      { path: [], message: 'All is wrong' },
    ]),
    400,
    'users.0 must be one; All is wrong',
    {
      fields: [
        { path: ['users', '0'], message: 'must be one' },
        { path: [], message: 'All is wrong' },
      ],
    },
  ],
  [refuse.notFound('grp_x'), 404, 'grp_x was not found', { id: 'grp_x' }],
  [refuse.notFound('grp_x', 'Not nested'), 404, 'Not nested', { id: 'grp_x' }],
  [
    refuse.nameTaken(['A', 'b']),
    409,
    'The destination already has a group named "A", "b"',
    { names: ['A', 'b'] },
  ],
  [refuse.groupNotEmpty(counts), 409, 'The group has 1 members, 2 children and 3 nested groups', { counts }],
  [
    refuse.cycle([
      { id: 'grp_a', name: 'A' },
      { id: 'grp_b', name: 'B' },
      { id: 'grp_a', name: 'A' },
    ]),
    409,
    'This would close a cycle: A → B → A',
    {
      path: [
        { id: 'grp_a', name: 'A' },
        { id: 'grp_b', name: 'B' },
        { id: 'grp_a', name: 'A' },
      ],
    },
  ],
  [
    refuse.unknownUsers(['usr_a', 'usr_b']),
    409,
    "Not users of the group's tenant: usr_a, usr_b",
    { userIds: ['usr_a', 'usr_b'] },
  ],
  [refuse.otherTenant('grp_x'), 409, 'grp_x belongs to another tenant', { id: 'grp_x' }],
  [refuse.versionConflict(3), 409, 'The group has changed: its version is now 3', { currentVersion: 3 }],
  [refuse.limit(9, 'Nine at most'), 400, 'Nine at most', { limit: 9 }],
  [refuse.forbidden(), 403, 'You may see this, but not change it', {}],
  [refuse.unauthenticated('No token'), 401, 'No token', {}],
  [refuse.unavailable('Busy'), 503, 'Busy', {}],
])('a whole request that is refused by %s', async (refusal, status, message, details) => {
  const response = refusedResponse(refusal, null);
  expect(response.status).toBe(status);
  expect(await response.json()).toEqual({
    errors: [{ message, extensions: { code: refusal.code satisfies ErrorCode, ...details } }],
  });
});

describe('the page', () => {
  const get = (
    headers: Record<string, string>,
    { token = null as string | null, method = 'GET', search = '' } = {},
  ) => {
    const { handler } = endpoint({
      developmentToken: token,
      authenticate: () => Promise.reject(refuse.unauthenticated('No token')),
    });
    const request = new Request(`http://coterie.test/graphql${search}`, { method, headers });
    return handler.fetch(request, new RequestLog('r1'));
  };
  const BROWSER = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };
  /** What GraphiQL is started with. */
  const optionsOf = async (response: Response) => {
    const [, options] =
      /renderYogaGraphiQL\(\s*window\.document\.querySelector\('#root'\),\s*(\{.*\}),\s*\);/.exec(
        await response.text(),
      )!;
    return JSON.parse(options!);
  };

  test('is GraphiQL for a browser, whose operations all fit the schema', async () => {
    const response = await get(BROWSER);
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
    });
    const { defaultTabs, ...options } = await optionsOf(response);
    const headers = '{\n  "authorization": "Bearer …"\n}';
    expect(options).toEqual({
      title: 'Coterie',
      endpoint: '/graphql',
      headers,
      defaultQuery: defaultTabs[0].query,
      shouldPersistHeaders: false,
      defaultEditorToolsVisibility: 'headers',
    });
    expect(defaultTabs.length).toBeGreaterThanOrEqual(4);
    for (const tab of defaultTabs) {
      const { query, variables } = tab;
      expect(tab).toEqual({ query, variables, headers });
      if (variables !== null) expect(JSON.parse(variables)).toEqual(expect.any(Object));
      expect(validate(schema, parse(tab.query)), tab.query).toEqual([]);
    }
  });

  test('has the token of development filled in, where there is one', async () => {
    const { headers, defaultTabs } = await optionsOf(await get(BROWSER, { token: 'abc.def' }));
    expect(JSON.parse(headers)).toEqual({ authorization: 'Bearer abc.def' });
    for (const tab of defaultTabs) expect(tab.headers).toBe(headers);
  });

  test('is given whatever query stands in the address, as long as no token comes with it', async () => {
    for (const search of ['?query={a}', '?query=', '?documentId=a', '?extensions={}', '?x=y']) {
      for (const method of ['GET', 'HEAD']) {
        const response = await get(BROWSER, { search, method });
        expect([response.status, response.headers.get('content-type')]).toEqual([
          200,
          'text/html; charset=utf-8',
        ]);
      }
    }
    expect((await get({ ...BROWSER, authorization: 'Basic x' })).status).toBe(200);
  });

  test('runs its own script and no other, and cannot be framed', async () => {
    const response = await get(BROWSER);
    const policy = new Map(
      response.headers
        .get('content-security-policy')!
        .split('; ')
        .map((directive) => directive.split(/ (.*)/) as [string, string]),
    );
    const html = await response.text();
    const script = html.slice(html.indexOf('<script>') + 8, html.lastIndexOf('</script>'));
    const digest = createHash('sha256').update(script).digest('base64');
    expect(Object.fromEntries(policy)).toMatchObject({
      'default-src': "'none'",
      'script-src': `'sha256-${digest}'`,
      'connect-src': "'self'",
      'frame-ancestors': "'none'",
    });
  });

  test('has no token of development for a page of another origin', async () => {
    for (const origin of ['https://other.example', 'null']) {
      const response = await get({ ...BROWSER, origin }, { token: 'abc.def' });
      expect((await optionsOf(response)).headers).toContain('Bearer …');
    }
  });

  test('is for nobody else', async () => {
    for (const response of [
      await get({ accept: 'application/json' }),
      await get({}),
      await get(BROWSER, { method: 'POST' }),
      await get({ accept: 'application/json' }, { search: '?query={a}' }),
      await get({ ...BROWSER, authorization: 'Bearer x' }, { search: '?query={a}' }),
    ]) {
      expect(response.status).toBe(401);
      expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
    }
  });
});
