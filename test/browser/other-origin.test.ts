// A page of another origin in a real browser: Apollo Client queries, changes, and reads why its token is refused.
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { developmentKey, signDevelopmentToken } from '../../src/auth/development-key.ts';
import { type Listening, listen } from '../../src/http/server.ts';
import { noBrowser, withBrowser } from '../support/browser.ts';

const APOLLO = join(import.meta.dirname, '../node_modules/@apollo/client/core/index.js');

let listed: Listening;
let unlisted: Listening;
beforeAll(async () => {
  if (noBrowser) return;
  const script = await bundle();
  [listed, unlisted] = await Promise.all([serve(script), serve(script)]);
});
afterAll(async () => {
  await Promise.all([listed?.stop(), unlisted?.stop()]);
});

/** Apollo Client as a frontend's build makes it, in one script. */
async function bundle(): Promise<string> {
  const build = await rolldown({
    input: APOLLO,
    platform: 'browser',
    transform: { define: { 'process.env.NODE_ENV': '"production"' } },
  });
  const { output } = await build.generate({ format: 'iife', name: 'apollo' });
  return output[0].code;
}

/** A site of its own origin: a page with the script. */
const serve = (script: string) =>
  listen(
    (request, response) => {
      const isScript = request.url === '/apollo.js';
      response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
      response.end(
        isScript ? script : '<!doctype html><title>Frontend</title><script src="/apollo.js"></script>',
      );
    },
    { host: '127.0.0.1', port: 0, timeouts: { request: 15_000, headers: 10_000 } },
  );

/** An operation, and what the page makes of it: its data, the codes of its errors, or that no answer could be read. */
type Operation = [url: string, token: string, text: string, variables: object];
type Outcome = { data?: unknown; codes?: string[]; unread?: string };

/** Runs in the page: sends an operation as a frontend does. */
async function operate([url, token, text, variables]: Operation): Promise<Outcome> {
  // biome-ignore lint/suspicious/noExplicitAny: the global that the script makes.
  const { ApolloClient, HttpLink, InMemoryCache, gql, CombinedGraphQLErrors } = (globalThis as any).apollo;
  const client = new ApolloClient({
    link: new HttpLink({ uri: url, headers: { authorization: `Bearer ${token}` } }),
    cache: new InMemoryCache(),
  });
  const document = gql(text);
  try {
    const isMutation = document.definitions[0].operation === 'mutation';
    const { data } = isMutation
      ? await client.mutate({ mutation: document, variables })
      : await client.query({ query: document, variables });
    return { data };
  } catch (error) {
    if (!CombinedGraphQLErrors.is(error)) return { unread: String(error) };
    const { errors } = error as { errors: { extensions: { code: string } }[] };
    return { codes: errors.map(({ extensions }) => extensions.code) };
  }
}

type Read = [url: string, headers: Record<string, string>];
/** Runs in the page: the headers of an answer that it can read. */
async function headersOf([url, headers]: Read): Promise<Record<string, unknown>> {
  const response = await fetch(url, { headers });
  return { status: response.status, ...Object.fromEntries(response.headers) };
}

const TENANTS = '{ tenants { totalCount } }';
const CREATE = `mutation Create($input: CreateGroupInput!) {
  createGroup(input: $input) { __typename ... on CreateGroupPayload { group { id name } } ... on Error { code } }
}`;

test.skipIf(noBrowser)(
  'a frontend on a listed origin calls; one on another cannot',
  { timeout: 180_000 },
  () =>
    withBrowser(
      async ({ page, url, dataDir }) => {
        const key = await developmentKey(dataDir);
        const claims = { sub: 'usr_frontend', role: 'super_admin' };
        const token = await signDevelopmentToken(key, claims);
        const expired = await signDevelopmentToken(key, claims, '-10m');
        const graphql = `${url}/graphql`;
        const read = (...call: Read) => page.evaluate<Record<string, unknown>, Read>(headersOf, call);
        const send = (...operation: Operation) => page.evaluate<Outcome, Operation>(operate, operation);
        const input = { tenantId: 'tnt_Northwind0000000', name: 'Of another origin' };

        await page.goto(listed.url);
        expect(await send(graphql, token, TENANTS, {})).toEqual({
          data: { tenants: { totalCount: 3, __typename: 'TenantConnection' } },
        });
        const created = await send(graphql, token, CREATE, { input });
        expect(created).toMatchObject({ data: { createGroup: { group: { name: 'Of another origin' } } } });
        expect(await send(graphql, expired, TENANTS, {})).toEqual({
          codes: ['UNAUTHENTICATED'],
        });
        const groups = `${url}/api/v1/tenants/tnt_Northwind0000000/groups`;
        const { id } = (created.data as { createGroup: { group: { id: string } } }).createGroup.group;
        const authorization = `Bearer ${token}`;
        expect(await read(`${groups}/${id}`, { authorization })).toMatchObject({
          status: 200,
          etag: expect.stringMatching(/^W\/"1-/),
          'x-request-id': expect.any(String),
        });
        expect(await read(groups, { authorization: `Bearer ${expired}` })).toMatchObject({
          status: 401,
          'www-authenticate': expect.stringContaining('Bearer'),
        });
        // What a page may read is not what it may show as its own.
        await page.setContent(`<iframe src="${graphql}"></iframe><iframe src="${url}/docs"></iframe>`);
        await expect
          .poll(() => page.frames().filter((frame) => frame.url().startsWith('chrome-error:')).length)
          .toBe(2);

        await page.goto(unlisted.url);
        expect(await send(graphql, token, TENANTS, {})).toEqual({
          unread: 'TypeError: Failed to fetch',
        });
      },
      { CORS_ORIGINS: listed.url },
    ),
);
