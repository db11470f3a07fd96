// What a router may ask of us: entities in order, batched, null where hidden; and in production nothing without a token.
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { createTenant, openAsAdmin } from '../support/directories.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { type Claims, startApp, type TestApp } from '../support/server.ts';
import { type Listening, listenTo } from './subgraphs.ts';

const ENTITIES = `query ($refs: [_Any!]!) {
  _entities(representations: $refs) { __typename ... on Group { id name } ... on User { id } ... on Tenant { id } }
}`;
const ISSUER = 'https://id.example.com/tenants/*';

let database: TestDatabase;
let server: TestApp;
let mine: Awaited<ReturnType<typeof createTenant>>;
let theirs: Awaited<ReturnType<typeof createTenant>>;
let groupIds: string[];
let foreignGroupId: string;

beforeAll(async () => {
  database = await openTestDatabase();
  server = await startApp(database.db);
  mine = await createTenant(database.db, 50);
  theirs = await createTenant(database.db, 1);
  const create = async ({ tenantId, userIds }: typeof mine, at: number) =>
    createGroup(openAsAdmin(database.db, tenantId), {
      tenantId,
      name: `Group ${at}`,
      initialMemberIds: [userIds[at]!],
    });
  groupIds = [];
  for (let at = 0; at < 50; at += 1) groupIds.push((await create(mine, at)).group.id);
  foreignGroupId = (await create(theirs, 0)).group.id;
});
afterAll(() => database.close());

const ref = (__typename: string, id: string) => ({ __typename, id });
const admin = (): Claims => ({ sub: 'usr_admin', role: 'tenant_admin', tenant_id: mine.tenantId });

async function entities(claims: Claims, refs: object[]) {
  const statements: string[] = [];
  const stop = database.db.onStatement((statement) => statements.push(statement));
  const { _entities } = await server.data(claims, ENTITIES, { refs });
  stop();
  const ids = _entities.map((entity: { id: string } | null) => entity?.id ?? null);
  return { ids, statements: statements.length };
}

test('come in the order of their references, a hundred of a type for one statement', async () => {
  const refs = groupIds.toReversed().flatMap((id, at) => [ref('Group', id), ref('User', mine.userIds[at]!)]);
  const { ids, statements } = await entities(admin(), [...refs, ref('Tenant', mine.tenantId), refs[0]!]);
  expect(ids).toEqual([...refs.map(({ id }) => id), mine.tenantId, refs[0]!.id]);
  expect(statements).toBe(3);
});

test('are null where the caller may not see them, exactly as if there were none', async () => {
  const refs = [
    ref('Group', foreignGroupId),
    ref('Group', groupIds[0]!),
    ref('User', theirs.userIds[0]!),
    ref('Tenant', theirs.tenantId),
    ref('Group', 'grp_NeverIssued00000'),
  ];
  expect((await entities(admin(), refs)).ids).toEqual([null, groupIds[0], null, null, null]);
});

test('are for an end user its groups and itself', async () => {
  const [me, other] = mine.userIds;
  const refs = [
    ref('Group', groupIds[1]!),
    ref('Group', groupIds[0]!),
    ref('User', other!),
    ref('User', me!),
  ];
  const { ids } = await entities({ sub: me, tenant_id: mine.tenantId }, refs);
  expect(ids).toEqual([null, groupIds[0], null, me]);
});

test('asked for by several fields of one request share their statement', async () => {
  const statements: string[] = [];
  const stop = database.db.onStatement((statement) => statements.push(statement));
  const data = await server.data(
    admin(),
    `query ($one: [_Any!]!, $two: [_Any!]!) {
      one: _entities(representations: $one) { ... on Group { name } }
      two: _entities(representations: $two) { ... on Group { name } }
    }`,
    { one: [ref('Group', groupIds[0]!)], two: [ref('Group', groupIds[1]!)] },
  );
  stop();
  expect(data).toEqual({ one: [{ name: 'Group 0' }], two: [{ name: 'Group 1' }] });
  expect(statements.length).toBe(1);
});

test('of which one is bad are null at its place alone, and say why', async () => {
  const good = [ref('Group', groupIds[0]!), ref('User', mine.userIds[0]!)] as const;
  const id = (message: string) => ['id', message];
  const type = ['__typename', 'must be one of Group, Tenant, User'];
  const bad: [unknown, string[]][] = [
    [{ __typename: 'Partner', id: 'prt_a' }, type],
    [{ id: groupIds[0] }, type],
    [{ __typename: 'Group' }, id('must be an id')],
    [{ __typename: 'Group', id: 7 }, id('must be an id')],
    [{ __typename: 'Group', id: null }, id('must be an id')],
    [{ __typename: 'Group', id: [groupIds[0]] }, id('must be an id')],
    [{ __typename: ['Group'], id: groupIds[0] }, type],
    [{ __typename: '__proto__', id: groupIds[0] }, type],
    ['Group', type],
    [[], type],
  ];
  for (const [representation, [field, message]] of bad) {
    const refs = [good[0], representation, good[1]];
    // More often than an operation is run before it is compiled.
    for (let run = 0; run < 5; run += 1) {
      const { body } = await server.ask(admin(), ENTITIES, { refs });
      expect(body.data!._entities, JSON.stringify(representation)).toEqual([
        { ...good[0], name: 'Group 0' },
        null,
        good[1],
      ]);
      expect(body.errors).toMatchObject([
        {
          path: ['_entities', 1],
          extensions: {
            code: 'VALIDATION_FAILED',
            fields: [{ path: ['representations', '1', field], message }],
          },
        },
      ]);
    }
  }
});

test('more than 1,000 at once are refused', async () => {
  const refs = Array.from({ length: 1_001 }, () => ref('Group', groupIds[0]!));
  const { body } = await server.ask(admin(), ENTITIES, { refs });
  expect(body.errors?.[0]?.extensions).toMatchObject({ code: 'LIMIT_EXCEEDED' });
});

test('of a group, whether you yourself are in it needs no argument', async () => {
  const query = 'query ($id: ID!) { group(id: $id) { hasEffectiveMember } }';
  const [me] = mine.userIds;
  const asked = async (claims: Claims) => (await server.data(claims, query, { id: groupIds[0] })).group;
  expect(await asked({ sub: me, tenant_id: mine.tenantId })).toEqual({ hasEffectiveMember: true });
  expect(await asked({ sub: me, role: 'tenant_admin', tenant_id: mine.tenantId })).toEqual({
    hasEffectiveMember: true,
  });
  expect(await asked(admin())).toEqual({ hasEffectiveMember: false });
});

/** As in production: another party issues the tokens, and its keys are fetched. */
async function startProduction() {
  const keys = await generateKeyPair('ES256');
  const jwks = { keys: [{ ...(await exportJWK(keys.publicKey)), alg: 'ES256' }] };
  const issuer: Listening = await listenTo((_request, response) => response.end(JSON.stringify(jwks)));
  const app = await startApp(database.db, {
    NODE_ENV: 'production',
    AUTH_ISSUER: ISSUER,
    AUTH_AUDIENCE: 'coterie',
    AUTH_JWKS_URL: issuer.url,
  });
  const signed = (key: CryptoKey, of = mine.tenantId, audience = 'coterie') =>
    new SignJWT({ sub: 'usr_admin', role: 'tenant_admin', tenant_id: of })
      .setProtectedHeader({ alg: 'ES256' })
      .setIssuer(ISSUER.replace('*', of))
      .setAudience(audience)
      .setExpirationTime('5m')
      .sign(key);
  const ask = async (token: string | null, query: string, variables: object = {}) =>
    app.ask(null, query, variables, token ? { authorization: `Bearer ${token}` } : {});
  return { issuer, keys, ask, signed };
}

test('in production nothing is told without a token that holds: no entity, no SDL, no schema, no suggestion', async () => {
  const { issuer, keys, ask, signed } = await startProduction();
  const stranger = await generateKeyPair('ES256');
  const untrusted = [
    null,
    await signed(stranger.privateKey),
    await signed(keys.privateKey, mine.tenantId, 'other'),
  ];
  const questions = [
    '{ _service { sdl } }',
    '{ __schema { types { name } } }',
    '{ viewr { role } }',
    ENTITIES,
  ];
  for (const token of untrusted) {
    for (const query of questions) {
      const { status, body } = await ask(token, query, { refs: [ref('Group', groupIds[0]!)] });
      expect([status, body.data, body.errors?.length]).toEqual([401, undefined, 1]);
      expect(body.errors![0]!.message).not.toMatch(/viewer|Group|Did you mean/);
    }
  }
  const token = await signed(keys.privateKey);
  expect((await ask(token, questions[0]!)).body.data).toMatchObject({
    _service: { sdl: expect.stringContaining('@key') },
  });
  expect((await ask(token, questions[1]!)).body.errors).toBeUndefined();
  expect((await ask(token, questions[2]!)).body.errors?.[0]?.message).toMatch(/Did you mean "viewer"/);
  // A token that holds, but of another tenant: what is not its own does not exist.
  const foreign = await ask(await signed(keys.privateKey, theirs.tenantId), ENTITIES, {
    refs: [ref('Group', groupIds[0]!)],
  });
  expect(foreign.body.data).toEqual({ _entities: [null] });
  await issuer.close();
});
