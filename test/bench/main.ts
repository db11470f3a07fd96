// `npm run bench`: Coterie, PostGraphile 5, mercurius and the limit over one database, under the same load, in turns. With `growth`,
// `contention`, `embedded` or `past` first, one of the other questions: how cost grows, whether writers wait, the default, and
// what the past costs.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { toChart } from './chart.ts';
import { type Contender, memoryOf, startContender } from './contenders.ts';
import { contention } from './contention.ts';
import { embedded } from './embedded.ts';
import { growth } from './growth.ts';
import { startIssuer } from './issuer.ts';
import { measure, say } from './measure.ts';
import { type Options, readOptions } from './options.ts';
import { past } from './past.ts';
import { startServer } from './postgresql.ts';
import { prepare } from './prepare.ts';
import { readQueries } from './queries.ts';
import { toTable } from './report.ts';
import { onServer } from './run-sql.ts';
import { readWrites } from './writes.ts';

/** PostGraphile and what it brings (185 packages) are no part of the product: the first run installs them here. */
function installContenders(): void {
  if (existsSync(join(import.meta.dirname, 'node_modules/postgraphile'))) return;
  say('installing PostGraphile under test/bench …');
  execFileSync('npm', ['ci', '--prefix', import.meta.dirname, '--no-audit', '--no-fund', '--silent'], {
    stdio: 'inherit',
  });
}

async function compare(options: Options): Promise<void> {
  if (options.contenders.includes('postgraphile')) installContenders();
  const server = await startServer(options.keep);
  const contenders: Contender[] = [];
  try {
    await prepare(server, options.sizes);
    const all = await onServer(server.url, (run) => readQueries(run, options.sizes.depth));
    const issuer = await startIssuer(all[0]!.variants[0]!.tenant);
    const start = (name: string) => startContender(name, issuer, { DATABASE_URL: server.url });
    for (const name of options.contenders) contenders.push(await start(name));
    const atRest = contenders.map(({ pid }) => Math.round(memoryOf(pid) ?? 0));
    const writes = await onServer(server.url, (run) => readWrites(run, options.sizes.depth));
    const clear = () => onServer(server.url, writes.clear);
    const field = { contenders, queries: all, writes, clear, start, postmaster: server.pid };
    const tables = await measure(field, options, options.only);
    const lines = tables.flat();
    for (const table of tables.filter(({ length }) => length > 0))
      process.stdout.write(`${toTable(table)}\n\n`);
    contenders.forEach(({ name, pid, startMs }, at) => {
      const memory = `${atRest[at]} MB at rest, ${Math.round(memoryOf(pid) ?? 0)} MB after the run`;
      process.stdout.write(`${name}: first answer after ${Math.round(startMs)} ms, ${memory}\n`);
    });
    const [cpu] = cpus();
    const environment = {
      date: new Date().toISOString(),
      cpu: cpu?.model,
      cores: cpus().length,
      node: process.version,
    };
    if (options.json)
      await writeFile(options.json, `${JSON.stringify({ environment, options, lines }, null, 2)}\n`);
    if (options.chart) await writeFile(options.chart, toChart(tables[0]!));
    issuer.stop();
  } finally {
    for (const contender of contenders) await contender.stop();
    await server.stop();
  }
}

const QUESTIONS: Record<string, (options: Options) => Promise<void>> = { growth, contention, embedded, past };
const [first = '', ...rest] = process.argv.slice(2);
const question = QUESTIONS[first];
await (question ? question(readOptions(rest)) : compare(readOptions(process.argv.slice(2))));
