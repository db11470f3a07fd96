// The reference page of REST in a real browser whose network ends at this machine: it loads, and a call can be tried.
import { existsSync } from 'node:fs';
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
  'the reference lists each operation, and answers a call tried on it',
  { timeout: 180_000 },
  async () => {
    const database = await openDatabase({ dataDir: 'memory://' });
    await seedDemo(database);
    const { app, config } = await startApp(database);
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
      const faults: string[] = [];
      page.on('request', (request) => {
        const { protocol, origin } = new URL(request.url());
        if (protocol.startsWith('http') && origin !== server.url) foreign.push(request.url());
      });
      page.on('console', (message) => {
        if (message.type() === 'error') faults.push(message.text());
      });
      page.on('pageerror', (error) => faults.push(String(error)));
      await page.goto(`${server.url}/docs`);
      await page.locator('.opblock').first().waitFor({ timeout: 60_000 });
      expect(await page.locator('.opblock').count()).toBe(19);
      const list = page.locator('#operations-Admin_groups-adminListGroups');
      await list.locator('.opblock-summary-control').first().click();
      await list.getByRole('button', { name: 'Execute' }).click();
      const answer = list.locator('.live-responses-table .response').first();
      await answer.getByText('total_items').first().waitFor({ timeout: 60_000 });
      expect(await answer.locator('.response-col_status').textContent()).toContain('200');
      expect(foreign).toEqual([]);
      expect(faults).toEqual([]);
    } finally {
      await browser.close();
      await server.stop();
      await database.close();
    }
  },
);
