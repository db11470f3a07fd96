// The measurement of queries: interleaved rounds of all contenders, after a check that their answers are the same.
import { assertSameAnswers } from './checks.ts';
import { type Contender, cpuOf, databaseCpu } from './contenders.ts';
import { applyLoad } from './load.ts';
import type { Options } from './options.ts';
import type { Query } from './queries.ts';
import { type Measured, type Sample, summarize, toSample, toTable } from './report.ts';
import { type Additions, readRequests, walkPages } from './requests.ts';

/** Requests after which V8 has compiled what a contender runs; measured, its CPU a request falls by half until then. */
const WARM = 4_000;

export const say = (text: string) => process.stderr.write(`${text}\n`);

type Field = {
  contenders: Contender[];
  queries: Query[];
  additions: Additions;
  /** Takes added members away again. */
  clear: () => Promise<void>;
  /** The database's main process; null where it runs inside a contender. */
  postmaster: number | null;
};

export async function measure(
  { contenders, queries, additions, clear, postmaster }: Field,
  { rounds, seconds, warmup, connections }: Pick<Options, 'rounds' | 'seconds' | 'warmup' | 'connections'>,
): Promise<Measured[]> {
  const tenant = queries[0]!.variants[0]!.tenant;
  const cursors = new Map<Contender, string[]>();
  const pages = Math.max(1, ...queries.flatMap(({ variants }) => variants.map(({ page = 0 }) => page + 1)));
  for (const contender of contenders) cursors.set(contender, await walkPages(contender, tenant, pages));
  const compared = await assertSameAnswers(contenders, queries, cursors);
  say(`${compared} answers compared: all the same`);
  const measured: Measured[] = [];
  for (const query of queries) {
    const samples = new Map<string, Sample[]>();
    // The round before the first only warms up.
    for (let round = -1; round < rounds; round += 1) {
      for (const contender of turned(contenders, round)) {
        const next =
          query.id === 'M1'
            ? () => additions.next(contender)
            : readRequests(contender, query, cursors.get(contender)!);
        if (!next) continue;
        const used = cpuSince([contender.pid], postmaster);
        const target = { port: contender.port, connections, next };
        if (round < 0) {
          await applyLoad({ ...target, seconds: warmup, enough: WARM });
          continue;
        }
        const load = await applyLoad({ ...target, seconds });
        const taken = samples.get(contender.label) ?? [];
        samples.set(contender.label, [...taken, toSample(load, ...used())]);
      }
      if (query.id === 'M1') await clear();
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

/** CPU of the process and of the database since now, in ms. */
function cpuSince([pid]: [number], postmaster: number | null): () => [number | null, number | null] {
  const database = () => (postmaster === null ? null : databaseCpu(postmaster));
  const [server, db] = [cpuOf(pid), database()];
  const since = (now: number | null, before: number | null) =>
    now === null || before === null ? null : Math.max(0, now - before);
  return () => [since(cpuOf(pid), server), since(database(), db)];
}

/** Each round begins with another contender, so that none always follows the same one. */
const turned = (contenders: Contender[], round: number) => {
  const from = (round + contenders.length) % contenders.length;
  return [...contenders.slice(from), ...contenders.slice(0, from)];
};
