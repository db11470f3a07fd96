// A real browser whose network ends at this machine, over a server with the demo directory.
import { existsSync } from 'node:fs';
import { chromium, type Page } from 'playwright-core';
import { seedDemo } from '../../src/demo/demo.ts';
import { openTestDatabase } from './postgresql.ts';
import { startApp } from './server.ts';

const BROWSER = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** Whether there is no browser here: its tests then skip, and this has said so. */
export const noBrowser = !existsSync(BROWSER);
if (noBrowser) console.warn(`skipped: no browser at ${BROWSER}; set CHROMIUM to the path of one`);

/** What a page asked of others than the server, and what it complained of. */
export type Watched = { page: Page; url: string; dataDir: string; foreign: string[]; faults: string[] };

/** Runs `work` with an empty page beside a listening server with these variables, and closes both. */
export async function withBrowser(
  work: (watched: Watched) => Promise<void>,
  variables: Record<string, string> = {},
): Promise<void> {
  const database = await openTestDatabase();
  await seedDemo(database.db);
  const { url, dataDir } = await startApp(database.db, variables);
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
      if (protocol.startsWith('http') && origin !== url) foreign.push(request.url());
    });
    page.on('console', (message) => {
      if (message.type() === 'error') faults.push(message.text());
    });
    page.on('pageerror', (error) => faults.push(String(error)));
    await work({ page, url, dataDir, foreign, faults });
  } finally {
    await browser.close();
    await database.close();
  }
}
