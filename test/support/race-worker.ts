// One of two processes that race: nests and moves groups of one tenant at random, and reports what came of it.

import { openDatabase } from '../../src/database/open.ts';
import { addNestedGroups, removeNestedGroup } from '../../src/domain/commands/nest-groups.ts';
import { updateGroup } from '../../src/domain/commands/update-group.ts';
import { isDirectoryError } from '../../src/model/errors.ts';
import type { TenantId } from '../../src/model/ids.ts';
import { openAsAdmin } from './directories.ts';
import { randomFrom } from './random.ts';
import { PATIENT } from './timeouts.ts';

export type RaceOrder = {
  url: string;
  tenantId: TenantId;
  groupIds: string[];
  changes: number;
  seed: number;
};
export type RaceReport = { done: number; refused: Record<string, number>; unhandled: string[] };

/** Changes in flight at once in this process. */
const CONCURRENCY = 8;

async function race({ url, tenantId, groupIds, changes, seed }: RaceOrder): Promise<RaceReport> {
  const db = await openDatabase({ url, dataDir: '', poolSize: CONCURRENCY, timeouts: PATIENT });
  const directory = openAsAdmin(db, tenantId);
  const report: RaceReport = { done: 0, refused: {}, unhandled: [] };
  const random = randomFrom(seed);
  const any = () => groupIds[random(groupIds.length)]!;
  let left = changes;
  const runner = async () => {
    while (left-- > 0) {
      const dice = random(10);
      try {
        if (dice < 5) await addNestedGroups(directory, { groupId: any(), childGroupIds: [any()] });
        else if (dice < 6) await removeNestedGroup(directory, { groupId: any(), childGroupId: any() });
        else await updateGroup(directory, { id: any(), parentGroupId: any() });
        report.done += 1;
      } catch (error) {
        if (isDirectoryError(error) && error.code !== 'UNAVAILABLE')
          report.refused[error.code] = (report.refused[error.code] ?? 0) + 1;
        else report.unhandled.push(String(error));
      }
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, runner));
  await db.close();
  return report;
}

process.once('message', async (order: RaceOrder) => {
  process.send!(await race(order), () => process.disconnect());
});
