// GraphiQL in a real browser whose network ends at this machine: it loads, and runs a query from its first tab.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { noBrowser, withBrowser } from '../support/browser.ts';

test.skipIf(noBrowser)(
  'GraphiQL answers a query without any network but this server',
  { timeout: 180_000 },
  () =>
    withBrowser(async ({ page, url, dataDir, foreign }) => {
      await page.goto(`${url}/graphql`);
      const run = page.locator('.graphiql-execute-button');
      await run.waitFor({ timeout: 60_000 });
      await run.click();
      const result = page.locator('.result-window');
      await result.getByText('SUPER_ADMIN').waitFor({ timeout: 60_000 });
      const screenshot = join(dataDir, 'graphiql.png');
      await page.screenshot({ path: screenshot });
      console.info(`screenshot: ${screenshot}`);
      expect(await page.locator('.graphiql-tab').count()).toBeGreaterThanOrEqual(4);
      expect(foreign).toEqual([]);
    }),
);
