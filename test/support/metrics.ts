// What `/metrics` says, sample by sample.
import type { Metrics } from '../../src/http/metrics.ts';

/** Each sample's value by its name with its labels, in the order of the text. */
export function parseSamples(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(' ');
      return [line.slice(0, space), Number(line.slice(space + 1))];
    }),
  );
}

export const samplesOf = async (metrics: Metrics) => parseSamples(await (await metrics.response()).text());

/** How many requests were counted by route and status, as in `/graphql 200`. */
export function countsIn(samples: Map<string, number>): Record<string, number> {
  const counts = [...samples].flatMap(([sample, value]) => {
    const labels = /^coterie_request_duration_seconds_count\{route="(.+)",status="(.+)"\}$/.exec(sample);
    return labels ? [[`${labels[1]} ${labels[2]}`, value] as const] : [];
  });
  return Object.fromEntries(counts);
}

export const requestCounts = async (metrics: Metrics) => countsIn(await samplesOf(metrics));
