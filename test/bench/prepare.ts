// A database ready to be measured: migrated, filled, and with what PostGraphile is given.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openDatabase } from '../../src/database/open.ts';
import { writeFunctions } from './contenders/statements.ts';
import { createDataSet, type Sizes } from './data-set.ts';
import { say } from './measure.ts';
import type { Server } from './postgresql.ts';
import { onServer } from './run-sql.ts';

/** A migrated database with its data set. */
export async function prepare(server: Server, sizes: Sizes): Promise<void> {
  const patient = { statement: 600_000, query: 600_000 };
  const database = await openDatabase({ url: server.url, dataDir: '', timeouts: patient });
  await database.close();
  if (!server.fresh) return;
  const started = performance.now();
  const functions = await readFile(join(import.meta.dirname, 'contenders/postgraphile.sql'), 'utf8');
  await onServer(server.url, async (run) => {
    await createDataSet(run, sizes);
    await run(functions);
    await run(writeFunctions());
  });
  say(`made ${JSON.stringify(sizes)} in ${((performance.now() - started) / 1_000).toFixed(1)} s`);
}
