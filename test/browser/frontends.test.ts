// Three frontends on another origin in a real browser: each pages both ways, changes and sees its cache follow, and recovers from
// an expired token, a database that is away and a lost connection.
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { developmentKey, signDevelopmentToken } from '../../src/auth/development-key.ts';
import { openDatabase } from '../../src/database/open.ts';
import { seedDemo } from '../../src/demo/demo.ts';
import { printClientSchema } from '../../src/graphql/schema/print.ts';
import { type Listening, listen } from '../../src/http/server.ts';
import { startTcpProxy, type TcpProxy } from '../chaos/tcp-proxy.ts';
import { noBrowser, withBrowser } from '../support/browser.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { SUPER_ADMIN, startApp, type TestApp } from '../support/server.ts';
import { PAGE, RENAME } from './frontends/documents.ts';
import type { Frontend, Page } from './frontends/screen.ts';

const NAMES = ['apollo', 'urql', 'relay'] as const;
const TENANT = 'tnt_Northwind0000000';
const COMPILER = createRequire(import.meta.url).resolve('relay-compiler/cli.js');

let folder: string;
let scripts: Map<string, string>;
let site: Listening;
let database: TestDatabase;
let proxy: TcpProxy;
let app: TestApp;

beforeAll(async () => {
  if (noBrowser) return;
  // In here, where the frontends find the packages that they import.
  folder = await mkdtemp(join(import.meta.dirname, '.frontends-'));
  await cp(join(import.meta.dirname, 'frontends'), folder, { recursive: true });
  await compileRelay();
  scripts = new Map(await Promise.all(NAMES.map(async (name) => [name, await bundle(name)] as const)));
  site = await listen(
    (request, response) => {
      const script = scripts.get(/^\/(\w+)\.js$/.exec(request.url!)?.[1] ?? '');
      const name = request.url!.slice(1);
      response.setHeader('content-type', script ? 'text/javascript' : 'text/html; charset=utf-8');
      response.end(
        script ??
          `<!doctype html><title>${name}</title><h1>${name}</h1><ul id="groups"></ul><p id="fault"></p><script src="/${name}.js"></script>`,
      );
    },
    { host: '127.0.0.1', port: 0, timeouts: { request: 15_000, headers: 10_000 } },
  );
  database = await openTestDatabase();
  await seedDemo(database.db);
  proxy = await startTcpProxy();
  proxy.aim(Number(new URL(database.url).port));
  const url = new URL(database.url);
  url.port = String(proxy.port);
  const db = await openDatabase({ url: String(url), dataDir: '' });
  app = await startApp(db, { CORS_ORIGINS: site.url, LIMIT_STREAMS_PER_CALLER: '1' });
}, 120_000);
afterAll(async () => {
  if (noBrowser) return;
  await site.stop();
  await proxy.stop();
  await database.close();
  await rm(folder, { recursive: true });
});

/** Relay's artifacts of the documents. */
async function compileRelay(): Promise<void> {
  await mkdir(join(folder, 'artifacts'));
  const tagged = [PAGE, RENAME].map((text, at) => `export const document${at} = graphql\`${text}\`;`);
  await writeFile(
    join(folder, 'documents.graphql.ts'),
    `import { graphql } from 'relay-runtime';\n${tagged.join('\n')}\n`,
  );
  const work = await mkdtemp(join(tmpdir(), 'coterie-relay-'));
  await cp(join(folder, 'documents.graphql.ts'), join(work, 'documents.ts'));
  await mkdir(join(work, 'artifacts'));
  await writeFile(join(work, 'schema.graphql'), printClientSchema());
  const config = {
    src: '.',
    schema: 'schema.graphql',
    language: 'typescript',
    artifactDirectory: 'artifacts',
  };
  await writeFile(join(work, 'relay.config.json'), JSON.stringify({ ...config, eagerEsModules: true }));
  await promisify(execFile)(process.execPath, [COMPILER], { cwd: work });
  await cp(join(work, 'artifacts'), join(folder, 'artifacts'), { recursive: true });
  await rm(work, { recursive: true });
}

/** A frontend as its build makes it, in one script. */
async function bundle(name: (typeof NAMES)[number]): Promise<string> {
  const artifact = (document: string) => `./artifacts/${document}.graphql.ts`;
  const entry =
    name === 'relay'
      ? `import page from '${artifact('documentsPageQuery')}'; import rename from '${artifact('documentsRenameMutation')}';
         import { startWith } from './relay.ts'; globalThis.start = startWith(page, rename);`
      : `import { start } from './${name}.ts'; globalThis.start = start;`;
  const input = join(folder, `${name}-entry.ts`);
  await writeFile(input, entry);
  const build = await rolldown({
    input,
    platform: 'browser',
    transform: { define: { 'process.env.NODE_ENV': '"production"' } },
  });
  const { output } = await build.generate({ format: 'iife' });
  return output[0].code;
}

/** The names of the roots, by name, as the server tells them. */
async function rootNames(): Promise<string[]> {
  const text = `{ groups(first: 100, filter: { tenantId: "${TENANT}", parentGroupId: null }) { edges { node { name } } } }`;
  const { groups } = await app.data(SUPER_ADMIN, text);
  return groups.edges.map(({ node }: { node: { name: string } }) => node.name);
}

test.skipIf(noBrowser).each(NAMES)('%s pages, changes, and recovers', { timeout: 180_000 }, (name) =>
  withBrowser(async ({ page, dataDir }) => {
    const call = <Name extends keyof Frontend>(method: Name, ...args: Parameters<Frontend[Name]>) =>
      page.evaluate(
        ([method, args]) =>
          (globalThis as never as { frontend: Record<string, (...all: unknown[]) => unknown> }).frontend[
            method
          ]!(...args) as Promise<void>,
        [method, args] as [string, unknown[]],
      );
    const show = (which: Page) => call('show', which);
    const names = () => page.locator('#groups li').allTextContents();
    const fault = () => page.locator('#fault').textContent();
    const token = await app.tokenFor({ ...SUPER_ADMIN, sub: `usr_${name}` });
    const asked: string[] = [];
    page.on('request', (request) => request.method() === 'POST' && asked.push(request.url()));

    await page.goto(`${site.url}/${name}`);
    await page.evaluate(
      ([url, tenant]) => {
        const page = globalThis as never as { start: (...all: string[]) => unknown; frontend: unknown };
        page.frontend = page.start(url!, tenant!);
      },
      [`${app.url}/graphql`, TENANT],
    );
    await call('useToken', token);
    const roots = await rootNames();
    await show('first');
    expect(await names()).toEqual(roots.slice(0, 3));
    await show('next');
    expect(await names()).toEqual(roots.slice(3, 6));
    await show('previous');
    expect(await names()).toEqual(roots.slice(0, 3));

    // The list follows the payload of the change: no list is asked for again.
    const id = (await page.locator('#groups li').first().getAttribute('data-id'))!;
    const before = asked.length;
    await call('rename', id, `Renamed by ${name}`);
    await expect.poll(names).toEqual([`Renamed by ${name}`, ...roots.slice(1, 3)]);
    expect(asked.length).toBe(before + 1);
    await page.screenshot({ path: join(dataDir, `${name}.png`) });
    console.info(`screenshot: ${join(dataDir, `${name}.png`)}`);
    await app.data(
      SUPER_ADMIN,
      'mutation ($input: UpdateGroupInput!) { updateGroup(input: $input) { __typename } }',
      {
        input: { id, name: roots[0] },
      },
    );

    const recovers = async () => {
      await expect
        .poll(
          async () => {
            await show('again');
            return names();
          },
          { timeout: 20_000, interval: 250 },
        )
        .toEqual(roots.slice(0, 3));
      expect(await fault()).toBe('');
    };
    const claims = { ...SUPER_ADMIN, sub: `usr_${name}` };
    await call('useToken', await signDevelopmentToken(await developmentKey(app.dataDir), claims, '-10m'));
    await show('again');
    expect(await fault()).toBe('UNAUTHENTICATED');
    await call('useToken', token);
    await recovers();

    proxy.cut();
    await show('again');
    const refused = await fault();
    proxy.aim(Number(new URL(database.url).port));
    expect(refused).toBe('UNAVAILABLE');
    await recovers();

    await page.context().setOffline(true);
    await show('again');
    expect(await fault()).toBe('NO_ANSWER');
    await page.context().setOffline(false);
    await recovers();
  }),
);

test.skipIf(noBrowser)('a page reads why it was refused, and when to ask again', { timeout: 120_000 }, () =>
  withBrowser(async ({ page }) => {
    const token = await app.tokenFor({ ...SUPER_ADMIN, sub: 'usr_streams' });
    await page.goto(`${site.url}/apollo`);
    const answers = await page.evaluate(
      async ([url, token]) => {
        const open = async () => {
          const { status, headers } = await fetch(url!, {
            headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream' },
          });
          return { status, headers: Object.fromEntries(headers) };
        };
        return [await open(), await open()];
      },
      [`${app.url}/api/v1/tenants/${TENANT}/changes`, token],
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 429]);
    expect(answers[1]!.headers).toMatchObject({
      'retry-after': expect.stringMatching(/^\d+$/),
      'x-request-id': expect.any(String),
    });
  }),
);
