// Memory stays flat, whatever callers send once: texts, variables, cursors and tokens that no other request has.
import { createHash } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { exportJWK, generateKeyPair } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { authenticateDevelopment } from '../../src/auth/caller.ts';
import { signDevelopmentToken } from '../../src/auth/development-key.ts';
import { readConfig } from '../../src/config.ts';
import { Prisma } from '../../src/database/database.ts';
import { openDirectory } from '../../src/domain/directory.ts';
import { createGraphQLHandler } from '../../src/graphql/server/handler.ts';
import { OpenStreams } from '../../src/model/open-streams.ts';
import { RequestLog } from '../../src/model/request-log.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { randomFrom } from '../support/random.ts';
import { createRichDirectory, type RichDirectory } from '../support/rich-directory.ts';
import { seed } from '../support/seed.ts';
import { SUPER_ADMIN } from '../support/server.ts';

/** How many requests of each kind; few show what grows by large pieces, 100,000 what grows at all. */
const REQUESTS = process.env.MEMORY_REQUESTS ? Number(process.env.MEMORY_REQUESTS) : null;
const TIMEOUT = 60_000 + (REQUESTS ?? 0) * 50;

let database: TestDatabase;
let directory: RichDirectory;
let handler: ReturnType<typeof createGraphQLHandler>;
let sign: (claims: object) => Promise<string>;
let token: string;
beforeAll(async () => {
  // One connection, which keeps what it has prepared.
  database = await openTestDatabase({ poolSize: 1 });
  directory = await createRichDirectory(database.db);
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
  const key = { privateJwk: await exportJWK(privateKey), publicJwk: await exportJWK(publicKey) };
  handler = createGraphQLHandler({
    authenticate: authenticateDevelopment(key),
    openDirectory: (caller) => openDirectory(database.db, caller),
    limits: readConfig({}).limits,
    trustedDocuments: null,
    developmentToken: null,
    streams: new OpenStreams(readConfig({}).limits),
  });
  sign = async (claims) => `Bearer ${await signDevelopmentToken(key, { ...SUPER_ADMIN, ...claims })}`;
  token = await sign({});
});
afterAll(() => database.close());

async function post(params: object, authorization = token): Promise<string> {
  const body = JSON.stringify(params);
  const disconnection = () => new AbortController().signal;
  const plain = {
    body,
    authorization,
    accept: null,
    positions: null,
    log: new RequestLog('r1'),
    disconnection,
  };
  const answer = await handler.fastPath(plain);
  if (answer && !(answer instanceof Response)) return answer.body;
  const headers = { authorization, 'content-type': 'application/json' };
  const request = new Request('http://coterie.test/graphql', { method: 'POST', headers, body });
  return (await handler.fetch(request, new RequestLog('r1'))).text();
}

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

function heapMegabytes(): number {
  // V8 keeps the hidden classes of objects, and with them the names of properties, for two collections.
  for (let times = 0; times < 3; times += 1) collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 1_000_000;
}

type Kind = { few: number; send: (index: number) => Promise<string>; answer: RegExp };
const KINDS: Record<string, Kind> = {
  'names of variables': {
    few: 100,
    send: (index) =>
      post({
        query: `{ viewer { role } x${index % 10}: __typename }`,
        variables: { [`v${index}`.padEnd(240_000, 'x')]: 1 },
      }),
    answer: /SUPER_ADMIN/,
  },
  'values of variables': {
    few: 50,
    send: (index) =>
      post({
        query: 'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }',
        variables: { ids: Array.from({ length: 1 + (index % 900) }, (_, item) => `${index} ${item}`) },
      }),
    answer: /"nodes":\[null/,
  },
  'texts, of which each takes 200 KB': {
    few: 200,
    send: (index) => post({ query: `{ nodes(ids: [${`"${index}" `.repeat(900)}]) { id } x: __typename }` }),
    answer: /"nodes":\[null/,
  },
  'texts that are registered by their hash': {
    few: 100,
    send(index) {
      const query = `{a${index}:__typename}`;
      const sha256Hash = createHash('sha256').update(query).digest('hex');
      return post({ query, extensions: { persistedQuery: { version: 1, sha256Hash } } });
    },
    answer: /"Query"/,
  },
  cursors: {
    few: 30,
    send: async (index) => {
      const query = `query ($id: ID!, $after: String) { group(id: $id) {
        members(after: $after, orderBy: {field: EMAIL}) { edges { cursor } } effectiveMembers(after: $after) { edges { cursor } } } }`;
      const id = directory.groups.team;
      const email = `a${index}`.padEnd(5_000, 'x');
      const after = Buffer.from(JSON.stringify(['email', email, 'usr_x'])).toString('base64url');
      return post({ query, variables: { id, after } });
    },
    answer: /"edges":\[\{"cursor"/,
  },
  tokens: {
    few: 100,
    send: async (index) =>
      post({ query: '{ viewer { role } }' }, await sign({ sub: `usr_${index}`, padding: 'x'.repeat(5_500) })),
    answer: /SUPER_ADMIN/,
  },
};

/** Megabytes that the caches of a server may take together, by their bounds; what is sent few times takes far less. */
const MOST = REQUESTS ? 256 : 34;

test('memory stays flat under what no other request has', { timeout: TIMEOUT * 6 }, async () => {
  // What the first requests load stays.
  for (const { send, answer } of Object.values(KINDS)) {
    for (let index = 0; index < 5; index += 1) expect(await send(1_000_000 + index)).toMatch(answer);
  }
  const before = heapMegabytes();
  for (const [name, { few, send }] of Object.entries(KINDS)) {
    for (let index = 0; index < (REQUESTS ?? few); index += 1) await send(index);
    // A collection takes long in a process that has run other tests, so a short run looks once.
    if (REQUESTS) expect(heapMegabytes() - before, name).toBeLessThan(MOST);
  }
  expect(heapMegabytes() - before).toBeLessThan(MOST);
});

test('what a connection has prepared stays small, whatever lists are read together', {
  timeout: TIMEOUT,
}, async () => {
  const draw = randomFrom(seed);
  for (let document = 0; document < 100; document += 1) {
    const lists = Array.from({ length: 26 }, (_, list) => {
      const order = `{field: ${['EMAIL', 'ADDED_AT', 'USER_ID'][draw(3)]}, direction: ${['ASC', 'DESC'][draw(2)]}}`;
      const search = draw(2) === 0 ? '' : ', search: "example"';
      return `l${list}: members(first: ${list + 1}, orderBy: ${order}${search}) { edges { node { email addedAt } } }`;
    });
    const query = `query ($id: ID!) { group(id: $id) { ${lists.join(' ')} } }`;
    expect(await post({ query, variables: { id: directory.groups.team } })).toMatch(/"l25":\{"edges":\[\{/);
  }
  const [prepared] = await database.db.sql<{ longest: number; characters: number; bytes: number }>(Prisma.sql`
    select (select max(length(statement)) from pg_prepared_statements) as longest,
      (select sum(length(statement))::int from pg_prepared_statements) as characters,
      (select sum(total_bytes)::int from pg_backend_memory_contexts where name like 'CachedPlan%') as bytes`);
  expect(prepared!.longest).toBeLessThanOrEqual(4_096);
  expect(prepared!.characters).toBeLessThan(129 * 1_024);
  expect(prepared!.bytes).toBeLessThan(16_000_000);
});
