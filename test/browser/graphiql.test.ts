// GraphiQL in a real browser whose network ends at this machine: it loads, also again and by a link, and runs a query.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { EXAMPLES } from '../../src/graphql/server/examples.ts';
import { noBrowser, withBrowser } from '../support/browser.ts';

test.skipIf(noBrowser)(
  'GraphiQL answers a query without any network but this server',
  { timeout: 180_000 },
  () =>
    withBrowser(async ({ page, url, dataDir, foreign, faults }) => {
      await page.goto(`${url}/graphql`);
      const run = page.locator('.graphiql-execute-button');
      await run.waitFor({ timeout: 60_000 });
      await run.click();
      const result = page.locator('.result-window');
      await result.getByText('SUPER_ADMIN').waitFor({ timeout: 60_000 });
      const screenshot = join(dataDir, 'graphiql.png');
      await page.screenshot({ path: screenshot });
      console.info(`screenshot: ${screenshot}`);
      const tabs = page.locator('.graphiql-tab');
      expect(await tabs.count()).toBe(EXAMPLES.length);
      const bar = await page
        .locator('.graphiql-tabs')
        .evaluate((each) => [each.scrollWidth, each.clientWidth]);
      expect(bar[0]).toBe(bar[1]);
      // What is edited stands in the address, which others may be sent.
      await page.locator('.graphiql-query-editor .monaco-editor').first().click();
      await page.keyboard.type(' ');
      await page.waitForURL(/\?query=/);
      // A tab runs with its variables, of which no other says anything.
      await page.getByRole('button', { name: 'CreateGroup', exact: true }).click();
      await page.locator('.graphiql-tab-active', { hasText: 'CreateGroup' }).waitFor({ timeout: 60_000 });
      // GraphiQL reads the operations of a tab some time after it is opened, and until then runs that of the tab before.
      await page.waitForTimeout(2_000);
      await run.click();
      await result.getByText('"CreateGroupPayload"').waitFor({ timeout: 60_000 });
      await page.reload();
      await run.waitFor({ timeout: 60_000 });
      const link = `${url}/graphql?query=${encodeURIComponent('{ tenants { totalCount } }')}`;
      const { status, type } = await page.goto(link).then((response) => ({
        status: response!.status(),
        type: response!.headers()['content-type'],
      }));
      expect([status, type]).toEqual([200, 'text/html; charset=utf-8']);
      await run.click();
      await result.getByText('"totalCount": 3').waitFor({ timeout: 60_000 });
      expect(foreign).toEqual([]);
      // Nothing that the page needs is against its policy.
      expect(faults).toEqual([]);
    }),
);
