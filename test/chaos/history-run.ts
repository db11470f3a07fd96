// The run of the history test: writers that add and remove the same few members, readers, and the rows read afterwards.
import type pg from 'pg';
import { Client } from '../../src/database/client.ts';
import type { Acknowledged, Change, Head, Interval, Observation } from './history-checks.ts';
import { pick, type Random, randomOf } from './settings.ts';

export type Pair = { groupId: string; userId: string };
/** Adds or removes the pair; null if it was so already, else the position of the change. Throws if there is no answer. */
export type MakeChange = (kind: 'add' | 'remove', pair: Pair) => Promise<number | null>;

/** How long writers may take, in ms. */
const LIMIT = 10 * 60_000;

/** Runs a writer for each of `makers` until so many changes were made, and readers beside them. */
export async function runHistory({
  makers,
  pairs,
  changes,
  connectionString,
  tenantId,
}: {
  makers: readonly MakeChange[];
  pairs: readonly Pair[];
  changes: number;
  connectionString: string;
  tenantId: string;
}): Promise<{ acknowledged: Acknowledged[]; observations: Observation[] }> {
  const acknowledged: Acknowledged[] = [];
  const observations = new Map<string, Observation>();
  const end = performance.now() + LIMIT;
  let failed = false;
  const going = () => acknowledged.length < changes && !failed;
  const guarded = async (work: () => Promise<void>) => {
    try {
      while (going()) {
        if (performance.now() > end) throw new Error(`${acknowledged.length} of ${changes} changes in time`);
        await work();
      }
    } catch (error) {
      failed = true;
      throw error;
    }
  };
  const write = (makeChange: MakeChange, random: Random) => {
    let kind: Acknowledged['kind'] = 'add';
    return guarded(async () => {
      const pair = pick(random, pairs);
      const began = performance.now();
      const position = await makeChange(kind, pair);
      if (position !== null) acknowledged.push({ kind, ...pair, position, began, ended: performance.now() });
      kind = kind === 'add' ? 'remove' : 'add';
    });
  };
  const groupIds = [...new Set(pairs.map(({ groupId }) => groupId))];
  const read = async (random: Random) => {
    const client = new Client(connectionString);
    await client.connect();
    try {
      await guarded(async () => {
        const observation = await observe(client, tenantId, pick(random, groupIds));
        observations.set(
          `${observation.position} ${observation.changeId} ${observation.groupId}`,
          observation,
        );
      });
    } finally {
      await client.end();
    }
  };
  const all = await Promise.allSettled([
    ...makers.map((makeChange, at) => write(makeChange, randomOf(100 + at))),
    ...groupIds.map((_, at) => read(randomOf(200 + at))),
  ]);
  const rejected = all.find(({ status }) => status === 'rejected');
  if (rejected) throw (rejected as PromiseRejectedResult).reason;
  return { acknowledged, observations: [...observations.values()] };
}

/** One statement, so that position and members are of one snapshot. */
async function observe(client: pg.Client, tenantId: string, groupId: string): Promise<Observation> {
  const { rows } = await client.query(
    `select log.position::float8 as position, log.change_id::text as "changeId", array(
       select user_id::text from memberships m where m.tenant_id = log.tenant_id and m.group_id = $2
     ) as "userIds"
     from tenant_logs log where log.tenant_id = $1`,
    [tenantId, groupId],
  );
  return { ...rows[0], groupId };
}

/** Microseconds since 1970: more exact than JavaScript's dates. */
const micros = (column: string) => `(extract(epoch from ${column}) * 1000000)::float8`;

/** The tenant's log and the intervals of these groups, as they are stored. */
export async function readHistory(
  connectionString: string,
  tenantId: string,
  groupIds: readonly string[],
): Promise<{ head: Head; changes: Change[]; intervals: Interval[] }> {
  const client = new Client(connectionString);
  await client.connect();
  const rows = async <T>(statement: string, ...more: unknown[]) =>
    (await client.query(statement, [tenantId, ...more])).rows as T[];
  try {
    const [head] = await rows<Head>(
      `select position::float8 as position, change_id::text as "changeId", ${micros('at')} as at
       from tenant_logs where tenant_id = $1`,
    );
    const changes = await rows<Change>(
      `select position::float8 as position, ordinal, ${micros('at')} as at, change_id::text as "changeId"
       from changes where tenant_id = $1`,
    );
    const columns = (until: string, endedAt: string) =>
      `group_id as "groupId", user_id as "userId", since::float8 as since, ${until} as until,
       ${micros('added_at')} as "addedAt", ${endedAt} as "endedAt"`;
    const intervals = await rows<Interval>(
      `select ${columns('null::float8', 'null::float8')} from memberships where tenant_id = $1 and group_id = any ($2)
       union all
       select ${columns('until::float8', micros('ended_at'))} from membership_history
       where tenant_id = $1 and group_id = any ($2)`,
      groupIds,
    );
    if (!head) throw new Error(`${tenantId} has no log`);
    return { head, changes, intervals };
  } finally {
    await client.end();
  }
}
