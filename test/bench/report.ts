// What a run found: medians over its rounds, ratios round by round, as a table for people and as JSON.
import { type Load, percentile } from './load.ts';

export type Sample = {
  rate: number;
  p50: number;
  p99: number;
  /** CPU of a request in µs: of the contender's process, and of the database's. */
  serverCpu: number | null;
  databaseCpu: number | null;
  /** Answers that were errors; they are not in the rate. */
  failures: number;
  writeP50: number | null;
  writeP99: number | null;
  /** Share of look-ups that each of Coterie's caches answered. */
  hitRates: Record<string, number>;
};

export function toSample(load: Load, server: number | null, database: number | null): Sample {
  const each = (cpu: number | null) => (cpu === null ? null : (cpu * 1_000) / Math.max(1, load.requests));
  const write = (share: number) =>
    load.writeLatencies.length === 0 ? null : percentile(load.writeLatencies, share);
  return {
    rate: Math.max(0.1, load.requests - load.failures) / load.seconds,
    p50: percentile(load.latencies, 0.5),
    p99: percentile(load.latencies, 0.99),
    serverCpu: each(server),
    databaseCpu: each(database),
    failures: load.failures,
    writeP50: write(0.5),
    writeP99: write(0.99),
    hitRates: {},
  };
}

/** Samples of a query by contender, one a round. */
export type Measured = {
  query: { id: string; title: string; goals?: Record<string, number> };
  samples: Map<string, Sample[]>;
};

export type Line = {
  id: string;
  title: string;
  contenders: Record<string, Sample>;
  /** Coterie's rate over another's: the median of the ratios within each round, where both met the same machine. */
  ratios: Record<string, number>;
  goals: Record<string, number>;
};

export function summarize({ query, samples }: Measured): Line {
  const contenders: Record<string, Sample> = {};
  const ratios: Record<string, number> = {};
  for (const [name, rounds] of samples) {
    const { hitRates, ...numbers } = rounds.at(-1)!;
    const middles = Object.keys(numbers).map((key) => {
      const values = rounds.map((round) => round[key as keyof typeof numbers]);
      return [key, values.includes(null) ? null : median(values as number[])];
    });
    contenders[name] = { ...Object.fromEntries(middles), hitRates };
    const ours = samples.get('coterie');
    if (name !== 'coterie' && ours)
      ratios[name] = median(rounds.map((round, at) => ours[at]!.rate / round.rate));
  }
  return { id: query.id, title: query.title, contenders, ratios, goals: { ...query.goals } };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return sorted.length % 2 ? sorted[Math.floor(middle)]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

const digits = (value: number) => value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
const cell = (value: number | null | undefined) => (value == null ? '–' : digits(value));

/** Of the cache that holds data; those of tokens and operations answer all but the first request. */
const hits = (sample: Sample | undefined) =>
  Object.entries(sample?.hitRates ?? {})
    .filter(([cache]) => cache === 'closures')
    .map(([cache, rate]) => `${cache} ${Math.round(rate * 100)} %`)
    .join(', ') || '–';

/** A Markdown table. `!` marks a goal that was missed. */
export function toTable(lines: readonly Line[]): string {
  const names = [...new Set(lines.flatMap((line) => Object.keys(line.contenders)))];
  const others = names.filter((name) => name !== 'coterie');
  const header = [
    'query',
    ...names.map((name) => `${name}: req/s, p50 / p99 ms (of writes), CPU µs server + db`),
    'cache hits',
    ...others.map((name) => `÷ ${name}`),
  ];
  const rows = lines.map((line) => [
    `${line.id} ${line.title}`,
    ...names.map((name) => {
      const sample = line.contenders[name];
      if (!sample) return '–';
      const { rate, p50, p99, writeP50, writeP99, serverCpu, databaseCpu, failures } = sample;
      const latencies = [
        p50 > 0 ? `${cell(p50)} / ${cell(p99)}` : '',
        writeP50 === null ? '' : `(${cell(writeP50)} / ${cell(writeP99)})`,
      ];
      return `${Math.round(rate)}, ${latencies.join(' ').trim()}, ${Math.round(serverCpu ?? 0)} + ${Math.round(databaseCpu ?? 0)}${failures > 0 ? ` (**${failures} failed**)` : ''}`;
    }),
    hits(line.contenders.coterie),
    ...others.map((name) => {
      const ratio = line.ratios[name];
      const goal = line.goals[name];
      if (ratio === undefined) return '–';
      if (goal === undefined) return digits(ratio);
      return `${digits(ratio)} (goal ${goal}${ratio < goal ? ' **!**' : ''})`;
    }),
  ]);
  return [header, header.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}
