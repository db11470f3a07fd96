// `npm run bench -- embedded`: the same queries on the embedded database, at a tenth of the size, beside a server's.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { applyMigrations } from '../../src/database/migrate.ts';
import { openPglite } from '../../src/database/pglite.ts';
import { type Contender, startContender } from './contenders.ts';
import { createDataSet, type Sizes } from './data-set.ts';
import { startIssuer } from './issuer.ts';
import { measure } from './measure.ts';
import type { Options } from './options.ts';
import { startServer } from './postgresql.ts';
import { prepare } from './prepare.ts';
import { readQueries } from './queries.ts';
import { toTable } from './report.ts';
import { onServer } from './run-sql.ts';
import { readWrites } from './writes.ts';

const tenth = (sizes: Sizes): Sizes => ({
  ...sizes,
  users: sizes.users / 10,
  groups: sizes.groups / 10,
  memberships: sizes.memberships / 10,
  nestings: sizes.nestings / 10,
});

/** Prints the table of both; the answers must be the same. */
export async function embedded(options: Options): Promise<void> {
  const sizes = tenth(options.sizes);
  const dataDir = await mkdtemp(join(tmpdir(), 'coterie-bench-embedded-'));
  const server = await startServer(null);
  const contenders: Contender[] = [];
  try {
    await prepare(server, sizes);
    const database = await openPglite(dataDir);
    await applyMigrations(database);
    await createDataSet(async (statement) => (await database.engine.query(statement)).rows, sizes);
    await database.close();
    const all = await onServer(server.url, (run) => readQueries(run, sizes.depth));
    const queries = all.filter(({ variants }) => variants.length > 0);
    // What was written is not taken away from the embedded database: its process alone may open it.
    const writes = await onServer(server.url, (run) => readWrites(run, sizes.depth));
    const issuer = await startIssuer(all[0]!.variants[0]!.tenant);
    const first = await startContender('coterie', issuer, { DATA_DIR: dataDir });
    contenders.push({ ...first, label: 'coterie', name: 'coterie' });
    const second = await startContender('coterie', issuer, { DATABASE_URL: server.url });
    contenders.push({ ...second, label: 'on a server' });
    const start = () => Promise.reject(new Error('one process alone opens the embedded database'));
    const field = { contenders, queries, writes, clear: async () => {}, start, postmaster: null };
    const rows = options.only ?? [...queries.map(({ id }) => id), 'M1'];
    const [lines = []] = await measure(field, options, rows);
    process.stdout.write(`${toTable(lines)}\n`);
    process.stdout.write(`embedded: first answer after ${Math.round(first.startMs)} ms\n`);
    issuer.stop();
  } finally {
    for (const contender of contenders) await contender.stop();
    await server.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}
