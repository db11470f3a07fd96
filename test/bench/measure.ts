// The measurement: contenders in turns, each row in every round, once all answers are the same.
import { parseSamples } from '../support/metrics.ts';
import { assertSameAnswers } from './checks.ts';
import { type Contender, cpuOf, databaseCpu } from './contenders.ts';
import { applyLoad, type LoadOptions } from './load.ts';
import type { Options } from './options.ts';
import type { Query } from './queries.ts';
import { type Line, type Measured, type Sample, summarize, toSample, toTable } from './report.ts';
import { anyOf, readRequests, walkPages } from './requests.ts';
import type { Writes } from './writes.ts';

/** Requests after which V8 has compiled what a contender runs; measured, its CPU a request falls by half until then. */
const WARM = 4_000;
/** The first answers of a fresh process that a cold row measures. */
const FIRST = 500;
/** Reads of the mix: all that GraphQL has, with keys from the whole tenant. */
const MIX = ['Q1', 'Q2', 'Q3', 'Q4', 'Q5', 'search', 'user', 'entities'];

export const say = (text: string) => process.stderr.write(`${text}\n`);

export type Field = {
  contenders: Contender[];
  queries: Query[];
  writes: Writes;
  /** Takes the writes away again. */
  clear: () => Promise<void>;
  /** Starts another process of a contender. */
  start: (name: string) => Promise<Contender>;
  /** The database's main process; null where it runs inside a contender. */
  postmaster: number | null;
};
type Times = Pick<Options, 'rounds' | 'seconds' | 'warmup' | 'connections'>;

/** What a contender is asked in a row; null where it cannot be. */
type Row = {
  id: string;
  title: string;
  goals?: Record<string, number>;
  next(contender: Contender): LoadOptions['next'] | null;
  writes?: boolean;
  cold?: boolean;
};

/** Reads, M1, mixes and cold starts of all contenders; and what Coterie alone is asked, against itself. */
export async function measure(field: Field, times: Times, only: Options['only'] = null): Promise<Line[][]> {
  const { contenders, queries, writes } = field;
  const { tenant } = queries[0]!.variants[0]!;
  const cursors = new Map<Contender, string[]>();
  for (const contender of contenders) cursors.set(contender, await walkPages(contender, tenant));
  const compared = await assertSameAnswers(contenders, queries, cursors);
  say(`${compared} answers compared: all the same`);

  // A cold process is asked with the cursors of a warm one of its kind.
  const cursorsOf = (contender: Contender) =>
    cursors.get(contender) ?? cursors.get(contenders.find(({ name }) => name === contender.name)!)!;
  const reads = (query: Query) => (contender: Contender) =>
    readRequests(contender, query, cursorsOf(contender));
  const mixed = (share: number) => (contender: Contender) => {
    const asked = queries.filter(({ id }) => MIX.includes(id)).map((query) => reads(query)(contender)!);
    const nextWrite = writes.of(contender);
    return () => (Math.random() < share ? nextWrite() : anyOf(asked)());
  };
  const rows: Row[] = [
    ...queries.map((query) => ({ ...query, next: reads(query) })),
    {
      id: 'M1',
      title: 'add a member, with its change in the log',
      goals: { postgraphile: 2 },
      next: (contender) => writes.of(contender, ['M1']),
      writes: true,
    },
    ...[0, 0.05, 0.2].map((share) => ({
      id: `mix-${share * 100}`,
      title: `mix of reads with ${share * 100} % writes`,
      goals: { postgraphile: 2 },
      next: mixed(share),
      writes: share > 0,
    })),
    { id: 'cold', title: `cold start: first ${FIRST} answers of the mix`, next: mixed(0), cold: true },
  ];
  const wanted = ({ id }: { id: string }) => !only || only.includes(id);
  const lines: Line[] = [];
  for (const row of rows.filter(wanted)) {
    lines.push(told(await measureRow(row, field, times)));
    if (row.writes) await field.clear();
  }
  const alone = contenders.some(({ name }) => name === 'coterie')
    ? await againstItself(field, times, mixed, wanted)
    : [];
  return [lines, alone];
}

function told(measured: Measured): Line {
  const line = summarize(measured);
  say(toTable([line]).split('\n').at(-1)!);
  return line;
}

async function measureRow(
  row: Row,
  field: Field,
  { rounds, seconds, warmup, connections }: Times,
): Promise<Measured> {
  const samples = new Map<string, Sample[]>();
  // The round before the first only warms up.
  for (let round = row.cold ? 0 : -1; round < rounds; round += 1) {
    for (const warm of turned(field.contenders, round)) {
      const contender = row.cold ? await field.start(warm.name) : warm;
      const next = row.next(contender);
      if (!next) continue;
      const target = { port: contender.port, connections, next };
      if (round < 0) {
        await applyLoad({ ...target, seconds: warmup, enough: WARM });
        continue;
      }
      const sample = await sampled(
        contender,
        field,
        row.cold ? { ...target, seconds: 60, enough: FIRST } : { ...target, seconds },
      );
      samples.set(warm.label, [...(samples.get(warm.label) ?? []), sample]);
      if (row.cold) await contender.stop();
    }
  }
  return { query: row, samples };
}

/** Coterie while something is written every second, and as two processes, each in turns with what it is compared with. */
async function againstItself(
  field: Field,
  { rounds, seconds, connections }: Times,
  mixed: (share: number) => (contender: Contender) => LoadOptions['next'],
  wanted: (row: { id: string }) => boolean,
): Promise<Line[]> {
  const coterie = field.contenders.find(({ name }) => name === 'coterie')!;
  const lines: Line[] = [];
  const compare = async (
    row: Measured['query'],
    other: string,
    share: number,
    ours: () => Promise<Sample>,
  ) => {
    if (!wanted(row)) return;
    const samples: [Sample[], Sample[]] = [[], []];
    // The round before the first only warms up.
    for (let round = -1; round < rounds; round += 1) {
      const target = { port: coterie.port, connections, next: mixed(share)(coterie), seconds };
      samples[1].push(await sampled(coterie, field, target));
      samples[0].push(await ours());
    }
    const [here, there] = samples.map((all) => all.slice(1)) as [Sample[], Sample[]];
    lines.push(
      told({
        query: row,
        samples: new Map([
          ['coterie', here],
          [other, there],
        ]),
      }),
    );
    await field.clear();
  };
  const trickle = { id: 'trickle', title: 'mix of reads, one changed user and two nestings a second' };
  await compare({ ...trickle, goals: { 'without writes': 0.8 } }, 'without writes', 0, async () => {
    const next = field.writes.of(coterie, ['upsert', 'nest', 'nest']);
    const target = { port: coterie.port, connections: 1, seconds: 10, next };
    // At least one of each is written within the time that is measured.
    let failed = 0;
    const write = async () => {
      failed += (await applyLoad({ ...target, enough: 1 })).failures;
    };
    const timer = setInterval(write, 333);
    const reading = {
      port: coterie.port,
      connections,
      next: mixed(0)(coterie),
      seconds: Math.max(1.2, seconds),
    };
    const sample = await sampled(coterie, field, reading).finally(() => clearInterval(timer));
    return { ...sample, failures: sample.failures + failed };
  });
  if (!wanted({ id: 'two' })) return lines;
  const second = await field.start('coterie');
  const both = { id: 'two', title: 'mix with 5 % writes, two processes on one database' };
  await compare(both, 'one process', 0.05, () =>
    sampled(
      coterie,
      field,
      { port: [coterie.port, second.port], connections, next: mixed(0.05)(coterie), seconds },
      second,
    ),
  );
  await second.stop();
  return lines;
}

/** The sample of a load; CPU of a second process is added. */
async function sampled(
  contender: Contender,
  { postmaster }: Field,
  load: LoadOptions,
  second?: Contender,
): Promise<Sample> {
  const before = await cachesOf(contender);
  const used = cpuSince(second ? [contender.pid, second.pid] : [contender.pid], postmaster);
  const sample = toSample(await applyLoad(load), ...used());
  const after = await cachesOf(contender);
  return { ...sample, hitRates: hitRates(before, after) };
}

const METRIC = /^coterie_cache_(hits|misses)_total\{cache="(.+)"\}$/;

async function cachesOf({ name, port }: Contender): Promise<Map<string, number>> {
  if (name !== 'coterie') return new Map();
  return parseSamples(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text());
}

/** Share of look-ups that each cache answered meanwhile; caches that were not asked are left out. */
function hitRates(before: Map<string, number>, after: Map<string, number>): Record<string, number> {
  const since = (outcome: string, cache: string) => {
    const sample = `coterie_cache_${outcome}_total{cache="${cache}"}`;
    return (after.get(sample) ?? 0) - (before.get(sample) ?? 0);
  };
  const caches = new Set([...after.keys()].flatMap((sample) => METRIC.exec(sample)?.[2] ?? []));
  return Object.fromEntries(
    [...caches].flatMap((cache) => {
      const [hits, misses] = [since('hits', cache), since('misses', cache)];
      return hits + misses === 0 ? [] : [[cache, hits / (hits + misses)]];
    }),
  );
}

/** CPU of the processes and of the database since now, in ms. */
function cpuSince(pids: number[], postmaster: number | null): () => [number | null, number | null] {
  const sum = (all: readonly (number | null)[]): number | null =>
    all.reduce((a, b) => (a === null || b === null ? null : a + b), 0);
  const server = () => sum(pids.map(cpuOf));
  const database = () => (postmaster === null ? null : databaseCpu(postmaster));
  const [before, databaseBefore] = [server(), database()];
  const since = (now: number | null, then: number | null) =>
    now === null || then === null ? null : Math.max(0, now - then);
  return () => [since(server(), before), since(database(), databaseBefore)];
}

/** Each round begins with another contender, so that none always follows the same one. */
const turned = (contenders: Contender[], round: number) => {
  const from = (round + contenders.length) % contenders.length;
  return [...contenders.slice(from), ...contenders.slice(0, from)];
};
