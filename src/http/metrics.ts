// Metrics in Prometheus' text format: request durations by route and status, statements, caches, and the process.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { cacheUses } from '../model/cache-use.ts';

export type Metrics = {
  requestDone(route: string, status: number, seconds: number): void;
  /** Counts an open stream; returns the function to call when it ends. */
  streamOpened(route: string): () => void;
  statementSent(): void;
  response(): Promise<Response>;
};

export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const duration = new Histogram({
    name: 'coterie_request_duration_seconds',
    help: 'Time to answer a request.',
    labelNames: ['route', 'status'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [registry],
  });
  const statements = new Counter({
    name: 'coterie_statements_total',
    help: 'Statements sent to the database.',
    registers: [registry],
  });
  const streams = new Gauge({
    name: 'coterie_open_streams',
    help: 'Streams of events that are open.',
    labelNames: ['route'],
    registers: [registry],
  });
  const outcomes = {
    hits: { name: 'coterie_cache_hits_total', help: 'Look-ups that the cache answered.' },
    misses: { name: 'coterie_cache_misses_total', help: 'Look-ups that the cache could not answer.' },
  };
  for (const outcome of ['hits', 'misses'] as const) {
    new Counter({
      ...outcomes[outcome],
      labelNames: ['cache'],
      registers: [registry],
      collect() {
        this.reset();
        for (const [cache, use] of cacheUses()) this.inc({ cache }, use[outcome]);
      },
    });
  }
  const durations = new Map<string, { observe(seconds: number): void }>();
  return {
    requestDone(route, status, seconds) {
      const key = `${route} ${status}`;
      let series = durations.get(key);
      if (!series) {
        series = duration.labels({ route, status: String(status) });
        durations.set(key, series);
      }
      series.observe(seconds);
    },
    streamOpened(route) {
      streams.inc({ route });
      return () => streams.dec({ route });
    },
    statementSent: () => statements.inc(),
    response: async () =>
      new Response(await registry.metrics(), { headers: { 'content-type': registry.contentType } }),
  };
}
