// `npm run bench`: Coterie, PostGraphile 5 and the limit over one database, under the same load, in turns.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { openDatabase } from '../../src/database/open.ts';
import { toChart } from './chart.ts';
import { assertSameAnswers } from './checks.ts';
import { type Contender, cpuOf, databaseCpu, memoryOf, startContender } from './contenders.ts';
import { createDataSet } from './data-set.ts';
import { startIssuer } from './issuer.ts';
import { applyLoad } from './load.ts';
import { type Options, readOptions } from './options.ts';
import { type Server, startServer } from './postgresql.ts';
import { readQueries } from './queries.ts';
import { type Measured, type Sample, summarize, toSample, toTable } from './report.ts';
import { memberAdditions, readRequests, walkPages } from './requests.ts';

const say = (text: string) => process.stderr.write(`${text}\n`);

async function prepare(server: Server, { sizes }: Options): Promise<void> {
  // Opening is what migrates it.
  const database = await openDatabase({
    url: server.url,
    dataDir: '',
    timeouts: { statement: 600_000, query: 600_000 },
  });
  await database.close();
  if (!server.fresh) return;
  const started = performance.now();
  await createDataSet(server.url, sizes);
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  await client.query(await readFile(join(import.meta.dirname, 'contenders/postgraphile.sql'), 'utf8'));
  await client.end();
  say(`made ${JSON.stringify(sizes)} in ${((performance.now() - started) / 1_000).toFixed(1)} s`);
}

/** PostGraphile and what it brings (185 packages) are no part of the product: the first run installs them here. */
function installContenders(): void {
  if (existsSync(join(import.meta.dirname, 'node_modules/postgraphile'))) return;
  say('installing PostGraphile under test/bench …');
  execFileSync('npm', ['ci', '--prefix', import.meta.dirname, '--no-audit', '--no-fund', '--silent'], {
    stdio: 'inherit',
  });
}

async function measure(server: Server, options: Options, contenders: Contender[]): Promise<Measured[]> {
  const { rounds, seconds, connections, only, sizes } = options;
  const queries = (await readQueries(server.url, sizes.depth)).filter(({ id }) => !only || only.includes(id));
  const tenant = queries[0]!.variants[0]!.tenant;
  const cursors = new Map<Contender, string[]>();
  for (const contender of contenders) cursors.set(contender, await walkPages(contender, tenant));
  say(`${await assertSameAnswers(contenders, queries, cursors)} answers compared: all the same`);
  const additions = await memberAdditions(server.url);
  const measured: Measured[] = [];
  for (const query of queries) {
    const samples = new Map<string, Sample[]>();
    for (let round = -1; round < rounds; round += 1) {
      for (const contender of turned(contenders, round)) {
        const next =
          query.id === 'M1'
            ? () => additions.next(contender)
            : readRequests(contender, query, cursors.get(contender)!);
        if (!next) continue;
        const before = [cpuOf(contender.pid), databaseCpu(server.pid)] as const;
        // The round before the first only warms up.
        const load = await applyLoad({
          port: contender.port,
          connections,
          seconds: round < 0 ? Math.min(1, seconds) : seconds,
          next,
        });
        const used = [cpuOf(contender.pid), databaseCpu(server.pid)].map((now, at) => now! - before[at]!);
        const taken = samples.get(contender.name) ?? [];
        if (round >= 0) samples.set(contender.name, [...taken, toSample(load, used[0]!, used[1]!)]);
      }
      if (query.id === 'M1') await additions.clear();
    }
    measured.push({ query, samples });
    say(
      toTable([summarize(measured.at(-1)!)])
        .split('\n')
        .at(-1)!,
    );
  }
  return measured;
}

/** Each round begins with another contender, so that none always follows the same one. */
const turned = (contenders: Contender[], round: number) => {
  const from = (round + contenders.length) % contenders.length;
  return [...contenders.slice(from), ...contenders.slice(0, from)];
};

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options.contenders.includes('postgraphile')) installContenders();
  const server = await startServer(options.keep);
  const contenders: Contender[] = [];
  try {
    await prepare(server, options);
    const [query] = await readQueries(server.url, options.sizes.depth);
    const issuer = await startIssuer(query!.variants[0]!.tenant);
    for (const name of options.contenders) {
      contenders.push(await startContender(name, issuer, { DATABASE_URL: server.url }));
    }
    const measured = await measure(server, options, contenders);
    const lines = measured.map(summarize);
    process.stdout.write(`${toTable(lines)}\n`);
    for (const { name, pid, startMs } of contenders) {
      process.stdout.write(
        `${name}: first answer after ${Math.round(startMs)} ms, ${Math.round(memoryOf(pid) ?? 0)} MB after the run\n`,
      );
    }
    const environment = {
      date: new Date().toISOString(),
      cpu: cpus()[0]?.model,
      cores: cpus().length,
      node: process.version,
    };
    if (options.json)
      await writeFile(options.json, `${JSON.stringify({ environment, options, lines }, null, 2)}\n`);
    if (options.chart) await writeFile(options.chart, toChart(lines));
    issuer.stop();
  } finally {
    for (const contender of contenders) await contender.stop();
    await server.stop();
  }
}

await main();
