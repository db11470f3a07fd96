// How writers run while a server is disturbed, and what they do after one that has forgotten acknowledged changes.
import { setTimeout as sleep } from 'node:timers/promises';
import { drawChange, refusedRequests } from './changes.ts';
import { checkAll } from './reads.ts';
import { copyOf, type State } from './region.ts';
import { sample } from './settings.ts';
import { countWrong, type Tally } from './tally.ts';
import type { World } from './world.ts';
import { makeChange, step, stepBlindly, type Writer } from './writer.ts';

/** How long writers may take for their checks, in ms. */
const LIMIT = 10 * 60_000;

/** Runs all writers until so many more answers were compared, and while `meanwhile` is under way. */
export async function write(
  world: World,
  tally: Tally,
  checks: number,
  meanwhile: (progress: (share: number) => Promise<void>) => Promise<void> = async () => {},
): Promise<void> {
  const [first, end] = [tally.checks, performance.now() + LIMIT];
  let over = false;
  const made = () => tally.checks - first;
  const progress = async (share: number) => {
    while (made() < checks * share && !over) await sleep(20);
  };
  const disturbing = meanwhile(progress).finally(() => {
    over = true;
  });
  const writing = world.writers.map(async (writer) => {
    try {
      while (!over || made() < checks) {
        if (performance.now() > end)
          throw new Error(`${made()} of ${checks} checks in ${LIMIT / 60_000} minutes`);
        await step(writer, tally, world);
      }
    } finally {
      over = true;
    }
  });
  await allOf([disturbing, ...writing]);
}

/** Waits for all, so that nothing runs on, then fails with the first that failed. */
async function allOf(promises: Promise<unknown>[]): Promise<void> {
  const failed = (await Promise.allSettled(promises)).find(({ status }) => status === 'rejected');
  if (failed) throw (failed as PromiseRejectedResult).reason;
}

/** Changes and reads without looking at answers while `action` is under way. */
export async function writeBlindly(
  world: World,
  action: () => Promise<void>,
  options: { readOnly?: boolean } = {},
): Promise<void> {
  let over = false;
  const acting = action().finally(() => {
    over = true;
  });
  const writing = world.writers.map(async (writer) => {
    while (!over) await stepBlindly(writer, world, options);
  });
  await allOf([acting, ...writing]);
}

/** The state that a server will go back to. */
export type Mark = State[];

export function mark({ writers }: World): Mark {
  for (const writer of writers) writer.recent = [];
  return writers.map(({ region }) => copyOf(region.state));
}

/** Lets both gateways cache everything, as it is now. */
export async function warm(world: World, tally: Tally): Promise<void> {
  const { a, b, writers } = world;
  await allOf(writers.flatMap(({ region }) => [a, b].map((gateway) => checkAll(gateway, region, tally))));
}

/** Makes some changes in each tenant, which are acknowledged and will be lost. */
export async function makeSome(world: World, tally: Tally): Promise<void> {
  const { a, b, writers } = world;
  await allOf(
    writers.map(async (writer) => {
      const changes = 2 + writer.random(6);
      for (let at = 0; at < changes; at += 1)
        await makeChange(writer, tally, world, { through: a, reader: a });
      await checkAll(b, writer.region, tally);
    }),
  );
}

/** Tries some changes in each tenant that are refused. `repeatHistory` then makes as many that are not. */
export async function trySome(world: World, tally: Tally): Promise<void> {
  const { a, writers } = world;
  await allOf(
    writers.map(async ({ region, random, recent }) => {
      for (const { query, variables } of Array.from({ length: 5 }, () =>
        refusedRequests(region, random),
      ).flat()) {
        const { data, code } = await a.ask(query, variables);
        recent.push(drawChange(region, random));
        if (code === null && data.result.code) continue;
        const answer = code ?? data.result;
        countWrong(tally, 'wrong', `gateway ${a.name}, ${JSON.stringify(variables)}`, answer, 'a refusal');
      }
    }),
  );
}

/**
 * The server has gone back to the mark. Makes as many changes in each tenant as were lost, through gateway A alone, and
 * reads a third of the groups through B one change before that number, at it, and after it: positions and versions are
 * then those that B knew with other contents.
 */
export async function repeatHistory(world: World, tally: Tally, marked: Mark): Promise<void> {
  const { a, b, writers } = world;
  writers.forEach(({ region }, at) => {
    region.state = marked[at]!;
  });
  const tenants = Map.groupBy(writers, ({ region }) => region.tenantId);
  await allOf(
    [...tenants.values()].map(async (sharing) => {
      const lost = sharing.flatMap((writer) => writer.recent.map((like) => ({ writer, like })));
      for (const writer of sharing) writer.recent = [];
      const groups = sharing.flatMap((writer) => writer.region.groups.map(({ id }) => ({ writer, id })));
      const { random } = sharing[0]!;
      const thirds = [0, 1, 2].map((third) => groups.filter((_, at) => at % 3 === third));
      const change = ({ writer, like }: (typeof lost)[number]) =>
        makeChange(writer, tally, world, { through: a, reader: a, like });
      const last = lost.at(-1) ?? { writer: sharing[0]!, like: undefined };
      for (const one of lost.slice(0, -1)) await change(one as (typeof lost)[number]);
      for (const third of thirds) {
        await readThrough(world, tally, sample(random, third, third.length));
        await change(last as (typeof lost)[number]);
      }
      for (const gateway of [b, a]) for (const { region } of sharing) await checkAll(gateway, region, tally);
    }),
  );
}

async function readThrough(
  { b }: World,
  tally: Tally,
  groups: { writer: Writer; id: string }[],
): Promise<void> {
  for (const { writer, id } of groups) await checkAll(b, writer.region, tally, { groupIds: [id] });
}
