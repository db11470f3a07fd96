// Apollo's federation subgraph compatibility tests: its own test files and reference subgraphs, without Docker.
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it, test } from 'vitest';
import { COMPOSERS } from './compose.ts';
import { startProducts } from './products.ts';
import { ROUTERS } from './routers.ts';
import { listenTo } from './subgraphs.ts';

// The package starts Apollo's router, a binary that comes from no npm package, and runs its tests by jest under pm2. Here
// the router is @apollo/gateway over a supergraph of @apollo/composition, and vitest lends its own `test` and `expect`;
// what the package would bring for the rest is overridden in package.json.
const require = createRequire(import.meta.url);
const SUITE = dirname(require.resolve('@apollo/federation-subgraph-compatibility-tests'));
const FILES = readdirSync(join(SUITE, 'tests')).filter((file) => file.endsWith('.test.js'));

/** Usage traces inside responses are Apollo's reporting, not federation: no part of this server writes them. */
const NOT_APPLICABLE = ['ftv1.test.js'];

/** The reference subgraphs would listen on every interface, and outlive a test run that was cut off. */
const TAMED = `data:text/javascript,import { Server } from 'node:net';
  const { listen } = Server.prototype;
  Server.prototype.listen = function (options, ...rest) {
    return listen.call(this, { ...options, host: '127.0.0.1' }, ...rest);
  };
  process.stdin.on('end', () => process.exit()).resume();`;

/** One of the package's two subgraphs, in a process of its own, at a free port. */
async function startReference(name: string) {
  const probe = await listenTo(() => {});
  await probe.close();
  const url = probe.url.replace('/graphql', '/');
  const directory = join(SUITE, 'subgraphs', name);
  const child = spawn(process.execPath, ['--import', TAMED, 'index.js'], {
    cwd: directory,
    env: { ...process.env, [`${name.toUpperCase()}_PORT`]: new URL(url).port },
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  afterAll(() => void child.stdin.end());
  while (!(await fetch(`${url}?query={__typename}`).catch(() => null))) {
    if (child.exitCode !== null) throw new Error(`The reference subgraph ${name} ended`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { name, url, sdl: readFileSync(join(directory, `${name}.graphql`), 'utf8') };
}

/** What the package calls its supergraph. Its client reads the address of products when it is loaded: that comes after. */
async function startSupergraph() {
  const products = await startProducts();
  const response = await fetch(products.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: '{ _service { sdl } }' }),
  });
  const { data } = (await response.json()) as { data: { _service: { sdl: string } } };
  const { supergraph } = COMPOSERS['@apollo/composition']([
    { name: 'products', url: products.url, sdl: data._service.sdl },
    await startReference('inventory'),
    await startReference('users'),
  ]);
  const router = await ROUTERS['@apollo/gateway'](supergraph);
  afterAll(async () => {
    await router.close();
    await products.close();
  });
  process.env.PRODUCTS_URL = products.url;
  require(join(SUITE, 'utils/client.js')).ROUTER_URL = router.url;
}

await startSupergraph();
Object.assign(globalThis, { describe, expect, it, test });

test('the suite checks 15 features, of which one does not apply', () => {
  const { TESTS } = require(join(SUITE, 'testRunner.js')) as { TESTS: unknown[] };
  expect(TESTS.length).toBe(15);
  expect(FILES).toEqual(expect.arrayContaining(NOT_APPLICABLE));
});

describe.each(FILES.filter((file) => !NOT_APPLICABLE.includes(file)))('%s', (file) => {
  require(join(SUITE, 'tests', file));
});
