// The reference page of REST in a real browser whose network ends at this machine: it loads, and a call can be tried.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { noBrowser, withBrowser } from '../support/browser.ts';

test.skipIf(noBrowser)(
  'the reference lists each operation, and answers a call tried on it',
  { timeout: 180_000 },
  () =>
    withBrowser(async ({ page, url, dataDir, foreign, faults }) => {
      await page.goto(`${url}/docs`);
      await page.locator('.opblock').first().waitFor({ timeout: 60_000 });
      expect(await page.locator('.opblock').count()).toBe(23);
      const list = page.locator('#operations-Admin_groups-adminListGroups');
      await list.locator('.opblock-summary-control').first().click();
      await list.getByRole('button', { name: 'Execute' }).click();
      const answer = list.locator('.live-responses-table .response').first();
      await answer.getByText('total_items').first().waitFor({ timeout: 60_000 });
      expect(await answer.locator('.response-col_status').textContent()).toContain('200');
      const screenshot = join(dataDir, 'docs.png');
      await page.screenshot({ path: screenshot });
      console.info(`screenshot: ${screenshot}`);
      expect(foreign).toEqual([]);
      expect(faults).toEqual([]);
    }),
);
