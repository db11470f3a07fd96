// Operations by hash: automatic persisted queries, and a server that answers registered operations alone.
import { createHash } from 'node:crypto';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { boundedStore } from '../../src/graphql/server/persisted-operations.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { type Answer, SUPER_ADMIN, startApp, type TestApp } from '../support/server.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.close());

const hashOf = (text: string) => createHash('sha256').update(text).digest('hex');
const byHash = (hash: string) => ({ extensions: { persistedQuery: { version: 1, sha256Hash: hash } } });

async function post({ send, url, tokenFor }: TestApp, params: object, accept = 'application/json') {
  const authorization = `Bearer ${await tokenFor(SUPER_ADMIN)}`;
  const headers = { authorization, accept, 'content-type': 'application/json' };
  const request = new Request(`${url}/graphql`, {
    method: 'POST',
    headers,
    body: JSON.stringify(params),
  });
  const response = await send(request);
  return { status: response.status, body: (await response.json()) as Answer['body'] };
}

const codes = ({ body }: { body: Answer['body'] }) => body.errors?.map(({ extensions }) => extensions.code);

describe('automatic persisted queries', () => {
  const query = 'query Who { viewer { role } }';
  let server: TestApp;
  beforeAll(async () => {
    server = await startApp(database.db);
  });

  test('are asked for once, and then answered by hash, also over GET', async () => {
    expect(codes(await post(server, byHash(hashOf(query))))).toEqual(['PERSISTED_QUERY_NOT_FOUND']);
    const expected = { viewer: { role: 'SUPER_ADMIN' } };
    expect((await post(server, { query, ...byHash(hashOf(query)) })).body.data).toEqual(expected);
    expect((await post(server, byHash(hashOf(query)))).body.data).toEqual(expected);

    const url = new URL('http://coterie.test/graphql');
    url.searchParams.set('extensions', JSON.stringify(byHash(hashOf(query)).extensions));
    const authorization = `Bearer ${await server.tokenFor(SUPER_ADMIN)}`;
    const response = await server.app.fetch(new Request(url, { headers: { authorization } }));
    expect(((await response.json()) as Answer['body']).data).toEqual(expected);
  });

  test('are refused under a hash that is not theirs', async () => {
    const lie = await post(server, { query, ...byHash(hashOf('something else')) });
    expect(codes(lie)).toEqual(['PERSISTED_QUERY_MISMATCH']);
  });

  test('are held to the limits like any other, each time', async () => {
    const deep = `{a${'{a'.repeat(80)}`;
    const params = { query: deep, ...byHash(hashOf(deep)) };
    expect(codes(await post(server, params))).toEqual(['LIMIT_EXCEEDED']);
    expect(codes(await post(server, byHash(hashOf(deep))))).toEqual(['LIMIT_EXCEEDED']);
  });

  test('take a bounded space, two bytes a character and 200 an entry; what is used stays', () => {
    // Three entries of four characters and a hash of one.
    const store = boundedStore(3 * 210);
    for (const hash of ['a', 'b', 'c']) store.set(hash, hash.repeat(4));
    expect(store.get('a')).toBe('aaaa');
    store.set('d', 'dddd');
    const held = () => ['a', 'b', 'c', 'd', 'e'].map((hash) => store.get(hash));
    expect(held()).toEqual(['aaaa', undefined, 'cccc', 'dddd', undefined]);
    store.set('d', 'd');
    store.set('e', 'e'.repeat(7));
    expect(held()).toEqual(
      ['aaaa', undefined, 'cccc', 'd', 'e'.repeat(7)].with(0, undefined).with(0, store.get('a') as string),
    );
    store.set('f', 'larger than the store'.repeat(30));
    expect(store.get('f')).toBeUndefined();
  });

  test('are answered with status 200 if they are not there, which some clients insist on', async () => {
    const accept = 'application/graphql-response+json';
    const { status, body } = await post(server, byHash(hashOf('{ never }')), accept);
    expect([status, body]).toEqual([
      200,
      {
        errors: [
          {
            message: 'PersistedQueryNotFound',
            extensions: { code: 'PERSISTED_QUERY_NOT_FOUND' },
          },
        ],
      },
    ]);
  });
});

describe('trusted documents', () => {
  const who = 'query Who { viewer { role } }';
  const paged = 'query Tenants($first: Int!) { tenants(first: $first) { totalCount } }';

  async function manifestFile(content: unknown): Promise<string> {
    const path = join(await mkdtemp(join(tmpdir(), 'coterie-manifest-')), 'manifest.json');
    await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
    return path;
  }
  const startTrusting = async (content: unknown) =>
    startApp(database.db, { TRUSTED_DOCUMENTS: await manifestFile(content) });

  const manifests = {
    "Relay's": { who, [hashOf(paged)]: paged },
    "Apollo's": {
      format: 'apollo-persisted-query-manifest',
      version: 1,
      operations: [
        { id: 'who', name: 'Who', type: 'query', body: who },
        { id: hashOf(paged), name: 'Tenants', type: 'query', body: paged },
      ],
    },
  };

  test.each(Object.entries(manifests))(
    'of %s manifest are answered by id, with variables',
    async (_, manifest) => {
      const server = await startTrusting(manifest);
      expect((await post(server, { documentId: 'who' })).body.data).toEqual({
        viewer: { role: 'SUPER_ADMIN' },
      });
      const variables = { first: 1 };
      expect((await post(server, { ...byHash(hashOf(paged)), variables })).body.data).toEqual({
        tenants: { totalCount: 0 },
      });
      const { body } = await post(server, byHash(hashOf(paged)));
      expect(body.errors?.[0]?.message).toMatch(/Variable "\$first"/);
    },
  );

  test('are the only ones that are answered', async () => {
    const server = await startTrusting(manifests["Relay's"]);
    for (const params of [
      { query: '{ viewer { subject } }' },
      { query: who },
      { query: who, documentId: 'who' },
      { query: who, ...byHash(hashOf(who)) },
      {},
    ]) {
      const { status, body } = await post(server, params, 'application/graphql-response+json');
      expect([status, body.data], JSON.stringify(params)).toEqual([400, undefined]);
    }
    expect(codes(await post(server, { query: who }))).toEqual(['DOCUMENT_ID_REQUIRED']);
    expect(codes(await post(server, { documentId: 'other' }))).toEqual(['DOCUMENT_NOT_REGISTERED']);
    expect(codes(await post(server, byHash(hashOf(who))))).toEqual(['DOCUMENT_NOT_REGISTERED']);
    expect(codes(await post(server, { documentId: '__proto__' }))).toEqual(['DOCUMENT_NOT_REGISTERED']);
    expect((await server.ask(null, '{ __typename }')).status).toBe(401);
  });

  test('are refused in words that say what to send', async () => {
    const server = await startTrusting(manifests["Relay's"]);
    const accept = 'application/graphql-response+json';
    const refused = (code: string, message: string) => ({
      status: 400,
      body: { errors: [{ message, extensions: { code } }] },
    });
    const required = refused(
      'DOCUMENT_ID_REQUIRED',
      'Only registered operations are accepted: send its id as `documentId` or `extensions.persistedQuery.sha256Hash`, no `query`',
    );
    const unknown = refused('DOCUMENT_NOT_REGISTERED', 'No operation is registered under this id');
    expect(await post(server, { query: who }, accept)).toEqual(required);
    expect(await post(server, { documentId: 7 }, accept)).toEqual(required);
    expect(await post(server, { extensions: { persistedQuery: { sha256Hash: 7 } } }, accept)).toEqual(
      required,
    );
    expect(await post(server, { extensions: null }, accept)).toEqual(required);
    expect(await post(server, { documentId: 'other' }, accept)).toEqual(unknown);
  });

  test('are answered by the id where a hash is sent beside it', async () => {
    const server = await startTrusting(manifests["Relay's"]);
    const expected = { viewer: { role: 'SUPER_ADMIN' } };
    const both = { documentId: 'who', ...byHash(hashOf('something else')) };
    expect((await post(server, both)).body.data).toEqual(expected);
  });

  test('are all held to the schema at start, of whose faults ten are told', async () => {
    const faulty = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, at) => [`op${at + 10}`, '{ zzz }']));
    const error = await startTrusting({ who, ...faulty(11) }).catch((thrown: Error) => thrown);
    const [first, ...lines] = (error as Error).message.split('\n');
    expect(first).toMatch(/^The trusted documents in .*manifest\.json are invalid \(TRUSTED_DOCUMENTS\):$/);
    expect(lines).toEqual(
      Array.from({ length: 10 }, (_, at) => `  op${at + 10}: Cannot query field "zzz" on type "Query".`),
    );
  });

  test.each([
    ['of another format', { format: 'other', operations: [{ id: 'who', body: who }] }],
    ['without a body', { format: 'apollo-persisted-query-manifest', operations: [{ id: 'who' }] }],
    ['of texts that are none', { who: 7 }],
    ['a list', [who]],
    ['null', null],
  ])('of a file that is not a manifest, %s, keep the server from starting', async (_, content) => {
    await expect(startTrusting(content)).rejects.toThrow(
      /:\n {2}not a manifest: neither \{"id": "operation", …\} nor the format of Apollo$/,
    );
  });

  test.each([
    ['no JSON', '{', /are invalid \(TRUSTED_DOCUMENTS\):\n {2}.*JSON/],
    ['no manifest', { operations: [] }, /not a manifest/],
    ['an empty one', {}, /not a manifest/],
    ['an operation that does not parse', { broken: 'query {' }, /broken: Syntax Error/],
    ['a field that is not there', { old: '{ viewer { salary } }' }, /old: Cannot query field "salary"/],
  ])('of %s keep the server from starting', async (_, content, message) => {
    await expect(startTrusting(content)).rejects.toThrow(message);
  });

  test('of a file that is not there keep the server from starting', async () => {
    const missing = startApp(database.db, { TRUSTED_DOCUMENTS: '/nowhere/manifest.json' });
    await expect(missing).rejects.toThrow(
      /\/nowhere\/manifest\.json are invalid \(TRUSTED_DOCUMENTS\):\n {2}ENOENT/,
    );
  });
});
