// A writer: changes its region through one gateway and reads through the other, right after the acknowledgement.
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { apply, type Change, drawChange, requestOf } from './changes.ts';
import type { Gateway, Outcome } from './gateway.ts';
import { check, drawRead, factsOf, readFacts } from './reads.ts';
import { copyOf, type Region } from './region.ts';
import type { Random } from './settings.ts';
import { countError, countWrong, type Tally } from './tally.ts';

/** Longest pause before the fate of a change is read, in ms, once no server is being disturbed any more. */
const PAUSE = 100;

export type Writer = {
  region: Region;
  random: Random;
  /** Acknowledged changes since the model was last copied: they are lost if the server goes back to then. */
  recent: Change[];
};

export type Field = { a: Gateway; b: Gateway; settled(): Promise<void> };

/**
 * Makes a change through the gateway and does it to the model once it is acknowledged. The fate of a change that was not
 * is read through `reader`: it must have happened as a whole, or not at all.
 */
export async function makeChange(
  { region, random, recent }: Writer,
  tally: Tally,
  field: Field,
  { through, reader, like }: { through: Gateway; reader: Gateway; like?: Change | undefined },
): Promise<Change> {
  const change = drawChange(region, random, like);
  const after = copyOf(region.state);
  apply(after, change);
  const { query, variables, payload } = requestOf(region, change, after);
  const outcome = await through.ask(query, variables);
  if (outcome.code === null && !isRefused(outcome)) {
    tally.changes += 1;
    recent.push(change);
    region.state = after;
    const got = sorted(outcome.data.result);
    if (!isDeepStrictEqual(got, payload))
      countWrong(
        tally,
        'wrong',
        `gateway ${through.name}, payload of ${JSON.stringify(change)}`,
        got,
        payload,
      );
    return change;
  }
  if (outcome.code === null) {
    // The model allows it, so that whatever the gateway looked at was not what is stored.
    countWrong(
      tally,
      'wrong',
      `gateway ${through.name} refused ${JSON.stringify(change)}`,
      outcome.data.result,
      payload,
    );
  } else {
    countError(tally, outcome.code);
  }
  tally.unknown += 1;
  await field.settled();
  await sleep(PAUSE);
  const part = {
    groupIds: 'groupId' in change ? [change.groupId] : [],
    userIds: change.kind === 'rename' ? [change.userId] : [],
  };
  const facts = await readFacts(reader, tally, part);
  const [unchanged, changed] = [factsOf(region.state, part), factsOf(after, part)];
  if (isDeepStrictEqual(facts, changed)) {
    region.state = after;
    recent.push(change);
  } else if (!isDeepStrictEqual(facts, unchanged)) {
    const show = (state: typeof facts) =>
      [...state.members.values(), ...state.nested.values()].map((set) => [...set]);
    countWrong(
      tally,
      'wrong',
      `gateway ${reader.name}, neither before nor after`,
      show(facts),
      show(changed),
    );
  }
  return change;
}

const isRefused = ({ data }: Outcome) => 'code' in (data.result ?? {});

/** Payloads name ids in an order of their own. */
function sorted(result: Record<string, unknown>): object {
  const entries = Object.entries(result).map(([name, value]) => [
    name,
    ['added', 'removed', 'unchanged', 'updated'].includes(name) ? (value as string[]).toSorted() : value,
  ]);
  return Object.fromEntries(entries);
}

/** One change, and one or two reads of what it reaches. */
export async function step(writer: Writer, tally: Tally, field: Field): Promise<void> {
  const { region, random } = writer;
  // One time in four the other way round, so that both gateways read what they did not write.
  const [through, reader] = random(4) === 0 ? [field.b, field.a] : [field.a, field.b];
  const change = await makeChange(writer, tally, field, { through, reader });
  const changed = {
    ...('groupId' in change && { groupId: change.groupId }),
    ...('userIds' in change && { userId: change.userIds[0]! }),
    ...('userId' in change && { userId: change.userId }),
  };
  await check(reader, region, tally, drawRead(region, random, changed));
  // The writer's own gateway has caches too.
  if (random(4) === 0) await check(through, region, tally, drawRead(region, random, changed));
}

/** Changes and reads whose answers nobody looks at, since the server forgets some of them. The model is then unknown. */
export async function stepBlindly(
  { region, random }: Writer,
  { a, b }: Field,
  { readOnly = false } = {},
): Promise<void> {
  const change = drawChange(region, random);
  const after = copyOf(region.state);
  apply(after, change);
  const { query, variables } = requestOf(region, change, after);
  if (!readOnly || random(4) === 0) await a.ask(query, variables);
  const { groupId } = { groupId: region.groups[random(region.groups.length)]!.id };
  const selection =
    'effectiveMemberCount effectiveMembers(first: 100) { totalCount edges { node { userId displayName } } }';
  const outcome = await b.ask(`query($id: ID!) { group(id: $id) { ${selection} } }`, { id: groupId });
  if (outcome.code !== null) await sleep(20);
}
