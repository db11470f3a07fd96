// What a run of the benchmark can be told on its command line.
import { parseArgs } from 'node:util';
import type { Sizes } from './data-set.ts';

export type Options = {
  sizes: Sizes;
  /** Interleaved rounds of all contenders, and seconds that each has in a round. */
  rounds: number;
  seconds: number;
  /** Seconds of load, at most, before the first round. */
  warmup: number;
  connections: number;
  /** Ids of the queries to run; null for all. */
  only: readonly string[] | null;
  contenders: readonly string[];
  /** Where the database stays for the next run; null for one that is thrown away. */
  keep: string | null;
  json: string | null;
  chart: string | null;
};

/** The directory that the goals are stated for. */
export const DEFAULT_SIZES: Sizes = {
  users: 100_000,
  groups: 20_000,
  memberships: 1_000_000,
  nestings: 30_000,
  depth: 12,
  tenants: 20,
};

const size = (key: keyof Sizes) => ({ type: 'string' as const, default: String(DEFAULT_SIZES[key]) });

/** Throws for a flag that it does not know. */
export function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      users: size('users'),
      groups: size('groups'),
      memberships: size('memberships'),
      nestings: size('nestings'),
      depth: size('depth'),
      tenants: size('tenants'),
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      warmup: { type: 'string' },
      connections: { type: 'string', default: '16' },
      only: { type: 'string' },
      contenders: { type: 'string', default: 'coterie,postgraphile,mercurius,limit' },
      keep: { type: 'string' },
      json: { type: 'string' },
      chart: { type: 'string' },
      quick: { type: 'boolean', default: false },
    },
  });
  return {
    sizes: {
      users: Number(values.users),
      groups: Number(values.groups),
      memberships: Number(values.memberships),
      nestings: Number(values.nestings),
      depth: Number(values.depth),
      tenants: Number(values.tenants),
    },
    rounds: Number(values.rounds ?? (values.quick ? 2 : 5)),
    seconds: Number(values.seconds ?? (values.quick ? 0.4 : 2)),
    warmup: Number(values.warmup ?? (values.quick ? 0.5 : 8)),
    connections: Number(values.connections),
    only: values.only?.split(',') ?? null,
    contenders: values.contenders.split(','),
    keep: values.keep ?? null,
    json: values.json ?? null,
    chart: values.chart ?? null,
  };
}
