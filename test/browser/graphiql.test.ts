// GraphiQL in a real browser whose network ends at this machine: it loads, and runs a query from its first tab.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { expect, test } from 'vitest';
import { seedDemo } from '../../src/cli/demo.ts';
import { openDatabase } from '../../src/database/open.ts';
import { listen } from '../../src/http/server.ts';
import { startApp } from '../support/server.ts';

const BROWSER = process.env.CHROMIUM ?? '/usr/bin/chromium';
const missing = !existsSync(BROWSER);
if (missing) console.warn(`skipped: no browser at ${BROWSER}; set CHROMIUM to the path of one`);

test.skipIf(missing)(
  'GraphiQL answers a query without any network but this server',
  { timeout: 90_000 },
  async () => {
    const database = await openDatabase({ dataDir: 'memory://' });
    await seedDemo(database);
    const { app, config, dataDir } = await startApp(database);
    const server = await listen(app.listener, { host: '127.0.0.1', port: 0, timeouts: config.timeouts });
    const browser = await chromium.launch({
      executablePath: BROWSER,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
      ],
    });
    try {
      const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
      const foreign: string[] = [];
      page.on('request', (request) => {
        const { protocol, origin } = new URL(request.url());
        if (protocol.startsWith('http') && origin !== server.url) foreign.push(request.url());
      });
      await page.goto(`${server.url}/graphql`);
      const run = page.locator('.graphiql-execute-button');
      await run.waitFor({ timeout: 30_000 });
      await run.click();
      const result = page.locator('.result-window');
      await result.getByText('SUPER_ADMIN').waitFor({ timeout: 20_000 });
      const screenshot = join(dataDir, 'graphiql.png');
      await page.screenshot({ path: screenshot });
      console.info(`screenshot: ${screenshot}`);
      expect(await page.locator('.graphiql-tab').count()).toBeGreaterThanOrEqual(4);
      expect(foreign).toEqual([]);
    } finally {
      await browser.close();
      await server.stop();
      await database.close();
    }
  },
);
